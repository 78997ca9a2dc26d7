// Package party checks facts about companies and people: registry numbers,
// names, languages, e-mail and postal addresses. It is pure validation and
// formatting by the published rules of each country.
//
// It never does I/O, reads a clock or keeps state. Data enters as strings that
// a person or a file gave and leaves normalised, or as a
// [sceau/lifecycle.FieldError] that says what is wrong and what to do; the
// wrong value is repeated only as far as it helps, never whole.
package party

import (
	"strings"

	"sceau/lifecycle"
)

// The countries of registries and addresses (ISO 3166-1 alpha-2).
const (
	France      = "FR"
	Belgium     = "BE"
	Netherlands = "NL"
	Germany     = "DE"
	Luxembourg  = "LU"

	// Addresses only.
	Switzerland   = "CH"
	UnitedKingdom = "GB"
)

func wrong(field, why string) error {
	return &lifecycle.FieldError{Field: field, Why: why}
}

// digits removes the separators that people write between digits, and tells
// whether exactly n digits remain.
func digits(s string, n int) (string, bool) {
	const longest = 32
	if len(s) > longest {
		return "", false
	}
	s = strings.NewReplacer(" ", "", ".", "", "\u00a0", "", "\u202f", "").Replace(s)
	if len(s) != n {
		return "", false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return "", false
		}
	}
	return s, true
}
