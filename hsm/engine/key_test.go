package engine_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
)

// describe is what the engine tells of a key.
func (h house) describe(t testing.TB, name string) map[string]any {
	t.Helper()
	data, refused := h.request(t, "officer", logical.ReadOperation, "keys/"+name, nil)
	if refused != "" {
		t.Fatal(refused)
	}
	return data
}

// stored is everything that the engine keeps but its journal, to show that a
// refusal changed nothing.
func (h house) stored(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := logical.ScanView(t.Context(), h.storage, func(path string) {
		if strings.HasPrefix(path, "journal/") {
			return
		}
		entry, err := h.storage.Get(t.Context(), path)
		if err != nil || entry == nil {
			t.Errorf("read %s: %v", path, err)
			return
		}
		all[path] = string(entry.Value)
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// refusesUnchanged makes a request that must be refused with a code word and
// leave the storage as it was.
func (h house) refusesUnchanged(t testing.TB, by string, operation logical.Operation, path string, data map[string]any, code string) {
	t.Helper()
	before := h.stored(t)
	_, refused := h.request(t, by, operation, path, data)
	if !strings.HasPrefix(refused, code+": ") {
		t.Errorf("%s: refused with %q, want code word %s", path, refused, code)
	}
	if !maps.Equal(before, h.stored(t)) {
		t.Errorf("%s: a refusal changed the storage", path)
	}
}

func TestADisabledKeyIsRefusedUntilItIsEnabledAgain(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	h.must(t, "keys/imk-smi/disable", nil)
	if state := h.describe(t, "imk-smi")["state"]; state != "disabled" {
		t.Errorf("state = %v", state)
	}
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", personalise(attempt, card("C-0000000000000002")), "key_disabled")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "keys/imk-smi/rotate", nil, "key_disabled")
	h.must(t, "keys/imk-smi/enable", nil)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000002")))
}

func TestAKeyIsDeletedByTwoOfficersAndItsNameStaysTaken(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	deleteIt := func(by string) (map[string]any, string) {
		return h.request(t, by, logical.DeleteOperation, "keys/transport", nil)
	}
	h.refusesUnchanged(t, "ann", logical.DeleteOperation, "keys/transport", nil, "conflict")
	h.must(t, "keys/transport/disable", nil)
	if answer, refused := deleteIt("ann"); refused != "" || answer["proposed"] != true {
		t.Fatalf("proposed: %v %s", answer, refused)
	}
	h.refusesUnchanged(t, "ann", logical.DeleteOperation, "keys/transport", nil, "dual_control")
	h.clock.pass(16 * time.Minute)
	if answer, refused := deleteIt("bob"); refused != "" || answer["proposed"] != true {
		t.Fatalf("a confirmation too late is a proposal: %v %s", answer, refused)
	}
	answer, refused := deleteIt("ann")
	if refused != "" || answer["state"] != "deleted" {
		t.Fatalf("confirmed: %v %s", answer, refused)
	}
	if strings.Contains(h.stored(t)["key/transport"], `"value"`) {
		t.Error("the value is still in storage")
	}
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "keys/transport", map[string]any{"usage": "transport"}, "conflict")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "keys/transport/enable", nil, "unknown_key")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", personalise(attempt, card("C-0000000000000001")), "unknown_key")
}

func TestDualControlTellsPeopleApart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	live := map[string]any{"usage": "transport", "environment": "live"}
	h.refusesUnchanged(t, "root", logical.UpdateOperation, "keys/live", live, "dual_control")
	if _, refused := h.call(t, "ANN", "keys/live", live); refused != "" {
		t.Fatal(refused)
	}
	if _, refused := h.call(t, "ANN", "keys/live/disable", nil); refused != "" {
		t.Fatal(refused)
	}
	if answer, refused := h.request(t, "ANN", logical.DeleteOperation, "keys/live", nil); refused != "" || answer["proposed"] != true {
		t.Fatalf("proposed: %v %s", answer, refused)
	}
	h.refusesUnchanged(t, "root", logical.DeleteOperation, "keys/live", nil, "dual_control")
	// The same person under another token.
	response, err := h.backend.HandleRequest(t.Context(), &logical.Request{
		Operation: logical.DeleteOperation, Path: "keys/live", Storage: h.storage, ClientTokenAccessor: "another", DisplayName: "another", EntityID: "entity of ANN",
	})
	if err != nil || !response.IsError() || !strings.HasPrefix(response.Error().Error(), "dual_control: ") {
		t.Errorf("one entity with two tokens: %v %v", response, err)
	}
	if answer, refused := h.request(t, "BOB", logical.DeleteOperation, "keys/live", nil); refused != "" || answer["state"] != "deleted" {
		t.Errorf("another entity: %v %s", answer, refused)
	}
}

