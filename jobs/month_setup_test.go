package jobs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/ocsp"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

const (
	monthVariable = "SCEAU_MONTH_CERTIFICATES" // how many are on record when it begins
	monthShards   = 3
	monthSeed     = 20260302
)

// certificatesOfMonth is how many are on record when the month begins.
func certificatesOfMonth(t *testing.T) int {
	t.Helper()
	text := os.Getenv(monthVariable)
	if text == "" {
		return 300
	}
	n, err := strconv.Atoi(text)
	ok(t, err)
	return n
}

// told is what somebody who follows a shard knows: reasons by serial.
type told map[lifecycle.Serial]int

// listOf names a list.
type listOf struct {
	shard  int
	number int64
}

// life is what is true of a certificate.
type life struct {
	id          lifecycle.CertificateID
	serial      lifecycle.Serial
	shard       int
	ends        time.Time
	reason      int  // of a held one; of a revoked one any, also unspecified
	ended       bool // revoked for ever
	known       int  // what the door was last seen to say
	certificate *x509.Certificate
}

func (l *life) revoked() bool { return l.ended || l.reason != 0 }

func (l *life) state() int {
	if l.revoked() {
		return ocsp.Revoked
	}
	return ocsp.Good
}

// month is the house: workers, database, the door that people ask.
type month struct {
	*publisher

	dice    *mrand.Rand
	answers answers
	refuse  error          // of the key store, once set
	away    bool           // the database, for the door
	queue   []issuance.Job // what was asked for
	lives   []*life
	held    []*life
	touched []*life
	number  [monthShards]int64
	bases   map[listOf]told
	step    int
	count   map[string]int

	folder  string
	door    *revocation.Handler
	memory  *revocation.Memory
	seen    issuance.StatusMark
	issuers *ca.Issuer
}

func newMonth(t *testing.T, certificates int) *month {
	t.Helper()
	m := &month{
		publisher: newPublisherOf(t, monthShards), dice: mrand.New(mrand.NewPCG(monthSeed, 1)), //nolint:gosec // a repeatable month
		bases: map[listOf]told{}, count: map[string]int{}, folder: t.TempDir(),
	}
	m.issuers = &ca.Issuer{ID: "issuing-1", Certificate: m.issuing, PublicBase: "http://pki.montclair.example"}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	m.named = map[string]*ecdsa.PrivateKey{"ocsp-1": key}
	delegate, err := ca.SignOCSPResponder(m.issuers, m.key, key.Public(),
		ca.Name{CommonName: "OCSP", Organization: "Montclair", RegistryNumber: "732829320", Country: "FR"}, lifecycle.SerialFrom([16]byte{2}), m.at)
	ok(t, err)
	ok(t, m.Service.RecordDelegate(t.Context(), lifecycle.System("ceremony"), issuance.Delegate{
		Issuer: "issuing-1", Purpose: issuance.DelegateOCSP, Certificate: delegate.Raw, Key: "ocsp-1", NotAfter: delegate.NotAfter,
	}))
	m.lists.Signers, m.asked = m, func(job issuance.Job) { m.queue = append(m.queue, job) }
	m.answers = answers{Tools: m.Tools, authorities: m.authorities}
	responder, err := ca.NewResponder(m.issuing, delegate, m.Service.Policy().OCSPValidity)
	ok(t, err)
	m.memory = revocation.NewMemory(m)
	m.door, err = revocation.New(revocation.Config{
		Lists: m.folder, Source: m.memory, Keep: m.memory.Keep, Now: m.now,
		Responders: []revocation.Responder{{IssuerID: "issuing-1", Responder: responder, Signer: func(ctx context.Context) (crypto.Signer, error) {
			return key, nil
		}}},
	})
	ok(t, err)
	t.Cleanup(func() { ok(t, m.door.Close()) })
	m.record(t, certificates)
	ok(t, m.readAll(t.Context(), m.memory))
	m.follow(t)
	m.count["on record at first"] = certificates
	return m
}

