package house_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/ocsp"

	"sceau/ca"
	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// openDoor is a public door that follows a database with three certificates,
// beside a connection to that database's server.
type openDoor struct {
	*bankHouse

	door       *house.PublicDoor
	server     *pgx.Conn // of another database
	database   string
	issuer     *x509.Certificate
	responder  *ca.Responder
	kept, lost lifecycle.CertificateID
}

func serialNumber(n byte) lifecycle.Serial { return lifecycle.SerialFrom([16]byte{9, 15: n}) }

func openPublicDoor(t *testing.T) *openDoor {
	t.Helper()
	b := newBankHouse(t)
	b.hold(t, b.ceremony(house.DefaultPlan()))
	d := &openDoor{bankHouse: b, kept: "N-0000000000000001", lost: "N-0000000000000002"}
	address, err := url.Parse(b.database)
	fatal(t, err)
	d.database = address.Path[1:]
	own, err := pgx.Connect(t.Context(), b.database)
	fatal(t, err)
	// The order is not what is looked at; the holder is told what happens.
	for _, statement := range []string{
		"ALTER TABLE certificate DROP CONSTRAINT certificate_order_id_fkey",
		"INSERT INTO branch (id, code, name, street, postcode, city, country, phone, created_at) VALUES ('B-1', 'FR99', 'Brest', '1 quai Nord', '29200', 'Brest', 'FR', '+33200000000', now())",
		"INSERT INTO company (id, client_id, name, country, registry_number, branch_id, created_at) VALUES ('CO-1', '10000001', 'Ajoncs SAS', 'FR', '552100554', 'B-1', now())",
		`INSERT INTO holder (id, company_id, user_number, given_name, surname, language, email, street, postcode, city, country, created_at, updated_at)
			VALUES ('H-1', 'CO-1', '0001', 'Maël', 'Kerven', 'fr', 'm.kerven@example.org', '2 quai Nord', '29200', 'Brest', 'FR', now(), now())`,
	} {
		_, err = own.Exec(t.Context(), statement)
		fatal(t, err)
	}
	for n, id := range []lifecycle.CertificateID{d.kept, d.lost} {
		serial := serialNumber(byte(n))
		_, err = own.Exec(t.Context(), `INSERT INTO certificate (id, order_id, holder_id, state, profile, issuer_id, shard, serial, not_after, created_at, updated_at)
			VALUES ($1, $1, 'H-1', 'active', 'nominative-authentication', $2, 0, $3, $4, now(), now())`, id, house.IssuingID, serial[:], b.now.AddDate(1, 0, 0))
		fatal(t, err)
	}
	fatal(t, own.Close(t.Context()))
	address.Path = "/postgres"
	d.server, err = pgx.Connect(t.Context(), address.String())
	fatal(t, err)
	t.Cleanup(func() { _ = d.server.Close(context.WithoutCancel(t.Context())) })

	d.door, err = b.Public(t.Context(), b.admin, b.admin, t.TempDir())
	fatal(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.door.Follow(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ended
		if err := d.door.Close(); err != nil {
			t.Error(err)
		}
	})
	issuing, delegate := newest(t.Context(), t, b.House)
	d.issuer, err = x509.ParseCertificate(issuing)
	fatal(t, err)
	responder, err := x509.ParseCertificate(delegate)
	fatal(t, err)
	d.responder, err = ca.NewResponder(d.issuer, responder, time.Hour)
	fatal(t, err)
	return d
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const tryLater = -1

// held are the certificates whose status a door holds: two, the issuing CA's and its
// three delegates'.
const held = 6

// ask asks about a certificate, with a nonce or without.
func (d *openDoor) ask(t *testing.T, n byte, nonce bool) int {
	t.Helper()
	request, err := d.responder.Request(serialNumber(n), crypto.SHA1)
	fatal(t, err)
	der := encodeRequest(t, request, nonce)
	w := httptest.NewRecorder()
	d.door.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ocsp", bytes.NewReader(der)))
	if bytes.Equal(w.Body.Bytes(), ca.ErrorResponse(ca.OCSPTryLater)) {
		return tryLater
	}
	answer, err := ocsp.ParseResponse(w.Body.Bytes(), d.issuer)
	fatal(t, err)
	return answer.Status
}

// encodeRequest encodes a request of one certificate, with a nonce or without.
func encodeRequest(t testing.TB, request *ca.OCSPRequest, nonce bool) []byte {
	t.Helper()
	type extension struct {
		ID    asn1.ObjectIdentifier
		Value []byte
	}
	var whole struct {
		TBS struct {
			List       []struct{ ID asn1.RawValue }
			Extensions []extension `asn1:"explicit,tag:2,optional,omitempty"`
		}
	}
	whole.TBS.List = []struct{ ID asn1.RawValue }{{asn1.RawValue{FullBytes: request.IDs[0].Raw()}}}
	if nonce {
		whole.TBS.Extensions = []extension{{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, []byte{4, 1, 7}}}
	}
	der, err := asn1.Marshal(whole)
	fatal(t, err)
	return der
}

// healthPage is what a door says of itself.
type healthPage struct {
	Status       string `json:"status"`
	Certificates int    `json:"certificates"`
}

// health is what the door says of itself.
func (d *openDoor) health(t *testing.T) (status string, certificates int) {
	t.Helper()
	w := httptest.NewRecorder()
	d.door.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil))
	var page healthPage
	fatal(t, json.Unmarshal(w.Body.Bytes(), &page))
	return page.Status, page.Certificates
}

