package hsmtest

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"testing"

	"sceau/hsm"
	"sceau/lifecycle"
)

func same(a, b *hsm.SigningKey) bool {
	own, ok := a.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	return ok && own.Equal(b.Public())
}

func keysAreKept(t *testing.T, s suite) {
	first, again := s.key(t, "kept", hsm.P256), s.key(t, "kept", hsm.P256)
	if !same(first, again) {
		t.Error("the second call made another key")
	}
	if first.Version() != 1 || again.Version() != 1 {
		t.Errorf("versions %d and %d, want 1", first.Version(), again.Version())
	}
	ctx := t.Context()
	wantKind(t, "another algorithm", s.CreateSigningKey(ctx, s.prefix+"kept", hsm.P384), lifecycle.Conflict)
	wantKind(t, "an unknown algorithm", s.CreateSigningKey(ctx, s.prefix+"odd", "ed25519"), lifecycle.Invalid)
	for _, name := range []string{"", "Upper", "a/b", "../x", "a b", string(make([]byte, 65))} {
		wantKind(t, "create "+name, s.CreateSigningKey(ctx, name, hsm.P256), lifecycle.Invalid)
		_, err := s.SigningKey(ctx, name, 0)
		wantKind(t, "read "+name, err, lifecycle.Invalid)
		wantKind(t, "rotate "+name, s.RotateSigningKey(ctx, name), lifecycle.Invalid)
	}
}

func unknownIsNotFound(t *testing.T, s suite) {
	key := s.key(t, "known", hsm.P256)
	for _, test := range []struct {
		name    string
		key     string
		version int
	}{
		{"a key", s.prefix + "absent", 0},
		{"a version of an absent key", s.prefix + "absent", 1},
		{"a later version", s.prefix + "known", 2},
		{"a negative version", s.prefix + "known", -1},
	} {
		_, err := s.SigningKey(t.Context(), test.key, test.version)
		wantKind(t, test.name, err, lifecycle.NotFound)
	}
	wantKind(t, "rotate", s.RotateSigningKey(t.Context(), s.prefix+"absent"), lifecycle.NotFound)
	ring := hsm.NewKeyring(s.Keystore)
	_, err := ring.Signer(t.Context(), s.prefix+"absent", key.Public())
	wantKind(t, "a key on the ring", err, lifecycle.NotFound)
	_, err = ring.Signer(t.Context(), s.prefix+"known", s.key(t, "other", hsm.P256).Public())
	wantKind(t, "a public half on the ring", err, lifecycle.NotFound)
}

func versionsStay(t *testing.T, s suite) {
	name := s.prefix + "rotated"
	ctx := t.Context()
	ring := hsm.NewKeyring(s.Keystore)
	versions := []*hsm.SigningKey{s.key(t, "rotated", hsm.P384)}
	for range 2 {
		if err := s.RotateSigningKey(ctx, name); err != nil {
			t.Fatal(err)
		}
		latest, err := s.SigningKey(ctx, name, 0)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, latest)
	}
	d := digest(crypto.SHA384, "after the rotations")
	for i, key := range versions {
		if key.Version() != i+1 || hsm.AlgorithmOf(key.Public()) != hsm.P384 {
			t.Errorf("version %d of %s, want %d of %s", key.Version(), hsm.AlgorithmOf(key.Public()), i+1, hsm.P384)
		}
		again, err := s.SigningKey(ctx, name, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if !same(again, key) {
			t.Errorf("version %d has another public half than before", i+1)
		}
		pinned, err := ring.Signer(ctx, name, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		for what, signer := range map[string]crypto.Signer{"kept": key.Signer(ctx), "read again": again.Signer(ctx), "by its public half": pinned} {
			signature, err := signer.Sign(rand.Reader, d, crypto.SHA384)
			if err == nil {
				err = verifies(key.Public(), d, signature, crypto.SHA384)
			}
			if err != nil {
				t.Errorf("version %d, %s: %v", i+1, what, err)
			}
		}
	}
	if same(versions[0], versions[1]) || same(versions[1], versions[2]) {
		t.Error("a rotation made no other key")
	}
}

func cancelledIsCancelled(t *testing.T, s suite) {
	ecdsaKey, rsaKey := s.key(t, "cancelled", hsm.P256), s.key(t, "cancelled-rsa", hsm.RSA3072)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := digest(crypto.SHA256, "x")
	for what, call := range map[string]func() error{
		"sign":       func() error { _, err := ecdsaKey.Signer(ctx).Sign(rand.Reader, d, crypto.SHA256); return err },
		"sign RSA":   func() error { _, err := rsaKey.Signer(ctx).Sign(rand.Reader, d, crypto.SHA256); return err },
		"sign many":  func() error { _, err := ecdsaKey.SignBatch(ctx, [][]byte{d, d}, crypto.SHA256); return err },
		"read a key": func() error { _, err := s.SigningKey(ctx, s.prefix+"cancelled", 0); return err },
		"make a key": func() error { return s.CreateSigningKey(ctx, s.prefix+"never", hsm.P256) },
		"rotate":     func() error { return s.RotateSigningKey(ctx, s.prefix+"cancelled") },
	} {
		if err := call(); !errors.Is(err, context.Canceled) || errors.Is(err, lifecycle.Unavailable) {
			t.Errorf("%s: error = %v, want a cancellation without a kind", what, err)
		}
	}
}

// RunAway takes a store away from its users and brings it back, as an operator
// would: meanwhile everything is [lifecycle.Unavailable], and a key that was read
// before serves again afterwards.
func RunAway(t *testing.T, store hsm.Keystore, away, back func()) {
	t.Helper()
	ctx := t.Context()
	key := makeKey(t, store, "issuing-fragile", hsm.P256)
	d := digest(crypto.SHA256, "x")
	sign := func() error {
		signature, err := key.Signer(ctx).Sign(rand.Reader, d, crypto.SHA256)
		if err != nil {
			return err
		}
		return verifies(key.Public(), d, signature, crypto.SHA256)
	}
	if err := sign(); err != nil {
		t.Fatal(err)
	}
	away()
	wantKind(t, "sign", sign(), lifecycle.Unavailable)
	_, err := key.SignBatch(ctx, [][]byte{d, d}, crypto.SHA256)
	wantKind(t, "sign many", err, lifecycle.Unavailable)
	_, err = store.SigningKey(ctx, "issuing-fragile", 0)
	wantKind(t, "read a key", err, lifecycle.Unavailable)
	wantKind(t, "make a key", store.CreateSigningKey(ctx, "issuing-new", hsm.P256), lifecycle.Unavailable)
	back()
	if err := sign(); err != nil {
		t.Errorf("the store is back, and %v", err)
	}
}
