// Package engine is the Vault secrets engine in which card keys and PINs live:
// the stand-in for a payment HSM. It makes issuer master keys or takes them in
// components under dual control, shows them by key check value only, lets them
// in and out as TR-31 key blocks; it personalises cards, keeps their PINs as
// enciphered PIN blocks, gives each PIN to one letter, verifies CAP codes and
// cryptograms, and makes issuer scripts. docs/hsm.md has every path.
//
// It never logs a payload, never answers a key in clear, and answers a PIN on
// one path only, pin/letter, which one Vault policy reaches. What is secret
// travels as a string: Vault's audit log hashes strings and prints numbers.
// Requests come in from Vault, values go to hsm/emv and come back; storage is
// Vault's; the time is an argument of Factory. Every refusal starts with a code
// word ("conflict: …") by which the client sorts it, and changes nothing.
package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/logical"
)

// Where things are in the engine's storage.
const (
	keyPrefix       = "key/"
	componentPrefix = "component/"
	proposalPrefix  = "proposal/"
	activityPrefix  = "activity/"
	profilePrefix   = "profile/"
	setsPrefix      = "sets/"
	pinPrefix       = "pin/"       // a PIN of which something changed
	batchPrefix     = "pin-batch/" // PINs as card/personalise made them
	pinKeyPath      = "pin-key"
	guessPrefix     = "guess/"
	journalPrefix   = "journal/"
	markPrefix      = "mark/"
)

// backend is the engine. locks guard the read-modify-write of one card or one
// key each; the cache holds what is derived from keys and profiles, and is
// dropped when one of them changes.
type backend struct {
	*framework.Backend

	now     func() time.Time
	locks   []*locksutil.LockEntry
	journal journal
	stored  pinStore

	mu       sync.RWMutex
	profiles map[string]*profileKeys // guarded by mu
	pins     *pinCipher              // guarded by mu
	epoch    uint64                  // guarded by mu: how often the cache was dropped
}

// Factory makes the engine for Vault; now is the wall clock.
func Factory(now func() time.Time) logical.Factory {
	return func(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
		b := &backend{now: now, locks: locksutil.CreateLocks(), profiles: map[string]*profileKeys{}}
		b.Backend = &framework.Backend{
			BackendType: logical.TypeLogical,
			Help:        strings.TrimSpace(help),
			Paths: framework.PathAppend(
				b.keyPaths(), b.cardPaths(), b.channelPaths(), b.pinPaths(), b.verifyPaths(), b.scriptPaths(),
				[]*framework.Path{b.pathProfiles(), b.pathProfile(), b.pathActivity(), b.pathMarks(), b.pathSelftest(), b.pathAudit()},
			),
			PathsSpecial: &logical.Paths{SealWrapStorage: []string{keyPrefix, componentPrefix, pinPrefix, batchPrefix, pinKeyPath}},
			Invalidate:   b.invalidate,
			PeriodicFunc: func(ctx context.Context, r *logical.Request) error { return b.journal.flush(ctx, r.Storage, b.now()) },
			Clean:        func(context.Context) { b.forget() },
		}
		if err := b.Setup(ctx, config); err != nil {
			return nil, fmt.Errorf("set up the card engine: %w", err)
		}
		return b, nil
	}
}

const help = `
The card engine makes and keeps the keys and PINs of authentication cards, and
computes with them. Keys are shown by their check value and PINs are given once,
to the worker that prints them.
`

// lock takes the lock of one thing and answers how to give it back.
func (b *backend) lock(path string) (unlock func()) {
	l := locksutil.LockForKey(b.locks, path)
	l.Lock()
	return l.Unlock
}

// lockAll takes the locks of several things, in one order for everybody.
func (b *backend) lockAll(paths []string) (unlock func()) {
	locks := locksutil.LocksForKeys(b.locks, paths)
	for _, l := range locks {
		l.Lock()
	}
	return func() {
		for _, l := range locks {
			l.Unlock()
		}
	}
}

// invalidate is Vault's word that another node has written to the storage.
func (b *backend) invalidate(_ context.Context, key string) {
	if strings.HasPrefix(key, journalPrefix) {
		b.journal.restart()
		return
	}
	switch {
	case strings.HasPrefix(key, pinPrefix), strings.HasPrefix(key, batchPrefix):
		b.stored.forget()
	case !strings.HasPrefix(key, guessPrefix) && !strings.HasPrefix(key, markPrefix):
		b.forget()
	}
}

// forget drops what was derived from keys and profiles.
func (b *backend) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.profiles)
	b.pins = nil
	b.epoch++
}
