package decision_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/decision"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/settings"
	"sceau/store"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.WithMigrations(func(ctx context.Context, url string) error {
		return errors.Join(migrations.Up(ctx, url), migrations.Grant(ctx, url))
	}))
}

var (
	today  = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	online = lifecycle.Actor{ID: "K-0000000000000001", Role: lifecycle.RoleRelyingService}
)

const (
	client = "20304050"
	ours   = "FR7630006000011234567890189"
	them   = "BE68539007547034"
	ics    = "FR72ZZZ123456"
)

// house is a company of two users, who have a passkey each and may sign payments.
type house struct {
	*decision.Service

	pool   *pgxpool.Pool
	mu     sync.Mutex
	at     time.Time // guarded by mu
	signed int
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *house) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

func (h *house) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := h.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func setup(t *testing.T) *house {
	t.Helper()
	url := testenv.Database(t)
	open := func(url string) *pgxpool.Pool {
		pool, err := pgxpool.New(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	h := &house{pool: open(url), at: today}
	s, err := decision.New(store.New(open(testenv.DatabaseAs(t, url, migrations.RoleApp))), h.now)
	if err != nil {
		t.Fatal(err)
	}
	h.Service = s
	h.exec(t, `INSERT INTO branch (id, code, name, street, postcode, city, country, phone, created_at) VALUES ('BR-1', '0001', 'Lille', '', '', '', 'FR', '', $1)`, today)
	h.exec(t, `INSERT INTO company (id, client_id, name, country, registry_number, branch_id, created_at) VALUES ('CO-1', $2, 'Montclair', 'FR', '552100554', 'BR-1', $1)`, today, client)
	for i := range 2 {
		h.exec(t, `INSERT INTO holder (id, company_id, user_number, given_name, surname, language, email, street, postcode, city, country, created_at, updated_at) VALUES ('H-' || $2::int, 'CO-1', lpad($2::int::text, 4, '0'), 'Camille', 'Martin', 'fr', '', '', '', '', 'FR', $1, $1)`, today, i+1)
		h.exec(t, `INSERT INTO means (id, holder_id, kind, state, label, requested_by, created_at, updated_at) VALUES ('M-' || $2::int, 'H-' || $2::int, 'passkey', 'active', 'phone', 'H', $1, $1)`, today, i+1)
		h.exec(t, `INSERT INTO entitlement (id, holder_id, state, grants, requested_by, decided_by, created_at, updated_at)
			VALUES ('EN-' || $2::int, 'H-' || $2::int, 'live', '[{"function":"sign_payment"},{"function":"add_beneficiary"}]', 'alix', 'irene', $1, $1)`, today, i+1)
	}
	return h
}

// set puts a value in force at a level.
func (h *house) set(t *testing.T, n settings.Name, level settings.Level, value string) {
	t.Helper()
	v, err := settings.Parse(settings.DefaultBank(), n, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	holder, account := any(nil), ""
	switch level {
	case settings.OfUser:
		holder = "H-1"
	case settings.OfAccount:
		account = ours
	case settings.OfCompany:
	}
	h.exec(t, `INSERT INTO setting_change (id, setting, company_id, holder_id, account, version, state, old_value, new_value, loosens, effective_from, made_by, created_at, updated_at)
		VALUES ('SG-' || gen_random_uuid(), $1, 'CO-1', $2, $3, 1 + (SELECT count(*) FROM setting_change), 'accepted', '{}', $4, false, $5, 'K', $5, $5)`,
		n, holder, account, settings.Canonical(v), h.now().Add(-time.Second))
}

// sign is an accepted signature of a user over a transfer.
func (h *house) sign(t *testing.T, user int, cents int64, change ...func(map[string]string)) lifecycle.AuthenticationID {
	t.Helper()
	content := map[string]string{"amount": fmt.Sprint(cents), "currency": "EUR", "payee_account": them, "payee_name": "Lemaire", "debtor_account": ours}
	for _, c := range change {
		c(content)
	}
	h.mu.Lock()
	h.signed++
	id := lifecycle.AuthenticationID(fmt.Sprintf("AU-%016d", h.signed))
	h.mu.Unlock()
	h.exec(t, `INSERT INTO authentication (id, service, client_id, user_number, holder_id, state, function, content, means, linked, nonce, policy_version, created_at, expires_at, decided_at)
		VALUES ($1, $2, $3, lpad($4::int::text, 4, '0'), 'H-' || $4::int, 'accepted', 'sign_payment', $5, 'passkey', true, '\x000102030405060708090a0b0c0d0e0f', 0, $6, $6, $6)`,
		id, online.ID, client, user, content, h.now())
	return id
}

func transfer(operation string, cents int64, signatures ...lifecycle.AuthenticationID) decision.Question {
	return decision.Question{By: online, Operation: operation, ClientID: client, UserNumber: "0001", Signatures: signatures, Facts: settings.Facts{
		Kind: settings.Transfer, Account: ours, Amount: cents, Currency: "EUR", Payee: them, Countries: []string{"BE"}, Channel: "online",
	}}
}

func (h *house) decide(t *testing.T, q decision.Question) decision.Answer {
	t.Helper()
	a, err := h.Decide(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (h *house) want(t *testing.T, q decision.Question, result settings.Result, rule string) decision.Answer {
	t.Helper()
	a := h.decide(t, q)
	if a.Result != result || a.Rule != rule {
		t.Errorf("%s: %s by %s, want %s by %s", q.Operation, a.Result, a.Rule, result, rule)
	}
	return a
}

func TestASignatureIsOverExactlyTheseFactsAndUsedOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.want(t, transfer("op-1", 5000), settings.Needs, settings.RuleSign)
	for name, bad := range map[string]lifecycle.AuthenticationID{
		"another amount":    h.sign(t, 1, 5001),
		"another payee":     h.sign(t, 1, 5000, func(c map[string]string) { c["payee_account"] = ours }),
		"another currency":  h.sign(t, 1, 5000, func(c map[string]string) { c["currency"] = "CHF" }),
		"no account":        h.sign(t, 1, 5000, func(c map[string]string) { delete(c, "debtor_account") }),
		"another account":   h.sign(t, 1, 5000, func(c map[string]string) { c["debtor_account"] = them }),
		"another operation": h.sign(t, 1, 5000, func(c map[string]string) { c["reference"] = "op-2" }),
		"nobody's":          "AU-0000000000009999",
	} {
		if a := h.decide(t, transfer("op-1", 5000, bad)); a.Result != settings.Needs || a.Rule != settings.RuleProof {
			t.Errorf("%s: %+v", name, a)
		}
	}
	foreign := h.sign(t, 1, 5000)
	h.exec(t, `UPDATE authentication SET service = 'K-0000000000000002' WHERE id = $1`, foreign)
	h.want(t, transfer("op-1", 5000, foreign), settings.Needs, settings.RuleProof)
	old := h.sign(t, 1, 5000)
	h.advance(16 * time.Minute)
	h.want(t, transfer("op-1", 5000, old), settings.Needs, settings.RuleProof)

	good := h.sign(t, 1, 5000, func(c map[string]string) { c["reference"] = "op-1" })
	h.want(t, transfer("op-1", 5000, good), settings.Allow, settings.RuleSigned)
	if again := h.want(t, transfer("op-1", 5000), settings.Allow, settings.RuleSigned); !again.Again {
		t.Error("asked again it decides again")
	}
	if _, err := h.Decide(t.Context(), transfer("op-1", 5001, good)); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("the same reference, other facts: %v", err)
	}
	plain := h.sign(t, 1, 5000)
	h.want(t, transfer("op-3", 5000, plain), settings.Allow, settings.RuleSigned)
	h.want(t, transfer("op-4", 5000, plain), settings.Needs, settings.RuleProof)
	// Two of one user are one.
	h.set(t, settings.DualSignature, settings.OfCompany, `{"bands":[{"from":5000,"signatures":2}]}`)
	h.want(t, transfer("op-5", 5000, h.sign(t, 1, 5000), h.sign(t, 1, 5000)), settings.Needs, settings.RuleProof)
	h.want(t, transfer("op-5", 5000, h.sign(t, 1, 5000), h.sign(t, 2, 5000)), settings.Allow, settings.RuleDual)
}

func TestRacingTwinsCountOnceAndKeepTheLimit(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.set(t, settings.Limits, settings.OfCompany, `{"limits":[{"per_day":10000}]}`)
	one := h.sign(t, 1, 1000)
	spent := make([]lifecycle.AuthenticationID, 30)
	for i := range spent {
		spent[i] = h.sign(t, 1+i%2, 1000)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	ask := func(q decision.Question, as string) {
		wait.Go(func() {
			a, err := h.Decide(t.Context(), q)
			if err != nil {
				t.Errorf("%s: %v", q.Operation, err)
			}
			mu.Lock()
			defer mu.Unlock()
			got[as+" "+a.Rule]++
		})
	}
	for i := range 10 {
		ask(transfer(fmt.Sprintf("one-%d", i), 1000, one), "one signature:")
		ask(transfer("twin", 1000, spent[0]), "one operation:")
	}
	wait.Wait()
	if got["one signature: signed"] != 1 || got["one signature: signature.not_over_this"] != 9 || got["one operation: signed"] != 10 {
		t.Errorf("decided %v", got)
	}
	for i := 1; i < len(spent); i++ {
		ask(transfer(fmt.Sprintf("op-%d", i), 1000, spent[i]), "")
	}
	wait.Wait()
	if got[" signed"] != 8 || got[" limits.day"] != 21 {
		t.Errorf("of a day's limit of ten, two used: %v", got)
	}
	h.advance(24 * time.Hour)
	h.want(t, transfer("tomorrow", 1000, h.sign(t, 2, 1000)), settings.Allow, settings.RuleSigned)
}

func TestStopsEntitlementsAndStrangersRefuse(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch := transfer("batch", 100)
	batch.Facts.Kind, batch.Facts.Count, batch.Facts.SHA256 = settings.Batch, 2, "ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12"
	h.want(t, batch, settings.Refuse, settings.RuleEntitlement)
	nobody := transfer("nobody", 100)
	nobody.UserNumber = "9999"
	h.want(t, nobody, settings.Refuse, settings.RuleEntitlement)
	nobody.ClientID, nobody.Operation = "99999999", "nowhere"
	h.want(t, nobody, settings.Refuse, settings.RuleEntitlement)
	good := h.sign(t, 1, 100)
	h.exec(t, `INSERT INTO emergency_stop (id, company_id, state, reason, made_by, made_at, updated_at) VALUES ('ES-1', 'CO-1', 'active', 'fraud', 'x', $1, $1)`, today)
	h.want(t, transfer("stopped", 100, good), settings.Refuse, settings.RuleStop)
	debit := decision.Question{By: online, Operation: "debit", ClientID: client, Facts: settings.Facts{
		Kind: settings.DirectDebit, Account: ours, Amount: 100, Currency: "EUR", Creditor: ics, Mandate: "M1",
	}}
	h.want(t, debit, settings.Refuse, settings.RuleStop)
	h.exec(t, `UPDATE emergency_stop SET state = 'lifted'`)
	h.want(t, transfer("lifted", 100, good), settings.Allow, settings.RuleSigned)
	h.exec(t, `UPDATE means SET state = 'ended'`)
	h.want(t, transfer("no-means", 100, h.sign(t, 1, 100)), settings.Refuse, settings.RuleEntitlement)
	h.set(t, settings.DirectDebits, settings.OfAccount, `{"mode":"none","mandates":[{"creditor":"FR72ABC123456","mandate":"M1","per_year":2}]}`)
	for i, want := range []string{settings.RuleNothingAgainst, settings.RuleNothingAgainst, settings.RuleDebitCount} {
		debit.Operation = fmt.Sprintf("debit-%d", i)
		if a := h.decide(t, debit); a.Rule != want || want == settings.RuleDebitCount && (a.By.Level != settings.OfAccount || a.By.Version != 1) {
			t.Errorf("debit %d: %+v", i, a)
		}
	}
	_, err := h.Decide(t.Context(), decision.Question{By: online, ClientID: "1", Operation: "a b", Facts: settings.Facts{Kind: "theft"}})
	if !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("nonsense: %v", err)
	}
}
