package letter

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Where things stand in minutes, in millimetres.
const (
	minutesTop    = 40.0 // first baseline of a page after the first
	minutesBottom = 268.0
	numberX       = leftEdge
	actX          = leftEdge + 11
	valueX        = leftEdge + 52
	signHeight    = 27.0
	boxGap        = 4.0
)

var alarm = Colour{0xB0, 0x1E, 0x1E}

// minutes are pages being set, of a ceremony or of a destruction.
type minutes struct {
	doc   *document
	data  MinutesData
	words minutesWords
	pages []*sheet
	y     float64 // next baseline
}

func (m *minutes) sheet() *sheet { return m.pages[len(m.pages)-1] }

// page begins a page.
func (m *minutes) page() {
	s := newSheet(m.doc, Common{Bank: m.data.Bank, Language: m.data.Language}, nil)
	m.pages = append(m.pages, s)
	if m.data.Rehearsal {
		s.watermark(m.words.rehearsal)
	}
	bank := m.data.Bank
	s.box(bank.Colour, 13, 7, 7)
	mark := style{bold: true, size: 13, colour: white}
	initial := string([]rune(bank.Name)[:1])
	s.text(mark, leftEdge+(7-s.width(mark, initial))/2, 18.2, initial)
	s.text(style{bold: true, size: 13, colour: bank.Colour}, leftEdge+10, 18.2, bank.Name)
	s.right(style{size: 8, colour: grey}, rightEdge, 18.2, m.data.Reference)
	s.rule(bank.Colour, 0.8, leftEdge, 24, rightEdge, 24)
	if m.data.Rehearsal {
		s.box(alarm, 26, rightEdge-leftEdge, 6.5)
		warning := style{bold: true, size: 9, colour: white}
		s.text(warning, leftEdge+4, 30.4, m.words.rehearsal+" · "+m.words.worthless)
	}
	m.y = minutesTop
}

// room begins another page unless so much is left on this one.
func (m *minutes) room(height float64) {
	if m.y+height > minutesBottom {
		m.page()
	}
}

// head sets title and the ceremony's own facts.
func (m *minutes) head() {
	d := m.data
	first, last := d.Acts[0].At, d.Acts[len(d.Acts)-1].At
	rows := [][2]string{
		{m.words.reference, d.Reference},
		{m.words.begun, stamp(first)},
		{m.words.ended, stamp(last)},
		{m.words.officer, d.Officer},
	}
	if d.Environment != "" {
		rows = slices.Insert(rows, 1, [2]string{m.words.environment, m.words.word(d.Environment)})
	}
	if len(d.Custodians) > 0 {
		rows = append(rows, [2]string{m.words.custodians, strings.Join(d.Custodians, ", ")})
	}
	if len(d.Witnesses) > 0 {
		rows = append(rows, [2]string{m.words.witnesses, strings.Join(d.Witnesses, ", ")})
	}
	m.title(rows)
	m.heading(m.words.acts)
}

// title sets the title and labelled facts below it.
func (m *minutes) title(rows [][2]string) {
	m.sheet().text(style{bold: true, size: 17, colour: m.data.Bank.Colour}, leftEdge, m.y+4, m.words.title)
	m.y += 15
	for _, row := range rows {
		st := style{size: bodySize, colour: black}
		m.fact(leftEdge, row[0], m.wrap(row[1], st), st)
	}
	m.y += 3
}

func (m *minutes) heading(text string) {
	s := m.sheet()
	s.text(style{bold: true, size: 11.5, colour: m.data.Bank.Colour}, leftEdge, m.y+3, text)
	s.rule(line, 0.4, leftEdge, m.y+5.4, rightEdge, m.y+5.4)
	m.y += 12
}

// act sets one act, kept together on a page.
func (m *minutes) act(number int, a MinutesAct) {
	height := leading * 1.6
	for _, f := range a.Facts {
		height += leading * float64(len(m.rows(f)))
	}
	m.room(height)
	s := m.sheet()
	s.text(style{bold: true, size: bodySize, colour: grey}, numberX, m.y, fmt.Sprintf("%d", number))
	s.text(style{bold: true, size: bodySize, colour: black}, actX, m.y, m.words.word(a.Kind))
	s.right(style{size: 8, colour: grey}, rightEdge, m.y, stamp(a.At)+" · "+a.By)
	m.y += leading + 0.4
	for _, f := range a.Facts {
		st := style{size: 8.5, colour: black}
		if f.Kind == FactKCV {
			st = style{bold: true, size: 11, colour: black}
		}
		m.fact(actX, m.words.word(f.Kind), m.rows(f), st)
	}
	m.y += 2.6
}

