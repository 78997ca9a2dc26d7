package issuance_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// certificateOf is a certificate with the serial, for the record.
func certificateOf(t *testing.T, serial int64) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(0x40), 120), big.NewInt(serial)),
		Subject:      pkix.Name{CommonName: "Delegate"}, NotBefore: monday, NotAfter: monday.AddDate(1, 0, 0),
	}
	return must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
}

func TestACertificateOfTheHouseIsOnRecordAndCanBeRevoked(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	for i, purpose := range []issuance.Delegation{issuance.DelegateOCSP, issuance.DelegateBureau} {
		h.event(t, h.RecordDelegate(t.Context(), maxence, issuance.Delegate{
			Issuer: "issuing-1", Purpose: purpose, Certificate: certificateOf(t, int64(i)), Key: "key", NotAfter: monday.AddDate(1, 0, 0),
		}))
	}
	h.event(t, h.RecordAuthority(t.Context(), maxence, issuance.Authority{
		ID: "issuing-2", Certificate: certificateOf(t, 7), Mount: "transit", Key: "issuing-2", Shards: 1, Parent: "issuing-1",
	}))
	all := must[[]issuance.HouseCertificate](t)(h.HouseCertificates(t.Context()))
	if len(all) != 3 || all[0].Kind != "ocsp" || all[1].Kind != "bureau" || all[2].Kind != "ca" || all[2].Subject != "CN=Delegate" {
		t.Fatalf("on record are %+v", all)
	}
	ca := all[2].Serial
	people := []lifecycle.CertificateID{h.certificate(t, lifecycle.CertRevoked), h.certificate(t, lifecycle.CertRevoked)}
	reason := issuance.Revocation{Reason: lifecycle.ReasonCACompromise, InvalidityDate: h.clock.now().Add(-time.Hour)}
	wantKind(t, h.RevokeHouseCertificate(t.Context(), helene, ca, reason), lifecycle.Forbidden)
	wantKind(t, h.RevokeHouseCertificate(t.Context(), maxence, lifecycle.Serial{9}, reason), lifecycle.NotFound)
	for range 2 { // again changes nothing
		h.event(t, h.RevokeHouseCertificate(t.Context(), maxence, ca, reason))
	}
	plan := h.beginCRL(t, false)
	full, delta := h.lists(t, plan)
	want := []string{ca.String() + " cACompromise"}
	for _, id := range people {
		want = append(want, h.serial(t, id)+" superseded")
	}
	slices.Sort(want) // in the order of their serials, wherever they come from
	if !slices.Equal(full, want) || !slices.Equal(delta, want) {
		t.Errorf("listed are %q and %q, want %q", full, delta, want)
	}
	h.finishCRL(t, plan, "first")
	h.clock.set(monday.AddDate(1, 0, 1)) // past its end, listed before
	plan = h.beginCRL(t, true)
	if h.leaves(t, plan, ca) {
		t.Error("it may leave before a list past its end")
	}
	h.finishCRL(t, plan, "once more")
	h.clock.advance(24 * time.Hour)
	plan = h.beginCRL(t, true)
	if full, _ := h.lists(t, plan); slices.Contains(full, want[0]) || !h.leaves(t, plan, ca) {
		t.Errorf("after that: %q", full)
	}
}
