package letter

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"sceau/lifecycle"
	"sceau/party"
)

// Bounds of a template's file.
const (
	maxTemplate = 256 << 10
	maxWrongs   = 40
	maxNodes    = 1000
)

// ParseTemplate reads a template: a YAML file of texts that are known by their
// place, all of them there, in the four languages, and nothing else. The error
// is [lifecycle.FieldErrors], each with the line and what to do. It proves
// what can be proved without a letter; [Template.Try] sets letters with it.
func ParseTemplate(file []byte) (*Template, error) {
	if len(file) > maxTemplate {
		return nil, &lifecycle.FieldError{Field: "template", Why: fmt.Sprintf("is longer than %d KiB, logo included", maxTemplate>>10)}
	}
	face, err := loadTypeface()
	if err != nil {
		return nil, err
	}
	root, err := oneDocument(file)
	if err != nil {
		return nil, err
	}
	p := &templateParser{face: face}
	p.flatten("", root, 0)
	if err := p.wrongs.Err(); err != nil {
		return nil, err
	}
	t := p.template()
	if err := p.wrongs.Err(); err != nil {
		return nil, err
	}
	t.canonical, err = canonical(p.kept)
	return t, err
}

// entry is a scalar of the file: its place is the path to it.
type entry struct {
	path, value string
	line        int
	taken       bool
}

type templateParser struct {
	face    *typeface
	entries []entry
	at      map[string]int // entries by path
	kept    []entry        // those of the template, in the order of its form
	nodes   int
	wrongs  lifecycle.FieldErrors
}

// wrong adds what is wrong, up to a number that somebody reads.
func (p *templateParser) wrong(field string, line int, why string, args ...any) {
	if len(p.wrongs) >= maxWrongs {
		return
	}
	why = fmt.Sprintf(why, args...)
	if line > 0 {
		why = fmt.Sprintf("line %d: %s", line, why)
	}
	p.wrongs.Add(clipped(field), why)
}

// clipped bounds what an error repeats of the file.
func clipped(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// take gives the entry at a path, once.
func (p *templateParser) take(path string) (entry, bool) {
	i, ok := p.at[path]
	if !ok {
		return entry{path: path}, false
	}
	p.entries[i].taken = true
	e := p.entries[i]
	e.value = strings.TrimSpace(e.value)
	p.kept = append(p.kept, e)
	return e, true
}

func (p *templateParser) template() *Template {
	t := &Template{words: map[party.Language]*words{}}
	if format, _ := p.take("format"); format.value != "1" {
		p.wrong("format", format.line, "is 1, of the only format that there is")
		return t
	}
	kind, _ := p.take("kind")
	t.kind = lifecycle.PrintKind(kind.value)
	if t.kind != lifecycle.PrintCard && t.kind != lifecycle.PrintPIN {
		p.wrong("kind", kind.line, "is card or pin")
		return t
	}
	for _, l := range party.Languages() {
		t.words[l] = p.words(t.kind, l)
	}
	if picture, ok := p.take("logo"); ok {
		t.logo = p.logo(picture)
	}
	for _, e := range p.entries {
		if !e.taken {
			p.wrong(e.path, e.line, "is no part of a %s template: see `sceau letters export`", t.kind)
		}
	}
	return t
}

func (p *templateParser) words(kind lifecycle.PrintKind, l party.Language) *words {
	w := &words{language: tongueOf(l)}
	at := "languages." + string(l) + "."
	for _, s := range slotsOf(kind) {
		e, ok := p.take(at + s.path)
		if !ok {
			p.wrong(at+s.path, 0, "is missing")
			continue
		}
		*s.into(w) = p.text(w, s, e)
	}
	if kind == lifecycle.PrintCard {
		step := slot{most: mostStep, may: []placeholder{thePhone, theWebsite}}
		w.reader.rows = p.list(at+"reader.steps", mostSteps, func(path string) text { return p.part(w, step, path) })
		if len(w.reader.rows) == 0 {
			p.wrong(at+"reader.steps", 0, "has 1 to %d lines", mostSteps)
		}
	}
	further := sectionSlots("", slotsOf(kind)[len(slotsOf(kind))-1].may[1:], nil, nil)
	for i := range mostFurther {
		path := fmt.Sprintf("%sfurther.%d", at, i)
		if _, ok := p.at[path+".title"]; ok {
			w.further = append(w.further, section{p.part(w, further[0], path+".title"), p.part(w, further[1], path+".text")})
		}
	}
	return w
}

// list takes the items of a list.
func (p *templateParser) list(path string, most int, each func(path string) text) []text {
	var rows []text
	for i := range most {
		at := fmt.Sprintf("%s.%d", path, i)
		if _, ok := p.at[at]; !ok {
			break
		}
		rows = append(rows, each(at))
	}
	return rows
}

func (p *templateParser) part(w *words, s slot, path string) text {
	e, ok := p.take(path)
	if !ok {
		p.wrong(path, 0, "is missing")
		return text{}
	}
	return p.text(w, s, e)
}

// text checks a text and cuts it at its placeholders.
func (p *templateParser) text(w *words, s slot, e entry) text {
	p.characters(s, e)
	if told := w.language.guard.asks(e.value); told != "" {
		p.wrong(e.path, e.line, "%s", told)
	}
	var t text
	found := map[placeholder]int{}
	for rest := e.value; rest != ""; {
		before, after, opens := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			p.wrong(e.path, e.line, "has a } without its {")
		}
		t.literal(before)
		if !opens {
			break
		}
		name, behind, closes := strings.Cut(after, "}")
		by, known := placeholderNames()[name]
		switch {
		case !closes:
			p.wrong(e.path, e.line, "has a { without its }")
		case !known:
			p.wrong(e.path, e.line, "{%s} is not a placeholder; %s", clipped(name), s.offers())
		case !slices.Contains(s.may, by):
			p.wrong(e.path, e.line, "%s may not stand here; %s", by, s.offers())
		case by == theWarning:
			t.literal(w.language.warning)
		default:
			t.parts = append(t.parts, piece{filled: true, by: by})
			t.personal = t.personal || !by.ofTheHouse()
			w.wanted[by] = true
		}
		found[by]++
		rest = behind
	}
	for _, must := range s.must {
		if found[must] == 0 {
			p.wrong(e.path, e.line, "%s must stand here", must)
		}
	}
	for _, once := range []placeholder{thePIN, theWarning} {
		if found[once] > 1 {
			p.wrong(e.path, e.line, "%s stands here once only", once)
		}
	}
	if slices.Contains(s.must, thePIN) && e.value != thePIN.String() {
		p.wrong(e.path, e.line, "%s stands alone", thePIN)
	}
	return t
}

func (t *text) literal(s string) {
	switch n := len(t.parts); {
	case s == "":
	case n > 0 && !t.parts[n-1].filled:
		t.parts[n-1].literal += s
	default:
		t.parts = append(t.parts, piece{literal: s})
	}
}

// offers says which placeholders a slot may have.
func (s slot) offers() string {
	if len(s.may) == 0 {
		return "no placeholder may"
	}
	names := make([]string, len(s.may))
	for i, by := range s.may {
		names[i] = by.String()
	}
	return "those that may: " + strings.Join(names, " ")
}

func (p *templateParser) logo(e entry) *logo {
	packed, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.value), ""))
	if err != nil {
		p.wrong("logo", e.line, "is not a picture in base64: give it by --logo FILE")
		return nil
	}
	l, err := readLogo(packed)
	if err != nil {
		p.wrong("logo", e.line, "%v", err)
		return nil
	}
	p.kept[len(p.kept)-1].value = inLines(l.png)
	return l
}
