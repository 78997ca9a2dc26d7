package issuance_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

func TestALetterThatComesBackStopsItsCardAndIsLookedAt(t *testing.T) {
	t.Parallel()
	for _, kind := range []lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			id := h.card(t, lifecycle.CardPosted)
			letter := string(h.cardLetter(t, id).ID)
			if kind == lifecycle.PrintPIN {
				letter = string(h.printPINLetter(t, id))
				_, err := h.TakeReturnedMail(t.Context(), leonie, letter, lifecycle.MailRefused)
				wantKind(t, err, lifecycle.Illegal) // it has not left the house
				h.wantCard(t, id, lifecycle.CardPosted)
				h.clock.advance(7 * 24 * time.Hour)
				h.post(t)
			}
			_, err := h.TakeReturnedMail(t.Context(), alix, letter+" 1/1", lifecycle.MailUnclaimed)
			wantKind(t, err, lifecycle.Forbidden)
			mail := must[issuance.ReturnedMail](t)(h.TakeReturnedMail(t.Context(), leonie, letter+" 1/1", lifecycle.MailUnclaimed))
			if mail.Card != id || mail.Letter != letter || mail.Receipt == "" {
				t.Errorf("taken: %+v", mail)
			}
			h.wantCard(t, id, lifecycle.CardOpposed)
			if jobs := h.queued(t, lifecycle.JobPINDestroy); len(jobs) == 0 {
				t.Error("its PIN is kept")
			}
			_, err = h.TakeReturnedMail(t.Context(), leonie, letter, lifecycle.MailUnclaimed)
			wantKind(t, err, lifecycle.Illegal)
			items := must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{}))
			if len(items) != 1 || items[0].ID != string(mail.Work) || items[0].Card != id || items[0].On != letter || !strings.Contains(items[0].Why, "unclaimed") {
				t.Errorf("to look at: %+v", items)
			}
			h.event(t, h.DestroyLetter(t.Context(), leonie, letter))
			wantKind(t, h.ResolveWork(t.Context(), owen, string(mail.Work), "address corrected"), lifecycle.Forbidden)
			wantKind(t, h.ResolveWork(t.Context(), alix, string(mail.Work), ""), lifecycle.Invalid)
			h.event(t, h.ResolveWork(t.Context(), alix, string(mail.Work), "address corrected, new card ordered"))
			wantKind(t, h.ResolveWork(t.Context(), alix, string(mail.Work), "once more"), lifecycle.NotFound)
			if items := must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{})); len(items) != 0 {
				t.Errorf("still open: %+v", items)
			}
		})
	}
}

func TestAScanThatIsNoLetterIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	const known = "L-06EX0ABCDE7K2M4N"
	for _, scanned := range []string{
		"", " ", "L-1", "C-06EX0ABCDE7K2M4N", known + " 0/2", known + " 3/2", known + " 1/4", known + " 1/1 x", known + "\x00", "l-06ex0abcde7k2m4n",
		strings.Repeat("L", 65), "https://bank.example/" + known,
	} {
		_, err := h.TakeReturnedMail(t.Context(), leonie, scanned, lifecycle.MailUnknown)
		var wrong *lifecycle.FieldError
		if !errors.As(err, &wrong) || wrong.Field != "letter" {
			t.Errorf("%q: %v", scanned, err)
		}
	}
	_, err := h.TakeReturnedMail(t.Context(), leonie, known+" 1/1", lifecycle.MailUnknown)
	wantKind(t, err, lifecycle.NotFound)
	_, err = h.TakeReturnedMail(t.Context(), leonie, known+" 2/2", lifecycle.MailUnknown) // the second sheet of one in large print
	wantKind(t, err, lifecycle.NotFound)
	_, err = h.TakeReturnedMail(t.Context(), leonie, known, "no reason")
	wantKind(t, err, lifecycle.Invalid)
	if items := fmt.Sprint(must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{}))); items != "[]" {
		t.Errorf("opened %s", items)
	}
}
