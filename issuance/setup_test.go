package issuance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"sceau/internal/demodata"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/party"
	"sceau/passcode"
	"sceau/store"
	"sceau/store/db"
)

// tb is a test, or one case of a property.
type tb interface {
	rapid.TB
	Context() context.Context
}

// The people of the sample bank, each in a role; come orders and approves.
var (
	alix     = lifecycle.Actor{ID: "alix", Role: lifecycle.RoleAccountManager}
	stijn    = lifecycle.Actor{ID: "stijn", Role: lifecycle.RoleAccountManager}
	irene    = lifecycle.Actor{ID: "irene", Role: lifecycle.RoleApprover}
	daan     = lifecycle.Actor{ID: "daan", Role: lifecycle.RoleApprover}
	come     = lifecycle.Actor{ID: "come", Role: lifecycle.RoleAccountManager}
	comeToo  = lifecycle.Actor{ID: "come", Role: lifecycle.RoleApprover}
	leonie   = lifecycle.Actor{ID: "leonie", Role: lifecycle.RoleOperator}
	maxence  = lifecycle.Actor{ID: "maxence", Role: lifecycle.RoleSecurityOfficer}
	owen     = lifecycle.Actor{ID: "owen", Role: lifecycle.RoleAuditor}
	helene   = lifecycle.Actor{ID: "helene", Role: lifecycle.RoleHolder}
	online   = lifecycle.Actor{ID: "online-banking", Role: lifecycle.RoleRelyingService}
	system   = lifecycle.System("test")
	everyone = []lifecycle.Actor{alix, stijn, irene, daan, come, comeToo, leonie, maxence, owen, helene, online, system}
)

// monday is when tests begin: no weekend within two days.
var monday = time.Date(2026, 3, 2, 9, 30, 15, 250_000_000, time.UTC)

// clock is moved by tests only.
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

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

// checker is the ca room, but that certificates need not be any: a holder's
// signature is right when it says so.
type checker struct{ jobs.CSRChecker }

func (c checker) CheckAcceptance(certificate, statement, signature []byte) error {
	if string(signature) == "signed by the holder" {
		return nil
	}
	return c.CSRChecker.CheckAcceptance(certificate, statement, signature)
}

// house is the use cases on a database of the test's own, with the sample bank.
// Each kind of process has its own rights in the database, as in production.
type house struct {
	*issuance.Service // doors and workers

	pins   *issuance.Service // the PIN-letter worker
	public *issuance.Service // the revocation door
	store  *store.Store      // of doors and workers
	pool   *pgxpool.Pool     // the superuser's, to look at what is there
	clock  *clock

	paper  sync.Mutex // held in the print room
	mu     sync.Mutex
	people int // orders given so far; guarded by mu
}

func setup(t *testing.T) *house {
	t.Helper()
	return setupWith(t, func(*issuance.Policy) {})
}

// setupProduct adapts the bank's card.
func setupProduct(t *testing.T, adapt func(*issuance.Product)) *house {
	t.Helper()
	b := bank()
	b.Products = issuance.DefaultProducts()
	adapt(&b.Products[0])
	return setupBank(t, func(*issuance.Policy) {}, b)
}

// setupWith adapts the bank's policy. Every test ends with the books balanced.
func setupWith(t *testing.T, adapt func(*issuance.Policy)) *house {
	t.Helper()
	return setupBank(t, adapt, bank())
}

func setupBank(t *testing.T, adapt func(*issuance.Policy), b issuance.Bank) *house {
	t.Helper()
	url := testenv.Database(t)
	queue, err := jobs.NewEnqueuer()
	if err != nil {
		t.Fatal(err)
	}
	policy := issuance.DefaultPolicy()
	policy.SecretCode = passcode.Cost{Memory: 64, Passes: 1, Threads: 1}
	adapt(&policy)
	h := &house{pool: openPool(t, url), clock: &clock{at: monday}}
	as := func(role string) (*issuance.Service, *store.Store) {
		st := store.New(openPool(t, testenv.DatabaseAs(t, url, role)))
		return must[*issuance.Service](t)(issuance.New(st, testenv.Safe(), queue, checker{}, policy, h.clock.now)), st
	}
	h.Service, h.store = as(migrations.RoleApp)
	h.pins, _ = as(migrations.RolePIN)
	h.public, _ = as(migrations.RolePublic)
	if err := h.SetUpBank(t.Context(), system, b); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			h.checkBooks(context.WithoutCancel(t.Context()), t)
		}
	})
	return h
}

func openPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 10
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func bank() issuance.Bank {
	b := issuance.Bank{
		Branches: []issuance.Branch{
			{Code: "FR01", Name: "Rennes Tilleuls", Street: "8 quai des Tilleuls", Postcode: "35000", City: "Rennes", Country: "FR"},
			{Code: "BE02", Name: "Eupen Kirchstraße", Street: "Kirchstraße 4", Postcode: "4700", City: "Eupen", Country: "BE"},
		},
		Tariffs: []issuance.Tariff{
			{Product: "card", Reason: "new", AmountCents: 1500, Currency: "EUR", ValidFrom: monday.AddDate(-1, 0, 0)},
			{Product: "card", Reason: "damaged", AmountCents: 1200, Currency: "EUR", ValidFrom: monday.AddDate(-1, 0, 0)},
			{Product: "card", Reason: "damaged", AmountCents: 9900, Currency: "EUR", ValidFrom: monday.AddDate(1, 0, 0)},
			{Product: "card", Reason: "pin_forgotten", AmountCents: 700, Currency: "EUR", ValidFrom: monday.AddDate(-1, 0, 0)},
			{Product: "reader", Reason: "new", AmountCents: 2500, Currency: "EUR", ValidFrom: monday.AddDate(-1, 0, 0)},
			{Product: "bank_card", Reason: "registration", AmountCents: 200, Currency: "EUR", ValidFrom: monday.AddDate(-1, 0, 0)},
			{Product: "pin_counter_reset", Reason: "pin_blocked", AmountCents: 500, Currency: "EUR", ValidFrom: monday.AddDate(-1, 0, 0)},
			{Product: "certificate", Reason: "new", AmountCents: 9000, Currency: "EUR", ValidFrom: monday.AddDate(-1, 0, 0)},
		},
	}
	staff := map[string][]lifecycle.Role{"come": {lifecycle.RoleAccountManager, lifecycle.RoleApprover}}
	for _, a := range []lifecycle.Actor{alix, stijn, irene, daan, leonie, maxence, owen} {
		staff[a.ID] = []lifecycle.Role{a.Role}
	}
	for login, roles := range staff {
		b.Staff = append(b.Staff, issuance.Staff{Login: login, Name: "x " + login, Roles: roles, BranchCode: "FR01", Language: party.French})
	}
	return b
}

// sample is a right line of an order file, for a new person of the nth company.
func sample(n int) demodata.Order {
	siren := fmt.Sprintf("29901%03d", n%1000)
	return demodata.Order{
		Reference: fmt.Sprintf("REF-%06d", n), Product: "card", ClientID: fmt.Sprintf("%08d", 40_010_000+n),
		Company: "Ateliers Montclair", Country: "FR", RegistryNumber: siren + string(lifecycle.LuhnDigit(siren)),
		Branch: "FR01", UserNumber: "0001", GivenName: "Hélène", Surname: "Montclair", Language: "fr",
		Email: "helene@montclair.example", Street: "1 rue de l'Église", Postcode: "35000", City: "Rennes",
		AddressCountry: "FR", Delivery: "home", RequestedBy: "alix",
	}
}

// columns are an order's values in the order of the header.
func columns(o demodata.Order) []string {
	return []string{
		o.Reference, o.Product, o.ClientID, o.Company, o.Country, o.RegistryNumber, o.Branch, o.UserNumber,
		o.GivenName, o.Surname, o.Language, o.Email, o.Complement, o.Street, o.Postcode, o.City, o.AddressCountry, o.Delivery, o.RequestedBy,
	}
}

