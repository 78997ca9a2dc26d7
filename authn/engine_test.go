package authn_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"sceau/authn"
	"sceau/card"
	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/store/db"
)

// verifier asks the real card engine, as the program's wiring does: authn
// itself knows no Vault.
type verifier struct{ vault *hsm.Client }

func (v verifier) VerifyCAP(ctx context.Context, checks []authn.Check) ([]authn.Answer, error) {
	asked := make([]hsm.CAPCheck, len(checks))
	for i, c := range checks {
		asked[i] = hsm.CAPCheck{
			PAN: c.PAN, PSN: c.PSN, Profile: c.Profile, Mode: hsm.CAPMode(c.Mode), Code: c.Code, Challenge: c.Challenge,
			Amount: c.Amount, Currency: c.Currency, TDS: c.TDS, LastATC: c.LastATC, Window: c.Window, Scripts: c.Scripts,
		}
	}
	got, err := v.vault.VerifyCAP(ctx, asked)
	if err != nil {
		return nil, err
	}
	answers := make([]authn.Answer, len(got))
	for i, a := range got {
		answers[i] = authn.Answer(a)
	}
	return answers, nil
}

func (v verifier) ResyncCAP(ctx context.Context, c authn.Check, next string) (authn.Answer, error) {
	got, err := v.vault.ResyncCAP(ctx, hsm.CAPCheck{
		PAN: c.PAN, PSN: c.PSN, Profile: c.Profile, Mode: hsm.CAPMode(c.Mode), Code: c.Code, Challenge: c.Challenge,
		Amount: c.Amount, Currency: c.Currency, TDS: c.TDS, LastATC: c.LastATC, Window: c.Window, Scripts: c.Scripts,
	}, next)
	return authn.Answer(got), err
}

// bank is the room over a real Vault: the API's policy verifies, the worker's
// personalises, the PIN worker's tells the test what its holders know.
type bank struct {
	*house

	vault       testenv.VaultServer
	worker, pin *hsm.Client
	transport   *crypt.TDES
}

func open(t *testing.T, config hsm.Config) *hsm.Client {
	t.Helper()
	client := must[*hsm.Client](t)(hsm.Open(t.Context(), config))
	t.Cleanup(client.Close)
	return client
}

func newBank(t *testing.T) *bank {
	t.Helper()
	vault := testenv.OwnVault(t)
	admin := open(t, hsm.Config{Address: vault.Addr, Token: vault.RootToken})
	check(t, admin.ApplyPolicies(t.Context()))
	as := func(role hsm.Role, name string) *hsm.Client {
		return open(t, hsm.Config{Address: vault.Addr, Token: must[string](t)(admin.NewToken(t.Context(), role, name))})
	}
	for name, usage := range map[string]hsm.KeyUsage{"imk-ac": hsm.UsageIMKAC, "imk-smi": hsm.UsageIMKSMI, "imk-smc": hsm.UsageIMKSMC} {
		must[hsm.KeyInfo](t)(as(hsm.RoleCeremony, "officer").CreateKey(t.Context(), name, usage, ""))
	}
	b := &bank{house: setup(t), vault: vault, worker: as(hsm.RoleWorker, "worker"), pin: as(hsm.RolePINLetter, "pin")}
	key := make([]byte, 16)
	for i, text := range []string{"1C587FD3EA6B923E45B0C7921A6DF854", "2A5E43B6C89D107F6EA4D9327C15FB80"} {
		part := must[[]byte](t)(hex.DecodeString(text))
		for j := range key {
			key[j] ^= part[j]
		}
		_, _, err := as(hsm.RoleCeremony, fmt.Sprintf("custodian %d", i+1)).EnterComponent(t.Context(), hsm.KeyComponent{
			Key: "transport", Usage: hsm.UsageTransport, Index: i + 1, Total: 2, Component: text,
			KCV: must[string](t)(keyblock.CheckValueTDES(part)),
		})
		check(t, err)
	}
	b.transport = must[*crypt.TDES](t)(crypt.NewTDES(key))
	var err error
	b.Service, err = authn.New(authn.Config{
		Store: b.store, Safe: testenv.Safe(), Verifier: verifier{as(hsm.RoleAPI, "api")}, Policy: authn.DefaultPolicy(), Now: b.clock.Now,
	})
	check(t, err)
	return b
}

// plastic is a card that the bureau made, with its holder's PIN.
type plastic struct {
	reader *card.Reader
	pin    lifecycle.PIN
}

