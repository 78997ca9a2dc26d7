package hsm

import (
	"context"
	"crypto"
	"crypto/rsa"
	"fmt"
	"io"
	"slices"

	"sceau/lifecycle"
)

// Signer signs under ctx. crypto.Signer has no place for a context, so one is
// bound for each operation; binding makes no call.
func (k *SigningKey) Signer(ctx context.Context) *BoundSigner { return &BoundSigner{key: k, ctx: ctx} }

// BoundSigner is a [crypto.Signer] for one operation, and for many digests at
// once.
type BoundSigner struct {
	key *SigningKey
	ctx context.Context // see SigningKey.Signer
}

// Public is the public half.
func (s *BoundSigner) Public() crypto.PublicKey { return s.key.of.Public }

// Sign has the key store sign a digest, with callers of the same moment where
// that pays. The store has its own randomness; the reader is not used.
func (s *BoundSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := s.key.check([][]byte{digest}, opts); err != nil {
		return nil, err
	}
	if s.key.together == nil || opts.HashFunc() != s.key.ownHash() {
		signatures, err := s.key.sign(s.ctx, [][]byte{digest}, opts)
		return first(signatures), err
	}
	signatures, err := s.key.together.Ask(s.ctx, digest)
	return first(signatures), err
}

// SignBatch is [SigningKey.SignBatch] under the bound context.
func (s *BoundSigner) SignBatch(digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	return s.key.SignBatch(s.ctx, digests, opts)
}

// SignBatch signs digests of one hash in as few calls as the key store takes,
// one after the other, and answers in their order: all signatures or an error.
func (k *SigningKey) SignBatch(ctx context.Context, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	if err := k.check(digests, opts); err != nil {
		return nil, err
	}
	all := make([][]byte, 0, len(digests))
	for some := range slices.Chunk(digests, max(k.of.PerCall, 1)) {
		signatures, err := k.sign(ctx, some, opts)
		if err != nil {
			return nil, err
		}
		all = append(all, signatures...)
	}
	return all, nil
}

// sign makes one call.
func (k *SigningKey) sign(ctx context.Context, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, refusal(ctx, k.doing(), err)
	}
	signatures, err := k.of.Sign(ctx, digests, opts)
	if err == nil && len(signatures) != len(digests) {
		return nil, fmt.Errorf("%s: %d answers to %d questions", k.doing(), len(signatures), len(digests))
	}
	return signatures, err
}

// check refuses what no key store should be asked, before a call is made.
func (k *SigningKey) check(digests [][]byte, opts crypto.SignerOpts) error {
	var why string
	switch hash := hashOf(opts); {
	case hash == 0:
		why = "no hash is named"
	case hash != crypto.SHA256 && hash != crypto.SHA384 && hash != crypto.SHA512:
		why = "the hash must be SHA-256, SHA-384 or SHA-512"
	default:
		why = k.checkPSS(opts)
		for _, digest := range digests {
			if len(digest) != hash.Size() {
				why = fmt.Sprintf("a digest of %d bytes is none of %s", len(digest), hash)
			}
		}
	}
	if why != "" {
		return fmt.Errorf("%s: %w: %s", k.doing(), lifecycle.Invalid, why)
	}
	return nil
}

// checkPSS tells what is wrong with the options of a PSS signature.
func (k *SigningKey) checkPSS(opts crypto.SignerOpts) string {
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok {
		return ""
	}
	key, ok := k.of.Public.(*rsa.PublicKey)
	switch {
	case !ok:
		return "the key is ECDSA, and PSS is RSA's"
	case pss.SaltLength < rsa.PSSSaltLengthEqualsHash:
		return "the PSS salt length is negative"
	case pss.SaltLength > MaxSalt(key, pss.Hash):
		return "the PSS salt is longer than the key has room for"
	}
	return ""
}

// MaxSalt is the longest PSS salt in octets (RFC 8017 §9.1.1, step 3).
func MaxSalt(key *rsa.PublicKey, hash crypto.Hash) int {
	return (key.N.BitLen()-1+7)/8 - 2 - hash.Size()
}

func hashOf(opts crypto.SignerOpts) crypto.Hash {
	if opts == nil {
		return 0
	}
	return opts.HashFunc()
}

// ownHash is the hash that an ECDSA key is used with (RFC 5480 §4), 0 for RSA.
func (k *SigningKey) ownHash() crypto.Hash {
	switch AlgorithmOf(k.of.Public) {
	case P256:
		return crypto.SHA256
	case P384:
		return crypto.SHA384
	case RSA3072:
	}
	return 0
}

func (k *SigningKey) doing() string { return "sign with " + k.of.Name }

func first(signatures [][]byte) []byte {
	if len(signatures) == 0 {
		return nil
	}
	return signatures[0]
}