// file is an order file.
func file(orders ...demodata.Order) string {
	lines := []string{strings.Join(demodata.Header(), ";")}
	for _, o := range orders {
		lines = append(lines, strings.Join(columns(o), ";"))
	}
	return strings.Join(lines, "\n") + "\n"
}

// submit brings in one order by a file, of a person nobody knew.
func (h *house) submit(t tb, adapt func(*demodata.Order)) lifecycle.OrderID {
	t.Helper()
	h.mu.Lock()
	h.people++
	o := sample(h.people)
	h.mu.Unlock()
	adapt(&o)
	report, err := h.ImportOrders(t.Context(), stijn, strings.NewReader(file(o)), nil)
	if err != nil || report.Kept != 1 {
		t.Fatalf("import of a right line: %+v, %v", report, err)
	}
	id, err := h.OrderByReference(t.Context(), o.Reference)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (h *house) submitCard(t tb) lifecycle.OrderID {
	t.Helper()
	return h.submit(t, func(*demodata.Order) {})
}

// approve approves an order, on a dossier if it takes one.
func (h *house) approve(t tb, id lifecycle.OrderID) {
	t.Helper()
	h.prove(t, id)
	if err := h.Approve(t.Context(), irene, id, h.shown(t, id)); err != nil {
		t.Fatal(err)
	}
}

// shown is the hash of what an approver is shown now.
func (h *house) shown(t tb, id lifecycle.OrderID) [32]byte {
	t.Helper()
	content, err := h.ShowOrder(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return content.Hash()
}

func (h *house) order(t tb, id lifecycle.OrderID) issuance.OrderView {
	t.Helper()
	v, err := h.Order(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *house) wantOrder(t tb, id lifecycle.OrderID, state lifecycle.OrderState) {
	t.Helper()
	if got := h.order(t, id).State; got != state {
		t.Errorf("order is %s, want %s", got, state)
	}
}

func (h *house) wantCard(t tb, id lifecycle.CardID, state lifecycle.CardState) {
	t.Helper()
	card, err := h.Card(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if card.State != state {
		t.Errorf("card is %s, want %s", card.State, state)
	}
}

func wantKind(t tb, err error, kind lifecycle.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error = %v, want one of kind %q", err, kind)
	}
}

func wantField(t tb, err error, field string) {
	t.Helper()
	var f *lifecycle.FieldError
	if !errors.As(err, &f) || f.Field != field {
		t.Errorf("error = %v, want one of field %s", err, field)
	}
}

// queued are the arguments of the jobs of a kind, oldest first.
func (h *house) queued(t tb, kind lifecycle.JobKind) []string {
	t.Helper()
	rows, err := h.pool.Query(t.Context(), "SELECT args::text FROM river_job WHERE kind = $1 ORDER BY id", string(kind))
	if err != nil {
		t.Fatal(err)
	}
	args, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return args
}

// number is a card's number, out of the safe.
func (h *house) number(t tb, id lifecycle.CardID) string {
	t.Helper()
	row := must[db.Card](t)(h.store.Card(t.Context(), id))
	return must[lifecycle.PAN](t)(testenv.Safe().OpenPAN(id, row.PANSealed)).Reveal()
}

// must is the value of a call that may not fail.
func must[T any](t tb) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// addSampleBank adds the branches and account managers that the sample bank's
// order file names.
func (h *house) addSampleBank(t tb) {
	t.Helper()
	raw := must[[]byte](t)(demodata.BankFile())
	var file demodata.Setup
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	var b issuance.Bank
	for _, r := range file.Branches {
		b.Branches = append(b.Branches, issuance.Branch(r))
	}
	for _, p := range file.Staff {
		b.Staff = append(b.Staff, issuance.Staff{
			Login: p.Login, Name: p.Name, Roles: p.Roles, BranchCode: p.Branch, Language: party.Language(p.Language),
		})
	}
	if err := h.SetUpBank(t.Context(), system, b); err != nil {
		t.Fatal(err)
	}
}
