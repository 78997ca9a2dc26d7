package ca

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"sceau/certprofile"
	"sceau/lifecycle"
)

// PolicyIssuing is the policy of the issuing CA's own certificate. That certificate
// names those of the built-in profiles too.
const PolicyIssuing = certprofile.PolicyArc + ".10"

// Kind says what a profile's subject is, hence which attributes and extensions
// its certificates have.
type Kind string

// The kinds of subject.
const (
	KindPerson    Kind = "person"    // a named user of an organisation: holder or staff
	KindService   Kind = "service"   // an organisation's system, as TLS client
	KindResponder Kind = "responder" // a delegated OCSP responder (RFC 6960 §4.2.2.2)
	KindSigner    Kind = "signer"    // of files that leave the house
	KindServer    Kind = "server"    // one of Sceau's own TLS listeners
	KindIssuing   Kind = "issuing"   // a subordinate CA
	KindRoot      Kind = "root"      // self-signed
	KindCross     Kind = "cross"     // a root, by another root
)

// Profile says what the certificates of one kind look like, in X.509's terms. Those
// of persons and of systems are a bank's data, and come by [ProfileOf]; those of a
// ceremony's certificates stand here.
type Profile struct {
	Name        string
	Kind        Kind
	Years       int // calendar years of life
	Days        int // and days
	Backdate    time.Duration
	KeyUsage    x509.KeyUsage      // critical
	ExtKeyUsage []x509.ExtKeyUsage // not critical
	Documents   bool               // document signing, which crypto/x509 does not name (RFC 9336), among them
	Keys        []certprofile.KeyKind
	Policies    []string // dotted policy identifiers, the bank's own first
	MaxPathLen  int      // CAs only
	Deltas      bool     // the issuer publishes delta lists: freshestCRL stands in the certificate
	OCSP        bool     // the issuer's OCSP responder answers for these certificates
}

// backdate forgives clocks that are slow.
const backdate = 5 * time.Minute

