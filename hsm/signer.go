package hsm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strconv"

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
	IssuingKeyPrefix   = "issuing-" // certificates and CRLs
	ResponderKeyPrefix = "ocsp-"    // OCSP answers
	BureauKeyPrefix    = "bureau-"  // files for the card bureau
	RootKeyPrefix      = "root-"    // in the root mount
)

// SigningKey is one version of a key in Transit: its public half, and the way
// to sign. It does not follow a rotation, because a certificate names one
// public key.
type SigningKey struct {
	client  *Client
	mount   string
	name    string
	version int
	public  crypto.PublicKey

	// together signs what callers bring at the same time in one call. It is
	// nil for RSA, whose signature costs more than the call.
	together *collector[string, transitResult]
}

// CreateSigningKey makes an online signing key that cannot be exported. The
// same call again changes nothing; with another algorithm it is
// [lifecycle.Conflict].
func (c *Client) CreateSigningKey(ctx context.Context, name string, algorithm Algorithm) error {
	return c.createSigningKey(ctx, c.config.TransitMount, name, algorithm)
}

// CreateRootSigningKey is [Client.CreateSigningKey] in the root's mount.
func (c *Client) CreateRootSigningKey(ctx context.Context, name string, algorithm Algorithm) error {
	return c.createSigningKey(ctx, c.config.RootTransitMount, name, algorithm)
}

// SigningKey reads a version of an online key, 0 for the latest. Keep it where
// many signatures are made: [SigningKey.Signer] makes no call.
func (c *Client) SigningKey(ctx context.Context, name string, version int) (*SigningKey, error) {
	return c.signingKey(ctx, c.config.TransitMount, name, version)
}

// RootSigningKey is [Client.SigningKey] in the root's mount.
func (c *Client) RootSigningKey(ctx context.Context, name string, version int) (*SigningKey, error) {
	return c.signingKey(ctx, c.config.RootTransitMount, name, version)
}

