package engine_test

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/engine"
)

// house is an engine on storage in memory, as Vault would drive it; the same
// commands go over the wire to a real Vault in the tests of package hsm.
type house struct {
	backend logical.Backend
	storage logical.Storage
	clock   *clock
}

func newHouse(t testing.TB) house {
	t.Helper()
	storage := &logical.InmemStorage{}
	h := house{storage: storage, clock: &clock{time: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)}}
	return h.restarted(t)
}

// restarted is another engine on the same storage, as after a crash of the first.
func (h house) restarted(t testing.TB) house {
	t.Helper()
	system := logical.TestSystemView()
	system.PluginEnvironment = &logical.PluginEnvironment{VaultVersion: "test"}
	backend, err := engine.Factory(h.clock.now)(context.Background(), &logical.BackendConfig{StorageView: h.storage, System: system})
	if err != nil {
		t.Fatal(err)
	}
	h.backend = backend
	return h
}

// clock is the engine's time, which a test moves.
type clock struct {
	mu   sync.Mutex
	time time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

// request makes one with an operation by a person's token; a name in capitals
// has a Vault entity too.
func (h house) request(t testing.TB, by string, operation logical.Operation, path string, data map[string]any) (map[string]any, string) {
	t.Helper()
	r := &logical.Request{Operation: operation, Path: path, Data: data, Storage: h.storage, ClientTokenAccessor: by, DisplayName: by}
	if by == strings.ToUpper(by) {
		r.EntityID = "entity of " + by
	}
	response, err := h.backend.HandleRequest(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if response == nil {
		return nil, ""
	}
	if response.IsError() {
		return nil, response.Error().Error()
	}
	return response.Data, ""
}

// call makes a request by a custodian's token and answers data or the refusal.
func (h house) call(t testing.TB, by, path string, data map[string]any) (map[string]any, string) {
	t.Helper()
	return h.request(t, by, logical.UpdateOperation, path, data)
}

func (h house) must(t testing.TB, path string, data map[string]any) map[string]any {
	t.Helper()
	answer, refused := h.call(t, "officer", path, data)
	if refused != "" {
		t.Fatalf("%s: %s", path, refused)
	}
	return answer
}

// withKeys has the keys of a ceremony.
func withKeys(t testing.TB) house {
	t.Helper()
	h := newHouse(t)
	for name, usage := range map[string]string{
		"imk-ac": "imk-ac", "imk-smi": "imk-smi", "imk-smc": "imk-smc", "transport": "transport", "kbpk": "kbpk",
	} {
		h.must(t, "keys/"+name, map[string]any{"usage": usage})
	}
	return h
}

func TestNoKeyIsShown(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	for _, name := range []string{"imk-ac", "transport", "kbpk"} {
		response, err := h.backend.HandleRequest(t.Context(), &logical.Request{
			Operation: logical.ReadOperation, Path: "keys/" + name, Storage: h.storage,
		})
		if err != nil || response == nil {
			t.Fatalf("read %s: %v", name, err)
		}
		versions, _ := response.Data["versions"].([]map[string]any)
		for _, shown := range append(versions, response.Data) {
			for member, value := range shown {
				if s, ok := value.(string); (!ok || len(s) > 24) && member != "versions" {
					t.Errorf("%s shows %s", name, member)
				}
			}
		}
	}
}

func card(id string) map[string]any {
	return map[string]any{"card": id, "pin_version": "1", "pan": "9250000000000017", "psn": "01", "expiry": "2911"}
}

func personalise(attempt string, cards ...any) map[string]any {
	return map[string]any{"attempt": attempt, "profile": "securaccess", "transport_key": "transport", "cards": cards}
}

const attempt = "A-0000000000000001"

func TestWrongInputIsRefusedWithACodeWord(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	verify := func(change map[string]any) map[string]any {
		item := map[string]any{
			"id": "0", "pan": "9250000000000017", "psn": "01", "profile": "securaccess", "mode": "2", "code": "12345678",
			"last_atc": "0", "window": "64",
		}
		maps.Copy(item, change)
		return map[string]any{"items": []any{item}}
	}
	pin := func(letter string) map[string]any {
		return map[string]any{"card": "C-0000000000000001", "pin_version": "1", "letter": letter}
	}
	for _, test := range []struct {
		name, path string
		data       map[string]any
		want       string
	}{
		{"a key without usage", "keys/other", map[string]any{}, "invalid"},
		{"a key of another algorithm", "keys/other", map[string]any{"usage": "imk-ac", "algorithm": "aes256"}, "invalid"},
		{"a key that is there, for something else", "keys/imk-ac", map[string]any{"usage": "transport"}, "conflict"},
		{"export of a master key", "keys/imk-ac/export", map[string]any{"kbpk": "kbpk"}, "key_usage"},
		{"export under a key that protects nothing", "keys/transport/export", map[string]any{"kbpk": "imk-ac"}, "key_usage"},
		{"export under no key", "keys/transport/export", map[string]any{"kbpk": "absent"}, "unknown_key"},
		{"no cards", "card/personalise", personalise(attempt), "invalid"},
		{"cards that are no list", "card/personalise", map[string]any{"attempt": attempt, "profile": "securaccess", "transport_key": "transport", "cards": "x"}, "invalid"},
		{"a card with a member too many", "card/personalise", personalise(attempt, map[string]any{"card": "C-0000000000000009", "pin": "1"}), "invalid"},
		{"an attempt without form", "card/personalise", personalise("1", card("C-0000000000000002")), "invalid"},
		{"a card without form", "card/personalise", personalise(attempt, card("../pin-key")), "invalid"},
		{"another attempt", "card/personalise", personalise("A-0000000000000002", card("C-0000000000000001")), "conflict"},
		{"a transport key that is none", "card/personalise", map[string]any{"attempt": attempt, "profile": "securaccess", "transport_key": "imk-ac", "cards": []any{card("C-0000000000000002")}}, "key_usage"},
		{"a profile that is none", "card/personalise", map[string]any{"attempt": attempt, "profile": "absent", "transport_key": "transport", "cards": []any{card("C-0000000000000002")}}, "unknown_profile"},
		{"no items", "cap/verify", map[string]any{"items": []any{}}, "invalid"},
		{"a PIN of no card", "pin/letter", map[string]any{"card": "C-0000000000000077", "pin_version": "1", "letter": "P-0000000000000001"}, "unknown_pin"},
		{"a PIN for no letter", "pin/letter", pin("x"), "invalid"},
		{"a script for a wrong cryptogram", "script/pin-unblock", map[string]any{"pan": "9250000000000017", "psn": "01", "profile": "securaccess", "atc": "3", "arqc": "0102030405060708", "scripts": "0"}, "wrong_arqc"},
		{"a script for half a cryptogram", "script/pin-unblock", map[string]any{"pan": "9250000000000017", "psn": "01", "profile": "securaccess", "atc": "3", "arqc": "01", "scripts": "0"}, "invalid"},
		{"a profile that is no profile", "profiles/other", map[string]any{"profile": "{"}, "invalid"},
		{"the built-in profile again", "profiles/securaccess", map[string]any{"profile": `{"name":"securaccess"}`}, "invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, refused := h.call(t, "officer", test.path, test.data)
			if !strings.HasPrefix(refused, test.want+": ") {
				t.Errorf("refused with %q, want code word %s", refused, test.want)
			}
		})
	}
	for name, change := range map[string]map[string]any{
		"a counter too high": {"last_atc": "65536"}, "no window": {"window": "0"}, "an odd mode": {"mode": "9"},
		"a profile that is none": {"profile": "absent"}, "an odd script": {"scripts": []any{"99"}},
		"a card number too short": {"pan": "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := h.must(t, "cap/verify", verify(change))
			items, ok := answer["items"].([]map[string]any)
			if !ok || items[0]["error"] == nil || items[0]["valid"] != false {
				t.Errorf("answered %v", answer)
			}
		})
	}
}

