package issuance_test

import (
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
)

// Before, one approved order gave scripts for as long as the terminal did not
// report the end: whoever had a stolen card and a branch terminal's key tried
// three PINs, took a script, and tried three more.
func TestAnApprovedResetGivesAFewScriptsAndNoMore(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	card := d.activeCard(t)
	order := d.resetOrder(t, card)
	plan := gives[issuance.ScriptPlan](t)(d.PlanScript(t.Context(), order))
	terminal := lifecycle.Actor{ID: "K-0000000000000001", Role: lifecycle.RoleRelyingService}
	for atc := range 3 { // the first two are lost between terminal and card
		works(t, d.IssueScript(t.Context(), terminal, plan, atc+1))
	}
	refusedAs(t, d.IssueScript(t.Context(), terminal, plan, 4), lifecycle.Locked)
	_, err := d.PlanScript(t.Context(), order)
	refusedAs(t, err, lifecycle.Locked)
	row, err := d.store.Card(t.Context(), card)
	works(t, err)
	if row.LastATC != 3 {
		t.Errorf("the card's counter is %d, want 3: a refused script burns nothing", row.LastATC)
	}
	works(t, d.FinishScript(t.Context(), terminal, order, taken))

	again := d.resetOrder(t, card)
	plan = gives[issuance.ScriptPlan](t)(d.PlanScript(t.Context(), again))
	if err := d.IssueScript(t.Context(), terminal, plan, 5); err != nil {
		t.Errorf("under another approval: %v", err)
	}
}

// activeCard is a card that its holder has activated.
func (d *desk) activeCard(t *testing.T) lifecycle.CardID {
	t.Helper()
	card := d.cardOf(t, d.approved(t, "card"))
	works(t, d.returned(t, d.atBureau(t), madeAs(card, "PL-"+string(card))))
	d.postedCard(t, card)
	works(t, d.Activate(t.Context(), lifecycle.Actor{ID: "K-0000000000000001", Role: lifecycle.RoleRelyingService}, card))
	return card
}

// postedCard prints and posts a made card's letter.
func (d *desk) postedCard(t *testing.T, card lifecycle.CardID) {
	t.Helper()
	plan := gives[issuance.CardLetterPlan](t)(d.BeginCardLetter(t.Context(), card))
	works(t, d.FinishCardLetter(t.Context(), plan, []byte("%PDF"), nil))
	_, err := d.PrintCardLetters(t.Context(), olga)
	works(t, err)
	_, err = d.PostLetters(t.Context())
	works(t, err)
}

func (d *desk) resetOrder(t *testing.T, card lifecycle.CardID) lifecycle.OrderID {
	t.Helper()
	order := gives[lifecycle.OrderID](t)(d.Submit(t.Context(), ann, issuance.OrderRequest{Kind: lifecycle.OrderPINReset, Identity: passport, TargetCard: card}))
	works(t, d.approveAs(t, paul, order))
	return order
}
