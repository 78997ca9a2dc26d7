package hsm_test

import (
	"bytes"
	"testing"

	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
	"sceau/lifecycle"
)

// The commands of a terminal and of the office, each as its role may give it. What
// no role may give is given by the root token.
func TestTheCommandsOfOfficeTerminalAndAuditorOnALiveMount(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	root := open(t, h.vault)
	cards, images := h.personalise(t, 2)
	card, image := cards[0], images[0]
	check := hsm.CAPCheck{PAN: card.PAN, PSN: 1, Profile: h.profile, Mode: hsm.Mode2, Code: code(t, image, 900), Window: 1024}

	office := as(t, h.vault, hsm.RoleOffice)
	if answer, err := office.ResyncCAP(t.Context(), check, code(t, image, 901)); err != nil || answer != (hsm.CAPAnswer{Valid: true, ATC: 901}) {
		t.Errorf("two codes in a row: %+v, %v", answer, err)
	}
	if answer, err := office.ResyncCAP(t.Context(), check, code(t, image, 902)); err != nil || answer != (hsm.CAPAnswer{}) {
		t.Errorf("two codes that are not in a row: %+v, %v", answer, err)
	}
	check.Window = 4097
	_, err := office.ResyncCAP(t.Context(), check, code(t, image, 901))
	wantKind(t, err, lifecycle.Invalid)

	p := emv.SecurAccess()
	data, err := emv.TerminalData(image.CDOL1, image.IAF, emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		t.Fatal(err)
	}
	arqc := cryptogram(t, image, 7, p.ExpectedCVR(0))
	ask := hsm.ARQCCheck{PAN: card.PAN, PSN: 1, Profile: h.profile, ATC: 7, ARQC: arqc[:], Data: data, ARC: []byte{0, 0x10}}
	session := emv.SessionKey(tdes(t, image.AC), emv.ATCDiversifier(7))
	want := emv.ARPC1(tdes(t, session), arqc, [2]byte{0, 0x10})
	if valid, arpc, err := root.VerifyARQC(t.Context(), ask); err != nil || !valid || !bytes.Equal(arpc, want[:]) {
		t.Errorf("a right cryptogram: valid %t, answer %X, %v", valid, arpc, err)
	}
	ask.ATC = 8
	if valid, arpc, err := root.VerifyARQC(t.Context(), ask); err != nil || valid || len(arpc) > 0 {
		t.Errorf("of another counter: valid %t, answer %X, %v", valid, arpc, err)
	}

	scriptsAtATerminal(t, h, root, card, image)

	rekey := h.request(t, 2)
	rekey.Attempt, rekey.Cards = "A-FEDCBA9876543210", rekey.Cards[1:]
	made, err := h.worker.Rekey(t.Context(), rekey, false)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := emv.OpenDGIs(made[0].DGIs, h.transport); err != nil || !bytes.Equal(same.AC, images[1].AC) || !bytes.Equal(same.PINBlock, images[1].PINBlock) {
		t.Errorf("a rekeyed card has other keys or another PIN: %v", err)
	}
	_, err = h.worker.Personalise(t.Context(), h.request(t, 2))
	wantKind(t, err, lifecycle.Conflict)

	journalTells(t, as(t, h.vault, hsm.RoleAuditor))
}

func scriptsAtATerminal(t *testing.T, h cardHouse, root *hsm.Client, card hsm.CardToPersonalise, image emv.CardImage) {
	t.Helper()
	const atc = 9
	arqc := cryptogram(t, image, atc, emv.SecurAccess().ExpectedCVR(0).WithPIN(emv.PINNotPerformed, 0))
	r := hsm.ScriptRequest{PAN: card.PAN, PSN: 1, Profile: h.profile, ATC: atc, ARQC: arqc[:]}
	bound := append([]byte{0, atc}, arqc[:]...)
	session := emv.ScriptSession{
		SMI: tdes(t, emv.SessionKey(tdes(t, image.SMI), arqc)), SMC: tdes(t, emv.SessionKey(tdes(t, image.SMC), arqc)), Bound: bound,
	}
	for command, want := range map[hsm.ScriptCommand]emv.Command{
		hsm.BlockApplication: emv.ApplicationBlock, hsm.UnblockApplication: emv.ApplicationUnblock, hsm.BlockCard: emv.CardBlock,
	} {
		if apdu, err := root.BlockScript(t.Context(), r, command); err != nil || !bytes.Equal(apdu, session.APDU(want, nil)) {
			t.Errorf("%s: %X, %v", command, apdu, err)
		}
	}
	_, err := h.api.BlockScript(t.Context(), r, hsm.BlockCard)
	wantKind(t, err, lifecycle.Forbidden)
	apdu, err := root.PINChangeScript(t.Context(), r, attempt, card.Card, 2)
	if err != nil || len(apdu) != 5+8+8 {
		t.Fatalf("a new PIN: %d bytes, %v", len(apdu), err)
	}
	block, err := session.SMC.DecryptECB(apdu[5:13])
	if err != nil {
		t.Fatal(err)
	}
	pin, err := pinblock.DecodeISO2(crypt.Key(block))
	if err != nil {
		t.Fatal(err)
	}
	released, err := h.letter.ReleasePIN(t.Context(), hsm.PINRelease{Card: card.Card, PINVersion: 2, Letter: "P-0123456789ABCDEF"})
	if err != nil || released.Reveal() != pin {
		t.Errorf("the letter's PIN is not the one that the card was given: %v", err)
	}
	_, err = root.PINChangeScript(t.Context(), r, "A-FEDCBA9876543210", card.Card, 2)
	wantKind(t, err, lifecycle.Conflict)
}

func journalTells(t *testing.T, auditor *hsm.Client) {
	t.Helper()
	entries, err := auditor.Journal(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	seen, last := map[string]hsm.JournalEntry{}, 0
	for _, e := range entries {
		if e.Number <= last || e.When.IsZero() || e.Outcome == "" {
			t.Errorf("entry %+v after number %d", e, last)
		}
		last = e.Number
		seen[e.Command+" "+e.Outcome] = e
	}
	for _, want := range []string{"card/personalise ok", "card/rekey ok", "card/personalise conflict", "script/block ok", "pin/letter ok", "cap/resync ok", "arqc/verify ok"} {
		if _, there := seen[want]; !there {
			t.Errorf("nobody told of %q", want)
		}
	}
	if e := seen["cap/resync ok"]; e.Count != 2 || e.Since.IsZero() || e.Keys != "securaccess" {
		t.Errorf("the counted command: %+v", e)
	}
	if e := seen["pin/letter ok"]; e.Subject != "C-0000000000000000,P-0123456789ABCDEF" {
		t.Errorf("the letter: %+v", e)
	}
	if rest, err := auditor.Journal(t.Context(), last); err != nil || len(rest) > 1 { // this reading is counted
		t.Errorf("after the last: %d entries, %v", len(rest), err)
	}
}
