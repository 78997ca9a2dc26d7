package engine_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
)

// codeFor is the code that a card of a profile shows, made with a master key
// that the test entered as two custodians.
func codeFor(t *testing.T, p emv.CAPProfile, imk []byte, of emv.Transaction) string {
	t.Helper()
	mk, err := emv.CardMasterKey(mustTDES(t, imk), p.Option, "9250000000000017", "01")
	if err != nil {
		t.Fatal(err)
	}
	data, err := emv.TerminalData(p.CDOL1, p.IAF[0], of)
	if err != nil {
		t.Fatal(err)
	}
	cvr := p.ExpectedCVR(0)
	code, err := emv.ReaderData{
		IPB: p.IPB, IAF: p.IAF[0], PSN: "01", CID: 0x80, ATC: 5, AC: p.CardCryptogram(mustTDES(t, mk), data, 5, cvr), IAD: p.IAD(cvr),
	}.Code()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func mustTDES(t *testing.T, key []byte) *crypt.TDES {
	t.Helper()
	k, err := crypt.NewTDES(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// knownKey enters the master key "known" as two custodians.
func knownKey(t *testing.T, h house) []byte {
	t.Helper()
	imk := make([]byte, 16)
	for i, part := range []string{"0123456789ABCDEFFEDCBA9876543210", "1111111111111111FEDCBA9876543210"} {
		raw, err := crypt.ParseHex(part)
		if err != nil {
			t.Fatal(err)
		}
		for j := range imk {
			imk[j] ^= raw[j]
		}
		kcv, err := keyblock.CheckValueTDES(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, refused := h.call(t, []string{"ann", "bob"}[i], "keys/known/components", map[string]any{
			"usage": "imk-ac", "index": strconv.Itoa(i + 1), "total": "2", "component": part, "kcv": kcv,
		}); refused != "" {
			t.Fatal(refused)
		}
	}
	return imk
}

// writeProfile stores a profile whose cards follow from the key "known".
func writeProfile(t *testing.T, h house, name string, p emv.CAPProfile) {
	t.Helper()
	h.must(t, "profiles/"+name, map[string]any{"profile": profileText(t, p)})
}

func profileText(t *testing.T, p emv.CAPProfile) string {
	t.Helper()
	var fields map[string]any
	text, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	fields["imk_ac"] = "known"
	if text, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Before, a code that a card made without looking at the amount was valid for
// every amount: the holder's sign-in signed any transfer (RTS art. 5, dynamic
// linking).
func TestACodeIsNoProofOfAnAmountThatItsCardDoesNotSign(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	imk := knownKey(t, h)
	blind, seeing, half := emv.SecurAccess(), emv.SecurAccess(), emv.SecurAccess()
	seeing.IAF, half.IAF = crypt.Hex{0x80}, crypt.Hex{0xA0}
	profiles := map[string]emv.CAPProfile{"blind": blind, "seeing": seeing, "half": half}
	for name, p := range profiles {
		writeProfile(t, h, name, p)
	}
	transfer := emv.Transaction{Mode: emv.Mode1, Challenge: "4711", Amount: "125000", Currency: "978"}
	dearer := transfer
	dearer.Amount = "999999"
	noCurrency := transfer
	noCurrency.Currency = ""
	for _, test := range []struct {
		name, profile string
		made, asked   emv.Transaction
		want          string // valid, wrong or refused
	}{
		{"a card that signs no amount", "blind", transfer, transfer, "refused"},
		{"a card that signs no amount, another amount", "blind", transfer, dearer, "refused"},
		{"a card that signs no amount, its challenge", "blind", transfer, emv.Transaction{Mode: emv.Mode1, Challenge: "4711"}, "valid"},
		{"a card that signs amounts", "seeing", transfer, transfer, "valid"},
		{"a card that signs amounts, another amount", "seeing", transfer, dearer, "wrong"},
		{"a card that signs amounts without currency, with one", "half", transfer, transfer, "refused"},
		{"a card that signs amounts without currency", "half", noCurrency, noCurrency, "valid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			item := map[string]any{
				"id": "0", "pan": "9250000000000017", "psn": "01", "profile": test.profile, "mode": string(test.asked.Mode),
				"code": codeFor(t, profiles[test.profile], imk, test.made), "challenge": test.asked.Challenge,
				"amount": test.asked.Amount, "currency": test.asked.Currency, "last_atc": "0", "window": "64",
			}
			answer := h.must(t, "cap/verify", map[string]any{"items": []any{item}})
			items, ok := answer["items"].([]map[string]any)
			if !ok || len(items) != 1 {
				t.Fatalf("answered %v", answer)
			}
			got := "wrong"
			if problem, ok := items[0]["error"].(string); ok {
				got = "refused"
				if !strings.HasPrefix(problem, "invalid: ") {
					t.Errorf("refused with %q", problem)
				}
			} else if items[0]["valid"] == true {
				got = "valid"
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
