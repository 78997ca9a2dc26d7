package letter

import (
	"fmt"

	"sceau/lifecycle"
)

// Large print is for holders who see badly: whatever is said to them is set in
// 16 points or more, in black. The address, the sender's line above it and the
// foot of the page stay as the post, the machines and the law want them.
const (
	largeSize     = 16.0 // points
	largeLeading  = 6.8
	largeHeading  = largeSize + headingMore
	largeTop      = 99.0 // first baseline under the window
	largeTopAgain = 42.0 // of a page after the first
	largeBottom   = 273.0
	largeGap      = 3.6 // between two parts
	maxSheets     = 3   // as many as the envelope and the inserter take
)

// flow is a letter that goes on from page to page. A part, heading and text, is
// never torn.
type flow struct {
	doc       *document
	common    Common
	words     *words
	values    *values
	reference string
	pages     []*sheet
	y         float64 // next baseline
	kept      bool    // the document has the pages
}

// newFlow begins a letter with its head and its opening.
func newFlow(doc *document, c Common, w *words, v *values, reference, sender string) (*flow, error) {
	f := &flow{doc: doc, common: c, words: w, values: v, reference: reference}
	s := f.page()
	if err := s.head(sender); err != nil {
		return nil, err
	}
	s.own(func() { s.text(style{size: largeSize, colour: black}, leftEdge, largeTop, w.language.of.Date(c.Date)) })
	subject := style{bold: true, size: 20, colour: c.Bank.Colour}
	y := largeTop + largeLeading + 3
	for _, row := range s.wrap(subject, rightEdge-leftEdge, w.subject.fill(v)) {
		s.one(subject, leftEdge, y, rightEdge-leftEdge, row)
		y += 8.4
	}
	f.y = s.greeting(w, y+1) + 1
	return f, nil
}

func (f *flow) sheet() *sheet { return f.pages[len(f.pages)-1] }

// page begins a page.
func (f *flow) page() *sheet {
	s := newSheet(f.doc, f.common, f.words)
	s.values = f.values
	f.pages = append(f.pages, s)
	return s
}

// room begins another page unless so many lines and so much more are left on
// this one.
func (f *flow) room(lines int, more float64) {
	if f.y+largeLeading*float64(lines-1)+more <= largeBottom {
		return
	}
	f.page().sender()
	f.y = largeTopAgain
}

const textWidth = rightEdge - leftEdge

// body sets a text.
func (f *flow) body(t text) {
	f.room(f.sheet().rows(textWidth, t), 0)
	f.y = f.sheet().body(leftEdge, f.y, textWidth, t) + largeGap
}

// section sets a heading and what stands under it.
func (f *flow) section(of section) {
	heading := style{bold: true, size: largeHeading, colour: f.common.Bank.Colour}
	s := f.sheet()
	titles := s.wrap(heading, textWidth, of.title.fill(f.values))
	f.room(len(titles)+s.rows(textWidth, of.text), 0)
	s = f.sheet()
	for _, row := range titles {
		s.one(heading, leftEdge, f.y, textWidth, row)
		f.y += largeLeading
	}
	f.y = s.body(leftEdge, f.y, textWidth, of.text) + largeGap
}

// card sets what a card letter says. The card is on its first page.
func (f *flow) card(d CardLetterData) error {
	w := f.words
	if d.PickUpBranch == "" {
		f.body(w.intro)
		f.room(1, cardHeight)
		s, here := f.sheet(), w.labels.cardHere.fill(nil)
		top := f.y - 4.5
		s.box(pale, top, cardWidth, cardHeight)
		s.outline(line, 0.6, leftEdge, top, cardWidth, cardHeight)
		hint := style{size: largeSize, colour: black}
		s.one(hint, leftEdge+(cardWidth-s.width(hint, here))/2, top+cardHeight/2+2, cardWidth, here)
		f.y = top + cardHeight + largeGap + 5
	} else {
		f.body(w.introBranch)
		f.section(section{w.collect.title, text{parts: []piece{{filled: true, by: theBranch}}, personal: true}})
		f.body(w.collect.text)
	}
	if len(f.pages) > 1 {
		return fmt.Errorf("%w: in large print the card, or where it waits, is not on the first page: shorten what stands before it", lifecycle.Invalid)
	}
	f.facts(d)
	f.section(w.activate)
	f.section(w.reader.asText())
	f.section(w.blocked)
	f.section(w.lost)
	f.end()
	return nil
}

