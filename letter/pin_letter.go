package letter

func (s *sheet) pinBody(w *words, code string) error {
	width := rightEdge - leftEdge
	y := s.opening(w)
	y = s.body(leftEdge, y, width, w.intro)

	const height = 34.0
	s.outline(line, 0.6, leftEdge, y, width, height)
	label, name := style{size: bodySize, colour: grey}, w.labelCode.fill(nil)
	s.text(label, leftEdge+(width-s.width(label, name))/2, y+9, name)
	digits := style{bold: true, size: 34, colour: black}
	s.own(func() { s.text(digits, leftEdge+(width-s.width(digits, code))/2, y+25.5, code) })

	y = s.section(leftEdge, y+height+10, width, w.learn)
	y = s.section(leftEdge, y+3.5, width, w.use)
	y = s.section(leftEdge, y+3.5, width, w.opened)
	for _, f := range w.further {
		y = s.section(leftEdge, y+3.5, width, f)
	}
	y = s.advice(y+1, w.advice)
	return s.closing(w, y+8)
}
