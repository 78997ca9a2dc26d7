package engine_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
)

// enterKey has two custodians enter a TDES key, or its next version, and answers
// its value.
func enterKey(t testing.TB, h house, name, usage, first, second string, rotate bool) []byte {
	t.Helper()
	key := make([]byte, 16)
	for i, component := range []string{first, second} {
		raw, kcv := component16(t, component)
		for j := range key {
			key[j] ^= raw[j]
		}
		if _, refused := h.call(t, []string{"ann", "bob"}[i], "keys/"+name+"/components", map[string]any{
			"usage": usage, "index": strconv.Itoa(i + 1), "total": "2", "component": component, "kcv": kcv, "rotate": rotate,
		}); refused != "" {
			t.Fatal(refused)
		}
	}
	return key
}

func component16(t testing.TB, component string) (raw crypt.Hex, kcv string) {
	t.Helper()
	raw = hexBytes(t, component)
	kcv, err := keyblock.CheckValueTDES(raw)
	if err != nil {
		t.Fatal(err)
	}
	return raw, kcv
}

func hexBytes(t testing.TB, text string) crypt.Hex {
	t.Helper()
	raw, err := crypt.ParseHex(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newTDES(t testing.TB, key []byte) *crypt.TDES {
	t.Helper()
	tdes, err := crypt.NewTDES(key)
	if err != nil {
		t.Fatal(err)
	}
	return tdes
}

const three = "89ABCDEF0123456776543210FEDCBA98"

// codeAt is what a card of the built-in profile shows in mode 2.
func codeAt(t testing.TB, imk []byte, atc uint16) string {
	t.Helper()
	p := emv.SecurAccess()
	mk, err := emv.CardMasterKey(newTDES(t, imk), p.Option, "9250000000000017", "01")
	if err != nil {
		t.Fatal(err)
	}
	data, err := emv.TerminalData(p.CDOL1, p.IAF[0], emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		t.Fatal(err)
	}
	cvr := p.ExpectedCVR(0)
	code, err := emv.ReaderData{
		IPB: p.IPB, IAF: p.IAF[0], PSN: "01", CID: 0x80, ATC: atc, AC: p.CardCryptogram(newTDES(t, mk), data, atc, cvr), IAD: p.IAD(cvr),
	}.Code()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func question(code string) map[string]any {
	return map[string]any{
		"pan": "9250000000000017", "psn": "01", "profile": "securaccess", "mode": "2", "code": code, "last_atc": "0", "window": "64",
	}
}

func TestACodeIsAskedAloneOrInAListInTextOrInNumbers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	imk := enterKey(t, h, "imk-ac", "imk-ac", one, two, false)
	h.must(t, "keys/imk-smi", map[string]any{"usage": "imk-smi"})
	h.must(t, "keys/imk-smc", map[string]any{"usage": "imk-smc"})
	answer := h.must(t, "cap/verify", question(codeAt(t, imk, 5)))
	if answer["valid"] != true || answer["atc"] != "5" || len(answer) != 3 {
		t.Errorf("alone: %v", answer)
	}
	numbers := question(codeAt(t, imk, 7))
	numbers["last_atc"], numbers["window"], numbers["mode"] = 6.0, 64.0, 2.0
	listed := h.must(t, "cap/verify", map[string]any{"items": []any{numbers, question("00000000")}})
	items, _ := listed["items"].([]map[string]any)
	if len(items) != 2 || items[0]["atc"] != "7" || items[1]["valid"] != false || items[1]["atc"] != nil {
		t.Errorf("in a list: %v", listed)
	}
	line := "9250000000000017,01,securaccess,2," + codeAt(t, imk, 8) + ","
	batch := h.must(t, "cap/verify", map[string]any{"batch": line + "7,64\n" + line + "8,64,0 1,1\n" + line + "7,64,,,4711\n" + line + "x,64"})
	if text, _ := batch["batch"].(string); !strings.HasPrefix(text, "valid,8,0\nwrong\ninvalid: ") || strings.Count(text, "invalid: ") != 2 || len(batch) != 1 {
		t.Errorf("as one text: %v", batch)
	}
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/verify", map[string]any{"batch": line + strings.Repeat(",", 20)}, "invalid")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/verify", map[string]any{"batch": strings.Repeat(line+"7,64\n", 201)}, "batch_too_large")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/verify", map[string]any{"batch": strings.Repeat(" ", 1<<18) + "[]"}, "batch_too_large")
	for name, test := range map[string]struct {
		member string
		value  any
		code   string
	}{
		"a code of 7 digits": {"code", "1234567", "malformed_code"}, "a code with a letter": {"code", "1234567a", "malformed_code"},
		"a window over the limit": {"window", "257", "window_too_large"}, "no window": {"window", "0", "invalid"},
		"an unknown profile": {"profile", "absent", "unknown_profile"}, "a key version that is none": {"key_version", "3", "key_retired"},
		"a counter over the limit": {"last_atc", "65536", "invalid"},
	} {
		wrong := question("12345678")
		wrong[test.member] = test.value
		t.Run(name, func(t *testing.T) {
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/verify", wrong, test.code)
		})
	}
	many := make([]any, 201)
	for i := range many {
		many[i] = question("12345678")
	}
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/verify", map[string]any{"items": many}, "batch_too_large")
	cards := make([]any, 101)
	for i := range cards {
		cards[i] = card(fmt.Sprintf("C-%016d", i))
	}
	h.must(t, "keys/transport", map[string]any{"usage": "transport"})
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", personalise(attempt, cards...), "batch_too_large")
}

func TestAfterARotationOldCardsAreVerifiedUntilTheirKeyIsRetired(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	old := enterKey(t, h, "imk-ac", "imk-ac", one, two, false)
	for _, usage := range []string{"imk-smi", "imk-smc", "transport"} {
		h.must(t, "keys/"+usage, map[string]any{"usage": usage})
	}
	first := h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	fresh := enterKey(t, h, "imk-ac", "imk-ac", three, two, true)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000002")))
	for i, imk := range [][]byte{old, fresh} {
		if answer := h.must(t, "cap/verify", question(codeAt(t, imk, 5))); answer["valid"] != true {
			t.Errorf("a card of version %d: %v", i+1, answer)
		}
		pinned := question(codeAt(t, imk, 5))
		pinned["key_version"] = strconv.Itoa(2 - i)
		if answer := h.must(t, "cap/verify", pinned); answer["valid"] != false {
			t.Errorf("a card of version %d asked under the other: %v", i+1, answer)
		}
	}
	if again := h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001"))); dgis(t, again) != dgis(t, first) {
		t.Error("a card of before the rotation changed")
	}
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "keys/imk-ac/retire", map[string]any{"version": "2"}, "conflict")
	h.must(t, "keys/imk-ac/retire", map[string]any{"version": "1"})
	if answer := h.must(t, "cap/verify", question(codeAt(t, old, 5))); answer["valid"] != false {
		t.Errorf("a card of the retired version: %v", answer)
	}
	pinned := question(codeAt(t, old, 5))
	pinned["key_version"] = "1"
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/verify", pinned, "key_retired")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", personalise(attempt, card("C-0000000000000001")), "key_retired")
	if answer := h.must(t, "cap/verify", question(codeAt(t, fresh, 5))); answer["valid"] != true {
		t.Errorf("a card of the current version: %v", answer)
	}
}