// Signer is the latest version of an online key, for one operation: the
// signature is made under ctx.
func (c *Client) Signer(ctx context.Context, name string) (crypto.Signer, error) {
	key, err := c.SigningKey(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	return key.Signer(ctx), nil
}

// RootSigner is [Client.Signer] in the root's mount.
func (c *Client) RootSigner(ctx context.Context, name string) (crypto.Signer, error) {
	key, err := c.RootSigningKey(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	return key.Signer(ctx), nil
}

func (c *Client) createSigningKey(ctx context.Context, mount, name string, algorithm Algorithm) error {
	if err := checkName(name); err != nil {
		return err
	}
	if algorithm != P256 && algorithm != P384 && algorithm != RSA3072 {
		return fmt.Errorf("create signing key %s: %w: unknown algorithm %q", name, lifecycle.Invalid, algorithm)
	}
	path := mount + "/keys/" + name
	request := map[string]string{"type": string(algorithm)}
	if err := c.post(ctx, "create signing key "+name, path, request, nil); err != nil {
		return err
	}
	// Vault answers a key that exists with success, whatever its type.
	key, err := c.signingKey(ctx, mount, name, 0)
	if err != nil {
		return err
	}
	if got := algorithmOf(key.public); got != algorithm {
		return fmt.Errorf("create signing key %s: %w: it exists as %s", name, lifecycle.Conflict, got)
	}
	return nil
}

func (c *Client) signingKey(ctx context.Context, mount, name string, version int) (*SigningKey, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	doing := "read signing key " + name
	var answer struct {
		Latest number `json:"latest_version"`
		Keys   map[string]struct {
			PublicKey string `json:"public_key"`
		} `json:"keys"`
	}
	if err := c.get(ctx, doing, mount+"/keys/"+name, &answer); err != nil {
		return nil, err
	}
	if version == 0 {
		version = int(answer.Latest)
	}
	entry, ok := answer.Keys[strconv.Itoa(version)]
	if !ok {
		return nil, fmt.Errorf("%s: %w: no version %d", doing, lifecycle.NotFound, version)
	}
	block, _ := pem.Decode([]byte(entry.PublicKey))
	if block == nil {
		return nil, fmt.Errorf("%s: %w: it has no public key, so it is not for signing", doing, lifecycle.Invalid)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: read its public key: %w", doing, err)
	}
	if algorithmOf(public) == "" {
		return nil, fmt.Errorf("%s: %w: neither P-256, P-384 nor RSA of 3072 bits", doing, lifecycle.Invalid)
	}
	key := &SigningKey{client: c, mount: mount, name: name, version: version, public: public}
	if hash := key.ownHash(); hash != 0 {
		key.together = &collector[string, transitResult]{doing: key.doing(), most: maxSignaturesPerCall, call: key.signTogether}
	}
	return key, nil
}

func algorithmOf(public crypto.PublicKey) Algorithm {
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

// Public is the public half.
func (k *SigningKey) Public() crypto.PublicKey { return k.public }

// Version is the key's version in Transit, to be stored with what it signs.
func (k *SigningKey) Version() int { return k.version }

// Signer signs under ctx. crypto.Signer has no place for a context, so one is
// bound for each operation; binding makes no call.
func (k *SigningKey) Signer(ctx context.Context) crypto.Signer {
	return &boundSigner{key: k, ctx: ctx}
}

type boundSigner struct {
	key *SigningKey
	ctx context.Context // see SigningKey.Signer
}

func (s *boundSigner) Public() crypto.PublicKey { return s.key.public }

// Sign has Vault sign a digest: ECDSA in ASN.1 form (RFC 3279 §2.2.3), RSA in
// PKCS #1 v1.5, or PSS when opts is [rsa.PSSOptions] (RFC 8017). Vault has its
// own randomness; the reader is not used.
func (s *boundSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil {
		return nil, fmt.Errorf("%s: %w: no hash is named", s.key.doing(), lifecycle.Invalid)
	}
	request, err := s.key.request(opts)
	if err == nil && len(digest) != opts.HashFunc().Size() {
		err = fmt.Errorf("%w: a digest of %d bytes is none of %s", lifecycle.Invalid, len(digest), opts.HashFunc())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.key.doing(), err)
	}
	input := base64.StdEncoding.EncodeToString(digest)
	var results []transitResult
	if s.key.together != nil && opts.HashFunc() == s.key.ownHash() {
		results, err = s.key.together.ask(s.ctx, input)
	} else {
		results, err = s.key.sign(s.ctx, request, input)
	}
	if err != nil {
		return nil, err
	}
	return s.key.signature(results[0])
}

// request is what every input of a call has in common.
func (k *SigningKey) request(opts crypto.SignerOpts) (map[string]any, error) {
	var name string
	switch opts.HashFunc() {
	case crypto.SHA256:
		name = "sha2-256"
	case crypto.SHA384:
		name = "sha2-384"
	case crypto.SHA512:
		name = "sha2-512"
	default:
		return nil, fmt.Errorf("%w: the hash must be SHA-256, SHA-384 or SHA-512", lifecycle.Invalid)
	}
	request := map[string]any{
		"prehashed":      true,
		"hash_algorithm": name,
		"key_version":    k.version,
	}
	if _, ok := k.public.(*rsa.PublicKey); !ok {
		request["marshaling_algorithm"] = "asn1"
		return request, nil
	}
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok {
		request["signature_algorithm"] = "pkcs1v15"
		return request, nil
	}
	request["signature_algorithm"] = "pss"
	switch {
	case pss.SaltLength == rsa.PSSSaltLengthEqualsHash:
		request["salt_length"] = "hash"
	case pss.SaltLength == rsa.PSSSaltLengthAuto:
		request["salt_length"] = "auto"
	case pss.SaltLength > 0:
		request["salt_length"] = strconv.Itoa(pss.SaltLength)
	default:
		return nil, errors.Join(lifecycle.Invalid, errors.New("the PSS salt length is negative"))
	}
	return request, nil
}
