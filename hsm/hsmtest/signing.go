package hsmtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strconv"
	"sync"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/lifecycle"
)

func pss(hash crypto.Hash, salt int) *rsa.PSSOptions {
	return &rsa.PSSOptions{Hash: hash, SaltLength: salt}
}

func signaturesVerify(t *testing.T, s suite) {
	p256, p384, rsaKey := s.key(t, "p256", hsm.P256), s.key(t, "p384", hsm.P384), s.key(t, "rsa", hsm.RSA3072)
	for _, test := range []struct {
		name string
		key  *hsm.SigningKey
		opts crypto.SignerOpts
	}{
		{"P-256 with SHA-256", p256, crypto.SHA256},
		{"P-256 with SHA-384", p256, crypto.SHA384},
		{"P-384 with SHA-384", p384, crypto.SHA384},
		{"P-384 with SHA-512", p384, crypto.SHA512},
		{"RSA PKCS #1 v1.5 with SHA-256", rsaKey, crypto.SHA256},
		{"RSA PKCS #1 v1.5 with SHA-512", rsaKey, crypto.SHA512},
		{"RSA PSS with a salt as long as the hash", rsaKey, pss(crypto.SHA256, rsa.PSSSaltLengthEqualsHash)},
		{"RSA PSS with a salt as long as can be", rsaKey, pss(crypto.SHA384, rsa.PSSSaltLengthAuto)},
		{"RSA PSS with a salt of 20 octets", rsaKey, pss(crypto.SHA512, 20)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := digest(test.opts.HashFunc(), "a certificate")
			signature, err := test.key.Signer(t.Context()).Sign(rand.Reader, d, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if err := verifies(test.key.Public(), d, signature, test.opts); err != nil {
				t.Error(err)
			}
		})
	}
}

func batchesVerify(t *testing.T, s suite) {
	ecdsaKey, rsaKey := s.key(t, "batch", hsm.P256), s.key(t, "batch-rsa", hsm.RSA3072)
	for _, test := range []struct {
		name string
		key  *hsm.SigningKey
		opts crypto.SignerOpts
		n    int
	}{
		{"none", ecdsaKey, crypto.SHA256, 0},
		{"one", ecdsaKey, crypto.SHA256, 1},
		{"two", ecdsaKey, crypto.SHA512, 2},
		{"more than a call carries", ecdsaKey, crypto.SHA256, 250},
		{"RSA PKCS #1 v1.5", rsaKey, crypto.SHA256, 20},
		{"RSA PSS", rsaKey, pss(crypto.SHA256, rsa.PSSSaltLengthEqualsHash), 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			digests := make([][]byte, test.n)
			for i := range digests {
				digests[i] = digest(test.opts.HashFunc(), "answer "+strconv.Itoa(i))
			}
			signatures, err := test.key.SignBatch(t.Context(), digests, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if len(signatures) != test.n {
				t.Fatalf("%d signatures of %d digests", len(signatures), test.n)
			}
			for i, signature := range signatures {
				if err := verifies(test.key.Public(), digests[i], signature, test.opts); err != nil {
					t.Fatalf("signature %d: %v", i, err)
				}
			}
		})
	}
}

func wrongInputIsRefused(t *testing.T, s suite) {
	ecdsaKey, rsaKey := s.key(t, "wrong", hsm.P256), s.key(t, "wrong-rsa", hsm.RSA3072)
	good := digest(crypto.SHA256, "x")
	for _, test := range []struct {
		name   string
		key    *hsm.SigningKey
		digest []byte
		opts   crypto.SignerOpts
	}{
		{"a digest that is too long", ecdsaKey, digest(crypto.SHA512, "x"), crypto.SHA256},
		{"a digest that is too short", rsaKey, good[:31], crypto.SHA256},
		{"no digest", ecdsaKey, nil, crypto.SHA256},
		{"SHA-1", ecdsaKey, make([]byte, 20), crypto.SHA1},
		{"MD5 with RSA", rsaKey, make([]byte, 16), crypto.MD5},
		{"no hash", rsaKey, good, crypto.Hash(0)},
		{"nothing named", ecdsaKey, good, nil},
		{"PSS of an ECDSA key", ecdsaKey, good, pss(crypto.SHA256, 32)},
		{"a negative salt", rsaKey, good, pss(crypto.SHA256, -2)},
		{"a salt that the key has no room for", rsaKey, good, pss(crypto.SHA256, 351)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := test.key.Signer(t.Context()).Sign(rand.Reader, test.digest, test.opts)
			wantKind(t, "one", err, lifecycle.Invalid)
			signatures, err := test.key.SignBatch(t.Context(), [][]byte{good, test.digest, good}, test.opts)
			wantKind(t, "among others", err, lifecycle.Invalid)
			if len(signatures) > 0 {
				t.Errorf("%d signatures of a batch with a wrong digest", len(signatures))
			}
		})
	}
}

// callers are enough to share calls and to want more sessions than a small
// module has.
const callers = 64

func callersAtOnce(t *testing.T, s suite) {
	for _, algorithm := range []hsm.Algorithm{hsm.P256, hsm.P384, hsm.RSA3072} {
		key := s.key(t, "together-"+string(algorithm), algorithm)
		hash := crypto.SHA256
		if algorithm == hsm.P384 {
			hash = crypto.SHA384
		}
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() {
				d := digest(hash, fmt.Sprint("certificate ", i))
				signature, err := key.Signer(t.Context()).Sign(rand.Reader, d, hash)
				if err == nil {
					err = verifies(key.Public(), d, signature, hash)
				}
				if err != nil {
					t.Errorf("%s, caller %d: %v", algorithm, i, err)
				}
			})
		}
		group.Wait()
	}
}

func certificatesVerify(t *testing.T, s suite) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, algorithm := range []hsm.Algorithm{hsm.P256, hsm.P384, hsm.RSA3072} {
		signer := s.key(t, "ca-"+string(algorithm), algorithm).Signer(t.Context())
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Contract CA"}, SubjectKeyId: []byte{1},
			NotBefore: from, NotAfter: from.AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := certificate.CheckSignatureFrom(certificate); err != nil {
			t.Errorf("%s: certificate: %v", algorithm, err)
		}
		der, err = x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: from, NextUpdate: from.AddDate(0, 0, 7),
		}, certificate, signer)
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := list.CheckSignatureFrom(certificate); err != nil {
			t.Errorf("%s: list: %v", algorithm, err)
		}
	}
}
