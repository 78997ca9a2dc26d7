package engine_test

import (
	"strings"
	"testing"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
)

// part is a component of the key "t" with its check value.
func part(t *testing.T, index, component string) map[string]any {
	t.Helper()
	raw, err := crypt.ParseHex(component)
	if err != nil {
		t.Fatal(err)
	}
	kcv, err := keyblock.CheckValueTDES(raw)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"usage": "transport", "index": index, "total": "2", "component": component, "kcv": kcv}
}

const (
	one = "0123456789ABCDEFFEDCBA9876543210"
	two = "1111111111111111FEDCBA9876543210"
)

func TestOneCustodianNeverEntersTwoComponents(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if _, refused := h.call(t, "ann", "keys/t/components", part(t, "1", one)); refused != "" {
		t.Fatal(refused)
	}
	if _, refused := h.call(t, "ann", "keys/t/components", part(t, "2", two)); !strings.HasPrefix(refused, "dual_control: ") {
		t.Errorf("refused with %q", refused)
	}
	if answer, refused := h.call(t, "bob", "keys/t/components", part(t, "2", two)); refused != "" || answer["complete"] != true {
		t.Errorf("another custodian: %v %s", answer, refused)
	}
}

// A crash between the key and the erasure of its components left them in storage
// for ever: whoever read it had the key of a module that exports none.
func TestComponentsLeftBehindByACrashAreErasedAtTheNextTouch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	disk := &faulty{Storage: h.storage}
	h.storage = disk
	if _, refused := h.call(t, "ann", "keys/t/components", part(t, "1", one)); refused != "" {
		t.Fatal(refused)
	}
	disk.remove = "component/t"
	if _, refused := h.call(t, "bob", "keys/t/components", part(t, "2", two)); !strings.HasPrefix(refused, "conflict: ") {
		t.Fatalf("the erasure failed: %q", refused)
	}
	disk.remove = ""
	if left, err := h.storage.List(t.Context(), "component/"); err != nil || len(left) != 1 {
		t.Fatalf("components left: %v, %v", left, err)
	}
	if _, refused := h.call(t, "bob", "keys/t/components", part(t, "2", two)); !strings.HasPrefix(refused, "conflict: ") {
		t.Errorf("the key is whole already: %q", refused)
	}
	if left, err := h.storage.List(t.Context(), "component/"); err != nil || len(left) != 0 {
		t.Errorf("components left: %v, %v", left, err)
	}
}

func TestTestAndLiveKeysNeverMeet(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, usage := range []string{"imk-ac", "imk-smi", "imk-smc"} {
		if _, refused := h.call(t, "OFFICER", "keys/"+usage, map[string]any{"usage": usage, "environment": "live"}); refused != "" {
			t.Fatal(refused)
		}
	}
	h.must(t, "keys/transport", map[string]any{"usage": "transport", "environment": "test"})
	if _, refused := h.call(t, "OFFICER", "keys/transport", map[string]any{"usage": "transport", "environment": "live"}); !strings.HasPrefix(refused, "conflict: ") {
		t.Errorf("a test key asked for as a live one: %q", refused)
	}
	if _, refused := h.call(t, "officer", "card/personalise", personalise(attempt, card("C-0000000000000001"))); !strings.HasPrefix(refused, "mixed_environment: ") {
		t.Errorf("live cards under a test transport key: %q", refused)
	}
	live := part(t, "1", one)
	live["environment"] = "live"
	if _, refused := h.call(t, "ANN", "keys/t/components", live); refused != "" {
		t.Fatal(refused)
	}
	if _, refused := h.call(t, "BOB", "keys/t/components", part(t, "2", two)); !strings.HasPrefix(refused, "conflict: ") {
		t.Errorf("a live key's second component entered for a test key: %q", refused)
	}
	second := part(t, "2", two)
	second["environment"] = "live"
	if answer, refused := h.call(t, "BOB", "keys/t/components", second); refused != "" || answer["complete"] != true {
		t.Fatalf("the second component: %v %s", answer, refused)
	}
	request := personalise(attempt, card("C-0000000000000001"))
	request["transport_key"] = "t"
	h.must(t, "card/personalise", request)
	mixed := newHouse(t)
	if _, refused := mixed.call(t, "OFFICER", "keys/imk-ac", map[string]any{"usage": "imk-ac", "environment": "live"}); refused != "" {
		t.Fatal(refused)
	}
	for _, usage := range []string{"imk-smi", "imk-smc", "transport"} {
		mixed.must(t, "keys/"+usage, map[string]any{"usage": usage})
	}
	if _, refused := mixed.call(t, "officer", "card/personalise", personalise(attempt, card("C-0000000000000001"))); !strings.HasPrefix(refused, "mixed_environment: ") {
		t.Errorf("a profile of live and test keys: %q", refused)
	}
}
