// Package hsmtest is the contract of a key store: what every [hsm.Keystore] must
// do for the rest of Sceau not to notice which one it is. Vault's Transit and a
// module over PKCS #11 are held to the same suite.
//
// It is for tests only and imports no server: a driver's test hands a store in,
// and the suite judges what comes out with the standard library.
package hsmtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that are signed
	_ "crypto/sha512"
	"errors"
	"strings"
	"testing"

	"sceau/hsm"
	"sceau/lifecycle"
)

// suite is a key store under test.
type suite struct {
	hsm.Keystore

	prefix string // of the names of its keys, another one each time
}

// Run holds a store to the contract. Its keys are named "issuing-" and at
// random, since a store may outlive the test.
func Run(t *testing.T, store hsm.Keystore) {
	t.Helper()
	s := suite{store, "issuing-" + strings.ToLower(rand.Text()[:8]) + "-"}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s suite)
	}{
		{"signatures verify with the public half", signaturesVerify},
		{"a batch is signed in its order", batchesVerify},
		{"what is no digest is refused", wrongInputIsRefused},
		{"a key that is there is kept and not taken for another", keysAreKept},
		{"what does not exist is not found", unknownIsNotFound},
		{"a version goes on signing when the key is rotated", versionsStay},
		{"a caller whose context has ended is told so", cancelledIsCancelled},
		{"64 callers at once each get their own signature", callersAtOnce},
		{"certificates and lists verify", certificatesVerify},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, s)
		})
	}
}

// key makes a key and reads its latest version.
func (s suite) key(t *testing.T, name string, algorithm hsm.Algorithm) *hsm.SigningKey {
	t.Helper()
	return makeKey(t, s.Keystore, s.prefix+name, algorithm)
}

func makeKey(t *testing.T, store hsm.Keystore, name string, algorithm hsm.Algorithm) *hsm.SigningKey {
	t.Helper()
	if err := store.CreateSigningKey(t.Context(), name, algorithm); err != nil {
		t.Fatal(err)
	}
	key, err := store.SigningKey(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func digest(hash crypto.Hash, message string) []byte {
	h := hash.New()
	_, _ = h.Write([]byte(message))
	return h.Sum(nil)
}

// verifies judges a signature with the standard library.
func verifies(public crypto.PublicKey, digest, signature []byte, opts crypto.SignerOpts) error {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, digest, signature) {
			return nil
		}
		return errors.New("the ECDSA signature is wrong")
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(key, opts.HashFunc(), digest, signature, pss)
		}
		return rsa.VerifyPKCS1v15(key, opts.HashFunc(), digest, signature)
	}
	return errors.New("the key is neither ECDSA nor RSA")
}

func wantKind(t *testing.T, what string, err error, kind lifecycle.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error = %v, want one of kind %q", what, err, kind)
	}
}
