package evidence

import (
	"bytes"
	"fmt"

	"sceau/lifecycle"
)

// ScanKind says what a scan shows.
type ScanKind string

// The kinds of scan.
const (
	IdentityScan ScanKind = "identity"
	MandateScan  ScanKind = "mandate"
	ExtractScan  ScanKind = "extract"
	TermsScan    ScanKind = "terms"
)

// ScanKinds lists them.
func ScanKinds() []ScanKind { return []ScanKind{IdentityScan, MandateScan, ExtractScan, TermsScan} }

// MediaType is what a scan is, told by its content.
type MediaType string

// The media types.
const (
	PDF  MediaType = "application/pdf"
	JPEG MediaType = "image/jpeg"
	PNG  MediaType = "image/png"
)

// Bounds of a scan, and of the scans of one dossier. A page of A4 at 600 dots an inch
// is 35 million pixels.
const (
	MaxScan   = 8 << 20 // octets
	MaxScans  = 12
	maxPages  = 20
	maxPixels = 40_000_000
	maxSide   = 16_384
)

// Scan is what a file was found to be.
type Scan struct {
	Type          MediaType
	Pages         int // of a PDF
	Width, Height int // of an image, pixels
}

// Inspect tells by its content what a file is, and refuses one that is too large, that
// is something else besides, or that would act or swell when it is opened. Names and
// extensions tell nothing.
func Inspect(content []byte) (Scan, error) {
	switch {
	case isArchive(content):
		return Scan{}, unfit("is an archive, too: save it again")
	case len(content) == 0:
		return Scan{}, unfit("is empty")
	case len(content) > MaxScan:
		return Scan{}, unfit("is larger than %d MB: scan it in grey, at 300 dots an inch", MaxScan>>20)
	case bytes.HasPrefix(content, pngSignature):
		return inspectPNG(content)
	case bytes.HasPrefix(content, []byte{0xFF, 0xD8, 0xFF}):
		return inspectJPEG(content)
	case bytes.HasPrefix(content, []byte("%PDF-")):
		return inspectPDF(content)
	}
	return Scan{}, unfit("is no PDF, JPEG or PNG, whatever its name says")
}

// isArchive tells whether a file ends as a ZIP archive does (APPNOTE 4.3.16): one that
// is both would be opened as either.
func isArchive(content []byte) bool {
	const furthest = 22 + 1<<16 - 1
	return bytes.Contains(content[max(0, len(content)-furthest):], []byte("PK\x05\x06"))
}

// unfit says why a file is not kept, and nothing of what is in it.
func unfit(why string, values ...any) error {
	return &lifecycle.FieldError{Field: "scan", Why: fmt.Sprintf(why, values...)}
}

func checkPixels(width, height int) error {
	if width < 1 || height < 1 || width > maxSide || height > maxSide || width*height > maxPixels {
		return unfit("has %d × %d pixels: at most %d millions, and %d a side", width, height, maxPixels/1_000_000, maxSide)
	}
	return nil
}
