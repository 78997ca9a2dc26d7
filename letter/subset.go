package letter

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// outlines are the tables of a TrueType font that a document embeds.
type outlines struct {
	head, hhea, maxp, hmtx []byte
	glyf                   []byte
	at                     []uint32 // where each glyph begins in glyf; one more than glyphs
	fullMetrics            int      // glyphs with an advance of their own
}

// parseOutlines reads the tables maxp, loca and glyf beside those of the face.
func parseOutlines(tables map[string][]byte, fullMetrics int) (outlines, error) {
	o := outlines{
		head: tables["head"], hhea: tables["hhea"], maxp: tables["maxp"], hmtx: tables["hmtx"], glyf: tables["glyf"],
		fullMetrics: fullMetrics,
	}
	if len(o.maxp) < 6 {
		return o, fmt.Errorf("%w: maxp", errFont)
	}
	loca, count, long := tables["loca"], int(u16(o.maxp, 4)), u16(o.head, 50) == 1
	size := 2
	if long {
		size = 4
	}
	if len(loca) < size*(count+1) {
		return o, fmt.Errorf("%w: loca", errFont)
	}
	o.at = make([]uint32, count+1)
	for g := range o.at {
		if long {
			o.at[g] = binary.BigEndian.Uint32(loca[4*g:])
		} else {
			o.at[g] = 2 * uint32(u16(loca, 2*g))
		}
		if o.at[g] > uint32(len(o.glyf)) || g > 0 && o.at[g] < o.at[g-1] { //nolint:gosec // at most 1 MiB
			return o, fmt.Errorf("%w: loca of glyph %d", errFont, g)
		}
	}
	return o, nil
}

// subset is the font's file with the outlines of the glyphs used, and of those
// that they are composed of. Glyphs keep their numbers.
func (f *face) subset(used []bool) ([]byte, error) {
	o := f.outlines
	keep := slices.Clone(used)
	for g := range keep {
		if used[g] {
			if err := o.withParts(keep, g, 0); err != nil {
				return nil, err
			}
		}
	}
	glyf, loca := []byte(nil), []byte(nil)
	hmtx := slices.Clone(o.hmtx)
	for g := range len(o.at) - 1 {
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf))) //nolint:gosec // at most 1 MiB
		if g < len(keep) && keep[g] {
			glyf = append(glyf, o.glyf[o.at[g]:o.at[g+1]]...)
			glyf = append(glyf, make([]byte, -len(glyf)&3)...)
		} else if g < o.fullMetrics {
			clear(hmtx[4*g : 4*g+4]) // zeros compress away
		}
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf))) //nolint:gosec // at most 1 MiB
	head := slices.Clone(o.head)
	clear(head[8:12])                          // the sum over the file, set below
	binary.BigEndian.PutUint16(head[50:52], 1) // long offsets
	return sfnt(map[string][]byte{"glyf": glyf, "head": head, "hhea": o.hhea, "hmtx": hmtx, "loca": loca, "maxp": o.maxp}), nil
}

// withParts keeps the glyphs that a composite one is made of (ISO/IEC 14496-22,
// glyf).
func (o outlines) withParts(keep []bool, g, depth int) error {
	const deepest = 6
	if g >= len(o.at)-1 || depth > deepest {
		return fmt.Errorf("%w: glyph %d", errFont, g)
	}
	keep[g] = true
	data := o.glyf[o.at[g]:o.at[g+1]]
	if len(data) < 10 || i16(data, 0) >= 0 {
		return nil
	}
	const words, scale, more, twoScales, matrix = 0x1, 0x8, 0x20, 0x40, 0x80
	for at := 10; ; {
		if at+4 > len(data) {
			return fmt.Errorf("%w: composite glyph %d", errFont, g)
		}
		flags, part := u16(data, at), int(u16(data, at+2))
		if part >= len(keep) {
			return fmt.Errorf("%w: composite glyph %d", errFont, g)
		}
		if err := o.withParts(keep, part, depth+1); err != nil {
			return err
		}
		at += 6
		if flags&words != 0 {
			at += 2
		}
		switch {
		case flags&scale != 0:
			at += 2
		case flags&twoScales != 0:
			at += 4
		case flags&matrix != 0:
			at += 8
		}
		if flags&more == 0 {
			return nil
		}
	}
}

// sfnt writes a font file of the tables (ISO/IEC 14496-22 §4).
func sfnt(tables map[string][]byte) []byte {
	tags := slices.Sorted(maps.Keys(tables))
	n, power, log := len(tags), 1, 0
	for 2*power <= n {
		power, log = 2*power, log+1
	}
	out := []byte{0, 1, 0, 0}
	for _, v := range []int{n, 16 * power, log, 16 * (n - power)} {
		out = binary.BigEndian.AppendUint16(out, uint16(v)) //nolint:gosec // a handful of tables
	}
	at, headAt := len(out)+16*n, 0
	for _, tag := range tags {
		content := tables[tag]
		if tag == "head" {
			headAt = at
		}
		out = append(out, tag...)
		for _, v := range []uint32{checksum(content), uint32(at), uint32(len(content))} { //nolint:gosec // at most 1 MiB
			out = binary.BigEndian.AppendUint32(out, v)
		}
		at += (len(content) + 3) &^ 3
	}
	for _, tag := range tags {
		out = append(out, tables[tag]...)
		out = append(out, make([]byte, -len(out)&3)...)
	}
	binary.BigEndian.PutUint32(out[headAt+8:], 0xB1B0AFBA-checksum(out))
	return out
}

// checksum adds up a table's 32-bit words, the last one filled with zeros.
func checksum(b []byte) uint32 {
	var sum uint32
	for len(b) >= 4 {
		sum, b = sum+binary.BigEndian.Uint32(b), b[4:]
	}
	var last [4]byte
	copy(last[:], b)
	return sum + binary.BigEndian.Uint32(last[:])
}
