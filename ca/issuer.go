package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/zmap/zlint/v3/lint"

	"sceau/lifecycle"
)

// Issuer is a CA that signs certificates: its name in URLs, its certificate,
// and where its lists and answers are published. Use it by pointer. Its key is
// never here: each signing operation is given a signer.
type Issuer struct {
	ID          string            // lower-case letters, digits and dashes: it stands in URLs and file names
	Certificate *x509.Certificate // with subjectKeyIdentifier
	PublicBase  string            // "http://host:port", without a final slash

	tools struct { // made on first use, then only read
		once     sync.Once
		key      crypto.Signer // throwaway, of the same kind as the CA's: signs drafts for the linter
		registry lint.Registry
		err      error
	}
}

// URLs are the addresses that an issuer's certificates and lists carry.
type URLs struct {
	CRL   string // the shard's full list: cRLDistributionPoints and every IDP
	Delta string // the shard's delta list: freshestCRL
	OCSP  string // id-ad-ocsp
	CA    string // id-ad-caIssuers
}

var issuerID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// URLs gives the addresses for a shard. Clauses: one http URI each
// (EN 319 412-2 GEN-4.3.11, GEN-4.4.1), because a relying party may be unable
// to check a certificate before it has checked that certificate.
func (i *Issuer) URLs(shard int) URLs {
	list := i.PublicBase + "/crl/" + i.ID + "/" + strconv.Itoa(shard)
	return URLs{
		CRL:   list + ".crl",
		Delta: list + "-delta.crl",
		OCSP:  i.PublicBase + "/ocsp",
		CA:    i.PublicBase + "/ca/" + i.ID + ".cer",
	}
}

// Check tells whether the issuer can sign at the given time: a CA certificate
// with a key identifier, certSign and cRLSign, inside its validity, and a
// plain-http base. Errors are [lifecycle.Invalid].
func (i *Issuer) Check(now time.Time) error {
	if !issuerID.MatchString(i.ID) {
		return fmt.Errorf("%w: issuer id %q: use lower-case letters, digits and dashes", lifecycle.Invalid, i.ID)
	}
	base, err := url.Parse(i.PublicBase)
	if err != nil || base.Scheme != "http" || base.Host == "" || base.Path != "" || base.RawQuery != "" || base.User != nil {
		return fmt.Errorf("%w: issuer %s: the public base must be http://host[:port]", lifecycle.Invalid, i.ID)
	}
	c := i.Certificate
	const use = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	switch {
	case c == nil:
		return fmt.Errorf("%w: issuer %s has no certificate", lifecycle.Invalid, i.ID)
	case !c.IsCA || !c.BasicConstraintsValid || c.KeyUsage&use != use || len(c.SubjectKeyId) == 0:
		return fmt.Errorf("%w: issuer %s: its certificate is not a CA's", lifecycle.Invalid, i.ID)
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return fmt.Errorf("%w: issuer %s is valid from %s to %s", lifecycle.Invalid, i.ID,
			c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// linting gives the throwaway key and the selected lints. The key is of the
// issuer's kind, so that the linted bytes carry the same algorithm identifier
// as the signed ones.
func (i *Issuer) linting() (crypto.Signer, lint.Registry, error) {
	i.tools.once.Do(func() {
		if i.tools.key, i.tools.err = throwawayKey(i.Certificate.PublicKey); i.tools.err == nil {
			i.tools.registry, i.tools.err = lintRegistry()
		}
	})
	return i.tools.key, i.tools.registry, i.tools.err
}

func throwawayKey(like crypto.PublicKey) (crypto.Signer, error) {
	switch key := like.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return ecdsa.GenerateKey(key.Curve, rand.Reader)
		}
	case *rsa.PublicKey:
		return rsa.GenerateKey(rand.Reader, 2048) // signs nothing that leaves this package
	}
	return nil, fmt.Errorf("%w: issuing keys are P-256, P-384 or RSA", lifecycle.Invalid)
}
