package letter

import (
	"bytes"
	"compress/zlib"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"sync"
)

//go:embed fonts/OpenSans-Regular.ttf
var regularFile []byte

//go:embed fonts/OpenSans-Semibold.ttf
var boldFile []byte

// typeface is both faces and the PDF objects that embed them, which are the
// same in every letter: made once, copied into each.
type typeface struct {
	regular, bold *face
	head          []byte // the beginning of every PDF file, up to the first object of its own
	offsets       []int  // of the objects in head, by number; index 0 unused
}

// The object numbers of the faces; each takes fontObjects in a row.
const (
	regularObject = 1
	boldObject    = regularObject + fontObjects
	fontObjects   = 5
)

// loadTypeface parses the embedded fonts once a process.
var loadTypeface = sync.OnceValues(func() (*typeface, error) {
	t := &typeface{offsets: []int{0}}
	var err error
	if t.regular, err = parseFace(regularFile); err != nil {
		return nil, fmt.Errorf("read the regular font: %w", err)
	}
	if t.bold, err = parseFace(boldFile); err != nil {
		return nil, fmt.Errorf("read the bold font: %w", err)
	}
	// A comment of four high bytes tells programs that the file is binary
	// (ISO 32000-1 §7.5.2).
	t.head = []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	if err := t.embed(regularObject, "SceauSans-Regular", t.regular, 88); err != nil {
		return nil, err
	}
	return t, t.embed(boldObject, "SceauSans-Semibold", t.bold, 120)
})

// embed writes the objects of a composite font whose character codes are its
// glyph numbers (ISO 32000-1 §9.7): font, descendant, descriptor, file and the
// way back to Unicode for search and copy.
func (t *typeface) embed(number int, name string, f *face, stemV int) error {
	em := func(units int) int { return units * 1000 / f.unitsPerEm }
	t.object("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>",
		name, number+1, number+4)
	var widths bytes.Buffer
	for g := range f.advances {
		fmt.Fprintf(&widths, "%d ", em(int(f.advances[g])))
	}
	t.object("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"+
		"/FontDescriptor %d 0 R/CIDToGIDMap/Identity/W[0[%s]]>>", name, number+2, bytes.TrimSpace(widths.Bytes()))
	t.object("<</Type/FontDescriptor/FontName/%s/Flags 32/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d/CapHeight 714/StemV %d/FontFile2 %d 0 R>>",
		name, em(f.bounds[0]), em(f.bounds[1]), em(f.bounds[2]), em(f.bounds[3]), em(f.ascent), em(f.descent), stemV, number+3)
	if err := t.stream(f.file, fmt.Sprintf("/Length1 %d", len(f.file))); err != nil {
		return err
	}
	return t.stream(toUnicode(f), "")
}

func (t *typeface) object(format string, args ...any) {
	number := len(t.offsets)
	t.offsets = append(t.offsets, len(t.head))
	t.head = fmt.Appendf(t.head, "%d 0 obj\n", number)
	t.head = fmt.Appendf(t.head, format, args...)
	t.head = append(t.head, "\nendobj\n"...)
}

func (t *typeface) stream(content []byte, entries string) error {
	var packed bytes.Buffer
	w, err := zlib.NewWriterLevel(&packed, zlib.BestCompression)
	if err != nil {
		return fmt.Errorf("compress a font: %w", err)
	}
	if _, err := w.Write(content); err != nil {
		return fmt.Errorf("compress a font: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress a font: %w", err)
	}
	t.object("<</Filter/FlateDecode%s/Length %d>>\nstream\n%s\nendstream", entries, packed.Len(), packed.Bytes())
	return nil
}

// toUnicode maps glyphs back to characters (ISO 32000-1 §9.10.3), at most 100
// a section. A glyph that shows several characters answers with the first.
func toUnicode(f *face) []byte {
	back := make(map[uint16]rune, len(f.glyphs))
	for _, r := range slices.Sorted(maps.Keys(f.glyphs)) {
		if _, taken := back[f.glyphs[r]]; !taken {
			back[f.glyphs[r]] = r
		}
	}
	b := []byte("/CIDInit/ProcSet findresource begin 12 dict begin begincmap" +
		"/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def/CMapName/Adobe-Identity-UCS def/CMapType 2 def\n" +
		"1 begincodespacerange<0000><FFFF>endcodespacerange\n")
	for part := range slices.Chunk(slices.Sorted(maps.Keys(back)), 100) {
		b = fmt.Appendf(b, "%d beginbfchar\n", len(part))
		for _, g := range part {
			b = fmt.Appendf(b, "<%04X><%04X>\n", g, back[g])
		}
		b = append(b, "endbfchar\n"...)
	}
	return append(b, "endcmap CMapName currentdict/CMap defineresource pop end end"...)
}
