// Package engine is the Vault secrets engine in which card keys and PINs live:
// the stand-in for a payment HSM. It makes issuer master keys or takes them in
// components under dual control, shows them by key check value only, exports
// none but the bureau's transport key (as a TR-31 key block); it personalises
// cards, keeps their PINs as enciphered PIN blocks, gives each PIN to one
// letter, verifies CAP codes and makes issuer scripts.
//
// It never logs a payload, never answers a key in clear, and answers a PIN on
// one path only, pin/letter, which one Vault policy reaches. What is secret
// travels as a string: Vault's audit log hashes strings and prints numbers.
// Requests come in from Vault, values go to hsm/emv and come back; storage is
// Vault's. Every refusal starts with a code word ("conflict: …") by which the
// client sorts it.
package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

// Where things are in the engine's storage.
const (
	keyPrefix       = "key/"
	componentPrefix = "component/"
	profilePrefix   = "profile/"
	pinPrefix       = "pin/"
	pinKeyPath      = "pin-key"
)

// backend is the engine. locks guard the read-modify-write of one card or one
// key each; the cache holds what is derived from keys and profiles, which are
// written once.
type backend struct {
	*framework.Backend

	locks []*locksutil.LockEntry

	mu       sync.RWMutex
	profiles map[string]*profileKeys // guarded by mu
}

// Factory makes the engine for Vault.
func Factory(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	b := &backend{locks: locksutil.CreateLocks(), profiles: map[string]*profileKeys{}}
	b.Backend = &framework.Backend{
		BackendType: logical.TypeLogical,
		Help:        strings.TrimSpace(help),
		Paths: []*framework.Path{
			b.pathKeys(), b.pathKey(), b.pathComponents(), b.pathExport(), b.pathProfile(), b.pathPersonalise(),
			b.pathPINLetter(), b.pathPINClose(), b.pathPINDestroy(), b.pathVerify(), b.pathUnblock(),
		},
		PathsSpecial: &logical.Paths{SealWrapStorage: []string{keyPrefix, componentPrefix, pinPrefix, pinKeyPath}},
		Invalidate:   func(context.Context, string) { b.forget() },
	}
	if err := b.Setup(ctx, config); err != nil {
		return nil, fmt.Errorf("set up the card engine: %w", err)
	}
	return b, nil
}

const help = `
The card engine makes and keeps the keys and PINs of authentication cards, and
computes with them. Keys are shown by their check value and PINs are given once,
to the worker that prints them.
`

// forget drops what was derived from keys and profiles.
func (b *backend) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.profiles)
}

// profileKeys is a card profile with the master keys of its cards.
type profileKeys struct {
	profile      emv.CAPProfile
	environment  string // of its keys: test or live, never both
	ac, smi, smc *crypt.TDES
	verifier     *emv.Verifier
}

// profileKeys reads a profile and its keys, once.
func (b *backend) profileKeys(ctx context.Context, s logical.Storage, name string) (*profileKeys, error) {
	b.mu.RLock()
	known := b.profiles[name]
	b.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	profile, err := readProfile(ctx, s, name)
	if err != nil {
		return nil, err
	}
	p := &profileKeys{profile: profile.CAPProfile}
	for _, k := range []struct {
		into  **crypt.TDES
		name  string
		usage string
	}{{&p.ac, profile.AC, usageIMKAC}, {&p.smi, profile.SMI, usageIMKSMI}, {&p.smc, profile.SMC, usageIMKSMC}} {
		key, err := usableKey(ctx, s, k.name, k.usage)
		if err != nil {
			return nil, err
		}
		if p.environment == "" {
			p.environment = key.Environment
		}
		if key.Environment != p.environment {
			return nil, refuse("key_usage", "profile %s has test and live keys", shown(name))
		}
		if *k.into, err = crypt.NewTDES(key.Value); err != nil {
			return nil, err
		}
	}
	if p.verifier, err = emv.NewVerifier(p.profile, p.ac); err != nil {
		return nil, refuse("invalid", "profile %s: %v", name, err)
	}
	b.mu.Lock()
	b.profiles[name] = p
	b.mu.Unlock()
	return p, nil
}
