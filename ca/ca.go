// Package ca makes what a certification authority publishes: certificates from
// validated profiles (prepare, lint, sign), certificate revocation lists and
// OCSP answers. It works on values and a crypto.Signer.
//
// It never reads a clock, a file, the network, SQL or Vault: the time is an
// argument, the key is behind the signer, serials and revocations come from the
// caller, and DER goes back to the caller. Nothing of a certificate request but
// its public key reaches a certificate, and only a linted [Draft] can be signed,
// once.
//
// Foreign bytes enter through [ParseRequest], [ParseOCSPRequest],
// [ReadOCSPAnswer] and [ReadCRL], each bounded in size and fuzzed. Values leave as
// *x509.Certificate or DER.
package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"sceau/lifecycle"
)

// sigAlgorithm is one of the three ways in which Sceau's keys sign.
type sigAlgorithm struct {
	x509 x509.SignatureAlgorithm
	hash crypto.Hash
	der  []byte // AlgorithmIdentifier
}

// signatureAlgorithm picks the algorithm that fits a CA or responder key:
// ECDSA with the hash of the curve's size (RFC 5758 §3.2), or RSA PKCS#1 v1.5
// with SHA-256 (RFC 4055 §5, parameters NULL).
func signatureAlgorithm(pub crypto.PublicKey) (sigAlgorithm, error) {
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return sigAlgorithm{x509.ECDSAWithSHA256, crypto.SHA256, []byte("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")}, nil
		case elliptic.P384():
			return sigAlgorithm{x509.ECDSAWithSHA384, crypto.SHA384, []byte("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")}, nil
		}
	case *rsa.PublicKey:
		return sigAlgorithm{x509.SHA256WithRSA, crypto.SHA256, []byte("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00")}, nil
	}
	return sigAlgorithm{}, fmt.Errorf("%w: signing keys are P-256, P-384 or RSA", lifecycle.Invalid)
}

// signBytes signs tbs. The signer's key is compared with pub first, so that a
// wrong key is found before it is used.
func signBytes(signer crypto.Signer, pub crypto.PublicKey, tbs []byte) (alg sigAlgorithm, digest, signature []byte, err error) {
	if !samePublicKey(signer.Public(), pub) {
		return alg, nil, nil, errors.New("the signer holds another key than the certificate")
	}
	if alg, err = signatureAlgorithm(pub); err != nil {
		return alg, nil, nil, err
	}
	h := alg.hash.New()
	h.Write(tbs)
	digest = h.Sum(nil)
	if signature, err = signer.Sign(rand.Reader, digest, alg.hash); err != nil {
		return alg, nil, nil, fmt.Errorf("sign: %w", err)
	}
	return alg, digest, signature, nil
}

// verifyDigest checks what a signer answered; a faulty key store must not
// publish.
func verifyDigest(pub crypto.PublicKey, hash crypto.Hash, digest, signature []byte) error {
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, digest, signature) {
			return nil
		}
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil {
			return nil
		}
	}
	return errors.New("the signature does not verify with the certificate's key")
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// spkiHash is the SHA-256 of a public key's SubjectPublicKeyInfo.
func spkiHash(pub crypto.PublicKey) ([32]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return [32]byte{}, fmt.Errorf("encode public key: %w", err)
	}
	return sha256.Sum256(der), nil
}

// subjectPublicKey gives the content of the BIT STRING in a
// SubjectPublicKeyInfo: what key identifiers and OCSP key hashes are made of.
func subjectPublicKey(spki []byte) ([]byte, error) {
	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if rest, err := asn1.Unmarshal(spki, &info); err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%w: SubjectPublicKeyInfo is malformed", lifecycle.Invalid)
	}
	return info.Key.RightAlign(), nil
}

// keyIdentifier is the leftmost 160 bits of the SHA-256 of the public key
// (RFC 7093 §2, method 1).
func keyIdentifier(pub crypto.PublicKey) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	key, err := subjectPublicKey(spki)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(key)
	return bytes.Clone(sum[:20]), nil
}
