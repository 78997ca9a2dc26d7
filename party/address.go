package party

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"sceau/lifecycle"
)

// Address is where a letter goes. Recipient, Street, Postcode, City and
// Country (ISO 3166-1 alpha-2) are required.
type Address struct {
	Recipient    string // who opens it
	Organisation string // company, when sent to work
	Complement   string // flat, floor, building; in Belgium also the box: bte 3
	Street       string // number and street in the order of the country
	Postcode     string
	City         string
	Country      string
}

// country is what differs from one country's addresses to the next.
type country struct {
	postcode    *regexp.Regexp
	why         string
	numberAfter bool // the house number follows the street
	noSlash     bool // bpost: a box is introduced by a word, never by / or #
	optional    bool // not every country has postcodes
}

// The sources are XP Z10-011 and La Poste (FR), bpost (BE), PostNL (NL),
// DIN 5008 (DE), POST Luxembourg (LU), Swiss Post (CH) and Royal Mail (GB).
// Elsewhere in Europe an address is written as the Universal Postal Union
// advises: town in capitals, the postcode before it where there is one.
func rules(code string) (country, bool) {
	switch code {
	case France:
		return country{postcode: postcodeFR, why: "a French postcode has 5 digits and begins with a département, as in 35000"}, true
	case Belgium:
		return country{postcode: postcodeBE, why: "a Belgian postcode has 4 digits, as in 4700", numberAfter: true, noSlash: true}, true
	case Netherlands:
		return country{postcode: postcodeNL, why: "a Dutch postcode has 4 digits and 2 capitals, as in 1234 AB", numberAfter: true}, true
	case Germany:
		return country{postcode: postcodeDE, why: "a German postcode has 5 digits, as in 52062", numberAfter: true}, true
	case Luxembourg:
		return country{postcode: postcodeLU, why: "a Luxembourg postcode has 4 digits, as in L-1234"}, true
	case Switzerland:
		return country{postcode: postcodeCH, why: "a Swiss postcode has 4 digits, as in 8001"}, true
	case UnitedKingdom:
		return country{postcode: postcodeGB, why: "a British postcode has two parts in capitals, as in SW1A 1AA"}, true
	}
	if _, known := countryNames[code]; known {
		return country{postcode: postcodeOther, why: "a postcode has letters, digits, a space or a hyphen; leave it out where the country has none", optional: true}, true
	}
	return country{}, false
}

var (
	postcodeFR = regexp.MustCompile(`^(0[1-9]|[1-8][0-9]|9[0-578])[0-9]{3}$`)
	postcodeBE = regexp.MustCompile(`^[1-9][0-9]{3}$`)
	postcodeNL = regexp.MustCompile(`^[1-9][0-9]{3} ?[A-Z]{2}$`)
	postcodeDE = regexp.MustCompile(`^(0[1-9]|[1-9][0-9])[0-9]{3}$`)
	postcodeLU = regexp.MustCompile(`^(L-)?[1-9][0-9]{3}$`)
	postcodeCH = regexp.MustCompile(`^[1-9][0-9]{3}$`)
	postcodeGB = regexp.MustCompile(`^[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}$`)

	postcodeOther = regexp.MustCompile(`^[0-9A-Z][0-9A-Z -]{1,8}[0-9A-Z]$`)

	// A name, then a number that may have a letter, a range or an addition.
	numberLast  = regexp.MustCompile(`\pL.* [0-9]`)
	numberFirst = regexp.MustCompile(`^[0-9]+[ ,]`)
	// How a Belgian box is introduced (bpost), in three languages.
	boxBE = regexp.MustCompile(`(?i)^(bte|boîte|boite|bus|box|postfach) +[0-9A-Z][0-9A-Z. ]*$`)
)

// Check tells every wrong field at once (a [lifecycle.FieldErrors]), by the
// postal rules of the address's country: FR, BE, NL, DE, LU, CH or GB, and those
// common to the rest of the European Economic Area. What it accepts fits a letter's window whole: see [Address.Lines].
func (a Address) Check() error {
	var wrongs lifecycle.FieldErrors
	wrongs.AddError("recipient", CheckName("recipient", a.Recipient))
	if a.Organisation != "" {
		wrongs.AddError("organisation", CheckOrganisation("organisation", a.Organisation))
	}
	if a.Complement != "" {
		wrongs.AddError("complement", checkWords("complement", a.Complement, "'’-.,/()°", true))
	}
	c, known := rules(a.Country)
	if !known {
		wrongs.Add("address_country", "letters go to the European Economic Area, CH, GB and MC: give the two letters of ISO 3166-1")
	}
	wrongs.AddError("street", checkStreet(c, a.Street))
	switch {
	case !known:
	case a.Postcode == "" && c.optional:
	case a.Postcode == "":
		wrongs.Add("postcode", "is missing")
	case !c.postcode.MatchString(a.Postcode), a.Country == Netherlands && forbiddenNL(a.Postcode):
		wrongs.Add("postcode", c.why)
	}
	wrongs.AddError("city", checkWords("city", a.City, "'’-./()", true))
	if len(wrongs) == 0 {
		wrongs = append(wrongs, overflows(a.domestic())...)
	}
	return wrongs.Err()
}

func checkStreet(c country, street string) error {
	if err := checkWords("street", street, "'’-.,/°", true); err != nil {
		return err
	}
	switch {
	case c.noSlash && strings.Contains(street, "/"):
		return wrong("street", "introduce the box by bte, bus or box, not by a slash: Rue Courtejoie 17 bte 1")
	case c.numberAfter && (numberFirst.MatchString(street) || !numberLast.MatchString(street)):
		return wrong("street", "write the house number after the street, as in Kerkstraat 12")
	}
	return nil
}

// forbiddenNL: SA, SD and SS are never given out (PostNL).
func forbiddenNL(postcode string) bool {
	switch postcode[len(postcode)-2:] {
	case "SA", "SD", "SS":
		return true
	}
	return false
}

// overflows are the lines that do not fit, named by the field to shorten.
func overflows(lines []line) lifecycle.FieldErrors {
	var wrongs lifecycle.FieldErrors
	for _, l := range lines {
		if n := utf8.RuneCountInString(l.text); n > MaxLineLength {
			wrongs.Add(l.field, "is too long: its line in the letter has "+itoa(n)+" characters, "+
				itoa(MaxLineLength)+" fit; abbreviate it")
		}
	}
	return wrongs
}

func itoa(n int) string { return strconv.Itoa(n) }
