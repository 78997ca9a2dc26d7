package ca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"sceau/lifecycle"
)

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // a "shall" is broken
	SeverityWarning Severity = "warning" // a "should" is
)

// Finding is what a linter objects to.
type Finding struct {
	Rule     string // its name: of a rule of ours with dashes, of zlint's with underscores
	Source   string // the clause
	Severity Severity
	Text     string // what is wrong, in words
}

// Kinds of certificate to which a rule applies, told from the certificate itself.
type kinds uint8

const (
	ofPerson kinds = 1 << iota
	ofResponder
	ofServer
	ofSigner
	ofService
	ofCA
	ofEnd = ofPerson | ofResponder | ofServer | ofSigner | ofService
	ofAny = ofEnd | ofCA
)

// rule is one clause, for the certificates of some kinds. check says what is
// wrong, nothing when all is well.
type rule struct {
	name, source string
	of           kinds
	check        func(*subjectOfLint) string
}

// subjectOfLint is a certificate with what several rules look at.
type subjectOfLint struct {
	*x509.Certificate

	kind       kinds
	names      []attribute               // of the subject, in order
	issuers    []attribute               // of the issuer
	extensions map[string]pkix.Extension // by dotted identifier
	statements []string                  // of QCStatements, dotted
	unique     bool                      // it has an issuer's or a subject's unique identifier
}

const (
	maxCertificateSize  = 64 << 10 // octets of DER
	oidQCStatements     = "1.3.6.1.5.5.7.1.3"
	oidPseudonym        = "2.5.4.65"
	oidPolicyMappings   = "2.5.29.33"
	oidNameConstraints  = "2.5.29.30"
	oidConstraints      = "2.5.29.36"
	oidInhibitAnyPolicy = "2.5.29.54"
	oidQCCompliance     = "0.4.0.1862.1.1"
)

// Lint holds a certificate, DER or PEM, against RFC 5280, ETSI EN 319 412 and
// the RGS: by zlint, and by rules of our own for what zlint knows only of
// qualified certificates. Which rules apply is told from the certificate. Bytes
// that are no certificate are [lifecycle.Invalid].
func Lint(file []byte) ([]Finding, error) {
	c, err := readCertificate(file)
	if err != nil {
		return nil, err
	}
	registry, err := lintRegistry()
	if err != nil {
		return nil, err
	}
	findings, err := lintWith(registry, c)
	if err != nil {
		return nil, err
	}
	return append(findings, ownRules(c)...), nil
}

func readCertificate(file []byte) (*x509.Certificate, error) {
	if len(file) > 2*maxCertificateSize {
		return nil, fmt.Errorf("%w: a certificate has %d octets at most", lifecycle.Invalid, maxCertificateSize)
	}
	der := file
	if block, _ := pem.Decode(file); block != nil {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: the PEM block is a %s, not a CERTIFICATE", lifecycle.Invalid, block.Type)
		}
		der = block.Bytes
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: this is no certificate: %w", lifecycle.Invalid, err)
	}
	return c, nil
}

// lintWith asks zlint.
func lintWith(registry lint.Registry, c *x509.Certificate) ([]Finding, error) {
	parsed, err := zx509.ParseCertificate(c.Raw)
	if err != nil {
		return nil, fmt.Errorf("%w: zlint cannot read the certificate: %w", lifecycle.Invalid, err)
	}
	var findings []Finding
	for name, result := range zlint.LintCertificateEx(parsed, registry).Results {
		if result.Status < lint.Warn {
			continue
		}
		f := Finding{Rule: name, Severity: SeverityError, Text: result.Details}
		if result.Status == lint.Warn {
			f.Severity = SeverityWarning
		}
		if l := registry.CertificateLints().ByName(name); l != nil {
			f.Source = l.Citation
			if f.Text == "" {
				f.Text = l.Description
			}
		}
		findings = append(findings, f)
	}
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.Rule, b.Rule) })
	return findings, nil
}

// ownRules applies the rules of our own.
func ownRules(c *x509.Certificate) []Finding {
	s := &subjectOfLint{Certificate: c, extensions: map[string]pkix.Extension{}, kind: kindOf(c)}
	s.names, s.issuers = attributesOf(c.RawSubject), attributesOf(c.RawIssuer)
	for _, e := range c.Extensions {
		s.extensions[e.Id.String()] = e
	}
	s.readStatements()
	s.unique = hasUniqueIdentifier(c.RawTBSCertificate)
	var findings []Finding
	for _, r := range rules {
		if r.of&s.kind == 0 {
			continue
		}
		if text := r.check(s); text != "" {
			findings = append(findings, Finding{r.name, r.source, SeverityError, text})
		}
	}
	return findings
}

// kindOf tells what a certificate is for.
func kindOf(c *x509.Certificate) kinds {
	names := attributesOf(c.RawSubject)
	personal := func(oid string) bool { return hasAttribute(names, oid) }
	switch {
	case c.IsCA:
		return ofCA
	case slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return ofResponder
	case slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		return ofServer
	case slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) && !personal(oidSurname):
		return ofSigner
	case slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.ContainsFunc([]string{oidSurname, oidGivenName, oidSerialNumber, oidPseudonym}, personal):
		return ofService
	}
	return ofPerson
}

// attributesOf lists the attributes of a name that are text, in their order.
func attributesOf(raw []byte) []attribute {
	var rdns pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &rdns); err != nil {
		return nil
	}
	var all []attribute
	for _, rdn := range rdns {
		for _, a := range rdn {
			value, _ := a.Value.(string)
			all = append(all, attribute{a.Type.String(), value})
		}
	}
	return all
}

func hasAttribute(all []attribute, oid string) bool {
	return slices.ContainsFunc(all, func(a attribute) bool { return a.oid == oid })
}

// values are those of one type.
func values(all []attribute, oid string) []string {
	var found []string
	for _, a := range all {
		if a.oid == oid {
			found = append(found, a.value)
		}
	}
	return found
}

// readStatements reads the identifiers of QCStatements (RFC 3739 §3.2.6).
func (s *subjectOfLint) readStatements() {
	var statements []struct {
		ID   asn1.ObjectIdentifier
		Info asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(s.extensions[oidQCStatements].Value, &statements); err != nil {
		return
	}
	for _, st := range statements {
		s.statements = append(s.statements, st.ID.String())
	}
}

// hasUniqueIdentifier looks for issuerUniqueID [1] and subjectUniqueID [2], which
// crypto/x509 passes over.
func hasUniqueIdentifier(tbs []byte) bool {
	var fields []asn1.RawValue
	if _, err := asn1.Unmarshal(tbs, &fields); err != nil {
		return false
	}
	return slices.ContainsFunc(fields, func(f asn1.RawValue) bool {
		return f.Class == asn1.ClassContextSpecific && (f.Tag == 1 || f.Tag == 2)
	})
}
