package issuance_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

// told is what the books say of an order and its card, and how they came there.
func (h *house) told(t tb, id lifecycle.OrderID) string {
	t.Helper()
	const query = `
SELECT concat_ws(' | ', o.state, o.completed_at IS NOT NULL, o.failure, c.state,
	(SELECT string_agg(concat_ws(' ', a.thing, a.event, a.actor, a.role, a.from_state, a.to_state), ', ' ORDER BY a.thing, a.id)
		FROM audit_entry a WHERE a.thing_id IN (o.id, c.id) AND a.event NOT IN ('submit', 'edit')),
	(SELECT string_agg(concat_ws(' ', a.decision, a.revision, a.requested_by, a.decided_by, a.note), ', ') FROM approval a WHERE a.order_id = o.id))
FROM orders o LEFT JOIN card c ON c.order_id = o.id WHERE o.id = $1`
	var text string
	if err := h.pool.QueryRow(t.Context(), query, id).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// Whatever an order is, many at once are judged as each by itself, and go as far.
func TestABulkApprovalJudgesAsASingleOneDoes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	var inUse []lifecycle.CardID
	for range 10 {
		inUse = append(inUse, h.card(t, lifecycle.CardActive))
	}
	cards, number := 0, 0
	about := func(r issuance.OrderRequest) func() (lifecycle.OrderID, [32]byte) {
		return func() (lifecycle.OrderID, [32]byte) {
			r := r
			r.TargetCard, cards = inUse[cards], cards+1
			id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, r))
			return id, h.shown(t, id)
		}
	}
	situations := map[string]func() (lifecycle.OrderID, [32]byte){
		"a card": func() (lifecycle.OrderID, [32]byte) {
			id := h.submitCard(t)
			return id, h.shown(t, id)
		},
		"a certificate": func() (lifecycle.OrderID, [32]byte) {
			id := h.submit(t, func(o *demodata.Order) { o.Product, o.Delivery = "certificate", "-" })
			return id, h.shown(t, id)
		},
		"a renewal with a flag": about(issuance.OrderRequest{Kind: lifecycle.OrderRenewal, Delivery: lifecycle.DeliverHome, Urgent: true}),
		"a replacement":         about(issuance.OrderRequest{Kind: lifecycle.OrderReplacementCard, Reason: lifecycle.CardStolen, Delivery: lifecycle.DeliverHome}),
		"a new PIN":             about(issuance.OrderRequest{Kind: lifecycle.OrderPINReissue, Delivery: lifecycle.DeliverHome}),
		"a reset":               about(issuance.OrderRequest{Kind: lifecycle.OrderPINReset, Identity: passport}),
		"a PIN change":          about(issuance.OrderRequest{Kind: lifecycle.OrderPINChange, Identity: passport}),
		"a card made at a branch": func() (lifecycle.OrderID, [32]byte) {
			id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, h.inHouse(t)))
			return id, h.shown(t, id)
		},
		"a bank card": func() (lifecycle.OrderID, [32]byte) {
			number++
			id := must[lifecycle.OrderID](t)(h.register(t, h.holder(t), bankCard(number)))
			return id, h.shown(t, id)
		},
		"one's own": func() (lifecycle.OrderID, [32]byte) {
			id := h.submit(t, func(o *demodata.Order) { o.RequestedBy = come.ID })
			return id, h.shown(t, id)
		},
		"one's own before it was edited": func() (lifecycle.OrderID, [32]byte) {
			id := h.submit(t, func(o *demodata.Order) { o.RequestedBy = come.ID })
			h.event(t, h.Edit(t.Context(), alix, id, issuance.OrderEdit{Revision: 1, Delivery: lifecycle.DeliverBranch, BranchCode: "FR01"}))
			return id, h.shown(t, id)
		},
		"another than was shown": func() (lifecycle.OrderID, [32]byte) {
			return h.submitCard(t), h.shown(t, h.submitCard(t))
		},
		"approved already": func() (lifecycle.OrderID, [32]byte) {
			id := h.submitCard(t)
			shown := h.shown(t, id)
			h.approve(t, id)
			return id, shown
		},
		"cancelled": func() (lifecycle.OrderID, [32]byte) {
			id := h.submitCard(t)
			shown := h.shown(t, id)
			h.event(t, h.Cancel(t.Context(), alix, id, "not needed"))
			return id, shown
		},
	}
	shown := map[lifecycle.OrderID][32]byte{"O-0000000000000000": {}}
	single := map[lifecycle.OrderID]error{"O-0000000000000000": h.Approve(t.Context(), comeToo, "O-0000000000000000", [32]byte{})}
	names, alone := map[lifecycle.OrderID]string{}, map[lifecycle.OrderID]string{}
	for _, name := range slices.Sorted(maps.Keys(situations)) {
		twin, hash := situations[name]()
		err := h.Approve(t.Context(), comeToo, twin, hash)
		id, hash := situations[name]()
		shown[id], single[id], names[id], alone[id] = hash, err, name, h.told(t, twin)
	}
	for _, r := range h.ApproveMany(t.Context(), comeToo, shown) {
		want := single[r.Order]
		kind := func(err error) (k lifecycle.Kind) { errors.As(err, &k); return k }
		if kind(r.Err) != kind(want) || (r.Err == nil) != (want == nil) {
			t.Errorf("%s: together %v, alone %v", names[r.Order], r.Err, want)
		}
		if names[r.Order] != "" {
			if told := h.told(t, r.Order); told != alone[r.Order] {
				t.Errorf("%s: together\n%s\nalone\n%s", names[r.Order], told, alone[r.Order])
			}
		}
		delete(single, r.Order)
	}
	if len(single) > 0 {
		t.Errorf("no answer for %v", single)
	}
}

