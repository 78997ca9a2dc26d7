package authn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/authn"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.WithMigrations(migrations.Up)) }

// today is the test's clock unless it says otherwise: a Monday.
var today = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

const (
	clientID   = "20304050"
	userNumber = "0001"
)

var service = lifecycle.Actor{ID: "SV-0000000000000001", Role: lifecycle.RoleRelyingService}

// house is the room with a database of its own and an engine that the test
// directs.
type house struct {
	*authn.Service

	store  *store.Store
	engine *engine
	clock  *clock
	cards  int
	users  int
	grants int
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func setup(t *testing.T) *house {
	t.Helper()
	return setupWith(t, authn.DefaultPolicy())
}

func setupWith(t *testing.T, policy authn.Policy) *house {
	t.Helper()
	h := &house{engine: &engine{}, clock: &clock{now: today}}
	h.store = openStore(t)
	var err error
	if h.Service, err = authn.New(authn.Config{
		Store: h.store, Safe: testenv.Safe(), Verifier: h.engine, Sealer: h.engine, Policy: policy, Now: h.clock.Now,
	}); err != nil {
		t.Fatal(err)
	}
	return h
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), testenv.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return store.New(pool)
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// id makes an identifier that tells nothing.
func id(prefix string, n int) string { return fmt.Sprintf("%s-%016d", prefix, n) }

// user enrols a user of the company clientID.
func (h *house) user(t *testing.T, number string) lifecycle.HolderID {
	t.Helper()
	h.users++
	branch, company := lifecycle.BranchID(id("BR", 1)), lifecycle.CompanyID(id("CO", 1))
	holder := lifecycle.HolderID(id("H", h.users))
	if h.users == 1 {
		check(t, h.store.InsertBranch(t.Context(), db.InsertBranchParams{ID: branch, Code: "0001", Name: "Lille", CreatedAt: today}))
		check(t, h.store.InsertCompany(t.Context(), db.InsertCompanyParams{
			ID: company, ClientID: clientID, Name: "Montclair SA", Country: "FR", RegistryNumber: "552100554", BranchID: branch, CreatedAt: today,
		}))
	}
	check(t, h.store.InsertHolder(t.Context(), db.InsertHolderParams{
		ID: holder, CompanyID: company, UserNumber: number, GivenName: "Camille", Surname: "Martin", Language: "fr", CreatedAt: today,
	}))
	h.entitle(t, holder, everything()...)
	return holder
}

// everything is each sensitive function, without bounds.
func everything() []signing.Grant {
	var grants []signing.Grant
	for _, f := range signing.Functions()[1:] {
		grants = append(grants, signing.Grant{Function: f})
	}
	return grants
}

// entitle gives a user what two of the staff would, in place of what they had.
func (h *house) entitle(t *testing.T, holder lifecycle.HolderID, grants ...signing.Grant) {
	t.Helper()
	h.grants++
	for _, before := range must[[]db.Entitlement](t)(h.store.EntitlementsInState(t.Context(), holder, lifecycle.EntitlementsLive)) {
		must[int64](t)(h.store.SetEntitlementState(t.Context(), db.SetEntitlementStateParams{
			ToState: lifecycle.EntitlementsReplaced, DecidedBy: "irene", At: today, ID: before.ID, FromState: before.State,
		}))
	}
	one := lifecycle.EntitlementID(id("EN", h.grants))
	check(t, h.store.InsertEntitlement(t.Context(), db.InsertEntitlementParams{
		ID: one, HolderID: holder, State: lifecycle.EntitlementsProposed, RequestedBy: "alix", CreatedAt: today,
		Grants: must[signing.Entitlements](t)(signing.NewEntitlements(grants)).Canonical(),
	}))
	must[int64](t)(h.store.SetEntitlementState(t.Context(), db.SetEntitlementStateParams{
		ToState: lifecycle.EntitlementsLive, DecidedBy: "irene", At: today, ID: one, FromState: lifecycle.EntitlementsProposed,
	}))
}

// panOf is the number of the nth card.
func panOf(t *testing.T, n int) lifecycle.PAN {
	t.Helper()
	body := fmt.Sprintf("925000%09d", n)
	return must[lifecycle.PAN](t)(lifecycle.NewPAN(body + string(lifecycle.LuhnDigit(body))))
}

// card gives a holder a card in a state, with what the test changes of it.
func (h *house) card(t *testing.T, holder lifecycle.HolderID, state lifecycle.CardState, change ...func(*db.InsertCardParams)) db.Card {
	t.Helper()
	h.cards++
	order := lifecycle.OrderID(id("O", h.cards))
	check(t, h.store.InsertOrder(t.Context(), db.InsertOrderParams{
		ID: order, Kind: lifecycle.OrderNewCard, Urgency: lifecycle.Standard, State: lifecycle.OrderInProgress, HolderID: holder, Currency: "EUR",
		RequestedBy: "ann", CreatedAt: today,
	}))
	cardID, pan := lifecycle.CardID(id("C", h.cards)), panOf(t, h.cards)
	sealed, mark, err := testenv.Safe().SealPAN(cardID, pan)
	check(t, err)
	p := db.InsertCardParams{
		ID: cardID, OrderID: order, HolderID: holder, State: state, Product: "securaccess",
		Profile: "securaccess", PANSealed: sealed, PANMark: mark, Last4: pan.Last4(), Place: cardID, PSN: 1,
		Expiry: time.Date(2029, 3, 31, 0, 0, 0, 0, time.UTC), Delivery: lifecycle.DeliverHome, CreatedAt: today,
	}
	for _, c := range change {
		c(&p)
	}
	check(t, h.store.InsertCard(t.Context(), p))
	return h.read(t, p.ID)
}

func (h *house) read(t *testing.T, card lifecycle.CardID) db.Card {
	t.Helper()
	return must[db.Card](t)(h.store.Card(t.Context(), card))
}

// failures are the wrong codes counted on a card.
func (h *house) failures(t *testing.T, card db.Card) int {
	t.Helper()
	return int(h.read(t, card.ID).CAPFailures)
}

// events are what the audit trail tells of a card: event and detail.
func (h *house) events(t *testing.T, card db.Card) []string {
	t.Helper()
	var events []string
	for _, e := range must[[]db.AuditEntry](t)(h.store.AuditOf(t.Context(), string(card.ID))) {
		if e.Actor != service.ID || e.Role != string(service.Role) || e.Thing != "card" || !e.At.Equal(h.clock.Now()) {
			t.Errorf("the entry says %s %s %s at %s", e.Actor, e.Role, e.Thing, e.At)
		}
		var detail map[string]string
		check(t, json.Unmarshal(e.Detail, &detail))
		text := e.Event
		for _, k := range slices.Sorted(maps.Keys(detail)) {
			text += " " + k + "=" + detail[k]
		}
		events = append(events, text)
	}
	return events
}

// signIn is a sign-in by a user with a code.
func signIn(code string) authn.Attempt {
	return authn.Attempt{
		By: service, Purpose: authn.SignIn, ClientID: clientID, UserNumber: userNumber,
		Operation: authn.Operation{Mode: "2", Code: code},
	}
}

// byCard is the same with a named card.
func byCard(card db.Card, code string) authn.Attempt {
	a := signIn(code)
	a.Card, a.ClientID, a.UserNumber = card.ID, "", ""
	return a
}

const wrong = "99999999"

// codeOf is what a card shows for a counter, by the test's engine.
func codeOf(card db.Card, atc int) string {
	return card.Last4 + fmt.Sprintf("%04d", atc)
}

// engine stands in for the card engine: codes are those of codeOf.
type engine struct {
	mu     sync.Mutex
	asked  [][]authn.Check
	err    error                     // of a whole call
	faults map[string]error          // of the checks of one card number
	while  func(ctx context.Context) // runs inside a call
	then   func()                    // runs when a call has its answers
	sealed int                       // guarded by mu
}

func (e *engine) VerifyCAP(ctx context.Context, checks []authn.Check) ([]authn.Answer, error) {
	e.mu.Lock()
	e.asked = append(e.asked, checks)
	while, err := e.while, e.err
	e.mu.Unlock()
	if while != nil {
		while(ctx)
	}
	if err := errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	answers := make([]authn.Answer, len(checks))
	for i, c := range checks {
		answers[i] = e.answer(c)
	}
	if e.then != nil {
		e.then()
	}
	return answers, nil
}

func (e *engine) answer(c authn.Check) authn.Answer {
	pan := c.PAN.Last4()
	if err := e.faults[pan]; err != nil {
		return authn.Answer{Err: err}
	}
	for atc := c.LastATC + 1; atc <= c.LastATC+c.Window; atc++ {
		if c.Code == codeOf(db.Card{Last4: pan}, atc) {
			return authn.Answer{Valid: true, ATC: atc, Scripts: c.Scripts[0]}
		}
	}
	return authn.Answer{}
}

// ResyncCAP answers as VerifyCAP, when the next code is the next counter's.
func (e *engine) ResyncCAP(ctx context.Context, c authn.Check, next string) (authn.Answer, error) {
	answers, err := e.VerifyCAP(ctx, []authn.Check{c})
	if err != nil || !answers[0].Valid {
		return authn.Answer{}, err
	}
	answer := answers[0]
	answer.ATC++
	answer.Valid = next == codeOf(db.Card{Last4: c.PAN.Last4()}, answer.ATC)
	return answer, nil
}

// Seal stands in for a signature.
func (e *engine) Seal(_ context.Context, claims []byte) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sealed++
	return fmt.Sprintf("sealed %d: %s", e.sealed, claims), e.err
}

