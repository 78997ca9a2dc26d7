package letter

// The frame on which the print room fixes the card (ISO/IEC 7810 ID-1).
const cardWidth, cardHeight = 85.6, 53.98

func (s *sheet) cardBody(d CardLetterData, w *words) error {
	intro := w.intro
	if d.PickUpBranch != "" {
		intro = w.introBranch
	}
	y := s.opening(w)
	y = s.body(leftEdge, y, rightEdge-leftEdge, intro)
	y = s.facts(y+1, d, w.labels)

	s.cardPlace(y, d, w)
	const gap = 7.4
	column := rightEdge - leftEdge - cardWidth - gap
	right := leftEdge + cardWidth + gap
	next := s.section(right, y+3.5, column, w.reader.asText())
	next = s.section(right, next+2, column, w.blocked)
	next = s.section(right, next+2, column, w.lost)

	y = max(y+cardHeight+7.5, next+1.5)
	y = s.section(leftEdge, y, rightEdge-leftEdge, w.activate)
	for _, f := range w.further {
		y = s.section(leftEdge, y+2, rightEdge-leftEdge, f)
	}
	y = s.advice(y-1, w.advice)
	return s.closing(w, y+6.5)
}

// facts are what the letter says of the card, each beside its label.
func (d CardLetterData) facts(l labels) [5][2]string {
	return [5][2]string{
		{l.product.fill(nil), d.Product},
		{l.card.fill(nil), "•••• " + d.Last4},
		{l.expiry.fill(nil), d.expiry()},
		{l.clientID.fill(nil), d.ClientID},
		{l.userNumber.fill(nil), d.UserNumber},
	}
}

// facts sets them in a strip of columns.
func (s *sheet) facts(y float64, d CardLetterData, l labels) float64 {
	label, value := style{size: 7.5, colour: grey}, style{bold: true, size: 9, colour: black}
	columns := d.facts(l)
	free := rightEdge - leftEdge
	var widths [len(columns)]float64
	for i, c := range columns {
		widths[i] = max(s.width(label, c[0]), s.width(value, c[1]))
		free -= widths[i]
	}
	gap := max(2, free/float64(len(columns)-1))
	if free < 2*float64(len(columns)-1) {
		s.tooWide(columns[0][0])
	}
	s.rule(line, 0.4, leftEdge, y, rightEdge, y)
	x := leftEdge
	s.own(func() {
		for i, c := range columns {
			s.text(label, x, y+4, c[0])
			s.text(value, x, y+8.3, c[1])
			x += widths[i] + gap
		}
	})
	s.rule(line, 0.4, leftEdge, y+10.8, rightEdge, y+10.8)
	return y + 15.5
}

// cardPlace sets the place of the card, or says where it waits.
func (s *sheet) cardPlace(y float64, d CardLetterData, w *words) {
	s.box(pale, y, cardWidth, cardHeight)
	s.outline(line, 0.6, leftEdge, y, cardWidth, cardHeight)
	if d.PickUpBranch == "" {
		hint, here := style{size: 8, colour: grey}, w.labels.cardHere.fill(nil)
		s.one(hint, leftEdge+(cardWidth-s.width(hint, here))/2, y+cardHeight/2+1, cardWidth, here)
		return
	}
	const pad = 6.0
	next := 0.0
	s.own(func() {
		next = s.section(leftEdge+pad, y+pad+4, cardWidth-2*pad, section{w.collect.title, text{parts: []piece{{filled: true, by: theBranch}}}})
	})
	if end := s.body(leftEdge+pad, next+3, cardWidth-2*pad, w.collect.text); end-leading > y+cardHeight-2 {
		s.tooWide(w.collect.title.fill(nil))
	}
}
