package jobs

import (
	"context"
	"log/slog"
	"os"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"sceau/internal/bench"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store"
)

// cardsVariable makes the campaign as large as one likes.
const cardsVariable = "SCEAU_BENCH_CARDS"

// BenchmarkCampaign renews cards from the filter to the bureau's files: picked,
// approved, ordered, sealed, made in Vault, signed and encrypted. Its workers are
// those of one process, with fsync. peak_heap_B is this process's, which holds
// the workers and nothing else.
func BenchmarkCampaign(b *testing.B) {
	n := 5000
	if text := os.Getenv(cardsVariable); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			b.Fatalf("%s is no number of cards: %q", cardsVariable, text)
		}
	}
	h := setup(b, sharedRealm(b))
	h.orders(b, "card", 1) // holder and company are of its kind
	policy := issuance.DefaultPolicy()
	policy.BatchSize = 500
	h.Service = get[*issuance.Service](b)(issuance.New(store.New(h.pool), testenv.Safe(), get[*Enqueuer](b)(NewEnqueuer()), CSRChecker{}, policy, h.clock.now))
	tools := h.tools(b)
	tools.Logger = slog.New(slog.DiscardHandler)
	h.run(b, h.pool, tools, Settings{Queues: []Queue{QueueDefault}, Parallel: 4, Wait: time.Second})
	round := 0
	var peak uint64
	bench.Comparison{Ours: bench.Side{
		Name: "campaign", Ops: n,
		Prepare: func() error { round++; return h.populate(b.Context(), n, round) },
		Run: func() error {
			stop := watchHeap(&peak)
			defer stop()
			id := h.begin(b, 1)
			h.awaitCampaign(b, id, lifecycle.CampaignPiloted)
			must(b, h.MoveCampaign(b.Context(), operator, id, lifecycle.Go))
			return h.untilSent(b.Context(), id, n)
		},
	}}.Measure(b)
	b.ReportMetric(float64(peak), "peak_heap_B")
}

// populate writes cards that are in use, whose master key retires; those of the
// rounds before do not count any more.
func (h *house) populate(ctx context.Context, n, round int) error {
	for _, statement := range []string{
		"INSERT INTO card_keys (card_id, ac, smi, smc) SELECT id, 2, 2, 2 FROM card ON CONFLICT (card_id) DO UPDATE SET ac = 2",
		`INSERT INTO holder (id, company_id, user_number, given_name, surname, language, email, complement, street, postcode, city, country, created_at, updated_at)
		SELECT 'H-' || lpad(i::text, 16, '0'), h.company_id, (1000 + i)::text, h.given_name, h.surname, h.language, h.email, h.complement, h.street,
			h.postcode, h.city, h.country, h.created_at, h.updated_at
		FROM generate_series(0, 7999) i, (SELECT * FROM holder WHERE id NOT LIKE 'H-0000%' LIMIT 1) h ON CONFLICT DO NOTHING`,
	} {
		if _, err := h.admin.Exec(ctx, statement); err != nil {
			return err
		}
	}
	_, err := h.admin.Exec(ctx, `
WITH n AS (SELECT i, lpad(($2::bigint * 10000000 + i)::text, 16, '0') AS no, 'H-' || lpad((i % 8000)::text, 16, '0') AS holder FROM generate_series(1, $1::int) i),
o AS (INSERT INTO orders (id, kind, state, holder_id, product, requested_by, created_at, updated_at, delivery)
	SELECT 'O-' || no, 'new_card', 'completed', holder, 'securaccess', 'x', date '2024-01-01', date '2024-01-01', 'home' FROM n)
INSERT INTO card (id, order_id, holder_id, state, product, profile, pan_sealed, pan_mark, last4, psn, expiry, delivery, place, created_at, updated_at)
SELECT 'C-' || no, 'O-' || no, holder, 'active', 'securaccess', 'securaccess', 'x', decode(lpad(no, 64, '0'), 'hex'), '0000', 1, date '2027-06-30', 'home', 'C-' || no, now(), now()
FROM n`, n, round)
	if err == nil {
		_, err = h.admin.Exec(ctx, "ANALYZE")
	}
	return err
}

// untilSent waits, however long, until each card of a campaign is at the bureau.
func (h *house) untilSent(ctx context.Context, id lifecycle.CampaignID, n int) error {
	const sent = "SELECT count(*) FROM batch_card b JOIN batch x ON x.id = b.batch_id WHERE x.state = 'sent' AND EXISTS " +
		"(SELECT FROM card c JOIN campaign_card w ON w.order_id = c.order_id WHERE c.id = b.card_id AND w.campaign_id = $1)"
	for {
		var state lifecycle.CampaignState
		var cards int
		err := h.admin.QueryRow(ctx, "SELECT state FROM campaign WHERE id = $1", id).Scan(&state)
		if err == nil && state == lifecycle.CampaignCompleted {
			err = h.admin.QueryRow(ctx, sent, id).Scan(&cards)
		}
		if err != nil || cards == n {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// watchHeap keeps the most that the heap holds until it is stopped.
func watchHeap(peak *uint64) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			metrics.Read(sample)
			*peak = max(*peak, sample[0].Value.Uint64())
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() { close(done); <-ended }
}
