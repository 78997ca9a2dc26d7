package letter

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// face is what the letters need of one TrueType font: which glyph shows a
// character, how wide it is, and its outline.
type face struct {
	name       string
	stem       int // thickness of its stems, thousandths of an em
	unitsPerEm int
	ascent     int // font units
	descent    int // font units, negative
	bounds     [4]int
	glyphs     map[rune]uint16
	table      []uint16 // glyphs once more, by character: a letter looks thousands up
	back       []rune   // the first character that a glyph shows, 0 for none
	advances   []uint16 // by glyph, font units
	outlines   outlines
}

var errFont = errors.New("the font file is damaged")

// parseFace reads the tables head, hhea, hmtx, maxp, loca and cmap (format 4) of
// a TrueType file (ISO/IEC 14496-22). Damaged bytes give an error.
func parseFace(file []byte) (*face, error) {
	tables, err := fontTables(file)
	if err != nil {
		return nil, err
	}
	head, hhea, hmtx := tables["head"], tables["hhea"], tables["hmtx"]
	if len(head) < 54 || len(hhea) < 36 {
		return nil, fmt.Errorf("%w: head or hhea", errFont)
	}
	f := &face{unitsPerEm: int(u16(head, 18)), ascent: i16(hhea, 4), descent: i16(hhea, 6)}
	for i := range f.bounds {
		f.bounds[i] = i16(head, 36+2*i)
	}
	count := int(u16(hhea, 34))
	if f.unitsPerEm == 0 || count == 0 || len(hmtx) < 4*count {
		return nil, fmt.Errorf("%w: hmtx", errFont)
	}
	// Glyphs after the last full metric repeat its advance.
	f.advances = make([]uint16, count+(len(hmtx)-4*count)/2)
	for g := range f.advances {
		f.advances[g] = u16(hmtx, 4*min(g, count-1))
	}
	if f.outlines, err = parseOutlines(tables, count); err != nil {
		return nil, err
	}
	if f.glyphs, err = charMap(tables["cmap"]); err != nil {
		return nil, err
	}
	f.back = make([]rune, len(f.advances))
	for r, g := range f.glyphs {
		if int(g) >= len(f.advances) {
			return nil, fmt.Errorf("%w: no width for %U", errFont, r)
		}
		if int(r) >= len(f.table) {
			f.table = append(f.table, make([]uint16, int(r)+1-len(f.table))...)
		}
		f.table[r] = g
		if f.back[g] == 0 || r < f.back[g] {
			f.back[g] = r
		}
	}
	return f, nil
}

// width is the width of a text in points at a size in points. Texts are
// checked for characters that the face lacks before they are set.
func (f *face) width(s string, size float64) float64 {
	units := 0
	for _, r := range s {
		units += int(f.advances[f.glyph(r)])
	}
	return float64(units) * size / float64(f.unitsPerEm)
}

// glyph is the glyph of a character, 0 when the face lacks it.
func (f *face) glyph(r rune) uint16 {
	if int(r) >= len(f.table) {
		return 0
	}
	return f.table[r]
}

// lacks is the first character of s that the face cannot show.
func (f *face) lacks(s string) (rune, bool) {
	for _, r := range s {
		if f.glyph(r) == 0 {
			return r, true
		}
	}
	return 0, false
}

func fontTables(file []byte) (map[string][]byte, error) {
	if len(file) < 12 || len(file) > 1<<20 {
		return nil, fmt.Errorf("%w: header", errFont)
	}
	n := int(u16(file, 4))
	if len(file) < 12+16*n {
		return nil, fmt.Errorf("%w: table directory", errFont)
	}
	tables := make(map[string][]byte, n)
	for i := range n {
		entry := file[12+16*i:]
		from, size := uint64(binary.BigEndian.Uint32(entry[8:])), uint64(binary.BigEndian.Uint32(entry[12:]))
		if from+size > uint64(len(file)) {
			return nil, fmt.Errorf("%w: table %.4q", errFont, entry[:4])
		}
		tables[string(entry[:4])] = file[from : from+size]
	}
	return tables, nil
}

// charMap reads the Windows Unicode BMP subtable (platform 3, encoding 1).
func charMap(cmap []byte) (map[rune]uint16, error) {
	if len(cmap) < 4 || len(cmap) < 4+8*int(u16(cmap, 2)) {
		return nil, fmt.Errorf("%w: cmap", errFont)
	}
	for i := range int(u16(cmap, 2)) {
		entry := cmap[4+8*i:]
		from := uint64(binary.BigEndian.Uint32(entry[4:]))
		if u16(entry, 0) == 3 && u16(entry, 2) == 1 && from < uint64(len(cmap)) {
			return segments(cmap[from:])
		}
	}
	return nil, fmt.Errorf("%w: cmap has no Unicode table", errFont)
}

func segments(t []byte) (map[rune]uint16, error) {
	if len(t) < 16 || u16(t, 0) != 4 {
		return nil, fmt.Errorf("%w: cmap format", errFont)
	}
	n := int(u16(t, 6)) // twice the number of segments
	ends, starts, deltas, offsets := 14, 16+n, 16+2*n, 16+3*n
	if n%2 != 0 || len(t) < 16+4*n {
		return nil, fmt.Errorf("%w: cmap segments", errFont)
	}
	glyphs := make(map[rune]uint16)
	for s := 0; s < n; s += 2 {
		offset := int(u16(t, offsets+s))
		first, last := int(u16(t, starts+s)), int(u16(t, ends+s))
		for c := first; c <= last && c < 0xFFFF; c++ {
			g := uint16(c) + u16(t, deltas+s) //nolint:gosec // arithmetic modulo 65536, as the format has it
			if offset != 0 {
				at := offsets + s + offset + 2*(c-first)
				if at+2 > len(t) {
					return nil, fmt.Errorf("%w: cmap glyph array", errFont)
				}
				if g = u16(t, at); g != 0 {
					g += u16(t, deltas+s)
				}
			}
			if g != 0 {
				glyphs[rune(c)] = g //nolint:gosec // below 0xFFFF
			}
		}
	}
	return glyphs, nil
}

func u16(b []byte, at int) uint16 { return binary.BigEndian.Uint16(b[at:]) }
func i16(b []byte, at int) int    { return int(int16(u16(b, at))) } //nolint:gosec // two's complement field
