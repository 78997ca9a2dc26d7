package letter

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/party"
)

// window is where the address shows through the envelope, however the folded
// sheet slides in it, and where the sheet is folded.
type window struct {
	x, y, width, height float64 // always visible, in millimetres
	returnLine          bool    // the sender's line stands on top of the window
	infoX, infoWidth    float64 // where the sender's details stand, beside the window
	folds               [2]float64
}

// windowOf is the window by country: on the right in France (window of 45 by
// 100 mm in a DL envelope, 20 mm from its right and bottom edges, with 10 mm
// of play), on the left elsewhere (DIN 5008 form B).
func windowOf(country string) (window, bool) {
	switch country {
	case party.France:
		return window{x: 100, y: 45, width: 90, height: 34, infoX: leftEdge, infoWidth: 73, folds: [2]float64{99, 198}}, true
	case party.Belgium, party.Netherlands, party.Germany, party.Luxembourg:
		return window{x: 20, y: 45, width: 85, height: 45, returnLine: true, infoX: 128, infoWidth: rightEdge - 128, folds: [2]float64{105, 210}}, true
	}
	return window{}, false
}

const (
	bodyTop    = 108.5 // baseline of the salutation
	bodyBottom = 275.0
)

// frame sets everything around the body: bank, address, date, footer, fold
// marks, and the letter's identifier as text and as Data Matrix. The sender
// line goes into a window that wants one.
func (s *sheet) frame(reference, sender string) error {
	if err := s.head(sender); err != nil {
		return err
	}
	return s.footer(reference, 1, 1)
}

// head sets what stands above the body.
func (s *sheet) head(sender string) error {
	win, ok := windowOf(s.common.WindowCountry)
	if !ok {
		return fmt.Errorf("%w: window country", lifecycle.Invalid)
	}
	s.letterhead(win)
	if err := s.address(win, sender); err != nil {
		return err
	}
	for _, y := range win.folds {
		s.rule(line, 0.4, 4, y, 8, y)
	}
	return nil
}

func (s *sheet) letterhead(win window) {
	s.sender()
	if s.large {
		return
	}
	bank := s.common.Bank
	l := s.words.labels
	label, value := style{size: 7.5, colour: grey}, style{size: 9, colour: black}
	room := win.infoWidth
	s.one(label, win.infoX, 50, room, l.phone.fill(nil))
	s.one(value, win.infoX, 54.2, room, bank.Phone)
	s.one(label, win.infoX, 60.5, room, l.website.fill(nil))
	s.one(value, win.infoX, 64.7, room, bank.Website)
	s.one(label, win.infoX, 71, room, l.date.fill(nil))
	s.own(func() { s.one(value, win.infoX, 75.2, room, s.words.language.of.Date(s.common.Date)) })
}

// sender sets the bank's initial and name, or its logo with the name beside it.
func (s *sheet) sender() {
	bank := s.common.Bank
	if t := s.common.Template; t != nil && t.logo != nil {
		width, height := t.logo.size()
		s.picture(t.logo, leftEdge, 26-height)
		st := style{bold: true, size: 13, colour: bank.Colour}
		s.right(st, rightEdge, 24.5, bank.Name)
		if s.width(st, bank.Name) > rightEdge-leftEdge-width-4 {
			s.tooWide(bank.Name)
		}
	} else {
		s.box(bank.Colour, 15, 9, 9)
		initial, _ := utf8.DecodeRuneInString(bank.Name)
		mark := style{bold: true, size: 17, colour: white}
		s.text(mark, leftEdge+(9-s.width(mark, string(initial)))/2, 21.7, string(initial))
		s.text(style{bold: true, size: 17, colour: bank.Colour}, leftEdge+12.5, 21.7, bank.Name)
	}
	s.rule(bank.Colour, 0.8, leftEdge, 29, rightEdge, 29)
}

// address sets the address inside the window, in the largest type that fits.
func (s *sheet) address(win window, sender string) error {
	const inset, step = 3.0, 4.3
	lines := s.common.AddressLines
	left := win.x + inset
	if win.returnLine {
		left = leftEdge
		st, err := s.fit(style{size: 6.5, colour: grey}, 5, win.x+win.width-2-left, sender)
		if err != nil {
			return err
		}
		s.text(st, left, win.y+4.5, sender)
	}
	st, err := s.fit(style{size: 10, colour: black}, 8, win.x+win.width-2-left, lines...)
	if err != nil {
		return err
	}
	// In France the last line is always at the same distance from the folded
	// edge; DIN 5008 counts from the top.
	y := win.y + win.height - 2.2 - step*float64(len(lines)-1)
	if win.returnLine {
		y = win.y + 16
	}
	s.own(func() {
		for i, l := range lines {
			s.text(st, left, y+step*float64(i), l)
		}
	})
	return nil
}

// fit lowers the size down to least until each line is at most width wide.
func (s *sheet) fit(st style, least, width float64, lines ...string) (style, error) {
	for i, l := range lines {
		for s.width(st, l) > width {
			if st.size -= 0.25; st.size < least {
				return style{}, &lifecycle.FieldError{Field: fmt.Sprintf("address_lines[%d]", i), Why: "is too wide for the window: abbreviate it"}
			}
		}
	}
	return st, nil
}

