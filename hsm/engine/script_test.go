package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
)

// liveCard is a house whose master keys the test knows, and a card at a terminal.
type liveCard struct {
	house

	card   emv.SchemeCard
	script emv.ScriptSession
	arqc   [8]byte
}

const atTerminal = 9 // the card's counter

func newLiveCard(t *testing.T) liveCard {
	t.Helper()
	h := newHouse(t)
	c := liveCard{house: h}
	var imk [3]*crypt.TDES
	for i, usage := range []string{"imk-ac", "imk-smi", "imk-smc"} {
		imk[i] = newTDES(t, enterKey(t, h, usage, usage, []string{one, two, three}[i], "00112233445566778899AABBCCDDEEFF", false))
	}
	scheme, err := emv.SchemeByName("MasterCardCVN20")
	if err != nil {
		t.Fatal(err)
	}
	if c.card, err = scheme.Card(imk[0], imk[1], imk[2], "9250000000000017", "01"); err != nil {
		t.Fatal(err)
	}
	p := emv.SecurAccess()
	data, err := emv.TerminalData(p.CDOL1, p.IAF[0], emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		t.Fatal(err)
	}
	c.arqc = p.CardCryptogram(newTDES(t, c.card.AC), data, atTerminal, p.ExpectedCVR(0).WithPIN(emv.PINNotPerformed, 0))
	if c.script, err = c.card.Scripts(atTerminal, c.arqc, 0); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c liveCard) asks(more map[string]any) map[string]any {
	request := map[string]any{
		"pan": "9250000000000017", "psn": "01", "profile": "securaccess", "atc": "9", "arqc": crypt.Hex(c.arqc[:]).String(), "scripts": "0",
	}
	for name, value := range more {
		request[name] = value
	}
	return request
}

func TestAScriptIsTheOneThatTheCardExpects(t *testing.T) {
	t.Parallel()
	c := newLiveCard(t)
	for command, want := range map[string]emv.Command{
		"application-block": emv.ApplicationBlock, "application-unblock": emv.ApplicationUnblock, "card-block": emv.CardBlock,
	} {
		answer := c.must(t, "script/block", c.asks(map[string]any{"command": command}))
		if answer["apdu"] != crypt.Hex(c.script.APDU(want, nil)).String() || len(answer) != 1 {
			t.Errorf("%s: %v", command, answer)
		}
	}
	answer := c.must(t, "script/pin-unblock", c.asks(nil))
	text, _ := answer["apdu"].(string)
	if command, _, err := emv.OpenScript(newTDES(t, c.card.SMI), nil, atTerminal, c.arqc, hexBytes(t, text)); err != nil || command != emv.PINUnblockCommand {
		t.Errorf("pin-unblock: %v, %v", answer, err)
	}
	second, err := c.card.Scripts(atTerminal, c.arqc, 1)
	if err != nil {
		t.Fatal(err)
	}
	answer = c.must(t, "script/pin-unblock", c.asks(map[string]any{"sequence": "1"}))
	if answer["apdu"] != crypt.Hex(second.APDU(emv.PINUnblockCommand, nil)).String() {
		t.Errorf("second command of a transaction: %v", answer)
	}
	c.refusesUnchanged(t, "officer", logical.UpdateOperation, "script/block", c.asks(map[string]any{"command": "format"}), "invalid")
	c.refusesUnchanged(t, "officer", logical.UpdateOperation, "script/block", c.asks(map[string]any{"command": "card-block", "atc": "10"}), "wrong_arqc")
}

func TestANewPINGoesToTheCardEncipheredAndToItsLetter(t *testing.T) {
	t.Parallel()
	c := newLiveCard(t)
	change := map[string]any{"attempt": attempt, "card": "C-0000000000000001", "pin_version": "2"}
	answer := c.must(t, "script/pin-change", c.asks(change))
	if again := c.must(t, "script/pin-change", c.asks(change)); again["apdu"] != answer["apdu"] {
		t.Error("the same attempt got another PIN")
	}
	text, _ := answer["apdu"].(string)
	raw := hexBytes(t, text)
	if len(raw) != 5+8+8 || crypt.Hex(raw[:5]).String() != "8424000210" {
		t.Fatalf("command %s", text)
	}
	block, err := c.script.SMC.DecryptECB(raw[5:13])
	if err != nil {
		t.Fatal(err)
	}
	pin, err := pinblock.DecodeISO2(block)
	if err != nil {
		t.Fatal(err)
	}
	released, _ := c.must(t, "pin/letter", map[string]any{"card": "C-0000000000000001", "pin_version": "2", "letter": "P-0000000000000001"})["pin"].(string)
	if digits, _, _ := strings.Cut(released, "."); digits != pin {
		t.Error("the letter's PIN is not the card's")
	}
	change["attempt"] = "A-0000000000000002"
	c.refusesUnchanged(t, "officer", logical.UpdateOperation, "script/pin-change", c.asks(change), "conflict")
	change["pin_version"], change["arqc"] = "3", "0000000000000000"
	c.refusesUnchanged(t, "officer", logical.UpdateOperation, "script/pin-change", c.asks(change), "wrong_arqc")
}

