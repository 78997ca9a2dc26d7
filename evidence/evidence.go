// Package evidence is what proves that a holder is who their certificate will say:
// identity document, mandate, company extract, terms, and scans of them, as checked
// values; what is missing of them for a certificate at some level of the RGS (A2;
// pki.md §4.2); and what a file must be like to be kept as a scan.
//
// It never does I/O, knows a clock or keeps anything: issuance gives it values and
// the time, seals and stores. Data runs in as an account manager's file, fields or
// the bytes of a scan, and out as a checked value or as a list of what is wrong. The
// number of a document hides itself and is in no error.
package evidence

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/party"
)

// DocumentType is a kind of identity document with a photo.
type DocumentType string

// The documents.
const (
	Passport        DocumentType = "passport"
	IdentityCard    DocumentType = "identity_card"
	ResidencePermit DocumentType = "residence_permit"
)

// Way is how a holder's identity was checked.
type Way string

// The ways, from the strongest.
const (
	FaceToFace    Way = "face_to_face"
	SignedRequest Way = "signed_request" // at a distance, by a request signed with a certificate of level ** or above
	PaperCopy     Way = "paper_copy"     // a dossier on paper, with a copy of the document
)

// Identity is a document that somebody saw.
type Identity struct {
	Type               DocumentType
	Country            string // that issued it, ISO 3166-1 alpha-2
	Number             lifecycle.DocumentNumber
	Expires            time.Time // the last day that it is good
	GivenName, Surname string    // as on the document
	How                Way
	Where              string    // place
	SeenOn             time.Time // day
	SeenBy             string    // login; "" for who records it
	SignedWith         lifecycle.CertificateID
}

// Mandate is by what the company's legal representative names the holder.
type Mandate struct {
	SignedBy   string // the legal representative
	SignedOn   time.Time
	AcceptedOn time.Time // by the holder
	Agent      string    // user number of the company's certification agent who signs too; "" for none
}

// Extract is an extract from the register of companies.
type Extract struct {
	RegistryNumber string
	IssuedOn       time.Time
}

// Terms are the general terms that the holder accepted.
type Terms struct {
	Version    string
	AcceptedOn time.Time
}

// FreshMonths is how old a mandate may be when a certificate is first approved by it
// (RGS A2 III.2.3: three months); the same for an extract and for the day on which
// the document was seen.
const FreshMonths = 3

// europe issue identity cards and residence permits that are taken: the European
// Economic Area and Switzerland, and the small states whose cards open its borders.
var europe = strings.Fields("AT BE BG CH CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK AD MC SM VA")

// countries are those of ISO 3166-1, which issue passports.
var countries = strings.Fields(`AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
	CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI
	GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI
	LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF
	PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL
	TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW`)

// accepted tells whether a country's document of the type is taken.
func (t DocumentType) accepted(country string) bool {
	if t == Passport {
		return slices.Contains(countries, country)
	}
	return slices.Contains(europe, country)
}

// Check says all that is wrong with an identity on a day.
func (i Identity) Check(today time.Time) error {
	var errs lifecycle.FieldErrors
	switch {
	case !slices.Contains([]DocumentType{Passport, IdentityCard, ResidencePermit}, i.Type):
		errs.Add("document", "use passport, identity_card or residence_permit")
	case !slices.Contains(countries, i.Country):
		errs.Add("country", "use the two capitals of the country that issued it, as FR")
	case !i.Type.accepted(i.Country):
		errs.Add("country", fmt.Sprintf("a %s of %s is not taken: ask for a passport", i.Type, i.Country))
	}
	if i.Number.Last() == "" {
		errs.Add("number", "is missing")
	}
	const longest = 15
	switch {
	case i.Expires.Before(today):
		errs.Add("expires", "the document has expired: ask for another one")
	case i.Expires.After(today.AddDate(longest, 0, 0)):
		errs.Add("expires", "no document is good for so long: look at the date again")
	}
	errs.AddError("given_name", party.CheckName("given_name", i.GivenName))
	errs.AddError("surname", party.CheckName("surname", i.Surname))
	errs.AddError("where", party.CheckOrganisation("where", i.Where))
	checkFresh(&errs, "seen_on", i.SeenOn, today, "have the holder identified again")
	switch i.How {
	case FaceToFace, PaperCopy:
		if i.SignedWith != "" {
			errs.Add("signed_with", "is of a signed_request only")
		}
	case SignedRequest:
		errs.AddError("signed_with", lifecycle.CheckID(lifecycle.PrefixCertificate, string(i.SignedWith)))
	default:
		errs.Add("how", "use face_to_face, signed_request or paper_copy")
	}
	return errs.Err()
}

// Check says all that is wrong with a mandate on a day.
func (m Mandate) Check(today time.Time) error {
	var errs lifecycle.FieldErrors
	errs.AddError("signed_by", party.CheckName("signed_by", m.SignedBy))
	checkFresh(&errs, "signed_on", m.SignedOn, today, "have the legal representative sign a new one")
	if m.AcceptedOn.Before(m.SignedOn) || m.AcceptedOn.After(today) {
		errs.Add("accepted_on", "lies between the signature and today")
	}
	return errs.Err()
}

// Check says all that is wrong with an extract, of a company with that number, on a
// day.
func (e Extract) Check(country, registryNumber string, today time.Time) error {
	var errs lifecycle.FieldErrors
	number, err := party.CheckRegistry(country, e.RegistryNumber)
	errs.AddError("registry_number", err)
	if err == nil && number != registryNumber {
		errs.Add("registry_number", "is another company's: ask for the extract of the holder's company")
	}
	checkFresh(&errs, "issued_on", e.IssuedOn, today, "ask for a new extract")
	return errs.Err()
}

var versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$`)

// Check says all that is wrong with the terms on a day.
func (t Terms) Check(today time.Time) error {
	var errs lifecycle.FieldErrors
	if !versionForm.MatchString(t.Version) {
		errs.Add("version", "use 1 to 32 letters, digits, dots and dashes, as 2026-01")
	}
	if t.AcceptedOn.IsZero() || t.AcceptedOn.After(today) {
		errs.Add("accepted_on", "is a day up to today")
	}
	return errs.Err()
}

// checkFresh wants a day up to today and of these months.
func checkFresh(errs *lifecycle.FieldErrors, field string, day, today time.Time, todo string) {
	switch {
	case day.IsZero():
		errs.Add(field, "is missing")
	case day.After(today):
		errs.Add(field, "lies ahead")
	case !fresh(day, today):
		errs.Add(field, fmt.Sprintf("is %d months ago or more: %s", FreshMonths, todo))
	}
}

// fresh tells whether a day is less than three months before another.
func fresh(day, today time.Time) bool { return day.AddDate(0, FreshMonths, 0).After(today) }

// SameName tells whether a document shows the person that is ordered for. Both are
// compared as the machine-readable zone writes them; a document has all given names
// of a person, an order perhaps the usual one.
func SameName(given, surname, documentGiven, documentSurname string) bool {
	if words := party.Words(surname); len(words) == 0 || !slices.Equal(words, party.Words(documentSurname)) {
		return false
	}
	onDocument, ordered := party.Words(documentGiven), party.Words(given)
	return len(ordered) > 0 && !slices.ContainsFunc(ordered, func(w string) bool { return !slices.Contains(onDocument, w) })
}
