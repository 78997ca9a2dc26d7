package issuance_test

import (
	"strings"
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func (h *house) approvedChange(t tb, card lifecycle.CardID) lifecycle.OrderID {
	t.Helper()
	id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderPINChange, TargetCard: card, Identity: passport,
	}))
	h.approve(t, id)
	return id
}

func TestANewPINIsTheSameForEachScriptOfItsOrderAndGoesOutByLetter(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, lifecycle.CardPINLocked)
	order := h.approvedChange(t, card)
	plan := must[issuance.ScriptPlan](t)(h.PlanScript(t.Context(), order))
	again := must[issuance.ScriptPlan](t)(h.PlanScript(t.Context(), order))
	if plan.Kind != lifecycle.OrderPINChange || plan.PINVersion != 2 || plan.Attempt == "" || again.Attempt != plan.Attempt || again.PINVersion != 2 {
		t.Errorf("plans %+v and %+v", plan, again)
	}
	h.event(t, h.IssueScript(t.Context(), leonie, plan, 5)) // lost on its way
	if row := must[db.Card](t)(h.store.Card(t.Context(), card)); row.PINVersion != 1 {
		t.Errorf("before the card took it, its PIN is version %d", row.PINVersion)
	}
	h.event(t, h.IssueScript(t.Context(), leonie, plan, 6))
	h.event(t, h.FinishScript(t.Context(), leonie, order, taken))
	h.wantCard(t, card, lifecycle.CardActive)
	h.wantOrder(t, order, lifecycle.OrderCompleted)
	if row := must[db.Card](t)(h.store.Card(t.Context(), card)); row.PINVersion != 2 {
		t.Errorf("the card's PIN is version %d", row.PINVersion)
	}
	letter := must[issuance.PINLetterPlan](t)(h.BeginPINLetter(t.Context(), card))
	if got := h.queued(t, lifecycle.JobPINDestroy); len(got) != 1 || !strings.Contains(got[0], `"pin_version": 1`) {
		t.Errorf("PINs to destroy: %v", got)
	}
	if letter.PINVersion != 2 || letter.State != lifecycle.LetterRequested {
		t.Errorf("the letter: %+v", letter)
	}
}

func TestAScriptThatTheCardRefusesChangesNothingAndThreeEndTheOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, lifecycle.CardActive)
	before := must[db.Card](t)(h.store.Card(t.Context(), card))
	order := h.approvedChange(t, card)
	refused := issuance.ScriptResult{TriesLeft: 2}
	for atc := 1; atc <= 3; atc++ {
		plan := must[issuance.ScriptPlan](t)(h.PlanScript(t.Context(), order))
		h.event(t, h.IssueScript(t.Context(), leonie, plan, atc))
		h.event(t, h.FinishScript(t.Context(), leonie, order, refused))
	}
	h.wantOrder(t, order, lifecycle.OrderFailed)
	if got := h.queued(t, lifecycle.JobPINDestroy); len(got) != 1 || !strings.Contains(got[0], `"pin_version": 2`) {
		t.Errorf("PINs to destroy: %v", got)
	}
	after := must[db.Card](t)(h.store.Card(t.Context(), card))
	if after.State != before.State || after.PINVersion != before.PINVersion {
		t.Errorf("the card was %+v and is %+v", before, after)
	}
	plan := must[issuance.ScriptPlan](t)(h.PlanScript(t.Context(), h.approvedChange(t, card)))
	if plan.PINVersion != 3 {
		t.Errorf("the next order draws PIN %d: the second was destroyed", plan.PINVersion)
	}
}

func TestWhoseCardIsOpenedProvesThatTheyAreIt(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, lifecycle.CardActive)
	for _, kind := range []lifecycle.OrderKind{lifecycle.OrderPINReset, lifecycle.OrderPINChange} {
		for _, identity := range []string{"", "passport", "library_card 12AB", "passport 123456789", "passport 12ab"} {
			_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: kind, TargetCard: card, Identity: identity})
			wantField(t, err, "identity")
		}
	}
	id := h.reset(t, card)
	if content := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), id)); content.Identity != passport {
		t.Errorf("the approver is shown %q", content.Identity)
	}
	h.approve(t, id)
	_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderReplacementCard, TargetCard: card, Reason: lifecycle.CardDamaged, Delivery: lifecycle.DeliverHome, Identity: passport})
	wantField(t, err, "identity")
	for _, state := range []lifecycle.CardState{lifecycle.CardPosted, lifecycle.CardReceived, lifecycle.CardSuspended} {
		_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderPINChange, TargetCard: h.card(t, state), Identity: passport})
		wantKind(t, err, lifecycle.Illegal)
	}
}
