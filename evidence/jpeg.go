package evidence

import "encoding/binary"

// Markers of a JPEG (ITU-T T.81 table B.1).
const (
	jpegEnd  = 0xD9
	jpegScan = 0xDA
)

// maxPasses bounds the passes of a progressive picture: each costs a reader the whole
// picture again.
const maxPasses = 64

// inspectJPEG walks through the segments, up to the end of the picture and nothing
// behind it.
func inspectJPEG(content []byte) (Scan, error) {
	s := Scan{Type: JPEG}
	passes := 0
	for at := 2; ; {
		if at+2 > len(content) || content[at] != 0xFF {
			return Scan{}, unfit("is a damaged JPEG")
		}
		marker := content[at+1]
		at += 2
		switch {
		case marker == 0xFF: // filling
			at--
			continue
		case marker == jpegEnd:
			return jpegEnds(s, passes, len(content)-at)
		case marker == 0x00, marker == 0x01, marker >= 0xD0 && marker <= 0xD8:
			return Scan{}, unfit("is a damaged JPEG")
		}
		if at+2 > len(content) {
			return Scan{}, unfit("is a damaged JPEG")
		}
		size := int(binary.BigEndian.Uint16(content[at:]))
		if size < 2 || at+size > len(content) {
			return Scan{}, unfit("is a damaged JPEG")
		}
		segment := content[at+2 : at+size]
		at += size
		switch {
		case isFrame(marker):
			if s.Width != 0 || len(segment) < 6 {
				return Scan{}, unfit("is a damaged JPEG")
			}
			s.Height, s.Width = int(binary.BigEndian.Uint16(segment[1:])), int(binary.BigEndian.Uint16(segment[3:]))
			if err := checkPixels(s.Width, s.Height); err != nil {
				return Scan{}, err
			}
		case marker == jpegScan:
			if passes++; passes > maxPasses {
				return Scan{}, unfit("has more than %d passes: save it again as a plain JPEG", maxPasses)
			}
			at = pastScan(content, at)
		}
	}
}

func jpegEnds(s Scan, passes, left int) (Scan, error) {
	switch {
	case s.Width == 0 || passes == 0:
		return Scan{}, unfit("is a JPEG without a picture")
	case left > 0:
		return Scan{}, unfit("has something behind the picture's end: save it again as JPEG")
	}
	return s, nil
}

// isFrame tells whether a segment has the picture's size: SOF0 to SOF15, without the
// tables and the extension between them.
func isFrame(marker byte) bool {
	return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC
}

// pastScan finds the marker that ends a pass: neither a stuffed octet nor a restart.
func pastScan(content []byte, at int) int {
	for ; at+1 < len(content); at++ {
		if next := content[at+1]; content[at] == 0xFF && next != 0x00 && (next < 0xD0 || next > 0xD7) {
			break
		}
	}
	return at
}