func TestABulkApprovalByWhoMayNotApprovesNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	shown := map[lifecycle.OrderID][32]byte{}
	for range 3 {
		id := h.submitCard(t)
		shown[id] = h.shown(t, id)
	}
	for _, by := range everyone {
		if by.Role == lifecycle.RoleApprover {
			continue
		}
		for _, r := range h.ApproveMany(t.Context(), by, shown) {
			wantKind(t, r.Err, lifecycle.Forbidden)
		}
	}
	results := make(chan []issuance.BulkResult, 2)
	for _, by := range []lifecycle.Actor{irene, daan} { // at the same time: each order is approved once
		go func() { results <- h.ApproveMany(t.Context(), by, shown) }()
	}
	won := 0
	for _, r := range slices.Concat(<-results, <-results) {
		if r.Err == nil {
			won++
			continue
		}
		wantKind(t, r.Err, lifecycle.Conflict)
	}
	if won != 3 {
		t.Errorf("three orders were approved %d times", won)
	}
}

func TestBatchesAreOfOneProductAndUrgencyTheUrgentFirst(t *testing.T) {
	t.Parallel()
	b := bank()
	b.Products = issuance.DefaultProducts()
	gold := b.Products[0]
	gold.Code, gold.Bureau = "gold", "bureau-2"
	b.Products = append(b.Products, gold)
	h := setupBank(t, func(p *issuance.Policy) { p.BatchSize = 2 }, b)
	order := func(product string, urgent bool) lifecycle.CardID {
		holder := h.order(t, h.submitCard(t)).Card.Holder
		id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
			Kind: lifecycle.OrderNewCard, Holder: holder, Product: product, Delivery: lifecycle.DeliverHome, Urgent: urgent,
		}))
		h.approve(t, id)
		h.clock.advance(time.Second)
		return h.order(t, id).Card.ID
	}
	plain := []lifecycle.CardID{order("securaccess", false), order("securaccess", false), order("securaccess", false)}
	other, urgent := order("gold", false), order("securaccess", true)
	sealed := must[[]issuance.SealedBatch](t)(h.SealBatches(t.Context(), leonie))
	var got []string
	for _, s := range sealed {
		batch, err := h.store.Batch(t.Context(), s.Batch)
		if err != nil {
			t.Fatal(err)
		}
		var cards []lifecycle.CardID
		for _, row := range h.batchCards(t, s.Batch) {
			cards = append(cards, row.CardID)
		}
		got = append(got, fmt.Sprint(batch.Bureau, batch.Urgency, cards))
	}
	want := []string{
		fmt.Sprint("bureau-1", lifecycle.Urgent, []lifecycle.CardID{urgent}), fmt.Sprint("bureau-1", lifecycle.Standard, plain[:2]),
		fmt.Sprint("bureau-1", lifecycle.Standard, plain[2:]), fmt.Sprint("bureau-2", lifecycle.Standard, []lifecycle.CardID{other}),
	}
	if !slices.Equal(got, want) {
		t.Errorf("batches\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Sealing, cancelling and editing the same orders end, each one way or the other,
// and no two wait for each other.
func TestSealingCancellingAndEditingDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for range 4 {
		var orders []lifecycle.OrderID
		for range 8 {
			id := h.submitCard(t)
			h.approve(t, id)
			orders = append(orders, id)
		}
		var together sync.WaitGroup
		deadlocked := func(err error) {
			if err != nil && strings.Contains(err.Error(), "40P01") {
				t.Error(err)
			}
		}
		for i, id := range orders {
			together.Go(func() {
				if i%2 == 0 {
					deadlocked(h.Cancel(t.Context(), alix, id, "not needed"))
					return
				}
				deadlocked(h.Edit(t.Context(), alix, id, issuance.OrderEdit{Revision: 1, Delivery: lifecycle.DeliverBranch, BranchCode: "FR01"}))
			})
		}
		together.Go(func() {
			_, err := h.SealBatches(t.Context(), leonie)
			deadlocked(err)
		})
		together.Wait()
	}
}
