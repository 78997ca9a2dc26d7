package letter

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf16"
)

// metadata is what a PDF file says of itself.
type metadata struct {
	title, author, language string
	date                    time.Time
}

// assemble writes a PDF file (ISO 32000-1) of A4 pages with the given content
// streams. Equal input gives equal bytes: no clock, no random identifier. The
// streams are not compressed: they are short, and no compressor's window keeps
// a copy of a PIN.
func assemble(t *typeface, m metadata, contents ...[]byte) []byte {
	size := len(t.head) + 2048
	for _, c := range contents {
		size += len(c) + 256
	}
	out := append(make([]byte, 0, size), t.head...) // never grows: no copy is left behind
	offsets := t.offsets
	object := func(format string, args ...any) {
		offsets = append(slices.Clip(offsets), len(out))
		out = fmt.Appendf(out, "%d 0 obj\n", len(offsets)-1)
		out = fmt.Appendf(out, format, args...)
		out = append(out, "\nendobj\n"...)
	}
	catalog := len(t.offsets)
	pages, info, first := catalog+1, catalog+2, catalog+3
	object("<</Type/Catalog/Pages %d 0 R/Lang(%s)/ViewerPreferences<</DisplayDocTitle true>>>>", pages, m.language)
	kids := []byte(nil)
	for i := range contents {
		kids = fmt.Appendf(kids, "%d 0 R ", first+2*i)
	}
	object("<</Type/Pages/Count %d/Kids[%s]/MediaBox[0 0 595.28 841.89]/Resources<</Font<</R %d 0 R/B %d 0 R>>>>>>",
		len(contents), kids, regularObject, boldObject)
	date := m.date.UTC().Format("D:20060102150405Z")
	object("<</Title%s/Author%s/Producer(Sceau)/CreationDate(%s)/ModDate(%s)>>", utf16Text(m.title), utf16Text(m.author), date, date)
	for i, c := range contents {
		object("<</Type/Page/Parent %d 0 R/Contents %d 0 R>>", pages, first+2*i+1)
		offsets = append(offsets, len(out))
		out = fmt.Appendf(out, "%d 0 obj\n<</Length %d>>\nstream\n", len(offsets)-1, len(c))
		out = append(out, c...)
		out = append(out, "\nendstream\nendobj\n"...)
	}
	xref := len(out)
	out = fmt.Appendf(out, "xref\n0 %d\n0000000000 65535 f \n", len(offsets))
	for _, at := range offsets[1:] {
		out = fmt.Appendf(out, "%010d 00000 n \n", at)
	}
	return fmt.Appendf(out, "trailer\n<</Size %d/Root %d 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offsets), catalog, info, xref)
}

// utf16Text is a text string (ISO 32000-1 §7.9.2.2) in hexadecimal, in which
// no character has a meaning of its own.
func utf16Text(s string) string {
	b := []byte("<FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		b = fmt.Appendf(b, "%04X", u)
	}
	return string(append(b, '>'))
}
