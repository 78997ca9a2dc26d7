package house_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/ca"
	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

// watchedHouse has two certificates of two shards, their lists, and an open door
// at the address that stands in them, which may be bent.
type watchedHouse struct {
	*bankHouse

	own    *pgx.Conn
	issuer *ca.Issuer
	signer crypto.Signer
	last   bool                             // lists are the last
	bend   atomic.Pointer[http.HandlerFunc] // answers in the door's place where it writes anything
}

func openWatchedHouse(t *testing.T) *watchedHouse {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	fatal(t, err)
	w := &watchedHouse{bankHouse: newBankHouse(t)}
	c := w.ceremony(house.DefaultPlan())
	c.PublicBase = "http://pki.bank.example" // known to nobody here
	w.hold(t, c)
	w.own, err = pgx.Connect(t.Context(), w.database)
	fatal(t, err)
	t.Cleanup(func() { _ = w.own.Close(context.WithoutCancel(t.Context())) })
	w.tell(t, "ALTER TABLE certificate DROP CONSTRAINT certificate_order_id_fkey, DROP CONSTRAINT certificate_holder_id_fkey")
	for _, a := range must(w.Service.Authorities(t.Context()))(t) {
		if a.ID == house.IssuingID {
			certificate := must(x509.ParseCertificate(a.Certificate))(t)
			w.issuer = &ca.Issuer{ID: a.ID, Certificate: certificate, PublicBase: a.PublicBase}
			w.signer = must(hsm.NewKeyring(w.admin).Signer(t.Context(), a.Key, certificate.PublicKey))(t)
		}
	}
	w.certify(t, "N-0000000000000001", 1, 0, false)
	w.certify(t, "N-0000000000000002", 2, 0, true)
	w.certify(t, "N-0000000000000003", 3, 1, false)
	w.publish(t, 0, 1, 2)
	w.publish(t, 1, 1)
	w.serve(t, listener)
	return w
}

func (w *watchedHouse) tell(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := w.own.Exec(t.Context(), statement, args...)
	fatal(t, err)
}

// certify records a certificate as a worker would leave it, some time ago.
func (w *watchedHouse) certify(t *testing.T, id string, n byte, shard int, revoked bool) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	request := must(ca.ParseRequest(must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))(t)))(t)
	serial := serialNumber(n)
	draft := must(w.issuer.Prepare(ca.NominativeAuthentication(), request, ca.Subject{
		GivenName: "Amélie", Surname: "Dupont", Organization: "Boulangerie du Pont", OrganizationID: "NTRFR-732829320",
		RegistryNumber: "732829320", Country: "FR", HolderNumber: "H-" + id,
	}, serial, shard, w.now))(t)
	certificate := must(w.issuer.Sign(draft, w.signer))(t)
	state, at, reason := "active", (*time.Time)(nil), (*int)(nil)
	if revoked {
		state, at, reason = "revoked", new(w.now.Add(-time.Hour)), new(1)
	}
	w.tell(t, `INSERT INTO certificate (id, order_id, holder_id, state, profile, issuer_id, shard, serial, der, not_after, revoked_at, reason, crl_entry, created_at, updated_at)
		VALUES ($1, $1, 'H-1', $2::certificate_state, 'nominative-authentication', $3, $4, $5, $6, $7, $8, $9,
			CASE WHEN $9::integer IS NULL THEN NULL ELSE '\x3000'::bytea END, $10, $10)`,
		id, state, house.IssuingID, shard, serial[:], certificate.Raw, certificate.NotAfter, at, reason, w.now.Add(-time.Hour))
}