// Signer gives a key, or refuses.
func (m *month) Signer(ctx context.Context, name string, public crypto.PublicKey) (crypto.Signer, error) {
	if m.refuse != nil {
		return nil, m.refuse
	}
	return m.publisher.Signer(ctx, name, public)
}

// dying ends a transaction by a crash.
func dying(crash error) issuance.Done { return func(pgx.Tx) error { return crash } }

// record puts certificates on record as orders would have left them, all at once:
// serials are drawn as in life, some certificates are signed and the others' bytes
// are as long. They have no orders, so that foreign keys go.
func (m *month) record(t *testing.T, n int) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	ok(t, err)
	holder := "" // of all of them: who is told of what happens to them
	ok(t, m.pool.QueryRow(t.Context(), "SELECT holder_id FROM certificate WHERE id = $1", m.certificate(t)).Scan(&holder))
	connection, err := pgx.Connect(t.Context(), m.url)
	ok(t, err)
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }()
	_, err = connection.Exec(t.Context(), "ALTER TABLE certificate DROP CONSTRAINT certificate_order_id_fkey")
	ok(t, err)
	bulk := bytes.Repeat([]byte{7}, 700)
	_, err = connection.CopyFrom(t.Context(), pgx.Identifier{"certificate"}, []string{
		"id", "order_id", "holder_id", "state", "profile", "issuer_id", "shard", "serial", "reserved_at", "tbs", "not_before", "not_after", "der",
		"created_at", "updated_at",
	}, pgx.CopyFromFunc(func() ([]any, error) {
		row := len(m.lives)
		if row == n {
			return nil, nil
		}
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("month"), uint64(row)))
		l := &life{
			id: lifecycle.CertificateID(fmt.Sprintf("N-%016d", row)), serial: lifecycle.SerialFrom([16]byte(sum[:16])), shard: int(sum[20]) % monthShards,
			ends: m.at.Add(time.Duration(24+m.dice.IntN(3*365*24)) * time.Hour), known: ocsp.Good,
		}
		m.lives = append(m.lives, l)
		tbs, der := bulk, bulk
		if row%max(n/200, 1) == 0 {
			var err error
			if l.certificate, err = m.signed(l, csr); err != nil {
				return nil, err
			}
			tbs, der, l.ends = l.certificate.RawTBSCertificate, l.certificate.Raw, l.certificate.NotAfter
		}
		return []any{
			string(l.id), "O-" + string(l.id), holder, "active", ca.NominativeAuthentication().Name, "issuing-1", int32(l.shard), l.serial[:], m.at, tbs,
			m.at, l.ends, der, m.at, m.at,
		}, nil
	}))
	ok(t, err)
	_, err = connection.Exec(t.Context(), "ANALYZE certificate")
	ok(t, err)
}

// signed is a certificate as the worker signs it.
func (m *month) signed(l *life, csr []byte) (*x509.Certificate, error) {
	request, err := ca.ParseRequest(csr)
	if err != nil {
		return nil, err
	}
	draft, err := m.issuers.Prepare(ca.NominativeAuthentication(), request, ca.Subject{
		GivenName: "Camille", Surname: "Martin", Organization: "Montclair", OrganizationID: "NTRFR-732829320", RegistryNumber: "732829320",
		Country: "FR", HolderNumber: "40010001-0001",
	}, l.serial, l.shard, m.at)
	if err != nil {
		return nil, err
	}
	return m.issuers.Sign(draft, m.key)
}

func (m *month) numbered(t *testing.T, id lifecycle.CertificateID) (serial lifecycle.Serial, shard int) {
	t.Helper()
	var octets []byte
	ok(t, m.pool.QueryRow(t.Context(), "SELECT serial, shard FROM certificate WHERE id = $1", id).Scan(&octets, &shard))
	return lifecycle.Serial(octets), shard
}

// database is what the database says is revoked in a shard, and had not expired by then.
func (m *month) database(t *testing.T, shard int, kept time.Time) told {
	t.Helper()
	rows, err := m.pool.Query(t.Context(), "SELECT serial, reason FROM certificate WHERE shard = $1 AND reason IS NOT NULL AND not_after > $2", shard, kept)
	ok(t, err)
	all := told{}
	for rows.Next() {
		var serial []byte
		var reason int
		ok(t, rows.Scan(&serial, &reason))
		all[lifecycle.Serial(serial)] = reason
	}
	ok(t, rows.Err())
	return all
}

