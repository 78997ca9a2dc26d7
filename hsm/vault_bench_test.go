package hsm_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/internal/bench"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

const (
	transitKey = "issuing-bench"
	callers    = 16 // at the same time, as a relying service's requests come
	hundred    = 100
	manySigns  = 1000
	manyChecks = 2000
	capWindow  = 64
	benchPAN   = "5413330089600119"
)

// benchHouse is a Vault with card keys and a Transit key, and two ways there:
// Sceau's client, and net/http alone.
type benchHouse struct {
	client *hsm.Client
	bare   *bench.Vault
}

func newBenchHouse(b *testing.B) benchHouse {
	b.Helper()
	vault := testenv.Vault(b)
	client, err := hsm.Open(b.Context(), hsm.Config{Address: vault.Addr, Token: vault.RootToken})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	for name, usage := range map[string]hsm.KeyUsage{
		"imk-ac": hsm.UsageIMKAC, "imk-smi": hsm.UsageIMKSMI, "imk-smc": hsm.UsageIMKSMC, "transport": hsm.UsageTransport,
	} {
		if _, err := client.CreateKey(b.Context(), name, usage, ""); err != nil {
			b.Fatal(err)
		}
	}
	if err := client.CreateSigningKey(b.Context(), transitKey, hsm.P256); err != nil {
		b.Fatal(err)
	}
	return benchHouse{client: client, bare: bench.NewVault(vault.Addr, vault.RootToken, callers)}
}

// health is the least that a call to Vault costs: no token, no audit entry, no
// engine.
func (h benchHouse) health(ctx context.Context, callers, calls int) bench.Side {
	return bench.Side{Name: "bare_http", Ops: calls, Run: func() error {
		return bench.Parallel(callers, calls, func(int) error {
			_, err := h.bare.Call(ctx, http.MethodGet, "sys/health", nil)
			return err
		})
	}}
}

// transit has Transit sign n digests, so many a call.
func (h benchHouse) transit(ctx context.Context, name string, callers, n, perCall int) bench.Side {
	body := bench.SignRequest(perCall)
	return bench.Side{Name: name, Ops: n, Run: func() error {
		return bench.Parallel(callers, n/perCall, func(int) error {
			_, err := h.bare.Call(ctx, http.MethodPost, "transit/sign/"+transitKey, body)
			return err
		})
	}}
}

// BenchmarkPersonalise makes the keys, PINs and card data of 1 000 cards in
// calls of 100, one after the other as the worker does. bare_http is per call.
func BenchmarkPersonalise(b *testing.B) {
	h := newBenchHouse(b)
	number, err := lifecycle.NewPAN(benchPAN)
	if err != nil {
		b.Fatal(err)
	}
	const cards = 1000
	var request hsm.PersonaliseRequest
	round := 0
	prepare := func() error {
		round++
		request = hsm.PersonaliseRequest{
			Attempt: lifecycle.AttemptID(fmt.Sprintf("A-%016d", round)), Profile: "securaccess", TransportKey: "transport",
		}
		for i := range cards {
			request.Cards = append(request.Cards, hsm.CardToPersonalise{
				Card: lifecycle.CardID(fmt.Sprintf("C-%08d%08d", round, i)), PINVersion: 1, PAN: number, PSN: 1,
				Expiry: time.Date(2029, 11, 30, 0, 0, 0, 0, time.UTC),
			})
		}
		return nil
	}
	ours := func() error {
		made, err := h.client.Personalise(b.Context(), request)
		if err == nil && len(made) != cards {
			err = fmt.Errorf("%d cards were made", len(made))
		}
		return err
	}
	health := h.health(b.Context(), 1, hundred)
	health.Ops *= hundred // a call carries as many cards
	bench.Comparison{
		Ours:   bench.Side{Name: "Personalise", Ops: cards, Prepare: prepare, Run: ours},
		Limits: []bench.Side{h.transit(b.Context(), "bare_transit", 1, cards, hundred), health},
	}.Measure(b)
}

