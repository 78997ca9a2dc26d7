package ca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"sceau/ca"
)

func TestAStatementIsSignedByTheCertificatesKey(t *testing.T) {
	t.Parallel()
	statement := []byte("I accept it.\n")
	sum256, sum512 := sha256.Sum256(statement), sha512.Sum512(statement)
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "RSA": nil} {
		var key crypto.Signer
		var err error
		if curve == nil {
			key, err = rsa.GenerateKey(rand.Reader, 3072)
		} else {
			key, err = ecdsa.GenerateKey(curve, rand.Reader)
		}
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		sign := func(digest []byte, hash crypto.Hash) []byte {
			signature, err := key.Sign(rand.Reader, digest, hash)
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}
		right := sign(sum256[:], crypto.SHA256)
		if err := ca.CheckStatement(der, statement, right); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for what, wrong := range map[string]error{
			"another statement":   ca.CheckStatement(der, []byte("I accept it."), right),
			"another hash":        ca.CheckStatement(der, statement, sign(sum512[:], crypto.SHA512)),
			"no signature":        ca.CheckStatement(der, statement, nil),
			"no certificate":      ca.CheckStatement(der[1:], statement, right),
			"more behind it":      ca.CheckStatement(der, statement, append(right[:len(right):len(right)], 0)),
			"a changed signature": ca.CheckStatement(der, statement, append(right[:len(right)-1:len(right)-1], right[len(right)-1]^1)),
		} {
			if wrong == nil {
				t.Errorf("%s: %s is taken", name, what)
			}
		}

		spki, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			t.Fatal(err)
		}
		for what, file := range map[string][]byte{
			"certificate": der, "request": request, "public key": spki, "in PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}),
		} {
			if got, err := ca.PublicKeyHash(file); err != nil || got != sha256.Sum256(spki) {
				t.Errorf("%s: %s: %x, %v", name, what, got, err)
			}
		}
		if _, err := ca.PublicKeyHash([]byte("a word")); err == nil {
			t.Error("a word has a key")
		}
	}
}
