package ca

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"sceau/lifecycle"
)

// name encodes a distinguished name, attribute by attribute.
func name(t testing.TB, all ...attribute) []byte {
	t.Helper()
	var rdns pkix.RDNSequence
	for _, a := range all {
		rdns = append(rdns, pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier(dottedOID(a.oid)), Value: a.value}})
	}
	return must[[]byte](t)(asn1.Marshal(rdns))
}

// with is a name with one type of attribute replaced, by none, one or several.
func with(t testing.TB, raw []byte, oid string, replaced ...string) []byte {
	t.Helper()
	all := slices.DeleteFunc(attributesOf(raw), func(a attribute) bool { return a.oid == oid })
	for _, v := range replaced {
		all = append(all, attribute{oid, v})
	}
	return name(t, all...)
}

// change is a certificate with one thing changed, signed again.
func change(t *testing.T, h *house, c *x509.Certificate, spoil func(*x509.Certificate)) []byte {
	t.Helper()
	template := *c
	template.ExtraExtensions = slices.Clone(c.Extensions)
	// Everything comes from the extensions copied, nothing from the fields.
	template.KeyUsage, template.ExtKeyUsage, template.Policies, template.PolicyIdentifiers = 0, nil, nil, nil
	template.CRLDistributionPoints, template.OCSPServer, template.IssuingCertificateURL, template.EmailAddresses = nil, nil, nil, nil
	template.BasicConstraintsValid, template.AuthorityKeyId, template.SubjectKeyId = false, nil, nil
	parent := *h.issuer.Certificate
	parent.SubjectKeyId = nil
	spoil(&template)
	if template.RawIssuer != nil && string(template.RawIssuer) != string(c.RawIssuer) {
		parent.RawSubject = template.RawIssuer
	}
	return must[[]byte](t)(x509.CreateCertificate(rand.Reader, &template, &parent, template.PublicKey, h.key))
}

func drop(c *x509.Certificate, oid string) {
	c.ExtraExtensions = slices.DeleteFunc(c.ExtraExtensions, func(e pkix.Extension) bool { return e.Id.String() == oid })
}

func put(c *x509.Certificate, oid string, critical bool, value []byte) {
	drop(c, oid)
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier(dottedOID(oid)), Critical: critical, Value: value})
}

func turn(c *x509.Certificate, oid string) {
	for i, e := range c.ExtraExtensions {
		if e.Id.String() == oid {
			c.ExtraExtensions[i].Critical = !e.Critical
		}
	}
}

func TestEveryCertificateOfTheHouseKeepsEveryRule(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	for what, c := range map[string]*x509.Certificate{
		"root": h.root.Certificate, "issuing CA": h.issuer.Certificate, "responder": h.responder.Certificate(), "holder": leaf,
	} {
		for form, file := range map[string][]byte{"DER": c.Raw, "PEM": pem.EncodeToMemory(certPEM(c))} {
			if findings := must[[]Finding](t)(Lint(file)); len(findings) != 0 {
				t.Errorf("%s, %s: %v", what, form, findings)
			}
		}
	}
}

