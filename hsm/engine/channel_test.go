package engine_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	chips "sceau/card"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
	"sceau/hsm/pinblock"
	"sceau/lifecycle"
)

// blanks is a house with a master key of blank chips that the test knows.
type blanks struct {
	house

	master crypt.Key
}

func withBlanks(t testing.TB) blanks {
	t.Helper()
	h := blanks{house: withKeys(t)}
	h.master = h.enterMaster(t, 1, false)
	return h
}

// enterMaster enters the master key, or its next version, in two components.
func (h blanks) enterMaster(t testing.TB, seed byte, rotate bool) crypt.Key {
	t.Helper()
	master := make(crypt.Key, 32)
	for i, custodian := range []string{"ann", "bob"} {
		part := bytes.Repeat([]byte{seed * byte(7+i)}, 32)
		part[0] = byte(i)
		for j, b := range part {
			master[j] ^= b
		}
		kcv, err := keyblock.CheckValueAES(part)
		if err != nil {
			t.Fatal(err)
		}
		if _, refused := h.call(t, custodian, "keys/imk-perso/components", map[string]any{
			"usage": "imk-perso", "algorithm": "aes256", "index": string('1' + rune(i)), "total": "2",
			"component": crypt.Hex(part).String(), "kcv": kcv, "rotate": rotate,
		}); refused != "" {
			t.Fatal(refused)
		}
	}
	return master
}

