package letter

import "strings"

// The frame on which the print room fixes the card (ISO/IEC 7810 ID-1).
const cardWidth, cardHeight = 85.6, 53.98

func (s *sheet) cardBody(d CardLetterData, w cardWords) error {
	fill := strings.NewReplacer("{phone}", unbroken(d.Bank.Phone), "{branch}", d.PickUpBranch, "{website}", d.Bank.Website)
	body := style{size: bodySize, colour: black}
	intro := w.intro
	if d.PickUpBranch != "" {
		intro = w.introBranch
	}
	y := s.opening(w.subject)
	y = s.paragraph(body, leftEdge, y, rightEdge-leftEdge, fill.Replace(intro))
	y = s.facts(y+1, d, w)

	s.cardPlace(y, d, w, fill)
	const gap = 7.4
	column := rightEdge - leftEdge - cardWidth - gap
	right := leftEdge + cardWidth + gap
	next := s.section(right, y+3.5, column, w.readerTitle, w.reader)
	next = s.section(right, next+2, column, w.blockedTitle, fill.Replace(w.blocked))
	next = s.section(right, next+2, column, w.lostTitle, fill.Replace(w.lost))

	y = max(y+cardHeight+7.5, next+1.5)
	y = s.section(leftEdge, y, rightEdge-leftEdge, w.activateTitle, fill.Replace(w.activate))
	y = s.advice(y-1, w.adviceTitle, fill.Replace(s.words.advice))
	return s.closing(y + 6.5)
}

// facts sets what the letter says of the card in a strip of columns.
func (s *sheet) facts(y float64, d CardLetterData, w cardWords) float64 {
	label, value := style{size: 7.5, colour: grey}, style{bold: true, size: 9, colour: black}
	columns := [][2]string{
		{w.product, d.Product},
		{w.cardNumber, "•••• " + d.Last4},
		{w.expiry, d.Expiry.UTC().Format("01/2006")},
		{s.words.clientID, d.ClientID},
		{s.words.userNumber, d.UserNumber},
	}
	free := rightEdge - leftEdge
	widths := make([]float64, len(columns))
	for i, c := range columns {
		widths[i] = max(s.width(label, c[0]), s.width(value, c[1]))
		free -= widths[i]
	}
	gap := max(2, free/float64(len(columns)-1))
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
func (s *sheet) cardPlace(y float64, d CardLetterData, w cardWords, fill *strings.Replacer) {
	s.box(pale, y, cardWidth, cardHeight)
	s.outline(line, 0.6, leftEdge, y, cardWidth, cardHeight)
	if d.PickUpBranch == "" {
		hint := style{size: 8, colour: grey}
		s.text(hint, leftEdge+(cardWidth-s.width(hint, w.cardHere))/2, y+cardHeight/2+1, w.cardHere)
		return
	}
	const pad = 6.0
	next := 0.0
	s.own(func() { next = s.section(leftEdge+pad, y+pad+4, cardWidth-2*pad, w.branchTitle, d.PickUpBranch) })
	s.paragraph(style{size: bodySize, colour: black}, leftEdge+pad, next+3, cardWidth-2*pad, fill.Replace(w.branch))
}
