package issuance_test

import (
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// A PIN print job is destroyed after print. Before, the sealed letter stayed for
// ever: whoever got the print room's key years later read every PIN ever sent.
func TestAPINLettersBytesGoWhenItIsPosted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	card := d.cardOf(t, d.approved(t, "card"))
	works(t, d.returned(t, d.atBureau(t), madeAs(card, "PL-1")))
	d.postedCard(t, card)
	plan := gives[issuance.PINLetterPlan](t)(d.BeginPINLetter(t.Context(), card))
	works(t, d.FinishPINLetter(t.Context(), plan, []byte("sealed for the print room")))
	printed := gives[[]lifecycle.PINLetterID](t)(d.PrintPINLetters(t.Context(), olga))
	if len(printed) != 1 {
		t.Fatalf("%d PIN letters were printed", len(printed))
	}
	if content, err := d.Document(t.Context(), string(printed[0])); err != nil || len(content) == 0 {
		t.Fatalf("at the print room: %q, %v", content, err)
	}
	d.pass(96 * time.Hour)
	if posted := gives[issuance.Posted](t)(d.PostLetters(t.Context())); posted.PINLetters != 1 {
		t.Fatalf("posted %+v", posted)
	}
	_, err := d.Document(t.Context(), string(printed[0]))
	refusedAs(t, err, lifecycle.NotFound)
}
