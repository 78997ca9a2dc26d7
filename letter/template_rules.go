package letter

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// characters checks what a text is written with: Latin letters, as composed
// characters that both faces have, so that nothing looks like what it is not.
func (p *templateParser) characters(s slot, e entry) {
	switch n := utf8.RuneCountInString(e.value); {
	case !utf8.ValidString(e.value):
		p.wrong(e.path, e.line, "is not UTF-8 text")
		return
	case n == 0:
		p.wrong(e.path, e.line, "is empty")
	case n > s.most:
		p.wrong(e.path, e.line, "has %d characters, %d at most", n, s.most)
	}
	breaks := 0
	for _, r := range e.value {
		switch {
		case r == '\n' && s.most == mostText:
			if breaks++; breaks > mostBreaks {
				p.wrong(e.path, e.line, "has more than %d line breaks", mostBreaks)
				return
			}
		case !plain(r):
			p.wrong(e.path, e.line, "may not have the character %U", r)
			return
		case p.face.regular.glyph(r) == 0 || p.face.bold.glyph(r) == 0:
			p.wrong(e.path, e.line, "the letters' font has no character %U", r)
			return
		}
	}
}

const mostBreaks = 6

// plain tells a character that people read as what it is: a Latin letter, a
// digit, a sign, a space or a no-break space.
func plain(r rune) bool {
	switch {
	case r == ' ' || r == '\u00a0' || r == '\u202f':
		return true
	case unicode.IsLetter(r):
		return unicode.Is(unicode.Latin, r)
	case unicode.IsDigit(r):
		return r <= '9'
	}
	return unicode.IsPunct(r) || unicode.IsSymbol(r)
}

// guard are the words by which a sentence that asks a holder for a secret is
// known. It is a net under four eyes, not in their place: what it lets through
// an approver has still to read, and what it stops by mistake is said otherwise.
type guard struct {
	secrets map[string]bool // what nobody may be told
	give    map[string]bool // tell, send, ask
	typed   map[string]bool // type, enter
	pins    map[string]bool // the PIN, and no other code
	away    map[string]bool // anywhere but on the reader
	reader  map[string]bool // where it is typed, and then not given
	never   map[string]bool // what makes a warning of it
	joins   map[string]bool // where a clause ends, but for signs
	ours    map[string]bool // it is the bank that gives
}

// asks tells why a text may not stand in a letter, or nothing. A sentence has a
// secret; a clause of it has the verb, and must have its own never.
func (g guard) asks(value string) string {
	for _, sentence := range g.sentences(value) {
		all := flat(sentence)
		for _, clause := range sentence {
			if has(clause, g.never) {
				continue
			}
			switch {
			case has(all, g.secrets) && g.gives(clause):
				return "seems to ask the holder to tell or send a PIN or a code (" + clipped(strings.Join(clause, " ")) +
					"): the bank never does; say it otherwise"
			case has(all, g.pins) && has(clause, g.typed) && has(clause, g.away):
				return "seems to have the PIN typed elsewhere than on the reader (" + clipped(strings.Join(clause, " ")) + ")"
			}
		}
	}
	return ""
}

// gives tells a clause in which somebody else than the bank gives.
func (g guard) gives(clause []string) bool {
	const near = 3
	for i, word := range clause {
		if !g.give[word] || has(clause, g.reader) {
			continue
		}
		if !has(clause[max(0, i-near):min(len(clause), i+near)], g.ours) {
			return true
		}
	}
	return false
}

// sentences cuts a text into sentences, and these into clauses of words in
// small letters. A placeholder of the PIN is a secret like its name.
func (g guard) sentences(value string) [][][]string {
	value = strings.NewReplacer("{pin}", " pin ", "{", " ", "}", " ").Replace(strings.ToLower(value))
	var sentences [][][]string
	var sentence [][]string
	var clause []string
	word := strings.Builder{}
	endWord := func() {
		if word.Len() == 0 {
			return
		}
		w := word.String()
		word.Reset()
		if g.joins[w] {
			sentence, clause = append(sentence, clause), nil
			return
		}
		clause = append(clause, w)
	}
	for _, r := range value + "." {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			word.WriteRune(r)
			continue
		}
		endWord()
		switch r {
		case '.', '!', '?', '\n':
			sentences = append(sentences, append(sentence, clause))
			sentence, clause = nil, nil
		case ',', ';', ':', '(', ')', '–', '—', '…':
			sentence, clause = append(sentence, clause), nil
		}
	}
	return sentences
}

func has(words []string, of map[string]bool) bool {
	for _, w := range words {
		if of[w] {
			return true
		}
	}
	return false
}

func flat(sentence [][]string) []string {
	var all []string
	for _, clause := range sentence {
		all = append(all, clause...)
	}
	return all
}
