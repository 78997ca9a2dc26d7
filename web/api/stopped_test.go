package api_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/authn"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store"
)

// Whoever stops a card, and whichever process they speak to: from the moment that
// they are told, no door accepts a code of it.
func TestAStoppedCardIsRefusedAtEveryDoorWithinASecond(t *testing.T) {
	t.Parallel()
	d := open(t)
	// Another process: connections and use cases of its own.
	pool := must[*pgxpool.Pool](t)(pgxpool.New(t.Context(), d.base))
	t.Cleanup(pool.Close)
	other := must[*authn.Service](t)(authn.New(authn.Config{
		Store: store.New(pool), Safe: testenv.Safe(), Verifier: d.engine, Policy: authn.DefaultPolicy(), Now: time.Now,
	}))
	key := d.key()
	stop := map[string]func(card lifecycle.CardID, holder lifecycle.Actor) error{
		"opposed by the holder": func(card lifecycle.CardID, holder lifecycle.Actor) error {
			_, err := d.service.Oppose(t.Context(), holder, card, lifecycle.CardLost)
			return err
		},
		"opposed by the account manager": func(card lifecycle.CardID, _ lifecycle.Actor) error {
			_, err := d.service.Oppose(t.Context(), manager, card, lifecycle.CardDeath)
			return err
		},
		"suspended by the back office": func(card lifecycle.CardID, _ lifecycle.Actor) error {
			return d.service.Suspend(t.Context(), operator, card)
		},
		"suspended by the holder": func(card lifecycle.CardID, holder lifecycle.Actor) error {
			return d.service.Suspend(t.Context(), holder, card)
		},
	}
	n := 0
	for name, act := range stop {
		n++
		order, card := d.postedCard(n)
		d.call("POST", "/v1/cards/"+string(card)+"/activate", key, `{"code":"`+code(1)+`"}`).want(t, http.StatusOK, nil)
		holder := must[issuance.OrderView](t)(d.service.Order(t.Context(), order)).Card.Holder
		ask := func(atc int) error {
			_, err := other.VerifyCode(t.Context(), authn.Attempt{
				By: lifecycle.Actor{ID: "K-0000000000000001", Role: lifecycle.RoleRelyingService}, Purpose: authn.SignIn, Card: card,
				Operation: authn.Operation{Mode: "2", Code: code(atc)},
			})
			return err
		}
		// Right codes go on and on while it is stopped.
		var accepted time.Time
		last := 1
		var first atomic.Bool // one was accepted
		done := make(chan struct{})
		var asking sync.WaitGroup
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := ask(last + 1); err == nil {
					accepted, last = time.Now(), last+1
					first.Store(true)
				}
			}
		})
		for start := time.Now(); !first.Load() && time.Since(start) < 30*time.Second; {
			time.Sleep(time.Millisecond)
		}
		err := act(card, lifecycle.Actor{ID: string(holder), Role: lifecycle.RoleHolder})
		stopped := time.Now()
		time.Sleep(200 * time.Millisecond)
		close(done)
		asking.Wait()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if late := accepted.Sub(stopped); late > time.Second {
			t.Errorf("%s: a code was accepted %s later", name, late)
		}
		if err := ask(last + 1); err == nil || last < 2 {
			t.Errorf("%s: %d codes were accepted, and one more: %v", name, last, err)
		}
	}
}
