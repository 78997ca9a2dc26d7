package ca

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"sceau/certprofile"
)

// rules are the clauses that zlint does not know for certificates that are not
// qualified: EN 319 412-1 to -3, EN 319 411-1, the RGS (A2, A4), and RFC 5280 and
// 6960 where zlint is silent.
var rules = []rule{
	{"version-3", "RGS A4 II.2.1", ofAny, func(s *subjectOfLint) string { return unless(s.Version == 3, "the version is %d, not 3", s.Version) }},
	{"serial-positive", "RFC 5280 §4.1.2.2", ofAny, func(s *subjectOfLint) string {
		return unless(s.SerialNumber.Sign() > 0 && len(s.SerialNumber.Bytes()) <= 20, "the serial number is not positive, or longer than 20 octets")
	}},
	{"serial-unpredictable", "RGS A4 II.2.1", ofEnd, func(s *subjectOfLint) string {
		return unless(s.SerialNumber.BitLen() >= 64, "a serial number of %d bits can be guessed", s.SerialNumber.BitLen())
	}},
	{"no-unique-identifiers", "RGS A4 II.2.1", ofAny, func(s *subjectOfLint) string {
		return unless(!s.unique, "issuerUniqueID and subjectUniqueID are not used")
	}},
	{"no-sha1", "RGS B1", ofAny, func(s *subjectOfLint) string {
		return unless(!slices.Contains(brokenAlgorithms, s.SignatureAlgorithm), "%s is broken", s.SignatureAlgorithm)
	}},
	{"key-strength", "RGS B1", ofAny, func(s *subjectOfLint) string {
		why := weakKey(s.PublicKey)
		return unless(why == "", "the key %s", why)
	}},

	{"issuer-is-a-legal-person", "EN 319 412-2 GEN-4.2.3.1", ofAny, func(s *subjectOfLint) string {
		return each(s.issuers, "the issuer's", once, oidCountry, oidOrganization, oidCommonName)
	}},
	{"issuer-identifier-is-another", "EN 319 412-2 GEN-4.2.3.1", ofAny, func(s *subjectOfLint) string {
		id := values(s.issuers, oidOrganizationID)
		return unless(len(id) == 0 || !slices.Equal(id, values(s.issuers, oidOrganization)), "the issuer's organizationIdentifier repeats its organisation")
	}},
	{"issuer-siren", "RGS A4 VII.1", ofAny, func(s *subjectOfLint) string { return siren(s.issuers) }},

	{"subject-country", "EN 319 412-2 NAT-4.2.4-1", ofAny, func(s *subjectOfLint) string {
		c := values(s.names, oidCountry)
		return unless(len(c) == 1 && country.MatchString(c[0]), "the country is there once, as two capital letters, not %q", c)
	}},
	{"subject-organisation", "RGS A4 VII.2.1", ofAny, func(s *subjectOfLint) string {
		return each(s.names, "the subject's", once, oidOrganization, oidCommonName)
	}},
	{"subject-siren", "RGS A4 VII.2.1", ofAny, func(s *subjectOfLint) string { return siren(s.names) }},
	{"organization-identifier", "EN 319 412-1 LEG-5.1.4-02, -03", ofAny, func(s *subjectOfLint) string {
		for _, id := range values(s.names, oidOrganizationID) {
			if !organizationID.MatchString(id) {
				return fmt.Sprintf("organizationIdentifier %q has not a form such as NTRFR-552100554", id)
			}
		}
		return ""
	}},
	{"person-names", "EN 319 412-2 NAT-4.2.4-1, -4", ofPerson, func(s *subjectOfLint) string {
		if hasAttribute(s.names, oidPseudonym) {
			return unless(!hasAttribute(s.names, oidSurname) && !hasAttribute(s.names, oidGivenName), "a pseudonym stands beside a name")
		}
		return each(s.names, "the person's", once, oidGivenName, oidSurname)
	}},
	{"person-serial-number", "EN 319 412-2 NAT-4.2.4-2, -13", ofPerson, func(s *subjectOfLint) string {
		return each(s.names, "the person's", once, oidSerialNumber)
	}},
	{"person-organization-identifier", "EN 319 412-2 NAT-4.2.4-5", ofPerson, func(s *subjectOfLint) string {
		return each(s.names, "the person's", once, oidOrganizationID)
	}},
	{"common-name-is-the-persons", "EN 319 412-2 NAT-4.2.4-15, -19", ofPerson, commonNameIsThePersons},
	{"test-prefix", "RGS A4 II.4", ofPerson, func(s *subjectOfLint) string {
		var with, without bool
		for _, a := range s.names {
			if a.oid == oidCommonName || a.oid == oidGivenName || a.oid == oidSurname {
				test := strings.HasPrefix(a.value, testPrefix)
				with, without = with || test, without || !test
			}
		}
		return unless(!with || !without, "%q starts some of the names and not all", testPrefix)
	}},
	{"text", "RFC 5280 §4.1.2.6", ofAny, func(s *subjectOfLint) string {
		for _, a := range s.names {
			if strings.TrimSpace(a.value) != a.value || a.value == "" || strings.ContainsFunc(a.value, func(r rune) bool { return !unicode.IsPrint(r) }) {
				return fmt.Sprintf("attribute %s is empty, or has spaces at its ends or characters that do not show", a.oid)
			}
		}
		return ""
	}},

	{"authority-key-identifier", "EN 319 412-2 GEN-4.3.1-1", ofEnd, present(oidAuthorityKeyID, false)},
	{"key-usage", "RGS A4 II.2.2; EN 319 412-2 NAT-4.3.2-1", ofAny, present(oidKeyUsage, true)},
	{"person-key-usage", "EN 319 412-2 NAT-4.3.2-1; RGS A2 I.1.1", ofPerson, func(s *subjectOfLint) string {
		const authentication, signature = x509.KeyUsageDigitalSignature, x509.KeyUsageContentCommitment
		return unless(s.KeyUsage == authentication || s.KeyUsage == signature || s.KeyUsage == authentication|signature,
			"keyUsage is digitalSignature (type C), nonRepudiation (type A), or both (RGS * and **)")
	}},
	{"policies", "EN 319 412-2 GEN-4.3.3", ofPerson | ofService, present(oidCertificatePolicies, false)},
	{"service-names", "EN 319 412-3 LEG-4.2.1", ofService, func(s *subjectOfLint) string {
		return cmpOr(each(s.names, "the system's", once, oidOrganizationID), each(s.names, "the system's", 0, oidGivenName, oidSurname, oidPseudonym))
	}},
	{"service-key-usage", "RFC 5280 §4.2.1.12", ofService, func(s *subjectOfLint) string {
		return unless(s.KeyUsage == x509.KeyUsageDigitalSignature, "a TLS client's keyUsage is digitalSignature alone")
	}},
	{"extended-key-usage", "EN 319 412-2 GEN-4.3.10-1", ofPerson | ofService, func(s *subjectOfLint) string {
		if _, ok := s.extensions[oidExtKeyUsage]; !ok {
			return ""
		}
		return cmpOr(present(oidExtKeyUsage, false)(s), unless(!slices.Contains(s.ExtKeyUsage, x509.ExtKeyUsageAny), "anyExtendedKeyUsage allows what nobody thought of"))
	}},
	{"alternative-name", "EN 319 412-2 GEN-4.3.5-1", ofPerson | ofService, func(s *subjectOfLint) string {
		if _, ok := s.extensions[oidSubjectAltName]; !ok {
			return ""
		}
		return present(oidSubjectAltName, false)(s)
	}},
	{"distribution-points", "EN 319 412-2 GEN-4.3.11", ofPerson | ofService | ofServer | ofSigner | ofCA, func(s *subjectOfLint) string {
		if selfSigned(s) {
			return ""
		}
		return cmpOr(present(oidDistributionPoints, false)(s), reachable("cRLDistributionPoints", s.CRLDistributionPoints, "http", "ldap"))
	}},
	{"freshest-crl", "RFC 5280 §4.2.1.15", ofAny, func(s *subjectOfLint) string {
		if _, ok := s.extensions[oidFreshestCRL]; !ok {
			return ""
		}
		return present(oidFreshestCRL, false)(s)
	}},
	{"authority-information", "EN 319 412-2 GEN-4.4.1-2 to -7", ofEnd | ofCA, func(s *subjectOfLint) string {
		if selfSigned(s) {
			return ""
		}
		return cmpOr(present(oidAuthorityInfo, false)(s), reachable("id-ad-caIssuers", s.IssuingCertificateURL, "http", "https"))
	}},
	{"person-ocsp", "EN 319 412-2 GEN-4.4.1-5", ofPerson, func(s *subjectOfLint) string {
		return reachable("id-ad-ocsp", s.OCSPServer, "http", "https")
	}},
	{"no-constraints", "EN 319 412-2 GEN-4.3.4, -8, -9, -12", ofEnd, func(s *subjectOfLint) string {
		for _, oid := range []string{oidPolicyMappings, oidNameConstraints, oidConstraints, oidInhibitAnyPolicy} {
			if _, ok := s.extensions[oid]; ok {
				return "extension " + oid + " is for CAs"
			}
		}
		return ""
	}},
	{"not-qualified", "RGS A4 II.2.2; EN 319 412-5 QCS-5.1, -5.2", ofPerson, func(s *subjectOfLint) string {
		return unless(s.KeyUsage&x509.KeyUsageDigitalSignature == 0 || !slices.Contains(s.statements, oidQCCompliance),
			"an authentication certificate claims to be qualified (QcCompliance)")
	}},
	{"three-years", "RGS A2", ofPerson | ofService, func(s *subjectOfLint) string {
		return unless(!s.NotAfter.After(s.NotBefore.AddDate(certprofile.MaxYears, 0, 0)), "it lives three years at most")
	}},
	{"validity", "RFC 5280 §4.1.2.5", ofAny, func(s *subjectOfLint) string {
		return unless(s.NotAfter.After(s.NotBefore), "it ends before it begins")
	}},

	{"responder-is-not-asked-about", "RFC 6960 §4.2.2.2.1; EN 319 411-1 CSS-6.6.3-01B", ofResponder, func(s *subjectOfLint) string {
		_, ok := s.extensions[oidOCSPNoCheck]
		return unless(ok && len(s.OCSPServer) == 0, "an OCSP responder has id-pkix-ocsp-nocheck, and no id-ad-ocsp")
	}},
	{"ca-constraints", "RFC 5280 §4.2.1.9", ofCA, present(oidBasicConstraints, true)},
	{"ca-key-usage", "RFC 5280 §4.2.1.3", ofCA, func(s *subjectOfLint) string {
		return unless(s.KeyUsage == x509.KeyUsageCertSign|x509.KeyUsageCRLSign, "a CA's key signs certificates and lists, and nothing else")
	}},
	{"ca-purpose", "RFC 6960 §4.2.2.2", ofCA, func(s *subjectOfLint) string {
		return unless(!slices.Contains(s.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning), "a CA with OCSPSigning answers for its parent")
	}},
}

