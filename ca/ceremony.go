package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"regexp"
	"slices"
	"time"

	"sceau/lifecycle"
)

// SelfSignRoot makes the root certificate of a key ceremony with a random
// serial. The same signer cannot be an issuing key later: prepare refuses it.
func SelfSignRoot(signer crypto.Signer, name Name, now time.Time) (*x509.Certificate, error) {
	if err := name.Validate(); err != nil {
		return nil, fmt.Errorf("name the root: %w", err)
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("draw the root's serial: %w", err)
	}
	b := blueprint{
		profile: RootCA(), key: signer.Public(), subject: name.attributes(),
		serial: lifecycle.SerialFrom(random), selfSigned: true, now: now,
	}
	template, err := b.template()
	if err != nil {
		return nil, err
	}
	alg, err := signatureAlgorithm(signer.Public())
	if err != nil {
		return nil, err
	}
	template.SignatureAlgorithm = alg.x509
	key, err := throwawayKey(signer.Public())
	if err != nil {
		return nil, err
	}
	registry, err := lintRegistry()
	if err != nil {
		return nil, err
	}
	parent := *template // the draft names itself as issuer, with a throwaway key
	parent.PublicKey = key.Public()
	draft, err := lintDraft(b, template, &parent, key, registry)
	if err != nil {
		return nil, err
	}
	self := *template
	self.PublicKey = signer.Public()
	return sign(draft, &self, signer)
}

// SignIssuing certifies an issuing CA's key below the root. Its status will be
// on the root's list of shard 0. The policies are the bank's own, besides those of
// the built-in profiles.
func SignIssuing(root *Issuer, rootSigner crypto.Signer, pub crypto.PublicKey, name Name, serial lifecycle.Serial, now time.Time, policies ...string) (*x509.Certificate, error) {
	p := IssuingCA()
	for _, oid := range policies {
		if !slices.Contains(p.Policies, oid) {
			p.Policies = append(p.Policies, oid)
		}
	}
	return signNamed(root, rootSigner, blueprint{profile: p, key: pub, serial: serial, now: now}, name)
}

// SignOCSPResponder certifies a delegated responder of the issuer
// (RFC 6960 §4.2.2.2): it signs answers for this issuer's certificates alone.
func SignOCSPResponder(issuer *Issuer, signer crypto.Signer, pub crypto.PublicKey, name Name, serial lifecycle.Serial, now time.Time) (*x509.Certificate, error) {
	return signNamed(issuer, signer, blueprint{profile: OCSPResponder(), key: pub, serial: serial, now: now}, name)
}

// SignBureauSigner certifies the key that signs the card bureau's files.
func SignBureauSigner(issuer *Issuer, signer crypto.Signer, pub crypto.PublicKey, name Name, serial lifecycle.Serial, now time.Time) (*x509.Certificate, error) {
	return signNamed(issuer, signer, blueprint{profile: BureauSigner(), key: pub, serial: serial, now: now}, name)
}

// SignStatementSigner certifies the key that signs statements to relying services.
func SignStatementSigner(issuer *Issuer, signer crypto.Signer, pub crypto.PublicKey, name Name, serial lifecycle.Serial, now time.Time) (*x509.Certificate, error) {
	return signNamed(issuer, signer, blueprint{profile: StatementSigner(), key: pub, serial: serial, now: now}, name)
}

// SignServer certifies one of Sceau's own TLS listeners for DNS names and IP
// addresses.
func SignServer(issuer *Issuer, signer crypto.Signer, pub crypto.PublicKey, name Name, dnsNames []string, ips []net.IP, serial lifecycle.Serial, now time.Time) (*x509.Certificate, error) {
	if len(dnsNames)+len(ips) == 0 {
		return nil, fmt.Errorf("%w: a server certificate needs a DNS name or an address", lifecycle.Invalid)
	}
	b := blueprint{profile: Server(), key: pub, serial: serial, now: now, dnsNames: dnsNames}
	for _, host := range dnsNames {
		if len(host) > 253 || !dnsName.MatchString(host) {
			return nil, fmt.Errorf("%w: %q is not a DNS name", lifecycle.Invalid, host)
		}
	}
	for _, ip := range ips {
		b.ips = append(b.ips, ip.String())
	}
	return signNamed(issuer, signer, b, name)
}

var dnsName = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$`)

func signNamed(issuer *Issuer, signer crypto.Signer, b blueprint, name Name) (*x509.Certificate, error) {
	if err := name.Validate(); err != nil {
		return nil, fmt.Errorf("name the %s: %w", b.profile.Name, err)
	}
	if why := weakKey(b.key); why != "" {
		return nil, &lifecycle.FieldError{Field: "key", Why: why}
	}
	b.subject, b.urls = name.attributes(), issuer.URLs(0)
	draft, err := issuer.prepare(b)
	if err != nil {
		return nil, err
	}
	return issuer.Sign(draft, signer)
}
