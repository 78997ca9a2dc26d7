package party

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// What fits a letter's window (XP Z10-011).
const (
	MaxLines       = 6  // lines of an address within its country
	MaxLinesAbroad = 7  // the last one is the country
	MaxLineLength  = 38 // characters of a line
)

// line is one line of an address and the field it comes from.
type line struct{ field, text string }

// Lines are the lines of the address as the post of its country wants them,
// for a letter sent from senderCountry: at most 6 of 38 characters, or 7 with
// the country in capitals as the last one. Nothing is ever cut: what does not
// fit, or is wrong, is an error as [Address.Check] gives it.
func (a Address) Lines(senderCountry string) ([]string, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	if _, known := rules(senderCountry); !known {
		return nil, wrong("sender_country", "letters are sent from FR, BE, NL, DE or LU")
	}
	parts := a.domestic()
	lines := make([]string, 0, MaxLinesAbroad)
	for _, l := range parts {
		lines = append(lines, l.text)
	}
	if a.Country != senderCountry {
		lines = append(lines, countryName(a.Country, senderCountry))
	}
	return lines, nil
}

// domestic are the lines without the country: recipient, organisation,
// complement, street, postcode and town.
func (a Address) domestic() []line {
	complement, street := a.Complement, a.Street
	if a.Country == Belgium && boxBE.MatchString(complement) {
		complement, street = "", street+" "+complement
	}
	town := line{field: "city"}
	switch a.Country {
	case France:
		street = postalCapitals(street)
		town.text = a.Postcode + " " + postalCapitals(a.City)
	case Netherlands:
		digits, letters := a.Postcode[:4], strings.TrimSpace(a.Postcode[4:])
		town.text = digits + " " + letters + "  " + capitals(a.City)
	case Luxembourg:
		town.text = "L-" + strings.TrimPrefix(a.Postcode, "L-") + " " + a.City
	default:
		town.text = a.Postcode + " " + a.City
	}
	lines := make([]line, 0, MaxLines)
	for _, l := range []line{
		{"recipient", a.Recipient},
		{"organisation", a.Organisation},
		{"complement", complement},
		{"street", street},
		town,
	} {
		if l.text != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// countryName is the country in capitals, in French between countries of
// which the sender's uses it (the language of the Universal Postal Union),
// else in the sender's language.
func countryName(code, sender string) string {
	var names map[string]string
	switch sender {
	case Netherlands:
		names = map[string]string{France: "FRANKRIJK", Belgium: "BELGIË", Germany: "DUITSLAND", Luxembourg: "LUXEMBURG"}
	case Germany:
		names = map[string]string{France: "FRANKREICH", Belgium: "BELGIEN", Netherlands: "NIEDERLANDE", Luxembourg: "LUXEMBURG"}
	default:
		names = map[string]string{France: "FRANCE", Belgium: "BELGIQUE", Netherlands: "PAYS-BAS", Germany: "ALLEMAGNE", Luxembourg: "LUXEMBOURG"}
	}
	return names[code]
}

func capitals(s string) string {
	return strings.ToUpper(strings.ReplaceAll(s, "ß", "ss"))
}

// postalCapitals writes as La Poste reads: capitals without accents and
// without punctuation. Every letter and digit stays.
func postalCapitals(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(capitals(spellOut.Replace(s))) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case strings.ContainsRune("'’-.,/()°", r):
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// spellOut writes the letters that have no accent to drop.
var spellOut = strings.NewReplacer("œ", "oe", "Œ", "OE", "æ", "ae", "Æ", "AE", "ø", "o", "Ø", "O", "ł", "l", "Ł", "L",
	"đ", "d", "Đ", "D", "ð", "d", "Ð", "D", "þ", "th", "Þ", "TH", "ĳ", "ij", "Ĳ", "IJ", "ħ", "h", "Ħ", "H", "ı", "i",
	"ŧ", "t", "Ŧ", "T", "ŋ", "ng", "Ŋ", "NG", "ŀ", "l", "Ŀ", "L", "ĸ", "k")
