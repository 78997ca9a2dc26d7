package letter

import "strings"

func (s *sheet) pinBody(d PINLetterData, w pinWords) error {
	fill := strings.NewReplacer("{phone}", unbroken(d.Bank.Phone))
	body := style{size: bodySize, colour: black}
	width := rightEdge - leftEdge
	y := s.opening(w.subject)
	y = s.paragraph(body, leftEdge, y, width, w.intro)

	const height = 34.0
	s.outline(line, 0.6, leftEdge, y, width, height)
	label := style{size: bodySize, colour: grey}
	s.text(label, leftEdge+(width-s.width(label, w.label))/2, y+9, w.label)
	code := style{bold: true, size: 34, colour: black}
	s.own(func() { s.text(code, leftEdge+(width-s.width(code, d.PIN.Reveal()))/2, y+25.5, d.PIN.Reveal()) })

	y = s.section(leftEdge, y+height+10, width, w.learnTitle, w.learn)
	y = s.section(leftEdge, y+3.5, width, w.useTitle, fill.Replace(w.use))
	y = s.section(leftEdge, y+3.5, width, w.openedTitle, fill.Replace(w.opened))
	y = s.advice(y+1, w.adviceTitle, fill.Replace(s.words.advice))
	return s.closing(y + 8)
}
