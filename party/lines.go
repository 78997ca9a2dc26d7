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
	switch senderCountry {
	case France, Belgium, Netherlands, Germany, Luxembourg:
	default:
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
	town, last := line{field: "city"}, line{field: "postcode"}
	switch a.Country {
	case France:
		street = postalCapitals(street)
		town.text = a.Postcode + " " + postalCapitals(a.City)
	case Netherlands:
		digits, letters := a.Postcode[:4], strings.TrimSpace(a.Postcode[4:])
		town.text = digits + " " + letters + "  " + capitals(a.City)
	case Luxembourg:
		town.text = "L-" + strings.TrimPrefix(a.Postcode, "L-") + " " + a.City
	case Belgium, Germany, Switzerland:
		town.text = a.Postcode + " " + a.City
	case UnitedKingdom: // the postcode stands alone
		town.text, last.text = capitals(a.City), a.Postcode
	default:
		town.text = strings.TrimSpace(a.Postcode + " " + capitals(a.City))
	}
	lines := make([]line, 0, MaxLines)
	for _, l := range []line{
		{"recipient", a.Recipient},
		{"organisation", a.Organisation},
		{"complement", complement},
		{"street", street},
		town,
		last,
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
	names := countryNames[code]
	switch sender {
	case Netherlands:
		return names[1]
	case Germany:
		return names[2]
	}
	return names[0]
}

// countryNames are the countries that letters go to, in French, Dutch and
// German.
var countryNames = map[string][3]string{
	France:        {"FRANCE", "FRANKRIJK", "FRANKREICH"},
	Belgium:       {"BELGIQUE", "BELGIË", "BELGIEN"},
	Netherlands:   {"PAYS-BAS", "NEDERLAND", "NIEDERLANDE"},
	Germany:       {"ALLEMAGNE", "DUITSLAND", "DEUTSCHLAND"},
	Luxembourg:    {"LUXEMBOURG", "LUXEMBURG", "LUXEMBURG"},
	Switzerland:   {"SUISSE", "ZWITSERLAND", "SCHWEIZ"},
	UnitedKingdom: {"ROYAUME-UNI", "VERENIGD KONINKRIJK", "GROSSBRITANNIEN"},
	"AT":          {"AUTRICHE", "OOSTENRIJK", "ÖSTERREICH"},
	"BG":          {"BULGARIE", "BULGARIJE", "BULGARIEN"},
	"CY":          {"CHYPRE", "CYPRUS", "ZYPERN"},
	"CZ":          {"TCHÉQUIE", "TSJECHIË", "TSCHECHIEN"},
	"DK":          {"DANEMARK", "DENEMARKEN", "DÄNEMARK"},
	"EE":          {"ESTONIE", "ESTLAND", "ESTLAND"},
	"ES":          {"ESPAGNE", "SPANJE", "SPANIEN"},
	"FI":          {"FINLANDE", "FINLAND", "FINNLAND"},
	"GR":          {"GRÈCE", "GRIEKENLAND", "GRIECHENLAND"},
	"HR":          {"CROATIE", "KROATIË", "KROATIEN"},
	"HU":          {"HONGRIE", "HONGARIJE", "UNGARN"},
	"IE":          {"IRLANDE", "IERLAND", "IRLAND"},
	"IS":          {"ISLANDE", "IJSLAND", "ISLAND"},
	"IT":          {"ITALIE", "ITALIË", "ITALIEN"},
	"LI":          {"LIECHTENSTEIN", "LIECHTENSTEIN", "LIECHTENSTEIN"},
	"LT":          {"LITUANIE", "LITOUWEN", "LITAUEN"},
	"LV":          {"LETTONIE", "LETLAND", "LETTLAND"},
	"MC":          {"MONACO", "MONACO", "MONACO"},
	"MT":          {"MALTE", "MALTA", "MALTA"},
	"NO":          {"NORVÈGE", "NOORWEGEN", "NORWEGEN"},
	"PL":          {"POLOGNE", "POLEN", "POLEN"},
	"PT":          {"PORTUGAL", "PORTUGAL", "PORTUGAL"},
	"RO":          {"ROUMANIE", "ROEMENIË", "RUMÄNIEN"},
	"SE":          {"SUÈDE", "ZWEDEN", "SCHWEDEN"},
	"SI":          {"SLOVÉNIE", "SLOVENIË", "SLOWENIEN"},
	"SK":          {"SLOVAQUIE", "SLOWAKIJE", "SLOWAKEI"},
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
