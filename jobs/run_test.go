package jobs

import (
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
)

// What cannot be set or is not given any more is left out, told to staff, and
// holds up nobody else's letter.
func TestARunGoesOnWithoutTheLetterThatCannotBeMade(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	cards := h.orders(t, "card", 4)
	tools := h.tools(t)
	h.toil(t, tools)
	batch := h.seal(t)
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	h.answer(t, batch)
	h.await(t, "every card", "SELECT count(*) = 4 FROM card WHERE state = 'made'")
	// As a holder of before today's rules: too wide for the window.
	wide := cards[0].Card.ID
	_, err := h.admin.Exec(t.Context(), "UPDATE holder h SET city = repeat('W', 32) FROM card c WHERE c.holder_id = h.id AND c.id = $1", wide)
	must(t, err)
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.await(t, "every card letter", "SELECT count(*) FILTER (WHERE state = 'rendered') = 3 AND count(*) FILTER (WHERE state = 'failed') = 1 FROM card_letter")
	h.print(t)
	if posted := get[issuance.Posted](t)(h.PostLetters(t.Context())); posted.CardLetters != 3 {
		t.Errorf("posted %+v", posted)
	}
	void := cards[1].Card.ID
	must(t, tools.Engine.DestroyPIN(t.Context(), void, 1))
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.workPINs(t, h.pinTools(t))
	h.awaitIdle(t, QueuePIN)
	h.await(t, "every PIN letter", "SELECT count(*) FILTER (WHERE state = 'rendered') = 2 AND count(*) FILTER (WHERE state = 'failed') = 1 FROM pin_letter")
	failed := map[lifecycle.CardID]string{}
	for _, f := range get[[]issuance.FailedLetter](t)(h.FailedLetters(t.Context())) {
		failed[f.Card] = f.Why
	}
	if len(failed) != 2 || failed[wide] == "" || failed[void] != "the engine gives its PIN no more: order a new card" {
		t.Errorf("for staff to look at: %v", failed)
	}
	h.print(t)
}
