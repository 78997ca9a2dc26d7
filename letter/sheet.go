package letter

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/boombuler/barcode/datamatrix"

	"sceau/lifecycle"
)

// Millimetres from the top left corner of the sheet are the unit of place,
// points that of type.
const (
	pageHeight  = 297.0
	pointsPerMM = 72 / 25.4

	leftEdge  = 25.0
	rightEdge = 190.0
	bodySize  = 9.5
	leading   = 4.6
)

var (
	black = Colour{0x1A, 0x1A, 0x1A}
	grey  = Colour{0x5C, 0x5C, 0x5C}
	pale  = Colour{0xF3, 0xF3, 0xF1}
	line  = Colour{0xB8, 0xB8, 0xB4}
	white = Colour{0xFF, 0xFF, 0xFF}
)

// sheet is one page being set.
type sheet struct {
	*layer

	*typeface
	used   glyphs // of the document: those that its fonts must show
	common Common
	words  *words
	values *values
	size   float64 // of body text, in points
	lead   float64 // from one baseline to the next
	large  bool
	wide   string // the first text that left its place
	shared *layer // what other pages may have too: the house's texts and lines
	apart  *layer // what this page alone has: names, numbers, a PIN
}

// layer is part of a page's content, with a graphics state of its own.
type layer struct {
	out    []byte
	filled bool // a colour has been set:
	colour Colour
}

// ownRoom is more than a letter has of its own, so that the layer never grows
// and leaves a copy of a PIN behind.
const ownRoom = 8 << 10

// newSheet begins a page of a document.
func newSheet(d *document, c Common, w *words) *sheet {
	s := &sheet{
		typeface: d.t, used: d.used, common: c, words: w, size: bodySize, lead: leading, large: c.Large,
		shared: &layer{out: d.scratch[:0]}, apart: &layer{out: make([]byte, 0, ownRoom)},
	}
	d.scratch = nil
	s.layer = s.shared
	if c.Large {
		s.size, s.lead = largeSize, largeLeading
	}
	if c.Template != nil && c.Template.logo != nil {
		d.logo = c.Template.logo
	}
	if c.specimen {
		s.watermark(specimenWord)
	}
	return s
}

// own sets what this page alone has.
func (s *sheet) own(set func()) {
	before := s.layer
	s.layer = s.apart
	set()
	s.layer = before
}

// style is how a text is set.
type style struct {
	bold   bool
	size   float64 // points
	colour Colour
}

func (s *sheet) face(st style) (*face, []bool) {
	if st.bold {
		return s.bold, s.used[1]
	}
	return s.regular, s.used[0]
}

// width is the width of a text in millimetres.
func (s *sheet) width(st style, text string) float64 {
	f, _ := s.face(st)
	return f.width(text, st.size) / pointsPerMM
}

// text sets one line with its baseline at y. The string is a literal one (ISO
// 32000-1 §7.3.4.2) of two octets a glyph.
func (s *sheet) text(st style, x, y float64, text string) {
	s.fill(st.colour)
	resource := "/R "
	if st.bold {
		resource = "/B "
	}
	s.raw("BT " + resource)
	s.numbers(st.size)
	s.raw("Tf ")
	s.numbers(x*pointsPerMM, (pageHeight-y)*pointsPerMM)
	s.raw("Td (")
	f, used := s.face(st)
	for _, r := range text {
		g := f.glyph(r)
		used[g] = true
		s.octet(byte(g >> 8))
		s.octet(byte(g & 0xFF))
	}
	s.raw(")Tj ET\n")
}

// octet writes one octet of a literal string.
func (s *sheet) octet(b byte) {
	switch b {
	case '(', ')', '\\':
		s.out = append(s.out, '\\', b)
	case '\r': // a reader would take it for a line feed
		s.out = append(s.out, '\\', 'r')
	default:
		s.out = append(s.out, b)
	}
}

// right sets one line that ends at x.
func (s *sheet) right(st style, x, y float64, text string) {
	s.text(st, x-s.width(st, text), y, text)
}

// paragraph sets text in lines of at most width and gives the baseline after
// the last one. Hard line breaks are kept.
func (s *sheet) paragraph(st style, x, y, width float64, text string) float64 {
	for part := range strings.SplitSeq(text, "\n") {
		for _, row := range s.wrap(st, width, part) {
			s.one(st, x, y, width, row)
			y += s.lead
		}
	}
	return y
}