func TestARuleObjectsToWhatBreaksIt(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	greek, far := "ΠΑΠΑΔΟΠΟΥΛΟΣ", leaf.NotBefore.AddDate(3, 0, 1)
	subject := func(oid string, replaced ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.RawSubject = with(t, c.RawSubject, oid, replaced...) }
	}
	issuer := func(oid string, replaced ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.RawIssuer = with(t, leaf.RawIssuer, oid, replaced...) }
	}
	without := func(oid string) func(*x509.Certificate) { return func(c *x509.Certificate) { drop(c, oid) } }
	turned := func(oid string) func(*x509.Certificate) { return func(c *x509.Certificate) { turn(c, oid) } }
	usage := func(bits ...byte) func(*x509.Certificate) {
		return func(c *x509.Certificate) { put(c, oidKeyUsage, true, append([]byte{3, byte(len(bits))}, bits...)) }
	}
	system := func(spoil func(*x509.Certificate)) func(*x509.Certificate) { // told by what it has not of a person
		return func(c *x509.Certificate) {
			for _, oid := range []string{oidSurname, oidGivenName, oidSerialNumber} {
				subject(oid)(c)
			}
			spoil(c)
		}
	}
	broken := map[string]bool{}
	for _, tc := range []struct {
		rule  string
		spoil func(*x509.Certificate)
	}{
		{"serial-unpredictable", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(77) }},
		{"key-strength", func(c *x509.Certificate) { c.PublicKey = ecKey(t, elliptic.P224()).Public() }},
		{"issuer-is-a-legal-person", issuer(oidOrganization)},
		{"issuer-is-a-legal-person", issuer(oidCommonName, "a", "b")},
		{"issuer-identifier-is-another", issuer(oidOrganizationID, "Banque Exemple SA")},
		{"issuer-siren", issuer(oidOrgUnit)},
		{"issuer-siren", issuer(oidOrgUnit, "0002 552100555")},
		{"subject-country", subject(oidCountry)},
		{"subject-country", subject(oidCountry, "fr")},
		{"subject-country", subject(oidCountry, "FR", "BE")},
		{"subject-organisation", subject(oidOrganization)},
		{"subject-siren", subject(oidOrgUnit)},
		{"subject-siren", subject(oidOrgUnit, "0002 732829320", "0002 552100554")},
		{"subject-siren", subject(oidOrgUnit, "0002 732829321")},
		{"subject-siren", subject(oidOrganizationID, "NTRFR-552100554")},
		{"organization-identifier", subject(oidOrganizationID, "732829320")},
		{"person-names", subject(oidSurname)},
		{"person-names", subject(oidPseudonym, "zorro")},
		{"person-serial-number", subject(oidSerialNumber)},
		{"person-organization-identifier", subject(oidOrganizationID)},
		{"common-name-is-the-persons", subject(oidCommonName, "TEST "+greek)},
		{"common-name-is-the-persons", subject(oidCommonName, "TEST Amélie Martin")},
		{"test-prefix", subject(oidGivenName, "Amélie")},
		{"text", subject(oidOrganization, "Boulangerie\u202eSA")},
		{"text", subject(oidOrganization, "Boulangerie ")},
		{"authority-key-identifier", without(oidAuthorityKeyID)},
		{"key-usage", turned(oidKeyUsage)},
		{"key-usage", without(oidKeyUsage)},
		{"person-key-usage", usage(3, 0x28)},
		{"service-names", system(subject(oidOrganizationID))},
		{"service-key-usage", system(usage(6, 0x40))},
		{"policies", without(oidCertificatePolicies)},
		{"policies", system(without(oidCertificatePolicies))},
		{"extended-key-usage", turned(oidExtKeyUsage)},
		{"extended-key-usage", func(c *x509.Certificate) {
			put(c, oidExtKeyUsage, false, must[[]byte](t)(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}, {2, 5, 29, 37, 0}})))
		}},
		{"alternative-name", turned(oidSubjectAltName)},
		{"distribution-points", without(oidDistributionPoints)},
		{"distribution-points", turned(oidDistributionPoints)},
		{"distribution-points", func(c *x509.Certificate) {
			put(c, oidDistributionPoints, false, distributionPoints("file:///etc/passwd"))
		}},
		{"freshest-crl", turned(oidFreshestCRL)},
		{"authority-information", without(oidAuthorityInfo)},
		{"person-ocsp", without(oidAuthorityInfo)},
		{"no-constraints", func(c *x509.Certificate) { put(c, oidInhibitAnyPolicy, true, []byte{2, 1, 0}) }},
		{"not-qualified", func(c *x509.Certificate) {
			put(c, oidQCStatements, false, must[[]byte](t)(asn1.Marshal([]struct{ ID asn1.ObjectIdentifier }{{asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1}}})))
		}},
		{"three-years", func(c *x509.Certificate) { c.NotAfter = far }},
		{"validity", func(c *x509.Certificate) { c.NotAfter = c.NotBefore }},
		{"responder-is-not-asked-about", func(c *x509.Certificate) {
			put(c, oidExtKeyUsage, false, must[[]byte](t)(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 9}})))
		}},
		{"ca-constraints", func(c *x509.Certificate) { put(c, oidBasicConstraints, false, []byte{0x30, 3, 1, 1, 0xff}) }},
		{"ca-key-usage", func(c *x509.Certificate) { put(c, oidBasicConstraints, true, []byte{0x30, 3, 1, 1, 0xff}) }},
		{"ca-purpose", func(c *x509.Certificate) {
			put(c, oidBasicConstraints, true, []byte{0x30, 3, 1, 1, 0xff})
			put(c, oidExtKeyUsage, false, must[[]byte](t)(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 9}})))
		}},
	} {
		broken[tc.rule] = true
		findings, err := Lint(change(t, h, leaf, tc.spoil))
		if err != nil {
			t.Errorf("%s: %v", tc.rule, err)
			continue
		}
		i := slices.IndexFunc(findings, func(f Finding) bool { return f.Rule == tc.rule })
		if i < 0 || findings[i].Source == "" || findings[i].Text == "" || findings[i].Severity != SeverityError {
			t.Errorf("%s does not object; found are %v", tc.rule, findings)
		}
	}
	// What no library would encode for this test.
	broken["version-3"], broken["serial-positive"], broken["no-sha1"], broken["no-unique-identifiers"] = true, true, true, true
	for _, r := range rules {
		if !broken[r.name] {
			t.Errorf("rule %s is not tried", r.name)
		}
	}
}

