package ca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// RelyingParty judges lists and OCSP answers as whoever relies on a certificate
// must, and more strictly than most do. Errors are [lifecycle.Invalid], each of
// all that is wrong at once.
type RelyingParty struct {
	Certificate *x509.Certificate // whose status is asked
	Issuer      *x509.Certificate
	Now         time.Time
	Oldest      time.Duration // how old a list may be; 0: as old as its nextUpdate says
}

// clockTolerance is what two clocks may differ.
const clockTolerance = 5 * time.Second

// wrongs gathers what is wrong.
type wrongs []error

func (w *wrongs) add(ok bool, format string, args ...any) {
	if !ok {
		*w = append(*w, fmt.Errorf("%w: "+format, append([]any{lifecycle.Invalid}, args...)...))
	}
}

func (w *wrongs) err(err error) {
	if err != nil {
		*w = append(*w, err)
	}
}

// List judges a list that came from an address inside the certificate: who
// signed it, its times, and whether it is for this certificate.
func (p RelyingParty) List(der []byte, delta bool) (*List, error) {
	l, err := ReadCRL(der)
	if err != nil {
		return nil, err
	}
	var w wrongs
	w.err(l.Verify(p.Issuer))
	w.add(!l.ThisUpdate.After(p.Now.Add(clockTolerance)), "list %d is of %s, in the future", l.Number, l.ThisUpdate.Format(time.RFC3339))
	w.add(l.NextUpdate.After(p.Now), "list %d ended at %s", l.Number, l.NextUpdate.Format(time.RFC3339))
	w.add(p.Oldest == 0 || p.Now.Sub(l.ThisUpdate) <= p.Oldest, "list %d is of %s: it should have been replaced", l.Number, l.ThisUpdate.Format(time.RFC3339))
	w.add(delta == (l.BaseNumber != 0), "list %d is a delta where a full list should be, or the reverse", l.Number)
	w.add(p.inScope(l), "list %d has an issuing distribution point that does not fit the certificate", l.Number)
	return l, errors.Join(w...)
}

// inScope compares the issuing distribution point with the certificate's
// distribution point (RFC 5280 §6.3.3 b): another shard's list says nothing.
func (p RelyingParty) inScope(l *List) bool {
	scope := CRL{OnlyUser: !p.Certificate.IsCA, OnlyCA: p.Certificate.IsCA}
	if l.Distribution == nil || bytes.Equal(l.Distribution, scope.Scope()) {
		return true // of all its issuer's certificates, or all of the kind
	}
	for _, scope.DistributionPoint = range p.Certificate.CRLDistributionPoints {
		if bytes.Equal(l.Distribution, scope.Scope()) {
			return true
		}
	}
	return false
}

// Together tells whether a delta completes a full list.
func Together(full, delta *List) error {
	var w wrongs
	w.add(delta.BaseNumber <= full.Number, "delta %d completes list %d, which is newer than the one published, %d", delta.Number, delta.BaseNumber, full.Number)
	w.add(bytes.Equal(full.Distribution, delta.Distribution), "delta %d has another scope than list %d", delta.Number, full.Number)
	return errors.Join(w...)
}

// Find looks a serial up. It walks the list.
func (l *List) Find(serial *big.Int) (Revoked, bool, error) {
	var want lifecycle.Serial
	if serial.Sign() <= 0 || serial.BitLen() > 8*len(want) {
		return Revoked{}, false, nil
	}
	serial.FillBytes(want[:])
	for r, err := range l.All() {
		if err != nil {
			return r, false, err
		}
		if r.Serial == want {
			return r, true, nil
		}
	}
	return Revoked{}, false, nil
}

// Answer judges an OCSP answer to the question with this nonce, nil for none,
// and gives what it says of the certificate.
func (p RelyingParty) Answer(der []byte, hash crypto.Hash, nonce []byte) (SingleAnswer, error) {
	a, err := ReadOCSPAnswer(der)
	if err != nil {
		return SingleAnswer{}, err
	}
	id, err := certIDOf(p.Certificate, p.Issuer, hash)
	if err != nil {
		return SingleAnswer{}, err
	}
	var w wrongs
	_, err = a.Verify(p.Issuer, p.Now)
	w.err(err)
	w.add(bytes.Equal(a.Nonce, nonce), "the OCSP answer has another nonce than the question")
	for _, s := range a.Singles {
		if !bytes.Equal(s.ID.raw, id.raw) {
			continue
		}
		w.add(!s.ThisUpdate.After(p.Now.Add(clockTolerance)), "the OCSP answer is of %s, in the future", s.ThisUpdate.Format(time.RFC3339))
		w.add(s.NextUpdate.IsZero() || s.NextUpdate.After(p.Now), "the OCSP answer ended at %s", s.NextUpdate.Format(time.RFC3339))
		w.add(!s.NextUpdate.IsZero() || s.Status.State != StateGood, "the OCSP answer is good without an end")
		return s, errors.Join(w...)
	}
	w.add(false, "the OCSP answer is about another certificate")
	return SingleAnswer{}, errors.Join(w...)
}

// FreshestURL is where a certificate says that its delta list is; "" for
// nowhere.
func FreshestURL(c *x509.Certificate) string {
	for _, e := range c.Extensions {
		if e.Id.String() == oidFreshestCRL {
			return readDistributionPoint(e.Value)
		}
	}
	return ""
}

// readDistributionPoint reads the URI of the first point, as
// [distributionPoints] writes it.
func readDistributionPoint(value cryptobyte.String) string {
	var points, point, name, full, uri cryptobyte.String
	if !value.ReadASN1(&points, cbasn1.SEQUENCE) || !points.ReadASN1(&point, cbasn1.SEQUENCE) ||
		!point.ReadASN1(&name, explicit(0)) || !name.ReadASN1(&full, explicit(0)) ||
		!full.ReadASN1(&uri, cbasn1.Tag(6).ContextSpecific()) {
		return ""
	}
	return string(uri)
}
