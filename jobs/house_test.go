package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gopkg.in/yaml.v3"

	"sceau/hsm"
	"sceau/internal/demodata"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/party"
	"sceau/store"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(childTask); task != "" {
		os.Exit(child(task))
	}
	options := []testenv.Option{testenv.WithMigrations(migrate)}
	measures := func(arg string) bool { return strings.HasPrefix(arg, "-test.bench=") }
	if slices.ContainsFunc(os.Args, measures) {
		options = append(options, testenv.Durable())
	}
	testenv.Main(m, options...)
}

func migrate(ctx context.Context, url string) error {
	if err := migrations.Up(ctx, url); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := Migrate(ctx, pool); err != nil {
		return err
	}
	return migrations.Grant(ctx, url)
}

var (
	operator = lifecycle.Actor{ID: "l.boisjoli", Role: lifecycle.RoleOperator}
	approver = lifecycle.Actor{ID: "i.hautefeuille", Role: lifecycle.RoleApprover}
	officer  = lifecycle.Actor{ID: "m.rocheclaire", Role: lifecycle.RoleSecurityOfficer}
)

// holder is whose card or certificate it is: nobody else acts on it as a holder.
func (h *house) holder(t testing.TB, id string) lifecycle.Actor {
	t.Helper()
	var holder string
	err := h.admin.QueryRow(t.Context(), "SELECT holder_id FROM card WHERE id = $1 UNION SELECT holder_id FROM certificate WHERE id = $1", id).Scan(&holder)
	if err != nil {
		t.Fatal(err)
	}
	return lifecycle.Actor{ID: holder, Role: lifecycle.RoleHolder}
}

// process is a kind of process: its rights in the database and its use cases.
type process struct {
	*issuance.Service

	pool *pgxpool.Pool
}

func openProcess(ctx context.Context, url string, now func() time.Time, tracer pgx.QueryTracer) (process, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return process{}, err
	}
	config.MaxConns, config.ConnConfig.Tracer = 12, tracer
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return process{}, err
	}
	queue, err := NewEnqueuer()
	if err != nil {
		return process{}, err
	}
	svc, err := issuance.New(store.New(pool), testenv.Safe(), queue, CSRChecker{Test: true}, issuance.DefaultPolicy(), now)
	return process{Service: svc, pool: pool}, err
}

// clock is moved by tests only; River's is the machine's.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is a bank with its database, Vault and workers.
type house struct {
	realm
	process // doors, and workers but for PIN letters

	pins  process // the PIN-letter workers
	admin *pgxpool.Pool
	url   string // the superuser's
	clock *clock
	log   *buffer
}

