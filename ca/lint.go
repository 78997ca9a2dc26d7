package ca

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/zmap/zlint/v3/lint"

	"sceau/certprofile"
	"sceau/lifecycle"
)

type zlintRegistry = lint.Registry

// lintSources are the rule books that apply to Sceau's certificates. The CA/B
// Forum's and the browsers' are for public TLS.
func lintSources() lint.SourceList {
	return lint.SourceList{lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC8813, lint.EtsiEsi}
}

func lintRegistry() (lint.Registry, error) {
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: lintSources()})
	if err != nil {
		return nil, fmt.Errorf("choose lints: %w", err)
	}
	return registry, nil
}

// refuse refuses a certificate to which a lint objects, be it a warning.
func refuse(c *x509.Certificate, registry lint.Registry) error {
	findings, err := lintWith(registry, c)
	if err != nil {
		return err
	}
	findings = append(findings, ownRules(c)...)
	if len(findings) == 0 {
		return nil
	}
	wrong := make([]string, len(findings))
	for i, f := range findings {
		wrong[i] = f.Rule + ": " + f.Text
	}
	return fmt.Errorf("%w: lint: %s", lifecycle.Invalid, strings.Join(wrong, "; "))
}

// Extensions (RFC 5280 §4.2, RFC 6960 §4.2.2.2.1).
const (
	oidSubjectKeyID        = "2.5.29.14"
	oidKeyUsage            = "2.5.29.15"
	oidSubjectAltName      = "2.5.29.17"
	oidBasicConstraints    = "2.5.29.19"
	oidDistributionPoints  = "2.5.29.31"
	oidCertificatePolicies = "2.5.29.32"
	oidAuthorityKeyID      = "2.5.29.35"
	oidExtKeyUsage         = "2.5.29.37"
	oidFreshestCRL         = "2.5.29.46"
	oidAuthorityInfo       = "1.3.6.1.5.5.7.1.1"
	oidOCSPNoCheck         = "1.3.6.1.5.5.7.48.1.5"
)

// extensions lists what a certificate of the blueprint carries, all of it and
// nothing else, and whether it is critical. What is not listed is refused: so
// are policyMappings, nameConstraints, policyConstraints, inhibitAnyPolicy
// (EN 319 412-2 GEN-4.3.4, 8, 9, 12) and QCStatements (RGS A4 II.2.2).
func (b blueprint) extensions() map[string]bool {
	p := b.profile
	ext := map[string]bool{oidSubjectKeyID: false, oidAuthorityKeyID: false, oidKeyUsage: true}
	add := func(when bool, oid string, critical bool) {
		if when {
			ext[oid] = critical
		}
	}
	add(len(p.ExtKeyUsage) > 0 || p.Documents, oidExtKeyUsage, false)
	add(len(p.Policies) > 0, oidCertificatePolicies, false)
	add(p.IsCA(), oidBasicConstraints, true)
	add(b.email != "" || len(b.dnsNames)+len(b.ips) > 0, oidSubjectAltName, false)
	add(p.Kind == KindResponder, oidOCSPNoCheck, false)
	add(!b.selfSigned, oidAuthorityInfo, false)
	add(!b.selfSigned && p.Kind != KindResponder, oidDistributionPoints, false)
	add(!b.selfSigned && p.Kind != KindResponder && p.Deltas, oidFreshestCRL, false)
	return ext
}

// check compares a certificate with its blueprint, field by field, and applies
// the rules of pki.md §4.1 that no public linter knows for an authentication
// certificate. Errors are [lifecycle.Invalid].
func (b blueprint) check(c, parent *x509.Certificate) error {
	var wrong []string
	must := func(ok bool, rule string) {
		if !ok {
			wrong = append(wrong, rule)
		}
	}
	p := b.profile
	notBefore, notAfter := b.validity()
	must(c.Version == 3, "version is 3")
	must(c.SerialNumber.Sign() > 0 && c.SerialNumber.Cmp(new(big.Int).SetBytes(b.serial[:])) == 0, "the serial is the reserved one")
	must(c.NotBefore.Equal(notBefore) && c.NotAfter.Equal(notAfter), "the validity is the profile's")
	issuer, issuerKey := parent.RawSubject, parent.SubjectKeyId
	if b.selfSigned {
		issuer, issuerKey = c.RawSubject, c.SubjectKeyId
	}
	must(bytes.Equal(c.RawIssuer, issuer), "the issuer's name is copied octet for octet")
	must(bytes.Equal(c.AuthorityKeyId, issuerKey), "AKI is the issuer's SKI (GEN-4.3.1-1)")
	must(b.selfSigned == bytes.Equal(c.RawSubject, c.RawIssuer), "a subject has another name than its issuer")
	must(len(c.SubjectKeyId) == 20, "SKI is present")
	must(c.KeyUsage == p.KeyUsage, "keyUsage is the profile's alone (NAT-4.3.2-1)")
	must(slices.Equal(c.ExtKeyUsage, p.ExtKeyUsage) && slices.EqualFunc(c.UnknownExtKeyUsage, p.unknownUsages(), asn1.ObjectIdentifier.Equal), "extKeyUsage is the profile's alone")
	must(slices.Equal(oidStrings(c.Policies), p.Policies), "certificatePolicies are the profile's (GEN-4.3.3)")
	must(c.IsCA == p.IsCA(), "basicConstraints fit the profile")
	must(!p.IsCA() || c.MaxPathLen == p.MaxPathLen, "pathLenConstraint is the profile's")
	must(samePublicKey(c.PublicKey, b.key), "the key is the request's")
	b.checkExtensions(c, must)
	b.checkSubject(c, must)
	if p.Kind == KindPerson || p.Kind == KindService {
		must(!c.NotAfter.After(c.NotBefore.AddDate(certprofile.MaxYears, 0, 0)), "it lives three years at most (RGS A2)")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: the draft breaks its profile %s: %s", lifecycle.Invalid, p.Name, strings.Join(wrong, "; "))
	}
	return nil
}

