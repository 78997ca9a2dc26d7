package house

import (
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"sceau/ca"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// renewBefore is how long before its end a delegate's certificate is renewed.
// Its key stays until Rotate: the certificate is short-lived.
const renewBefore = 30 * 24 * time.Hour

// delegation is a key that an issuing CA certifies to sign something for it.
type delegation struct {
	issuer  string
	purpose issuance.Delegation
	act     string // in the minutes
	key     string // name in the key store
	name    string // in its certificate
	certify func(*ca.Issuer, crypto.Signer, crypto.PublicKey, ca.Name, lifecycle.Serial, time.Time) (*x509.Certificate, error)
}

// delegations are those of an issuing CA, with keys of its number: a key of one CA
// is not another's.
func delegations(issuer string) []delegation {
	n := generation(issuer)
	return []delegation{
		{issuer, issuance.DelegateOCSP, "responder", hsm.ResponderKeyPrefix + n, numbered("OCSP responder", n), ca.SignOCSPResponder},
		{issuer, issuance.DelegateBureau, "bureau-signer", hsm.BureauKeyPrefix + n, numbered("Card bureau files", n), ca.SignBureauSigner},
		{issuer, issuance.DelegateStatement, "statement-signer", hsm.StatementKeyPrefix + n, numbered("Statements", n), ca.SignStatementSigner},
	}
}

// numbered is the name of a CA or delegate of the nth generation; the first has no
// number in it.
func numbered(name, n string) string {
	if n == generation(IssuingID) {
		return name
	}
	return name + " " + n
}

// thing is one certificate of the delegation, by its fingerprint: a newer one is
// another act.
func (d delegation) thing(der []byte) string { return fmt.Sprintf("%s/%X", d.key, sha256.Sum256(der)) }

// makeDelegate certifies a delegate of the issuing CA, and certifies it again
// before it ends. A running responder takes the new certificate when it starts
// again, a worker with its next file.
func (h *House) makeDelegate(ctx context.Context, c *Ceremony, d delegation) error {
	newest, err := c.ledger.NewestDelegate(ctx, d.issuer, d.purpose)
	if err == nil && newest.NotAfter.Sub(h.config.Now()) > renewBefore {
		certificate, err := x509.ParseCertificate(newest.Certificate)
		if err != nil {
			return fmt.Errorf("its certificate: %w", err)
		}
		return c.delegated(ctx, d, newest.Key, certificate)
	}
	if err != nil && !errors.Is(err, lifecycle.NotFound) {
		return err
	}
	key, err := c.onlineKey(ctx, d.key)
	if err != nil {
		return err
	}
	certificate, err := h.certify(ctx, c, d, key)
	if err != nil {
		return err
	}
	return c.delegated(ctx, d, c.prefix+d.key, certificate)
}

// certify has the issuing CA sign a certificate for a version of a delegate's
// key, and records it.
func (h *House) certify(ctx context.Context, c *Ceremony, d delegation, key *hsm.SigningKey) (*x509.Certificate, error) {
	issuer, err := c.issuer(ctx, d.issuer)
	if err != nil {
		return nil, err
	}
	signer, err := hsm.NewKeyring(c.Online).Signer(ctx, c.prefix+d.issuer, issuer.Certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	certificate, err := d.certify(issuer, signer, key.Public(), c.caName(d.name), newSerial(), h.config.Now())
	if err != nil {
		return nil, err
	}
	return certificate, c.ledger.RecordDelegate(ctx, c.By, issuance.Delegate{
		Issuer: d.issuer, Purpose: d.purpose, Certificate: certificate.Raw, Key: c.prefix + d.key, NotAfter: certificate.NotAfter,
	})
}

// issuer is a CA on record. Where it publishes is fixed for its life.
func (c *Ceremony) issuer(ctx context.Context, id string) (*ca.Issuer, error) {
	all, err := c.ledger.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.ID != id {
			continue
		}
		certificate, err := x509.ParseCertificate(a.Certificate)
		if err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", id, err)
		}
		return &ca.Issuer{ID: id, Certificate: certificate, PublicBase: cmp.Or(a.PublicBase, c.PublicBase)}, nil
	}
	return nil, fmt.Errorf("CA %s: %w: hold the ceremony first", id, lifecycle.NotFound)
}

// delegated records the act that certified a delegate.
func (c *Ceremony) delegated(ctx context.Context, d delegation, key string, certificate *x509.Certificate) error {
	detail := certified(c.Online.Where()+"/"+key, certificate)
	return c.made(ctx, d.thing(certificate.Raw), d.act+" "+detail["sha256"][:8], detail)
}
