//go:build pkcs11

package pkcs11_test

import (
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/lifecycle"
)

func TestATokenTellsWhoItIsAndKeepsACertificate(t *testing.T) {
	t.Parallel()
	store := open(t, token(t, lasting, soft.PIN))
	is, err := store.Identity(t.Context())
	if err != nil || is.Manufacturer == "" || is.Model == "" || is.Serial == "" {
		t.Errorf("it is %+v, %v", is, err)
	}
	const name = "n-of-a-holder"
	if err := store.CreateSigningKey(t.Context(), name, hsm.P256); err != nil {
		t.Fatal(err)
	}
	key, err := store.SigningKey(t.Context(), name, 1)
	if err != nil {
		t.Fatal(err)
	}
	certificate := func(serial int64) *x509.Certificate {
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key.Signer(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	first := certificate(1)
	for range 2 { // the second time it is there
		if err := store.KeepCertificate(t.Context(), name, first); err != nil {
			t.Error(err)
		}
	}
	wantKind(t, store.KeepCertificate(t.Context(), name, certificate(2)), lifecycle.Conflict)
}
