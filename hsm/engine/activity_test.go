package engine_test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// liveHouse has the keys of a live ceremony.
func liveHouse(t *testing.T) house {
	t.Helper()
	h := newHouse(t)
	for name, usage := range map[string]string{
		"imk-ac": "imk-ac", "imk-smi": "imk-smi", "imk-smc": "imk-smc", "transport": "transport", "bureau-2": "transport",
	} {
		if _, refused := h.call(t, "ANN", "keys/"+name, map[string]any{"usage": usage, "environment": "live"}); refused != "" {
			t.Fatal(refused)
		}
	}
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	return h
}

func TestALivePINIsReleasedOnlyInAWindowThatTwoOfficersOpened(t *testing.T) {
	t.Parallel()
	h := liveHouse(t)
	letter := map[string]any{"card": "C-0000000000000001", "pin_version": "1", "letter": "P-0000000000000001"}
	open := map[string]any{"minutes": "30"}
	h.refusesUnchanged(t, "worker", logical.UpdateOperation, "pin/letter", letter, "activity_closed")
	h.refusesUnchanged(t, "root", logical.UpdateOperation, "activities/pin-letter", open, "dual_control")
	h.refusesUnchanged(t, "ANN", logical.UpdateOperation, "activities/other", open, "invalid")
	h.refusesUnchanged(t, "ANN", logical.UpdateOperation, "activities/pin-letter", map[string]any{"minutes": "721"}, "invalid")
	if answer, refused := h.call(t, "ANN", "activities/pin-letter", open); refused != "" || answer["proposed"] != true {
		t.Fatalf("proposed: %v %s", answer, refused)
	}
	h.refusesUnchanged(t, "worker", logical.UpdateOperation, "pin/letter", letter, "activity_closed")
	h.refusesUnchanged(t, "ANN", logical.UpdateOperation, "activities/pin-letter", open, "dual_control")
	if answer, refused := h.call(t, "BOB", "activities/pin-letter", map[string]any{"minutes": "60"}); refused != "" || answer["proposed"] != true {
		t.Errorf("another window is another proposal: %v %s", answer, refused)
	}
	if answer, refused := h.call(t, "ANN", "activities/pin-letter", map[string]any{"minutes": "60"}); refused != "" || answer["open"] != true {
		t.Fatalf("confirmed: %v %s", answer, refused)
	}
	h.must(t, "pin/letter", letter)
	h.clock.pass(61 * time.Minute)
	h.refusesUnchanged(t, "worker", logical.UpdateOperation, "pin/letter", letter, "activity_closed")
	for _, by := range []string{"ANN", "BOB"} {
		if _, refused := h.call(t, by, "activities/pin-letter", open); refused != "" {
			t.Fatal(refused)
		}
	}
	h.must(t, "pin/letter", letter)
	if _, refused := h.request(t, "ANN", logical.DeleteOperation, "activities/pin-letter", nil); refused != "" {
		t.Fatal(refused)
	}
	h.refusesUnchanged(t, "worker", logical.UpdateOperation, "pin/letter", letter, "activity_closed")
}

func TestACardIsRekeyedForAnotherBureauBeforeItsLetter(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	key := enterKey(t, h, "bureau-2", "transport", one, two, false)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	request := personalise("A-0000000000000002", card("C-0000000000000001"))
	request["transport_key"] = "bureau-2"
	other := card("C-0000000000000001")
	other["expiry"] = "3011"
	changed := personalise("A-0000000000000002", other)
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/rekey", changed, "conflict")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/rekey", personalise(attempt, card("C-0000000000000009")), "unknown_pin")
	image := imageOf(t, h.must(t, "card/rekey", request), key)
	h.must(t, "keys/imk-ac/rotate", nil)
	h.must(t, "keys/imk-smi/rotate", nil)
	h.must(t, "keys/imk-smc/rotate", nil)
	same := imageOf(t, h.must(t, "card/rekey", request), key)
	if string(same.AC) != string(image.AC) || string(same.PINBlock) != string(image.PINBlock) {
		t.Error("a rotation changed the keys of a card that was made before")
	}
	request["renew"] = true
	fresh := imageOf(t, h.must(t, "card/rekey", request), key)
	if string(fresh.AC) == string(image.AC) || string(fresh.SMI) == string(image.SMI) || string(fresh.PINBlock) != string(image.PINBlock) {
		t.Error("renewed under the new keys, the card has its old keys or another PIN")
	}
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", personalise(attempt, card("C-0000000000000001")), "conflict")
	h.must(t, "pin/letter", map[string]any{"card": "C-0000000000000001", "pin_version": "1", "letter": "P-0000000000000001"})
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/rekey", request, "pin_released")
}

func TestLiveCardsAreRekeyedOnlyInAWindow(t *testing.T) {
	t.Parallel()
	h := liveHouse(t)
	request := personalise("A-0000000000000002", card("C-0000000000000001"))
	request["transport_key"] = "bureau-2"
	h.refusesUnchanged(t, "worker", logical.UpdateOperation, "card/rekey", request, "activity_closed")
	for _, by := range []string{"ANN", "BOB"} {
		if _, refused := h.call(t, by, "activities/rekey", map[string]any{}); refused != "" {
			t.Fatal(refused)
		}
	}
	h.must(t, "card/rekey", request)
}