// publish records a shard's list as a worker would leave it.
func (w *watchedHouse) publish(t *testing.T, shard int, number int64, revoked ...byte) {
	t.Helper()
	urls := w.issuer.URLs(shard)
	from, to := w.now.Add(-30*time.Minute), w.now.Add(24*time.Hour)
	if w.last {
		to = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	entries := iter.Seq2[[]byte, error](func(yield func([]byte, error) bool) {
		for _, n := range revoked {
			if !yield(ca.EncodeEntry(ca.Revoked{Serial: serialNumber(n), At: w.now.Add(-time.Hour), Reason: lifecycle.ReasonKeyCompromise})) {
				return
			}
		}
	})
	der := must(ca.EncodeCRL(ca.CRL{
		Issuer: w.issuer.Certificate, Number: number, ThisUpdate: from, NextUpdate: to, DistributionPoint: urls.CRL, Freshest: urls.Delta, OnlyUser: true,
	}, entries, w.signer))(t)
	sum := sha256.Sum256(der)
	w.tell(t, `INSERT INTO crl (issuer_id, shard, number, base_number, revision, scheduled, this_update, next_update, full_size, delta_size, sha256, entries)
		VALUES ($1, $2, $3, 0, 0, true, $4, $5, $6, 0, $7, $8)`, house.IssuingID, shard, number, from, to, len(der), sum[:], len(revoked))
	w.tell(t, "INSERT INTO crl_piece (issuer_id, shard, number, delta, start, der) VALUES ($1, $2, $3, false, 0, $4)", house.IssuingID, shard, number, der)
}

// serve opens the door.
func (w *watchedHouse) serve(t *testing.T, listener net.Listener) {
	t.Helper()
	door := must(w.Public(t.Context(), w.admin, w.admin, t.TempDir()))(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); door.Follow(ctx) }()
	server := revocation.Server("", http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		bent := &wrote{ResponseWriter: out}
		if bend := w.bend.Load(); bend != nil {
			(*bend)(bent, r)
		}
		if !bent.done {
			door.ServeHTTP(out, r)
		}
	}))
	go func() { _ = server.Serve(listener) }() // until it is closed
	t.Cleanup(func() {
		stop()
		<-ended
		fatal(t, errors.Join(server.Close(), door.Close()))
	})
	w.clock.Store(0)
	w.address = listener.Addr().String()
}

// wrote notes whether anything was answered.
type wrote struct {
	http.ResponseWriter

	done bool
}

func (w *wrote) WriteHeader(status int) {
	w.done = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *wrote) Write(b []byte) (int, error) {
	w.done = true
	return w.ResponseWriter.Write(b)
}

// look looks from outside, and gives what is wrong, by what it is about.
func (w *watchedHouse) look(t *testing.T) (all int, wrong map[string]string) {
	t.Helper()
	sights := must(w.LookAtRevocation(t.Context(), house.Watch{Resolve: w.address, Pause: 50 * time.Millisecond}))(t)
	wrong = map[string]string{}
	for _, s := range sights {
		if s.Err != nil {
			wrong[s.What] = s.Err.Error()
		}
	}
	return len(sights), wrong
}

