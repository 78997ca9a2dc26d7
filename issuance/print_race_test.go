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
	works(t, d.press().gather(t.Context()))
	run := gives[[]issuance.PrintRun](t)(d.PrintRuns(t.Context(), lifecycle.PrintRunRendered))[0].ID
	job := gives[issuance.PrintJob](t)(d.StartPrinting(t.Context(), olga, run, issuance.Printer{Name: "Laser 1", Counter: 100}))
	tx, err := d.store.Pool().Begin(t.Context())
	works(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	stopped := gives[issuance.CardView](t)(d.Card(t.Context(), first)).CardLetter
	_, err = tx.Exec(t.Context(), "UPDATE card_letter SET state = 'cancelled' WHERE id = $1", stopped)
	works(t, err)
	done := make(chan error, 1)
	go func() { done <- d.EndPrinting(t.Context(), olga, run, came(job, 2)) }()
	d.waiting(t, 1)
	works(t, tx.Commit(t.Context()))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if posted := gives[issuance.Posted](t)(d.PostLetters(t.Context())); posted.CardLetters != 1 {
		t.Errorf("posted %+v, want the one that was not stopped", posted)
	}
	works(t, d.DestroyLetter(t.Context(), olga, string(stopped)))
}

// Two who gather at once share the letters between them: each is in one run.
func TestTwoWhoGatherAtOnceTakeEachLetterOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var answers []issuance.BureauAnswer
	for _, plastic := range []string{"PL-1", "PL-2", "PL-3"} {
		answers = append(answers, madeAs(d.cardOf(t, d.approved(t, "card")), plastic))
	}
	works(t, d.returned(t, d.atBureau(t), answers...))
	done := make(chan error)
	for range 4 {
		go func() { _, err := d.GatherLetters(t.Context(), olga); done <- err }()
	}
	for range 4 {
		works(t, <-done)
	}
	sheets := 0
	works(t, d.store.Pool().QueryRow(t.Context(), "SELECT count(*) FROM print_sheet").Scan(&sheets))
	if sheets != 3 {
		t.Errorf("%d sheets of three letters", sheets)
	}
	works(t, d.press().render(t.Context()))
	if out := gives[[]string](t)(d.press().print(t.Context())); len(out) != 3 {
		t.Errorf("printed %v", out)
	}
	if runs := gives[[]issuance.PrintRun](t)(d.PrintRuns(t.Context(), lifecycle.PrintRunOpen)); len(runs) != 0 {
		t.Errorf("runs left open: %v", runs)
	}
}