func (b *bank) make(t *testing.T, row db.Card) plastic {
	t.Helper()
	made := must[[]hsm.PersonalisedCard](t)(b.worker.Personalise(t.Context(), hsm.PersonaliseRequest{
		Attempt: "A-0000000000000001", Profile: row.Profile, TransportKey: "transport",
		Cards: []hsm.CardToPersonalise{{
			Card: row.ID, PINVersion: 1, PAN: must[lifecycle.PAN](t)(testenv.Safe().OpenPAN(row.ID, row.PANSealed)), PSN: int(row.PSN), Expiry: row.Expiry,
		}},
	}))
	image := must[emv.CardImage](t)(emv.OpenDGIs(made[0].DGIs, b.transport))
	pin := must[lifecycle.PIN](t)(b.pin.ReleasePIN(t.Context(), hsm.PINRelease{Card: row.ID, PINVersion: 1, Letter: "P-0000000000000001"}))
	return plastic{card.NewReader(card.New(row.ID, image)), pin}
}

// code is what the reader shows.
func (p plastic) code(t *testing.T, of emv.Transaction) string {
	t.Helper()
	return must[string](t)(p.reader.Code(t.Context(), p.pin, of))
}

func TestARealCardsCodesCountOnceEach(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	holder := b.user(t, userNumber)
	row := b.card(t, holder, lifecycle.CardReceived)
	p := b.make(t, row)

	first := byCard(row, p.code(t, emv.Transaction{Mode: emv.Mode2}))
	first.Purpose = authn.Activate
	got, err := b.VerifyCode(t.Context(), first)
	if err != nil || got.Card != row.ID || got.Holder != holder {
		t.Fatalf("the first code: %+v, %v", got, err)
	}
	n, err := b.store.SetCardState(t.Context(), db.SetCardStateParams{
		ToState: lifecycle.CardActive, At: today, ID: row.ID, FromState: lifecycle.CardReceived,
	})
	if err != nil || n != 1 {
		t.Fatalf("activate: %d, %v", n, err)
	}

	for _, of := range []emv.Transaction{
		{Mode: emv.Mode2},
		{Mode: emv.Mode1, Challenge: "12345678"},
		{Mode: emv.Mode3, Challenge: "7"},
		{Mode: emv.Mode2TDS, TDS: []string{"552100554", "125000"}},
	} {
		a := signIn(p.code(t, of))
		a.Operation = authn.Operation{Mode: string(of.Mode), Code: a.Code, Challenge: of.Challenge, TDS: of.TDS}
		forged := a
		forged.Challenge, forged.TDS = strings.Replace(of.Challenge, "7", "8", 1), append([]string(nil), of.TDS...)
		if len(of.TDS) > 0 {
			forged.TDS[1] = "925000"
		}
		if forged.Challenge != a.Challenge || len(of.TDS) > 0 {
			got, err := b.VerifyCode(t.Context(), forged)
			wantRefused(t, got, err)
		}
		if got, err := b.VerifyCode(t.Context(), a); err != nil || got.Card != row.ID {
			t.Errorf("mode %s: %+v, %v", of.Mode, got, err)
		}
		got, err := b.VerifyCode(t.Context(), a)
		wantRefused(t, got, err)
	}

	skipped := p.code(t, emv.Transaction{Mode: emv.Mode2}) // made, never typed
	typed := p.code(t, emv.Transaction{Mode: emv.Mode2})
	if _, err := b.VerifyCode(t.Context(), signIn(typed)); err != nil {
		t.Errorf("after a code that was never typed: %v", err)
	}
	got, err = b.VerifyCode(t.Context(), signIn(skipped))
	wantRefused(t, got, err)

	for range 70 { // a child plays with the reader
		p.code(t, emv.Transaction{Mode: emv.Mode2})
	}
	ahead, next := p.code(t, emv.Transaction{Mode: emv.Mode2}), p.code(t, emv.Transaction{Mode: emv.Mode2})
	got, err = b.VerifyCode(t.Context(), signIn(ahead))
	wantRefused(t, got, err)
	if got, err := b.Resynchronise(t.Context(), signIn(ahead), next); err != nil || got.Card != row.ID {
		t.Errorf("two codes of a card that ran ahead: %+v, %v", got, err)
	}
}

func TestAGuessIsGivenBackWhileVaultIsSealed(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	row := b.card(t, b.user(t, userNumber), lifecycle.CardActive)
	p := b.make(t, row)
	code := p.code(t, emv.Transaction{Mode: emv.Mode2})
	b.vault.Seal()
	for range 7 {
		_, err := b.VerifyCode(t.Context(), signIn(code))
		wantKind(t, err, lifecycle.Unavailable)
	}
	if n := b.failures(t, row); n != 0 {
		t.Errorf("%d guesses are counted", n)
	}
	b.vault.Unseal()
	if _, err := b.VerifyCode(t.Context(), signIn(code)); err != nil {
		t.Errorf("after it was opened again: %v", err)
	}
	log, err := os.ReadFile(b.vault.AuditFile)
	check(t, err)
	for name, secret := range map[string]string{"code": code, "card number": panOf(t, 1).Reveal()} {
		if strings.Contains(string(log), secret) {
			t.Errorf("Vault's audit file shows the %s", name)
		}
	}
}
