package bench_test

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"sceau/authn"
	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
	"sceau/internal/bench"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// capEngine asks the card engine, as the API door does.
type capEngine struct{ client *hsm.Client }

func (e capEngine) VerifyCAP(ctx context.Context, checks []authn.Check) ([]authn.Answer, error) {
	asked := make([]hsm.CAPCheck, len(checks))
	for i, c := range checks {
		asked[i] = hsm.CAPCheck{
			PAN: c.PAN, PSN: c.PSN, Profile: c.Profile, Mode: hsm.CAPMode(c.Mode), Code: c.Code, Challenge: c.Challenge, Amount: c.Amount,
			Currency: c.Currency, TDS: c.TDS, LastATC: c.LastATC, Window: c.Window, Scripts: c.Scripts,
		}
	}
	answers, err := e.client.VerifyCAP(ctx, asked)
	given := make([]authn.Answer, len(answers))
	for i, a := range answers {
		given[i] = authn.Answer(a)
	}
	return given, err
}

func (capEngine) ResyncCAP(context.Context, authn.Check, string) (authn.Answer, error) {
	return authn.Answer{}, errors.New("no benchmark asks for it")
}

// enterIssuerKeys holds a key ceremony in which the benchmark is both
// custodians, so that it knows the key under which cards make codes.
func enterIssuerKeys(b *testing.B) (*hsm.Client, *crypt.TDES) {
	b.Helper()
	client, _, server := openVault(b)
	if err := client.ApplyPolicies(b.Context()); err != nil {
		b.Fatal(err)
	}
	for name, usage := range map[string]hsm.KeyUsage{"imk-smi": hsm.UsageIMKSMI, "imk-smc": hsm.UsageIMKSMC} {
		if _, err := client.CreateKey(b.Context(), name, usage, ""); err != nil {
			b.Fatal(err)
		}
	}
	key := make([]byte, 16)
	for i, component := range []string{"1C587FD3EA6B923E45B0C7921A6DF854", "2A5E43B6C89D107F6EA4D9327C15FB80"} {
		raw, err := hex.DecodeString(component)
		if err != nil {
			b.Fatal(err)
		}
		for j := range key {
			key[j] ^= raw[j]
		}
		kcv, err := keyblock.CheckValueTDES(raw)
		if err != nil {
			b.Fatal(err)
		}
		token, err := client.NewToken(b.Context(), hsm.RoleCeremony, "custodian "+string(rune('1'+i)))
		if err != nil {
			b.Fatal(err)
		}
		custodian, err := hsm.Open(b.Context(), hsm.Config{Address: server.Addr, Token: token})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(custodian.Close)
		_, _, err = custodian.EnterComponent(b.Context(), hsm.KeyComponent{
			Key: "imk-ac", Usage: hsm.UsageIMKAC, Algorithm: "tdes2", Index: i + 1, Total: 2, Component: component, KCV: kcv,
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	imk, err := crypt.NewTDES(key)
	if err != nil {
		b.Fatal(err)
	}
	return client, imk
}

// codeOf is what the reader shows for a card at a counter, in mode 2.
func codeOf(imk *crypt.TDES, number lifecycle.PAN, atc uint16) (string, error) {
	profile := emv.SecurAccess()
	master, err := emv.CardMasterKey(imk, profile.Option, number.Reveal(), "01")
	if err != nil {
		return "", err
	}
	key, err := crypt.NewTDES(master)
	if err != nil {
		return "", err
	}
	data, err := emv.TerminalData(profile.CDOL1, profile.IAF[0], emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		return "", err
	}
	cvr := profile.ExpectedCVR(0)
	return emv.ReaderData{
		IPB: profile.IPB, IAF: profile.IAF[0], PSN: "01", CID: 0x80, ATC: atc, AC: profile.CardCryptogram(key, data, atc, cvr), IAD: profile.IAD(cvr),
	}.Code()
}

// BenchmarkVerifyCode is the whole verification: the guess is counted, the
// engine asked, the counter burnt and the trail written, 16 at a time over
// 10 000 cards, with fsync. The limit, on half of them, burns the counter and
// does nothing else.
func BenchmarkVerifyCode(b *testing.B) {
	const cards, codes = 5000, 2000
	client, imk := enterIssuerKeys(b)
	st := newStore(b)
	p := populate(b, st, 2*cards, 0) // as many for the limit
	service, err := authn.New(st, testenv.Safe(), capEngine{client}, authn.DefaultPolicy(), clock)
	if err != nil {
		b.Fatal(err)
	}
	api := lifecycle.Actor{ID: "K-0000000000000001", Role: lifecycle.RoleRelyingService}
	next := 0 // each run takes the next cards and, once round, the next counter
	attempts := make([]authn.Attempt, codes)
	prepare := func() error {
		for i := range attempts {
			card, atc := p.cards[next%cards], next/cards+1
			code, err := codeOf(imk, p.numbers[next%cards], uint16(atc))
			if err != nil {
				return err
			}
			attempts[i] = authn.Attempt{By: api, Purpose: authn.SignIn, Card: card.ID, Operation: authn.Operation{Mode: "2", Code: code}}
			next++
		}
		return nil
	}
	ours := func(i int) error {
		_, err := service.VerifyCode(b.Context(), attempts[i])
		return err
	}
	burnt := 0
	limit := func(i int) error {
		n := burnt + i
		return st.InTx(b.Context(), func(tx store.Tx) error {
			return one(tx.BurnATC(b.Context(), db.BurnATCParams{
				ATC: int32(n/cards + 1), Scripts: []int32{0}, ID: p.cards[cards+n%cards].ID, PSN: 1, States: []string{string(lifecycle.CardActive)},
			}))
		})
	}
	bench.Comparison{
		Ours: bench.Side{Name: "VerifyCode", Ops: codes, Prepare: prepare, Run: func() error { return bench.Parallel(connections, codes, ours) }},
		Limits: []bench.Side{
			{Name: "update_only", Ops: codes, Run: func() error {
				defer func() { burnt += codes }()
				return bench.Parallel(connections, codes, limit)
			}},
			{Name: "engine_alone", Ops: codes, Run: func() error {
				return bench.Parallel(connections, codes, func(i int) error {
					answers, err := capEngine{client}.VerifyCAP(b.Context(), []authn.Check{{
						PAN: p.numbers[i], PSN: 1, Profile: "securaccess", Operation: authn.Operation{Mode: "2", Code: "12345678"}, Window: 64,
					}})
					if err == nil && answers[0].Valid {
						err = errors.New("a wrong code was accepted")
					}
					return err
				})
			}},
		},
	}.Measure(b)
}
