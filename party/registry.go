package party

import (
	"strconv"
	"strings"

	"sceau/lifecycle"
)

// CheckRegistry checks a company's number in its national register and gives
// it without separators: the French SIREN (9 digits, Luhn), the Belgian
// enterprise number (KBO/BCE, 10 digits, modulo 97; dots and a leading BE are
// taken) and the Dutch KvK number (8 digits, no check digit). The error is a
// FieldError on registry_number, or on country when its register is unknown.
//
// The SIREN of La Poste, 356000000, obeys Luhn like every other; only the
// SIRET numbers of its offices do not.
func CheckRegistry(country, number string) (string, error) {
	switch country {
	case France:
		return checkSIREN(number)
	case Belgium:
		return checkKBO(number)
	case Netherlands:
		return checkKvK(number)
	}
	return "", wrong("country", "companies of FR, BE and NL can be subscribed")
}

// OrganizationIdentifier is the company's semantic identifier in a certificate
// (ETSI EN 319 412-1 §5.1.4): NTR, the country, a dash and the number in the
// national trade register, as in NTRFR-552100554.
func OrganizationIdentifier(country, number string) (string, error) {
	n, err := CheckRegistry(country, number)
	if err != nil {
		return "", err
	}
	return "NTR" + country + "-" + n, nil
}

func checkSIREN(number string) (string, error) {
	n, ok := digits(number, 9)
	if !ok || n == "000000000" {
		return "", wrong("registry_number", "a SIREN has 9 digits")
	}
	if !lifecycle.Luhn(n) {
		return "", wrong("registry_number", "the SIREN's check digit is wrong: a digit was mistyped or two were swapped")
	}
	return n, nil
}

func checkKBO(number string) (string, error) {
	n, ok := digits(strings.TrimPrefix(number, "BE"), 10)
	if !ok || n[0] > '1' {
		return "", wrong("registry_number", "a Belgian enterprise number has 10 digits and begins with 0 or 1")
	}
	body, err := strconv.Atoi(n[:8])
	if err != nil {
		return "", wrong("registry_number", "a Belgian enterprise number has 10 digits and begins with 0 or 1")
	}
	check, err := strconv.Atoi(n[8:])
	if err != nil || body == 0 || check != 97-body%97 {
		return "", wrong("registry_number", "the enterprise number's last two digits do not match the others (97 minus the remainder)")
	}
	return n, nil
}

func checkKvK(number string) (string, error) {
	n, ok := digits(number, 8)
	if !ok || n == "00000000" {
		return "", wrong("registry_number", "a KvK number has 8 digits")
	}
	return n, nil
}
