package evidence

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
)

var pngSignature = []byte("\x89PNG\r\n\x1a\n")

// maxAside bounds a chunk beside the picture: a colour profile, a text. It may be
// compressed, a thousandfold at most.
const maxAside = 64 << 10

// inspectPNG walks through the chunks (PNG, third edition, §5 and §11): each with its
// checksum, the header first, the end last and nothing behind it. The picture is
// unpacked once and thrown away, so that one which swells beyond its size is told
// without memory.
func inspectPNG(content []byte) (Scan, error) {
	var picture [][]byte
	var header []byte
	rest := content[len(pngSignature):]
	for first := true; ; first = false {
		kind, data, more, ok := pngChunk(rest)
		if !ok || first != (kind == "IHDR") {
			return Scan{}, unfit("is a damaged PNG")
		}
		rest = more
		switch kind {
		case "IHDR":
			header = data
		case "IDAT":
			picture = append(picture, data)
		case "IEND":
			if len(rest) > 0 || len(data) > 0 {
				return Scan{}, unfit("has something behind the picture's end: save it again as PNG")
			}
			return pngPicture(header, picture)
		case "acTL", "fcTL", "fdAT":
			return Scan{}, unfit("is an animation")
		default:
			if len(data) > maxAside {
				return Scan{}, unfit("has more than %d KiB beside the picture: save it again as PNG", maxAside>>10)
			}
		}
	}
}

func pngChunk(b []byte) (kind string, data, rest []byte, ok bool) {
	const around = 12 // length, kind, checksum
	if len(b) < around {
		return "", nil, nil, false
	}
	n := int64(binary.BigEndian.Uint32(b))
	if n > int64(len(b)-around) {
		return "", nil, nil, false
	}
	end := 8 + n
	if crc32.ChecksumIEEE(b[4:end]) != binary.BigEndian.Uint32(b[end:]) {
		return "", nil, nil, false
	}
	return string(b[4:8]), b[8:end], b[end+4:], true
}

// pngPicture compares what the header promises with what is there.
func pngPicture(header []byte, parts [][]byte) (Scan, error) {
	if len(header) != 13 {
		return Scan{}, unfit("is a damaged PNG")
	}
	w, h := binary.BigEndian.Uint32(header), binary.BigEndian.Uint32(header[4:])
	if w > maxSide || h > maxSide {
		w, h = min(w, maxSide+1), min(h, maxSide+1)
	}
	s := Scan{Type: PNG, Width: int(w), Height: int(h)}
	if err := checkPixels(s.Width, s.Height); err != nil {
		return Scan{}, err
	}
	depth, colour, interlaced := int(header[8]), header[9], header[12]
	samples := map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
	if samples == 0 || !slices.Contains([]int{1, 2, 4, 8, 16}, depth) || interlaced != 0 {
		return Scan{}, unfit("is interlaced or of an unknown kind: save it again as a plain PNG")
	}
	row := 1 + (s.Width*samples*depth+7)/8 // a filter's octet before each
	readers := make([]io.Reader, len(parts))
	for i, part := range parts {
		readers[i] = bytes.NewReader(part)
	}
	packed := io.MultiReader(readers...)
	unpacked, err := zlib.NewReader(packed)
	if err != nil {
		return Scan{}, unfit("is a damaged PNG")
	}
	want := int64(row) * int64(s.Height)
	got, err := io.Copy(io.Discard, io.LimitReader(unpacked, want+1))
	if err != nil || got != want {
		return Scan{}, unfit("has another size than it says: save it again as PNG")
	}
	if left, err := io.Copy(io.Discard, packed); err != nil || left > 0 {
		return Scan{}, unfit("has something behind the picture's end: save it again as PNG")
	}
	return s, nil
}
