package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/trust"
)

// MaxCertificate bounds a certificate that somebody brings, in octets of DER.
const MaxCertificate = 16 << 10

// Anchors are CAs whose certificates are accepted, and under which policies: those
// of the house, or an entry of the trust list.
type Anchors struct {
	CAs           []*x509.Certificate
	Roots, Others *x509.CertPool // of the CAs
	Policies      []x509.OID     // none: any
}

// AnchorsOf are those of an entry.
func AnchorsOf(e *trust.Entry) (Anchors, error) {
	a := Anchors{CAs: e.CAs()}
	a.Roots, a.Others = e.Pools()
	for _, p := range e.Policies {
		oid, err := x509.ParseOID(p)
		if err != nil {
			return a, fmt.Errorf("%w: policy %q: %w", lifecycle.Invalid, p, err)
		}
		a.Policies = append(a.Policies, oid)
	}
	return a, nil
}

// CheckAnchors refuses CAs whose keys are weak or that are not valid at a moment. The
// error is [lifecycle.FieldErrors].
func CheckAnchors(cas []*x509.Certificate, at time.Time) error {
	var errs lifecycle.FieldErrors
	for _, c := range cas {
		if why := weakForeign(c.PublicKey); why != "" {
			errs.Add("certificates", trust.Subject(c)+": its key "+why)
		}
		if at.Before(c.NotBefore) || at.After(c.NotAfter) {
			errs.Add("certificates", fmt.Sprintf("%s is valid from %s to %s", trust.Subject(c), c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly)))
		}
		if len(c.UnhandledCriticalExtensions) > 0 {
			errs.Add("certificates", fmt.Sprintf("%s has a critical extension that nobody here understands: %v", trust.Subject(c), c.UnhandledCriticalExtensions))
		}
	}
	return errs.Err()
}

// JudgeForeign is [Validate] under an entry of the trust list.
func JudgeForeign(e *trust.Entry, der []byte, at time.Time, purpose trust.Purpose) trust.Judged {
	a, err := AnchorsOf(e)
	if err != nil {
		var j trust.Judged
		j.Add(trust.NoPolicy, err.Error())
		return j
	}
	return Validate(a, der, at, purpose)
}

// Validate judges a certificate that somebody brings, in DER, by itself and under
// accepted CAs, at a moment: what it is, its key and usages, its path, policies and
// name constraints (RFC 5280 §6). The path is built from the accepted CAs alone, by
// signatures, never by names. Whether it was revoked is another question.
func Validate(a Anchors, der []byte, at time.Time, purpose trust.Purpose) trust.Judged {
	var j trust.Judged
	if len(der) > MaxCertificate {
		j.Add(trust.Malformed, fmt.Sprintf("it is longer than %d octets", MaxCertificate))
		return j
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		j.Add(trust.Malformed, err.Error())
		return j
	}
	j.Certificate = c
	j.Checks = []string{"form", "validity", "key", "usage", "critical_extensions", "path", "policies", "names"}
	judgeSelf(&j, c, at, purpose)
	judgePath(&j, a, c, at, purpose)
	return j
}

// judgeSelf looks at the certificate alone.
func judgeSelf(j *trust.Judged, c *x509.Certificate, at time.Time, purpose trust.Purpose) {
	const version3 = 3
	switch {
	case c.Version != version3:
		j.Add(trust.Malformed, "it is not of version 3")
	case c.SerialNumber.Sign() <= 0 || c.SerialNumber.BitLen() > 8*maxSerialSize:
		j.Add(trust.Malformed, "its serial number is no positive number of 20 octets at most")
	case c.IsCA || c.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		j.Add(trust.CACertificate, "it is the certificate of a CA, not of a person")
	}
	if at.Before(c.NotBefore) {
		j.Add(trust.NotYetValid, "it is valid from "+c.NotBefore.Format(time.RFC3339))
	}
	if at.After(c.NotAfter) {
		j.Add(trust.Expired, "it ended at "+c.NotAfter.Format(time.RFC3339))
	}
	if why := weakForeign(c.PublicKey); why != "" {
		j.Add(trust.WeakKey, "its key "+why)
	}
	if why := misused(c, purpose); why != "" {
		j.Add(trust.KeyUsage, why)
	}
	if len(c.UnhandledCriticalExtensions) > 0 {
		j.Add(trust.Critical, fmt.Sprintf("it has a critical extension that nobody here understands: %v", c.UnhandledCriticalExtensions))
	}
}

// misused says why a certificate is not for a purpose.
func misused(c *x509.Certificate, purpose trust.Purpose) string {
	usage, extended := x509.KeyUsageDigitalSignature, x509.ExtKeyUsageClientAuth
	if purpose == trust.Signature {
		usage |= x509.KeyUsageContentCommitment
		extended = x509.ExtKeyUsageEmailProtection
	}
	switch {
	case c.KeyUsage&usage == 0:
		return "its key usage does not allow " + string(purpose)
	case len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny),
		slices.Contains(c.ExtKeyUsage, extended):
		return ""
	case purpose == trust.Signature && (slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.ContainsFunc(c.UnknownExtKeyUsage, oidDocumentSigning.Equal)):
		return ""
	}
	return "its extended key usage does not allow " + string(purpose)
}

