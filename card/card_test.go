package card_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/card"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
	"sceau/lifecycle"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tdes(t testing.TB, key []byte) *crypt.TDES {
	t.Helper()
	k, err := crypt.NewTDES(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const pan, psn = "9250004123456789", "01"

// issuer has the keys that the bank keeps and the card does not.
type issuer struct {
	profile emv.CAPProfile
	ac, smi []byte
}

// newCard personalises a card the way the bureau does: by data groupings under
// a transport key.
func newCard(t testing.TB) (*card.Simulated, issuer) {
	t.Helper()
	is := issuer{emv.SecurAccess(), unhex(t, "0123456789ABCDEFFEDCBA9876543210"), unhex(t, "FEDCBA98765432100123456789ABCDEF")}
	smc := unhex(t, "89ABCDEF0123456776543210FEDCBA98")
	transport := tdes(t, unhex(t, "1C587FD3EA6B923E45B0C7921A6DF854"))
	data := emv.CardData{PAN: pan, PSN: psn, Expiry: "2911"}
	for _, k := range []struct {
		into *crypt.Key
		imk  []byte
	}{{&data.AC, is.ac}, {&data.SMI, is.smi}, {&data.SMC, smc}} {
		var err error
		if *k.into, err = emv.CardMasterKey(tdes(t, k.imk), is.profile.Option, pan, psn); err != nil {
			t.Fatal(err)
		}
	}
	block, err := pinblock.EncodeISO2("4821")
	if err != nil {
		t.Fatal(err)
	}
	data.PINBlock = block[:]
	dgis, err := emv.BuildDGIs(is.profile, data, transport)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := emv.EncodeDGIs(dgis)
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.FromDGIs("C-0000000000000001", raw, transport)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := card.FromDGIs("C-0000000000000001", raw, tdes(t, is.ac)); err == nil {
		t.Fatal("another transport key opened the card")
	}
	return c, is
}

func pinOf(t testing.TB, digits string) lifecycle.PIN {
	t.Helper()
	pin, err := lifecycle.NewPIN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return pin
}

func (is issuer) verify(t testing.TB, code string, tx emv.Transaction, last uint16, scripts ...int) (emv.Match, bool) {
	t.Helper()
	v, err := emv.NewVerifier(is.profile, tdes(t, is.ac))
	if err != nil {
		t.Fatal(err)
	}
	m, ok, err := v.Verify(emv.Query{PAN: pan, PSN: psn, Transaction: tx, Code: code, LastATC: last, Window: 64, Scripts: scripts})
	if err != nil {
		t.Fatal(err)
	}
	return m, ok
}

func TestACodeOfEachModeIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	c, is := newCard(t)
	reader := card.NewReader(c)
	last := uint16(0)
	for _, tx := range []emv.Transaction{
		{Mode: emv.Mode2},
		{Mode: emv.Mode1, Challenge: "12345678"},
		{Mode: emv.Mode3, Challenge: "4711"},
		{Mode: emv.Mode2TDS, TDS: []string{"100000", "0011223344"}},
	} {
		code, err := reader.Code(t.Context(), pinOf(t, "4821"), tx)
		if err != nil {
			t.Fatalf("mode %s: %v", tx.Mode, err)
		}
		if len(code) != 8 {
			t.Errorf("mode %s: a code of %d digits", tx.Mode, len(code))
		}
		m, ok := is.verify(t, code, tx, last)
		if !ok || m.ATC != last+1 {
			t.Errorf("mode %s: the bank does not take the code: %+v", tx.Mode, m)
		}
		last++
		if _, ok := is.verify(t, code, tx, last); ok {
			t.Errorf("mode %s: the bank takes the code twice", tx.Mode)
		}
	}
}

func TestThreeWrongPINsBlockAndTheIssuersScriptUnblocks(t *testing.T) {
	t.Parallel()
	c, is := newCard(t)
	reader := card.NewReader(c)
	tx := emv.Transaction{Mode: emv.Mode2}
	for left := 2; left >= 0; left-- {
		_, err := reader.Code(t.Context(), pinOf(t, "0000"), tx)
		var wrong *card.WrongPINError
		if !errors.As(err, &wrong) || wrong.TriesLeft != left || errors.Is(err, lifecycle.Locked) != (left == 0) {
			t.Fatalf("wrong PIN: %v, want %d tries left", err, left)
		}
	}
	if _, err := reader.Code(t.Context(), pinOf(t, "4821"), tx); !errors.Is(err, lifecycle.Locked) {
		t.Fatalf("a blocked card took its PIN: %v", err)
	}
	ask, err := reader.AskScript(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	script := is.script(t, ask)
	forged := bytes.Clone(script)
	forged[12] ^= 1
	if err := reader.ApplyScript(t.Context(), forged); !errors.Is(err, lifecycle.Forbidden) {
		t.Fatalf("a forged script: %v", err)
	}
	if err := reader.ApplyScript(t.Context(), script); err == nil {
		t.Fatal("a second script in the same transaction")
	}
	if _, err = reader.AskScript(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := reader.ApplyScript(t.Context(), script); err == nil {
		t.Fatal("the script of another transaction")
	}
	if ask, err = reader.AskScript(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := reader.ApplyScript(t.Context(), is.script(t, ask)); err != nil {
		t.Fatal(err)
	}
	code, err := reader.Code(t.Context(), pinOf(t, "4821"), tx)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := is.verify(t, code, tx, uint16(ask.ATC)); ok {
		t.Error("the bank takes the code without knowing of the script")
	}
	if m, ok := is.verify(t, code, tx, uint16(ask.ATC), 0, 1); !ok || m.Scripts != 1 {
		t.Errorf("after the script: %+v %v", m, ok)
	}
}

// script is what the bank makes, after it checked the card's cryptogram.
func (is issuer) script(t testing.TB, ask card.ScriptRequest) []byte {
	t.Helper()
	v, err := emv.NewVerifier(is.profile, tdes(t, is.ac))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := v.VerifyUnblock(pan, psn, uint16(ask.ATC), [4]byte{}, ask.ARQC, []int{0}); err != nil || !ok {
		t.Fatalf("the bank does not know the card's cryptogram: %v", err)
	}
	scheme, err := is.profile.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := scheme.Card(tdes(t, is.ac), tdes(t, is.smi), tdes(t, is.smi), pan, psn)
	if err != nil {
		t.Fatal(err)
	}
	session, err := keys.Scripts(uint16(ask.ATC), ask.ARQC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return session.APDU(emv.PINUnblockCommand, nil)
}

func TestACardIsTheSameAfterItsFile(t *testing.T) {
	t.Parallel()
	c, is := newCard(t)
	path := filepath.Join(t.TempDir(), "card.json")
	if _, err := card.NewReader(c).Code(t.Context(), pinOf(t, "0000"), emv.Transaction{Mode: emv.Mode2}); err == nil {
		t.Fatal("a wrong PIN was right")
	}
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of a card's file: %v %v", info.Mode(), err)
	}
	again, err := card.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if again.Status() != c.Status() || again.Status().TriesLeft != 2 || again.Status().ATC != 1 {
		t.Errorf("read %+v, wrote %+v", again.Status(), c.Status())
	}
	code, err := card.NewReader(again).Code(t.Context(), pinOf(t, "4821"), emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := is.verify(t, code, emv.Transaction{Mode: emv.Mode2}, 0); !ok || m.ATC != 2 {
		t.Errorf("the card's code after its file: %+v %v", m, ok)
	}
}

// trace is what an independent reader (doegox/EMV-CAP) and a card whose
// cryptograms another library made (pyemv) said to each other.
type trace struct {
	Card struct {
		PAN, PSN, PIN string
		AC            string `json:"imk_ac"`
		SMI           string `json:"imk_smi"`
		SMC           string `json:"imk_smc"`
		IAF           string `json:"iaf_9f55"`
		IPB           string `json:"ipb_9f56"`
		ATC           string `json:"atc_before_first_run"`
	}
	Vectors []struct {
		ID, What string
		Typed    string `json:"pin_typed"`
		Shows    string `json:"reader_shows"`
		APDUs    []struct{ C, R string }
	}
}

func TestTheCardAnswersAnIndependentReaderAsRecorded(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../hsm/selftest/vectors/cap_reader_trace.json")
	if err != nil {
		t.Fatal(err)
	}
	var tr trace
	if err := json.Unmarshal(text, &tr); err != nil {
		t.Fatal(err)
	}
	exchanges := 0
	for _, v := range tr.Vectors {
		c := tr.card(t, v.APDUs[3].R, v.APDUs)
		for _, x := range v.APDUs {
			answer, err := c.Transmit(t.Context(), unhex(t, x.C))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ToUpper(hex.EncodeToString(answer)); got != x.R {
				t.Fatalf("%s (%s): %s\n got %s\nwant %s", v.ID, v.What, x.C, got, x.R)
			}
			exchanges++
		}
		if len(v.Shows) != 8 {
			continue
		}
		mode := emv.Mode2
		if strings.HasPrefix(v.What, "mode 1") {
			mode = emv.Mode1
		}
		shows, err := card.NewReader(tr.card(t, v.APDUs[3].R, v.APDUs)).Code(t.Context(), pinOf(t, v.Typed), emv.Transaction{Mode: mode})
		if err != nil || shows != v.Shows {
			t.Errorf("%s: our reader shows %s (%v), theirs %s", v.ID, shows, err, v.Shows)
		}
	}
	if exchanges < 20 {
		t.Errorf("only %d exchanges were compared", exchanges)
	}
}

// card is the recorded card before a recording: tries is its answer to GET DATA,
// and its counter stands in the cryptogram's answer.
func (tr trace) card(t *testing.T, tries string, apdus []struct{ C, R string }) *card.Simulated {
	t.Helper()
	var atc uint16
	if len(apdus) > 5 {
		counter := emv.FindTLV(unhex(t, strings.TrimSuffix(apdus[5].R, "9000")), 0x77, 0x9F36)
		atc = uint16(counter[0])<<8 | uint16(counter[1]) - 1
	}
	record := unhex(t, strings.TrimSuffix(apdus[2].R, "9000"))
	key := func(imk string) crypt.Hex {
		mk, err := emv.CardMasterKey(tdes(t, unhex(t, imk)), emv.OptionA, tr.Card.PAN, tr.Card.PSN)
		if err != nil {
			t.Fatal(err)
		}
		return crypt.Hex(mk)
	}
	block, err := pinblock.EncodeISO2(tr.Card.PIN)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"card": "C-0000000000000001", "pan": tr.Card.PAN, "psn": tr.Card.PSN, "expiry": "291130", "sfi": 1,
		"record": crypt.Hex(record), "fci": crypt.Hex(unhex(t, "A50C500A53454355524143434553")), "aip": "1000", "afl": "08010100",
		"iaf": 0, "ipb": tr.Card.IPB, "cdol1": crypt.Hex(emv.FindTLV(record, 0x70, 0x8C)), "cdol2": crypt.Hex(emv.FindTLV(record, 0x70, 0x8D)),
		"ac": key(tr.Card.AC), "smi": key(tr.Card.SMI), "smc": key(tr.Card.SMC), "pin_block": crypt.Hex(block[:]),
		"try_counter": unhex(t, tries)[3], "try_limit": 3, "atc": atc,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWrongCommandsAnswerTheirStatusWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		commands []string // the last one's status word is compared
		want     string
	}{
		{"half a header", []string{"00A4"}, "6700"},
		{"a length that lies", []string{"00A4040009A0"}, "6700"},
		{"an unknown class", []string{"FF000000"}, "6E00"},
		{"an unknown instruction", []string{"00FF0000"}, "6D00"},
		{"another application", []string{"00A4040007A000000003101000"}, "6A82"},
		{"select by number", []string{"00A4000002010200"}, "6A86"},
		{"a transaction before selection", []string{"80A8000002830000"}, "6985"},
		{"data before selection", []string{"80CA9F1700"}, "6985"},
		{"a record before selection", []string{"00B2010C00"}, "6985"},
		{"another record", []string{selectCAP, "00B2020C00"}, "6A83"},
		{"another file", []string{selectCAP, "00B2011400"}, "6A82"},
		{"unknown data", []string{selectCAP, "80CA9F7900"}, "6A88"},
		{"two transactions at once", []string{selectCAP, "80A8000002830000", "80A8000002830000"}, "6985"},
		{"a PIN before the transaction", []string{selectCAP, "0020008008244821FFFFFFFFFF"}, "6985"},
		{"an enciphered PIN", []string{selectCAP, "80A8000002830000", "0020008808244821FFFFFFFFFF"}, "6A86"},
		{"half a PIN block", []string{selectCAP, "80A8000002830000", "00200080042448210000"}, "6700"},
		{"a cryptogram without data", []string{selectCAP, "80A8000002830000", "80AE8000"}, "6700"},
		{"a transaction certificate", []string{selectCAP, "80A8000002830000", "80AE400001FF"}, "6A86"},
		{"a script before a cryptogram", []string{selectCAP, "80A8000002830000", "84240000080102030405060708"}, "6985"},
		{"a PIN change", []string{selectCAP, "80A8000002830000", "84240001080102030405060708"}, "6A86"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, _ := newCard(t)
			var answer []byte
			for _, command := range test.commands {
				var err error
				if answer, err = c.Transmit(t.Context(), unhex(t, command)); err != nil {
					t.Fatal(err)
				}
			}
			if got := strings.ToUpper(hex.EncodeToString(answer)); got != test.want {
				t.Errorf("answer %s, want %s", got, test.want)
			}
		})
	}
}

const selectCAP = "00A4040007A000000004800200"

func TestAWornOutCardMakesNoMoreCodes(t *testing.T) {
	t.Parallel()
	c, _ := newCard(t)
	path := filepath.Join(t.TempDir(), "card.json")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	worn, err := card.Parse(bytes.Replace(text, []byte(`"atc": 0`), []byte(`"atc": 65535`), 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := card.NewReader(worn).Code(t.Context(), pinOf(t, "4821"), emv.Transaction{Mode: emv.Mode2}); err == nil {
		t.Error("the counter began again")
	}
}

func FuzzTransmit(f *testing.F) {
	f.Add([]byte{0, 0xA4, 4, 0, 7, 0xA0, 0, 0, 0, 4, 0x80, 2, 0})
	f.Add([]byte{0x80, 0xAE, 0x80, 0, 1, 1})
	c, _ := newCard(f)
	f.Fuzz(func(t *testing.T, command []byte) {
		answer, err := c.Transmit(t.Context(), command)
		if err != nil || len(answer) < 2 || len(answer) > 258 {
			t.Errorf("answer of %d bytes, %v", len(answer), err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"pan":"9250004123456789"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := card.Parse(text)
		if err != nil {
			return
		}
		if _, err := card.NewReader(c).Code(t.Context(), pinOf(t, "4821"), emv.Transaction{Mode: emv.Mode2}); err == nil && c.Status().ATC == 0 {
			t.Error("a code without a transaction")
		}
	})
}
