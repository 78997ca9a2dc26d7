package issuance_test

import (
	"context"
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
)

// Before, a letter stopped while a run was taken to the printer ended the run
// with an error: those before it were marked as printed, and nobody printed
// them.
func TestALetterStoppedMeanwhileDoesNotEndThePrintRun(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first, second := d.cardOf(t, d.approved(t, "card")), d.cardOf(t, d.approved(t, "card"))
	works(t, d.returned(t, d.atBureau(t), madeAs(first, "PL-1"), madeAs(second, "PL-2")))
	letters := map[lifecycle.CardID]lifecycle.CardLetterID{}
	for _, card := range []lifecycle.CardID{first, second} {
		plan := gives[issuance.CardLetterPlan](t)(d.BeginCardLetter(t.Context(), card))
		works(t, d.FinishCardLetter(t.Context(), plan, []byte("%PDF"), nil))
		letters[card] = plan.Letter
	}
	tx, err := d.store.Pool().Begin(t.Context())
	works(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = tx.Exec(t.Context(), "UPDATE card_letter SET state = 'cancelled' WHERE id = $1", letters[first])
	works(t, err)
	var printed []lifecycle.CardLetterID
	done := make(chan error, 1)
	go func() {
		var err error
		printed, err = d.PrintCardLetters(t.Context(), olga)
		done <- err
	}()
	d.waiting(t, 1)
	works(t, tx.Commit(t.Context()))
	if err := <-done; err != nil || len(printed) != 1 || printed[0] != letters[second] {
		t.Errorf("printed %v, %v; want %s", printed, err, letters[second])
	}
}
