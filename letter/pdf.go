package letter

import (
	"fmt"
	"time"
	"unicode/utf16"
)

// metadata is what a PDF file says of itself.
type metadata struct {
	title, author, language string
	date                    time.Time
}

// document is a PDF file (ISO 32000-1) of A4 pages being made. What pages have
// in common is stored once, and so are the fonts, cut to the glyphs that the
// pages show. Equal pages give equal bytes: no clock, no random identifier.
type document struct {
	t     *typeface
	used  glyphs
	forms []form
	known map[string]int // forms by content: its place in forms
	pages []page
	logo  *logo // nil: none

	scratch []byte // of the last page's shared content, which add has kept: the next one's room
}

// form is content that one page or more begin with, compressed.
type form struct{ packed []byte }

// page is one page: a form, and what is its own, which is never compressed: it
// is short, and no compressor's window keeps a copy of a PIN.
type page struct {
	form int
	own  []byte
}

func newDocument(t *typeface) *document {
	d := &document{t: t, known: map[string]int{}}
	for i, f := range t.faces() {
		d.used[i] = make([]bool, len(f.advances))
		d.used[i][0] = true // the glyph of a missing character: every font has it
		// All digits, always: no font tells which of them a PIN has.
		for r := '0'; r <= '9'; r++ {
			d.used[i][f.glyph(r)] = true
		}
	}
	return d
}

// add appends a page. What it shares is kept once for all pages that share it.
func (d *document) add(shared, own []byte) error {
	at, ok := d.known[string(shared)]
	if !ok {
		packed, err := deflate(shared)
		if err != nil {
			return err
		}
		at = len(d.forms)
		d.forms = append(d.forms, form{packed})
		d.known[string(shared)] = at
	}
	d.pages = append(d.pages, page{at, own})
	d.scratch = shared
	return nil
}

// forget clears what the pages have of their own.
func (d *document) forget() {
	for _, p := range d.pages {
		clear(p.own[:cap(p.own)])
	}
	d.pages = nil
}

// The numbers of the first objects; fonts and forms follow, then the pages.
const (
	catalogObject = 1 + iota
	pagesObject
	infoObject
	resourcesObject
	firstFont
	fontObjects = 5 // of each face
)

// bytes writes the file.
func (d *document) bytes(m metadata) ([]byte, error) {
	w := &objects{}
	w.out = append(w.out, "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"...) // four high octets: the file is binary (§7.5.2)
	firstForm := firstFont + 2*fontObjects
	firstPage := firstForm + len(d.forms)
	logoAt := firstPage
	if d.logo != nil {
		firstPage++
	}
	w.object("<</Type/Catalog/Pages %d 0 R/Lang(%s)/ViewerPreferences<</DisplayDocTitle true>>>>", pagesObject, m.language)
	kids := []byte(nil)
	for i := range d.pages {
		kids = fmt.Appendf(kids, "%d 0 R ", firstPage+2*i)
	}
	w.object("<</Type/Pages/Count %d/Kids[%s]/MediaBox[0 0 595.28 841.89]/Resources %d 0 R>>", len(d.pages), kids, resourcesObject)
	date := m.date.UTC().Format("D:20060102150405Z")
	w.object("<</Title%s/Author%s/Producer(Sceau)/CreationDate(%s)/ModDate(%s)>>", utf16Text(m.title), utf16Text(m.author), date, date)
	names := []byte(nil)
	for i := range d.forms {
		names = fmt.Appendf(names, "/F%d %d 0 R", i, firstForm+i)
	}
	if d.logo != nil {
		names = fmt.Appendf(names, "/L %d 0 R", logoAt)
	}
	w.object("<</Font<</R %d 0 R/B %d 0 R>>/XObject<<%s>>>>", firstFont, firstFont+fontObjects, names)
	for i, f := range d.t.faces() {
		if err := w.font(firstFont+i*fontObjects, f, d.used[i]); err != nil {
			return nil, err
		}
	}
	for _, f := range d.forms {
		w.stream(f.packed, fmt.Sprintf("/Type/XObject/Subtype/Form/BBox[0 0 595.28 841.89]/Resources %d 0 R/Filter/FlateDecode", resourcesObject))
	}
	if d.logo != nil {
		w.logoObject(d.logo)
	}
	const pageRoom, tail = 220, 512 // more than a page takes around its content
	size := len(w.out) + tail + 24*(len(w.offsets)+2*len(d.pages))
	for _, p := range d.pages {
		size += len(p.own) + pageRoom
	}
	w.out = append(make([]byte, 0, size), w.out...) // never grows from here: no copy of a PIN is left behind
	for i, p := range d.pages {
		w.object("<</Type/Page/Parent %d 0 R/Contents %d 0 R>>", pagesObject, firstPage+2*i+1)
		begin := fmt.Sprintf("/F%d Do\n", p.form)
		w.begin(len(begin)+len(p.own), "")
		w.out = append(append(w.out, begin...), p.own...)
		w.end()
	}
	out := w.close(catalogObject, infoObject)
	if cap(out) != size {
		return nil, fmt.Errorf("a document of %d pages outgrew its %d octets", len(d.pages), size)
	}
	return out, nil
}

// objects writes the objects of a file, numbered from 1.
type objects struct {
	out     []byte
	offsets []int
}

func (w *objects) object(format string, args ...any) {
	w.offsets = append(w.offsets, len(w.out))
	w.out = fmt.Appendf(w.out, "%d 0 obj\n", len(w.offsets))
	w.out = fmt.Appendf(w.out, format, args...)
	w.out = append(w.out, "\nendobj\n"...)
}

func (w *objects) stream(content []byte, entries string) {
	w.begin(len(content), entries)
	w.out = append(w.out, content...)
	w.end()
}

func (w *objects) begin(length int, entries string) {
	w.offsets = append(w.offsets, len(w.out))
	w.out = fmt.Appendf(w.out, "%d 0 obj\n<<%s/Length %d>>\nstream\n", len(w.offsets), entries, length)
}

func (w *objects) end() { w.out = append(w.out, "\nendstream\nendobj\n"...) }

// close writes the table of offsets and the trailer.
func (w *objects) close(root, info int) []byte {
	xref := len(w.out)
	w.out = fmt.Appendf(w.out, "xref\n0 %d\n0000000000 65535 f \n", len(w.offsets)+1)
	for _, at := range w.offsets {
		w.out = fmt.Appendf(w.out, "%010d 00000 n \n", at)
	}
	return fmt.Appendf(w.out, "trailer\n<</Size %d/Root %d 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n",
		len(w.offsets)+1, root, info, xref)
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
