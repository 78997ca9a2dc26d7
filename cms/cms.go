// Package cms seals bytes for the holder of a certificate and opens them again:
// CMS EnvelopedData (RFC 5652 §6) with one RSA recipient, the content-encryption
// key wrapped by RSAES-OAEP with SHA-256 (RFC 3560, RFC 4055), the content
// enciphered by AES-256 in CBC mode (RFC 3565). And it signs bytes and checks
// them: CMS SignedData (RFC 5652 §5) with one signer. Print room and card bureau
// open and check them with any CMS tool, openssl cms among them.
//
// It never decides who a recipient is or whether a certificate is trusted or
// in time, keeps no key, reads no file and no clock. An envelope hides; it
// does not prove who made it, and CBC does not show every change: what
// travels inside must be signed (bureau files are) or carry its own digest, and
// a refused envelope always reads the same, whatever was wrong with its
// ciphertext. Values come in, bytes go out.
//
// Why not smallstep/pkcs7: it takes its ciphers from package variables (DES by
// default), leaves the MGF1 hash out of its OAEP parameters so that other tools
// read SHA-1, and its Decrypt panics on a ciphertext that is not whole blocks.
// Its reader checks ours in the tests.
package cms

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"sceau/lifecycle"
)

// Bounds of what is sealed and opened, in bytes.
const (
	MaxContent  = 64 << 20 // a bureau file of 10 000 cards is well below
	maxOverhead = 64 << 10 // structure, issuer name and wrapped key
	minRSABits  = 3072
)

// CheckRecipient tells whether something may be sealed for the certificate:
// an RSA key of at least 3072 bits, whose keyUsage allows keyEncipherment
// (RFC 5280 §4.2.1.3). Its errors are [lifecycle.Invalid].
func CheckRecipient(recipient *x509.Certificate) error {
	if recipient == nil {
		return fmt.Errorf("%w: no recipient certificate", lifecycle.Invalid)
	}
	key, ok := recipient.PublicKey.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("%w: the recipient's key is %s: use RSA of %d bits or more",
			lifecycle.Invalid, recipient.PublicKeyAlgorithm, minRSABits)
	}
	if bits := key.N.BitLen(); bits < minRSABits {
		return fmt.Errorf("%w: the recipient's RSA key has %d bits: use %d or more", lifecycle.Invalid, bits, minRSABits)
	}
	if recipient.KeyUsage&x509.KeyUsageKeyEncipherment == 0 {
		return fmt.Errorf("%w: the recipient's certificate does not allow keyEncipherment", lifecycle.Invalid)
	}
	return nil
}
