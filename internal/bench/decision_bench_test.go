package bench_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sceau/decision"
	"sceau/internal/bench"
	"sceau/lifecycle"
	"sceau/settings"
	"sceau/store"
)

// deciding is a bank whose companies have a user, a limit and an entitlement each,
// and whose users have signed payments.
type deciding struct {
	store     *store.Store
	service   *decision.Service
	companies int
	next      int
	questions []decision.Question
}

func newDeciding(b *testing.B, companies int) *deciding {
	b.Helper()
	d := &deciding{store: newStore(b), companies: companies}
	var err error
	if d.service, err = decision.New(d.store, clock); err != nil {
		b.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO branch (id, code, name, street, postcode, city, country, phone, created_at) SELECT 'BR-D', '9999', 'Lille', '', '', '', 'FR', '', $2 WHERE $1::integer > 0`,
		`INSERT INTO company (id, client_id, name, country, registry_number, branch_id, created_at)
			SELECT 'CO-' || n, lpad(n::text, 8, '0'), 'Company', 'FR', n::text, (SELECT id FROM branch LIMIT 1), $2 FROM generate_series(1, $1::integer) n`,
		`INSERT INTO holder (id, company_id, user_number, given_name, surname, language, email, street, postcode, city, country, created_at, updated_at)
			SELECT 'H-' || n, 'CO-' || n, '0001', 'Camille', 'Martin', 'fr', '', '', '', '', 'FR', $2, $2 FROM generate_series(1, $1::integer) n`,
		`INSERT INTO means (id, holder_id, kind, state, label, requested_by, created_at, updated_at)
			SELECT 'M-' || n, 'H-' || n, 'passkey', 'active', 'phone', 'H', $2, $2 FROM generate_series(1, $1::integer) n`,
		`INSERT INTO entitlement (id, holder_id, state, grants, requested_by, decided_by, created_at, updated_at)
			SELECT 'EN-' || n, 'H-' || n, 'live', '[{"function":"sign_payment"}]', 'alix', 'irene', $2, $2 FROM generate_series(1, $1::integer) n`,
		`INSERT INTO setting_change (id, setting, company_id, version, state, old_value, new_value, loosens, effective_from, made_by, created_at, updated_at)
			SELECT 'SG-' || n, 'limits', 'CO-' || n, 1, 'accepted', '{}', '{"limits":[{"per_transaction":1000000,"per_day":900000000}]}', false, $2, 'K', $2, $2
			FROM generate_series(1, $1::integer) n`,
		`INSERT INTO decision_counter (place, totals, uses) SELECT 'bare-' || n, '{}', CASE WHEN $2::timestamptz IS NULL THEN 1 ELSE 0 END FROM generate_series(1, $1::integer) n`,
	} {
		if _, err := d.store.Pool().Exec(b.Context(), statement, companies, clock().Add(-time.Hour)); err != nil {
			b.Fatalf("%s: %v", statement, err)
		}
	}
	if _, err := d.store.Pool().Exec(b.Context(), "ANALYZE"); err != nil {
		b.Fatal(err)
	}
	return d
}

// prepare has users of the next companies sign payments.
func (d *deciding) prepare(ctx context.Context, n int) error {
	d.questions = make([]decision.Question, n)
	for i := range d.questions {
		company := d.next%d.companies + 1
		d.questions[i] = decision.Question{
			By: relyingService, Operation: fmt.Sprintf("op-%d", d.next), ClientID: fmt.Sprintf("%08d", company), UserNumber: "0001",
			Signatures: []lifecycle.AuthenticationID{lifecycle.AuthenticationID(fmt.Sprintf("AU-%016d", d.next))},
			Facts: settings.Facts{
				Kind: settings.Transfer, Account: "FR7630006000011234567890189", Amount: 5000, Currency: "EUR", Payee: "BE68539007547034",
				Countries: []string{"BE"}, Channel: "online",
			},
		}
		d.next++
	}
	_, err := d.store.Pool().Exec(ctx, `INSERT INTO authentication (id, service, client_id, user_number, holder_id, state, function, content, means, linked, nonce,
			policy_version, created_at, expires_at, decided_at)
		SELECT 'AU-' || lpad(n::text, 16, '0'), $1, lpad((n % $4 + 1)::text, 8, '0'), '0001', 'H-' || (n % $4 + 1), 'accepted', 'sign_payment',
			'{"amount":"5000","currency":"EUR","payee_account":"BE68539007547034","payee_name":"Lemaire","debtor_account":"FR7630006000011234567890189"}',
			'passkey', true, '\x000102030405060708090a0b0c0d0e0f', 0, $5, $5, $5 FROM generate_series($2::integer, $3::integer) n`,
		relyingService.ID, d.next-n, d.next-1, d.companies, clock())
	return err
}

func (d *deciding) decide(ctx context.Context, i int) error {
	a, err := d.service.Decide(ctx, d.questions[i])
	if err == nil && a.Result != settings.Allow {
		err = fmt.Errorf("%s by %s", a.Result, a.Rule)
	}
	return err
}

// callers ask at the same time, as the connections of a payment hub do.
const callers = 256

// BenchmarkDecide is the whole decision on a payment that its user signed: settings,
// entitlement and stop are read, signature and counters locked, the day and the week
// counted, decision and use of the signature kept, with fsync. The limit updates one
// row of counters an operation and does nothing else.
func BenchmarkDecide(b *testing.B) {
	const companies, operations, connected = 5000, 10_000, 16
	d := newDeciding(b, companies)
	bench.Comparison{
		Ours: bench.Side{Name: "Decide", Ops: operations, Prepare: func() error { return d.prepare(b.Context(), operations) }, Run: func() error {
			return bench.Parallel(callers, operations, func(i int) error { return d.decide(b.Context(), i) })
		}},
		Limits: []bench.Side{{Name: "update_only", Ops: operations, Run: func() error {
			return bench.Parallel(connected, operations, func(i int) error {
				tag, err := d.store.Pool().Exec(b.Context(), `UPDATE decision_counter SET uses = uses + 1 WHERE place = $1`, fmt.Sprintf("bare-%d", i%companies+1))
				if err == nil && tag.RowsAffected() != 1 {
					err = errors.New("there is no such row")
				}
				return err
			})
		}}},
	}.Measure(b)
}

// BenchmarkDecideLatency has operations arrive by the clock, half as many as the
// machine decides at that moment.
func BenchmarkDecideLatency(b *testing.B) {
	const companies, operations = 5000, 10_000
	d := newDeciding(b, companies)
	bench.Latencies(b, func() (bench.Pace, error) {
		if err := d.prepare(b.Context(), operations); err != nil {
			return bench.Pace{}, err
		}
		start := time.Now()
		if err := bench.Parallel(callers, operations, func(i int) error { return d.decide(b.Context(), i) }); err != nil {
			return bench.Pace{}, err
		}
		full := operations / time.Since(start).Seconds()
		pace := bench.Pace{PerSecond: full / 2, N: operations, Workers: callers, Work: func(_, i int) error { return d.decide(b.Context(), i) }}
		return pace, d.prepare(b.Context(), operations)
	}, "", bench.Pace{})
}
