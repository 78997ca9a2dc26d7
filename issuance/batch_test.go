package issuance_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// approved are n approved cards, the oldest first.
func (h *house) approved(t tb, n int) []lifecycle.CardID {
	t.Helper()
	cards := make([]lifecycle.CardID, n)
	for i := range cards {
		cards[i] = h.card(t, lifecycle.CardApproved)
		h.clock.advance(time.Second)
	}
	return cards
}

func (h *house) batchCards(t tb, id lifecycle.BatchID) []db.BatchCardsRow {
	t.Helper()
	return must[[]db.BatchCardsRow](t)(h.store.BatchCards(t.Context(), id))
}

func (h *house) wantBatch(t tb, id lifecycle.BatchID, state lifecycle.BatchState) {
	t.Helper()
	if got := must[db.Batch](t)(h.store.Batch(t.Context(), id)).State; got != state {
		t.Errorf("batch is %s, want %s", got, state)
	}
}

func (h *house) oppose(t tb, id lifecycle.CardID) issuance.Opposition {
	t.Helper()
	return must[issuance.Opposition](t)(h.Oppose(t.Context(), online, id, lifecycle.CardStolen))
}

func planned(plan issuance.BatchPlan) []lifecycle.CardID {
	var cards []lifecycle.CardID
	for _, c := range plan.Cards {
		cards = append(cards, c.Card)
	}
	return cards
}

func TestABatchTakesTheOldestApprovedCardsUpToItsSize(t *testing.T) {
	t.Parallel()
	h := setupWith(t, func(p *issuance.Policy) { p.BatchSize = 2 })
	if id, n, err := h.SealBatch(t.Context(), leonie); id != "" || n != 0 || err != nil {
		t.Errorf("with no card waiting: batch %q of %d, %v", id, n, err)
	}
	cards := h.approved(t, 3)
	ordered := h.card(t, lifecycle.CardOrdered)
	first, second := h.seal(t), h.seal(t)
	for batch, want := range map[lifecycle.BatchID][]lifecycle.CardID{first: cards[:2], second: cards[2:]} {
		var got []lifecycle.CardID
		for _, row := range h.batchCards(t, batch) {
			got = append(got, row.CardID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("batch %s has %v, want %v", batch, got, want)
		}
	}
	h.wantCard(t, ordered, lifecycle.CardOrdered)
	batches := must[[]issuance.BatchView](t)(h.Batches(t.Context()))
	if len(batches) != 2 || batches[0].ID != first || batches[1].Sequence != batches[0].Sequence+1 {
		t.Errorf("batches %+v, want two numbered one after the other", batches)
	}
	if got, want := h.queued(t, lifecycle.JobPersonalise), []string{fmt.Sprintf(`{"batch": "%s"}`, first), fmt.Sprintf(`{"batch": "%s"}`, second)}; !slices.Equal(got, want) {
		t.Errorf("jobs %q, want %q", got, want)
	}
}

func TestOnlyThePostRoomSealsABatch(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, by := range everyone {
		h.approved(t, 1)
		_, n, err := h.SealBatch(t.Context(), by)
		if by.Role == lifecycle.RoleOperator || by.Role == lifecycle.RoleSystem {
			if err != nil || n == 0 {
				t.Errorf("%s: %d cards, %v", by, n, err)
			}
			continue
		}
		wantKind(t, err, lifecycle.Forbidden)
	}
}

func TestTwoOperatorsNeverSealOneCardTwice(t *testing.T) {
	t.Parallel()
	h := setupWith(t, func(p *issuance.Policy) { p.BatchSize = 2 })
	cards := h.approved(t, 12)
	var operators sync.WaitGroup
	for range 8 {
		operators.Go(func() {
			if _, _, err := h.SealBatch(t.Context(), leonie); err != nil {
				t.Errorf("seal: %v", err)
			}
		})
	}
	operators.Wait()
	for _, card := range cards {
		h.wantCard(t, card, lifecycle.CardPersonalising)
	}
	var rows int
	if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM batch_card").Scan(&rows); err != nil || rows != len(cards) {
		t.Errorf("%d cards are in batches, want %d; %v", rows, len(cards), err)
	}
}

func TestALateWorkerOfABatchLosesOnTheFence(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.approved(t, 1)[0]
	batch := h.seal(t)
	late := must[issuance.BatchPlan](t)(h.BeginPersonalise(t.Context(), batch))
	newest := must[issuance.BatchPlan](t)(h.BeginPersonalise(t.Context(), batch))
	if late.Attempt != newest.Attempt || newest.Fence != late.Fence+1 || !slices.Equal(planned(late), []lifecycle.CardID{card}) {
		t.Errorf("plans %+v and %+v, want one attempt and rising fences", late, newest)
	}
	wantKind(t, h.FinishPersonalise(t.Context(), late, answered(late), nil), lifecycle.Conflict)
	h.wantCard(t, card, lifecycle.CardPersonalising)
	h.event(t, h.FinishPersonalise(t.Context(), newest, answered(newest), nil))
	wantKind(t, h.FinishPersonalise(t.Context(), late, answered(late), nil), lifecycle.Conflict)

	late = must[issuance.BatchPlan](t)(h.BeginBureauFile(t.Context(), batch))
	newest = must[issuance.BatchPlan](t)(h.BeginBureauFile(t.Context(), batch))
	wantKind(t, h.FinishBureauFile(t.Context(), late, []byte("late"), nil), lifecycle.Conflict)
	h.event(t, h.FinishBureauFile(t.Context(), newest, []byte("newest"), nil))
	if got := must[[]byte](t)(h.Document(t.Context(), string(batch))); string(got) != "newest" {
		t.Errorf("the bureau gets %q", got)
	}
	_, err := h.BeginBureauFile(t.Context(), batch) // a sequence number is sent once
	wantKind(t, err, lifecycle.Illegal)
	_, err = h.BeginPersonalise(t.Context(), batch)
	wantKind(t, err, lifecycle.Illegal)
}

