package hsm

import (
	"context"
	"crypto"
	"sync"
)

// Keyring keeps the public halves of the online signing keys that a process
// uses, so that a signature costs one call. A rotated key needs a new keyring:
// certificates name one public key anyway. Its methods are safe for concurrent
// use.
type Keyring struct {
	client *Client
	keys   sync.Map // name → *SigningKey
}

// NewKeyring makes an empty keyring on a client that the caller closes.
func NewKeyring(client *Client) *Keyring { return &Keyring{client: client} }

// Signer is a key bound to one operation.
func (k *Keyring) Signer(ctx context.Context, name string) (crypto.Signer, error) {
	if known, ok := k.keys.Load(name); ok {
		if key, ok := known.(*SigningKey); ok {
			return key.Signer(ctx), nil
		}
	}
	key, err := k.client.SigningKey(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	k.keys.Store(name, key)
	return key.Signer(ctx), nil
}
