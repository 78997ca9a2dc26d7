package hsm_test

import (
	"sync"
	"testing"

	"sceau/hsm"
)

// callersAtOnce are enough to share calls.
const callersAtOnce = 50

func TestCallersAtOnceEachGetTheirOwnAnswer(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	cards, images := h.personalise(t, 2)
	var group sync.WaitGroup
	for i := range callersAtOnce {
		card, atc := i%2, 1+i/2
		check := hsm.CAPCheck{
			PAN: cards[card].PAN, PSN: 1, Profile: h.profile, Mode: hsm.Mode2, Code: code(t, images[card], uint16(atc)), Window: 64, Scripts: []int{0},
		}
		want := hsm.CAPAnswer{Valid: true, ATC: atc}
		if i%5 == 0 { // a spent code
			check.LastATC, want = atc, hsm.CAPAnswer{}
		}
		group.Go(func() {
			answers, err := h.api.VerifyCAP(t.Context(), []hsm.CAPCheck{check})
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
			} else if answers[0] != want {
				t.Errorf("caller %d got %+v, want %+v", i, answers[0], want)
			}
		})
	}
	group.Wait()
}
