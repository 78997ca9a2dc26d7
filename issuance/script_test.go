package issuance_test

import (
	"slices"
	"sync"
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// taken is the terminal's word for a card that carried its script out.
var taken = issuance.ScriptResult{Taken: true, TriesLeft: 3}

// passport is the holder's proof at the desk.
const passport = "passport 12AB"

// reset is an order for a reset of a card's PIN try counter, not approved yet.
func (h *house) reset(t tb, card lifecycle.CardID) lifecycle.OrderID {
	t.Helper()
	return must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderPINReset, Identity: passport, TargetCard: card}))
}

func (h *house) approvedReset(t tb, card lifecycle.CardID) lifecycle.OrderID {
	t.Helper()
	id := h.reset(t, card)
	h.approve(t, id)
	return id
}

func TestABlockedCardIsOpenedAtATerminal(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, lifecycle.CardPINLocked)
	order := h.approvedReset(t, card)
	plan := must[issuance.ScriptPlan](t)(h.PlanScript(t.Context(), order))
	row := must[db.Card](t)(h.store.Card(t.Context(), card))
	if plan.Card != card || plan.PAN.Reveal() != h.number(t, card) || plan.PSN != 1 || plan.Profile != row.Profile || !slices.Equal(plan.Scripts, []int{0}) {
		t.Errorf("plan %+v", plan)
	}
	wantKind(t, h.FinishScript(t.Context(), leonie, order, taken), lifecycle.Illegal) // no script was given
	h.event(t, h.IssueScript(t.Context(), leonie, plan, 7))
	h.wantOrder(t, order, lifecycle.OrderInProgress)
	h.wantCard(t, card, lifecycle.CardPINLocked)
	if row = must[db.Card](t)(h.store.Card(t.Context(), card)); row.LastATC != 7 || !slices.Equal(row.Scripts, []int32{0, 1}) {
		t.Errorf("after the script: counter %d, scripts %v", row.LastATC, row.Scripts)
	}
	h.event(t, h.FinishScript(t.Context(), leonie, order, taken))
	h.wantCard(t, card, lifecycle.CardActive)
	h.wantOrder(t, order, lifecycle.OrderCompleted)
	wantKind(t, h.FinishScript(t.Context(), leonie, order, taken), lifecycle.Illegal)
	_, err := h.PlanScript(t.Context(), order)
	wantKind(t, err, lifecycle.Illegal)
}

func TestAResetAlsoOpensACardThatTheBankThinksIsFine(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for from, to := range map[lifecycle.CardState]lifecycle.CardState{
		lifecycle.CardActive: lifecycle.CardActive, lifecycle.CardPosted: lifecycle.CardReceived, lifecycle.CardReceived: lifecycle.CardReceived,
	} {
		card := h.card(t, from)
		order := h.approvedReset(t, card)
		plan := must[issuance.ScriptPlan](t)(h.PlanScript(t.Context(), order))
		h.event(t, h.IssueScript(t.Context(), leonie, plan, 1))
		h.event(t, h.FinishScript(t.Context(), leonie, order, taken))
		h.wantCard(t, card, to)
	}
}

func TestACardTransactionGetsOneScript(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, lifecycle.CardPINLocked)
	order := h.approvedReset(t, card)
	plan := must[issuance.ScriptPlan](t)(h.PlanScript(t.Context(), order))
	const many = 16
	errs := make([]error, many)
	var terminals sync.WaitGroup
	for i := range many {
		terminals.Go(func() { errs[i] = h.IssueScript(t.Context(), leonie, plan, 9) })
	}
	terminals.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantKind(t, err, lifecycle.Conflict)
		}
	}
	if won != 1 {
		t.Errorf("%d scripts for one transaction", won)
	}
	wantKind(t, h.IssueScript(t.Context(), leonie, plan, 8), lifecycle.Conflict) // recorded earlier
	h.event(t, h.IssueScript(t.Context(), leonie, plan, 10))                     // the terminal lost the first
	if row := must[db.Card](t)(h.store.Card(t.Context(), card)); !slices.Equal(row.Scripts, []int32{0, 1, 2}) {
		t.Errorf("the card may have counted %v scripts, want none to two", row.Scripts)
	}
	wantKind(t, h.IssueScript(t.Context(), leonie, plan, 65536), lifecycle.Invalid)
}

func TestAResetIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	approve := func(t *testing.T, state lifecycle.CardState) (lifecycle.OrderID, lifecycle.CardID) {
		t.Helper()
		card := h.card(t, state)
		return h.approvedReset(t, card), card
	}
	for name, make := range map[string]func(t *testing.T) lifecycle.OrderID{
		"before a second person has approved it": func(t *testing.T) lifecycle.OrderID {
			t.Helper()
			return h.reset(t, h.card(t, lifecycle.CardPINLocked))
		},
		"when it was refused": func(t *testing.T) lifecycle.OrderID {
			t.Helper()
			id := h.reset(t, h.card(t, lifecycle.CardPINLocked))
			h.event(t, h.Refuse(t.Context(), irene, id, h.shown(t, id), "no"))
			return id
		},
		"when it was withdrawn": func(t *testing.T) lifecycle.OrderID {
			t.Helper()
			id, _ := approve(t, lifecycle.CardPINLocked)
			h.event(t, h.Cancel(t.Context(), alix, id, "not needed"))
			return id
		},
		"when the card was stolen since": func(t *testing.T) lifecycle.OrderID {
			t.Helper()
			id, card := approve(t, lifecycle.CardPINLocked)
			h.oppose(t, card)
			return id
		},
		"when the card was suspended since": func(t *testing.T) lifecycle.OrderID {
			t.Helper()
			id, card := approve(t, lifecycle.CardActive)
			h.event(t, h.Suspend(t.Context(), online, card))
			return id
		},
		"for an order of another kind": func(t *testing.T) lifecycle.OrderID {
			t.Helper()
			return must[issuance.CardView](t)(h.Card(t.Context(), h.card(t, lifecycle.CardApproved))).Order
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := make(t)
			_, err := h.PlanScript(t.Context(), id)
			wantKind(t, err, lifecycle.Illegal)
			wantKind(t, h.IssueScript(t.Context(), leonie, issuance.ScriptPlan{Order: id, PSN: 1}, 5), lifecycle.Illegal)
			wantKind(t, h.FinishScript(t.Context(), leonie, id, taken), lifecycle.Illegal)
		})
	}
	t.Run("for a card that cannot be reset", func(t *testing.T) {
		t.Parallel()
		for _, state := range []lifecycle.CardState{lifecycle.CardOrdered, lifecycle.CardWithBureau, lifecycle.CardSuspended, lifecycle.CardOpposed} {
			_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderPINReset, Identity: passport, TargetCard: h.card(t, state)})
			wantKind(t, err, lifecycle.Illegal)
		}
	})
	t.Run("for an order that is none", func(t *testing.T) {
		t.Parallel()
		_, err := h.PlanScript(t.Context(), "O-0000000000000000")
		wantKind(t, err, lifecycle.NotFound)
		_, err = h.PlanScript(t.Context(), "O-1")
		wantKind(t, err, lifecycle.Invalid)
	})
}