func TestALetterGetsItsPINFiveTimesAndNoOtherEver(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	pin := func(letter string) map[string]any {
		return map[string]any{"card": "C-0000000000000001", "pin_version": "1", "letter": letter}
	}
	released := func() string {
		text, _ := h.must(t, "pin/letter", pin("P-0000000000000001"))["pin"].(string)
		digits, _, _ := strings.Cut(text, ".")
		return digits
	}
	first := released()
	for range 4 {
		if again := released(); again != first || first == "" {
			t.Fatal("the PIN changed between two releases")
		}
	}
	if _, refused := h.call(t, "officer", "pin/letter", pin("P-0000000000000001")); !strings.HasPrefix(refused, "pin_released: ") {
		t.Errorf("a sixth release: %q", refused)
	}
	if _, refused := h.call(t, "officer", "pin/letter", pin("P-0000000000000002")); !strings.HasPrefix(refused, "pin_released: ") {
		t.Errorf("another letter: %q", refused)
	}
	h.must(t, "pin/close", pin("P-0000000000000001"))
	if _, refused := h.call(t, "officer", "pin/letter", pin("P-0000000000000001")); !strings.HasPrefix(refused, "pin_closed: ") {
		t.Errorf("after closing: %q", refused)
	}
	h.must(t, "pin/destroy", map[string]any{"card": "C-0000000000000001", "pin_version": "1"})
	if _, refused := h.call(t, "officer", "card/personalise", personalise(attempt, card("C-0000000000000001"))); !strings.HasPrefix(refused, "pin_destroyed: ") {
		t.Errorf("personalised again after destruction: %q", refused)
	}
}

func TestTwoCustodiansMakeAKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	part := func(index, component, kcv string) map[string]any {
		return map[string]any{
			"usage": "transport", "algorithm": "tdes2", "index": index, "total": "2", "component": component, "kcv": kcv,
		}
	}
	// Check values by openssl: zeros enciphered under each.
	one := part("1", "0123456789ABCDEFFEDCBA9876543210", "08D7B4")
	if _, refused := h.call(t, "ann", "keys/t/components", part("1", "0123456789ABCDEFFEDCBA9876543210", "000000")); !strings.HasPrefix(refused, "wrong_kcv: ") {
		t.Errorf("a wrong check value: %q", refused)
	}
	if answer, refused := h.call(t, "ann", "keys/t/components", one); refused != "" || answer["complete"] != false {
		t.Fatalf("first component: %v %s", answer, refused)
	}
	if answer, refused := h.call(t, "ann", "keys/t/components", one); refused != "" || answer["complete"] != false {
		t.Fatalf("the same again: %v %s", answer, refused)
	}
	two := part("2", "1111111111111111FEDCBA9876543210", "B5C3C4")
	if _, refused := h.call(t, "ann", "keys/t/components", two); refused == "" {
		t.Error("one custodian entered both")
	}
	if _, refused := h.call(t, "bob", "keys/t/components", one); !strings.HasPrefix(refused, "conflict: ") {
		t.Errorf("the first component by another: %q", refused)
	}
	if _, refused := h.call(t, "bob", "keys/t/components", map[string]any{
		"usage": "imk-ac", "index": "2", "total": "2", "component": "0123456789ABCDEFFEDCBA9876543210", "kcv": "08D7B4",
	}); !strings.HasPrefix(refused, "conflict: ") {
		t.Errorf("another usage: %q", refused)
	}
}
