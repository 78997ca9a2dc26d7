package engine_test

import (
	"strings"
	"testing"
)

// "The same attempt gets the same answer" was wider than a retry needs: with the
// attempt, which stands in the database, keys and PIN of any card ever made were
// given again, for as long as the PIN was not destroyed, and under any transport
// key, such as one whose components somebody knows.
func TestACardIsGivenAgainToItsOwnBatchAlone(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	h.must(t, "keys/transport-known", map[string]any{"usage": "transport"})
	first := h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	if again := h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001"))); first["cards"] == nil ||
		dgis(t, again) != dgis(t, first) {
		t.Error("the same attempt got another answer")
	}
	other := personalise(attempt, card("C-0000000000000001"))
	other["transport_key"] = "transport-known"
	if _, refused := h.call(t, "officer", "card/personalise", other); !strings.HasPrefix(refused, "conflict: ") {
		t.Errorf("under another transport key: %q", refused)
	}
	h.must(t, "pin/letter", map[string]any{"card": "C-0000000000000001", "pin_version": "1", "letter": "P-0000000000000001"})
	if _, refused := h.call(t, "officer", "card/personalise", personalise(attempt, card("C-0000000000000001"))); !strings.HasPrefix(refused, "pin_released: ") {
		t.Errorf("once the PIN is in its letter: %q", refused)
	}
}

// dgis are the data groupings of an answer's one card.
func dgis(t *testing.T, answer map[string]any) string {
	t.Helper()
	cards, ok := answer["cards"].([]map[string]any)
	if !ok || len(cards) != 1 {
		t.Fatalf("answered %v", answer)
	}
	text, ok := cards[0]["dgis"].(string)
	if !ok || text == "" {
		t.Fatal("the answer has no data groupings")
	}
	return text
}
