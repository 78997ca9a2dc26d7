package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/authn"
	"sceau/decision"
	"sceau/internal/demodata"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/party"
	"sceau/store"
	"sceau/web/api"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.WithMigrations(func(ctx context.Context, url string) error {
		if err := migrations.Up(ctx, url); err != nil {
			return err
		}
		pool, err := pgxpool.New(ctx, url)
		if err != nil {
			return err
		}
		defer pool.Close()
		return jobs.Migrate(ctx, pool)
	}))
}

// engine stands where the card engine does: a code is right when it is the
// counter that it names.
type engine struct {
	mu   sync.Mutex
	away bool // guarded by mu
}

func (e *engine) leave(away bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.away = away
}

func (e *engine) gone() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away {
		return fmt.Errorf("%w: the engine is sealed, at a secret address", lifecycle.Unavailable)
	}
	return nil
}

func (e *engine) VerifyCAP(_ context.Context, checks []authn.Check) ([]authn.Answer, error) {
	if err := e.gone(); err != nil {
		return nil, err
	}
	answers := make([]authn.Answer, len(checks))
	for i, c := range checks {
		var atc int
		_, err := fmt.Sscanf(c.Code, "1000%04d", &atc)
		answers[i] = authn.Answer{Valid: err == nil && atc > c.LastATC && atc <= c.LastATC+c.Window, ATC: atc}
	}
	return answers, nil
}

func (e *engine) ResyncCAP(ctx context.Context, c authn.Check, next string) (authn.Answer, error) {
	answers, err := e.VerifyCAP(ctx, []authn.Check{c})
	if err != nil || !answers[0].Valid || next != code(answers[0].ATC+1) {
		return authn.Answer{}, err
	}
	return authn.Answer{Valid: true, ATC: answers[0].ATC + 1}, nil
}

func (e *engine) Seal(_ context.Context, claims []byte) (string, error) {
	return "sealed: " + string(claims), e.gone()
}

func (e *engine) KeySet(context.Context) ([]byte, error) {
	return []byte(`{"keys":[{"kid":"test"}]}`), e.gone()
}

func code(atc int) string { return fmt.Sprintf("1000%04d", atc) }

var goodARQC = []byte{1, 2, 3, 4, 5, 6, 7, 8}

func (e *engine) Script(_ context.Context, _ issuance.ScriptPlan, _ int, arqc []byte) ([]byte, error) {
	if err := e.gone(); err != nil {
		return nil, err
	}
	if !bytes.Equal(arqc, goodARQC) {
		return nil, fmt.Errorf("%w: the card did not make this cryptogram", lifecycle.Invalid)
	}
	return []byte{0x84, 0x24, 0, 0, 8}, nil
}

var (
	manager  = lifecycle.Actor{ID: "manager", Role: lifecycle.RoleAccountManager}
	approver = lifecycle.Actor{ID: "approver", Role: lifecycle.RoleApprover}
	operator = lifecycle.Actor{ID: "operator", Role: lifecycle.RoleOperator}
	officer  = lifecycle.Actor{ID: "officer", Role: lifecycle.RoleSecurityOfficer}
)

// door is the API over use cases on a database of the test's own.
type door struct {
	t   *testing.T
	url string

	operator string // who stands at the terminal
	base     string // of the database
	service  *issuance.Service
	authn    *authn.Service
	engine   *engine
	server   *httptest.Server
	log      *bytes.Buffer // read it when the server is closed
}

func open(t *testing.T) *door {
	t.Helper()
	return openWith(t, func(c *api.Config, e *engine) { c.Scripts = e })
}

