package issuance_test

import (
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
)

// Before, the late answer of the first batch made the second batch's card: the
// old plastic went out under a sequence number whose codes nobody verifies, and
// the right one was passed over.
func TestALateAnswerForALostCardDoesNotMakeTheOneThatReplacesIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	card := d.cardOf(t, d.approved(t, "card"))
	first := d.atBureau(t)
	works(t, d.returned(t, first, issuance.BureauAnswer{Card: card, Result: lifecycle.BureauMissing}))
	works(t, d.Remake(t.Context(), olga, card))
	second := d.atBureau(t)
	if first == second {
		t.Fatal("the card is in the same batch")
	}
	works(t, d.returned(t, first, madeAs(card, "PL-1")))
	row, err := d.store.Card(t.Context(), card)
	works(t, err)
	if row.State != lifecycle.CardWithBureau || row.PlasticSerial != nil || row.PSN != 2 {
		t.Fatalf("after the late answer the card is %s, plastic %v, sequence number %d", row.State, row.PlasticSerial, row.PSN)
	}
	works(t, d.returned(t, second, madeAs(card, "PL-2")))
	row, err = d.store.Card(t.Context(), card)
	works(t, err)
	if row.State != lifecycle.CardMade || row.PlasticSerial == nil || *row.PlasticSerial != "PL-2" {
		t.Errorf("after its own answer the card is %s, plastic %v", row.State, row.PlasticSerial)
	}
}

func TestALateSpoiledAnswerDoesNotSpoilTheCardThatReplacesIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	card := d.cardOf(t, d.approved(t, "card"))
	first := d.atBureau(t)
	works(t, d.returned(t, first, issuance.BureauAnswer{Card: card, Result: lifecycle.BureauMissing}))
	works(t, d.Remake(t.Context(), olga, card))
	d.atBureau(t)
	works(t, d.returned(t, first, issuance.BureauAnswer{Card: card, Result: lifecycle.BureauSpoiled, Reason: "chip"}))
	row, err := d.store.Card(t.Context(), card)
	works(t, err)
	if row.State != lifecycle.CardWithBureau || row.PSN != 2 || row.PINVersion != 2 {
		t.Errorf("the card is %s, sequence number %d, PIN %d", row.State, row.PSN, row.PINVersion)
	}
}
