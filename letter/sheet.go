package letter

import (
	"fmt"
	"math"
	"strconv"
	"strings"

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
	*typeface
	common Common
	words  words
	out    []byte // the page's content stream
	filled bool   // a colour has been set:
	colour Colour
}

// contentRoom is more than the longest letter takes, so that the stream never
// grows and leaves a copy of a PIN behind.
const contentRoom = 48 << 10

func newSheet(t *typeface, c Common, w words) *sheet {
	return &sheet{typeface: t, common: c, words: w, out: make([]byte, 0, contentRoom)}
}

// style is how a text is set.
type style struct {
	bold   bool
	size   float64 // points
	colour Colour
}

func (s *sheet) face(st style) *face {
	if st.bold {
		return s.bold
	}
	return s.regular
}

// width is the width of a text in millimetres.
func (s *sheet) width(st style, text string) float64 {
	return s.face(st).width(text, st.size) / pointsPerMM
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
	f := s.face(st)
	for _, r := range text {
		g := f.glyph(r)
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
			s.text(st, x, y, row)
			y += leading
		}
	}
	return y
}

// wrap breaks text at spaces; a no-break space never breaks.
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
		to, used = to+len(word), used+next
	}
	return append(rows, text[from:to])
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
	s.raw("q ") // one unit is one module, counted from the bottom
	s.numbers(module*pointsPerMM, 0, 0, module*pointsPerMM, x*pointsPerMM, (pageHeight-y-module*float64(size.Y))*pointsPerMM)
	s.raw("cm ")
	for row := range size.Y {
		for from := 0; from < size.X; from++ {
			to := from
			for to < size.X && dark(code.At(to, row).RGBA()) {
				to++
			}
			if to > from {
				s.numbers(float64(from), float64(size.Y-1-row), float64(to-from), 1)
				s.raw("re ")
				from = to
			}
		}
	}
	s.raw("f Q\n")
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
