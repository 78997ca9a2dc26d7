package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// judged has a key by which PINs are judged and a profile that names it.
func judged(t *testing.T, h house, profile, usage, pvk string, rule map[string]any) {
	t.Helper()
	// The last bit of each byte is parity: XOR with 1 there changes nothing.
	enterKey(t, h, profile+"-pvk", usage, pvk, "01010101010101010101010101010101", false)
	members := map[string]any{"pvk": profile + "-pvk"}
	for name, value := range rule {
		members[name] = value
	}
	h.must(t, "profiles/"+profile, members)
}

// The rows of pin_verification.json.
func TestAPINIsJudgedByTheDataOfThePublishedVectors(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	zpk := enterKey(t, h, "zpk", "pin", one, two, false)
	const first, second = "0123456789ABCDEFFEDCBA9876543210", "A2B3C4D5E6F7081911223344556677FE"
	whole := map[string]any{"decimalisation": "1234567890123456"}
	part := map[string]any{"decimalisation": "1234567890123456", "validation_length": "14"}
	middle := map[string]any{"decimalisation": "1234567890123456", "validation_start": "2", "validation_length": "14", "validation_pad": "1"}
	twelve := map[string]any{"validation_start": "4", "validation_length": "12", "validation_pad": "d"}
	for name, v := range map[string]struct {
		usage, pvk   string
		rule         map[string]any
		pin, pan     string
		data, method string
	}{
		"pvv-1":        {"pvk-visa", first, nil, "4524", "1122334455667788", "8523", "visa-pvv"},
		"pvv-3":        {"pvk-visa", first, nil, "0570", "1122334455667718", "3144", "visa-pvv"},
		"pvv-4":        {"pvk-visa", first, nil, "8299", "1122334455667708", "4422", "visa-pvv"},
		"pvv-6":        {"pvk-visa", second, map[string]any{"pvki": "3"}, "0739", "9250004123456789", "1793", "visa-pvv"},
		"ibm-pin-1":    {"pvk-ibm", first, whole, "4524", "1122334455667788", "0000", "ibm-3624"},
		"ibm-pin-3":    {"pvk-ibm", first, whole, "1234", "1122334455667788", "7710", "ibm-3624"},
		"ibm-pin-4":    {"pvk-ibm", first, part, "5518", "1122334455667788", "0000", "ibm-3624"},
		"ibm-pin-6":    {"pvk-ibm", first, middle, "5550", "1122334455667788", "0000", "ibm-3624"},
		"ibm-pin-7":    {"pvk-ibm", second, twelve, "9554", "4970123412341234", "0000", "ibm-3624"},
		"ibm-offset-3": {"pvk-ibm", second, twelve, "4821", "4970123412341234", "5377", "ibm-3624"},
		"ibm-offset-4": {"pvk-ibm", second, twelve, "073912", "9250004123456789", "423970", "ibm-3624"},
	} {
		judged(t, h, name, v.usage, v.pvk, v.rule)
		ask := map[string]any{"profile": name, "pan": v.pan, "key": "zpk", "format": "0", "pin_block": blockOf(t, zpk, v.pin, v.pan)}
		made := h.must(t, "pin/verify-data", ask)
		if made["verify_data"] != v.data || made["method"] != v.method || made["key_version"] != "1" || len(made) != 3 {
			t.Errorf("%s: made %v, want %s by %s", name, made, v.data, v.method)
		}
		ask["verify_data"] = v.data
		if answer := h.must(t, "pin/verify", ask); answer["valid"] != true || len(answer) != 1 {
			t.Errorf("%s: judged %v", name, answer)
		}
		ask["pin_block"] = blockOf(t, zpk, "9"+v.pin[1:len(v.pin)-1]+"6", v.pan)
		if answer := h.must(t, "pin/verify", ask); answer["valid"] != false {
			t.Errorf("%s: another PIN is judged %v", name, answer)
		}
	}
}

func TestAKeptPINIsJudgedByItsDataUnderEachVersionOfTheKeyThatIsNotRetired(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	zpk := enterKey(t, h, "zpk", "pin", one, two, false)
	judged(t, h, "visa", "pvk-visa", one, nil)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	kept := map[string]any{"profile": "visa", "pan": number, "card": "C-0000000000000001", "pin_version": "1"}
	made := h.must(t, "pin/verify-data", kept)
	pin := pinOf(t, h)
	ask := map[string]any{
		"profile": "visa", "pan": number, "key": "zpk", "format": "0", "pin_block": blockOf(t, zpk, pin, number), "verify_data": made["verify_data"],
	}
	enterKey(t, h, "visa-pvk", "pvk-visa", three, two, true)
	if answer := h.must(t, "pin/verify", ask); answer["valid"] != true {
		t.Errorf("after a rotation of the key: %v", answer)
	}
	ask["key_version"] = "2"
	if answer := h.must(t, "pin/verify", ask); answer["valid"] != false {
		t.Errorf("under the other version: %v", answer)
	}
	delete(ask, "key_version")
	h.must(t, "keys/visa-pvk/retire", map[string]any{"version": "1"})
	if answer := h.must(t, "pin/verify", ask); answer["valid"] != false {
		t.Errorf("under a retired version: %v", answer)
	}
	ask["key_version"] = "1"
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify", ask, "key_retired")
	kept["pan"] = "9250000000000025"
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify-data", kept, "invalid")
	kept["pan"], kept["pin_version"] = number, "2"
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify-data", kept, "unknown_pin")
	kept["pin_version"] = "1"
	h.must(t, "pin/destroy", map[string]any{"card": "C-0000000000000001", "pin_version": "1"})
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify-data", kept, "pin_destroyed")
}

