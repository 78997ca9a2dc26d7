package issuance_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// move is a use case that makes one move of a card.
type move struct {
	name string
	do   func(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error
	from lifecycle.CardState
	on   lifecycle.Event
}

func (h *house) moves() []move {
	oppose := func(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
		_, err := h.Oppose(ctx, by, id, lifecycle.CardLost)
		return err
	}
	return []move{
		{"receive", h.Receive, lifecycle.CardPosted, lifecycle.Receive},
		{"collect", h.collect, lifecycle.CardAtBranch, lifecycle.Collect},
		{"activate", h.Activate, lifecycle.CardReceived, lifecycle.Activate},
		{"suspend", h.Suspend, lifecycle.CardActive, lifecycle.Suspend},
		{"resume", h.Resume, lifecycle.CardSuspended, lifecycle.Resume},
		{"block", h.BlockPIN, lifecycle.CardActive, lifecycle.BlockPIN},
		{"oppose", oppose, lifecycle.CardActive, lifecycle.Oppose},
		{"destroy", h.Destroy, lifecycle.CardOpposed, lifecycle.Destroy},
	}
}

func TestACardMovesByThoseWhoMayAndFromWhereItCan(t *testing.T) {
	t.Parallel()
	h := setup(t)
	wrong := h.card(t, lifecycle.CardOrdered)
	for _, m := range h.moves() {
		id := h.card(t, m.from)
		for _, by := range everyone {
			move, legal := lifecycle.Cards.Next(m.from, m.on, by.Role)
			err := m.do(t.Context(), by, id)
			if legal != nil {
				wantKind(t, err, lifecycle.Forbidden)
				h.wantCard(t, id, m.from)
				continue
			}
			if err != nil {
				t.Errorf("%s may not %s: %v", by, m.name, err)
			}
			h.wantCard(t, id, move.To)
			break
		}
		wantKind(t, m.do(t.Context(), leonie, wrong), lifecycle.Illegal)
		wantKind(t, m.do(t.Context(), leonie, "C-0000000000000000"), lifecycle.NotFound)
		wantKind(t, m.do(t.Context(), leonie, "C-1"), lifecycle.Invalid)
	}
}

func TestASecondActivationChangesNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.card(t, lifecycle.CardActive)
	before := must[int64](t)(h.store.CountAudit(t.Context()))
	h.event(t, h.Activate(t.Context(), online, id))
	if after := must[int64](t)(h.store.CountAudit(t.Context())); after != before {
		t.Errorf("%d entries for nothing", after-before)
	}
}

func TestAnOldCardLivesOnUntilItsGraceAfterTheNewOnesFirstUse(t *testing.T) {
	t.Parallel()
	h := setup(t)
	old := h.card(t, lifecycle.CardActive)
	order := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderReplacementCard, TargetCard: old, Reason: lifecycle.CardDamaged, Delivery: "home",
	}))
	h.approve(t, order)
	replacement := h.order(t, order).Card.ID
	h.walk(t, replacement, lifecycle.CardReceived)
	if row := must[db.Card](t)(h.store.Card(t.Context(), old)); row.UsableUntil != nil {
		t.Errorf("the old card ends at %s though the new one was not used", row.UsableUntil)
	}
	used := h.clock.now()
	h.event(t, h.Activate(t.Context(), online, replacement))
	end := used.AddDate(0, 0, issuance.DefaultProducts()[0].OldCard)
	if row := must[db.Card](t)(h.store.Card(t.Context(), old)); row.UsableUntil == nil || !row.UsableUntil.Equal(end) {
		t.Errorf("the old card ends at %v, want %s", row.UsableUntil, end)
	}
	h.clock.set(end)
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n != (issuance.Expired{}) {
		t.Errorf("at the end of the grace %+v expired", n)
	}
	h.clock.set(end.Add(time.Microsecond))
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n != (issuance.Expired{Cards: 1}) {
		t.Errorf("after the grace %+v expired", n)
	}
	h.wantCard(t, old, lifecycle.CardExpired)
	h.wantCard(t, replacement, lifecycle.CardActive)
}

func TestAReportedCardHasOneReceipt(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.card(t, lifecycle.CardActive)
	_, err := h.Oppose(t.Context(), online, id, lifecycle.CardDamaged)
	wantField(t, err, "reason")
	const many = 16
	receipts := make([]issuance.Opposition, many)
	var reports sync.WaitGroup
	for i := range many {
		reports.Go(func() {
			var err error
			if receipts[i], err = h.Oppose(t.Context(), online, id, lifecycle.CardStolen); err != nil {
				t.Errorf("report %d: %v", i, err)
			}
		})
	}
	reports.Wait()
	later := must[issuance.Opposition](t)(h.Oppose(t.Context(), helene, id, lifecycle.CardLost))
	for _, r := range append(receipts, later) {
		if r != receipts[0] || r.Receipt == "" || r.Card != id || r.Reason != lifecycle.CardStolen || r.State != lifecycle.CardOpposed {
			t.Errorf("answered %+v and %+v, want the first receipt", r, receipts[0])
		}
	}
	if got := h.queued(t, lifecycle.JobPINDestroy); len(got) != 1 {
		t.Errorf("%d PINs to destroy, want one", len(got))
	}
	if view := must[issuance.CardView](t)(h.Card(t.Context(), id)); view.Receipt != later.Receipt {
		t.Errorf("the card shows receipt %q", view.Receipt)
	}
}