func TestAKeyTravelsAsAKeyBlockAndComesBackTheSame(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	for _, test := range []struct{ usage, algorithm, header string }{
		{"transport", "", "K0TB"}, {"pin", "tdes2", "P0TB"}, {"pin", "aes256", "P0AB"}, {"pvk-visa", "", "V2TC"}, {"pvk-ibm", "", "V1TC"},
		{"imk-ac", "", "E0TX"}, {"imk-smc", "", "E1TX"}, {"imk-smi", "", "E2TX"}, {"imk-dn", "", "E4TX"}, {"imk-perso", "", "E5TX"},
		{"kbpk", "aes128", "K1AB"}, {"cvk", "", "C0TC"}, {"bdk", "", "B0TX"},
	} {
		t.Run(test.usage+test.algorithm, func(t *testing.T) {
			t.Parallel()
			name := "a-" + test.usage + test.algorithm
			made := h.must(t, "keys/"+name, map[string]any{"usage": test.usage, "algorithm": test.algorithm, "exportability": "E"})
			under := map[string]any{"kbpk": "kbpk"}
			if answer, refused := h.call(t, "ann", "keys/"+name+"/export", under); refused != "" || answer["proposed"] != true || answer["key_block"] != nil {
				t.Fatalf("proposed: %v %s", answer, refused)
			}
			answer, refused := h.call(t, "bob", "keys/"+name+"/export", under)
			block, _ := answer["key_block"].(string)
			if refused != "" || len(block) < 20 || block[5:9] != test.header || block[0] != 'D' || answer["kcv"] != made["kcv"] {
				t.Fatalf("exported: %v %s, header %q", answer, refused, block[:min(len(block), 16)])
			}
			back := h.must(t, "keys/b-"+test.usage+test.algorithm+"/import", map[string]any{"kbpk": "kbpk", "key_block": block, "kcv": made["kcv"]})
			for _, member := range []string{"kcv", "usage", "mode", "algorithm", "environment"} {
				if back[member] != made[member] {
					t.Errorf("%s came back as %v, was %v", member, back[member], made[member])
				}
			}
			if back["exportability"] != "N" {
				t.Error("a block says that its key goes no further, and it may leave again")
			}
		})
	}
}

func TestAKeyBlockThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	kbpk := knownKBPK(t, h)
	h.must(t, "keys/weak", map[string]any{"usage": "kbpk", "algorithm": "tdes2"})
	key := crypt.Key("0123456789abcdef")
	wrap := func(change func(*keyblock.Header)) string {
		header := keyblock.Header{Version: 'D', Usage: "K0", Algorithm: 'T', Mode: 'B', KeyVersion: "00", Exportability: 'N'}
		change(&header)
		block, err := keyblock.Wrap(kbpk, header, key, strings.NewReader(strings.Repeat("padding", 20)))
		if err != nil {
			t.Fatal(err)
		}
		return block
	}
	good := wrap(func(*keyblock.Header) {})
	for _, test := range []struct{ name, block, more, code string }{
		{"truncated", good[:len(good)-8], "", "bad_key_block"},
		{"with another character", good[:40] + flipped(good[40]) + good[41:], "", "bad_key_block"},
		{"with another header", good[:5] + "P0" + good[7:], "", "bad_key_block"},
		{"no block", "K0", "", "bad_key_block"},
		{"with a usage that the engine has not", wrap(func(h *keyblock.Header) { h.Usage = "D0" }), "", "key_usage"},
		{"with a mode that the usage has not", wrap(func(h *keyblock.Header) { h.Mode = 'X' }), "", "key_usage"},
		{"with a key of another check value", good, "kcv", "wrong_kcv"},
		{"for another usage than expected", good, "usage", "key_usage"},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := map[string]any{"kbpk": "known", "key_block": test.block}
			if test.more != "" {
				request[test.more] = map[string]string{"kcv": "000000", "usage": "pin"}[test.more]
			}
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "keys/in/import", request, test.code)
		})
	}
	h.must(t, "keys/aes", map[string]any{"usage": "pin", "algorithm": "aes256"})
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "keys/aes/export", map[string]any{"kbpk": "weak"}, "key_usage")
	h.must(t, "keys/in/import", map[string]any{"kbpk": "known", "key_block": good, "usage": "transport"})
	h.must(t, "keys/in/import", map[string]any{"kbpk": "known", "key_block": good}) // again: nothing
	if h.describe(t, "in")["version"] != "1" {
		t.Error("the same block twice is two versions")
	}
}

func flipped(c byte) string {
	if c == '0' {
		return "1"
	}
	return "0"
}

// knownKBPK enters an AES-256 key block protection key, whose value the test knows.
func knownKBPK(t *testing.T, h house) crypt.Key {
	t.Helper()
	kbpk := make(crypt.Key, 32)
	for i, part := range [][]byte{[]byte("0123456789abcdef0123456789ABCDEF"), []byte("the quick brown fox jumps over t")} {
		for j, b := range part {
			kbpk[j] ^= b
		}
		kcv, err := keyblock.CheckValueAES(part)
		if err != nil {
			t.Fatal(err)
		}
		if _, refused := h.call(t, []string{"ann", "bob"}[i], "keys/known/components", map[string]any{
			"usage": "kbpk", "index": i + 1, "total": 2, "component": crypt.Hex(part).String(), "kcv": kcv,
		}); refused != "" {
			t.Fatal(refused)
		}
	}
	return kbpk
}

func TestComponentsAreShownByCheckValueAbortedAndMakeTheNextVersion(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := part(t, "1", one)
	if _, refused := h.call(t, "ann", "keys/t/components", first); refused != "" {
		t.Fatal(refused)
	}
	shown, _ := h.request(t, "bob", logical.ReadOperation, "keys/t/components", nil)
	entered, _ := shown["entered"].([]map[string]any)
	if len(entered) != 1 || entered[0]["by"] != "ann" || entered[0]["kcv"] != first["kcv"] || len(entered[0]) != 4 {
		t.Errorf("half a ceremony is shown as %v", shown)
	}
	if _, refused := h.request(t, "bob", logical.DeleteOperation, "keys/t/components", nil); refused != "" {
		t.Fatal(refused)
	}
	if left := h.stored(t); len(left) != 0 {
		t.Errorf("after the abort: %v", left)
	}
	enter := func(by, index, component string, rotate bool) (map[string]any, string) {
		data := part(t, index, component)
		data["rotate"] = rotate
		return h.call(t, by, "keys/t/components", data)
	}
	for i, by := range []string{"ann", "bob"} {
		if _, refused := enter(by, []string{"1", "2"}[i], []string{one, two}[i], false); refused != "" {
			t.Fatal(refused)
		}
	}
	before := h.describe(t, "t")

	if _, refused := enter("bob", "1", three, false); !strings.HasPrefix(refused, "conflict: ") {
		t.Errorf("a component for a key that is whole: %q", refused)
	}
	for i, by := range []string{"bob", "ann"} {
		if _, refused := enter(by, []string{"1", "2"}[i], []string{three, two}[i], true); refused != "" {
			t.Fatal(refused)
		}
	}
	if after := h.describe(t, "t"); after["version"] != "2" || after["kcv"] == before["kcv"] {
		t.Errorf("after rotation in components: %v", after)
	}
}
