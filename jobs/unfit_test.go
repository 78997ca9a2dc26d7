package jobs

import (
	"strings"
	"testing"

	"sceau/cms"
	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
)

// A letter is never cut: what does not fit its window waits for a person, and
// goes out once it is mended.
func TestAnAddressThatDoesNotFitIsAFailedOrderUntilItIsMended(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	order := h.orders(t, "card", 1)[0]
	street := strings.Repeat("Rue de la Très Longue ", 6) // from before a rule, or by another hand
	h.change(t, "UPDATE holder SET street = $1 WHERE id = $2", street, order.Card.Holder)
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
	h.looked(t, order.Card.ID, "street")
	h.mend(t, order.Card.Holder)
	must(t, h.Retry(t.Context(), operator, order.ID))
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.await(t, "a letter", "SELECT EXISTS (SELECT FROM card_letter WHERE card_id = $1 AND state = 'rendered')", order.Card.ID)
	if text := h.openLetter(t, string(view.Card.CardLetter)); !strings.Contains(strings.ToUpper(text), "35000 RENNES") {
		t.Errorf("the letter goes to\n%s", text)
	}
}

// looked is that one work item names the card and the field.
func (h *house) looked(t *testing.T, card lifecycle.CardID, field string) {
	t.Helper()
	items := get[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{}))
	if len(items) != 1 || items[0].Card != card || !strings.Contains(items[0].Why, field) {
		t.Errorf("to look at: %+v", items)
	}
}

// mend gives a holder an address that fits.
func (h *house) mend(t *testing.T, holder lifecycle.HolderID) {
	t.Helper()
	manager := lifecycle.Actor{ID: "a.clairvallon", Role: lifecycle.RoleAccountManager}
	get[issuance.Corrected](t)(h.CorrectHolder(t.Context(), manager, holder, issuance.HolderCorrection{
		Address: &issuance.Address{Street: "1 rue de l'Église", Postcode: "35000", City: "Rennes", Country: "FR"}, Why: "it did not fit",
	}))
}

// A PIN letter that does not fit waits for a person too, its PIN not being taken
// out of the engine; mended, it goes out. On the way: letters in large print,
// with the bank's own words, on two sheets each, the PIN on the first.
func TestAPINLetterThatDoesNotFitWaitsAndThenGoesOutInLargePrintByTheBanksTemplate(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	for kind, change := range map[lifecycle.PrintKind][2]string{
		lifecycle.PrintCard: {"title: Ne donnez vos codes", "title: Chez nous, ne donnez vos codes"},
		lifecycle.PrintPIN:  {"title: Ne donnez ce code", "title: Chez nous, ne donnez ce code"},
	} {
		builtIn := get[*letter.Template](t)(letter.BuiltIn(kind))
		ours := get[*letter.Template](t)(letter.ParseTemplate([]byte(strings.Replace(string(builtIn.Canonical()), change[0], change[1], 1))))
		version := get[int](t)(h.ProposeTemplate(t.Context(), operator, kind, ours.Canonical()))
		must(t, h.ApproveTemplate(t.Context(), approver, kind, version, ours.Sum()))
	}
	order := h.orders(t, "card", 1)[0]
	h.change(t, "UPDATE holder SET large_print = true, language = 'fr' WHERE id = $1", order.Card.Holder)
	batch := h.seal(t)
	client := h.work(t, h.tools(t))
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	h.answer(t, batch)
	h.await(t, "a card", "SELECT state = 'made' FROM card WHERE id = $1", order.Card.ID)
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.await(t, "a letter", "SELECT EXISTS (SELECT FROM card_letter WHERE card_id = $1 AND state = 'rendered')", order.Card.ID)
	view := get[issuance.CardView](t)(h.Card(t.Context(), order.Card.ID))
	h.wantTwoSheets(t, string(view.CardLetter), "Chez nous, ne donnez vos codes à personne")
	h.print(t)
	must(t, client.Insert(t.Context(), issuance.PostLettersArgs{}))
	h.await(t, "a card on its way", "SELECT state = 'posted' FROM card WHERE id = $1", order.Card.ID)

	h.change(t, "UPDATE holder SET street = $2 WHERE id = $1", order.Card.Holder, strings.Repeat("Rue de la Très Longue ", 6))
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.workPINs(t, h.pinTools(t))
	h.await(t, "a PIN letter that failed", "SELECT EXISTS (SELECT FROM pin_letter WHERE card_id = $1 AND state = 'failed')", order.Card.ID)
	id := get[issuance.CardView](t)(h.Card(t.Context(), order.Card.ID)).PINLetter
	h.looked(t, order.Card.ID, "street")
	h.mend(t, order.Card.Holder)
	must(t, h.RetryLetter(t.Context(), operator, string(id)))
	if items := get[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{})); len(items) != 0 {
		t.Errorf("still to look at: %+v", items)
	}
	get[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), operator))
	h.await(t, "a PIN letter", "SELECT EXISTS (SELECT FROM pin_letter WHERE card_id = $1 AND state = 'rendered')", order.Card.ID)
	pinOf(t, h.openPINLetter(t, id))
	h.wantTwoSheets(t, string(id), "Chez nous, ne donnez ce code à personne")
}

func (h *house) change(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := h.admin.Exec(t.Context(), query, args...)
	must(t, err)
}

// wantTwoSheets opens a letter of two sheets: the second says what is wanted.
func (h *house) wantTwoSheets(t *testing.T, id, want string) {
	t.Helper()
	document, page := h.sheetOf(t, id)
	var sheets int
	must(t, h.admin.QueryRow(t.Context(), "SELECT sheets FROM print_sheet WHERE letter_id = $1", id).Scan(&sheets))
	sealed := get[[]byte](t)(h.Document(t.Context(), document))
	second := pdfText(t, get[[]byte](t)(cms.Open(sealed, h.printRoom.certificate, h.printRoom.key)), page+1)
	if sheets != 2 || !strings.Contains(second, want) || !strings.Contains(second, id+" · 2/2") || alone.MatchString(second) {
		t.Errorf("letter %s is on %d sheets, the second says\n%s", id, sheets, second)
	}
}