// footer sets the sender's particulars, and which page of which letter it is.
func (s *sheet) footer(reference string, page, pages int) error {
	bank, st := s.common.Bank, style{size: 7, colour: grey}
	s.rule(line, 0.4, leftEdge, 278, rightEdge, 278)
	s.text(st, leftEdge, 282, strings.Join([]string{bank.LegalName, bank.ReturnAddress}, " · "))
	s.text(st, leftEdge, 285.6, s.words.labels.phone.fill(nil)+" "+bank.Phone+" · "+bank.Website)
	var err error
	s.own(func() {
		s.right(st, rightEdge, 285.6, fmt.Sprintf("%s · %d/%d", reference, page, pages))
		err = s.dataMatrix(fmt.Sprintf("%s %d/%d", reference, page, pages), 9, 274.6)
	})
	return err
}

// advice sets the bank's advice in a tinted box and gives the y below it.
func (s *sheet) advice(y float64, of section) float64 {
	const pad = 4.0
	inner := rightEdge - leftEdge - 2*pad - 1
	height := 2*pad + s.lead*float64(s.rows(inner, of.text)+1) - 1
	s.box(pale, y, rightEdge-leftEdge, height)
	s.box(s.common.Bank.Colour, y, 1, height)
	s.one(style{bold: true, size: s.size, colour: black}, leftEdge+1+pad, y+pad+s.lead*bodyRise, inner, of.title.fill(s.values))
	s.body(leftEdge+1+pad, y+pad+s.lead*bodyRise+s.lead, inner, of.text)
	return y + height
}

// bodyRise is how far below a box's padding a first baseline stands, in lines.
const bodyRise = 2.6 / leading

// section sets a heading and a text in a column and gives the next baseline.
func (s *sheet) section(x, y, width float64, of section) float64 {
	s.one(style{bold: true, size: s.size + headingMore, colour: s.common.Bank.Colour}, x, y, width, of.title.fill(s.values))
	return s.body(x, y+s.lead+0.3, width, of.text)
}

const headingMore = 0.5 // points

// opening sets subject and salutation and gives the body's first baseline.
func (s *sheet) opening(w *words) float64 {
	s.one(style{bold: true, size: 13, colour: s.common.Bank.Colour}, leftEdge, 100, rightEdge-leftEdge, w.subject.fill(s.values))
	return s.greeting(w, bodyTop) + 1.5
}

func (s *sheet) greeting(w *words, y float64) float64 {
	s.own(func() {
		y = s.paragraph(style{size: s.size, colour: black}, leftEdge, y, rightEdge-leftEdge, w.salutation.fill(nil)+" "+s.common.SalutationName+",")
	})
	return y
}

// closing ends the body, or tells that it does not fit on the page.
func (s *sheet) closing(w *words, y float64) error {
	s.one(style{size: s.size, colour: black}, leftEdge, y, rightEdge-leftEdge, w.closing.fill(s.values))
	s.text(style{bold: true, size: s.size, colour: black}, leftEdge, y+s.lead, s.common.Bank.Name)
	if y+s.lead > bodyBottom {
		return fmt.Errorf("%w: the letter's text ends %.0f mm below its page: shorten the names in it", lifecycle.Invalid, y+s.lead-bodyBottom)
	}
	return s.fits()
}

// body sets a text of a template in lines and gives the baseline after the last
// one. What names the holder stands in what the page has of its own.
func (s *sheet) body(x, y, width float64, t text) float64 {
	set := func() { y = s.paragraph(style{size: s.size, colour: black}, x, y, width, t.fill(s.values)) }
	if t.personal {
		s.own(set)
	} else {
		set()
	}
	return y
}

// rows is how many lines a text takes.
func (s *sheet) rows(width float64, t text) int {
	rows := 0
	for part := range strings.SplitSeq(t.fill(s.values), "\n") {
		rows += len(s.wrap(style{size: s.size}, width, part))
	}
	return rows
}

// one sets a text that has one line only.
func (s *sheet) one(st style, x, y, width float64, text string) {
	if s.width(st, text) > width {
		s.tooWide(text)
	}
	s.text(st, x, y, text)
}

// tooWide notes a text that leaves its place: the letter is refused.
func (s *sheet) tooWide(text string) {
	if s.wide == "" {
		s.wide = text
	}
}

// fits tells whether each text found its place, and the page's own content its
// room.
func (s *sheet) fits() error {
	if s.wide != "" {
		return fmt.Errorf("%w: %q does not fit in its place: shorten it", lifecycle.Invalid, clipped(s.wide))
	}
	if cap(s.apart.out) != ownRoom {
		return fmt.Errorf("%w: too much of the page is the holder's own: name them in fewer places", lifecycle.Invalid)
	}
	return nil
}

// unbroken keeps a telephone number on one line.
func unbroken(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") }
