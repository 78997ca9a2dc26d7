package engine_test

import (
	"strings"
	"testing"
)

// Vault's audit log holds an HMAC of each string of an answer, and sys/audit-hash
// computes it for whoever may ask: of a bare PIN, ten thousand questions told
// which it was. Nobody must learn a PIN (ISO 9564-1).
func TestAPINTravelsInAStringThatNobodyCanTry(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	release := map[string]any{"card": "C-0000000000000001", "pin_version": "1", "letter": "P-0000000000000001"}
	seen := map[string]bool{}
	pins := map[string]bool{}
	for range 3 {
		text, ok := h.must(t, "pin/letter", release)["pin"].(string)
		if !ok {
			t.Fatal("the PIN is no string")
		}
		pin, noise, _ := strings.Cut(text, ".")
		if len(pin) != 4 || len(noise) < 32 { // 128 bits in hexadecimal
			t.Errorf("%d digits and %d characters of noise", len(pin), len(noise))
		}
		seen[text], pins[pin] = true, true
	}
	if len(seen) != 3 || len(pins) != 1 {
		t.Errorf("three releases gave %d PINs in %d strings, want 1 in 3", len(pins), len(seen))
	}
}
