package hsm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"

	"sceau/gather"
	"sceau/lifecycle"
)

// Algorithm is the kind of a signing key.
type Algorithm string

// The algorithms that Sceau's certificate profiles use, by Vault's names.
const (
	P256    Algorithm = "ecdsa-p256"
	P384    Algorithm = "ecdsa-p384"
	RSA3072 Algorithm = "rsa-3072"
)

// Prefixes of signing key names: deploy/vault's policies go by them.
const (
	IssuingKeyPrefix   = "issuing-"   // certificates and CRLs
	ResponderKeyPrefix = "ocsp-"      // OCSP answers
	BureauKeyPrefix    = "bureau-"    // files for the card bureau
	StatementKeyPrefix = "statement-" // statements to relying services
	RootKeyPrefix      = "root-"      // in the root mount
)

// Keystore keeps signing keys that never leave it: Vault's Transit engine
// ([Client]) or a bank's own module over PKCS #11 (hsm/pkcs11). hsm/hsmtest says
// what each must do. Errors are [lifecycle.Invalid] for a bad name or algorithm,
// and [lifecycle.Unavailable] while the store is away.
type Keystore interface {
	// Where names the store in records: a mount of Vault, or a token.
	Where() string
	// CreateSigningKey makes a key that cannot be exported. The same call again
	// changes nothing; with another algorithm it is [lifecycle.Conflict].
	CreateSigningKey(ctx context.Context, name string, algorithm Algorithm) error
	// RotateSigningKey adds a version of the same algorithm, which is the latest
	// from then on. Older ones go on signing for who names them.
	RotateSigningKey(ctx context.Context, name string) error
	// SigningKey reads a version of a key, 0 for the latest; it is
	// [lifecycle.NotFound] when there is no such key or version.
	SigningKey(ctx context.Context, name string, version int) (*SigningKey, error)
}

// KeyVersion is what a key store tells of one version of a key, and its way to
// sign with it.
type KeyVersion struct {
	Name    string
	Version int
	Public  crypto.PublicKey
	// Sign signs digests and answers in their order: ECDSA in ASN.1 form
	// (RFC 3279 §2.2.3), RSA in PKCS #1 v1.5, or PSS when opts is
	// [rsa.PSSOptions] (RFC 8017). Digests and opts were checked.
	Sign func(ctx context.Context, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error)
	// PerCall is how many digests a call to Sign carries at most.
	PerCall int
	// Together has digests of callers at the same time share calls, where a call
	// costs more than a signature.
	Together bool
}

// SigningKey is one version of a key in a [Keystore]: its public half, and the
// way to sign. It does not follow a rotation, because a certificate names one
// public key. It is safe for concurrent use.
type SigningKey struct {
	of       KeyVersion
	together *gather.Calls[[]byte, []byte] // nil: each caller has calls of its own
}

// NewSigningKey makes a key store's version of a key ready for use; a public
// half that is none of the three algorithms is [lifecycle.Invalid].
func NewSigningKey(v KeyVersion) (*SigningKey, error) {
	k := &SigningKey{of: v}
	if AlgorithmOf(v.Public) == "" {
		return nil, fmt.Errorf("read signing key %s: %w: neither P-256, P-384 nor RSA of 3072 bits", v.Name, lifecycle.Invalid)
	}
	if v.Together {
		k.together = &gather.Calls[[]byte, []byte]{
			Doing: k.doing(), Most: v.PerCall,
			Call: func(ctx context.Context, digests [][]byte) ([][]byte, error) {
				return v.Sign(ctx, digests, k.ownHash())
			},
		}
	}
	return k, nil
}

// Public is the public half.
func (k *SigningKey) Public() crypto.PublicKey { return k.of.Public }

// Version is the key's version in its store, to be stored with what it signs.
func (k *SigningKey) Version() int { return k.of.Version }

// AlgorithmOf names a public key's algorithm; "" is none of Sceau's.
func AlgorithmOf(public crypto.PublicKey) Algorithm {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return P256
		case elliptic.P384():
			return P384
		}
	case *rsa.PublicKey:
		if key.N.BitLen() == 3072 {
			return RSA3072
		}
	}
	return ""
}

// CheckKey refuses, as [lifecycle.Invalid], a name or an algorithm that no key
// store may be asked for.
func CheckKey(name string, algorithm Algorithm) error {
	if err := checkName(name); err != nil {
		return err
	}
	if algorithm != P256 && algorithm != P384 && algorithm != RSA3072 {
		return fmt.Errorf("create signing key %s: %w: unknown algorithm %q", name, lifecycle.Invalid, algorithm)
	}
	return nil
}
