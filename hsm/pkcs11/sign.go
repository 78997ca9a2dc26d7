//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"

	"github.com/ThalesGroup/crypto11"
	"golang.org/x/sync/errgroup"

	"sceau/hsm"
	"sceau/lifecycle"
)

// versionKey is one version of a key, found again when its token was away.
type versionKey struct {
	token   *Token
	name    string
	version int
	public  crypto.PublicKey

	mu   sync.Mutex
	open *crypto11.Context // the login that pair belongs to; guarded by mu
	pair crypto11.Signer   // guarded by mu
}

func (k *versionKey) sign(ctx context.Context, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	return use(ctx, k.token, "sign with "+k.name, func(ctx context.Context, open *crypto11.Context) ([][]byte, error) {
		k.token.objects.RLock()
		defer k.token.objects.RUnlock()
		pair, err := k.in(open)
		if err != nil {
			return nil, err
		}
		if len(digests) == 1 {
			signature, err := k.one(pair, digests[0], opts)
			return [][]byte{signature}, err
		}
		signatures := make([][]byte, len(digests))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(k.token.config.Sessions - 1) // crypto11 keeps one for the login
		for i, digest := range digests {
			group.Go(func() error {
				if ctx.Err() != nil { // who asked has left, or another one failed
					return ctx.Err()
				}
				var err error
				signatures[i], err = k.one(pair, digest, opts)
				return err
			})
		}
		return signatures, group.Wait()
	})
}

// in is the key pair in a login. One with another public half is not signed
// with: somebody made a key under the old name.
func (k *versionKey) in(open *crypto11.Context) (crypto11.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open == open {
		return k.pair, nil
	}
	_, pair, err := find(open, k.name, k.version)
	if err != nil {
		return nil, err
	}
	if pair == nil || !same(pair, k.public) {
		return nil, fmt.Errorf("%w: version %d is not in the token any more", lifecycle.NotFound, k.version)
	}
	k.open, k.pair = open, pair
	return pair, nil
}

func (k *versionKey) one(pair crypto11.Signer, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	switch key := k.public.(type) {
	case *ecdsa.PublicKey:
		// The leftmost bits, as many as the curve's order has (FIPS 186-5 §6.4.1):
		// a module may refuse more.
		if size := (key.Params().N.BitLen() + 7) / 8; len(digest) > size {
			digest = digest[:size]
		}
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok && pss.SaltLength == rsa.PSSSaltLengthAuto { // crypto11 has no "as long as can be"
			opts = &rsa.PSSOptions{Hash: pss.Hash, SaltLength: hsm.MaxSalt(key, pss.Hash)}
		}
	}
	return pair.Sign(rand.Reader, digest, opts)
}
