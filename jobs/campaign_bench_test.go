package jobs

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/bureau"
	"sceau/internal/bench"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store"
)

// cardsVariable makes the campaign as large as one likes.
const cardsVariable = "SCEAU_BENCH_CARDS"

// BenchmarkCampaign renews cards from the filter to the print runs of their letters:
// picked, approved, ordered, sealed, made in Vault, their bureau's files signed and
// encrypted, the bureau's answers reconciled, the card letters set and encrypted.
// The workers are those of one process, with fsync. peak_heap_B is that of this
// process, which holds the workers and a bureau that says made to everything.
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
	var peak float64
	bench.Comparison{Ours: bench.Side{
		Name: "campaign", Ops: n,
		Prepare: func() error { round++; return h.populate(b.Context(), n, round) },
		Run: func() error {
			stop := watchHeap(&peak)
			defer stop()
			start := time.Now()
			id := h.begin(b, 1)
			h.awaitCampaign(b, id, lifecycle.CampaignPiloted)
			must(b, h.MoveCampaign(b.Context(), operator, id, lifecycle.Go))
			err := h.untilMade(b.Context(), id, n)
			made := time.Now()
			if err == nil {
				err = h.untilRendered(b.Context())
			}
			b.Logf("%d cards made in %s, letters set in %s more", n, made.Sub(start).Round(time.Millisecond), time.Since(made).Round(time.Millisecond))
			return err
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

// untilMade plays the bureau, which makes every card that it is sent, until each
// card of a campaign is made.
func (h *house) untilMade(ctx context.Context, id lifecycle.CampaignID, n int) error {
	const (
		sent = "SELECT b.id, c.card_id FROM batch b JOIN batch_card c ON c.batch_id = b.id " +
			"WHERE b.state = 'sent' AND NOT EXISTS (SELECT FROM return_file f WHERE f.batch_id = b.id) ORDER BY 1, 2"
		made = "SELECT count(*) FROM campaign_card w JOIN card c ON c.order_id = w.order_id WHERE w.campaign_id = $1 AND c.state = 'made'"
	)
	for {
		rows, err := h.admin.Query(ctx, sent)
		if err != nil {
			return err
		}
		type line struct {
			Batch lifecycle.BatchID
			Card  lifecycle.CardID
		}
		lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[line])
		if err != nil {
			return err
		}
		answers := map[lifecycle.BatchID]*bureau.Return{}
		for _, l := range lines {
			if answers[l.Batch] == nil {
				answers[l.Batch] = &bureau.Return{Batch: l.Batch, Sequence: 1}
			}
			back := answers[l.Batch]
			back.Cards = append(back.Cards, bureau.ReturnLine{Card: l.Card, Result: lifecycle.BureauMade, Plastic: "X" + string(l.Card)})
		}
		for _, back := range answers {
			content, err := bureau.EncodeReturn(*back)
			if err == nil {
				_, err = TakeReturn(ctx, h.Service, operator, content)
			}
			if err != nil {
				return err
			}
		}
		var state lifecycle.CampaignState
		err = h.admin.QueryRow(ctx, "SELECT state FROM campaign WHERE id = $1", id).Scan(&state)
		if err == nil && state == lifecycle.CampaignCompleted && len(answers) == 0 {
			var cards int
			if err = h.admin.QueryRow(ctx, made, id).Scan(&cards); cards == n {
				return err
			}
		}
		if err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// untilRendered gathers the letters that wait, and waits until their runs are set.
func (h *house) untilRendered(ctx context.Context) error {
	if _, err := h.GatherLetters(ctx, operator); err != nil {
		return err
	}
	for {
		var open int
		err := h.admin.QueryRow(ctx, "SELECT count(*) FROM print_run WHERE state NOT IN ('rendered', 'cancelled')").Scan(&open)
		if err != nil || open == 0 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}
