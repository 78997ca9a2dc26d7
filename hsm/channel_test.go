package hsm_test

import (
	"bytes"
	"encoding/hex"
	"path/filepath"
	"testing"

	chips "sceau/card"
	"sceau/hsm"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

const persoKey = "imk-perso"

// enterPersoKey has two custodians enter the master key of blank chips.
func (h cardHouse) enterPersoKey(t *testing.T) []byte {
	t.Helper()
	admin := open(t, h.vault)
	master := make([]byte, 32)
	for i, name := range []string{"chip custodian 1", "chip custodian 2"} {
		part := bytes.Repeat([]byte{0xB1 + byte(i)*0x2C, 0x5E, 0x07 * byte(i+1)}, 11)[:32]
		for j, b := range part {
			master[j] ^= b
		}
		kcv, err := keyblock.CheckValueAES(part)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := custodian(t, h.vault, admin, name).EnterComponent(t.Context(), hsm.KeyComponent{
			Key: persoKey, Usage: hsm.UsageIMKPerso, Algorithm: "aes256", Index: i + 1, Total: 2, Component: hex.EncodeToString(part), KCV: kcv,
		}); err != nil {
			t.Fatal(err)
		}
	}
	return master
}

func TestABlankChipBecomesACardOverALiveMount(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	master := h.enterPersoKey(t)
	desk := as(t, h.vault, hsm.RoleTerminals)
	cards := h.request(t, 2).Cards
	request := hsm.ChannelRequest{Attempt: attempt, Profile: h.profile, PersoKey: persoKey, Card: cards[0]}
	challenge, err := desk.HostChallenge(t.Context(), request.Attempt, persoKey)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(master []byte, serial byte) (*chips.Simulated, []byte) {
		chip, err := chips.NewBlank(master, [10]byte{serial})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := chips.NewReader(chip).OpenBlank(t.Context(), challenge)
		if err != nil {
			t.Fatal(err)
		}
		return chip, answer
	}
	_, request.Answer = answer(bytes.Repeat([]byte{1}, 32), 1)
	_, err = desk.OpenChannel(t.Context(), request)
	wantKind(t, err, lifecycle.Invalid)
	var chip *chips.Simulated
	chip, request.Answer = answer(master, 7)
	channel, err := desk.OpenChannel(t.Context(), request)
	if err != nil || channel.Serial != "07000000000000000000" || channel.Keys != (hsm.MasterKeyVersions{AC: 1, SMI: 1, SMC: 1}) {
		t.Fatal(channel.Serial, channel.Keys, err)
	}
	terminal := chips.NewReader(chip)
	if err := terminal.Personalise(t.Context(), channel.Commands); err != nil {
		t.Fatal(err)
	}
	other := request
	_, other.Answer = answer(master, 8)
	_, err = desk.OpenChannel(t.Context(), other)
	wantKind(t, err, lifecycle.Conflict)

	proof, err := terminal.Prove(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	check := hsm.ARQCCheck{PAN: cards[0].PAN, PSN: 1, Profile: h.profile, ATC: proof.ATC, ARQC: proof.ARQC[:], Data: proof.Data, IAD: proof.IAD}
	if valid, _, err := desk.VerifyARQC(t.Context(), check); err != nil || !valid {
		t.Errorf("the card's first cryptogram: %v, %v", valid, err)
	}
	check.PAN = cards[1].PAN
	if valid, _, err := desk.VerifyARQC(t.Context(), check); err != nil || valid {
		t.Errorf("as another card's: %v, %v", valid, err)
	}

	pin, err := h.letter.ReleasePIN(t.Context(), hsm.PINRelease{Card: cards[0].Card, PINVersion: 1, Letter: "P-0123456789ABCDEF"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := terminal.Code(t.Context(), pin, emv.Transaction{Mode: emv.Mode2}); err != nil {
		t.Errorf("the letter's PIN: %v", err)
	}
	_, err = desk.OpenChannel(t.Context(), request)
	wantKind(t, err, lifecycle.Conflict)
	_, err = h.api.OpenChannel(t.Context(), request)
	wantKind(t, err, lifecycle.Forbidden)
	_, err = desk.PINUnblockScript(t.Context(), hsm.ScriptRequest{PAN: cards[0].PAN, PSN: 1, Profile: h.profile, ATC: 2, ARQC: proof.ARQC[:]})
	wantKind(t, err, lifecycle.Forbidden)

	forms := map[string][]byte{"a PIN as a JSON text": []byte(`"` + pin.Reveal() + `"`), "a card number": []byte(cards[0].PAN.Reveal())}
	for how, form := range testenv.Spellings(master) {
		forms["the master key "+how] = form
	}
	grep(t, filepath.Dir(h.vault.AuditFile), forms)
}