func (h blanks) chip(t testing.TB, serial byte) *chips.Simulated {
	t.Helper()
	c, err := chips.NewBlank(h.master, [10]byte{serial})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// say gives a chip a command and wants a status word.
func say(t testing.TB, c *chips.Simulated, command []byte, want uint16) []byte {
	t.Helper()
	answer, err := c.Transmit(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	n := len(answer) - 2
	if got := uint16(answer[n])<<8 | uint16(answer[n+1]); got != want {
		t.Errorf("%X answered %04X, want %04X", command[:4], got, want)
	}
	return answer[:n]
}

// ask opens a chip with the attempt's challenge and answers the request for its
// channel.
func (h blanks) ask(t testing.TB, c *chips.Simulated, attempt string) map[string]any {
	t.Helper()
	challenge, _ := h.must(t, "card/challenge", map[string]any{"attempt": attempt, "perso_key": "imk-perso"})["challenge"].(string)
	aid := emv.SecurAccess().AID
	say(t, c, append([]byte{0, 0xA4, 4, 0, byte(len(aid))}, aid...), 0x9000)
	answer := say(t, c, append(append([]byte{0x80, 0x50, 0, 0, 8}, hexBytes(t, challenge)...), 0), 0x9000)
	request := card("C-0000000000000001")
	request["attempt"], request["profile"], request["perso_key"] = attempt, "securaccess", "imk-perso"
	request["answer"] = crypt.Hex(answer).String()
	return request
}

// give sends a channel's commands to the chip.
func give(t testing.TB, c *chips.Simulated, answer map[string]any) {
	t.Helper()
	commands, _ := answer["commands"].([]string)
	if len(commands) < 2 {
		t.Fatalf("answered %v", answer)
	}
	for _, command := range commands {
		say(t, c, hexBytes(t, command), 0x9000)
	}
}

func TestAChipAtATerminalBecomesTheCardWithThePINOfItsLetter(t *testing.T) {
	t.Parallel()
	h := withBlanks(t)
	chip := h.chip(t, 1)
	answer := h.must(t, "card/channel", h.ask(t, chip, attempt))
	if answer["serial"] != "01000000000000000000" {
		t.Errorf("serial %v", answer["serial"])
	}
	give(t, chip, answer)
	if s := chip.Status(); s.Blank || s.Last4 != number[12:] || s.TriesLeft != 3 {
		t.Errorf("the chip is %+v", s)
	}
	pin, err := lifecycle.NewPIN(pinOf(t, h.house))
	if err != nil {
		t.Fatal(err)
	}
	code, err := chips.NewReader(chip).Code(t.Context(), pin, emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		t.Fatal(err)
	}
	items, _ := h.must(t, "cap/verify", map[string]any{"items": []any{map[string]any{
		"id": "0", "pan": number, "psn": "01", "profile": "securaccess", "mode": "2", "code": code, "last_atc": "0", "window": "64",
	}}})["items"].([]map[string]any)
	if len(items) != 1 || items[0]["valid"] != true {
		t.Errorf("the chip's code: %v", items)
	}
}

func TestAnAttemptMakesOneChipAndMakesItAgainUntilTheLetter(t *testing.T) {
	t.Parallel()
	h := withBlanks(t)
	chip := h.chip(t, 1)
	lost := h.must(t, "card/channel", h.ask(t, chip, attempt))
	commands, _ := lost["commands"].([]string)
	for _, command := range commands[:3] { // the terminal dies
		say(t, chip, hexBytes(t, command), 0x9000)
	}
	chip.Remove()
	h.house = h.restarted(t)
	again := h.ask(t, chip, attempt)
	answer := h.must(t, "card/channel", again)
	if repeated := h.must(t, "card/channel", again); strings.Join(repeated["commands"].([]string), " ") != strings.Join(answer["commands"].([]string), " ") {
		t.Error("the same answer of the chip got other commands")
	}
	refuses := func(request map[string]any, code string) {
		t.Helper()
		h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/channel", request, code)
	}
	refuses(h.ask(t, h.chip(t, 2), attempt), "conflict")
	refuses(h.ask(t, chip, "A-0000000000000002"), "conflict")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/personalise", personalise(attempt, card("C-0000000000000001")), "conflict")
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/rekey", personalise("A-0000000000000002", card("C-0000000000000001")), "conflict")
	request := h.ask(t, chip, attempt)
	give(t, chip, h.must(t, "card/channel", request))
	if chip.Status().Blank {
		t.Error("the chip is blank still")
	}
	pinOf(t, h.house)
	refuses(request, "pin_released")
}

func TestACardOfTheBureauGetsNoChipAtATerminal(t *testing.T) {
	t.Parallel()
	h := withBlanks(t)
	h.must(t, "card/personalise", personalise(attempt, card("C-0000000000000001")))
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/channel", h.ask(t, h.chip(t, 1), attempt), "conflict")
}

func TestAChipUnderAnEarlierMasterKeyIsOpenedUntilThatIsRetired(t *testing.T) {
	t.Parallel()
	h := withBlanks(t)
	chip, later := h.chip(t, 1), h.chip(t, 3)
	old := h.ask(t, chip, attempt)
	fresh := h.enterMaster(t, 2, true)
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/channel", old, "wrong_chip") // challenged before the rotation
	give(t, chip, h.must(t, "card/channel", h.ask(t, chip, attempt)))
	h.must(t, "keys/imk-perso/retire", map[string]any{"version": "1"})
	other := h.ask(t, later, "A-0000000000000003")
	other["card"], other["pan"] = "C-0000000000000003", "9250000000000033"
	h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/channel", other, "wrong_chip")
	h.master = fresh
	other["answer"] = h.ask(t, h.chip(t, 4), "A-0000000000000003")["answer"]
	h.must(t, "card/channel", other)
}

func TestAChannelIsRefusedWithACodeWord(t *testing.T) {
	t.Parallel()
	h := withBlanks(t)
	h.must(t, "keys/old-perso", map[string]any{"usage": "imk-perso"})
	if _, refused := h.call(t, "ANN", "keys/live-perso", map[string]any{"usage": "imk-perso", "algorithm": "aes128", "environment": "live"}); refused != "" {
		t.Fatal(refused)
	}
	good := h.ask(t, h.chip(t, 1), attempt)
	stranger := blanks{h.house, bytes.Repeat([]byte{9}, 32)}
	for name, test := range map[string]struct {
		field string
		value any
		want  string
	}{
		"a key that is none":           {"perso_key", "absent", "unknown_key"},
		"a key for something else":     {"perso_key", "transport", "key_usage"},
		"a TDES key":                   {"perso_key", "old-perso", "key_usage"},
		"an answer that is cut":        {"answer", "0102", "invalid"},
		"an answer of SCP02":           {"answer", strings.Repeat("02", 29), "invalid"},
		"an answer of a strange chip":  {"answer", stranger.ask(t, stranger.chip(t, 1), attempt)["answer"], "wrong_chip"},
		"an answer to another attempt": {"answer", h.ask(t, h.chip(t, 1), "A-0000000000000002")["answer"], "wrong_chip"},
		"an attempt without form":      {"attempt", "1", "invalid"},
		"a card without form":          {"card", "../pin-key", "invalid"},
		"a profile that is none":       {"profile", "absent", "unknown_profile"},
	} {
		request := map[string]any{}
		for field, value := range good {
			request[field] = value
		}
		request[test.field] = test.value
		t.Run(name, func(t *testing.T) {
			h.refusesUnchanged(t, "officer", logical.UpdateOperation, "card/channel", request, test.want)
		})
	}
	for field, value := range map[string]string{"attempt": "A-1", "perso_key": "transport"} {
		request := map[string]any{"attempt": attempt, "perso_key": "imk-perso"}
		request[field] = value
		if _, refused := h.call(t, "officer", "card/challenge", request); refused == "" {
			t.Errorf("challenged with %s %s", field, value)
		}
	}
}

// What leaves on the wire is of no use without the chip's keys.
func TestNothingOfACardIsInClearOnTheWayToItsChip(t *testing.T) {
	t.Parallel()
	h := withBlanks(t)
	answer := h.must(t, "card/channel", h.ask(t, h.chip(t, 1), attempt))
	commands, _ := answer["commands"].([]string)
	wire := strings.Join(commands, "")
	block, err := pinblock.EncodeISO2(pinOf(t, h.house))
	if err != nil {
		t.Fatal(err)
	}
	for name, clear := range map[string]string{"the card number": number, "the PIN": crypt.Hex(block[:]).String(), "the label": crypt.Hex(emv.SecurAccess().Label).String()} {
		if strings.Contains(wire, clear) {
			t.Errorf("%s stands in clear", name)
		}
	}
	images := emv.CardImage{}
	if images, err = emv.OpenDGIsUnder(hexBytes(t, wire), func(b []byte) ([]byte, error) { return b, nil }); err == nil {
		t.Errorf("the commands read as data groupings of %s", images.PAN)
	}
	if !errors.Is(err, crypt.ErrMalformed) {
		t.Error(err)
	}
}
