package hsm_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

func sign(t *testing.T, key *hsm.SigningKey, message string) ([]byte, error) {
	t.Helper()
	digest := sha256.Sum256([]byte(message))
	return key.Signer(t.Context()).Sign(rand.Reader, digest[:], crypto.SHA256)
}

func signingKey(t *testing.T, client *hsm.Client, name string, algorithm hsm.Algorithm) *hsm.SigningKey {
	t.Helper()
	if err := client.CreateSigningKey(t.Context(), name, algorithm); err != nil {
		t.Fatal(err)
	}
	key, err := client.SigningKey(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSignaturesVerifyWithThePublicHalf(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Vault(t))
	p256 := signingKey(t, client, "issuing-verify-p256", hsm.P256)
	p384 := signingKey(t, client, "issuing-verify-p384", hsm.P384)
	rsaKey := signingKey(t, client, "issuing-verify-rsa", hsm.RSA3072)
	for _, test := range []struct {
		name string
		key  *hsm.SigningKey
		opts crypto.SignerOpts
	}{
		{"P-256 with SHA-256", p256, crypto.SHA256},
		{"P-384 with SHA-384", p384, crypto.SHA384},
		{"P-384 with SHA-512", p384, crypto.SHA512},
		{"RSA PKCS #1 v1.5 with SHA-256", rsaKey, crypto.SHA256},
		{"RSA PKCS #1 v1.5 with SHA-512", rsaKey, crypto.SHA512},
		{"RSA PSS with a salt as long as the hash", rsaKey, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}},
		{"RSA PSS with a salt as long as can be", rsaKey, &rsa.PSSOptions{Hash: crypto.SHA384, SaltLength: rsa.PSSSaltLengthAuto}},
		{"RSA PSS with a salt of 20 bytes", rsaKey, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 20}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			digest := digestOf(test.opts.HashFunc())
			signature, err := test.key.Signer(t.Context()).Sign(rand.Reader, digest, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, test.key.Public(), test.opts, digest, signature)
		})
	}
}

func digestOf(hash crypto.Hash) []byte {
	h := hash.New()
	_, _ = h.Write([]byte("a certificate"))
	return h.Sum(nil)
}

func verify(t *testing.T, public crypto.PublicKey, opts crypto.SignerOpts, digest, signature []byte) {
	t.Helper()
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(key, digest, signature) {
			t.Error("the signature is wrong")
		}
	case *rsa.PublicKey:
		var err error
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			err = rsa.VerifyPSS(key, opts.HashFunc(), digest, signature, pss)
		} else {
			err = rsa.VerifyPKCS1v15(key, opts.HashFunc(), digest, signature)
		}
		if err != nil {
			t.Error(err)
		}
	default:
		t.Fatalf("a key of type %T", public)
	}
}

func TestOpenSSLVerifiesACertificateThatVaultSigned(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Vault(t))
	for _, algorithm := range []hsm.Algorithm{hsm.P256, hsm.P384, hsm.RSA3072} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			name := "root-openssl-" + string(algorithm)
			if err := client.CreateRootSigningKey(t.Context(), name, algorithm); err != nil {
				t.Fatal(err)
			}
			signer, err := client.RootSigner(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			template := &x509.Certificate{
				SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Sample root"},
				NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC),
				IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
			}
			der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "root.pem")
			text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "openssl", "verify", "-check_ss_sig", "-CAfile", file, file).CombinedOutput()
			if err != nil {
				t.Errorf("openssl verify: %v\n%s", err, out)
			}
		})
	}
}

func samePublic(t *testing.T, a, b *hsm.SigningKey) bool {
	t.Helper()
	key, ok := a.Public().(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("a key of type %T", a.Public())
	}
	return key.Equal(b.Public())
}

func TestASigningKeyKeepsItsVersionWhenTheKeyIsRotated(t *testing.T) {
	t.Parallel()
	vault := testenv.Vault(t)
	client := open(t, vault)
	first := signingKey(t, client, "issuing-rotated", hsm.P256)
	vaultWrite(t, vault, "transit/keys/issuing-rotated/rotate", "{}")
	digest := sha256.Sum256([]byte("after the rotation"))
	signature, err := sign(t, first, "after the rotation")
	if err != nil {
		t.Fatal(err)
	}
	verify(t, first.Public(), crypto.SHA256, digest[:], signature)
	second, err := client.SigningKey(t.Context(), "issuing-rotated", 0)
	if err != nil {
		t.Fatal(err)
	}
	if second.Version() != 2 || first.Version() != 1 {
		t.Errorf("versions %d and %d, want 1 and 2", first.Version(), second.Version())
	}
	again, err := client.SigningKey(t.Context(), "issuing-rotated", 1)
	if err != nil {
		t.Fatal(err)
	}
	if !samePublic(t, again, first) {
		t.Error("version 1 has another public half than before")
	}
	_, err = client.SigningKey(t.Context(), "issuing-rotated", 3)
	wantKind(t, err, lifecycle.NotFound)
}

func TestAKeyThatIsThereIsKeptAndNotTakenForAnother(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Vault(t))
	first := signingKey(t, client, "issuing-kept", hsm.P256)
	again := signingKey(t, client, "issuing-kept", hsm.P256)
	if !samePublic(t, first, again) {
		t.Error("the second call made another key")
	}
	wantKind(t, client.CreateSigningKey(t.Context(), "issuing-kept", hsm.P384), lifecycle.Conflict)
	wantKind(t, client.CreateSigningKey(t.Context(), "issuing-odd", "ed25519"), lifecycle.Invalid)
	_, err := client.SigningKey(t.Context(), "issuing-absent", 0)
	wantKind(t, err, lifecycle.NotFound)
	_, err = client.Signer(t.Context(), "issuing-absent")
	wantKind(t, err, lifecycle.NotFound)
}

func TestAnOnlineKeyIsNotInTheRootMount(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Vault(t))
	signingKey(t, client, "issuing-online", hsm.P256)
	_, err := client.RootSigningKey(t.Context(), "issuing-online", 0)
	wantKind(t, err, lifecycle.NotFound)
}

func TestADigestThatDoesNotFitItsHashIsRefusedBeforeVault(t *testing.T) {
	t.Parallel()
	signer := signingKey(t, open(t, testenv.Vault(t)), "issuing-digest", hsm.P256).Signer(t.Context())
	long := sha512.Sum512([]byte("x"))
	for _, test := range []struct {
		name   string
		digest []byte
		opts   crypto.SignerOpts
	}{
		{"too long", long[:], crypto.SHA256},
		{"SHA-1", make([]byte, 20), crypto.SHA1},
		{"no hash", long[:], crypto.Hash(0)},
		{"nothing named", long[:], nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := signer.Sign(rand.Reader, test.digest, test.opts)
			wantKind(t, err, lifecycle.Invalid)
		})
	}
}
