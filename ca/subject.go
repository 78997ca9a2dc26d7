package ca

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"sceau/lifecycle"
)

// Subject is the approved content of a person's or a system's certificate. Every
// field comes from the approved order, none from the certificate request.
type Subject struct {
	Service        string // name of a system, in the place of a person's names and number
	GivenName      string // as on the identity document, transliterated by the caller where needed (EN 319 412-2 NAT-4.2.4-10)
	Surname        string
	Organization   string // official full name, 64 characters at most (RFC 5280 appendix A)
	OrganizationID string // organizationIdentifier, e.g. "NTRFR-552100554" (EN 319 412-1 LEG-5.1.4)
	RegistryNumber string // SIREN or SIRET when Country is FR: the OU "0002 …" (RGS A4 VII.1); else empty or unused
	Country        string // ISO 3166-1 alpha-2, upper case
	HolderNumber   string // serialNumber attribute: opaque, resolves homonyms, never given to another holder
	Email          string // rfc822Name, optional
	Test           bool   // a test certificate: names start with "TEST " (RGS A4 II.4)
}

// Name is the name of a CA, a responder or a server: a legal person's
// (EN 319 412-2 GEN-4.2.3.1).
type Name struct {
	CommonName     string
	Organization   string
	OrganizationID string // optional
	RegistryNumber string // SIREN or SIRET when Country is FR; else empty or unused
	Country        string
}

// testPrefix starts the names of a test certificate (RGS A4 II.4).
const testPrefix = "TEST "

// CommonName is the commonName of the certificate: the system's name, or given name
// and surname.
func (s Subject) CommonName() string {
	if s.Service != "" {
		return s.prefix() + s.Service
	}
	return s.prefix() + s.GivenName + " " + s.Surname
}

func (s Subject) prefix() string {
	if s.Test {
		return testPrefix
	}
	return ""
}

// attribute is one attribute of a distinguished name, by its dotted type.
type attribute struct{ oid, value string }

// Attribute types (X.520; 2.5.4.97 from ETSI TS 119 412-1).
const (
	oidCommonName     = "2.5.4.3"
	oidSurname        = "2.5.4.4"
	oidSerialNumber   = "2.5.4.5"
	oidCountry        = "2.5.4.6"
	oidOrganization   = "2.5.4.10"
	oidOrgUnit        = "2.5.4.11"
	oidGivenName      = "2.5.4.42"
	oidOrganizationID = "2.5.4.97"
)

// attributes lists the distinguished name in its encoded order.
func (s Subject) attributes() []attribute {
	org := Name{
		CommonName: s.CommonName(), Organization: s.Organization, OrganizationID: s.OrganizationID,
		RegistryNumber: s.RegistryNumber, Country: s.Country,
	}
	out := org.attributes()
	if s.Service != "" {
		return out
	}
	return append(out,
		attribute{oidSerialNumber, s.HolderNumber},
		attribute{oidSurname, s.prefix() + s.Surname},
		attribute{oidGivenName, s.prefix() + s.GivenName})
}

func (n Name) attributes() []attribute {
	out := []attribute{{oidCountry, n.Country}, {oidOrganization, n.Organization}}
	if n.Country == "FR" && n.RegistryNumber != "" {
		out = append(out, attribute{oidOrgUnit, "0002 " + n.RegistryNumber})
	}
	if n.OrganizationID != "" {
		out = append(out, attribute{oidOrganizationID, n.OrganizationID})
	}
	return append(out, attribute{oidCommonName, n.CommonName})
}

// Validate names every wrong field at once, so that a form can show them.
func (s Subject) Validate() error {
	var errs lifecycle.FieldErrors
	if s.Service != "" {
		s.validateService(&errs)
		return errs.Err()
	}
	errs.AddError("given_name", text(s.GivenName))
	errs.AddError("surname", text(s.Surname))
	if utf8.RuneCountInString(s.CommonName()) > 64 {
		errs.Add("surname", "given name and surname together have 63 characters at most (RFC 5280 ub-common-name)")
	}
	checkOrganization(&errs, s.Organization, s.OrganizationID, s.RegistryNumber, s.Country)
	if s.OrganizationID == "" {
		errs.Add("organization_id", "is needed: a person certificate names the organisation's identifier")
	}
	if !printable.MatchString(s.HolderNumber) {
		errs.Add("holder_number", "use 1 to 64 letters, digits or dashes")
	}
	if s.Email != "" && !validEmail(s.Email) {
		errs.Add("email", "is not an address of the form name@domain in ASCII, 254 characters at most")
	}
	return errs.Err()
}

