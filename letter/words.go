package letter

import (
	"fmt"

	"sceau/party"
)

// words are the texts of one kind of letter in one language, out of a template.
type words struct {
	language tongue
	wanted   [placeholders]bool // by some text

	subject, salutation, closing text
	labels                       labels

	intro, introBranch      text // a PIN letter has the first
	collect                 section
	reader                  steps
	activate, blocked, lost section // of a card letter
	learn, use, opened      section // of a PIN letter
	further                 []section
	advice                  section
	labelCode, code         text
}

// labels name what stands beside them; they are shown as they are.
type labels struct {
	date, phone, website                                  text
	product, card, expiry, clientID, userNumber, cardHere text
}

// section is a heading and what stands under it.
type section struct{ title, text text }

// steps are a heading and numbered lines.
type steps struct {
	title text
	rows  []text
}

// asText is the steps as one text, numbered, a line each.
func (s steps) asText() section {
	var all text
	for i, row := range s.rows {
		begin := fmt.Sprintf("%d. ", i+1)
		if i > 0 {
			begin = "\n" + begin
		}
		all.parts = append(append(all.parts, piece{literal: begin}), row.parts...)
		all.personal = all.personal || row.personal
	}
	return section{s.title, all}
}

// tongue is what the house says of a language: no bank changes it.
type tongue struct {
	of party.Language
	// warning stands in every letter, where its template says {warning}.
	warning string
	guard   guard
}

func tongueOf(l party.Language) tongue {
	switch l {
	case party.French:
		return french()
	case party.Dutch:
		return dutch()
	case party.German:
		return german()
	case party.English:
	}
	return english()
}
