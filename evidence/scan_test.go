package evidence_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"sceau/evidence"
	"sceau/lifecycle"
)

func picture(w, h int) image.Image {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for x := range w {
		m.Set(x, x%h, color.White)
	}
	return m
}

func pngOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(60, 40), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// chunk is a PNG chunk with its checksum.
func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

// bomb is a PNG of a size whose picture unpacks to other octets.
func bomb(w, h uint32, unpacked []byte) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	header = append(header, 8, 0, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", header)...)
	b = append(b, chunk("IDAT", deflate(unpacked))...)
	return append(b, chunk("IEND", nil)...)
}

// behindHeader puts chunks behind a PNG's header.
func behindHeader(file []byte, more []byte) []byte {
	const at = 8 + 12 + 13
	return append(append(bytes.Clone(file[:at]), more...), file[at:]...)
}

func pdf(objects ...string) []byte {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("trailer << /Root 1 0 R >>\nstartxref\n9\n%%EOF\n")
	return []byte(b.String())
}

const page = "<< /Type /Page /Parent 2 0 R >>"

func packed(objects string) string {
	return fmt.Sprintf("<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode >>\nstream\n%s\nendstream", deflate([]byte(objects)))
}

func TestAScanIsWhatItsContentSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file []byte
		want evidence.Scan
	}{
		"a PNG":           {pngOf(t, picture(60, 40)), evidence.Scan{Type: evidence.PNG, Width: 60, Height: 40}},
		"a PNG in colour": {pngOf(t, image.NewNRGBA(image.Rect(0, 0, 7, 9))), evidence.Scan{Type: evidence.PNG, Width: 7, Height: 9}},
		"a PNG with a text": {behindHeader(pngOf(t, picture(60, 40)), chunk("tEXt", []byte("Software\x00scanner"))),
			evidence.Scan{Type: evidence.PNG, Width: 60, Height: 40}},
		"a JPEG":                  {jpegOf(t), evidence.Scan{Type: evidence.JPEG, Width: 60, Height: 40}},
		"a PDF":                   {pdf(page), evidence.Scan{Type: evidence.PDF, Pages: 1}},
		"a PDF of packed objects": {pdf(packed(page + page)), evidence.Scan{Type: evidence.PDF, Pages: 2}},
	} {
		if got, err := evidence.Inspect(c.file); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestWhatIsNoScanIsRefused(t *testing.T) {
	t.Parallel()
	good, photo := pngOf(t, picture(60, 40)), jpegOf(t)
	damaged := bytes.Clone(good)
	damaged[40] ^= 1
	zip := []byte("PK\x05\x06" + strings.Repeat("\x00", 18))
	for name, file := range map[string][]byte{
		"nothing":                          nil,
		"a page of HTML":                   []byte("<html><script>"),
		"SVG":                              []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"a program":                        []byte("\x7fELF"),
		"more than is kept":                append(bytes.Clone(good), make([]byte, evidence.MaxScan)...),
		"a PNG with a page behind":         append(bytes.Clone(good), "<script>"...),
		"a PNG with an archive behind":     append(bytes.Clone(good), zip...),
		"a PNG with an archive inside":     behindHeader(good, chunk("tEXt", append([]byte("a\x00"), zip...))),
		"a PNG that is damaged":            damaged,
		"a PNG cut short":                  good[:len(good)-6],
		"a PNG that swells":                bomb(10, 10, make([]byte, 64<<20)),
		"a PNG that promises too much":     bomb(60_000, 60_000, make([]byte, 10)),
		"a PNG of 2^32 pixels a side":      bomb(1<<32-1, 1<<32-1, make([]byte, 10)),
		"a PNG with half its picture":      bomb(10, 10, make([]byte, 50)),
		"a PNG without pixels":             bomb(0, 0, nil),
		"a PNG with a packed text":         behindHeader(good, chunk("zTXt", make([]byte, 70<<10))),
		"an animated PNG":                  behindHeader(good, chunk("acTL", make([]byte, 8))),
		"a PNG whose data goes on":         bytes.Replace(good, chunk("IEND", nil), append(chunk("IDAT", []byte("more")), chunk("IEND", nil)...), 1),
		"a PNG without header":             append([]byte("\x89PNG\r\n\x1a\n"), chunk("IEND", nil)...),
		"a JPEG with a page behind":        append(bytes.Clone(photo), "<script>"...),
		"a JPEG cut short":                 photo[:len(photo)-10],
		"a JPEG without a picture":         {0xFF, 0xD8, 0xFF, 0xD9},
		"a JPEG that is far too large":     {0xFF, 0xD8, 0xFF, 0xC0, 0, 8, 8, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0xFF, 0xD9},
		"a JPEG of a thousand passes":      append(append(bytes.Clone(photo[:len(photo)-2]), bytes.Repeat([]byte{0xFF, 0xDA, 0, 2}, 1000)...), 0xFF, 0xD9),
		"a PDF without pages":              pdf("<< /Type /Catalog >>"),
		"a PDF of many pages":              pdf(strings.Repeat(page, 21)),
		"a PDF with a script":              pdf(page, "<< /S /JavaScript /JS (app.alert(1)) >>"),
		"a PDF with a script in codes":     pdf(page, "<< /S /J#61vaScript >>"),
		"a PDF with a packed script":       pdf(page, packed("<< /S /JavaScript >>")),
		"a PDF with a script in a stream":  pdf(page, "<< /Length 99 >>\nstream\n9 0 obj << /S /JavaScript >> endobj\nendstream"),
		"a PDF with an attachment":         pdf(page, "<< /Type /EmbeddedFile >>"),
		"a PDF that starts a program":      pdf(page, "<< /S /Launch >>"),
		"a PDF with a password":            pdf(page, "<< /Encrypt 5 0 R >>"),
		"a PDF that swells":                pdf(page, packed(strings.Repeat(" ", 5<<20))),
		"a PDF packed unusually":           pdf(page, "<< /Type /ObjStm /Filter /LZWDecode >>\nstream\nxx\nendstream"),
		"a PDF with a predictor":           pdf(page, strings.Replace(packed(page), "/Filter", "/DecodeParms << /Predictor 12 >> /Filter", 1)),
		"a PDF whose objects are lost":     pdf(page, "<< /Type /ObjStm >>"),
		"a PDF behind something":           append([]byte("MZ"), pdf(page)...),
		"a PDF that is an archive":         bytes.Replace(pdf(page), []byte("trailer"), append(zip, "trailer"...), 1),
		"a PDF with a page of HTML behind": append(pdf(page), "<script>"...),
		"a PDF of no version":              bytes.Replace(pdf(page), []byte("1.7"), []byte("9.9"), 1),
	} {
		got, err := evidence.Inspect(file)
		var field *lifecycle.FieldError
		if !errors.As(err, &field) || field.Field != "scan" || got != (evidence.Scan{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Whatever the bytes, the answer is a scan within bounds or an error.
func FuzzInspect(f *testing.F) {
	for _, seed := range [][]byte{
		pngOf(f, picture(8, 8)), jpegOf(f), pdf(page), pdf(packed(page)), bomb(10, 10, make([]byte, 110)), []byte("%PDF-1.7\n%%EOF"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := evidence.Inspect(file)
		switch {
		case err != nil:
			if !errors.Is(err, lifecycle.Invalid) || s != (evidence.Scan{}) {
				t.Errorf("%+v, %v", s, err)
			}
		case s.Type == evidence.PDF:
			if s.Pages < 1 || s.Pages > 20 {
				t.Errorf("%+v", s)
			}
		case s.Width < 1 || s.Height < 1 || s.Width*s.Height > 40_000_000:
			t.Errorf("%+v", s)
		}
	})
}
