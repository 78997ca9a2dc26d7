package ca

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/lifecycle"
	"sceau/trust"
)

// MaxForeignAnswer bounds another CA's OCSP answer, in octets.
const MaxForeignAnswer = 64 << 10

// longestAnswer is how long an answer without an end is believed.
const longestAnswer = time.Hour

// ForeignQuestion is the OCSP request about a certificate of another CA. It has no
// nonce: many responders answer ahead.
func ForeignQuestion(c, issuer *x509.Certificate) ([]byte, error) {
	der, err := ocsp.CreateRequest(c, issuer, &ocsp.RequestOptions{Hash: crypto.SHA1})
	if err != nil {
		return nil, fmt.Errorf("%w: ask about a certificate: %w", lifecycle.Invalid, err)
	}
	return der, nil
}

// ReadForeignAnswer reads an OCSP answer about a certificate and tells what it says, if
// it can be relied on at a moment: signed by the issuer or whom it delegates to, and of
// this time. Errors are [lifecycle.Invalid].
func ReadForeignAnswer(der []byte, c, issuer *x509.Certificate, at time.Time) (trust.Status, error) {
	if len(der) > MaxForeignAnswer {
		return trust.Status{}, fmt.Errorf("%w: the OCSP answer is longer than %d octets", lifecycle.Invalid, MaxForeignAnswer)
	}
	a, err := ocsp.ParseResponseForCert(der, c, issuer)
	if err != nil {
		return trust.Status{}, fmt.Errorf("%w: the OCSP answer: %w", lifecycle.Invalid, err)
	}
	until := a.NextUpdate
	if until.IsZero() {
		until = a.ThisUpdate.Add(longestAnswer)
	}
	var w wrongs
	w.add(!a.ThisUpdate.After(at.Add(clockTolerance)), "the OCSP answer is of %s, in the future", a.ThisUpdate.Format(time.RFC3339))
	w.add(until.After(at), "the OCSP answer ended at %s", until.Format(time.RFC3339))
	if by := a.Certificate; by != nil {
		w.add(!at.Before(by.NotBefore) && !at.After(by.NotAfter), "the OCSP responder's certificate is valid from %s to %s", by.NotBefore.Format(time.RFC3339), by.NotAfter.Format(time.RFC3339))
		delegated := slices.Contains(by.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) && (by.KeyUsage == 0 || by.KeyUsage&x509.KeyUsageDigitalSignature != 0)
		w.add(by.Equal(issuer) || delegated, "the OCSP answer is signed by a certificate to which its CA delegates nothing")
	}
	if len(w) > 0 {
		return trust.Status{}, w[0]
	}
	s := trust.Status{Time: a.ThisUpdate.UTC(), Until: until.UTC()}
	switch a.Status {
	case ocsp.Good:
	case ocsp.Revoked:
		s.Code, s.Revoked, s.Reason = trust.RevokedAt(a.RevokedAt, a.RevocationReason).Code, a.RevokedAt.UTC(), a.RevocationReason
	default:
		s.Code = trust.NotIssued
	}
	return s, nil
}
