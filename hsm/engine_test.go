package hsm_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
	"sceau/hsm/pinblock"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

// cardHouse is a Vault with the card engine after a ceremony: keys made, and a
// transport key whose value the test knows, because it was both custodians.
type cardHouse struct {
	vault                 testenv.VaultServer
	worker, letter, api   *hsm.Client
	transportKey, profile string
	transport             *crypt.TDES
}

func newCardHouse(t *testing.T) cardHouse {
	t.Helper()
	return cardHouseIn(t, testenv.OwnVault(t))
}

func cardHouseIn(t *testing.T, vault testenv.VaultServer) cardHouse {
	t.Helper()
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	custodians := []*hsm.Client{custodian(t, vault, admin, "custodian 1"), custodian(t, vault, admin, "custodian 2")}
	for name, usage := range map[string]hsm.KeyUsage{
		"imk-ac": hsm.UsageIMKAC, "imk-smi": hsm.UsageIMKSMI, "imk-smc": hsm.UsageIMKSMC, "bureau-kbpk": hsm.UsageKBPK,
	} {
		if _, err := custodians[0].CreateKey(t.Context(), name, usage, ""); err != nil {
			t.Fatal(err)
		}
	}
	house := cardHouse{
		vault: vault, transportKey: "transport", profile: "securaccess",
		worker: as(t, vault, hsm.RoleWorker), letter: as(t, vault, hsm.RolePINLetter), api: as(t, vault, hsm.RoleAPI),
	}
	house.transport = enterTransportKey(t, custodians, house.transportKey)
	return house
}

func custodian(t *testing.T, vault testenv.VaultServer, admin *hsm.Client, name string) *hsm.Client {
	t.Helper()
	token, err := admin.NewToken(t.Context(), hsm.RoleCeremony, name)
	if err != nil {
		t.Fatal(err)
	}
	return openWith(t, hsm.Config{Address: vault.Addr, Token: token})
}

