package hsm

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"

	"sceau/lifecycle"
)

// Keyring keeps the public halves of the signing keys that a process uses, so
// that a signature costs one call. Its methods are safe for concurrent use.
type Keyring struct {
	store Keystore

	mu   sync.Mutex
	keys map[string][]*SigningKey // by name, the versions that were asked for; guarded by mu
}

// NewKeyring makes an empty keyring on a key store that the caller closes.
func NewKeyring(store Keystore) *Keyring {
	return &Keyring{store: store, keys: map[string][]*SigningKey{}}
}

// Signer is the version of a key with this public half, bound to one operation:
// a certificate names one public key, and goes on being signed for by it when
// the key is rotated. No such version is [lifecycle.NotFound].
func (k *Keyring) Signer(ctx context.Context, name string, public crypto.PublicKey) (crypto.Signer, error) {
	if key := k.known(name, public); key != nil {
		return key.Signer(ctx), nil
	}
	key, err := k.find(ctx, name, public)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[name] = append(k.keys[name], key)
	return key.Signer(ctx), nil
}

func (k *Keyring) known(name string, public crypto.PublicKey) *SigningKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys[name] {
		if key.Has(public) {
			return key
		}
	}
	return nil
}

// find reads versions from the latest backwards.
func (k *Keyring) find(ctx context.Context, name string, public crypto.PublicKey) (*SigningKey, error) {
	key, err := k.store.SigningKey(ctx, name, 0)
	for err == nil && !key.Has(public) {
		if key.Version() == 1 {
			return nil, fmt.Errorf("read signing key %s: %w: no version of it is the certificate's", name, lifecycle.NotFound)
		}
		key, err = k.store.SigningKey(ctx, name, key.Version()-1)
		if errors.Is(err, lifecycle.NotFound) {
			err = fmt.Errorf("no older version is the certificate's: %w", err)
		}
	}
	return key, err
}

// Has tells whether a public half, a certificate's for instance, is this key's.
func (k *SigningKey) Has(public crypto.PublicKey) bool {
	own, ok := k.of.Public.(interface {
		Equal(other crypto.PublicKey) bool
	})
	return ok && own.Equal(public)
}
