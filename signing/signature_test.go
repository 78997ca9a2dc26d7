package signing_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"testing"

	"sceau/signing"
)

func TestSignaturesOfEachKindOfKey(t *testing.T) {
	t.Parallel()
	text := []byte(`{"content":{"amount":"1"}}`)
	digest := sha256.Sum256(text)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	long, _ := rsa.GenerateKey(rand.Reader, 2048)
	plain := func(key *ecdsa.PrivateKey) []byte {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		size := (key.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	sign := func(key crypto.Signer, options crypto.SignerOpts) []byte {
		s, err := key.Sign(rand.Reader, digest[:], options)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, test := range map[string]struct {
		key       crypto.PublicKey
		signature []byte
		want      bool
	}{
		"ECDSA in DER":               {&p256.PublicKey, sign(p256, crypto.SHA256), true},
		"ECDSA as browsers make it":  {&p256.PublicKey, plain(p256), true},
		"P-384":                      {&p384.PublicKey, plain(p384), true},
		"PSS":                        {&long.PublicKey, sign(long, &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}), true},
		"PKCS #1":                    {&long.PublicKey, sign(long, crypto.SHA256), true},
		"another key":                {&p256.PublicKey, plain(p384), false},
		"zeros":                      {&p256.PublicKey, make([]byte, 64), false},
		"nothing":                    {&long.PublicKey, nil, false},
		"a key of no kind":           {ed25519.PublicKey(make([]byte, 32)), make([]byte, 64), false},
		"a number beyond the order":  {&p256.PublicKey, append(new(big.Int).Add(p256.Params().N, big.NewInt(1)).FillBytes(make([]byte, 32)), make([]byte, 32)...), false},
		"PKCS #1 of another's bytes": {&long.PublicKey, sign(long, crypto.SHA256)[1:], false},
	} {
		if err := signing.CheckSignature(test.key, text, test.signature); (err == nil) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if signing.CheckSignature(&p256.PublicKey, append(text, ' '), plain(p256)) == nil {
		t.Error("a text that was changed after signing")
	}
}

func FuzzCheckSignature(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("text"), make([]byte, 64))
	f.Fuzz(func(t *testing.T, text, signature []byte) {
		if signing.CheckSignature(&key.PublicKey, text, signature) == nil {
			t.Error("a signature that nobody made")
		}
	})
}