func TestGuessesAtAPINThatIsNotKeptAreCountedForEachCardNumber(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	zpk := enterKey(t, h, "zpk", "pin", one, two, false)
	judged(t, h, "ibm", "pvk-ibm", one, nil)
	ask := func(h house, pan, guess string) map[string]any {
		made := h.must(t, "pin/verify-data", map[string]any{
			"profile": "ibm", "pan": pan, "key": "zpk", "format": "0", "pin_block": blockOf(t, zpk, "4821", pan),
		})
		return map[string]any{
			"profile": "ibm", "pan": pan, "key": "zpk", "format": "0", "pin_block": blockOf(t, zpk, guess, pan), "verify_data": made["verify_data"],
		}
	}
	judge := func(pan, guess string, want bool) {
		t.Helper()
		if answer := h.must(t, "pin/verify", ask(h, pan, guess)); answer["valid"] != want {
			t.Errorf("%s: %v, want %t", guess, answer, want)
		}
	}
	judge(number, "1111", false)
	judge(number, "1112", false)
	judge(number, "4821", true) // the count begins anew
	for round := range 3 {
		for range 3 {
			judge(number, "1111", false)
		}
		judge("9250000000000025", "4821", true) // another card's is another count
		if round < 2 {
			h = h.restarted(t)
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify", ask(h, number, "4821"), "rate_limited")
			h.clock.pass(61 * time.Minute)
		}
	}
	h.clock.pass(24 * time.Hour)
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify", ask(h, number, "4821"), "pin_locked")
}

func TestAPINIsNotJudgedByAnotherKeyRuleOrEnvironment(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	zpk := enterKey(t, h, "zpk", "pin", one, two, false)
	for name, mode := range map[string]string{"makes": "G", "judges": "V"} {
		h.must(t, "keys/"+name, map[string]any{"usage": "pvk-visa", "mode": mode})
		h.must(t, "profiles/"+name, map[string]any{"pvk": name})
	}
	h.must(t, "profiles/none", map[string]any{})
	h.must(t, "profiles/master", map[string]any{"pvk": "imk-ac"})
	h.must(t, "profiles/absent", map[string]any{"pvk": "not-made"})
	if _, refused := h.call(t, "ANN", "keys/live-pvk", map[string]any{"usage": "pvk-visa", "environment": "live"}); refused != "" {
		t.Fatal(refused)
	}
	h.must(t, "profiles/live", map[string]any{"pvk": "live-pvk"})
	h.must(t, "keys/ibm-pvk", map[string]any{"usage": "pvk-ibm"})
	h.must(t, "profiles/long", map[string]any{"pvk": "ibm-pvk", "validation_length": "19"})
	for _, test := range []struct {
		name, path, profile string
		change              map[string]any
		want                string
	}{
		{"made by a key that judges", "pin/verify-data", "judges", nil, "key_usage"},
		{"judged by a key that makes", "pin/verify", "makes", nil, "key_usage"},
		{"a profile without a rule", "pin/verify-data", "none", nil, "invalid"},
		{"a profile that is none", "pin/verify", "not-there", nil, "unknown_profile"},
		{"a key for something else", "pin/verify-data", "master", nil, "key_usage"},
		{"a key that is none", "pin/verify", "absent", nil, "unknown_key"},
		{"a live key for a test PIN, made", "pin/verify-data", "live", nil, "mixed_environment"},
		{"a live key for a test PIN, judged", "pin/verify", "live", nil, "mixed_environment"},
		{"data with a letter", "pin/verify", "judges", map[string]any{"verify_data": "12x4"}, "invalid"},
		{"a version that is none", "pin/verify", "judges", map[string]any{"key_version": "3"}, "unknown_key"},
		{"data and a card", "pin/verify", "judges", map[string]any{"card": "C-0000000000000001"}, "invalid"},
		{"a block and a card", "pin/verify-data", "makes", map[string]any{"card": "C-0000000000000001"}, "invalid"},
		{"validation data beyond the number", "pin/verify", "long", nil, "invalid"},
		{"a key of usage pin that is none", "pin/verify-data", "makes", map[string]any{"key": "absent"}, "unknown_key"},
	} {
		ask := map[string]any{
			"profile": test.profile, "pan": number, "key": "zpk", "format": "0", "pin_block": blockOf(t, zpk, "4821", number),
		}
		if test.path == "pin/verify" {
			ask["verify_data"] = "1234"
		}
		for name, value := range test.change {
			ask[name] = value
		}
		t.Run(test.name, func(t *testing.T) {
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, test.path, ask, test.want)
		})
	}
	for name, rule := range map[string]map[string]any{
		"a table of few digits": {"decimalisation": "0000111122223333"}, "a table of one digit": {"decimalisation": strings.Repeat("0", 16)},
		"a short table": {"decimalisation": "0123456789"}, "an index of two digits": {"pvki": "12"}, "a pad that is none": {"validation_pad": "X"},
		"no validation data": {"validation_length": "0"}, "data beyond any number": {"validation_start": "9", "validation_length": "12"},
		"a name that is none": {"pvk": "../x"},
	} {
		t.Run(name, func(t *testing.T) {
			members := map[string]any{"pvk": "ibm-pvk"}
			for member, value := range rule {
				members[member] = value
			}
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "profiles/odd", members, "invalid")
		})
	}
}