// facts sets what the letter says of the card, a line each.
func (f *flow) facts(d CardLetterData) {
	facts := d.facts(f.words.labels)
	label, value := style{size: largeSize, colour: black}, style{bold: true, size: largeSize, colour: black}
	s := f.sheet()
	widest := 0.0
	for _, fact := range facts {
		widest = max(widest, s.width(label, fact[0]))
	}
	f.room(len(facts), 1)
	s = f.sheet()
	x := leftEdge + widest + 6
	s.own(func() {
		for _, fact := range facts {
			s.text(label, leftEdge, f.y, fact[0])
			s.one(value, x, f.y, rightEdge-x, fact[1])
			f.y += largeLeading
		}
	})
	f.y += largeGap
}

// pin sets what a PIN letter says. The PIN is on its first page.
func (f *flow) pin(code string) error {
	w := f.words
	f.body(w.intro)
	const height = 34.0
	f.room(1, height)
	if len(f.pages) > 1 {
		return fmt.Errorf("%w: in large print the PIN is not on the first page: shorten what stands before it", lifecycle.Invalid)
	}
	s, top := f.sheet(), f.y-3
	s.outline(line, 0.6, leftEdge, top, textWidth, height)
	label, digits := style{size: largeSize, colour: black}, style{bold: true, size: 44, colour: black}
	name := w.labelCode.fill(nil)
	s.text(label, leftEdge+(textWidth-s.width(label, name))/2, top+9, name)
	s.own(func() { s.text(digits, leftEdge+(textWidth-s.width(digits, code))/2, top+27, code) })
	f.y = top + height + largeGap + 5
	f.section(w.learn)
	f.section(w.use)
	f.section(w.opened)
	f.end()
	return nil
}

// end sets further parts, the advice, the closing, and how to reach the bank.
func (f *flow) end() {
	w, bank := f.words, f.common.Bank
	for _, part := range w.further {
		f.section(part)
	}
	const pad = 4.0
	f.room(f.sheet().rows(textWidth-2*pad-1, w.advice.text)+1, 2*pad)
	f.y = f.sheet().advice(f.y-4, w.advice) + largeGap + 5
	f.room(4, largeGap)
	s, plain := f.sheet(), style{size: largeSize, colour: black}
	s.one(plain, leftEdge, f.y, textWidth, w.closing.fill(f.values))
	s.text(style{bold: true, size: largeSize, colour: black}, leftEdge, f.y+largeLeading, bank.Name)
	f.y += 2*largeLeading + largeGap
	s.one(plain, leftEdge, f.y, textWidth, w.labels.phone.fill(nil)+" "+unbroken(bank.Phone))
	s.one(plain, leftEdge, f.y+largeLeading, textWidth, w.labels.website.fill(nil)+" "+bank.Website)
}

// finish numbers the pages and gives them to the document.
func (f *flow) finish() error {
	if len(f.pages) > maxSheets {
		return fmt.Errorf("%w: in large print the letter takes %d sheets, %d at most: shorten its texts", lifecycle.Invalid, len(f.pages), maxSheets)
	}
	for i, s := range f.pages {
		if err := s.footer(f.reference, i+1, len(f.pages)); err != nil {
			return err
		}
		if err := s.fits(); err != nil {
			return err
		}
	}
	for _, s := range f.pages {
		if err := f.doc.add(s.shared.out, s.apart.out); err != nil {
			return err
		}
	}
	f.kept = true
	return nil
}

// forget clears pages that the document does not keep.
func (f *flow) forget() {
	if f.kept {
		return
	}
	for _, s := range f.pages {
		clear(s.apart.out[:cap(s.apart.out)])
	}
}