// judgePath builds the path to a root.
func judgePath(j *trust.Judged, a Anchors, c *x509.Certificate, at time.Time, purpose trust.Purpose) {
	if !slices.ContainsFunc(a.CAs, func(by *x509.Certificate) bool { return bytes.Equal(by.RawSubject, c.RawIssuer) }) {
		j.Add(trust.UnknownIssuer, "no accepted CA is called "+trust.Short(c.Issuer.String()))
		return
	}
	issuers := slices.DeleteFunc(slices.Clone(a.CAs), func(by *x509.Certificate) bool { return c.CheckSignatureFrom(by) != nil })
	if len(issuers) == 0 {
		j.Add(trust.WrongIssuer, "an accepted CA has its issuer's name, and did not sign it")
		return
	}
	// What was found of the certificate itself stops no path: its validity is judged
	// already, and so are its critical extensions.
	leaf := *c
	leaf.NotBefore, leaf.NotAfter, leaf.UnhandledCriticalExtensions = at, at, nil
	extended := []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	if purpose == trust.Authentication {
		extended = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		leaf.ExtKeyUsage, leaf.UnknownExtKeyUsage = nil, nil // judged already; those of CAs hold
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: a.Roots, Intermediates: a.Others, CurrentTime: at, KeyUsages: extended})
	if err != nil {
		j.Add(pathCode(err), err.Error())
		return
	}
	for _, chain := range chains {
		chain[0] = c
	}
	best := slices.IndexFunc(chains, func(chain []*x509.Certificate) bool { return policed(chain, a.Policies) })
	if best < 0 {
		j.Add(trust.NoPolicy, "it is under none of the policies that are accepted of its CA, or a CA above it may not assert that policy")
		best = 0
	}
	j.Chain = chains[best]
	if why := outside(j.Chain); why != "" {
		j.Add(trust.OutsideNames, why)
	}
}

// pathCode says what kind of thing kept a path from being built.
func pathCode(err error) trust.Code {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	if !ok {
		if _, ok := errors.AsType[x509.UnhandledCriticalExtension](err); ok {
			return trust.Critical
		}
		return trust.NoPath
	}
	switch invalid.Reason { //nolint:exhaustive // the others are of the path
	case x509.Expired:
		return trust.CAExpired
	case x509.CANotAuthorizedForThisName, x509.TooManyConstraints, x509.UnconstrainedName, x509.NameConstraintsWithoutSANs:
		return trust.OutsideNames
	case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
		return trust.KeyUsage
	}
	return trust.NoPath
}

// policed tells whether a path is valid for an accepted policy (RFC 5280 §6.1, without
// mappings: a policy has one name here). crypto/x509 asks for one only where a CA
// requires it. The certificate names the policy itself: anyPolicy in it is nobody's
// promise. Each CA below the root names it too, or any policy while none above forbids
// that.
func policed(chain []*x509.Certificate, accepted []x509.OID) bool {
	if len(accepted) == 0 {
		return true
	}
	return slices.ContainsFunc(accepted, func(policy x509.OID) bool {
		if !slices.ContainsFunc(chain[0].Policies, policy.Equal) {
			return false
		}
		anyLeft := len(chain) // certificates in which anyPolicy counts
		for i := len(chain) - 1; i > 0; i-- {
			c, root := chain[i], i == len(chain)-1
			named := slices.ContainsFunc(c.Policies, policy.Equal)
			wild := anyLeft > 0 && slices.ContainsFunc(c.Policies, func(p x509.OID) bool { return p.String() == oidAnyPolicy })
			if !root && !named && !wild {
				return false
			}
			anyLeft--
			if c.InhibitAnyPolicy > 0 || c.InhibitAnyPolicyZero {
				anyLeft = min(anyLeft, c.InhibitAnyPolicy)
			}
		}
		return true
	})
}

// oidAnyPolicy is every policy (RFC 5280 §4.2.1.4).
const oidAnyPolicy = "2.5.29.32.0"

// outside says where a name constraint is broken that crypto/x509 does not look at: an
// address of mail in the subject (RFC 5280 §4.2.1.10), and constraints on names that it
// does not know.
func outside(chain []*x509.Certificate) string {
	for _, c := range chain[1:] {
		mail := len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses) > 0
		for _, name := range chain[0].Subject.Names {
			if mail && name.Type.Equal(oidMailInSubject) && len(chain[0].EmailAddresses) == 0 {
				return "its address of mail stands in its subject, out of reach of its CA's constraints"
			}
		}
	}
	return ""
}

var oidMailInSubject = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}

// minForeignRSA is the shortest RSA key taken of another CA, whose keys the house does
// not choose.
const minForeignRSA = 2048

// weakForeign says why a key that another CA certified is refused, or nothing.
func weakForeign(pub crypto.PublicKey) string {
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return "is on a curve that is not accepted: use P-256, P-384 or P-521"
		}
		return ""
	case *rsa.PublicKey:
		if key.N.BitLen() < minForeignRSA {
			return "is an RSA key shorter than 2048 bits"
		}
		return unsoundRSA(key.N, key.E)
	}
	return "is of a kind that is not accepted: use P-256, P-384, P-521 or RSA of 2048 bits"
}