// pinOf is a card's PIN, out of its letter.
func pinOf(t *testing.T, h house) string {
	t.Helper()
	text, _ := h.must(t, "pin/letter", map[string]any{"card": "C-0000000000000001", "pin_version": "1", "letter": "P-0000000000000001"})["pin"].(string)
	digits, _, _ := strings.Cut(text, ".")
	return digits
}

const number = "9250000000000017"

// blockOf enciphers a PIN block of format 0 under a key that the test knows.
func blockOf(t *testing.T, key []byte, pin, pan string) string {
	t.Helper()
	block, err := pinblock.EncodeISO0(pin, pan)
	if err != nil {
		t.Fatal(err)
	}
	newTDES(t, key).Encrypt(block[:], block[:])
	return crypt.Hex(block[:]).String()
}

func TestAPINIsJudgedAFewTimesAndNeverTold(t *testing.T) {
	t.Parallel()
	h := withKeys(t)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	key := enterKey(t, h, "zpk", "pin", one, two, false)
	pin := pinOf(t, h)
	wrong := "0000"
	ask := func(guess string) map[string]any {
		return map[string]any{
			"card": "C-0000000000000001", "pin_version": "1", "pan": number, "key": "zpk", "format": "0", "pin_block": blockOf(t, key, guess, number),
		}
	}
	judge := func(guess string, want bool) {
		t.Helper()
		if answer := h.must(t, "pin/verify", ask(guess)); answer["valid"] != want || len(answer) != 1 {
			t.Errorf("answered %v, want valid %v alone", answer, want)
		}
	}
	judge(pin, true)
	for range 2 {
		judge(wrong, false)
	}
	judge(pin, true) // the count begins anew
	for round := range 3 {
		for range 3 {
			judge(wrong, false)
		}
		if round < 2 {
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify", ask(pin), "rate_limited")
			h.clock.pass(61 * time.Minute)
		}
	}
	h.clock.pass(24 * time.Hour)
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify", ask(pin), "pin_locked")
	other := ask(pin)
	other["pan"] = "9250000000000025"
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "pin/verify", other, "invalid")
}

func TestAPINBlockMovesBetweenKeysAndNeverToAnotherCard(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := enterKey(t, h, "zpk", "pin", one, two, false)
	h.must(t, "keys/aes", map[string]any{"usage": "pin", "algorithm": "aes256"})
	back := enterKey(t, h, "tpk", "pin", three, two, false)
	move := func(from, fromFormat, to, toFormat, pan string, block any) (map[string]any, string) {
		return h.call(t, "officer", "pin/translate", map[string]any{
			"pan": pan, "from_key": from, "from_format": fromFormat, "to_key": to, "to_format": toFormat, "pin_block": block,
		})
	}
	four, refused := move("zpk", "0", "aes", "4", number, blockOf(t, key, "483921", number))
	if refused != "" {
		t.Fatal(refused)
	}
	home, refused := move("aes", "4", "tpk", "3", number, four["pin_block"])
	if refused != "" {
		t.Fatal(refused)
	}
	text, _ := home["pin_block"].(string)
	raw := hexBytes(t, text)
	newTDES(t, back).Decrypt(raw, raw)
	if pin, err := pinblock.DecodeISO3(raw, number); err != nil || pin != "483921" {
		t.Errorf("after two moves: %v", err)
	}
	if _, refused := move("aes", "4", "tpk", "0", "9250000000000025", four["pin_block"]); !strings.HasPrefix(refused, "invalid: ") {
		t.Errorf("to another card: %q", refused)
	}
	if _, refused := move("zpk", "0", "aes", "0", number, blockOf(t, key, "483921", number)); !strings.HasPrefix(refused, "key_usage: ") {
		t.Errorf("format 0 under AES: %q", refused)
	}
	h.must(t, "keys/sender", map[string]any{"usage": "pin", "algorithm": "tdes2", "mode": "E"})
	if _, refused := move("sender", "0", "tpk", "0", number, blockOf(t, key, "483921", number)); !strings.HasPrefix(refused, "key_usage: ") {
		t.Errorf("out of a key that only enciphers: %q", refused)
	}
}
