package ca

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
)

// PolicyArc is the arc of the bank's own policy identifiers. 32473 is the
// enterprise number that IANA keeps for examples (RFC 5612): a bank puts its
// own number here before its first ceremony.
const PolicyArc = "1.3.6.1.4.1.32473.1"

// Policy identifiers of the built-in profiles. A bank whose practice conforms
// adds EN 319 411-1 NCP (0.4.0.2042.1.1) or NCP+ (0.4.0.2042.1.2) to
// [Profile.Policies]; claiming it is the auditor's word, not the code's.
const (
	PolicyNominativeAuthentication = PolicyArc + ".1"
	PolicyStaff                    = PolicyArc + ".2"
	PolicyIssuing                  = PolicyArc + ".10"
)

// Kind says what a profile's subject is, hence which attributes and extensions
// its certificates have.
type Kind string

// The kinds of subject.
const (
	KindPerson    Kind = "person"    // a named user of an organisation: holder or staff
	KindResponder Kind = "responder" // a delegated OCSP responder (RFC 6960 §4.2.2.2)
	KindSigner    Kind = "signer"    // of files that leave the house
	KindServer    Kind = "server"    // one of Sceau's own TLS listeners
	KindIssuing   Kind = "issuing"   // a subordinate CA
	KindRoot      Kind = "root"      // self-signed
)

// maxPersonYears is the longest life of a person's key and certificate
// (RGS A2, all levels).
const maxPersonYears = 3

// Profile says what the certificates of one kind look like. It is data:
// change a copy, then let [Profile.Validate] judge it.
type Profile struct {
	Name        string
	Kind        Kind
	Years       int // calendar years of life
	Days        int // and days
	Backdate    time.Duration
	KeyUsage    x509.KeyUsage      // critical
	ExtKeyUsage []x509.ExtKeyUsage // not critical
	Policies    []string           // dotted policy identifiers, the bank's own first
	MaxPathLen  int                // CAs only
	Deltas      bool               // the issuer publishes delta lists: freshestCRL stands in the certificate
	OCSP        bool               // the issuer's OCSP responder answers for these certificates
	Hold        bool               // certificateHold is allowed for them
}

// NominativeAuthentication is the profile of a holder's certificate: RGS
// authentication with digitalSignature alone (EN 319 412-2 type C), three
// years at most.
func NominativeAuthentication() Profile {
	return Profile{
		Name: "nominative-authentication", Kind: KindPerson, Years: maxPersonYears, Backdate: 5 * time.Minute,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Policies: []string{PolicyNominativeAuthentication}, Deltas: true, OCSP: true, Hold: true,
	}
}

// Staff is the profile of the certificate with which back-office staff sign in.
func Staff() Profile {
	return Profile{
		Name: "staff", Kind: KindPerson, Years: 1, Backdate: 5 * time.Minute,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Policies: []string{PolicyStaff}, Deltas: true, OCSP: true, Hold: true,
	}
}

// OCSPResponder is the profile of a delegated responder: short-lived, because
// id-pkix-ocsp-nocheck means that nobody asks whether it is revoked
// (RFC 6960 §4.2.2.2.1). It carries no id-ad-ocsp (EN 319 411-1 CSS-6.6.3-01B).
func OCSPResponder() Profile {
	return Profile{
		Name: "ocsp-responder", Kind: KindResponder, Days: 90, Backdate: 5 * time.Minute,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
	}
}