func (b blueprint) checkExtensions(c *x509.Certificate, must func(bool, string)) {
	want := b.extensions()
	for _, ext := range c.Extensions {
		oid := ext.Id.String()
		critical, ok := want[oid]
		must(ok, "extension "+oid+" is not the profile's, or stands twice")
		must(!ok || critical == ext.Critical, "extension "+oid+" has the wrong criticality")
		if oid == oidFreshestCRL {
			must(bytes.Equal(ext.Value, distributionPoints(b.urls.Delta)), "freshestCRL is the shard's delta")
		}
		delete(want, oid)
	}
	for oid := range want {
		must(false, "extension "+oid+" is missing")
	}
	same := func(got []string, want string, expected bool, rule string) {
		if expected {
			must(len(got) == 1 && got[0] == want && strings.HasPrefix(want, "http://"), rule)
		} else {
			must(len(got) == 0, rule)
		}
	}
	asked := !b.selfSigned && b.profile.Kind != KindResponder
	same(c.CRLDistributionPoints, b.urls.CRL, asked, "cRLDistributionPoints is one http URI (GEN-4.3.11)")
	same(c.OCSPServer, b.urls.OCSP, asked && b.profile.OCSP, "id-ad-ocsp is one http URI (GEN-4.4.1-5)")
	same(c.IssuingCertificateURL, b.urls.CA, !b.selfSigned, "id-ad-caIssuers is one http URI (GEN-4.4.1-2)")
	must(strings.Join(c.EmailAddresses, ",") == b.email, "rfc822Name is the order's")
	must(slices.Equal(c.DNSNames, b.dnsNames) && len(c.IPAddresses) == len(b.ips) && len(c.URIs) == 0, "no other alternative name is there")
}

// checkSubject compares the encoded name with the approved attributes: the
// same ones, in the same order, each once, one to an RDN; C and serialNumber
// as PrintableString (RFC 5280 appendix A.1).
func (b blueprint) checkSubject(c *x509.Certificate, must func(bool, string)) {
	var rdns pkix.RDNSequence
	rest, err := asn1.Unmarshal(c.RawSubject, &rdns)
	must(err == nil && len(rest) == 0, "the subject is a name")
	got := make([]attribute, 0, len(rdns))
	for _, rdn := range rdns {
		must(len(rdn) == 1, "an RDN has one attribute")
		for _, a := range rdn {
			value, _ := a.Value.(string)
			got = append(got, attribute{a.Type.String(), value})
		}
	}
	must(slices.Equal(got, b.subject), "the subject is the approved one, attribute by attribute")
	seen := map[string]bool{}
	for _, a := range got {
		must(!seen[a.oid], "attribute "+a.oid+" stands once (NAT-4.2.4-1)")
		seen[a.oid] = true
		must(a.value != "" && utf8.ValidString(a.value), "attribute "+a.oid+" has a value")
	}
	required := []string{oidCountry, oidOrganization, oidCommonName}
	if b.profile.Kind == KindPerson {
		required = append(required, oidOrganizationID, oidGivenName, oidSurname, oidSerialNumber)
	}
	if b.profile.Kind == KindService {
		required = append(required, oidOrganizationID)
		must(!seen[oidGivenName] && !seen[oidSurname] && !seen[oidSerialNumber], "a system has no person's names")
	}
	for _, oid := range required {
		must(seen[oid], "attribute "+oid+" is present (NAT-4.2.4-1, GEN-4.2.3.1)")
	}
}

func oidStrings(oids []x509.OID) []string {
	out := make([]string, len(oids))
	for i, oid := range oids {
		out[i] = oid.String()
	}
	return out
}