func TestWhatTheBureauGetsIsForgottenHere(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.approved(t, 1)[0]
	batch := h.seal(t)
	first := h.personalise(t, batch)
	plan := must[issuance.BatchPlan](t)(h.BeginBureauFile(t.Context(), batch))
	c := plan.Cards[0]
	if c.Card != card || string(c.DGIs) == "" || plan.TransportKCV != "08D7B4" || plan.Bureau != "bureau-1" || c.Surname != "Montclair" ||
		c.Company != "Ateliers Montclair" || plan.Sequence != first.Sequence || !plan.Created.Equal(plan.Created.Truncate(time.Second)) {
		t.Errorf("the file is made of %+v", plan)
	}
	h.event(t, h.FinishBureauFile(t.Context(), plan, []byte("sealed"), nil))
	if row := h.batchCards(t, batch)[0]; row.DGIs != nil {
		t.Errorf("the data groupings are kept: %q", row.DGIs)
	}
	h.wantCard(t, card, lifecycle.CardWithBureau)
	h.wantBatch(t, batch, lifecycle.BatchSent)
}

func TestAResultAndTheEndOfItsJobAreKeptTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.approved(t, 1)[0]
	batch := h.seal(t)
	plan := must[issuance.BatchPlan](t)(h.BeginPersonalise(t.Context(), batch))
	failure := errors.New("the job's row is gone")
	err := h.FinishPersonalise(t.Context(), plan, answered(plan), func(pgx.Tx) error { return failure })
	if !errors.Is(err, failure) {
		t.Errorf("error = %v, want the job's", err)
	}
	h.wantCard(t, card, lifecycle.CardPersonalising)
	ended := false
	h.event(t, h.FinishPersonalise(t.Context(), plan, answered(plan), func(pgx.Tx) error {
		ended = true
		return nil
	}))
	if !ended {
		t.Error("the job was not ended")
	}
}

func TestACardStoppedOnItsWayIsPassedOver(t *testing.T) {
	t.Parallel()
	h := setup(t)
	cards := h.approved(t, 5)
	batch := h.seal(t)
	early, atVault, beforeFile, inFile, kept := cards[0], cards[1], cards[2], cards[3], cards[4]
	h.oppose(t, early)
	plan := must[issuance.BatchPlan](t)(h.BeginPersonalise(t.Context(), batch))
	if !slices.Equal(planned(plan), cards[1:]) {
		t.Errorf("personalised are %v, want all but the first of %v", planned(plan), cards)
	}
	destroyed := len(h.queued(t, lifecycle.JobPINDestroy))
	h.oppose(t, atVault)
	h.event(t, h.FinishPersonalise(t.Context(), plan, answered(plan), nil))
	if got := len(h.queued(t, lifecycle.JobPINDestroy)); got != destroyed+2 {
		t.Errorf("%d PINs to destroy for a card stopped while its worker was at Vault, want one for the stop and one for the PIN made after it", got-destroyed)
	}
	if row := h.batchCards(t, batch)[1]; row.CardID != atVault || row.DGIs != nil {
		t.Errorf("a stopped card has data: %+v", row)
	}
	h.oppose(t, beforeFile)
	plan = must[issuance.BatchPlan](t)(h.BeginBureauFile(t.Context(), batch))
	if !slices.Equal(planned(plan), cards[3:]) {
		t.Errorf("the file has %v, want the last two of %v", planned(plan), cards)
	}
	h.oppose(t, inFile)
	h.event(t, h.FinishBureauFile(t.Context(), plan, []byte("sealed"), nil))
	h.wantCard(t, kept, lifecycle.CardWithBureau)
	h.wantBatch(t, batch, lifecycle.BatchSent)
	h.bureauSays(t, batch, made(kept))
	h.wantBatch(t, batch, lifecycle.BatchPartlyReturned) // the file had two
	h.bureauSays(t, batch, made(inFile))
	h.wantBatch(t, batch, lifecycle.BatchReconciled)
	h.wantCard(t, inFile, lifecycle.CardOpposed)
	if letters := h.printAll(t); len(letters) != 1 {
		t.Errorf("%d card letters, want one", len(letters))
	}
}

func TestABatchOfWhichEveryCardWasStoppedEndsWithoutAFile(t *testing.T) {
	t.Parallel()
	h := setup(t)
	before, after := h.approved(t, 1)[0], lifecycle.CardID("")
	first := h.seal(t)
	h.oppose(t, before)
	after = h.approved(t, 1)[0]
	second := h.seal(t)
	h.personalise(t, first)
	h.personalise(t, second)
	h.oppose(t, after)
	for _, batch := range []lifecycle.BatchID{first, second} {
		plan := must[issuance.BatchPlan](t)(h.BeginBureauFile(t.Context(), batch))
		if len(plan.Cards) != 0 {
			t.Fatalf("the file has %v", planned(plan))
		}
		h.event(t, h.FinishBureauFile(t.Context(), plan, nil, nil))
		h.wantBatch(t, batch, lifecycle.BatchReconciled)
		_, err := h.Document(t.Context(), string(batch))
		wantKind(t, err, lifecycle.NotFound)
	}
}
