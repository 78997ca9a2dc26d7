package issuance_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/certprofile"
	"sceau/internal/demodata"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
)

// desk is the use cases as somebody at the bank could misuse them, on a
// database of its own. Jobs are kept, not run.
type desk struct {
	*issuance.Service
	jobs.CSRChecker

	store *store.Store

	mu    sync.Mutex
	at    time.Time
	queue []issuance.Job
	lines int
}

// The desk's people: mallory holds three roles, as in a small bank.
var (
	ann     = lifecycle.Actor{ID: "ann", Role: lifecycle.RoleAccountManager}
	paul    = lifecycle.Actor{ID: "paul", Role: lifecycle.RoleApprover}
	olga    = lifecycle.Actor{ID: "olga", Role: lifecycle.RoleOperator}
	mallory = func(role lifecycle.Role) lifecycle.Actor { return lifecycle.Actor{ID: "mallory", Role: role} }
)

var deskTime = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = d.at.Add(by)
}

// EnqueueTx keeps a job.
func (d *desk) EnqueueTx(_ context.Context, _ pgx.Tx, job issuance.Job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, job)
	return nil
}

// CheckAcceptance takes any signature.
func (*desk) CheckAcceptance(_, _, _ []byte) error { return nil }

// CheckCSR takes any request for the key that its bytes name.
func (d *desk) CheckCSR(csr []byte, _ issuance.Subject, _ certprofile.Profile) ([32]byte, error) {
	return sha256.Sum256(csr), nil
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), testenv.Database(t))
	works(t, err)
	t.Cleanup(pool.Close)
	d := &desk{store: store.New(pool), at: deskTime}
	d.Service, err = issuance.New(d.store, testenv.Safe(), d, d, issuance.DefaultPolicy(), d.now)
	works(t, err)
	staff := map[string][]lifecycle.Role{
		"ann": {lifecycle.RoleAccountManager}, "paul": {lifecycle.RoleApprover}, "olga": {lifecycle.RoleOperator},
		"mallory": {lifecycle.RoleAccountManager, lifecycle.RoleApprover, lifecycle.RoleOperator},
	}
	setup := issuance.Bank{Branches: []issuance.Branch{{Code: "FR01", Name: "Rennes", Street: "8 quai des Tilleuls", Postcode: "35000", City: "Rennes", Country: "FR"}}}
	for login, roles := range staff {
		setup.Staff = append(setup.Staff, issuance.Staff{Login: login, Name: login, Roles: roles, BranchCode: "FR01", Language: party.French})
	}
	works(t, d.SetUpBank(t.Context(), lifecycle.System("set-up"), setup))
	return d
}

func works(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func gives[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		works(t, err)
		return v
	}
}

func refusedAs(t *testing.T, err error, kind lifecycle.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error = %v, want one of kind %q", err, kind)
	}
}

// imported is an order of a new person, brought in by a file that names who
// requests it.
func (d *desk) imported(t *testing.T, by lifecycle.Actor, product, requester string) lifecycle.OrderID {
	t.Helper()
	d.lines++
	delivery := map[string]string{"card": "home", "certificate": "-"}[product]
	siren := fmt.Sprintf("29901%03d", d.lines)
	reference := fmt.Sprintf("R-%d", d.lines)
	file := "reference;product;client_id;company;country;registry_number;branch;user_number;given_name;surname;language;email;" +
		"complement;street;postcode;city;address_country;delivery;requested_by\n" + strings.Join([]string{
		reference, product, fmt.Sprintf("%08d", 40_010_000+d.lines), "Montclair", "FR", siren + string(lifecycle.LuhnDigit(siren)), "FR01", "0001",
		"Camille", "Martin", "fr", "camille@montclair.example", "", "1 rue de la Paix", "35000", "Rennes", "FR", delivery, requester,
	}, ";") + "\n"
	report := gives[issuance.ImportReport](t)(d.ImportOrders(t.Context(), by, strings.NewReader(file), nil))
	if report.Kept != 1 {
		t.Fatalf("the file was refused: %+v", report.Wrong)
	}
	return gives[lifecycle.OrderID](t)(d.OrderByReference(t.Context(), reference))
}

// approveAs approves an order as it stands.
func (d *desk) approveAs(t *testing.T, by lifecycle.Actor, id lifecycle.OrderID) error {
	t.Helper()
	return d.Approve(t.Context(), by, id, gives[issuance.OrderContent](t)(d.ShowOrder(t.Context(), id)).Hash())
}

// approved is an order that ann requested and paul approved.
func (d *desk) approved(t *testing.T, product string) lifecycle.OrderID {
	t.Helper()
	id := d.imported(t, olga, product, "ann")
	works(t, demodata.Prove(t.Context(), d.Service, ann, id, d.now()))
	works(t, d.approveAs(t, paul, id))
	return id
}

func (d *desk) cardOf(t *testing.T, order lifecycle.OrderID) lifecycle.CardID {
	t.Helper()
	return gives[issuance.OrderView](t)(d.Order(t.Context(), order)).Card.ID
}

// atBureau seals the approved cards into a batch and sends it.
func (d *desk) atBureau(t *testing.T) lifecycle.BatchID {
	t.Helper()
	batch, n, err := d.SealBatch(t.Context(), olga)
	works(t, err)
	if n == 0 {
		t.Fatal("no card waits")
	}
	plan := gives[issuance.BatchPlan](t)(d.BeginPersonalise(t.Context(), batch))
	var made []issuance.PersonalisedCard
	for _, c := range plan.Cards {
		made = append(made, issuance.PersonalisedCard{Card: c.Card, DGIs: []byte{1}, TransportKCV: "08D7B4"})
	}
	works(t, d.FinishPersonalise(t.Context(), plan, made, nil))
	plan = gives[issuance.BatchPlan](t)(d.BeginBureauFile(t.Context(), batch))
	works(t, d.FinishBureauFile(t.Context(), plan, []byte("sealed"), nil))
	return batch
}

// returned has the bureau answer; each file has other bytes.
func (d *desk) returned(t *testing.T, batch lifecycle.BatchID, answers ...issuance.BureauAnswer) error {
	t.Helper()
	d.lines++
	file, err := d.TakeReturnFile(t.Context(), olga, batch, fmt.Appendf(nil, "file %d", d.lines))
	if err != nil {
		return err
	}
	return d.ApplyReturn(t.Context(), file, answers, nil)
}

func madeAs(card lifecycle.CardID, plastic string) issuance.BureauAnswer {
	return issuance.BureauAnswer{Card: card, Result: lifecycle.BureauMade, PlasticSerial: plastic}
}

// fieldOf is the field that an error names.
func fieldOf(err error) string {
	if f, ok := errors.AsType[*lifecycle.FieldError](err); ok {
		return f.Field
	}
	return ""
}