// enterTransportKey has each custodian enter one component, and checks that the
// first may not enter both.
func enterTransportKey(t *testing.T, custodians []*hsm.Client, name string) *crypt.TDES {
	t.Helper()
	components := []string{"1C587FD3EA6B923E45B0C7921A6DF854", "2A5E43B6C89D107F6EA4D9327C15FB80"}
	key := make([]byte, 16)
	for i, component := range components {
		raw, err := hex.DecodeString(component)
		if err != nil {
			t.Fatal(err)
		}
		kcv, err := keyblock.CheckValueTDES(raw)
		if err != nil {
			t.Fatal(err)
		}
		for j := range key {
			key[j] ^= raw[j]
		}
		part := hsm.KeyComponent{
			Key: name, Usage: hsm.UsageTransport, Algorithm: "tdes2", Index: i + 1, Total: 2, Component: component, KCV: kcv,
		}
		if i == 1 {
			if _, _, err := custodians[0].EnterComponent(t.Context(), part); err == nil {
				t.Error("one custodian entered both components")
			}
		}
		complete, got, err := custodians[i].EnterComponent(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		if complete != (i == 1) {
			t.Errorf("after component %d: complete = %v", i+1, complete)
		}
		if want, err := keyblock.CheckValueTDES(key); complete && (err != nil || got != want) {
			t.Errorf("the key's check value is %s, want %s", got, want)
		}
	}
	transport, err := crypt.NewTDES(key)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

func (h cardHouse) request(t *testing.T, n int) hsm.PersonaliseRequest {
	t.Helper()
	r := hsm.PersonaliseRequest{Attempt: attempt, Profile: h.profile, TransportKey: h.transportKey}
	for i := range n {
		digits := fmt.Sprintf("54133300%07d", i)
		number, err := lifecycle.NewPAN(digits + string(lifecycle.LuhnDigit(digits)))
		if err != nil {
			t.Fatal(err)
		}
		r.Cards = append(r.Cards, hsm.CardToPersonalise{
			Card: lifecycle.CardID(fmt.Sprintf("C-%016d", i)), PINVersion: 1, PAN: number, PSN: 1,
			Expiry: time.Date(2029, 11, 30, 0, 0, 0, 0, time.UTC),
		})
	}
	return r
}

func (h cardHouse) personalise(t *testing.T, n int) ([]hsm.CardToPersonalise, []emv.CardImage) {
	t.Helper()
	r := h.request(t, n)
	made, err := h.worker.Personalise(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	images := make([]emv.CardImage, len(made))
	for i, card := range made {
		if images[i], err = emv.OpenDGIs(card.DGIs, h.transport); err != nil {
			t.Fatal(err)
		}
	}
	return r.Cards, images
}

// cryptogram is what a card answers to GENERATE AC in CAP mode 2.
func cryptogram(t *testing.T, image emv.CardImage, atc uint16, cvr emv.CVR) [8]byte {
	t.Helper()
	data, err := emv.TerminalData(image.CDOL1, image.IAF, emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		t.Fatal(err)
	}
	return emv.SecurAccess().CardCryptogram(tdes(t, image.AC), data, atc, cvr)
}

func tdes(t *testing.T, key crypt.Key) *crypt.TDES {
	t.Helper()
	block, err := crypt.NewTDES(key)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func code(t *testing.T, image emv.CardImage, atc uint16) string {
	t.Helper()
	cvr := emv.SecurAccess().ExpectedCVR(0)
	text, err := emv.ReaderData{
		IPB: image.IPB, IAF: image.IAF, PSN: image.PSN, CID: 0x80, ATC: atc,
		AC: cryptogram(t, image, atc, cvr), IAD: emv.SecurAccess().IAD(cvr),
	}.Code()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestACardThatTheEngineMadeMakesCodesThatItAccepts(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	cards, images := h.personalise(t, 2)
	check := hsm.CAPCheck{
		PAN: cards[0].PAN, PSN: 1, Profile: h.profile, Mode: hsm.Mode2, Code: code(t, images[0], 3), LastATC: 1, Window: 64,
		Scripts: []int{0},
	}
	spent, other, odd := check, check, check
	spent.LastATC = 3
	other.PAN = cards[1].PAN
	odd.Code = "not a code"
	answers, err := h.api.VerifyCAP(t.Context(), []hsm.CAPCheck{check, spent, other, odd})
	if err != nil {
		t.Fatal(err)
	}
	if want := (hsm.CAPAnswer{Valid: true, ATC: 3}); answers[0] != want {
		t.Errorf("the card's code: %+v, want %+v", answers[0], want)
	}
	for i, name := range []string{"a spent code", "another card's code", "no code"} {
		if answers[i+1] != (hsm.CAPAnswer{}) {
			t.Errorf("%s: %+v", name, answers[i+1])
		}
	}
	unknown := check
	unknown.Profile = "absent"
	answers, err = h.api.VerifyCAP(t.Context(), []hsm.CAPCheck{unknown, check})
	if err != nil {
		t.Fatal(err)
	}
	if answers[0].Err == nil || !answers[1].Valid {
		t.Errorf("an unknown profile beside a good code: %+v", answers)
	}
}

func TestTheSameAttemptGetsTheSameCardsAndAnotherNone(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	r := h.request(t, 150) // two calls
	first, err := h.worker.Personalise(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.worker.Personalise(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range first {
		if !bytes.Equal(first[i].DGIs, again[i].DGIs) {
			t.Fatalf("card %s differs the second time", first[i].Card)
		}
	}
	r.Attempt = "A-FEDCBA9876543210"
	_, err = h.worker.Personalise(t.Context(), r)
	wantKind(t, err, lifecycle.Conflict)
	r.TransportKey = "absent"
	r.Cards[0].Card = "C-9999999999999999"
	_, err = h.worker.Personalise(t.Context(), r)
	wantKind(t, err, lifecycle.NotFound)
}

func TestAPINGoesToOneLetterAndStaysOutOfTheAuditFile(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	cards, images := h.personalise(t, 1)
	release := hsm.PINRelease{Card: cards[0].Card, PINVersion: 1, Letter: "P-0123456789ABCDEF"}
	pin, err := h.letter.ReleasePIN(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.letter.ReleasePIN(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	onCard, err := pinblock.DecodeISO2(images[0].PINBlock)
	if err != nil {
		t.Fatal(err)
	}
	if !pin.Equal(again) || pin.Reveal() != onCard {
		t.Error("the letter's PIN is not the card's")
	}
	other := release
	other.Letter = "P-FEDCBA9876543210"
	_, err = h.letter.ReleasePIN(t.Context(), other)
	wantKind(t, err, lifecycle.Conflict)
	if err := h.letter.ClosePIN(t.Context(), release); err != nil {
		t.Fatal(err)
	}
	_, err = h.letter.ReleasePIN(t.Context(), release)
	wantKind(t, err, lifecycle.Conflict)
	if err := h.worker.DestroyPIN(t.Context(), release.Card, 1); err != nil {
		t.Fatal(err)
	}
	auditIsSilent(t, h.vault, pin, cards[0].PAN)
}

var auditedPIN = regexp.MustCompile(`"pin":\s*([^,}]*)`)

func auditIsSilent(t *testing.T, vault testenv.VaultServer, pin lifecycle.PIN, pan lifecycle.PAN) {
	t.Helper()
	log, err := os.ReadFile(vault.AuditFile)
	if err != nil {
		t.Fatal(err)
	}
	values := auditedPIN.FindAllStringSubmatch(string(log), -1)
	if len(values) == 0 {
		t.Error("the audit file has no answer with a PIN, so this test shows nothing")
	}
	for _, value := range values {
		if !strings.HasPrefix(value[1], `"hmac-sha256:`) {
			t.Error("the audit file has a PIN that is not hashed")
		}
	}
	if strings.Contains(string(log), `"`+pin.Reveal()+`"`) || strings.Contains(string(log), pan.Reveal()) {
		t.Error("the audit file shows a PIN or a card number")
	}
}

func TestAPINUnblockScriptIsForTheCardThatAsked(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	cards, images := h.personalise(t, 1)
	cvr := emv.SecurAccess().ExpectedCVR(0).WithPIN(emv.PINNotPerformed, 0)
	arqc := cryptogram(t, images[0], 9, cvr)
	r := hsm.ScriptRequest{PAN: cards[0].PAN, PSN: 1, Profile: h.profile, ATC: 9, ARQC: arqc[:]}
	apdu, err := h.api.PINUnblockScript(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if command, _, err := emv.OpenScript(tdes(t, images[0].SMI), nil, 9, arqc, apdu); err != nil || command != emv.PINUnblockCommand {
		t.Errorf("the card would not take the script: %v", err)
	}
	r.ARQC = bytes.Repeat([]byte{1}, 8)
	if _, err := h.api.PINUnblockScript(t.Context(), r); err == nil {
		t.Error("a script for a cryptogram that the card did not make")
	}
}

func TestCeremonyKeysAreDescribedAndOnlyTransportKeysLeave(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t)
	admin := open(t, h.vault)
	info, err := admin.KeyInfo(t.Context(), "imk-ac")
	if err != nil {
		t.Fatal(err)
	}
	if info.Name != "imk-ac" || info.Usage != hsm.UsageIMKAC || len(info.KCV) < 6 {
		t.Errorf("imk-ac is described as %+v", info)
	}
	again, err := admin.CreateKey(t.Context(), "imk-ac", hsm.UsageIMKAC, "")
	if err != nil || again.KCV != info.KCV {
		t.Errorf("created again: %+v, %v", again, err)
	}
	_, err = admin.CreateKey(t.Context(), "imk-ac", hsm.UsageIMKSMI, "")
	wantKind(t, err, lifecycle.Conflict)
	_, err = admin.KeyInfo(t.Context(), "absent")
	wantKind(t, err, lifecycle.NotFound)
	second := custodian(t, h.vault, admin, "custodian 3")
	if _, _, err := admin.ExportKey(t.Context(), h.transportKey, "bureau-kbpk"); !errors.Is(err, hsm.ErrProposed) {
		t.Errorf("exported by one alone: %v", err)
	}
	_, _, err = admin.ExportKey(t.Context(), h.transportKey, "bureau-kbpk")
	wantKind(t, err, lifecycle.Forbidden)
	block, kcv, err := second.ExportKey(t.Context(), h.transportKey, "bureau-kbpk")
	if err != nil || block == "" || kcv == "" {
		t.Errorf("export: %q, %q, %v", block, kcv, err)
	}
	if _, _, err := admin.ExportKey(t.Context(), "imk-ac", "bureau-kbpk"); err == nil {
		t.Error("an issuer master key left")
	}
}