// rows are the lines of a value, as people compare it with another: a check
// value in pairs, a fingerprint in two lines of four groups.
func (m *minutes) rows(f Fact) []string {
	const octet, group, groups = 2, 8, 4
	switch f.Kind {
	case FactKCV:
		return []string{strings.Join(chunks(f.Value, octet), " ")}
	case FactSHA256:
		var rows []string
		for half := range slices.Chunk(chunks(f.Value, group), groups) {
			rows = append(rows, strings.Join(half, " "))
		}
		return rows
	}
	return m.wrap(m.words.word(f.Value), style{size: 8.5})
}

func (m *minutes) wrap(text string, st style) []string {
	return m.sheet().wrap(st, rightEdge-valueX, text)
}

func chunks(text string, size int) []string {
	var parts []string
	for part := range slices.Chunk([]byte(text), size) {
		parts = append(parts, string(part))
	}
	return parts
}

// fact sets a label and the lines of its value.
func (m *minutes) fact(x float64, label string, rows []string, st style) {
	s := m.sheet()
	s.text(style{size: 8, colour: grey}, x, m.y, label)
	for _, row := range rows {
		s.text(st, valueX, m.y, row)
		m.y += leading
	}
}

// person is who signs.
type person struct{ name, role string }

// signatures has officer, custodians and witnesses sign.
func (m *minutes) signatures() {
	people := []person{{m.data.Officer, m.words.officer}}
	for _, name := range m.data.Custodians {
		people = append(people, person{name, m.words.custodian})
	}
	for _, name := range m.data.Witnesses {
		people = append(people, person{name, m.words.witness})
	}
	m.sign(people, fmt.Sprintf(m.words.declaration, len(m.data.Acts), m.data.Reference))
}

// sign sets a box for each person, two in a row, on one page with what they sign
// for as long as they have room there.
func (m *minutes) sign(people []person, declaration string) {
	const perRow, headHeight = 2, 12 + 3*leading + 2
	rows := float64((len(people) + perRow - 1) / perRow)
	if whole := headHeight + rows*signHeight - boxGap; whole < minutesBottom-minutesTop {
		m.room(whole)
	} else {
		m.room(headHeight + signHeight)
	}
	m.heading(m.words.signatures)
	m.y = m.sheet().paragraph(style{size: bodySize, colour: black}, leftEdge, m.y, rightEdge-leftEdge, declaration) + 2
	const gap = 5.0
	width := (rightEdge - leftEdge - gap) / 2
	for i, p := range people {
		if i%2 == 0 {
			m.room(signHeight)
		}
		s, x := m.sheet(), leftEdge+float64(i%2)*(width+gap)
		s.outline(line, 0.5, x, m.y-3.5, width, signHeight-boxGap)
		s.text(style{bold: true, size: 9, colour: black}, x+3, m.y+1.2, p.name)
		s.text(style{size: 7.5, colour: grey}, x+3, m.y+5, p.role)
		s.rule(line, 0.4, x+3, m.y+15, x+width-3, m.y+15)
		s.text(style{size: 6.5, colour: grey}, x+3, m.y+18, m.words.sign)
		if i%2 == 1 || i == len(people)-1 {
			m.y += signHeight
		}
	}
}

// finish numbers the pages and gives the document.
func (m *minutes) finish(date time.Time) ([]byte, error) {
	for i, s := range m.pages {
		m.foot(s, i+1)
		if err := m.doc.add(s.shared.out, nil); err != nil {
			return nil, err
		}
	}
	about := metadata{title: m.words.title + " " + m.data.Reference, author: m.data.Bank.Name, language: string(m.data.Language), date: date}
	return m.doc.bytes(about)
}

func (m *minutes) foot(s *sheet, number int) {
	st := style{size: 7, colour: grey}
	s.rule(line, 0.4, leftEdge, 278, rightEdge, 278)
	s.text(st, leftEdge, 282, m.data.Bank.LegalName+" · "+m.words.footer)
	s.right(st, rightEdge, 282, fmt.Sprintf("%s · %d/%d", m.data.Reference, number, len(m.pages)))
}

// watermark sets a word across the page, under all else.
func (s *sheet) watermark(word string) {
	st := style{bold: true, size: 76, colour: Colour{0xF6, 0xE3, 0xE3}}
	const angle = 52 * math.Pi / 180
	length := s.width(st, word)
	x := 105 - length/2*math.Cos(angle)
	y := pageHeight/2 + length/2*math.Sin(angle)
	s.fill(st.colour)
	s.raw("BT /B ")
	s.numbers(st.size)
	s.raw("Tf ")
	s.numbers(math.Cos(angle), math.Sin(angle), -math.Sin(angle), math.Cos(angle), x*pointsPerMM, (pageHeight-y)*pointsPerMM)
	s.raw("Tm (")
	for _, r := range word {
		g := s.bold.glyph(r)
		s.used[1][g] = true
		s.octet(byte(g >> 8))
		s.octet(byte(g & 0xFF))
	}
	s.raw(")Tj ET\n")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
