package issuance_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// withBureau are n cards of a batch that was sent.
func (h *house) withBureau(t tb, n int) (lifecycle.BatchID, []lifecycle.CardID) {
	t.Helper()
	cards := h.approved(t, n)
	batch := h.seal(t)
	h.personalise(t, batch)
	h.send(t, batch)
	return batch, cards
}

func TestAMadeCardGoesOnToItsLetter(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch, cards := h.withBureau(t, 1)
	h.bureauSays(t, batch, made(cards[0]))
	h.wantCard(t, cards[0], lifecycle.CardMade)
	h.wantBatch(t, batch, lifecycle.BatchReconciled)
	if row := must[db.Card](t)(h.store.Card(t.Context(), cards[0])); row.PlasticSerial == nil || *row.PlasticSerial != made(cards[0]).PlasticSerial {
		t.Errorf("the card's plastic is %v", row.PlasticSerial)
	}
	if got, want := h.lettersWaiting(t), []string{string(cards[0])}; !slices.Equal(got, want) {
		t.Errorf("letters of %q wait, want %q", got, want)
	}
}

func TestABatchIsReconciledWhenEveryCardIsAnswered(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch, cards := h.withBureau(t, 3)
	h.bureauSays(t, batch, made(cards[2]))
	h.wantBatch(t, batch, lifecycle.BatchPartlyReturned)
	h.bureauSays(t, batch, missing(cards[0]), made(cards[1]))
	h.wantBatch(t, batch, lifecycle.BatchPartlyReturned) // a missing card may still turn up
	h.wantCard(t, cards[0], lifecycle.CardWithBureau)
	h.bureauSays(t, batch, made(cards[0]))
	h.wantBatch(t, batch, lifecycle.BatchReconciled)
	h.wantCard(t, cards[0], lifecycle.CardMade)
}

func TestAReturnFileIsTakenOnceAndAppliedOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch, cards := h.withBureau(t, 2)
	content := []byte("the file's bytes")
	file := must[lifecycle.ReturnFileID](t)(h.TakeReturnFile(t.Context(), leonie, batch, content))
	_, err := h.TakeReturnFile(t.Context(), maxence, batch, content)
	wantKind(t, err, lifecycle.Conflict)
	kept, of, err := h.ReturnFile(t.Context(), file)
	if err != nil || of != batch || !bytes.Equal(kept, content) {
		t.Errorf("the file is kept as %q of batch %s, %v", kept, of, err)
	}
	answers := []issuance.BureauAnswer{made(cards[0]), spoiled(cards[1])}
	h.event(t, h.ApplyReturn(t.Context(), file, answers, nil))
	before := must[int64](t)(h.store.CountAudit(t.Context()))
	h.event(t, h.ApplyReturn(t.Context(), file, answers, nil))
	if after := must[int64](t)(h.store.CountAudit(t.Context())); after != before {
		t.Errorf("applied again, it made %d entries", after-before)
	}
	if row := must[db.Card](t)(h.store.Card(t.Context(), cards[1])); row.PSN != 2 || row.PINVersion != 2 {
		t.Errorf("applied twice, the spoiled card has PSN %d and PIN %d", row.PSN, row.PINVersion)
	}
	_, err = h.TakeReturnFile(t.Context(), leonie, batch, content) // also when the batch is done
	wantKind(t, err, lifecycle.Conflict)
	if jobs := h.queued(t, lifecycle.JobBureauReturn); len(jobs) != 1 {
		t.Errorf("%d jobs for one file", len(jobs))
	}
}

func TestAReturnFileIsAppliedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	h := setup(t)
	other, foreign := h.withBureau(t, 1)
	batch, cards := h.withBureau(t, 3)
	h.bureauSays(t, batch, made(cards[0]))
	again := made(cards[0])
	again.PlasticSerial = "PL-ANOTHER"
	taken := made(cards[1])
	taken.PlasticSerial = made(cards[0]).PlasticSerial
	unknown := made("C-0000000000000000")
	odd := issuance.BureauAnswer{Card: cards[1], Result: "eaten"}
	for name, wrong := range map[string]issuance.BureauAnswer{
		"a card of another batch": made(foreign[0]), "a card that is none": unknown, "a card answered before": again,
		"another card's plastic": taken, "an answer that is none": odd,
	} {
		t.Run(name, func(t *testing.T) {
			file := h.take(t, batch, made(cards[2]), wrong)
			err := h.ApplyReturn(t.Context(), file, []issuance.BureauAnswer{made(cards[2]), wrong}, nil)
			wantKind(t, err, lifecycle.Invalid) // no retry can help: staff must look
			h.wantCard(t, cards[1], lifecycle.CardWithBureau)
			h.wantCard(t, cards[2], lifecycle.CardWithBureau)
			h.wantBatch(t, batch, lifecycle.BatchPartlyReturned)
			h.wantBatch(t, other, lifecycle.BatchSent)
		})
	}
}

