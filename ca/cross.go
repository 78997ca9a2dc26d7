package ca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"time"

	"sceau/lifecycle"
)

// SignCross certifies another root's key by this one (RFC 4210 §4.4), under the name
// and the key identifier of that root, so that what is below it is checked by
// whoever trusts this one alone. It begins now and ends with the first of the two.
// Its status will be on this root's list of shard 0.
func SignCross(root *Issuer, rootSigner crypto.Signer, other *x509.Certificate, serial lifecycle.Serial, now time.Time) (*x509.Certificate, error) {
	if err := checkRoot(root.Certificate); err != nil {
		return nil, fmt.Errorf("root %s: %w", root.ID, err)
	}
	if err := checkRoot(other); err != nil {
		return nil, fmt.Errorf("the other root: %w", err)
	}
	if !MayCross(root.Certificate) {
		return nil, fmt.Errorf("%w: root %s has path length %d: no holder's certificate below another root would be good for who trusts it", lifecycle.Invalid, root.ID, root.Certificate.MaxPathLen)
	}
	if now.Before(other.NotBefore) || now.After(other.NotAfter) {
		return nil, fmt.Errorf("%w: the other root is valid from %s to %s", lifecycle.Invalid,
			other.NotBefore.Format(time.RFC3339), other.NotAfter.Format(time.RFC3339))
	}
	until := root.Certificate.NotAfter
	if other.NotAfter.Before(until) {
		until = other.NotAfter
	}
	draft, err := root.prepare(blueprint{
		profile: CrossCA(), key: other.PublicKey, subject: attributesOf(other.RawSubject), urls: root.URLs(0),
		serial: serial, now: now, until: until,
	})
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(draft.linted.RawSubject, other.RawSubject) || !bytes.Equal(draft.linted.SubjectKeyId, other.SubjectKeyId) {
		return nil, fmt.Errorf("%w: the other root's name or key identifier is not encoded as Sceau does: nothing below it would be found", lifecycle.Invalid)
	}
	return root.Sign(draft, rootSigner)
}

// MayCross tells whether a root's path length has room for another root with an issuing
// CA below. Those that were made before there were cross-certificates have room for one
// CA; openssl counts it from the root on, although RFC 5280 §6.1.1 does not.
func MayCross(root *x509.Certificate) bool {
	return root.MaxPathLen < 0 || root.MaxPathLen > CrossCA().MaxPathLen
}

// checkRoot tells whether a certificate is a root's: a CA's, signed by its own key.
func checkRoot(c *x509.Certificate) error {
	if c == nil || !bytes.Equal(c.RawSubject, c.RawIssuer) || c.CheckSignatureFrom(c) != nil {
		return fmt.Errorf("%w: it is not a root's certificate, signed by its own key", lifecycle.Invalid)
	}
	return nil
}