func setup(t testing.TB, r realm) *house {
	t.Helper()
	h := &house{realm: r, url: testenv.Database(t), clock: &clock{at: monday}, log: &buffer{}}
	sum := sha256.Sum256([]byte(h.url))
	h.realm.Marks = "-" + hex.EncodeToString(sum[:8])
	open := func(url string) process {
		p, err := openProcess(t.Context(), url, h.clock.now, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.pool.Close)
		return p
	}
	h.process = open(testenv.DatabaseAs(t, h.url, migrations.RoleApp))
	h.pins = open(testenv.DatabaseAs(t, h.url, migrations.RolePIN))
	h.admin = open(h.url).pool
	must(t, h.SetUpBank(t.Context(), lifecycle.System("set-up"), sampleBank(t)))
	must(t, r.record(t.Context(), h.Service))
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func sampleBank(t testing.TB) issuance.Bank {
	t.Helper()
	var file demodata.Setup
	must(t, yaml.Unmarshal(get[[]byte](t)(demodata.BankFile()), &file))
	var b issuance.Bank
	for _, r := range file.Branches {
		b.Branches = append(b.Branches, issuance.Branch(r))
	}
	for _, p := range file.Staff {
		b.Staff = append(b.Staff, issuance.Staff{
			Login: p.Login, Name: p.Name, Roles: p.Roles, BranchCode: p.Branch, Language: party.Language(p.Language),
		})
	}
	return b
}

// orders brings in n orders of a product from the sample file and approves them.
// Cards are one by one: home, then to a branch.
func (h *house) orders(t testing.TB, product string, n int) []issuance.OrderView {
	t.Helper()
	lines := []string{strings.Join(demodata.Header(), ";")}
	var references []string
	for _, o := range demodata.Orders() {
		delivery := []string{"home", "branch"}[len(references)%2]
		if len(references) == n || o.Product != product || product == "card" && o.Delivery != delivery {
			continue
		}
		references = append(references, o.Reference)
		lines = append(lines, strings.Join([]string{
			o.Reference, o.Product, o.ClientID, o.Company, o.Country, o.RegistryNumber, o.Branch, o.UserNumber, o.GivenName, o.Surname, o.Language,
			o.Email, o.Complement, o.Street, o.Postcode, o.City, o.AddressCountry, o.Delivery, o.RequestedBy,
		}, ";"))
	}
	report := get[issuance.ImportReport](t)(h.ImportOrders(t.Context(), operator, strings.NewReader(strings.Join(lines, "\n")), nil))
	if report.Kept != n {
		t.Fatalf("%d of %d orders were taken: %+v", report.Kept, n, report.Wrong)
	}
	views := make([]issuance.OrderView, n)
	for i, reference := range references {
		id := get[lifecycle.OrderID](t)(h.OrderByReference(t.Context(), reference))
		must(t, demodata.Prove(t.Context(), h.Service, operator, id, h.clock.now()))
		must(t, h.Approve(t.Context(), approver, id, get[issuance.OrderContent](t)(h.ShowOrder(t.Context(), id)).Hash()))
		views[i] = get[issuance.OrderView](t)(h.Order(t.Context(), id))
	}
	return views
}

// tools are those of the default queue.
func (h *house) tools(t testing.TB) Tools {
	t.Helper()
	vault := get[*hsm.Client](t)(hsm.Open(t.Context(), hsm.Config{Address: h.Address, Token: h.Worker}))
	t.Cleanup(vault.Close)
	return defaultTools(h.realm, h.Service, h.clock.now, h.logger(), vault)
}

// pinTools are those of the PIN queue.
func (h *house) pinTools(t testing.TB) Tools {
	t.Helper()
	vault := get[*hsm.Client](t)(hsm.Open(t.Context(), hsm.Config{Address: h.Address, Token: h.PINs}))
	t.Cleanup(vault.Close)
	return pinTools(h.realm, h.pins.Service, h.clock.now, h.logger(), vault)
}

func commonTools(svc *issuance.Service, now func() time.Time, logger *slog.Logger) Tools {
	return Tools{
		Service: svc, Now: now, Logger: logger, BankCountry: "FR", CardName: "Carte Aubépine Accès",
		Bank: letter.Bank{
			Name: "Banque Aubépine", LegalName: "Banque Aubépine SA", ReturnAddress: "8 quai des Tilleuls, 35000 Rennes",
			Phone: "+33 2 61 91 00 00", Website: "www.aubepine.example", Colour: letter.Colour{R: 0x7A, G: 0x1F, B: 0x3D},
		},
	}
}

func defaultTools(r realm, svc *issuance.Service, now func() time.Time, logger *slog.Logger, vault *hsm.Client) Tools {
	t := commonTools(svc, now, logger)
	t.Engine, t.Signers, t.PublicBase, t.TestSubjects = vault, hsm.NewKeyring(vault), publicBase, true
	t.Marks, t.Watcher = marksOf{vault, r.Marks}, &watcher{}
	t.PrintRoomCert = parsed(r.PrintRoom)
	t.Bureaux = map[string]Bureau{"bureau-1": {TransportKey: transportKey, Certificate: parsed(r.Bureau)}}
	return t
}

// marksOf are the marks of one database among several that share a Vault.
type marksOf struct {
	*hsm.Client

	database string
}

// Marks reads those of the database.
func (m marksOf) Marks(ctx context.Context, name string) (map[string]int64, error) {
	return m.Client.Marks(ctx, name+m.database)
}

// RaiseMarks raises those of the database.
func (m marksOf) RaiseMarks(ctx context.Context, name string, to map[string]int64) error {
	return m.Client.RaiseMarks(ctx, name+m.database, to)
}

func pinTools(r realm, svc *issuance.Service, now func() time.Time, logger *slog.Logger, vault *hsm.Client) Tools {
	t := commonTools(svc, now, logger)
	t.PINs, t.PrintRoomCert = vault, parsed(r.PrintRoom)
	return t
}

func parsed(der []byte) *x509.Certificate {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err) // made by this binary
	}
	return certificate
}