func (e *engine) KeySet(context.Context) ([]byte, error) { return []byte("{}"), e.err }

// judged is how often the engine judged a code on somebody's card, and inVain how
// often on nobody's.
func (e *engine) judged() (judged, inVain int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, checks := range e.asked {
		for _, c := range checks {
			if strings.HasPrefix(c.PAN.Reveal(), "925000000000000") {
				inVain++
			} else {
				judged++
			}
		}
	}
	return judged, inVain
}

// wantRefused checks the one answer to everything that is not accepted.
func wantRefused(t *testing.T, got authn.Accepted, err error) {
	t.Helper()
	if got != (authn.Accepted{}) || !errors.Is(err, authn.ErrRefused) || err.Error() != authn.ErrRefused.Error() {
		t.Errorf("answered %+v, %v; want %v and nothing else", got, err, authn.ErrRefused)
	}
}

func wantKind(t *testing.T, err error, kind lifecycle.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error = %v, want one of kind %q", err, kind)
	}
}

// wrongFields are the fields that an error names, in order.
func wrongFields(t *testing.T, err error) string {
	t.Helper()
	var errs lifecycle.FieldErrors
	if !errors.As(err, &errs) {
		t.Fatalf("error = %v, want fields", err)
	}
	names := make([]string, len(errs))
	for i, e := range errs {
		names[i] = e.Field
	}
	return strings.Join(names, " ")
}
