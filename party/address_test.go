package party

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sceau/lifecycle"
)

func TestLinesFollowTheCountrysPost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		address Address
		sender  string
		want    []string
	}{
		{
			"France: street and town in capitals without accents or punctuation",
			Address{"Hélène Montclair", "Ateliers Montclair", "Bât. B", "12, rue de l'Église", "35000", "Saint-Rémy-lès-Chênes", "FR"},
			"FR",
			[]string{"Hélène Montclair", "Ateliers Montclair", "Bât. B", "12 RUE DE L EGLISE", "35000 SAINT REMY LES CHENES"},
		},
		{
			"France: ligatures are spelled out",
			Address{"A", "", "", "3 rue du Sacré-Cœur", "75018", "Paris", "FR"},
			"FR",
			[]string{"A", "3 RUE DU SACRE COEUR", "75018 PARIS"},
		},
		{
			"Belgium: the box follows the number",
			Address{"Luc Aubel", "", "bte 3", "Rue Courtejoie 17", "5590", "Ciney", "BE"},
			"BE",
			[]string{"Luc Aubel", "Rue Courtejoie 17 bte 3", "5590 Ciney"},
		},
		{
			"Belgium from France: the country in capitals at the end",
			Address{"Käthe Weißdorn", "", "Gebäude A", "Aachener Straße 7", "4700", "Eupen", "BE"},
			"FR",
			[]string{"Käthe Weißdorn", "Gebäude A", "Aachener Straße 7", "4700 Eupen", "BELGIQUE"},
		},
		{
			"Netherlands: one space in the postcode, two before the town",
			Address{"Joost Linde", "", "", "Lindenlaan 45-2", "3511AB", "'s-Gravenmoer", "NL"},
			"NL",
			[]string{"Joost Linde", "Lindenlaan 45-2", "3511 AB  'S-GRAVENMOER"},
		},
		{
			"Netherlands from Germany",
			Address{"J", "", "", "1e Lindestraat 12a", "3511 AB", "Utrecht", "NL"},
			"DE",
			[]string{"J", "1e Lindestraat 12a", "3511 AB  UTRECHT", "NIEDERLANDE"},
		},
		{
			"Germany",
			Address{"J", "", "", "Straße des 17. Juni 135", "10623", "Berlin", "DE"},
			"DE",
			[]string{"J", "Straße des 17. Juni 135", "10623 Berlin"},
		},
		{
			"Luxembourg gets its L",
			Address{"J", "", "", "4, rue du Moulin", "1234", "Luxembourg", "LU"},
			"NL",
			[]string{"J", "4, rue du Moulin", "L-1234 Luxembourg", "LUXEMBURG"},
		},
		{
			"Switzerland from France",
			Address{"J", "", "", "Bahnhofstrasse 12", "8001", "Zürich", "CH"},
			"FR",
			[]string{"J", "Bahnhofstrasse 12", "8001 Zürich", "SUISSE"},
		},
		{
			"United Kingdom: the town in capitals, the postcode alone, then the country",
			Address{"E. Hawthorne", "Hawthorne Shipping", "Flat 2", "14 Harbour Lane", "EX1 2AB", "Exeter", "GB"},
			"DE",
			[]string{"E. Hawthorne", "Hawthorne Shipping", "Flat 2", "14 Harbour Lane", "EXETER", "EX1 2AB", "GROSSBRITANNIEN"},
		},
		{
			"elsewhere: as the Universal Postal Union advises",
			Address{"J", "", "", "Calle del Espino 3", "28013", "Madrid", "ES"},
			"NL",
			[]string{"J", "Calle del Espino 3", "28013 MADRID", "SPANJE"},
		},
		{
			"elsewhere: without a postcode",
			Address{"J", "", "", "3 Hawthorn Road", "", "Dublin", "IE"},
			"FR",
			[]string{"J", "3 Hawthorn Road", "DUBLIN", "IRLANDE"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.address.Lines(tt.sender)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("Lines = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestWrongAddressesNameTheirFields(t *testing.T) {
	t.Parallel()
	french := Address{Recipient: "Hélène Montclair", Street: "12 rue de l'Église", Postcode: "35000", City: "Rennes", Country: "FR"}
	belgian := Address{Recipient: "Luc Aubel", Street: "Rue du Moulin 17", Postcode: "5590", City: "Ciney", Country: "BE"}
	dutch := Address{Recipient: "Joost Linde", Street: "Lindenlaan 45", Postcode: "3511 AB", City: "Utrecht", Country: "NL"}
	with := func(a Address, change func(*Address)) Address {
		change(&a)
		return a
	}
	tests := []struct {
		name    string
		address Address
		fields  string
	}{
		{"nothing at all", Address{}, "recipient address_country street city"},
		{"an unknown country", with(french, func(a *Address) { a.Country = "ZZ" }), "address_country"},
		{"a British postcode without its space", with(french, func(a *Address) { a.Country, a.Postcode = "GB", "EX12AB" }), "postcode"},
		{"a Swiss postcode of five digits", with(french, func(a *Address) { a.Country = "CH" }), "postcode"},
		{"a postcode with a sign, elsewhere", with(french, func(a *Address) { a.Country, a.Postcode = "ES", "28=13" }), "postcode"},
		{"a French postcode of four digits", with(french, func(a *Address) { a.Postcode = "3500" }), "postcode"},
		{"a French postcode of no département", with(french, func(a *Address) { a.Postcode = "99000" }), "postcode"},
		{"no postcode", with(french, func(a *Address) { a.Postcode = "" }), "postcode"},
		{"a Belgian postcode with zero in front", with(belgian, func(a *Address) { a.Postcode = "0590" }), "postcode"},
		{"a Belgian number before its street", with(belgian, func(a *Address) { a.Street = "17 rue du Moulin" }), "street"},
		{"a Belgian street without a number", with(belgian, func(a *Address) { a.Street = "Rue du Moulin" }), "street"},
		{"a Belgian box after a slash", with(belgian, func(a *Address) { a.Street = "Rue du Moulin 17/3" }), "street"},
		{"a Belgian box after a hash", with(belgian, func(a *Address) { a.Street = "Rue du Moulin 17 #3" }), "street"},
		{"Dutch letters that are never given out", with(dutch, func(a *Address) { a.Postcode = "3511 SS" }), "postcode"},
		{"a Dutch postcode in small letters", with(dutch, func(a *Address) { a.Postcode = "3511 ab" }), "postcode"},
		{"a German postcode of 00", Address{Recipient: "J", Street: "Weg 1", Postcode: "00123", City: "Berlin", Country: "DE"}, "postcode"},
		{"a recipient of 39 characters", with(french, func(a *Address) { a.Recipient = strings.Repeat("a", 39) }), "recipient"},
		{"a street that fits only without its box", with(belgian, func(a *Address) {
			a.Street, a.Complement = strings.Repeat("R", 33)+" 17", "bte 12"
		}), "street"},
		{"a town that outgrows its line when spelled out", with(french, func(a *Address) { a.City = strings.Repeat("œ", 20) }), "city"},
		{"a formula for a street", with(french, func(a *Address) { a.Street = "=1+1" }), "street"},
		{"everything wrong at once", Address{"<b>", "=x", "@", "", "x", "\x00", "FR"}, "recipient organisation complement street postcode city"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var wrongs lifecycle.FieldErrors
			if err := tt.address.Check(); !errors.As(err, &wrongs) {
				t.Fatalf("Check = %v, want field errors", err)
			}
			fields := make([]string, len(wrongs))
			for i, w := range wrongs {
				fields[i] = w.Field
			}
			if got := strings.Join(fields, " "); got != tt.fields {
				t.Errorf("wrong fields %q, want %q (%v)", got, tt.fields, wrongs)
			}
			if _, err := tt.address.Lines("FR"); !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("Lines = %v, want Invalid", err)
			}
		})
	}
	if _, err := french.Lines("ES"); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("Lines from Spain = %v, want Invalid", err)
	}
}