// buffer is a log that many write to.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (h *house) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// patience is how long a worker may take on a machine that many share.
const patience = 90 * time.Second

// run starts workers, and stops them when the test ends.
func (h *house) run(t testing.TB, pool *pgxpool.Pool, tools Tools, s Settings) *Client {
	t.Helper()
	client := get[*Client](t)(NewClient(pool, tools, s))
	ctx := context.WithoutCancel(t.Context())
	must(t, client.Start(ctx))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return client
}

// toil starts the default queue's workers, without a leader: nothing is rescued.
func (h *house) toil(t testing.TB, tools Tools) *Client {
	t.Helper()
	return h.run(t, h.pool, tools, Settings{Queues: []Queue{QueueDefault}, Wait: 300 * time.Millisecond})
}

// work starts the default queue's workers, with a leader, who rescues at once
// and then each half minute.
func (h *house) work(t testing.TB, tools Tools) *Client {
	t.Helper()
	return h.run(t, h.pool, tools, Settings{Queues: []Queue{QueueDefault}, Periodic: true, Wait: 300 * time.Millisecond})
}

func (h *house) workPINs(t testing.TB, tools Tools) *Client {
	t.Helper()
	return h.run(t, h.pins.pool, tools, Settings{Queues: []Queue{QueuePIN}, Wait: 300 * time.Millisecond})
}

// await waits until a query answers true.
func (h *house) await(t testing.TB, what, query string, args ...any) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var done bool
		must(t, h.admin.QueryRow(t.Context(), query, args...).Scan(&done))
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s; jobs %v", what, h.jobs(t))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (h *house) awaitBatch(t testing.TB, id lifecycle.BatchID, state lifecycle.BatchState) {
	t.Helper()
	h.await(t, "batch "+string(state), "SELECT EXISTS (SELECT FROM batch WHERE id = $1 AND state = $2::batch_state)", id, state)
}

// awaitIdle waits until no job of a queue is still to come.
func (h *house) awaitIdle(t testing.TB, q Queue) {
	t.Helper()
	h.await(t, "an idle queue", "SELECT NOT EXISTS (SELECT FROM river_job WHERE queue = $1 AND finalized_at IS NULL)", q)
}

// job is a row of River's.
type job struct {
	Kind, State string
	Attempt     int
	Errors      []string
	Args        json.RawMessage
	Metadata    json.RawMessage
}

func (h *house) jobs(t testing.TB) []job {
	t.Helper()
	rows, err := h.admin.Query(t.Context(), "SELECT kind, state::text, attempt, coalesce((SELECT array_agg(e ->> 'error') "+
		"FROM unnest(errors) e), '{}'), args, metadata FROM river_job ORDER BY id")
	must(t, err)
	return get[[]job](t)(pgx.CollectRows(rows, pgx.RowToStructByPos[job]))
}

func (h *house) jobsOf(t testing.TB, kind lifecycle.JobKind) []job {
	t.Helper()
	return slices.DeleteFunc(h.jobs(t), func(j job) bool { return j.Kind != string(kind) })
}

func (j job) String() string {
	return fmt.Sprintf("%s %s %s attempt %d %q %s", j.Kind, j.Args, j.State, j.Attempt, j.Errors, j.Metadata)
}