func TestTwoCodesInARowFindACounterThatRanAhead(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	imk := enterKey(t, h, "imk-ac", "imk-ac", one, two, false)
	h.must(t, "keys/imk-smi", map[string]any{"usage": "imk-smi"})
	h.must(t, "keys/imk-smc", map[string]any{"usage": "imk-smc"})
	ask := func(code, next, window string) map[string]any {
		q := question(code)
		q["next_code"], q["window"] = next, window
		return q
	}
	if answer := h.must(t, "cap/resync", ask(codeAt(t, imk, 900), codeAt(t, imk, 901), "1024")); answer["valid"] != true || answer["atc"] != "901" {
		t.Errorf("in a row: %v", answer)
	}
	for name, q := range map[string]map[string]any{
		"not in a row":      ask(codeAt(t, imk, 900), codeAt(t, imk, 902), "1024"),
		"beyond the window": ask(codeAt(t, imk, 900), codeAt(t, imk, 901), "800"),
	} {
		if answer := h.must(t, "cap/resync", q); answer["valid"] != false {
			t.Errorf("%s: %v", name, answer)
		}
	}
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/resync", ask("12345678", "1234567", "64"), "malformed_code")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/resync", ask("12345678", "12345678", "4097"), "window_too_large")
}

// The rows mchip20-hex14-1 and -3 of emv_cvn_profiles.json, whose values pyemv's
// tests have from an HSM.
func TestCryptogramsAndScriptsAreThoseOfThePublishedVectors(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const zero = "00000000000000000000000000000001"
	names := map[string]string{"imk-ac": "known", "imk-smi": "imk-smi", "imk-smc": "imk-smc"}
	for usage, value := range map[string]string{
		"imk-ac": "0123456789ABCDEFFEDCBA9876543210", "imk-smi": "FEDCBA98765432100123456789ABCDEF", "imk-smc": "89ABCDEF0123456776543210FEDCBA98",
	} {
		// The last bit of each byte is parity: XOR with 1 there changes nothing.
		enterKey(t, h, names[usage], usage, value, zero, false)
	}
	for i, v := range []struct{ pan, psn, aip, cvr, atc, data, arqc, arpc string }{
		{
			"1234567890123456", "00", "1800", "A00003220000", "28",
			"000000009999" + "000000000000" + "0124" + "8000000000" + "0124" + "209906" + "00" + "ABCDEF12", "CD29615D6452E70E", "DFD0956606B68D64",
		},
		{
			"9250004123456789", "02", "1000", "A50003040000", "258",
			"000000000000" + "000000000000" + "0000" + "8000000000" + "0000" + "010101" + "00" + "00001234", "0D9F9F7A2471C039", "270DCA0F7C5C4049",
		},
	} {
		profile := "vector-" + strconv.Itoa(i)
		p := emv.SecurAccess()
		p.AIP, p.CVR = hexBytes(t, v.aip), hexBytes(t, v.cvr)
		writeProfile(t, h, profile, p)
		ask := map[string]any{
			"pan": v.pan, "psn": v.psn, "profile": profile, "atc": v.atc, "data": v.data, "arqc": v.arqc, "arc": "0010", "iad": "0114" + v.cvr + "0000",
		}
		if answer := h.must(t, "arqc/verify", ask); answer["valid"] != true || answer["arpc"] != v.arpc {
			t.Errorf("%s: %v, want the answer %s", profile, answer, v.arpc)
		}
		ask["atc"] = "29"
		if answer := h.must(t, "arqc/verify", ask); answer["valid"] != false || answer["arpc"] != nil {
			t.Errorf("%s with another counter: %v", profile, answer)
		}
	}
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "arqc/verify", map[string]any{
		"pan": "9250004123456789", "psn": "02", "profile": "vector-1", "atc": "1", "data": "00", "arqc": strings.Repeat("0", 16),
	}, "invalid")
}

// Whatever comes as a batch, each line is answered by a line, or the whole is
// refused.
func FuzzBatch(f *testing.F) {
	h := withKeys(f)
	f.Add("9250000000000017,01,securaccess,2,12345678,0,64")
	f.Add("9250000000000017,01,securaccess,2+tds,12345678,7,64,0 1,1,,,,100 200\nx")
	f.Add(",,,,,,,,,,,,\n\n9250000000000017,01,securaccess,1,12345678,0,256,,,1,2,978")
	f.Fuzz(func(t *testing.T, batch string) {
		answer, refused := h.call(t, "officer", "cap/verify", map[string]any{"batch": batch})
		text, there := answer["batch"].(string)
		switch {
		case refused != "" || batch == "":
		case !there || strings.Count(text, "\n") != strings.Count(strings.TrimSuffix(batch, "\n"), "\n"):
			t.Errorf("%d lines are answered by %q", strings.Count(batch, "\n")+1, text)
		}
		if _, refused := h.call(t, "officer", "card/personalise", map[string]any{
			"attempt": attempt, "profile": "securaccess", "transport_key": "absent", "batch": batch,
		}); refused == "" {
			t.Error("cards were made under a key that is none")
		}
	})
}