// BureauSigner is the profile of the key that signs the card bureau's files. Its
// purpose is e-mail protection, the one that CMS tools ask of a signer; being no
// mail box it has no address.
func BureauSigner() Profile {
	return Profile{
		Name: "bureau-signer", Kind: KindSigner, Years: 1, Backdate: 5 * time.Minute,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
}

// Server is the profile of Sceau's own TLS listeners (office, holder, API).
func Server() Profile {
	return Profile{
		Name: "server", Kind: KindServer, Days: 90, Backdate: 5 * time.Minute,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		OCSP: true,
	}
}

// IssuingCA is the profile of the online CA: ten years, no CA below it. Its
// root is offline, so its status is a list, not OCSP.
func IssuingCA() Profile {
	return Profile{
		Name: "issuing-ca", Kind: KindIssuing, Years: 10, Backdate: 5 * time.Minute,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, Policies: []string{PolicyIssuing, PolicyNominativeAuthentication, PolicyStaff},
	}
}

// RootCA is the profile of the offline root: twenty years, one CA below it.
func RootCA() Profile {
	return Profile{
		Name: "root-ca", Kind: KindRoot, Years: 20, Backdate: 5 * time.Minute, MaxPathLen: 1,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// Validity gives the first and the last second of a certificate made now. The
// last second counts (RFC 5280 §4.1.2.5), so that three years are not three
// years and a second.
func (p Profile) Validity(now time.Time) (notBefore, notAfter time.Time) {
	notBefore = now.UTC().Add(-p.Backdate).Truncate(time.Second)
	return notBefore, notBefore.AddDate(p.Years, 0, p.Days).Add(-time.Second)
}

// IsCA tells whether the profile's certificates may sign certificates.
func (p Profile) IsCA() bool { return p.Kind == KindIssuing || p.Kind == KindRoot }

// Validate tells whether certificates of this profile can be conforming. It
// guards against edited data, not against the built-in profiles.
func (p Profile) Validate() error {
	var errs lifecycle.FieldErrors
	if p.Name == "" {
		errs.Add("name", "give the profile a name")
	}
	if p.Years < 0 || p.Days < 0 || p.Years+p.Days == 0 || p.Years > 25 || p.Days > 9999 {
		errs.Add("years", "give a life of at least one day and at most 25 years")
	}
	if p.Backdate < 0 || p.Backdate > time.Hour {
		errs.Add("backdate", "use 0 to 1 hour")
	}
	for _, oid := range p.Policies {
		if _, err := x509.ParseOID(oid); err != nil {
			errs.Add("policies", fmt.Sprintf("%q is not an object identifier", oid))
		}
	}
	p.validateKind(&errs)
	return errs.Err()
}

func (p Profile) validateKind(errs *lifecycle.FieldErrors) {
	only := func(use x509.KeyUsage, eku ...x509.ExtKeyUsage) {
		if p.KeyUsage != use {
			errs.Add("key_usage", "does not fit a certificate of kind "+string(p.Kind))
		}
		if !slices.Equal(p.ExtKeyUsage, eku) {
			errs.Add("ext_key_usage", "does not fit a certificate of kind "+string(p.Kind))
		}
	}
	switch p.Kind {
	case KindPerson:
		only(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageClientAuth)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if now.AddDate(p.Years, 0, p.Days).After(now.AddDate(maxPersonYears, 0, 0)) {
			errs.Add("years", "a person's certificate lives three years at most (RGS A2)")
		}
		if len(p.Policies) == 0 {
			errs.Add("policies", "name the certificate policy (EN 319 412-2 GEN-4.3.3)")
		}
	case KindResponder:
		only(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageOCSPSigning)
		if p.OCSP {
			errs.Add("ocsp", "a responder is not asked about itself (EN 319 411-1 CSS-6.6.3-01B)")
		}
	case KindSigner:
		only(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageEmailProtection)
	case KindServer:
		only(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageServerAuth)
	case KindIssuing, KindRoot:
		// No extended key usage: a CA with OCSPSigning would answer for its parent.
		only(x509.KeyUsageCertSign | x509.KeyUsageCRLSign)
	default:
		errs.Add("kind", "is not known")
	}
	if p.MaxPathLen < 0 || p.MaxPathLen > 1 || (!p.IsCA() && p.MaxPathLen != 0) {
		errs.Add("max_path_len", "use 0 or 1 for a CA, nothing else elsewhere")
	}
}
