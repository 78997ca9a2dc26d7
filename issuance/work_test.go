package issuance_test

import (
	"strings"
	"testing"
	"time"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
)

// waiting are the work items of a kind.
func (h *house) waiting(t tb, kind lifecycle.WorkKind) []issuance.WorkItem {
	t.Helper()
	return must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{Kind: kind}))
}

// theOne is the only thing of a kind that waits.
func (h *house) theOne(t tb, kind lifecycle.WorkKind) issuance.WorkItem {
	t.Helper()
	items := h.waiting(t, kind)
	if len(items) != 1 || items[0].Kind != kind || items[0].Why == "" {
		t.Fatalf("%s: %+v", kind, items)
	}
	return items[0]
}

func TestWhatFailedIsMendedFromTheListOfWork(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch, cards := h.withBureau(t, 3)
	missing := issuance.BureauAnswer{Card: cards[2], Result: lifecycle.BureauMissing, Reason: "lost in the vault"}
	h.bureauSays(t, batch, made(cards[0]), made(cards[1]), missing)

	item := h.theOne(t, lifecycle.WorkMissingCard)
	if item.ID != string(cards[2]) || !strings.Contains(item.Why, "lost in the vault") || !strings.Contains(item.Why, string(batch)) {
		t.Errorf("missing: %+v", item)
	}
	wantKind(t, h.RetryWork(t.Context(), alix, item.ID), lifecycle.Forbidden)
	h.event(t, h.RetryWork(t.Context(), leonie, item.ID))
	h.wantCard(t, cards[2], lifecycle.CardApproved)

	run := h.gathered(t, lifecycle.PrintCard)
	plan := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
	letter := plan.Letters[0].Letter
	h.clock.advance(time.Hour)
	h.event(t, h.FinishCardRun(t.Context(), plan, []byte("PDF"), []lifecycle.CardLetterID{plan.Letters[1].Letter},
		[]issuance.LetterFailure{{Letter: string(letter), Why: "the address has seven lines"}}, nil))
	item = h.theOne(t, lifecycle.WorkFailedOrder)
	if !strings.Contains(item.Why, "seven lines") || !item.Since.Equal(h.clock.now()) {
		t.Errorf("failed: %+v at %s", item, h.clock.now())
	}
	if old := must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{AtLeast: time.Minute})); len(old) != 0 {
		t.Errorf("waiting for a minute: %+v", old)
	}
	h.event(t, h.RetryWork(t.Context(), leonie, item.ID))
	h.wantOrder(t, lifecycle.OrderID(item.ID), lifecycle.OrderInProgress)
	if left := h.waiting(t, ""); len(left) != 0 {
		t.Errorf("it waits still: %+v", left)
	}
	wantKind(t, h.RetryWork(t.Context(), leonie, item.ID), lifecycle.NotFound)
}

func TestAReturnFileThatCannotBeTrueIsWorkOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch, cards := h.withBureau(t, 2)
	wrong := []issuance.BureauAnswer{made(cards[0]), made("C-0000000000000000")}
	file := h.take(t, batch, wrong...)
	for range 2 {
		wantKind(t, h.ApplyReturn(t.Context(), file, wrong, nil), lifecycle.Invalid)
	}
	item := h.theOne(t, lifecycle.WorkReturnFile)
	if item.On != string(file) || !strings.Contains(item.Why, "C-0000000000000000") {
		t.Errorf("to look at: %+v", item)
	}
	wantKind(t, h.RetryWork(t.Context(), leonie, item.ID), lifecycle.Illegal)
	h.event(t, h.ResolveWork(t.Context(), leonie, item.ID, "the bureau sends another"))
	wantKind(t, h.ApplyReturn(t.Context(), file, wrong, nil), lifecycle.Invalid)
	if again := h.waiting(t, ""); len(again) != 0 {
		t.Errorf("asked again: %+v", again)
	}
}

func TestWorkIsClaimedByOneAndFlagsAreWork(t *testing.T) {
	t.Parallel()
	h := setup(t)
	first := h.submit(t, func(*demodata.Order) {})
	h.clock.advance(time.Second) // the later one is flagged
	holder := must[lifecycle.HolderID](t)(h.HolderByUser(t.Context(), h.order(t, first).ClientID, "0001"))
	second := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: holder, Delivery: "home"}))
	item := h.theOne(t, lifecycle.WorkFlagged)
	if item.ID != string(second) || item.Why != string(issuance.SecondCard) {
		t.Errorf("flagged: %+v", item)
	}
	wantKind(t, h.ClaimWork(t.Context(), owen, item.ID), lifecycle.Forbidden)
	wantKind(t, h.ClaimWork(t.Context(), irene, "W-0000000000000000"), lifecycle.NotFound)
	wantField(t, h.ClaimWork(t.Context(), irene, ""), "item")
	wantKind(t, h.ReleaseWork(t.Context(), irene, item.ID), lifecycle.Illegal)
	h.event(t, h.ClaimWork(t.Context(), irene, item.ID))
	h.event(t, h.ClaimWork(t.Context(), irene, item.ID)) // hers already
	wantKind(t, h.ClaimWork(t.Context(), daan, item.ID), lifecycle.Conflict)
	wantKind(t, h.ReleaseWork(t.Context(), daan, item.ID), lifecycle.Forbidden)
	wantKind(t, h.ResolveWork(t.Context(), leonie, item.ID, "x"), lifecycle.Conflict)
	if got := h.theOne(t, lifecycle.WorkFlagged).ClaimedBy; got != irene.ID {
		t.Errorf("claimed by %q", got)
	}
	h.event(t, h.ReleaseWork(t.Context(), maxence, item.ID))
	wantKind(t, h.ResolveWork(t.Context(), leonie, item.ID, "x"), lifecycle.Illegal) // an approver decides
	h.event(t, h.ClaimWork(t.Context(), daan, item.ID))
	// An edit makes it wait anew: whoever claimed it before has not seen that.
	h.clock.advance(time.Minute)
	h.event(t, h.Edit(t.Context(), alix, second, issuance.OrderEdit{Revision: 1, Delivery: "home", WithReader: true}))
	if got := h.theOne(t, lifecycle.WorkFlagged).ClaimedBy; got != "" {
		t.Errorf("still claimed by %q", got)
	}
	h.approve(t, second)
	if left := h.waiting(t, ""); len(left) != 0 {
		t.Errorf("decided, and waits: %+v", left)
	}
	wantField(t, func() error {
		_, err := h.WorkItems(t.Context(), issuance.WorkFilter{Kind: "any"})
		return err
	}(), "kind")
}
