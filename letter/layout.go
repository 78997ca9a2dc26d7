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
	infoX               float64 // where the sender's details stand, beside the window
	folds               [2]float64
}

// windowOf is the window by country: on the right in France (window of 45 by
// 100 mm in a DL envelope, 20 mm from its right and bottom edges, with 10 mm
// of play), on the left elsewhere (DIN 5008 form B).
func windowOf(country string) (window, bool) {
	switch country {
	case party.France:
		return window{x: 100, y: 45, width: 90, height: 34, infoX: leftEdge, folds: [2]float64{99, 198}}, true
	case party.Belgium, party.Netherlands, party.Germany, party.Luxembourg:
		return window{x: 20, y: 45, width: 85, height: 45, returnLine: true, infoX: 128, folds: [2]float64{105, 210}}, true
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
	return s.footer(reference)
}

func (s *sheet) letterhead(win window) {
	bank := s.common.Bank
	s.box(bank.Colour, 15, 9, 9)
	initial, _ := utf8.DecodeRuneInString(bank.Name)
	mark := style{bold: true, size: 17, colour: white}
	s.text(mark, leftEdge+(9-s.width(mark, string(initial)))/2, 21.7, string(initial))
	s.text(style{bold: true, size: 17, colour: bank.Colour}, leftEdge+12.5, 21.7, bank.Name)
	s.rule(bank.Colour, 0.8, leftEdge, 29, rightEdge, 29)

	label, value := style{size: 7.5, colour: grey}, style{size: 9, colour: black}
	s.text(label, win.infoX, 50, s.words.phone)
	s.text(value, win.infoX, 54.2, bank.Phone)
	s.text(label, win.infoX, 60.5, s.words.website)
	s.text(value, win.infoX, 64.7, bank.Website)
	s.text(label, win.infoX, 71, s.words.dateLabel)
	s.own(func() { s.text(value, win.infoX, 75.2, s.words.date(s.common.Date)) })
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

func (s *sheet) footer(reference string) error {
	bank, st := s.common.Bank, style{size: 7, colour: grey}
	s.rule(line, 0.4, leftEdge, 278, rightEdge, 278)
	s.text(st, leftEdge, 282, strings.Join([]string{bank.LegalName, bank.ReturnAddress}, " · "))
	s.text(st, leftEdge, 285.6, s.words.phone+" "+bank.Phone+" · "+bank.Website)
	var err error
	s.own(func() {
		s.right(st, rightEdge, 285.6, reference+" · 1/1")
		err = s.dataMatrix(reference+" 1/1", 9, 274.6)
	})
	return err
}

// advice sets the bank's advice in a tinted box and gives the y below it.
func (s *sheet) advice(y float64, heading, text string) float64 {
	const pad = 4.0
	body := style{size: bodySize, colour: black}
	inner := rightEdge - leftEdge - 2*pad - 1
	rows := 0
	for part := range strings.SplitSeq(text, "\n") {
		rows += len(s.wrap(body, inner, part))
	}
	height := 2*pad + leading*float64(rows+1) - 1
	s.box(pale, y, rightEdge-leftEdge, height)
	s.box(s.common.Bank.Colour, y, 1, height)
	s.text(style{bold: true, size: bodySize, colour: black}, leftEdge+1+pad, y+pad+2.6, heading)
	s.paragraph(body, leftEdge+1+pad, y+pad+2.6+leading, inner, text)
	return y + height
}

// section sets a heading and a text in a column and gives the next baseline.
func (s *sheet) section(x, y, width float64, heading, text string) float64 {
	s.text(style{bold: true, size: 10, colour: s.common.Bank.Colour}, x, y, heading)
	return s.paragraph(style{size: bodySize, colour: black}, x, y+leading+0.3, width, text)
}

// opening sets subject and salutation and gives the body's first baseline.
func (s *sheet) opening(subject string) float64 {
	s.text(style{bold: true, size: 13, colour: s.common.Bank.Colour}, leftEdge, 100, subject)
	st := style{size: bodySize, colour: black}
	greeting := s.words.salutation + " " + s.common.SalutationName + ","
	y := 0.0
	s.own(func() { y = s.paragraph(st, leftEdge, bodyTop, rightEdge-leftEdge, greeting) })
	return y + 1.5
}

// closing ends the body, or tells that it does not fit on the page.
func (s *sheet) closing(y float64) error {
	st := style{size: bodySize, colour: black}
	s.text(st, leftEdge, y, s.words.regards)
	s.text(style{bold: true, size: bodySize, colour: black}, leftEdge, y+leading, s.common.Bank.Name)
	if y+leading > bodyBottom {
		return fmt.Errorf("%w: the letter's text ends %.0f mm below its page: shorten the names in it", lifecycle.Invalid, y+leading-bodyBottom)
	}
	return nil
}

// unbroken keeps a telephone number on one line.
func unbroken(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") }
