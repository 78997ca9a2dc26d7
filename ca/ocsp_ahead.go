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
// (RFC 5019 §2.1.1), and gives its CertID, a part of the request. It is
// recognised by its octets, without being read.
func (r *Responder) Usual(der []byte) (id CertID, ok bool) {
	if len(der) != len(r.usual)+len(lifecycle.Serial{}) || !bytes.HasPrefix(der, r.usual) {
		return CertID{}, false
	}
	sha1 := &r.ids[0]
	return CertID{Hash: sha1.hash, NameHash: sha1.name, KeyHash: sha1.key, Serial: der[len(r.usual):], raw: der[usualHeaders:]}, true
}

// usualHeaders are the octets of the four headers before the CertID, all of them
// short: Request, requestList, TBSRequest, OCSPRequest.
const usualHeaders = 4 * 2

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
	raw := len(der)
	for range 4 {
		der = append(appendHeader(nil, tagSequence, len(der)), der...)
	}
	if len(der)-raw != usualHeaders {
		return nil, errors.New("the usual OCSP request has longer headers than were thought of")
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