func openWith(t *testing.T, adapt func(c *api.Config, e *engine)) *door {
	t.Helper()
	base := testenv.Database(t)
	pool := must[*pgxpool.Pool](t)(pgxpool.New(t.Context(), base))
	t.Cleanup(pool.Close)
	st := store.New(pool)
	queue := must[*jobs.Enqueuer](t)(jobs.NewEnqueuer())
	d := &door{t: t, base: base, operator: manager.ID, engine: &engine{}, log: &bytes.Buffer{}}
	d.service = must[*issuance.Service](t)(issuance.New(st, testenv.Safe(), queue, jobs.CSRChecker{}, issuance.DefaultPolicy(), time.Now))
	d.authn = must[*authn.Service](t)(authn.New(authn.Config{
		Store: st, Safe: testenv.Safe(), Verifier: d.engine, Sealer: d.engine, Policy: authn.DefaultPolicy(), Now: time.Now,
	}))
	bank := issuance.Bank{Branches: []issuance.Branch{{Code: "FR01", Name: "Rennes", Street: "8 quai des Tilleuls", Postcode: "35000", City: "Rennes", Country: "FR"},
		{Code: "BE02", Name: "Eupen", Street: "Kirchstraße 4", Postcode: "4700", City: "Eupen", Country: "BE"}}}
	for _, a := range []lifecycle.Actor{manager, approver, operator, officer} {
		bank.Staff = append(bank.Staff, issuance.Staff{
			Login: a.ID, Name: a.ID, Roles: []lifecycle.Role{a.Role}, BranchCode: "FR01", Language: party.French,
		})
	}
	if err := d.service.SetUpBank(t.Context(), lifecycle.System("test"), bank); err != nil {
		t.Fatal(err)
	}
	config := api.Config{
		Service: d.service, Authn: d.authn, Ready: func(context.Context) error { return d.engine.gone() },
		Now: time.Now, Logger: slog.New(slog.NewTextHandler(&syncWriter{w: d.log}, nil)), Version: "test",
	}
	adapt(&config, d.engine)
	if config.Scripts != nil {
		config.Decisions = must[*decision.Service](t)(decision.New(st, time.Now))
	}
	d.server = httptest.NewServer(must[http.Handler](t)(api.New(config)))
	t.Cleanup(d.server.Close)
	d.url = d.server.URL
	return d
}

type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
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

// key makes an API key with scopes, all when none is named.
func (d *door) key(scopes ...authn.Scope) string {
	d.t.Helper()
	if len(scopes) == 0 {
		scopes = authn.Scopes()
	}
	branch := ""
	if slices.ContainsFunc(scopes, authn.Scope.AtBranch) {
		branch = "FR01"
	}
	_, secret, err := d.authn.NewAPIKey(d.t.Context(), officer, "test", scopes, branch, time.Hour)
	if err != nil {
		d.t.Fatal(err)
	}
	return secret.Reveal()
}

// answer is what the door said.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// call sends a request as it is.
func (d *door) call(method, path, key, body string) answer {
	d.t.Helper()
	request := must[*http.Request](d.t)(http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body)))
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return d.send(request)
}

func (d *door) send(request *http.Request) answer {
	d.t.Helper()
	if d.operator != "" {
		request.Header.Set("Sceau-Operator", d.operator)
	}
	response := must[*http.Response](d.t)(http.DefaultClient.Do(request)) //nolint:bodyclose // closed in the next line: must hides it
	defer func() { _ = response.Body.Close() }()
	text := must[[]byte](d.t)(io.ReadAll(response.Body))
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.body) // pages in plain text have none
	return a
}

// want checks status and some members.
func (a answer) want(t *testing.T, status int, members map[string]any) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.text)
	}
	for name, value := range members {
		if a.body[name] != value {
			t.Errorf("%s = %v, want %v: %s", name, a.body[name], value, a.text)
		}
	}
	if status >= http.StatusBadRequest && (a.header.Get("Content-Type") != "application/problem+json" || a.body["status"] != float64(status)) {
		t.Errorf("no problem document with status %d: %s %s", status, a.header.Get("Content-Type"), a.text)
	}
}

// order brings one order in and approves it.
func (d *door) order(product string, n int) lifecycle.OrderID {
	d.t.Helper()
	delivery := "home"
	if product == "certificate" {
		delivery = "-"
	}
	line := strings.Join([]string{
		fmt.Sprintf("REF-%d", n), product, fmt.Sprintf("4001%04d", n), "Ateliers Montclair", "FR", siren(n), "FR01", "0001", "Hélène", "Montclair", "fr",
		"helene@montclair.example", "", "1 rue de l'Église", "35000", "Rennes", "FR", delivery, "manager",
	}, ";")
	header := "reference;product;client_id;company;country;registry_number;branch;user_number;given_name;surname;language;email;complement;street;postcode;city;address_country;delivery;requested_by"
	report, err := d.service.ImportOrders(d.t.Context(), operator, strings.NewReader(header+"\n"+line+"\n"), nil)
	if err != nil || report.Kept != 1 {
		d.t.Fatalf("import: %+v, %v", report, err)
	}
	id := must[lifecycle.OrderID](d.t)(d.service.OrderByReference(d.t.Context(), fmt.Sprintf("REF-%d", n)))
	if err := demodata.Prove(d.t.Context(), d.service, operator, id, time.Now()); err != nil {
		d.t.Fatal(err)
	}
	d.approve(id)
	return id
}

