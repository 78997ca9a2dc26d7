//go:build pkcs11

// Package pkcs11 keeps signing keys in a bank's own module over PKCS #11
// (OASIS v2.40), in the place of Vault's Transit: the same [hsm.Keystore], held
// to the same contract. It needs cgo, hence the build tag pkcs11; the default
// binary has neither.
//
// Keys are made in the token, sensitive and not extractable, and never leave it.
// The PIN is read from its file for each login and not kept. A call in the
// module cannot be broken off: a caller whose context ends leaves it behind.
// Names and digests come in, public halves and signatures go out. Card keys are
// not its business: they stay in the card engine.
package pkcs11

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ThalesGroup/crypto11"

	"sceau/hsm"
	"sceau/lifecycle"
)

// Config says where the module is and how to log in.
type Config struct {
	Module   string        // the maker's shared library
	Token    string        // label of the token
	PINFile  string        // file with the user PIN, mode 0600
	Sessions int           // at the same time, default 16, at least 2
	Timeout  time.Duration // of one call, default 30 s
}

const (
	defaultSessions = 16
	minSessions     = 2 // one keeps the login
	defaultTimeout  = 30 * time.Second
	maxPIN          = 256 // octets of its file
)

// Token is a token of a module. It is safe for concurrent use, and is opened
// again after its module was away.
type Token struct {
	config Config
	// A key is made alone: no version is made twice, and nobody looks at an
	// object that is half made. SoftHSM fails the maker when somebody does.
	objects sync.RWMutex

	mu      sync.Mutex
	open    *crypto11.Context // nil: not logged in; guarded by mu
	refused error             // a login that failed for good; guarded by mu
	closed  bool              // guarded by mu
}

var _ hsm.Keystore = (*Token)(nil)

// Open logs in. It is [lifecycle.Unavailable] while the token is away,
// [lifecycle.Forbidden] when the PIN is wrong: it is not tried again then,
// because a module locks a token after few tries.
func Open(ctx context.Context, c Config) (*Token, error) {
	if c.Module == "" || c.Token == "" || c.PINFile == "" {
		return nil, fmt.Errorf("%w: a PKCS #11 key store needs its module, token and PIN file", lifecycle.Invalid)
	}
	if _, err := os.Stat(c.Module); err != nil {
		return nil, fmt.Errorf("%w: PKCS #11 module: %w", lifecycle.Invalid, err)
	}
	if c.Sessions == 0 {
		c.Sessions = defaultSessions
	}
	if c.Sessions < minSessions {
		return nil, fmt.Errorf("%w: a PKCS #11 key store needs %d sessions or more", lifecycle.Invalid, minSessions)
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	t := &Token{config: c}
	_, err := within(ctx, t, "open token "+c.Token, func(context.Context) (*crypto11.Context, error) { return t.context() })
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Close logs out and waits for calls that are under way. Afterwards every call
// is [lifecycle.Unavailable].
func (t *Token) Close() {
	t.mu.Lock()
	open := t.open
	t.open, t.closed = nil, true
	t.mu.Unlock()
	if open != nil {
		_ = open.Close() // always nil
	}
}

// Where is "pkcs11:" and the token's label.
func (t *Token) Where() string { return "pkcs11:" + t.config.Token }

// context is the login, made anew after the module was away.
func (t *Token) context() (*crypto11.Context, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, fmt.Errorf("%w: the token is closed", lifecycle.Unavailable)
	case t.refused != nil:
		return nil, t.refused
	case t.open != nil:
		return t.open, nil
	}
	pin, err := readPIN(t.config.PINFile)
	if err != nil {
		return nil, err
	}
	t.open, err = crypto11.Configure(&crypto11.Config{
		Path: t.config.Module, TokenLabel: t.config.Token, Pin: pin, MaxSessions: t.config.Sessions, PoolWaitTimeout: t.config.Timeout,
	})
	if err == nil {
		return t.open, nil
	}
	t.open = nil
	if _, ok := codeOf(err); !ok { // no such token, or the library does not load
		return nil, fmt.Errorf("%w: %w", lifecycle.Unavailable, err)
	}
	if err = sorted(err); errors.Is(err, lifecycle.Forbidden) {
		t.refused = err
	}
	return nil, err
}

// lose ends a login that stopped working, so that the next call makes another.
// The library is unloaded before: some modules see a token that came back only
// when they are loaded again. Who calls meanwhile waits for it.
func (t *Token) lose(broken *crypto11.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == broken {
		t.open = nil
		_ = broken.Close() // always nil; it waits for the calls that are under way
	}
}

func readPIN(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%w: PIN file: %w", lifecycle.Invalid, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%w: PIN file %s can be read by others: chmod 600", lifecycle.Invalid, path)
	}
	if info.Size() > maxPIN {
		return "", fmt.Errorf("%w: PIN file %s is longer than %d octets", lifecycle.Invalid, path, maxPIN)
	}
	text, err := os.ReadFile(path) //nolint:gosec // named by the configuration
	if err != nil {
		return "", fmt.Errorf("%w: PIN file: %w", lifecycle.Invalid, err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// use has f work with the login, and drops a login that turns out to be dead.
// When another caller dropped it meanwhile, nothing was asked of the module yet,
// and f works with the next one.
func use[T any](ctx context.Context, t *Token, doing string, f func(context.Context, *crypto11.Context) (T, error)) (T, error) {
	return within(ctx, t, doing, func(ctx context.Context) (T, error) {
		for again := true; ; again = false {
			open, err := t.context()
			if err != nil {
				var none T
				return none, err
			}
			answer, err := f(ctx, open)
			if again && closed(err) {
				continue
			}
			if err = sorted(err); errors.Is(err, lifecycle.Unavailable) {
				t.lose(open)
			}
			return answer, err
		}
	})
}

// within waits for f as long as the caller and the configuration allow.
func within[T any](ctx context.Context, t *Token, doing string, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		answer T
		err    error
	}
	var none T
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	done := make(chan result, 1)
	if ctx.Err() == nil {
		go func() {
			answer, err := f(ctx)
			done <- result{answer, err}
		}()
	}
	select {
	case r := <-done:
		if r.err != nil {
			return none, fmt.Errorf("%s: %w", doing, r.err)
		}
		return r.answer, nil
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return none, fmt.Errorf("%s: %w", doing, context.Canceled)
	}
	return none, fmt.Errorf("%s: %w: no answer in time", doing, lifecycle.Unavailable)
}

// same tells whether a key pair of the token has this public half.
func same(pair crypto11.Signer, public crypto.PublicKey) bool {
	own, ok := pair.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	return ok && own.Equal(public)
}
