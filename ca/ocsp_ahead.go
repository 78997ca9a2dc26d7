package ca

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"sceau/lifecycle"
)

// BatchSigner is a signer that makes many signatures in few calls, in their
// order: all or an error.
type BatchSigner interface {
	crypto.Signer
	SignBatch(digests [][]byte, opts crypto.SignerOpts) ([][]byte, error)
}

// Usual tells whether a request is the one that most clients send: one
// certificate of this issuer, CertID with SHA-1, no nonce, nothing else
// (RFC 5019 §2.1.1), and gives its serial, a part of the request. It is
// recognised by its octets, without being read.
func (r *Responder) Usual(der []byte) (serial []byte, ok bool) {
	if len(der) != len(r.usual)+len(lifecycle.Serial{}) || !bytes.HasPrefix(der, r.usual) {
		return nil, false
	}
	return der[len(r.usual):], true
}

// beginningOfUsual is such a request up to the serial, which has the same length
// in all of ours.
func (r *Responder) beginningOfUsual() ([]byte, error) {
	var any lifecycle.Serial
	any[0] = 0x40
	request, err := r.Request(any, crypto.SHA1)
	if err != nil {
		return nil, err
	}
	der := request.IDs[0].Raw()
	for range 4 { // Request, requestList, TBSRequest, OCSPRequest
		der = append(appendHeader(nil, tagSequence, len(der)), der...)
	}
	return der[:len(der)-len(any)], nil
}

// CertificateStatus is a certificate with its status, to be answered for.
type CertificateStatus struct {
	Serial lifecycle.Serial
	Status Status
}

// AnswerAhead signs the answers that most clients ask for, one for each
// certificate, in their order: CertID with SHA-1 (RFC 5019 §2.1.1), no nonce.
// A [BatchSigner] is called once for all. Every signature is verified before it
// leaves, because an answer signed ahead is given for hours.
func (r *Responder) AnswerAhead(of []CertificateStatus, now time.Time, signer crypto.Signer) ([]Answer, error) {
	if !samePublicKey(signer.Public(), r.certificate.PublicKey) {
		return nil, errors.New("sign OCSP answers: the signer holds another key than the responder's certificate")
	}
	alg, err := signatureAlgorithm(r.certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	from, until, err := r.window(now)
	if err != nil {
		return nil, err
	}
	bodies, digests := make([][]byte, len(of)), make([][]byte, len(of))
	for i, c := range of {
		request, err := r.Request(c.Serial, crypto.SHA1)
		if err != nil {
			return nil, err
		}
		if bodies[i], err = r.responseData(request, []Status{c.Status}, from, until); err != nil {
			return nil, fmt.Errorf("serial %s: %w", c.Serial, err)
		}
		h := alg.hash.New()
		h.Write(bodies[i])
		digests[i] = h.Sum(nil)
	}
	signatures, err := signDigests(signer, digests, alg.hash)
	if err != nil {
		return nil, fmt.Errorf("sign %d OCSP answers: %w", len(of), err)
	}
	answers := make([]Answer, len(of))
	for i, signature := range signatures {
		if err := verifyDigest(r.certificate.PublicKey, alg.hash, digests[i], signature); err != nil {
			return nil, fmt.Errorf("OCSP answer for %s: %w", of[i].Serial, err)
		}
		answers[i] = Answer{DER: r.wrap(bodies[i], alg.der, signature), ThisUpdate: from, NextUpdate: until}
	}
	return answers, nil
}

func signDigests(signer crypto.Signer, digests [][]byte, hash crypto.Hash) ([][]byte, error) {
	if many, ok := signer.(BatchSigner); ok {
		signatures, err := many.SignBatch(digests, hash)
		if err == nil && len(signatures) != len(digests) {
			err = fmt.Errorf("%d signatures of %d digests", len(signatures), len(digests))
		}
		return signatures, err
	}
	signatures := make([][]byte, len(digests))
	for i, digest := range digests {
		var err error
		if signatures[i], err = signer.Sign(rand.Reader, digest, hash); err != nil {
			return nil, err
		}
	}
	return signatures, nil
}
