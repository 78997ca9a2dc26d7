package hsm

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"

	"sceau/lifecycle"
)

// How many digests a call to Transit carries: more of ECDSA gains nothing and
// keeps everybody in it waiting; an RSA signature costs more than the call.
const (
	ecdsaPerCall = 100
	rsaPerCall   = 16
)

// transit is a mount of Vault's Transit engine as a [Keystore].
type transit struct {
	client *Client
	mount  string
}

// RootKeystore is the root's mount, which an online process's policy does not
// reach.
func (c *Client) RootKeystore() Keystore { return transit{c, c.config.RootTransitMount} }

func (c *Client) online() transit { return transit{c, c.config.TransitMount} }

// CreateSigningKey makes an online key; see [Keystore].
func (c *Client) CreateSigningKey(ctx context.Context, name string, algorithm Algorithm) error {
	return c.online().CreateSigningKey(ctx, name, algorithm)
}

// RotateSigningKey rotates an online key; see [Keystore].
func (c *Client) RotateSigningKey(ctx context.Context, name string) error {
	return c.online().RotateSigningKey(ctx, name)
}

// SigningKey reads a version of an online key, 0 for the latest. Keep it where
// many signatures are made: [SigningKey.Signer] makes no call.
func (c *Client) SigningKey(ctx context.Context, name string, version int) (*SigningKey, error) {
	return c.online().SigningKey(ctx, name, version)
}

// Where is the online mount.
func (c *Client) Where() string { return c.config.TransitMount }

func (t transit) Where() string { return t.mount }

func (t transit) CreateSigningKey(ctx context.Context, name string, algorithm Algorithm) error {
	if err := CheckKey(name, algorithm); err != nil {
		return err
	}
	request := map[string]string{"type": string(algorithm)}
	if err := t.client.post(ctx, "create signing key "+name, t.mount+"/keys/"+name, request, nil); err != nil {
		return err
	}
	// Vault answers a key that exists with success, whatever its type.
	key, err := t.SigningKey(ctx, name, 0)
	if err != nil {
		return err
	}
	if got := AlgorithmOf(key.Public()); got != algorithm {
		return fmt.Errorf("create signing key %s: %w: it exists as %s", name, lifecycle.Conflict, got)
	}
	return nil
}

func (t transit) RotateSigningKey(ctx context.Context, name string) error {
	if _, err := t.SigningKey(ctx, name, 0); err != nil { // Vault calls an unknown key's rotation an error of its own
		return err
	}
	return t.client.post(ctx, "rotate signing key "+name, t.mount+"/keys/"+name+"/rotate", struct{}{}, nil)
}

func (t transit) SigningKey(ctx context.Context, name string, version int) (*SigningKey, error) {
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
	if err := t.client.get(ctx, doing, t.mount+"/keys/"+name, &answer); err != nil {
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
	v := KeyVersion{
		Name: name, Version: version, Public: public, PerCall: ecdsaPerCall, Together: true,
		Sign: func(ctx context.Context, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
			return t.sign(ctx, name, version, digests, opts)
		},
	}
	if _, ok := public.(*rsa.PublicKey); ok {
		v.PerCall, v.Together = rsaPerCall, false
		v.Sign = func(ctx context.Context, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
			return t.signRSA(ctx, name, version, digests, opts)
		}
	}
	return NewSigningKey(v)
}

// transitRequest asks for signatures over digests that are made already.
type transitRequest struct {
	Input      string         `json:"input,omitempty"` // one digest, in base64
	Batch      []transitInput `json:"batch_input,omitempty"`
	Prehashed  bool           `json:"prehashed"`
	Hash       string         `json:"hash_algorithm"`
	Version    int            `json:"key_version"`
	Marshaling string         `json:"marshaling_algorithm,omitempty"` // ECDSA
	Scheme     string         `json:"signature_algorithm,omitempty"`  // RSA
	Salt       string         `json:"salt_length,omitempty"`          // RSA-PSS
}

type transitInput struct {
	Input string `json:"input"`
}

// transitResult is one signature of Transit's sign path, or why there is none.
type transitResult struct {
	Signature string `json:"signature"`
	Error     string `json:"error"`
}

// hashName is a hash in Transit's words.
func hashName(hash crypto.Hash) string { return "sha2-" + strconv.Itoa(8*hash.Size()) }

func (t transit) sign(ctx context.Context, name string, version int, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	return t.call(ctx, name, digests, transitRequest{
		Prehashed: true, Hash: hashName(opts.HashFunc()), Version: version, Marshaling: "asn1",
	})
}

func (t transit) signRSA(ctx context.Context, name string, version int, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	request := transitRequest{Prehashed: true, Hash: hashName(opts.HashFunc()), Version: version, Scheme: "pkcs1v15"}
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		request.Scheme = "pss"
		switch pss.SaltLength {
		case rsa.PSSSaltLengthEqualsHash:
			request.Salt = "hash"
		case rsa.PSSSaltLengthAuto:
			request.Salt = "auto"
		default:
			request.Salt = strconv.Itoa(pss.SaltLength)
		}
	}
	return t.call(ctx, name, digests, request)
}

// call has Transit sign one digest, or several as a batch.
func (t transit) call(ctx context.Context, name string, digests [][]byte, request transitRequest) ([][]byte, error) {
	doing := "sign with " + name
	var answer struct {
		transitResult

		Batch []transitResult `json:"batch_results"`
	}
	if len(digests) == 1 {
		request.Input = base64.StdEncoding.EncodeToString(digests[0])
	} else {
		request.Batch = make([]transitInput, len(digests))
		for i, digest := range digests {
			request.Batch[i].Input = base64.StdEncoding.EncodeToString(digest)
		}
	}
	if err := t.client.post(ctx, doing, t.mount+"/sign/"+name, request, &answer); err != nil {
		return nil, err
	}
	if len(digests) == 1 {
		answer.Batch = []transitResult{answer.transitResult}
	}
	signatures := make([][]byte, len(answer.Batch))
	for i, result := range answer.Batch {
		var err error
		if signatures[i], err = result.read(doing, request.Version); err != nil {
			return nil, err
		}
	}
	return signatures, nil
}

// read takes the signature out of Transit's form, "vault:v1:" and base64.
func (r transitResult) read(doing string, version int) ([]byte, error) {
	if r.Error != "" {
		return nil, fmt.Errorf("%s: Vault answered: %s", doing, harmless(r.Error))
	}
	encoded, ok := strings.CutPrefix(r.Signature, "vault:v"+strconv.Itoa(version)+":")
	if !ok {
		return nil, fmt.Errorf("%s: Vault signed with another version than %d", doing, version)
	}
	signature, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%s: read Vault's signature: %w", doing, err)
	}
	return signature, nil
}
