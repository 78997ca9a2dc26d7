package authn_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sceau/authn"
	"sceau/lifecycle"
)

// Before, a caller that hung up between the engine's judgement and its record
// left no trace of a wrong code, and lost a right one.
func TestAJudgementIsRecordedThoughTheCallerHasLeft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		right bool
		want  string
	}{
		{"a wrong code", false, "refuse_code failures=1 last_atc=0 mode=2 purpose=sign_in window=64"},
		{"a right one", true, "accept_code atc=3 last_atc=0 mode=2 purpose=sign_in window=64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			h.engine.then = cancel
			code := wrong
			if test.right {
				code = codeOf(card, 3)
			}
			if _, err := h.VerifyCode(ctx, signIn(code)); !errors.Is(err, context.Canceled) && !errors.Is(err, authn.ErrRefused) && err != nil {
				t.Errorf("error = %v", err)
			}
			var events []string
			for range 100 { // it goes on without its caller
				if events = h.events(t, card); len(events) > 0 {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			if !slices.Equal(events, []string{test.want}) {
				t.Errorf("the trail is %q, want %q", events, test.want)
			}
		})
	}
}

// Before, the guess on the other card was given back after the code was spent:
// a failure there answered an error for a code that was gone.
func TestACodeIsSpentWithAllThatFollowsOrNotAtAll(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	right, other := h.card(t, holder, lifecycle.CardActive), h.card(t, holder, lifecycle.CardActive)
	pool := h.store.Pool()
	_, err := pool.Exec(t.Context(), `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$`)
	check(t, err)
	_, err = pool.Exec(t.Context(), `CREATE TRIGGER full_disk BEFORE UPDATE ON card FOR EACH ROW
		WHEN (NEW.cap_failures < OLD.cap_failures AND OLD.id = '`+string(other.ID)+`') EXECUTE FUNCTION full_disk()`)
	check(t, err)
	_, err = h.VerifyCode(t.Context(), signIn(codeOf(right, 2)))
	wantKind(t, err, lifecycle.Unavailable)
	if h.read(t, right.ID).LastATC != 0 || len(h.events(t, right)) != 0 {
		t.Error("the code was spent, and its holder told that it was not")
	}
	_, err = pool.Exec(t.Context(), "DROP TRIGGER full_disk ON card")
	check(t, err)
	if got, err := h.VerifyCode(t.Context(), signIn(codeOf(right, 2))); err != nil || got.Card != right.ID {
		t.Errorf("the same code, once there is space: %+v, %v", got, err)
	}
}

func TestRequestsOnTwoCardsAtTheSameMomentDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	h := setupWith(t, authn.Policy{MaxFailures: 1000, Window: 256, ResyncWindow: 1024})
	holder := h.user(t, userNumber)
	one, two := h.card(t, holder, lifecycle.CardActive), h.card(t, holder, lifecycle.CardActive)
	const rounds = 20
	errs := make(chan error, 2*rounds)
	for atc := range rounds {
		for _, card := range []string{codeOf(one, atc+1), codeOf(two, atc+1)} {
			go func() {
				_, err := h.VerifyCode(t.Context(), signIn(card))
				errs <- err
			}()
		}
		for range 2 {
			if err := <-errs; err != nil {
				t.Errorf("round %d: %v", atc, err)
			}
		}
	}
}