// previous is when the newest published list was made; zero for none.
func (m *month) previous(t *testing.T, shard int) time.Time {
	t.Helper()
	head, err := m.Service.HeadCRL(t.Context(), "issuing-1", shard)
	if errors.Is(err, lifecycle.NotFound) {
		return time.Time{}
	}
	ok(t, err)
	return head.ThisUpdate
}

// kept is when the scheduled list was made that stands before the one which a list is
// or completes: who had expired by then is not listed any more. Zero for none.
func (m *month) kept(t *testing.T, shard int, number int64) (at time.Time) {
	t.Helper()
	ok(t, m.pool.QueryRow(t.Context(), `SELECT coalesce(max(s.this_update), '0001-01-01') FROM crl n LEFT JOIN crl s
		ON s.issuer_id = n.issuer_id AND s.shard = n.shard AND s.scheduled AND s.number < CASE WHEN n.scheduled THEN n.number ELSE n.base_number END
		WHERE n.issuer_id = 'issuing-1' AND n.shard = $1 AND n.number = $2`, shard, number).Scan(&at))
	return at
}

// fetched is a list as somebody has it who fetched it.
type fetched struct {
	number, base int64
	entries      told
}

func (m *month) fetch(t *testing.T, shard int, delta bool) fetched {
	t.Helper()
	path := fmt.Sprintf("/crl/issuing-1/%d.crl", shard)
	if delta {
		path = fmt.Sprintf("/crl/issuing-1/%d-delta.crl", shard)
	}
	return m.get(t, path)
}

// get fetches a list from the door and reads it by crypto/x509.
func (m *month) get(t *testing.T, path string) fetched {
	t.Helper()
	got := httptest.NewRecorder()
	m.door.ServeHTTP(got, httptest.NewRequest(http.MethodGet, path, nil))
	list, err := x509.ParseRevocationList(got.Body.Bytes())
	ok(t, err)
	ok(t, list.CheckSignatureFrom(m.issuing))
	f := fetched{number: list.Number.Int64(), entries: told{}}
	for _, e := range list.RevokedCertificateEntries {
		f.entries[lifecycle.Serial(e.SerialNumber.FillBytes(make([]byte, 16)))] = e.ReasonCode
	}
	if len(f.entries) != len(list.RevokedCertificateEntries) {
		t.Fatalf("%s names a serial twice", path)
	}
	for _, e := range list.Extensions {
		if e.Id.String() == "2.5.29.27" {
			f.base = int64(binary.BigEndian.Uint64(append(make([]byte, 8-len(e.Value)+2), e.Value[2:]...))) //nolint:gosec // a list's number
		}
	}
	return f
}

// differ names some of what two do not both say.
func differ(a, b told) string {
	text := fmt.Sprintf("%d and %d entries", len(a), len(b))
	for serial, reason := range a {
		if other, is := b[serial]; !is || other != reason {
			text += fmt.Sprintf("; %s %d and %d (%v)", serial, reason, other, is)
		}
	}
	for serial, reason := range b {
		if _, is := a[serial]; !is {
			text += fmt.Sprintf("; %s nothing and %d", serial, reason)
		}
	}
	return text[:min(len(text), 400)]
}

// Status is what the memory asks that does not hold a certificate.
func (m *month) Status(ctx context.Context, issuer string, serial []byte) (revocation.Known, error) {
	if m.away {
		return revocation.Known{}, lifecycle.Unavailable
	}
	st, err := m.Service.Status(ctx, issuer, lifecycle.Serial(serial))
	known := knownToDoor(st)
	known.AsOf = m.at
	return known, err
}

func knownToDoor(st issuance.CertificateStatus) revocation.Known {
	known := revocation.Known{Status: StatusOf(st), Version: st.Version}
	if st.Answer != nil {
		known.Ahead[0] = revocation.NewPresigned(known.Status.State, ca.Answer{DER: st.Answer, ThisUpdate: st.ThisUpdate, NextUpdate: st.NextUpdate})
	}
	return known
}

