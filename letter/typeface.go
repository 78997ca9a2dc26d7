package letter

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"slices"
	"sync"
)

//go:embed fonts/OpenSans-Regular.ttf
var regularFile []byte

//go:embed fonts/OpenSans-Semibold.ttf
var boldFile []byte

// typeface is the two faces of every document.
type typeface struct{ regular, bold *face }

func (t *typeface) faces() [2]*face { return [2]*face{t.regular, t.bold} }

// glyphs are those that a document shows, by face and number.
type glyphs [2][]bool

// loadTypeface parses the embedded fonts once a process.
var loadTypeface = sync.OnceValues(func() (*typeface, error) {
	regular, err := parseFace(regularFile)
	if err != nil {
		return nil, fmt.Errorf("read the regular font: %w", err)
	}
	bold, err := parseFace(boldFile)
	if err != nil {
		return nil, fmt.Errorf("read the bold font: %w", err)
	}
	regular.name, regular.stem = "SceauSans-Regular", 88
	bold.name, bold.stem = "SceauSans-Semibold", 120
	return &typeface{regular, bold}, nil
})

// font writes the objects of a composite font whose character codes are its
// glyph numbers (ISO 32000-1 §9.7), cut to the glyphs used: font, descendant,
// descriptor, file and the way back to Unicode for search and copy.
func (w *objects) font(number int, f *face, used []bool) error {
	file, err := f.subset(used)
	if err != nil {
		return err
	}
	packed, err := deflate(file)
	if err != nil {
		return err
	}
	em := func(units int) int { return units * 1000 / f.unitsPerEm }
	name := subsetTag(used) + "+" + f.name
	w.object("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>",
		name, number+1, number+4)
	var widths []byte
	for g := 0; g < len(used); g++ {
		if !used[g] {
			continue
		}
		widths = fmt.Appendf(widths, "%d[", g)
		for ; g < len(used) && used[g]; g++ {
			widths = fmt.Appendf(widths, "%d ", em(int(f.advances[g])))
		}
		widths[len(widths)-1] = ']'
	}
	w.object("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"+
		"/FontDescriptor %d 0 R/CIDToGIDMap/Identity/W[%s]>>", name, number+2, widths)
	w.object("<</Type/FontDescriptor/FontName/%s/Flags 32/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d/CapHeight 714/StemV %d/FontFile2 %d 0 R>>",
		name, em(f.bounds[0]), em(f.bounds[1]), em(f.bounds[2]), em(f.bounds[3]), em(f.ascent), em(f.descent), f.stem, number+3)
	w.stream(packed, fmt.Sprintf("/Filter/FlateDecode/Length1 %d", len(file)))
	back, err := deflate(f.toUnicode(used))
	if err != nil {
		return err
	}
	w.stream(back, "/Filter/FlateDecode")
	return nil
}

// subsetTag tells one subset of a font from another (ISO 32000-1 §9.6.4).
func subsetTag(used []bool) string {
	bits := make([]byte, len(used))
	for g, u := range used {
		if u {
			bits[g] = 1
		}
	}
	sum := sha256.Sum256(bits)
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + sum[i]%26
	}
	return string(tag)
}

// toUnicode maps glyphs back to characters (ISO 32000-1 §9.10.3), at most 100
// a section. A glyph that shows several characters answers with the first.
func (f *face) toUnicode(used []bool) []byte {
	b := []byte("/CIDInit/ProcSet findresource begin 12 dict begin begincmap" +
		"/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def/CMapName/Adobe-Identity-UCS def/CMapType 2 def\n" +
		"1 begincodespacerange<0000><FFFF>endcodespacerange\n")
	shown := make([]uint16, 0, len(used))
	for g := range used {
		if used[g] && f.back[g] != 0 {
			shown = append(shown, uint16(g)) //nolint:gosec // a font has fewer than 65 536 glyphs
		}
	}
	for part := range slices.Chunk(shown, 100) {
		b = fmt.Appendf(b, "%d beginbfchar\n", len(part))
		for _, g := range part {
			b = fmt.Appendf(b, "<%04X><%04X>\n", g, f.back[g])
		}
		b = append(b, "endbfchar\n"...)
	}
	return append(b, "endcmap CMapName currentdict/CMap defineresource pop end end"...)
}

// deflate compresses what has no secret.
func deflate(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("compress part of a document: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress part of a document: %w", err)
	}
	return packed.Bytes(), nil
}
