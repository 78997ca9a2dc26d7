package jobs

import (
	"strings"
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
)

// A letter is never cut: what does not fit its window waits for a person, and
// goes out once it is mended.
func TestAnAddressThatDoesNotFitIsAFailedOrderUntilItIsMended(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	order := h.orders(t, "card", 1)[0]
	street := strings.Repeat("Rue de la Très Longue ", 6) // from before a rule, or by another hand
	if _, err := h.admin.Exec(t.Context(), "UPDATE holder SET street = $1 WHERE id = $2", street, order.Card.Holder); err != nil {
		t.Fatal(err)
	}
	batch := h.seal(t)
	h.work(t, h.tools(t))
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	h.answer(t, batch)
	h.await(t, "a card", "SELECT state = 'made' FROM card WHERE id = $1", order.Card.ID)
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.await(t, "an order that failed", "SELECT state = 'failed' FROM orders WHERE id = $1", order.ID)
	view := get[issuance.OrderView](t)(h.Order(t.Context(), order.ID))
	if !strings.Contains(view.Failure, "street") || strings.Contains(view.Failure, street) || view.Card.State != lifecycle.CardMade {
		t.Errorf("the order failed because %q, its card is %s", view.Failure, view.Card.State)
	}
	if runs := get[[]issuance.PrintRun](t)(h.PrintRuns(t.Context(), lifecycle.PrintRunCancelled)); len(runs) != 1 {
		t.Errorf("a letter was written all the same: %v", runs)
	}
	manager := lifecycle.Actor{ID: "a.clairvallon", Role: lifecycle.RoleAccountManager}
	must(t, h.ChangeAddress(t.Context(), manager, order.Card.Holder, issuance.Address{
		Street: "1 rue de l'Église", Postcode: "35000", City: "Rennes", Country: "FR",
	}))
	must(t, h.Retry(t.Context(), operator, order.ID))
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.await(t, "a letter", "SELECT EXISTS (SELECT FROM card_letter WHERE card_id = $1 AND state = 'rendered')", order.Card.ID)
	if text := h.openLetter(t, string(view.Card.CardLetter)); !strings.Contains(strings.ToUpper(text), "35000 RENNES") {
		t.Errorf("the letter goes to\n%s", text)
	}
}