// wrap breaks text at spaces; a no-break space never breaks. A word that is wider
// than the line, a double name in large print say, is broken too.
func (s *sheet) wrap(st style, width float64, text string) []string {
	var rows []string
	space := s.width(st, " ")
	from, to, used := 0, 0, 0.0 // the row so far is text[from:to]
	for word := range strings.SplitSeq(text, " ") {
		next := s.width(st, word)
		if to > from && used+space+next > width {
			rows = append(rows, text[from:to])
			from, to, used = to+1, to+1, 0
		}
		if to > from {
			to, used = to+1, used+space
		}
		for next > width { // then it begins its row
			n := s.begins(st, width, word)
			rows = append(rows, word[:n])
			word = word[n:]
			from, to, next = from+n, to+n, s.width(st, word)
		}
		to, used = to+len(word), used+next
	}
	return append(rows, text[from:to])
}

// begins is how much of a word fits in a line: up to a hyphen if there is one.
func (s *sheet) begins(st style, width float64, word string) int {
	hyphen, fits := 0, 0
	for i, r := range word {
		end := i + utf8.RuneLen(r)
		if i > 0 && s.width(st, word[:end]) > width {
			break
		}
		if fits = end; r == '-' {
			hyphen = end
		}
	}
	if hyphen > 0 {
		return hyphen
	}
	return fits
}

// box fills a rectangle that begins at the left edge of the text.
func (s *sheet) box(c Colour, y, width, height float64) {
	s.fill(c)
	s.rectangle(leftEdge, y, width, height)
	s.raw("f\n")
}

// outline draws a rectangle's border.
func (s *sheet) outline(c Colour, points, x, y, width, height float64) {
	s.stroke(c, points)
	s.rectangle(x, y, width, height)
	s.raw("S\n")
}

// picture sets the document's logo; x and y are its top left corner.
func (s *sheet) picture(l *logo, x, y float64) {
	width, height := l.size()
	s.raw("q ")
	s.numbers(width*pointsPerMM, 0, 0, height*pointsPerMM, x*pointsPerMM, (pageHeight-y-height)*pointsPerMM)
	s.raw("cm /L Do Q\n")
}

// rule draws a line.
func (s *sheet) rule(c Colour, points, x1, y1, x2, y2 float64) {
	s.stroke(c, points)
	s.numbers(x1*pointsPerMM, (pageHeight-y1)*pointsPerMM)
	s.raw("m ")
	s.numbers(x2*pointsPerMM, (pageHeight-y2)*pointsPerMM)
	s.raw("l S\n")
}

// dataMatrix draws a Data Matrix (ISO/IEC 16022) of modules of 0.5 mm; x and y
// are its top left corner, around which one module stays white.
func (s *sheet) dataMatrix(content string, x, y float64) error {
	const module = 0.5
	code, err := datamatrix.Encode(content)
	if err != nil {
		return fmt.Errorf("%w: make the letter's Data Matrix: %w", lifecycle.Invalid, err)
	}
	size := code.Bounds().Size()
	s.fill(Colour{})
	s.raw("q ")
	s.numbers(module*float64(size.X)*pointsPerMM, 0, 0, module*float64(size.Y)*pointsPerMM,
		x*pointsPerMM, (pageHeight-y-module*float64(size.Y))*pointsPerMM)
	// An image mask (ISO 32000-1 §8.9.6.2), one bit a module, in hexadecimal.
	s.out = fmt.Appendf(s.out, "cm BI/IM true/W %d/H %d/BPC 1/D[1 0]/F/AHx ID ", size.X, size.Y)
	for row := range size.Y {
		bits := make([]byte, (size.X+7)/8)
		for column := range size.X {
			if dark(code.At(column, row).RGBA()) {
				bits[column/8] |= 0x80 >> (column % 8)
			}
		}
		s.out = hex.AppendEncode(s.out, bits)
	}
	s.raw(">EI Q\n")
	return nil
}

func dark(r, _, _, _ uint32) bool { return r < 0x8000 }

func (s *sheet) rectangle(x, y, width, height float64) {
	s.numbers(x*pointsPerMM, (pageHeight-y-height)*pointsPerMM, width*pointsPerMM, height*pointsPerMM)
	s.raw("re ")
}

// fill changes the colour of what follows, when it is another one.
func (s *sheet) fill(c Colour) {
	if s.filled && s.colour == c {
		return
	}
	s.filled, s.colour = true, c
	s.numbers(part(c.R), part(c.G), part(c.B))
	s.raw("rg ")
}

func (s *sheet) stroke(c Colour, points float64) {
	s.numbers(part(c.R), part(c.G), part(c.B))
	s.raw("RG ")
	s.numbers(points)
	s.raw("w ")
}

func part(v uint8) float64 { return float64(v) / 255 }

// numbers writes operands, rounded to hundredths.
func (s *sheet) numbers(values ...float64) {
	for _, v := range values {
		s.out = strconv.AppendFloat(s.out, math.Round(v*100)/100, 'f', -1, 64)
		s.out = append(s.out, ' ')
	}
}

func (s *sheet) raw(operators string) { s.out = append(s.out, operators...) }
