package issuance_test

import (
	"bytes"
	"fmt"
	"testing"

	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/safe"
	"sceau/store/db"
)

// twoKeys is a process that has the test's data key and a second one.
func (h *house) twoKeys(t tb) (*issuance.Service, *safe.Safe) {
	t.Helper()
	both := must[*safe.Safe](t)(safe.New(bytes.Repeat([]byte{0x5A}, safe.KeySize), bytes.Repeat([]byte{0xA5}, safe.KeySize)))
	queue := must[*jobs.Enqueuer](t)(jobs.NewEnqueuer())
	return must[*issuance.Service](t)(issuance.New(h.store, both, queue, jobs.CSRChecker{}, issuance.DefaultPolicy(), h.clock.now)), both
}

func TestEverythingIsSealedAgainUnderANewDataKeyAndTheOldOneIsRetired(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for range 2 { // the house's first, then the new one
		must[int](t)(h.AddDataKey(t.Context(), maxence, fmt.Sprintf("vault:v1:%d", len(must[[]issuance.DataKey](t)(h.DataKeys(t.Context()))))))
	}
	_, err := h.AddDataKey(t.Context(), alix, "vault:v1:x")
	wantKind(t, err, lifecycle.Forbidden)
	cards := h.approved(t, 3)
	batch := h.seal(t)
	plan := h.personalise(t, batch) // its data groupings wait, sealed
	marks := map[lifecycle.CardID][]byte{}
	for _, id := range cards {
		marks[id] = must[db.Card](t)(h.store.Card(t.Context(), id)).PANMark
	}
	numbers := map[lifecycle.CardID]string{}
	for _, id := range cards {
		numbers[id] = h.number(t, id)
	}
	wantKind(t, h.RetireDataKey(t.Context(), maxence, 1), lifecycle.Conflict)
	wantKind(t, h.RetireDataKey(t.Context(), maxence, 2), lifecycle.Illegal) // the newest
	wantKind(t, h.RetireDataKey(t.Context(), leonie, 1), lifecycle.Forbidden)

	newer, both := h.twoKeys(t)
	_, err = newer.Reseal(t.Context(), owen, func(int64, int64) {})
	wantKind(t, err, lifecycle.Forbidden)
	var told [][2]int64
	done := must[int64](t)(newer.Reseal(t.Context(), maxence, func(done, of int64) { told = append(told, [2]int64{done, of}) }))
	if done != 6 || len(told) != 2 || told[0] != [2]int64{3, 6} || told[1] != [2]int64{6, 6} {
		t.Errorf("%d sealed again, told %v", done, told)
	}
	if again := must[int64](t)(newer.Reseal(t.Context(), maxence, func(int64, int64) {})); again != 0 {
		t.Errorf("again: %d", again)
	}
	for _, id := range cards {
		row := must[db.Card](t)(h.store.Card(t.Context(), id))
		got := must[lifecycle.PAN](t)(both.OpenPAN(id, row.PANSealed))
		if got.Reveal() != numbers[id] || safe.Under(row.PANSealed) != 2 || !bytes.Equal(row.PANMark, marks[id]) {
			t.Errorf("card %s: sealed under %d, its mark is the same: %v", id, safe.Under(row.PANSealed), bytes.Equal(row.PANMark, marks[id]))
		}
	}
	file := must[issuance.BatchPlan](t)(newer.BeginBureauFile(t.Context(), plan.Batch))
	if len(file.Cards) != 3 || len(file.Cards[0].DGIs) == 0 {
		t.Errorf("the bureau's file: %+v", file)
	}

	h.event(t, newer.RetireDataKey(t.Context(), maxence, 1))
	wantKind(t, newer.RetireDataKey(t.Context(), maxence, 1), lifecycle.Illegal)
	keys := must[[]issuance.DataKey](t)(h.DataKeys(t.Context()))
	if len(keys) != 2 || keys[0].Retired.IsZero() || keys[0].Sealed != 0 || !keys[1].Retired.IsZero() || keys[1].Sealed != 6 {
		t.Errorf("keys: %+v", keys)
	}
	// A process that has not learnt of the second key cannot lose a number.
	report := must[issuance.ImportReport](t)(newer.ImportOrders(t.Context(), stijn, bytes.NewBufferString(file1(901)), nil))
	if report.Kept != 1 {
		t.Errorf("under the new key: %+v", report)
	}
	if _, err := h.ImportOrders(t.Context(), stijn, bytes.NewBufferString(file1(902)), nil); err == nil {
		t.Error("a card was born under the retired key")
	}
}

// file1 is an order file of one line.
func file1(n int) string { return file(sample(n)) }
