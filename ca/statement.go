package ca

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"sceau/lifecycle"
)

// CheckStatement tells whether the key of a certificate signed the statement with
// SHA-256: ECDSA in DER, or RSA by PKCS #1 v1.5, as `openssl dgst -sha256 -sign`
// does. The error is a *[lifecycle.FieldError].
func CheckStatement(der, statement, signature []byte) error {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return &lifecycle.FieldError{Field: "certificate", Why: "cannot be read"}
	}
	algorithm := x509.ECDSAWithSHA256
	if _, ok := certificate.PublicKey.(*rsa.PublicKey); ok {
		algorithm = x509.SHA256WithRSA
	}
	if err := certificate.CheckSignature(algorithm, statement, signature); err != nil {
		return &lifecycle.FieldError{Field: "signature", Why: "does not verify with the certificate's key"}
	}
	return nil
}

// PublicKeyHash is the SHA-256 of the SubjectPublicKeyInfo of a certificate, a
// certificate request or a public key, in PEM or DER.
func PublicKeyHash(file []byte) ([32]byte, error) {
	der := file
	if block, _ := pem.Decode(file); block != nil {
		der = block.Bytes
	}
	if c, err := x509.ParseCertificate(der); err == nil {
		return spkiHash(c.PublicKey)
	}
	if r, err := x509.ParseCertificateRequest(der); err == nil {
		return spkiHash(r.PublicKey)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return [32]byte{}, &lifecycle.FieldError{Field: "file", Why: "is neither a certificate, a certificate request nor a public key, in PEM or DER"}
	}
	return spkiHash(key)
}
