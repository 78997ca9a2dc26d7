package engine_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
)

// torn is storage that reports the failure of a write to a batch of PINs: of one
// that it did not do, or of one that it did.
type torn struct {
	logical.Storage

	fails, done bool
}

func (s *torn) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if !s.fails || !strings.HasPrefix(entry.Key, "pin-batch/") {
		return s.Storage.Put(ctx, entry)
	}
	if s.done {
		_ = s.Storage.Put(ctx, entry) // it is what the test is about that nobody hears of it
	}
	return errDisk
}

func (h house) listed(t *testing.T, folder string) []string {
	t.Helper()
	names, err := h.storage.List(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func cardsNumbered(n int) []any {
	cards := make([]any, n)
	for i := range cards {
		cards[i] = card(fmt.Sprintf("C-%016d", i))
	}
	return cards
}

func base64Hex(t *testing.T, text string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return crypt.Hex(raw).String()
}

func letterOf(i int) map[string]any {
	return map[string]any{"card": fmt.Sprintf("C-%016d", i), "pin_version": "1", "letter": fmt.Sprintf("P-%016d", i)}
}

func TestThePINsOfACallAreOneEntryUntilSomethingChangesAboutEach(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	const cards = 5
	first := h.must(t, "card/personalise", personalise(attempt, cardsNumbered(cards)...))
	if own, batches := h.listed(t, "pin/"), h.listed(t, "pin-batch/"); len(own) != 0 || len(batches) != 1 {
		t.Fatalf("after the call: own entries %v, batches %v", own, batches)
	}
	pins := map[int]any{}
	for i := range cards {
		h = h.restarted(t) // which knows nothing but the storage
		if i == 2 {
			again := h.must(t, "card/personalise", personalise(attempt, cardsNumbered(cards)[2:]...))
			made, _ := first["cards"].([]map[string]any)
			if same, _ := again["cards"].([]map[string]any); len(same) != cards-2 || same[0]["dgis"] != made[2]["dgis"] {
				t.Error("the same attempt got other cards after a restart")
			}
		}
		pins[i], _, _ = strings.Cut(h.must(t, "pin/letter", letterOf(i))["pin"].(string), ".")
		h.must(t, "pin/close", letterOf(i))
		if own, batches := h.listed(t, "pin/"), h.listed(t, "pin-batch/"); len(own) != i+1 || (len(batches) == 0) != (i == cards-1) {
			t.Errorf("after letter %d: own entries %v, batches %v", i, own, batches)
		}
	}
	for i := range cards {
		h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/letter", letterOf(i), "pin_closed")
		h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", personalise(attempt, cardsNumbered(cards)[i]), "pin_released")
	}
}

func TestOneWrongCardMakesNoneOfItsCall(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	h.must(t, "card/personalise", personalise("A-0000000000000009", cardsNumbered(3)[2]))
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", personalise(attempt, cardsNumbered(3)...), "conflict")
	h.must(t, "card/personalise", personalise(attempt, cardsNumbered(2)...))
}

// A failed write may have been done all the same, as when a Raft leader loses its
// office in the middle of it. Then those PINs are the cards'; in no case has a card
// two.
func TestAfterAWriteOfWhichNobodyKnowsTheEndEachCardHasOnePIN(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		h := withKeys(t)
		disk := &torn{Storage: h.storage, fails: true, done: done}
		h.storage = disk
		ask := &logical.Request{Operation: logical.UpdateOperation, Path: "card/personalise", Storage: disk, Data: personalise(attempt, cardsNumbered(3)...)}
		if _, err := h.backend.HandleRequest(t.Context(), ask); !errors.Is(err, errDisk) {
			t.Fatalf("done %t: error %v", done, err)
		}
		disk.fails = false
		made, _ := h.must(t, "card/personalise", personalise(attempt, cardsNumbered(3)...))["cards"].([]map[string]any)
		h = h.restarted(t)
		again, _ := h.must(t, "card/personalise", personalise(attempt, cardsNumbered(3)...))["cards"].([]map[string]any)
		for i := range made {
			if made[i]["dgis"] != again[i]["dgis"] {
				t.Errorf("done %t: card %d has another PIN after a restart", done, i)
			}
		}
		if batches := h.listed(t, "pin-batch/"); len(batches) != 1 {
			t.Errorf("done %t: batches %v", done, batches)
		}
	}
}

func TestCardsComeAndGoAsOneText(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	listed, _ := h.must(t, "card/personalise", personalise(attempt, cardsNumbered(2)...))["cards"].([]map[string]any)
	ask := personalise(attempt)
	delete(ask, "cards")
	line := func(i int) string { return fmt.Sprintf("C-%016d,1,9250000000000017,01,2911", i) }
	ask["batch"] = line(0) + "\n" + line(1)
	answer := h.must(t, "card/personalise", ask)
	text, _ := answer["batch"].(string)
	lines := strings.Split(text, "\n")
	if len(lines) != 2 || len(answer) != 2 {
		t.Fatalf("answered %d lines, %d members", len(lines), len(answer))
	}
	for i, line := range lines {
		columns := strings.Split(line, ",")
		if len(columns) != 5 || columns[0] != listed[i]["card"] || base64Hex(t, columns[1]) != listed[i]["dgis"] || strings.Join(columns[2:], "") != "111" {
			t.Errorf("line %d is not card %v", i, listed[i]["card"])
		}
	}
	for name, test := range map[string]struct{ batch, want string }{
		"a column missing":  {"C-0000000000000001,1,9250000000000017,01", "invalid"},
		"a card twice":      {line(3) + "\n" + line(3), "invalid"},
		"an empty line":     {line(3) + "\n\n" + line(4), "invalid"},
		"101 cards":         {strings.Repeat(line(3)+"\n", 101), "batch_too_large"},
		"a text that is no": {strings.Repeat("x", 1<<19), "batch_too_large"},
	} {
		ask["batch"] = test.batch
		t.Run(name, func(t *testing.T) {
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", ask, test.want)
		})
	}
}
