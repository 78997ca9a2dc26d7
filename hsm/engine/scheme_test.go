package engine_test

import (
	"maps"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

// kinds are the cryptogram versions, with what a profile of each must say.
var kinds = map[string]struct {
	scheme  string
	members map[string]any
}{
	"10": {"MasterCardCVN16", nil},
	"11": {"MasterCardCVN17", map[string]any{"iad_suffix": "000000000000000322FF"}},
	"14": {"MasterCardCVN20", nil},
	"15": {"MasterCardCVN21", map[string]any{"iad_suffix": "000000000000000322FF"}},
	"0A": {"VisaCVN10", map[string]any{"cvr": "03A06010"}},
	"0E": {"VisaCVN14", map[string]any{"cvr": "03A06010"}},
	"12": {"VisaCVN18", map[string]any{"cvr": "03A0B800"}},
	"22": {"VisaCVN22", map[string]any{"cvr": "03A0B800"}},
	"85": {"InteracCVN133", map[string]any{"cvr": "0440B10000", "iad_suffix": "0000B00000000000000000000000"}},
}

// cardAtReader is what a card of a scheme answers a CAP reader, computed from the
// scheme alone, in mode 1 with a challenge.
func cardAtReader(t *testing.T, card emv.SchemeCard, scheme emv.Scheme, profile map[string]any, atc byte) (reader emv.ReaderData, data crypt.Hex) {
	t.Helper()
	cvr, suffix := hexBytes(t, profile["cvr"].(string)), hexBytes(t, profile["iad_suffix"].(string))
	iad := append(append(scheme.IADPrefix(1, len(cvr), len(suffix)), cvr...), suffix...)
	zeros := make(crypt.Hex, 8)
	transaction := emv.SchemeTransaction{
		Amount9F02: zeros[:6], Other9F03: zeros[:6], Country9F1A: zeros[:2], TVR95: crypt.Hex{0x80, 0, 0, 0, 0}, Currency5F2A: zeros[:2],
		Date9A: zeros[:3], Type9C: zeros[:1], UN9F37: crypt.Hex{0x12, 0x34, 0x56, 0x78}, AIP82: crypt.Hex{0x10, 0}, ATC9F36: crypt.Hex{0, atc}, CVR: cvr,
	}
	switch scheme.CardData {
	case emv.DataIAD:
		transaction.CVR, transaction.IAD9F10 = nil, iad
	case emv.DataCVRCounters:
		transaction.Counters = suffix[2:]
	case emv.DataCVR:
	}
	ac, err := card.Cryptogram(transaction)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []crypt.Hex{zeros[:6], zeros[:6], zeros[:2], transaction.TVR95, zeros[:2], zeros[:3], zeros[:1], transaction.UN9F37} {
		data = append(data, field...)
	}
	return emv.ReaderData{IPB: emv.SecurAccess().IPB, PSN: "01", CID: 0x80, ATC: uint16(atc), AC: ac, IAD: iad}, data
}

func TestEachCryptogramVersionHasItsCodesCryptogramsAndScripts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var imk [3]*crypt.TDES
	for i, usage := range []string{"imk-ac", "imk-smi", "imk-smc"} {
		imk[i] = newTDES(t, enterKey(t, h, usage, usage, []string{one, two, three}[i], "00112233445566778899AABBCCDDEEFF", false))
	}
	h.must(t, "keys/transport", map[string]any{"usage": "transport"})
	const pan = "92500000000000171" // 17 digits: options A and B differ
	for cvn, kind := range kinds {
		name := "cvn-" + map[bool]string{true: "visa-0a", false: cvn}[cvn == "0A"]
		if cvn == "0E" {
			name = "cvn-visa-0e"
		}
		members := map[string]any{"cvn": cvn}
		maps.Copy(members, kind.members)
		h.must(t, "profiles/"+name, members)
		profile, refused := h.request(t, "officer", logical.ReadOperation, "profiles/"+name, nil)
		if refused != "" || profile["cvn"] != cvn {
			t.Fatalf("profile of version %s: %v %s", cvn, profile, refused)
		}
		scheme, err := emv.SchemeByName(kind.scheme)
		if err != nil {
			t.Fatal(err)
		}
		card, err := scheme.Card(imk[0], imk[1], imk[2], pan, "01")
		if err != nil {
			t.Fatal(err)
		}
		var codes [2]string
		var reader emv.ReaderData
		var data crypt.Hex
		for i := range codes {
			reader, data = cardAtReader(t, card, scheme, profile, byte(5+i))
			if codes[i], err = reader.Code(); err != nil {
				t.Fatal(err)
			}
		}
		ask := map[string]any{
			"pan": pan, "psn": "01", "profile": name, "mode": "1", "challenge": "12345678", "code": codes[0], "last_atc": "0", "window": "64",
		}
		if answer := h.must(t, "cap/verify", ask); answer["valid"] != true || answer["atc"] != "5" {
			t.Errorf("%s: code %v", cvn, answer)
		}
		ask["next_code"], ask["window"] = codes[1], "1024"
		if answer := h.must(t, "cap/resync", ask); answer["valid"] != true || answer["atc"] != "6" {
			t.Errorf("%s: two codes %v", cvn, answer)
		}
		delete(ask, "next_code")
		ask["challenge"], ask["window"] = "12345679", "64"
		if answer := h.must(t, "cap/verify", ask); answer["valid"] != false {
			t.Errorf("%s: code for another challenge %v", cvn, answer)
		}
		terminal := map[string]any{
			"pan": pan, "psn": "01", "profile": name, "atc": "6", "arqc": crypt.Hex(reader.AC[:]).String(), "data": data.String(), "iad": reader.IAD.String(),
		}
		if answer := h.must(t, "arqc/verify", terminal); answer["valid"] != true {
			t.Errorf("%s: cryptogram %v", cvn, answer)
		}
		terminal["command"] = "card-block"
		if scheme.MChip() { // its CVR says that a right PIN was entered
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "script/block", terminal, "wrong_arqc")
			continue
		}
		session, err := card.Scripts(6, reader.AC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if answer := h.must(t, "script/block", terminal); answer["apdu"] != crypt.Hex(session.APDU(emv.CardBlock, nil)).String() {
			t.Errorf("%s: script %v", cvn, answer)
		}
		terminal["atc"] = "7"
		h.refusesUnchanged(t, "officer", logical.UpdateOperation, "script/block", terminal, "wrong_arqc")
		delete(terminal, "data")
		h.refusesUnchanged(t, "officer", logical.UpdateOperation, "script/block", terminal, "invalid")
		ask["scripts"] = "1"
		h.refusesUnchanged(t, "officer", logical.UpdateOperation, "cap/verify", ask, "invalid")
		request := personalise(attempt, map[string]any{"card": "C-0000000000000001", "pin_version": "1", "pan": pan, "psn": "01", "expiry": "2911"})
		request["profile"] = name
		h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", request, "invalid")
	}
}

func TestAProfileThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	for name, members := range map[string]map[string]any{
		"a version that is none":                   {"cvn": "13"},
		"a version of two bytes":                   {"cvn": "1414"},
		"another version's session key":            {"cvn": "14", "session_key": "skd"},
		"a session key that is none":               {"session_key": "x"},
		"a padding where none is open":             {"cvn": "14", "padding": "00"},
		"a padding that is none":                   {"cvn": "0E", "cvr": "03A06010", "padding": "FF"},
		"a Visa card with the CVR of M/Chip":       {"cvn": "12"},
		"a CVR whose length is another":            {"cvn": "12", "cvr": "04A0B800"},
		"an M/Chip card with the CVR of Visa":      {"cvn": "10", "cvr": "03A06010"},
		"counters that are not there":              {"cvn": "15"},
		"option C, which wants AES":                {"option": "C"},
		"a script key that is none":                {"script_key": "un"},
		"a script MAC that is none":                {"script_mac": "half"},
		"a script encipherment that is none":       {"script_encipherment": "none"},
		"a PIN block that is none":                 {"script_pin": "iso0"},
		"a CVR with another number of PIN tries":   {"cvn": "10", "cvr": "A50004040000"},
		"an application profile of another length": {"aip": "10"},
	} {
		t.Run(name, func(t *testing.T) {
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "profiles/odd", members, "invalid")
		})
	}
}
