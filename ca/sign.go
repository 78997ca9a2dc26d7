package ca

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"sceau/lifecycle"
)

// Sign signs a draft with the CA key. A draft signs once, concurrent calls
// included, and also when the signer fails: whether the key was used is then
// unknown, so the caller prepares the same certificate again (same arguments,
// same bytes) under its stored reservation. What is signed are the linted bytes
// themselves, and the signature is verified before the certificate leaves.
//
// A second call is [lifecycle.Conflict]; errors of the signer keep their kind.
func (i *Issuer) Sign(d *Draft, signer crypto.Signer) (*x509.Certificate, error) {
	return sign(d, i.Certificate, signer)
}

func sign(d *Draft, parent *x509.Certificate, signer crypto.Signer) (*x509.Certificate, error) {
	if signer == nil || !samePublicKey(signer.Public(), parent.PublicKey) {
		return nil, errors.New("sign certificate: the signer holds another key than the issuer's certificate")
	}
	if !d.used.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("%w: draft %s was already given to the signer", lifecycle.Conflict, d.serial)
	}
	tbs := d.linted.RawTBSCertificate
	alg, digest, signature, err := signBytes(signer, parent.PublicKey, tbs)
	if err == nil {
		err = verifyDigest(parent.PublicKey, alg.hash, digest, signature)
	}
	if err != nil {
		return nil, fmt.Errorf("sign certificate %s: %w", d.serial, err)
	}
	body := append(append(make([]byte, 0, len(tbs)+maxSignature), tbs...), alg.der...)
	body = append(appendHeader(body, tagBitString, len(signature)+1), 0)
	body = append(body, signature...)
	der := append(appendHeader(make([]byte, 0, maxHeader+len(body)), tagSequence, len(body)), body...)
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s as it was signed: %w", d.serial, err)
	}
	return certificate, nil
}