func TestAStopOnTheWayFailsTheOrderAndOneAfterwardsDoesNot(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, state := range []lifecycle.CardState{
		lifecycle.CardPersonalising, lifecycle.CardPersonalised, lifecycle.CardWithBureau, lifecycle.CardMade, lifecycle.CardPosted,
	} {
		id := h.card(t, state)
		h.oppose(t, id)
		order := h.order(t, must[issuance.CardView](t)(h.Card(t.Context(), id)).Order)
		if order.State != lifecycle.OrderFailed || !strings.Contains(order.Failure, "stolen") {
			t.Errorf("stopped when %s: the order is %s: %s", state, order.State, order.Failure)
		}
	}
	id := h.card(t, lifecycle.CardPosted)
	h.printPINLetter(t, id)
	h.clock.advance(7 * 24 * time.Hour)
	h.post(t)
	h.event(t, h.Activate(t.Context(), online, id))
	h.oppose(t, id)
	h.wantOrder(t, must[issuance.CardView](t)(h.Card(t.Context(), id)).Order, lifecycle.OrderCompleted)
}

func TestACardIsGoodToTheLastDayOfItsMonth(t *testing.T) {
	t.Parallel()
	h := setup(t)
	states := []lifecycle.CardState{
		lifecycle.CardPosted, lifecycle.CardAtBranch, lifecycle.CardReceived, lifecycle.CardActive, lifecycle.CardSuspended, lifecycle.CardPINLocked,
	}
	cards := make([]lifecycle.CardID, len(states))
	for i, state := range states {
		cards[i] = h.card(t, state)
	}
	lateLetter := h.printPINLetter(t, cards[0])
	opposed, made, ordered := h.card(t, lifecycle.CardOpposed), h.card(t, lifecycle.CardMade), h.card(t, lifecycle.CardOrdered)
	destroyed := len(h.queued(t, lifecycle.JobPINDestroy))
	h.clock.set(time.Date(2029, 3, 31, 23, 59, 59, 999_999_000, time.UTC))
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n != (issuance.Expired{}) {
		t.Errorf("on the last day %+v expired", n)
	}
	h.clock.set(time.Date(2029, 4, 1, 0, 0, 0, 0, time.UTC))
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n != (issuance.Expired{Cards: len(cards)}) {
		t.Errorf("on the next day %+v expired, want %d cards", n, len(cards))
	}
	for i, id := range cards {
		h.wantCard(t, id, lifecycle.CardExpired)
		wantKind(t, h.Activate(t.Context(), online, id), lifecycle.Illegal)
		if i == 0 {
			h.event(t, h.Destroy(t.Context(), leonie, id))
		}
	}
	if letter := h.pinLetter(t, cards[0]); letter.ID != lateLetter || letter.State != lifecycle.LetterCancelled {
		t.Errorf("the PIN letter of an expired card is %s", letter.State)
	}
	order := h.order(t, must[issuance.CardView](t)(h.Card(t.Context(), cards[0])).Order)
	if order.State != lifecycle.OrderFailed || order.Failure == "" {
		t.Errorf("the order of a card that expired undelivered is %s: %s", order.State, order.Failure)
	}
	h.wantCard(t, opposed, lifecycle.CardOpposed)
	h.wantCard(t, made, lifecycle.CardMade)
	h.wantCard(t, ordered, lifecycle.CardOrdered)
	if got := len(h.queued(t, lifecycle.JobPINDestroy)) - destroyed; got != len(cards) {
		t.Errorf("%d PINs to destroy, want %d", got, len(cards))
	}
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n != (issuance.Expired{}) {
		t.Errorf("a second run expired %+v", n)
	}
}

func TestCardsAreShownWithoutTheirNumbers(t *testing.T) {
	t.Parallel()
	h := setup(t)
	ids := h.approved(t, 2)
	views := must[[]issuance.CardView](t)(h.Cards(t.Context(), ""))
	rest := must[[]issuance.CardView](t)(h.Cards(t.Context(), ids[0]))
	if len(views) != 2 || len(rest) != 1 || rest[0].ID != ids[1] {
		t.Errorf("pages of %d and %d cards", len(views), len(rest))
	}
	for _, v := range views {
		number := h.number(t, v.ID)
		if shown := fmt.Sprintf("%+v", v); strings.Contains(shown, number) || !strings.HasSuffix(number, v.Last4) || len(v.Last4) != 4 {
			t.Errorf("shown as %s", shown)
		}
	}
	entries := must[[]db.AuditEntry](t)(h.AuditOf(t.Context(), string(ids[0])))
	events := make([]string, len(entries))
	for i, e := range entries {
		events[i] = e.Event + " by " + e.Actor
	}
	if want := []string{"submit by alix", "approve by irene"}; !slices.Equal(events, want) {
		t.Errorf("the trail says %q, want %q", events, want)
	}
}
