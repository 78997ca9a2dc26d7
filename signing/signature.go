package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"

	"sceau/lifecycle"
)

// CheckSignature tells whether a key signed a text with SHA-256: ECDSA in DER, or as
// two numbers one after the other, as browsers make it (IEEE P1363); RSA with PSS or
// PKCS #1 v1.5.
func CheckSignature(key crypto.PublicKey, text, signature []byte) error {
	digest := sha256.Sum256(text)
	right := false
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		right = ecdsa.VerifyASN1(key, digest[:], signature) || plainECDSA(key, digest[:], signature)
	case *rsa.PublicKey:
		const least = 256
		right = key.Size() >= least && (rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, nil) == nil ||
			rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil)
	}
	if !right {
		return &lifecycle.FieldError{Field: "signature", Why: "does not verify with the certificate's key"}
	}
	return nil
}

func plainECDSA(key *ecdsa.PublicKey, digest, signature []byte) bool {
	size := (key.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	return ecdsa.Verify(key, digest, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
}