// skeleton is what a line must keep: letters without case or accents, and
// digits.
func skeleton(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, postalCapitals(s))
}

func TestAcceptedAddressesFitAndLoseNothing(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[A-ZÉa-zéàçœß'’. -]{1,30}`)
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		a := Address{
			Recipient:    word.Draw(t, "recipient"),
			Organisation: rapid.OneOf(rapid.Just(""), word).Draw(t, "organisation"),
			Complement:   rapid.OneOf(rapid.Just(""), word, rapid.Just("bte 12"), rapid.Just("Bus 3")).Draw(t, "complement"),
			Street:       rapid.StringMatching(`([0-9]{1,3} )?[A-ZÉa-zéœ' -]{1,24}( [0-9]{1,3}[a-c]?)?`).Draw(t, "street"),
			Postcode:     rapid.StringMatching(`[1-9][0-9]{3}|[0-8][1-9][0-9]{3}|[1-9][0-9]{3} ?[A-Z]{2}|[A-Z]{2}[0-9] [0-9][A-Z]{2}`).Draw(t, "postcode"),
			City:         word.Draw(t, "city"),
			Country:      rapid.SampledFrom([]string{"FR", "BE", "NL", "DE", "LU", "CH", "GB", "ES", "IE"}).Draw(t, "country"),
		}
		sender := rapid.SampledFrom([]string{"FR", "BE", "NL", "DE", "LU"}).Draw(t, "sender")
		lines, err := a.Lines(sender)
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("%v is not Invalid", err)
			}
			return
		}
		accepted++
		most := MaxLines
		if sender != a.Country {
			most = MaxLinesAbroad
			if last := lines[len(lines)-1]; last == "" || last != strings.ToUpper(last) {
				t.Fatalf("the country's line is %q", last)
			}
		}
		if len(lines) > most {
			t.Fatalf("%d lines: %q", len(lines), lines)
		}
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n == 0 || n > MaxLineLength || strings.TrimSpace(l) != l {
				t.Fatalf("line %q of %d characters", l, n)
			}
		}
		all := skeleton(strings.Join(lines, "\n"))
		for _, field := range []string{a.Recipient, a.Organisation, a.Complement, a.Street, a.Postcode, a.City} {
			if !strings.Contains(all, skeleton(field)) {
				t.Fatalf("%q lost %q", lines, field)
			}
		}
	})
	if accepted == 0 {
		t.Error("no address was accepted: the property was never tried")
	}
}