// ProfileOf is a bank's profile in X.509's terms.
func ProfileOf(p certprofile.Profile) Profile {
	x := Profile{
		Name: p.Name, Kind: KindPerson, Years: p.Years, Days: p.Days, Backdate: backdate, Policies: p.Policies, Deltas: p.Deltas, OCSP: p.OCSP,
		Keys: p.Keys,
	}
	if !p.Kind.Person() {
		x.Kind = KindService
	}
	for _, use := range p.KeyUsage {
		switch use {
		case certprofile.DigitalSignature:
			x.KeyUsage |= x509.KeyUsageDigitalSignature
		case certprofile.NonRepudiation:
			x.KeyUsage |= x509.KeyUsageContentCommitment
		}
	}
	for _, purpose := range p.Purposes {
		switch purpose {
		case certprofile.ClientAuth:
			x.ExtKeyUsage = append(x.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		case certprofile.EmailProtection:
			x.ExtKeyUsage = append(x.ExtKeyUsage, x509.ExtKeyUsageEmailProtection)
		case certprofile.DocumentSigning:
			x.Documents = true
		}
	}
	return x
}

// NominativeAuthentication is the built-in profile of a holder's certificate: RGS
// authentication with digitalSignature alone (EN 319 412-2 type C), three years at
// most.
func NominativeAuthentication() Profile {
	p, _ := certprofile.BuiltIn(certprofile.NominativeAuthentication)
	return ProfileOf(p)
}

// CeremonyProfiles are those of the certificates that are made at ceremonies.
func CeremonyProfiles() []Profile {
	return []Profile{OCSPResponder(), BureauSigner(), StatementSigner(), Server(), IssuingCA(), RootCA(), CrossCA()}
}

// OCSPResponder is the profile of a delegated responder: short-lived, because
// id-pkix-ocsp-nocheck means that nobody asks whether it is revoked
// (RFC 6960 §4.2.2.2.1). It carries no id-ad-ocsp (EN 319 411-1 CSS-6.6.3-01B).
func OCSPResponder() Profile {
	return Profile{
		Name: "ocsp-responder", Kind: KindResponder, Days: 90, Backdate: backdate,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
	}
}

// BureauSigner is the profile of the key that signs the card bureau's files. Its
// purpose is e-mail protection, the one that CMS tools ask of a signer; being no
// mail box it has no address.
func BureauSigner() Profile {
	return Profile{
		Name: "bureau-signer", Kind: KindSigner, Years: 1, Backdate: backdate,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
}

// StatementSigner is the profile of the key that signs what the house states to
// relying services: that a holder signed in, or signed an operation.
func StatementSigner() Profile {
	p := BureauSigner()
	p.Name = "statement-signer"
	return p
}

// Server is the profile of Sceau's own TLS listeners (office, holder, API).
func Server() Profile {
	return Profile{
		Name: "server", Kind: KindServer, Days: 90, Backdate: backdate,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		OCSP: true,
	}
}

// IssuingCA is the profile of the online CA: ten years, no CA below it. Its
// root is offline, so its status is a list, not OCSP.
func IssuingCA() Profile {
	return Profile{
		Name: "issuing-ca", Kind: KindIssuing, Years: 10, Backdate: backdate,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		Policies: []string{PolicyIssuing, certprofile.PolicyAuthentication, certprofile.PolicyStaff, certprofile.PolicySignature, certprofile.PolicyService},
	}
}

// RootCA is the profile of the offline root: twenty years, an issuing CA below it, or
// another root that it has certified with one of its own.
func RootCA() Profile {
	return Profile{
		Name: "root-ca", Kind: KindRoot, Years: 20, Backdate: backdate, MaxPathLen: 2,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// anyPolicy is the policy that stands for all (RFC 5280 §4.2.1.4).
const anyPolicy = "2.5.29.32.0"

// CrossCA is the profile of what one root signs of another's key (RFC 4210 §4.4):
// a root in all but its signature, its end, which is the earlier of the two, and its
// path length, which has room for issuing CAs alone. Any policy passes, as it does
// through a root that is trusted itself.
func CrossCA() Profile {
	p := RootCA()
	p.Name, p.Kind, p.MaxPathLen, p.Policies = "cross-ca", KindCross, 1, []string{anyPolicy}
	return p
}

// Validity gives the first and the last second of a certificate made now. The
// last second counts (RFC 5280 §4.1.2.5), so that three years are not three
// years and a second.
func (p Profile) Validity(now time.Time) (notBefore, notAfter time.Time) {
	notBefore = now.UTC().Add(-p.Backdate).Truncate(time.Second)
	return notBefore, notBefore.AddDate(p.Years, 0, p.Days).Add(-time.Second)
}

// IsCA tells whether the profile's certificates may sign certificates.
func (p Profile) IsCA() bool {
	return p.Kind == KindIssuing || p.Kind == KindRoot || p.Kind == KindCross
}

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

// validateEnd judges what a bank's own profile became.
func (p Profile) validateEnd(errs *lifecycle.FieldErrors, only func(x509.KeyUsage, ...x509.ExtKeyUsage)) {
	const authentication, signature = x509.KeyUsageDigitalSignature, x509.KeyUsageContentCommitment
	use := p.KeyUsage
	switch {
	case p.Kind == KindService:
		only(authentication, x509.ExtKeyUsageClientAuth)
	case use != authentication && use != signature && use != authentication|signature:
		errs.Add("key_usage", "does not fit a certificate of kind "+string(p.Kind))
	}
	foreign := func(u x509.ExtKeyUsage) bool {
		return u != x509.ExtKeyUsageClientAuth && u != x509.ExtKeyUsageEmailProtection
	}
	if slices.ContainsFunc(p.ExtKeyUsage, foreign) || (p.Documents && p.Kind == KindService) {
		errs.Add("ext_key_usage", "does not fit a certificate of kind "+string(p.Kind))
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if now.AddDate(p.Years, 0, p.Days).After(now.AddDate(certprofile.MaxYears, 0, 0)) {
		errs.Add("years", "such a certificate lives three years at most (RGS A2)")
	}
	if len(p.Policies) == 0 {
		errs.Add("policies", "name the certificate policy (EN 319 412-2 GEN-4.3.3)")
	}
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
	case KindPerson, KindService:
		p.validateEnd(errs, only)
	case KindResponder:
		only(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageOCSPSigning)
		if p.OCSP {
			errs.Add("ocsp", "a responder is not asked about itself (EN 319 411-1 CSS-6.6.3-01B)")
		}
	case KindSigner:
		only(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageEmailProtection)
	case KindServer:
		only(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageServerAuth)
	case KindIssuing, KindRoot, KindCross:
		// No extended key usage: a CA with OCSPSigning would answer for its parent.
		only(x509.KeyUsageCertSign | x509.KeyUsageCRLSign)
	default:
		errs.Add("kind", "is not known")
	}
	if p.MaxPathLen < 0 || p.MaxPathLen > 2 || (!p.IsCA() && p.MaxPathLen != 0) {
		errs.Add("max_path_len", "use 0 to 2 for a CA, nothing else elsewhere")
	}
}

// oidDocumentSigning is id-kp-documentSigning (RFC 9336).
var oidDocumentSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 36}

// unknownUsages are the extended key usages that crypto/x509 has no name for.
func (p Profile) unknownUsages() []asn1.ObjectIdentifier {
	if !p.Documents {
		return nil
	}
	return []asn1.ObjectIdentifier{oidDocumentSigning}
}