func TestAReturnFileComesForABatchThatWasSent(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.approved(t, 1)
	batch := h.seal(t)
	early := func() {
		t.Helper()
		_, err := h.TakeReturnFile(t.Context(), leonie, batch, []byte("early"))
		wantKind(t, err, lifecycle.Illegal)
	}
	early()
	h.personalise(t, batch)
	early()
	_, err := h.TakeReturnFile(t.Context(), leonie, "B-0000000000000000", []byte("x"))
	wantKind(t, err, lifecycle.NotFound)
	for _, content := range [][]byte{nil, make([]byte, 8<<20+1)} {
		_, err = h.TakeReturnFile(t.Context(), leonie, batch, content)
		wantField(t, err, "file")
	}
	_, _, err = h.ReturnFile(t.Context(), "R-0000000000000000")
	wantKind(t, err, lifecycle.NotFound)
	wantKind(t, h.ApplyReturn(t.Context(), "R-0000000000000000", nil, nil), lifecycle.NotFound)
}

func TestASpoiledCardIsMadeAgainWithAnotherSequenceNumberAndPIN(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch, cards := h.withBureau(t, 1)
	card := cards[0]
	order := must[issuance.CardView](t)(h.Card(t.Context(), card)).Order
	h.bureauSays(t, batch, spoiled(card))
	h.wantCard(t, card, lifecycle.CardApproved)
	h.wantBatch(t, batch, lifecycle.BatchReconciled)
	if got, want := h.queued(t, lifecycle.JobPINDestroy), []string{fmt.Sprintf(`{"card": "%s", "pin_version": 1}`, card)}; !slices.Equal(got, want) {
		t.Errorf("PINs to destroy %q, want the first: %q", got, want)
	}
	row := must[db.Card](t)(h.store.Card(t.Context(), card))
	if row.PSN != 2 || row.PINVersion != 2 || row.BatchID != nil {
		t.Errorf("PSN %d, PIN %d, batch %v; want 2, 2, none", row.PSN, row.PINVersion, row.BatchID)
	}
	second := h.seal(t)
	h.wantOrder(t, order, lifecycle.OrderInProgress)
	plan := h.personalise(t, second)
	if plan.Cards[0].PSN != 2 || plan.Cards[0].PINVersion != 2 || plan.Cards[0].PAN.Reveal() != h.number(t, card) {
		t.Errorf("made again as %+v", plan.Cards[0])
	}
	h.send(t, second)
	h.bureauSays(t, second, made(card))
	h.wantCard(t, card, lifecycle.CardMade)
	if evidence := h.batchCards(t, batch)[0]; deref(evidence.Result) != lifecycle.BureauSpoiled || evidence.Reason != "chip" || evidence.PSN != 1 {
		t.Errorf("the spoiled plastic's row is %+v", evidence)
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func TestAMissingCardIsMadeAgainWhenStaffSaySo(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch, cards := h.withBureau(t, 2)
	card := cards[0]
	h.bureauSays(t, batch, missing(card), made(cards[1]))
	for _, by := range []lifecycle.Actor{alix, irene, owen, helene, online, system} {
		wantKind(t, h.Remake(t.Context(), by, card), lifecycle.Forbidden)
	}
	h.event(t, h.Remake(t.Context(), leonie, card))
	h.wantBatch(t, batch, lifecycle.BatchReconciled) // nothing is awaited of it any more
	h.wantCard(t, card, lifecycle.CardApproved)
	if row := must[db.Card](t)(h.store.Card(t.Context(), card)); row.PSN != 2 || row.PINVersion != 2 {
		t.Errorf("PSN %d, PIN %d, want 2 and 2", row.PSN, row.PINVersion)
	}
	wantKind(t, h.Remake(t.Context(), maxence, card), lifecycle.Illegal)
	wantKind(t, h.Remake(t.Context(), maxence, "C-0000000000000000"), lifecycle.NotFound)
	h.walk(t, card, lifecycle.CardActive)
}

func TestACardMadeAgainWhileOthersAreAwaitedLeavesItsBatchOpen(t *testing.T) {
	t.Parallel()
	h := setup(t)
	batch, cards := h.withBureau(t, 2)
	h.bureauSays(t, batch, missing(cards[0]))
	h.event(t, h.Remake(t.Context(), leonie, cards[0]))
	h.wantBatch(t, batch, lifecycle.BatchPartlyReturned)
	h.bureauSays(t, batch, made(cards[1]))
	h.wantBatch(t, batch, lifecycle.BatchReconciled)
}