// learn tells a memory of certificates, as the door does.
func learn(memory *revocation.Memory, all []issuance.OCSPStatus) {
	learned := make([]revocation.Learned, 0, len(all))
	for _, st := range all {
		if st.Issued || st.Revoked {
			learned = append(learned, revocation.Learned{IssuerID: st.Issuer, Serial: st.Serial, Known: knownToDoor(st.CertificateStatus)})
		}
	}
	memory.Learn(learned)
}

// readAll fills a door's memory, as the door does when it opens.
func (p *publisher) readAll(ctx context.Context, memory *revocation.Memory) error {
	err := p.Service.EveryStatus(ctx, func(all []issuance.OCSPStatus) { learn(memory, all) })
	if err != nil {
		return err
	}
	return p.Service.EveryAnswer(ctx, func(all []issuance.OCSPAnswer) {
		answered := make([]revocation.Answered, len(all))
		for i, a := range all {
			answered[i] = revocation.Answered{Serial: a.Serial, Version: a.Version, Answer: ca.Answer{DER: a.DER, ThisUpdate: a.ThisUpdate, NextUpdate: a.NextUpdate}}
		}
		memory.LearnAnswers(answered)
	})
}

// follow has the door learn what changed, as it does every second.
func (m *month) follow(t *testing.T) {
	t.Helper()
	now, err := m.Service.MarkStatuses(t.Context())
	ok(t, err)
	changed, err := m.Service.StatusesSince(t.Context(), m.seen, now)
	ok(t, err)
	learn(m.memory, changed)
	ok(t, m.Service.AnswersSince(t.Context(), m.seen, now, func(all []issuance.OCSPStatus) { learn(m.memory, all) }))
	m.seen = now
	m.memory.CaughtUp(m.at)
}

// said is what the door answers.
type said struct {
	signed bool // else an error of OCSP
	state  int
}

// ask asks the door by POST. What is signed is verified, and in time.
func (m *month) ask(t *testing.T, serial lifecycle.Serial, nonce []byte) said {
	t.Helper()
	request := m.request(t, serial, nonce)
	got := httptest.NewRecorder()
	m.door.ServeHTTP(got, httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(request)))
	answer, err := ocsp.ParseResponse(got.Body.Bytes(), m.issuing)
	if refused, is := errors.AsType[ocsp.ResponseError](err); is {
		return said{state: -int(refused.Status)}
	}
	ok(t, err)
	if lifecycle.Serial(answer.SerialNumber.FillBytes(make([]byte, 16))) != serial || answer.ThisUpdate.After(m.at) || !answer.NextUpdate.After(m.at) {
		t.Fatalf("step %d: asked of %s at %s the door speaks of %x, %s to %s", m.step, serial, m.at, answer.SerialNumber, answer.ThisUpdate, answer.NextUpdate)
	}
	if nonce != nil && !bytes.Contains(got.Body.Bytes(), nonce) {
		t.Fatalf("step %d: the answer has not the nonce", m.step)
	}
	return said{true, answer.Status}
}

// request is an OCSP request, with a nonce if there is one, which x/crypto/ocsp
// cannot.
func (m *month) request(t *testing.T, serial lifecycle.Serial, nonce []byte) []byte {
	t.Helper()
	der, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial[:])}, m.issuing, nil)
	ok(t, err)
	if nonce == nil {
		return der
	}
	type extension struct {
		ID    asn1.ObjectIdentifier
		Value []byte
	}
	var whole struct {
		TBS struct {
			List       asn1.RawValue
			Extensions []extension `asn1:"explicit,tag:2,optional,omitempty"`
		}
	}
	_, err = asn1.Unmarshal(der, &whole)
	ok(t, err)
	value, err := asn1.Marshal(nonce)
	ok(t, err)
	whole.TBS.Extensions = []extension{{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, value}}
	der, err = asn1.Marshal(whole)
	ok(t, err)
	return der
}