var brokenAlgorithms = []x509.SignatureAlgorithm{
	x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1,
}

// unless is nothing when all is well, else the text.
func unless(well bool, format string, args ...any) string {
	if well {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func cmpOr(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// once wants a type of attribute to stand once.
const once = 1

// each wants several types of attribute to stand so many times.
func each(all []attribute, whose string, n int, oids ...string) string {
	for _, oid := range oids {
		if got := len(values(all, oid)); got != n {
			return fmt.Sprintf("%s attribute %s stands %d times, not %d", whose, oid, got, n)
		}
	}
	return ""
}

// present wants an extension, critical or not.
func present(oid string, critical bool) func(*subjectOfLint) string {
	return func(s *subjectOfLint) string {
		e, ok := s.extensions[oid]
		switch {
		case !ok:
			return "extension " + oid + " is missing"
		case e.Critical != critical:
			return fmt.Sprintf("extension %s is critical: %t, not %t", oid, e.Critical, critical)
		}
		return ""
	}
}

// reachable wants at least one address, each with one of the schemes.
func reachable(what string, addresses []string, schemes ...string) string {
	if len(addresses) == 0 {
		return what + " is missing"
	}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" {
			return fmt.Sprintf("%s %q is not an address that anybody can fetch (%s)", what, address, strings.Join(schemes, ", "))
		}
	}
	return ""
}

func selfSigned(s *subjectOfLint) bool { return string(s.RawSubject) == string(s.RawIssuer) }

// siren checks the identifiers of a French organisation: one OU "0002 SIREN", and
// an organizationIdentifier that says the same.
func siren(all []attribute) string {
	if c := values(all, oidCountry); len(c) != 1 || c[0] != "FR" {
		return ""
	}
	var numbers []string
	for _, ou := range values(all, oidOrgUnit) {
		if number, ok := strings.CutPrefix(ou, "0002 "); ok {
			numbers = append(numbers, number)
		}
	}
	if len(numbers) != 1 {
		return fmt.Sprintf("a French organisation has one OU \"0002 SIREN\", not %d", len(numbers))
	}
	if !validSIREN(numbers[0]) {
		return fmt.Sprintf("%q is not a SIREN or SIRET: a check digit is wrong", numbers[0])
	}
	for _, id := range values(all, oidOrganizationID) {
		if said, ok := strings.CutPrefix(id, "NTRFR-"); ok && said != numbers[0] && said != numbers[0][:9] {
			return fmt.Sprintf("organizationIdentifier %q names another SIREN than the OU", id)
		}
	}
	return ""
}

// commonNameIsThePersons wants a name of the person, in the script of its parts.
func commonNameIsThePersons(s *subjectOfLint) string {
	common := values(s.names, oidCommonName)
	surname, given := values(s.names, oidSurname), values(s.names, oidGivenName)
	if len(common) != 1 || len(surname) != 1 || len(given) != 1 {
		return "" // said by another rule
	}
	for name, in := range map[string]*unicode.RangeTable{"Latin": unicode.Latin, "Greek": unicode.Greek, "Cyrillic": unicode.Cyrillic} {
		has := func(text string) bool {
			return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(in, r) })
		}
		if has(common[0]) != (has(surname[0]) || has(given[0])) {
			return "commonName and the names are not in the same script: " + name
		}
	}
	return unless(strings.Contains(common[0], strings.TrimPrefix(surname[0], testPrefix)), "commonName %q has not the surname", common[0])
}