func TestRulesThatNoLibraryBreaks(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	spoiled := func(spoil func(*subjectOfLint)) *subjectOfLint {
		s := &subjectOfLint{Certificate: new(*leaf), kind: ofPerson}
		spoil(s)
		return s
	}
	for ruleName, s := range map[string]*subjectOfLint{
		"version-3":             spoiled(func(s *subjectOfLint) { s.Version = 1 }),
		"serial-positive":       spoiled(func(s *subjectOfLint) { s.SerialNumber = big.NewInt(-1) }),
		"no-sha1":               spoiled(func(s *subjectOfLint) { s.SignatureAlgorithm = x509.SHA1WithRSA }),
		"no-unique-identifiers": spoiled(func(s *subjectOfLint) { s.unique = true }),
	} {
		i := slices.IndexFunc(rules, func(r rule) bool { return r.name == ruleName })
		if rules[i].check(s) == "" {
			t.Errorf("%s does not object", ruleName)
		}
	}
	// TBSCertificate up to the place of the identifiers, and one of each.
	for _, id := range []string{"\x81\x02\x00\x01", "\x82\x02\x00\x01"} {
		if tbs := "\x30\x07\x02\x01\x01" + id; !hasUniqueIdentifier([]byte(tbs)) {
			t.Errorf("%x is not seen", id)
		}
	}
	if hasUniqueIdentifier(leaf.RawTBSCertificate) {
		t.Error("a sound certificate has none")
	}
}

func TestWhatIsNoCertificateIsSaid(t *testing.T) {
	t.Parallel()
	for what, file := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "a key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}),
		"too much": make([]byte, 3*maxCertificateSize),
	} {
		if _, err := Lint(file); !errors.Is(err, lifecycle.Invalid) || strings.Contains(err.Error(), "\x00") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzLint(f *testing.F) {
	h := setup(f)
	leaf, _ := h.issue(f, testNow)
	f.Add(leaf.Raw)
	f.Add(pem.EncodeToMemory(certPEM(h.responder.Certificate())))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := Lint(file); err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Fatal(err)
		}
	})
}
