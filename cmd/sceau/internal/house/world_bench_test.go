package house_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/ocsp"

	"sceau/ca"
	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/web/revocation"
)

// BenchmarkRevocationToWorld is how long the world waits for a revocation: from
// the use case's return until a door of another process answers revoked, and until
// the list in that door's folder names the serial. Jobs go through River as they do
// in life, with its leader, and all waits are the real ones. On the list are so
// many others, all of which the door holds.
func BenchmarkRevocationToWorld(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) { benchmarkWorld(b, n) })
	}
}

const (
	toRevoke  = 100 // certificates that are there for it
	loadLimit = 5 * time.Minute
)

func benchmarkWorld(b *testing.B, n int) {
	b.Helper()
	h := newBankHouse(b)
	c := h.ceremony(house.DefaultPlan())
	c.Shards = 1
	h.hold(b, c)
	h.tick(b)
	h.fillList(b, n)
	h.work(b)
	d := h.startDoor(b)
	own, err := pgx.Connect(b.Context(), h.database)
	fatal(b, err)
	defer func() { _ = own.Close(context.WithoutCancel(b.Context())) }()
	awaitWithin(b, loadLimit, "the queue is idle", func() bool {
		var idle bool
		fatal(b, own.QueryRow(b.Context(), "SELECT NOT EXISTS (SELECT FROM river_job WHERE queue = 'default' AND finalized_at IS NULL)").Scan(&idle))
		return idle
	})
	awaitWithin(b, loadLimit, "the door holds all", func() bool { return d.holds(b) >= n+toRevoke })
	olga := lifecycle.Actor{ID: "o.kerven", Role: lifecycle.RoleOperator}
	var answered, listed []float64
	for b.Loop() {
		round := len(answered)
		if round == toRevoke {
			b.Fatalf("there are %d certificates to revoke: ask for fewer rounds", toRevoke)
		}
		// The door looks every two seconds: no round begins at the same moment of them.
		time.Sleep(time.Duration(round*1236%2000) * time.Millisecond)
		serial := serialNumber(byte(round))
		if got := d.ask(b, serial); got != ocsp.Good {
			b.Fatalf("before its revocation: status %d", got)
		}
		fatal(b, h.Service.Revoke(b.Context(), olga, worldID(round), issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
		from := time.Now()
		onDisk := d.awaitList(b, serial)
		for d.ask(b, serial) != ocsp.Revoked {
			time.Sleep(time.Millisecond)
		}
		answered = append(answered, time.Since(from).Seconds())
		listed = append(listed, (<-onDisk).Sub(from).Seconds())
	}
	slices.Sort(answered)
	slices.Sort(listed)
	b.ReportMetric(listed[len(listed)/2]*1e9, "ns/op")
	for unit, all := range map[string][]float64{"answered_s": answered, "listed_s": listed} {
		b.ReportMetric(all[len(all)/2], unit)
		b.ReportMetric(all[len(all)-1], unit+"_longest")
	}
}

func worldID(n int) lifecycle.CertificateID {
	return lifecycle.CertificateID(fmt.Sprintf("N-%016d", n))
}

// tick has the house's clock go as the machine's does.
func (b *bankHouse) tick(t testing.TB) {
	t.Helper()
	service, err := house.Open(t.Context(), house.Config{
		DatabaseURL: testenv.DatabaseAs(t, b.database, migrations.RoleApp), Policy: b.bank.Policy(), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	fatal(t, err)
	t.Cleanup(service.Close)
	b.House = service
}

// fillList records n revoked certificates with their answers, and those that are
// to be revoked, as workers would have left them.
func (b *bankHouse) fillList(t testing.TB, n int) {
	t.Helper()
	own, err := pgx.Connect(t.Context(), b.database)
	fatal(t, err)
	defer func() { _ = own.Close(context.WithoutCancel(t.Context())) }()
	var again []string
	rows, err := own.Query(t.Context(), "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'certificate' AND indexdef NOT LIKE 'CREATE UNIQUE%'")
	fatal(t, err)
	statements := []string{"ALTER TABLE certificate DROP CONSTRAINT certificate_order_id_fkey"} // orders are not what is looked at
	for rows.Next() {
		var name, definition string
		fatal(t, rows.Scan(&name, &definition))
		statements, again = append(statements, "DROP INDEX "+name), append(again, definition)
	}
	fatal(t, rows.Err())
	statements = append(statements,
		"INSERT INTO branch (id, code, name, street, postcode, city, country, phone, created_at) VALUES ('B-1', 'FR99', 'Brest', '1 quai Nord', '29200', 'Brest', 'FR', '+33200000000', now())",
		"INSERT INTO company (id, client_id, name, country, registry_number, branch_id, created_at) VALUES ('CO-1', '10000001', 'Ajoncs SAS', 'FR', '552100554', 'B-1', now())",
		`INSERT INTO holder (id, company_id, user_number, given_name, surname, language, email, street, postcode, city, country, created_at, updated_at)
			VALUES ('H-1', 'CO-1', '0001', 'Maël', 'Kerven', 'fr', 'm.kerven@example.org', '2 quai Nord', '29200', 'Brest', 'FR', now(), now())`,
		// Serials by chance; the entry as ca encodes it, a certificate as long as ours.
		fmt.Sprintf(`INSERT INTO certificate (id, order_id, holder_id, state, profile, issuer_id, shard, serial, not_before, not_after, tbs, der,
				revoked_at, reason, crl_revision, crl_entry, created_at, updated_at)
			SELECT 'L-' || n, 'L-' || n, 'H-1', 'revoked', 'nominative-authentication', '%s', 0, serial, now(), now() + interval '3 years', bulk, bulk,
				at, 4, 1, '\x302f0210'::bytea || serial || '\x170d'::bytea || convert_to(to_char(at, 'YYMMDDHH24MISS"Z"'), 'UTF8')
					|| '\x300c300a0603551d1504030a0104'::bytea, now(), now()
			FROM (SELECT n, set_byte(substring(sha256(int8send(n)) FOR 16), 0, (64 + n %% 64)::integer) AS serial,
					decode(repeat('07', 700), 'hex') AS bulk, date_trunc('second', now() - interval '1 hour') AS at
				FROM generate_series(1::bigint, %d) AS n) AS all_of_them`, house.IssuingID, n),
		`INSERT INTO ocsp_answer (serial, status_version, der, this_update, next_update)
			SELECT serial, status_version, tbs, now(), now() + interval '12 hours' FROM certificate`)
	for i := range toRevoke {
		statements = append(statements, fmt.Sprintf(`INSERT INTO certificate (id, order_id, holder_id, state, profile, issuer_id, shard, serial, not_before, not_after, created_at, updated_at)
			VALUES ('%[1]s', '%[1]s', 'H-1', 'active', 'nominative-authentication', '%[2]s', 0, '\x%[3]s', now(), now() + interval '3 years', now(), now())`,
			worldID(i), house.IssuingID, serialNumber(byte(i))))
	}
	statements = append(append(statements, again...), "UPDATE crl_shard SET revision = 1", "VACUUM (ANALYZE) certificate, ocsp_answer", "CHECKPOINT")
	for _, statement := range statements {
		if _, err := own.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// work starts the default queue's workers, and one of them leads.
func (b *bankHouse) work(t testing.TB) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	fatal(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Reader"}, KeyUsage: x509.KeyUsageKeyEncipherment,
		NotBefore: b.now.AddDate(-1, 0, 0), NotAfter: b.now.AddDate(20, 0, 0),
	}
	reader := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)))(t)
	client, err := b.Work(house.Workers{
		Settings: jobs.Settings{Queues: []jobs.Queue{jobs.QueueDefault}, Periodic: true},
		Vault:    b.admin, Bank: b.bank, PrintRoomCert: reader, PublicBase: "http://127.0.0.1:1",
		Bureaux: map[string]jobs.Bureau{"bureau-1": {TransportKey: "transport", Certificate: reader}},
	})
	fatal(t, err)
	ctx := context.WithoutCancel(t.Context())
	fatal(t, client.Start(ctx))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

// doorVariable makes this binary a public door, and tells it which.
const doorVariable = "SCEAU_BENCH_DOOR"

// childDoor is what the door is told, and then tells.
type childDoor struct {
	Database, Vault, Token, Lists string
	Issuer, Responder             []byte // DER
	Address                       string
}

// serveDoor is a public door until its standard input ends.
func serveDoor(text string) error {
	var d childDoor
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	vault, err := hsm.Open(ctx, hsm.Config{Address: d.Vault, Token: d.Token})
	if err != nil {
		return err
	}
	defer vault.Close()
	h, err := house.Open(ctx, house.Config{
		DatabaseURL: d.Database, Policy: issuance.DefaultPolicy(), Now: time.Now, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	defer h.Close()
	door, err := h.Public(ctx, vault, vault, d.Lists)
	if err != nil {
		return err
	}
	defer func() { _ = door.Close() }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := revocation.Server("", door)
	go func() { _ = server.Serve(listener) }()
	ended := make(chan struct{})
	go func() { defer close(ended); door.Follow(ctx) }()
	d.Address = listener.Addr().String()
	err = json.NewEncoder(os.Stdout).Encode(d)
	_, read := io.Copy(io.Discard, os.Stdin)
	stop()
	<-ended
	return errors.Join(err, read, server.Close())
}

// startDoor starts this binary again as a public door.
func (b *bankHouse) startDoor(t testing.TB) *childDoor {
	t.Helper()
	d := &childDoor{
		Database: testenv.DatabaseAs(t, b.database, migrations.RolePublic), Vault: b.vault.Addr, Lists: t.TempDir(),
		Token: must(b.admin.NewToken(t.Context(), hsm.RoleOCSP, "bench"))(t),
	}
	d.Issuer, d.Responder = newest(t.Context(), t, b.House)
	cmd := exec.Command(must(os.Executable())(t))
	cmd.Env = append(os.Environ(), doorVariable+"="+string(must(json.Marshal(d))(t)))
	cmd.Stderr = os.Stderr
	stdin, stdout := must(cmd.StdinPipe())(t), must(cmd.StdoutPipe())(t)
	fatal(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // it ends itself
		if err := cmd.Wait(); err != nil {
			t.Errorf("the door: %v", err)
		}
	})
	fatal(t, json.NewDecoder(stdout).Decode(d))
	return d
}

// ask asks with a nonce, so that what is answered is known now.
func (d *childDoor) ask(t testing.TB, serial lifecycle.Serial) int {
	t.Helper()
	issuer, delegate := must(x509.ParseCertificate(d.Issuer))(t), must(x509.ParseCertificate(d.Responder))(t)
	responder := must(ca.NewResponder(issuer, delegate, time.Hour))(t)
	der := encodeRequest(t, must(responder.Request(serial, crypto.SHA1))(t), true)
	response, err := http.Post("http://"+d.Address+"/ocsp", "application/ocsp-request", bytes.NewReader(der))
	fatal(t, err)
	body := must(io.ReadAll(response.Body))(t)
	fatal(t, response.Body.Close())
	if bytes.Equal(body, ca.ErrorResponse(ca.OCSPTryLater)) {
		return tryLater
	}
	return must(ocsp.ParseResponse(body, issuer))(t).Status
}

// holds is how many certificates the door holds.
func (d *childDoor) holds(t testing.TB) int {
	t.Helper()
	response, err := http.Get("http://" + d.Address + "/health")
	fatal(t, err)
	defer func() { _ = response.Body.Close() }()
	var page healthPage
	fatal(t, json.NewDecoder(response.Body).Decode(&page))
	if page.Status != "ok" {
		return 0
	}
	return page.Certificates
}

// awaitList tells when a list came into the folder that names a serial.
func (d *childDoor) awaitList(t testing.TB, serial lifecycle.Serial) <-chan time.Time {
	t.Helper()
	path := filepath.Join(d.Lists, house.IssuingID, "0.crl")
	before, err := os.Stat(path)
	fatal(t, err)
	there := make(chan time.Time, 1)
	go func() {
		for ; ; time.Sleep(5 * time.Millisecond) {
			now, err := os.Stat(path)
			if err != nil || os.SameFile(before, now) {
				continue
			}
			at := time.Now()
			if list, err := os.ReadFile(path); err == nil && bytes.Contains(list, serial[:]) {
				there <- at
				return
			}
			before = now
		}
	}()
	return there
}