// await waits until something is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	awaitWithin(t, 30*time.Second, what, so)
}

func awaitWithin(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

// pass lets time pass: what was known is old, and the health page with it.
func (d *openDoor) pass(t *testing.T, by time.Duration) {
	t.Helper()
	d.clock.Add(int64(by))
}

func (d *openDoor) tell(t *testing.T, statement string) {
	t.Helper()
	_, err := d.server.Exec(t.Context(), statement)
	fatal(t, err)
}

func TestTheDoorFollowsTheDatabaseAndOutlivesIt(t *testing.T) {
	t.Parallel()
	d := openPublicDoor(t)
	await(t, "every certificate is held", func() bool {
		d.pass(t, 6*time.Second)
		status, n := d.health(t)
		return status == "ok" && n == held
	})
	for _, nonce := range []bool{true, false} {
		if got := d.ask(t, 0, nonce); got != ocsp.Good {
			t.Fatalf("at first: status %d", got)
		}
	}
	olga := lifecycle.Actor{ID: "o.kerven", Role: lifecycle.RoleOperator}
	fatal(t, d.Service.Revoke(t.Context(), olga, d.lost, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	await(t, "the revocation is told", func() bool { return d.ask(t, 1, true) == ocsp.Revoked })
	if got := d.ask(t, 1, false); got != ocsp.Revoked {
		t.Errorf("without nonce: status %d", got)
	}

	// The database goes away.
	d.tell(t, "ALTER DATABASE "+d.database+" ALLOW_CONNECTIONS false")
	d.tell(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+d.database+"'")
	d.pass(t, time.Minute)
	for n, want := range []int{ocsp.Good, ocsp.Revoked} {
		if got := d.ask(t, byte(n), false); got != want {
			t.Errorf("certificate %d while the database is away: status %d, want %d", n, got, want)
		}
		if got := d.ask(t, byte(n), true); got != tryLater {
			t.Errorf("certificate %d, with a nonce: status %d is told of what was known a minute ago", n, got)
		}
	}
	if status, n := d.health(t); status != "degraded" || n != held {
		t.Errorf("health: %s, %d certificates", status, n)
	}
	d.pass(t, d.Service.Policy().OCSPValidity)
	if got := d.ask(t, 0, false); got != tryLater {
		t.Errorf("past its end an answer is still given: status %d", got)
	}

	// It comes back.
	d.tell(t, "ALTER DATABASE "+d.database+" ALLOW_CONNECTIONS true")
	await(t, "the door follows again", func() bool { return d.ask(t, 0, true) == ocsp.Good })
	if got := d.ask(t, 1, true); got != ocsp.Revoked {
		t.Errorf("the revoked one: status %d", got)
	}
}

func TestADatabaseThatWasRestoredTeachesTheDoorNothing(t *testing.T) {
	t.Parallel()
	d := openPublicDoor(t)
	olga := lifecycle.Actor{ID: "o.kerven", Role: lifecycle.RoleOperator}
	fatal(t, d.Service.Revoke(t.Context(), olga, d.lost, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	await(t, "the revocation is held", func() bool {
		d.pass(t, 6*time.Second)
		status, n := d.health(t)
		return status == "ok" && n == held && d.ask(t, 1, true) == ocsp.Revoked
	})
	own, err := pgx.Connect(t.Context(), d.bankHouse.database)
	fatal(t, err)
	// As a backup of before the revocation has it.
	for _, statement := range []string{
		"UPDATE certificate SET state = 'active', revoked_at = NULL, reason = NULL, status_version = 0, crl_revision = 0",
		"UPDATE crl_shard SET revision = 0",
	} {
		_, err = own.Exec(t.Context(), statement)
		fatal(t, err)
	}
	fatal(t, own.Close(t.Context()))
	await(t, "the door notices", func() bool {
		d.pass(t, 11*time.Second)
		status, _ := d.health(t)
		return status == "degraded"
	})
	if got := d.ask(t, 1, true); got != tryLater {
		t.Errorf("the revocation that the backup has not: status %d", got)
	}

	// A door that is opened on it asks the marks, which the last list raised.
	fatal(t, d.admin.RaiseMarks(t.Context(), issuance.MarksName(house.IssuingID), issuance.Mark{Number: 1, Revision: 1}.Named(0)))
	door, err := d.Public(t.Context(), d.admin, d.admin, t.TempDir())
	fatal(t, err)
	defer func() { fatal(t, door.Close()) }()
	d.door = door
	for n := range byte(2) {
		if got := d.ask(t, n, true); got != tryLater {
			t.Errorf("certificate %d at a door that was opened on the backup: status %d", n, got)
		}
	}
}