// BenchmarkVerifyCAP has the engine check codes that are wrong, which costs what
// right ones do, in calls of 200 and one by one.
func BenchmarkVerifyCAP(b *testing.B) {
	h := newBenchHouse(b)
	number, err := lifecycle.NewPAN(benchPAN)
	if err != nil {
		b.Fatal(err)
	}
	checks := make([]hsm.CAPCheck, manyChecks)
	for i := range checks {
		checks[i] = hsm.CAPCheck{
			PAN: number, PSN: 1, Profile: "securaccess", Mode: hsm.Mode2, Code: "12345678", LastATC: i, Window: capWindow, Scripts: []int{0},
		}
	}
	pure := pureCheck(b)
	b.Run("batches_of_200", func(b *testing.B) {
		bench.Comparison{
			Ours: bench.Side{Name: "VerifyCAP", Ops: manyChecks, Run: func() error {
				_, err := h.client.VerifyCAP(b.Context(), checks)
				return err
			}},
			Limits: []bench.Side{pure, h.transit(b.Context(), "bare_transit", 1, manySigns, hundred)},
		}.Measure(b)
	})
	b.Run("batches_of_100", func(b *testing.B) { // two at a time: one for each processor
		bench.Comparison{
			Ours: bench.Side{Name: "VerifyCAP", Ops: manyChecks, Run: func() error {
				return bench.Parallel(2, manyChecks/hundred, func(i int) error {
					_, err := h.client.VerifyCAP(b.Context(), checks[i*hundred:(i+1)*hundred])
					return err
				})
			}},
			Limits: []bench.Side{pure},
		}.Measure(b)
	})
	b.Run("single_call", func(b *testing.B) { // without gathering, beside a call that the engine answers without computing
		call := func(name, batch string) bench.Side {
			body := []byte(`{"batch":"` + batch + `"}`)
			return bench.Side{Name: name, Ops: manySigns, Run: func() error {
				return bench.Parallel(callers, manySigns, func(int) error {
					_, err := h.bare.Call(b.Context(), http.MethodPut, "hsm/cap/verify", body)
					return err
				})
			}}
		}
		bench.Comparison{
			Ours: call("VerifyCAP", benchPAN+",01,securaccess,2,12345678,0,64"), Limits: []bench.Side{call("empty_path", "x")},
		}.Measure(b)
	})
	b.Run("one_by_one", func(b *testing.B) {
		bench.Comparison{
			Ours: bench.Side{Name: "VerifyCAP", Ops: manyChecks, Run: func() error {
				return bench.Parallel(callers, manyChecks, func(i int) error {
					_, err := h.client.VerifyCAP(b.Context(), checks[i:i+1])
					return err
				})
			}},
			Limits: []bench.Side{
				h.transit(b.Context(), "bare_transit", callers, manySigns, 1), h.health(b.Context(), callers, manySigns),
			},
		}.Measure(b)
	})
}

// pureCheck is the algorithm alone, in this process.
func pureCheck(b *testing.B) bench.Side {
	b.Helper()
	imk, err := crypt.NewTDES([]byte("0123456789abcdef"))
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := emv.NewVerifier(emv.SecurAccess(), imk)
	if err != nil {
		b.Fatal(err)
	}
	return bench.Side{Name: "pure", Ops: manyChecks, Run: func() error {
		for i := range manyChecks {
			q := emv.Query{
				PAN: benchPAN, PSN: "01", Transaction: emv.Transaction{Mode: emv.Mode2}, Code: "12345678", LastATC: uint16(i), Window: capWindow,
			}
			if _, _, err := verifier.Verify(q); err != nil {
				return err
			}
		}
		return nil
	}}
}

// BenchmarkSign signs with a Transit key, one signature a request: from 16
// callers at a time, and from one.
func BenchmarkSign(b *testing.B) {
	h := newBenchHouse(b)
	key, err := h.client.SigningKey(b.Context(), transitKey, 0)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("what is signed"))
	ours := func(callers int) bench.Side {
		return bench.Side{Name: "Sign", Ops: manySigns, Run: func() error {
			return bench.Parallel(callers, manySigns, func(int) error {
				_, err := key.Signer(b.Context()).Sign(nil, digest[:], crypto.SHA256)
				return err
			})
		}}
	}
	b.Run("16_callers", func(b *testing.B) {
		bench.Comparison{Ours: ours(callers), Limits: []bench.Side{
			h.transit(b.Context(), "bare_transit", callers, manySigns, 1),
			h.transit(b.Context(), "bare_transit_batch", callers, 5*manySigns, hundred),
		}}.Measure(b)
	})
	b.Run("lone_caller", func(b *testing.B) {
		bench.Comparison{Ours: ours(1), Limits: []bench.Side{h.transit(b.Context(), "bare_transit", 1, manySigns, 1)}}.Measure(b)
	})
}