func TestTheWatchSeesWhatRelyingPartiesWouldSee(t *testing.T) {
	t.Parallel()
	w := openWatchedHouse(t)
	const rows = 6 // two shards and the root's list, OCSP, two CA certificates
	if all, wrong := w.look(t); all != rows || len(wrong) != 0 {
		t.Fatalf("all is well, and of %d sights are wrong: %v", all, wrong)
	}
	const list, other, answers, certificate = "/crl/issuing-1/0.crl", "/crl/issuing-1/1.crl", "/ocsp", "/ca/issuing-1.cer"
	whole := must(w.Service.NewestCRL(t.Context(), house.IssuingID, 0))(t).Full
	apart := must(w.Service.NewestCRL(t.Context(), house.IssuingID, 1))(t).Full
	plain := func(kind string, body []byte) http.HandlerFunc {
		return func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", kind)
			_, _ = out.Write(body)
		}
	}
	for name, tc := range map[string]struct {
		path, what, want string
		bend             http.HandlerFunc
	}{
		"no list":                 {list, "CRL issuing-1/0", "404", func(out http.ResponseWriter, r *http.Request) { http.NotFound(out, r) }},
		"a list from elsewhere":   {list, "CRL issuing-1/0", "302", func(out http.ResponseWriter, r *http.Request) { http.Redirect(out, r, other, http.StatusFound) }},
		"another shard's list":    {list, "CRL issuing-1/0", "distribution point", plain("application/pkix-crl", apart)},
		"a list without caching":  {list, "CRL issuing-1/0", "max-age", plain("application/pkix-crl", whole)},
		"a list as something":     {list, "CRL issuing-1/0", "served as", plain("text/plain", whole)},
		"half a list":             {list, "CRL issuing-1/0", "not a version 2", plain("application/pkix-crl", whole[:len(whole)/2])},
		"answers that are none":   {answers, "OCSP issuing-1", "error 3", plain("application/ocsp-response", ca.ErrorResponse(ca.OCSPTryLater))},
		"a forged answer":         {answers, "OCSP issuing-1", "not a basic OCSP answer", plain("application/ocsp-response", []byte{0x30, 0})},
		"another CA's":            {certificate, "CA certificate issuing-1", "another certificate", plain("application/pkix-cert", must(w.Service.Authorities(t.Context()))(t)[1].Certificate)},
		"a CA certificate as PEM": {certificate, "CA certificate issuing-1", "no certificate", plain("application/pkix-cert", []byte("-----BEGIN CERTIFICATE-----"))},
	} {
		w.bend.Store(new(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, tc.path) {
				tc.bend(out, r)
			}
		})))
		if _, wrong := w.look(t); len(wrong) != 1 || !strings.Contains(wrong[tc.what], tc.want) {
			t.Errorf("%s: wrong are %v, not %s for %q", name, wrong, tc.what, tc.want)
		}
	}
	w.bend.Store(nil)
	// A revocation that no list has, half an hour on: the door knows it already.
	w.tell(t, `UPDATE certificate SET state = 'revoked', revoked_at = $1, reason = 1, crl_entry = '\x3000', status_version = 1, crl_revision = 1 WHERE id = 'N-0000000000000003'`, w.now.Add(-50*time.Minute))
	w.tell(t, `UPDATE crl_shard SET revision = 1 WHERE issuer_id = 'issuing-1' AND shard = 1`)
	await(t, "the door tells the revocation", func() bool {
		_, wrong := w.look(t)
		return len(wrong) == 1 && strings.Contains(wrong["CRL issuing-1/1"], "the database says revoked")
	})
	// A newer list that nobody serves.
	w.tell(t, `UPDATE certificate SET state = 'active', revoked_at = NULL, reason = NULL, crl_entry = NULL, status_version = 2, crl_revision = 2 WHERE id = 'N-0000000000000003'`)
	w.tell(t, `UPDATE crl_shard SET revision = 2 WHERE issuer_id = 'issuing-1' AND shard = 1`)
	w.bend.Store(new(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Path == list {
			plain("application/pkix-crl", whole)(out, r)
		}
	})))
	w.publish(t, 0, 2, 2)
	await(t, "the old list is seen", func() bool {
		_, wrong := w.look(t)
		return len(wrong) == 1 && strings.Contains(wrong["CRL issuing-1/0"], "list 1 is served, the newest is 2")
	})
	// The CA ends: its last lists are old for ever, and no answer follows.
	w.bend.Store(nil)
	w.last = true
	w.publish(t, 0, 3, 2)
	w.publish(t, 1, 2)
	w.tell(t, "UPDATE issuer SET state = 'ended' WHERE id = 'issuing-1'")
	w.clock.Store(int64(30 * 24 * time.Hour))
	await(t, "a CA that has ended is no alarm", func() bool {
		all, wrong := w.look(t)
		return all == rows-1 && len(wrong) == 0
	})
}
