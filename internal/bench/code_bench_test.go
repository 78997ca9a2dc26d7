package bench_test

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"
	"time"

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
	server := testenv.OwnVault(b) // a key is entered once
	client, err := hsm.Open(b.Context(), hsm.Config{Address: server.Addr, Token: server.RootToken})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
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

// coding is a bank whose cards make right codes, each card's next one.
type coding struct {
	population

	client   *hsm.Client
	imk      *crypt.TDES
	store    *store.Store
	service  *authn.Service
	makers   int // the first cards, which make codes
	next     int // each run takes the next cards and, once round, the next counter
	attempts []authn.Attempt
}

func newCoding(b *testing.B, cards, others int) *coding {
	b.Helper()
	c := &coding{makers: cards}
	c.client, c.imk = enterIssuerKeys(b)
	c.store = newStore(b)
	c.population = populate(b, c.store, cards+others, 0)
	var err error
	if c.service, err = authn.New(authn.Config{
		Store: c.store, Safe: testenv.Safe(), Verifier: capEngine{c.client}, Policy: authn.DefaultPolicy(), Now: clock,
	}); err != nil {
		b.Fatal(err)
	}
	return c
}

var relyingService = lifecycle.Actor{ID: "K-0000000000000001", Role: lifecycle.RoleRelyingService}

// prepare has the next cards make codes.
func (c *coding) prepare(codes int) error {
	c.attempts = make([]authn.Attempt, codes)
	for i := range c.attempts {
		card, atc := c.next%c.makers, c.next/c.makers+1
		code, err := codeOf(c.imk, c.numbers[card], uint16(atc))
		if err != nil {
			return err
		}
		c.attempts[i] = authn.Attempt{By: relyingService, Purpose: authn.SignIn, Card: c.cards[card].ID, Operation: authn.Operation{Mode: "2", Code: code}}
		c.next++
	}
	return nil
}

func (c *coding) verify(ctx context.Context, i int) error {
	_, err := c.service.VerifyCode(ctx, c.attempts[i])
	return err
}

// BenchmarkVerifyCode is the whole verification: the guess is counted, the
// engine asked, the counter burnt and the trail written, 16 at a time over
// 10 000 cards, with fsync. The limit, on half of them, burns the counter and
// does nothing else.
func BenchmarkVerifyCode(b *testing.B) {
	const cards, codes = 5000, 2000
	c := newCoding(b, cards, cards) // as many for the limit
	burnt := 0
	limit := func(i int) error {
		n := burnt + i
		return c.store.InTx(b.Context(), func(tx store.Tx) error {
			return one(tx.BurnATC(b.Context(), db.BurnATCParams{
				ATC: int32(n/cards + 1), Scripts: []int32{0}, ID: c.cards[cards+n%cards].ID, PSN: 1, States: []string{string(lifecycle.CardActive)},
			}))
		})
	}
	bench.Comparison{
		Ours: bench.Side{Name: "VerifyCode", Ops: codes, Prepare: func() error { return c.prepare(codes) }, Run: func() error {
			return bench.Parallel(connections, codes, func(i int) error { return c.verify(b.Context(), i) })
		}},
		Limits: []bench.Side{
			{Name: "update_only", Ops: codes, Run: func() error {
				defer func() { burnt += codes }()
				return bench.Parallel(connections, codes, limit)
			}},
			{Name: "engine_alone", Ops: codes, Run: func() error {
				return bench.Parallel(connections, codes, func(i int) error {
					answers, err := capEngine{c.client}.VerifyCAP(b.Context(), []authn.Check{{
						PAN: c.numbers[i], PSN: 1, Profile: "securaccess", Operation: authn.Operation{Mode: "2", Code: "12345678"}, Window: 64,
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

// BenchmarkVerifyCodeLatency has codes arrive by the clock, half as many as the
// same machine verifies at that moment when 16 callers ask one after another.
func BenchmarkVerifyCodeLatency(b *testing.B) {
	const codes, callers = 2000, 64
	c := newCoding(b, 5000, 0)
	bench.Latencies(b, func() (bench.Pace, error) {
		if err := c.prepare(codes); err != nil {
			return bench.Pace{}, err
		}
		start := time.Now()
		if err := bench.Parallel(connections, codes, func(i int) error { return c.verify(b.Context(), i) }); err != nil {
			return bench.Pace{}, err
		}
		full := codes / time.Since(start).Seconds()
		return bench.Pace{PerSecond: full / 2, N: codes, Workers: callers, Work: func(_, i int) error { return c.verify(b.Context(), i) }}, c.prepare(codes)
	}, "", bench.Pace{})
}

// BenchmarkVerdicts has one code after another judged: right ones, wrong ones,
// codes of locked cards and codes of nobody. Who measures learns nothing: their
// callers wait as long.
func BenchmarkVerdicts(b *testing.B) {
	const cards, codes, locked = 2000, 200, 1_000_000
	client, imk := enterIssuerKeys(b)
	st := newStore(b)
	p := populate(b, st, 3*cards, 0)
	policy := authn.DefaultPolicy()
	policy.MaxFailures = locked
	service, err := authn.New(authn.Config{Store: st, Safe: testenv.Safe(), Verifier: capEngine{client}, Policy: policy, Now: clock})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := st.Pool().Exec(b.Context(), "UPDATE card SET cap_failures = $1 WHERE id >= $2", locked, string(p.cards[2*cards].ID)); err != nil {
		b.Fatal(err)
	}
	by := lifecycle.Actor{ID: "K-0000000000000001", Role: lifecycle.RoleRelyingService}
	side := func(name string, first int, want lifecycle.Kind, code func(card, atc int) (string, error)) bench.Side {
		next := 0
		attempts := make([]authn.Attempt, codes)
		return bench.Side{Name: name, Ops: codes, Prepare: func() error {
			for i := range attempts {
				card := first + next%cards
				text, err := code(card, next/cards+1)
				if err != nil {
					return err
				}
				attempts[i] = authn.Attempt{By: by, Purpose: authn.SignIn, Operation: authn.Operation{Mode: "2", Code: text}}
				if attempts[i].Card = "C-9999999999999999"; first >= 0 {
					attempts[i].Card = p.cards[card].ID
				}
				next++
			}
			return nil
		}, Run: func() error {
			for _, a := range attempts {
				if _, err := service.VerifyCode(b.Context(), a); !errors.Is(err, want) && (err != nil || want != "") {
					return err
				}
			}
			return nil
		}}
	}
	wrong := func(int, int) (string, error) { return "12345678", nil }
	bench.Comparison{
		Ours: side("right", 0, "", func(card, atc int) (string, error) { return codeOf(imk, p.numbers[card], uint16(atc)) }),
		Limits: []bench.Side{
			side("wrong", cards, lifecycle.Forbidden, wrong), side("locked", 2*cards, lifecycle.Locked, wrong),
			side("nobody", -1, lifecycle.Forbidden, wrong),
		},
	}.Measure(b)
}