func (s Subject) validateService(errs *lifecycle.FieldErrors) {
	errs.AddError("service", text(s.CommonName()))
	checkOrganization(errs, s.Organization, s.OrganizationID, s.RegistryNumber, s.Country)
	if s.OrganizationID == "" {
		errs.Add("organization_id", "is needed: a system's certificate names the organisation's identifier")
	}
	if s.GivenName != "" || s.Surname != "" || s.HolderNumber != "" || s.Email != "" {
		errs.Add("service", "a system has no person's names, number or address")
	}
}

// Validate names every wrong field at once.
func (n Name) Validate() error {
	var errs lifecycle.FieldErrors
	errs.AddError("common_name", text(n.CommonName))
	checkOrganization(&errs, n.Organization, n.OrganizationID, n.RegistryNumber, n.Country)
	return errs.Err()
}

var (
	printable = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	country   = regexp.MustCompile(`^[A-Z]{2}$`)
	// LEG-5.1.4-02, -03: scheme, country, dash, reference; national schemes are two letters and a colon.
	organizationID = regexp.MustCompile(`^(?:(?:VAT|NTR|PSD|EOR|EXC|[A-Z]{2}:)[A-Z]{2}|LEIXG)-[A-Za-z0-9./ -]{1,48}$`)
)

func checkOrganization(errs *lifecycle.FieldErrors, name, id, registry, land string) {
	errs.AddError("organization", text(name))
	if !country.MatchString(land) {
		errs.Add("country", "use the two capital letters of ISO 3166-1")
	}
	if id != "" && (!organizationID.MatchString(id) || id == name) {
		errs.Add("organization_id", "use a form such as NTRFR-552100554, LEIXG-… or VATBE-… (EN 319 412-1 §5.1.4)")
	}
	if land != "FR" {
		return
	}
	if registry == "" {
		errs.Add("registry_number", "is needed for a French organisation (RGS A4 VII)")
	} else if !validSIREN(registry) {
		errs.Add("registry_number", "is not a SIREN (9 digits) or SIRET (14 digits): a check digit is wrong")
	} else if siren, ok := strings.CutPrefix(id, "NTRFR-"); ok && siren != registry && siren != registry[:9] {
		errs.Add("organization_id", "names another SIREN than the registry number")
	}
}

// maxText is the longest name in characters (RFC 5280 appendix A.1).
const maxText = 64

// text checks a name: present, bounded, clean UTF-8. Characters that do not
// show (controls, direction marks) would let two names look alike.
func text(s string) error {
	switch {
	case s == "":
		return &lifecycle.FieldError{Why: "is missing"}
	case len(s) > 4*maxText || utf8.RuneCountInString(s) > maxText:
		return &lifecycle.FieldError{Why: "is longer than 64 characters: use the official short form"}
	case !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError):
		return &lifecycle.FieldError{Why: "is not UTF-8 text"}
	case strings.TrimSpace(s) != s:
		return &lifecycle.FieldError{Why: "starts or ends with a space"}
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return &lifecycle.FieldError{Why: "has a character that does not print"}
	}
	return nil
}

// validSIREN checks a SIREN or SIRET (INSEE: Luhn; the establishments of La
// Poste, SIREN 356000000, sum to a multiple of five instead).
func validSIREN(s string) bool {
	sum := 0
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
		sum += int(r - '0')
	}
	switch len(s) {
	case 9:
		return lifecycle.Luhn(s)
	case 14:
		return lifecycle.Luhn(s[:9]) && (lifecycle.Luhn(s) || s[:9] == "356000000" && sum%5 == 0)
	}
	return false
}

func validEmail(s string) bool {
	if len(s) > 254 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && a.Name == ""
}