func siren(n int) string {
	body := fmt.Sprintf("29901%03d", n)
	return body + string(lifecycle.LuhnDigit(body))
}

func (d *door) approve(id lifecycle.OrderID) {
	d.t.Helper()
	content := must[issuance.OrderContent](d.t)(d.service.ShowOrder(d.t.Context(), id))
	if err := d.service.Approve(d.t.Context(), approver, id, content.Hash()); err != nil {
		d.t.Fatal(err)
	}
}

// postedCard takes a card through everything up to its post, without engine or
// bureau: what they answer is recorded.
func (d *door) postedCard(n int) (lifecycle.OrderID, lifecycle.CardID) {
	d.t.Helper()
	ctx, s := d.t.Context(), d.service
	order := d.order("card", n)
	batch, _, err := s.SealBatch(ctx, operator)
	if err != nil {
		d.t.Fatal(err)
	}
	plan := must[issuance.BatchPlan](d.t)(s.BeginPersonalise(ctx, batch))
	card := plan.Cards[0].Card
	made := []issuance.PersonalisedCard{{Card: card, DGIs: []byte("groupings"), TransportKCV: "ABCDEF"}}
	file := issuance.BatchPlan{}
	var letters issuance.CardRunPlan
	var job issuance.PrintJob
	for _, step := range []func() error{
		func() error { return s.FinishPersonalise(ctx, plan, made, nil) },
		func() (err error) { file, err = s.BeginBureauFile(ctx, batch); return err },
		func() error { return s.FinishBureauFile(ctx, file, []byte("sealed"), nil) },
		func() error {
			id, err := s.TakeReturnFile(ctx, operator, batch, []byte("return of "+string(batch)))
			if err != nil {
				return err
			}
			return s.ApplyReturn(ctx, id, []issuance.BureauAnswer{{Card: card, Result: lifecycle.BureauMade, PlasticSerial: "PL" + string(card)}}, nil)
		},
		func() error {
			runs, err := s.GatherLetters(ctx, operator)
			if err != nil {
				return err
			}
			letters, err = s.BeginCardRun(ctx, runs[0])
			return err
		},
		func() error {
			return s.FinishCardRun(ctx, letters, []byte("sealed"), []lifecycle.CardLetterID{letters.Letters[0].Letter}, nil, nil)
		},
		func() (err error) {
			job, err = s.StartPrinting(ctx, operator, letters.Run, issuance.Printer{Name: "Laser 1"})
			return err
		},
		func() error { return s.EndPrinting(ctx, operator, job.Run, issuance.PrintReport{Last: 1, Counter: 1}) },
		func() error { _, err := s.PostLetters(ctx); return err },
	} {
		if err := step(); err != nil {
			d.t.Fatal(err)
		}
	}
	return order, card
}

// certificate takes a certificate to its issue, with a serial that is reserved.
func (d *door) certificate(n int) string {
	d.t.Helper()
	ctx, s := d.t.Context(), d.service
	err := s.RecordAuthority(ctx, officer, issuance.Authority{
		ID: "issuing-1", Certificate: []byte("a certificate"), Mount: "transit", Key: "issuing-1", Shards: 1, Online: true,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	order := d.order("certificate", n)
	view := must[issuance.OrderView](d.t)(s.Order(ctx, order))
	holder := lifecycle.Actor{ID: string(view.Certificate.Holder), Role: lifecycle.RoleHolder}
	if err := s.TakeKey(ctx, holder, view.Certificate.ID, csr(d.t), nil); err != nil {
		d.t.Fatal(err)
	}
	plan := must[issuance.CertificatePlan](d.t)(s.BeginIssue(ctx, view.Certificate.ID))
	err = errors.Join(
		s.RecordDraft(ctx, plan, issuance.LintedDraft{
			TBS: []byte("draft"), SubjectSHA256: sha256.Sum256([]byte(plan.Subject.HolderNumber)), NotBefore: time.Now(), NotAfter: time.Now().AddDate(3, 0, 0),
		}),
		s.FinishIssue(ctx, plan, []byte("signed"), nil),
	)
	if err != nil {
		d.t.Fatal(err)
	}
	return plan.Serial.String()
}
