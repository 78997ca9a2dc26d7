package authn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/authn"
	"sceau/certprofile"
	"sceau/lifecycle"
	"sceau/signing"
)

// aCertificate is one that a test holder has, with what the test changes of it.
type aCertificate struct {
	state    lifecycle.CertificateState
	profile  string
	usage    x509.KeyUsage
	from, to time.Time
	issuer   lifecycle.IssuerState
}

// certify gives a holder a certificate, and its key.
func (h *house) certify(t *testing.T, pool *pgxpool.Pool, holder lifecycle.HolderID, adapt func(*aCertificate)) (*ecdsa.PrivateKey, lifecycle.CertificateID) {
	t.Helper()
	h.cards++
	n := h.cards
	c := aCertificate{
		lifecycle.CertActive, certprofile.NominativeAuthentication, x509.KeyUsageDigitalSignature, today.Add(-time.Hour), today.AddDate(1, 0, 0), "signing",
	}
	adapt(&c)
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(n)), Subject: pkix.Name{CommonName: "x"}, NotBefore: c.from, NotAfter: c.to, KeyUsage: c.usage}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	issuer, certificate := fmt.Sprintf("issuer-%d", n), lifecycle.CertificateID(id("N", n))
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO issuer (id, state, certificate, mount, key_name, shards, online, state_since, created_at) VALUES ($1, $2, 'x', 'transit', $1, 1, false, $3, $3)`, []any{issuer, c.issuer, today}},
		{`INSERT INTO orders (id, kind, urgency, state, holder_id, currency, requested_by, created_at, updated_at) VALUES ($1, 'new_certificate', 'standard', 'in_progress', $2, 'EUR', 'ann', $3, $3)`,
			[]any{id("O", n), holder, today}},
		{`INSERT INTO certificate (id, order_id, holder_id, state, profile, issuer_id, shard, serial, der, not_before, not_after, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, $11, $11)`,
			[]any{certificate, id("O", n), holder, c.state, c.profile, issuer, fmt.Appendf(nil, "%016d", n), der, c.from, c.to, today}},
	} {
		if _, err := pool.Exec(t.Context(), s.sql, s.args...); err != nil {
			t.Fatal(err)
		}
	}
	return key, certificate
}

func signed(t *testing.T, key *ecdsa.PrivateKey, text []byte) authn.Given {
	t.Helper()
	digest := sha256.Sum256(text)
	return authn.Given{Signature: must[[]byte](t)(ecdsa.SignASN1(rand.Reader, key, digest[:]))}
}

func TestACertificateSignsInAndSignsAnOperation(t *testing.T) {
	t.Parallel()
	h := setup(t)
	pool := h.store.Pool()
	holder := h.user(t, userNumber)
	key, certificate := h.certify(t, pool, holder, func(*aCertificate) {})
	a := h.askFor(t, userNumber, lifecycle.MeansCertificate)
	got, err := h.Prove(t.Context(), service, a.ID, signed(t, key, a.Text))
	if err != nil || got.State != lifecycle.AuthenticationAccepted || got.Evidence["certificate"] != string(certificate) || got.Evidence["serial"] == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	operation := func(content map[string]string) authn.Authentication {
		return must[authn.Authentication](t)(h.Begin(t.Context(), authn.Ask{
			By: service, ClientID: clientID, UserNumber: userNumber, Proof: signing.Proof{Means: lifecycle.MeansCertificate}, Operation: operationOf(t, signing.SignPayment, content),
		}))
	}
	first, twin := operation(payment), operation(payment)
	// A signature is for one operation, once.
	if _, err := h.Prove(t.Context(), service, twin.ID, signed(t, key, first.Text)); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("the signature of a twin: %v", err)
	}
	if got, err := h.Prove(t.Context(), service, first.ID, signed(t, key, first.Text)); err != nil || !got.Linked {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = h.Prove(t.Context(), service, first.ID, signed(t, key, first.Text))
	wantKind(t, err, lifecycle.Conflict)
	_, err = h.Prove(t.Context(), service, twin.ID, authn.Given{Code: "12345678"})
	wantKind(t, err, lifecycle.Invalid)
	h.clock.set(today.Add(6 * time.Minute))
	_, err = h.Prove(t.Context(), service, twin.ID, signed(t, key, twin.Text))
	wantKind(t, err, lifecycle.Conflict) // expired
}

func TestWhichCertificatesProveNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	pool := h.store.Pool()
	holder, other := h.user(t, userNumber), h.user(t, "0002")
	for name, test := range map[string]struct {
		whose lifecycle.HolderID
		adapt func(*aCertificate)
	}{
		"another user's":       {other, func(*aCertificate) {}},
		"on hold":              {holder, func(c *aCertificate) { c.state = lifecycle.CertHeld }},
		"not accepted yet":     {holder, func(c *aCertificate) { c.state = lifecycle.CertIssued }},
		"past its end":         {holder, func(c *aCertificate) { c.to = today.Add(-time.Second) }},
		"before its beginning": {holder, func(c *aCertificate) { c.from = today.Add(time.Hour) }},
		"of a revoked CA":      {holder, func(c *aCertificate) { c.issuer = lifecycle.IssuerRevoked }},
		"for signatures only":  {holder, func(c *aCertificate) { c.usage = x509.KeyUsageContentCommitment }},
		"for nothing of it":    {holder, func(c *aCertificate) { c.usage = x509.KeyUsageKeyEncipherment }},
	} {
		key, _ := h.certify(t, pool, test.whose, test.adapt)
		a := h.askFor(t, userNumber, lifecycle.MeansCertificate)
		if got, err := h.Prove(t.Context(), service, a.ID, signed(t, key, a.Text)); !errors.Is(err, authn.ErrRefused) || got.Holder != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	key, _ := h.certify(t, pool, holder, func(*aCertificate) {})
	a := h.askFor(t, "0999", lifecycle.MeansCertificate)
	if _, err := h.Prove(t.Context(), service, a.ID, signed(t, key, a.Text)); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("nobody's: %v", err)
	}
}
