package issuance_test

import (
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// A PIN print job is destroyed after print. Before, the sealed letter stayed for
// ever: whoever got the print room's key years later read every PIN ever sent.
func TestAPINRunsFileGoesWhenItIsPrinted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	card := d.cardOf(t, d.approved(t, "card"))
	works(t, d.returned(t, d.atBureau(t), madeAs(card, "PL-1")))
	d.postedCard(t, card)
	works(t, d.press().gather(t.Context()))
	run := gives[[]issuance.PrintRun](t)(d.PrintRuns(t.Context(), lifecycle.PrintRunRendered))[0]
	document := issuance.RunDocument(run.ID, 1)
	job := gives[issuance.PrintJob](t)(d.StartPrinting(t.Context(), olga, run.ID, issuance.Printer{Name: "PIN printer", Counter: 100}))
	if content, err := d.Document(t.Context(), document); err != nil || len(content) == 0 {
		t.Fatalf("at the print room: %q, %v", content, err)
	}
	works(t, d.InterruptPrinting(t.Context(), olga, run.ID, came(job, 0)))
	if content, err := d.Document(t.Context(), document); err != nil || len(content) == 0 {
		t.Fatalf("while the run is interrupted: %q, %v", content, err)
	}
	printed := gives[issuance.PrintJob](t)(d.StartPrinting(t.Context(), olga, run.ID, issuance.Printer{Name: "PIN printer", Counter: 100}))
	works(t, d.EndPrinting(t.Context(), olga, run.ID, came(printed, 1)))
	_, err := d.Document(t.Context(), document)
	refusedAs(t, err, lifecycle.NotFound)
	d.pass(96 * time.Hour)
	if posted := gives[issuance.Posted](t)(d.PostLetters(t.Context())); posted.PINLetters != 1 {
		t.Fatalf("posted %+v", posted)
	}
}

// What is not printed within the age is never printed: a run's file is erased,
// its PINs are void, and its card letters are printed anew.
func TestAnOldFileIsErasedAndWhatWasNotPrintedIsVoid(t *testing.T) {
	t.Parallel()
	h := setup(t)
	posted, made := h.card(t, lifecycle.CardPosted), h.card(t, lifecycle.CardMade)
	h.event(t, h.press().gather(t.Context()))
	for _, days := range []time.Duration{29, 2} {
		h.clock.advance(days * 24 * time.Hour)
		files, runs, err := h.ForgetRunFiles(t.Context())
		if err != nil || days == 29 && (files != 0 || runs != 0) || days == 2 && (files != 1 || runs != 2) {
			t.Errorf("after %d days more: %d files and %d runs, %v", days, files, runs, err)
		}
	}
	if letter := h.pinLetter(t, posted); letter.State != lifecycle.LetterSpoiled {
		t.Errorf("the PIN letter is %s", letter.State)
	}
	if jobs := h.queued(t, lifecycle.JobPINDestroy); len(jobs) != 1 {
		t.Errorf("PINs to destroy: %q", jobs)
	}
	if letter := h.cardLetter(t, made); letter.State != lifecycle.LetterRequested {
		t.Errorf("the card letter is %s", letter.State)
	}
	if out := h.printAll(t); len(out) != 1 || out[0] != string(h.cardLetter(t, made).ID) {
		t.Errorf("printed anew: %v", out)
	}
	var documents int
	if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM document WHERE id LIKE 'PR-%'").Scan(&documents); err != nil || documents != 1 {
		t.Errorf("%d files are left, want the new run's, %v", documents, err)
	}
	h.event(t, h.DestroyLetter(t.Context(), leonie, string(h.pinLetter(t, posted).ID)))
	var who string
	err := h.pool.QueryRow(t.Context(), "SELECT actor FROM audit_entry WHERE thing = 'PIN letter' AND event = 'destroy'").Scan(&who)
	if err != nil || who != leonie.ID {
		t.Errorf("destroyed by %q, %v", who, err)
	}
}
