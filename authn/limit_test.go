package authn_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"sceau/authn"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/signing"
)

func tooMany(err error) bool {
	_, ok := errors.AsType[*authn.TooMany](err)
	return ok
}

// another is the room in another process: over the same database.
func (h *house) another(t *testing.T, policy authn.Policy) *authn.Service {
	t.Helper()
	return must[*authn.Service](t)(authn.New(authn.Config{
		Store: h.store, Safe: testenv.Safe(), Verifier: h.engine, Sealer: h.engine, Policy: policy, Now: h.clock.Now,
	}))
}

func TestDoorsShareTheLimitOfAService(t *testing.T) {
	t.Parallel()
	h := setup(t)
	doors := []*authn.Service{h.Service, h.another(t, authn.DefaultPolicy()), h.another(t, authn.DefaultPolicy())}
	key := authn.APIKey{Service: "SV-0000000000000001", CallsAMinute: 130}
	for minute := range 2 {
		h.clock.set(today.Add(time.Duration(minute) * time.Minute))
		admitted := 0
		for i := range 600 {
			a, err := doors[i%len(doors)].Admit(t.Context(), key)
			switch {
			case err == nil:
				admitted++
				if a.Limit != 130 || a.Remaining < 0 || a.Remaining >= 130 {
					t.Fatalf("call %d: %+v", i, a)
				}
			case !tooMany(err) || a.Reset != time.Minute:
				t.Fatalf("call %d: %+v, %v", i, a, err)
			}
		}
		if admitted != 130 {
			t.Errorf("minute %d: %d calls were let in, want 130", minute, admitted)
		}
	}
	if _, err := h.Admit(t.Context(), authn.APIKey{Service: "SV-0000000000000002", CallsAMinute: 5}); err != nil {
		t.Errorf("another service: %v", err)
	}
}

func TestAllServicesTogetherHaveALimit(t *testing.T) {
	t.Parallel()
	policy := authn.DefaultPolicy()
	policy.CallsAMinute = 100
	h := setupWith(t, policy)
	admitted := 0
	for i := range 300 {
		_, err := h.Admit(t.Context(), authn.APIKey{Service: lifecycle.ServiceID(fmt.Sprintf("SV-%d", i%3)), CallsAMinute: 1000})
		if err == nil {
			admitted++
		} else if !tooMany(err) {
			t.Fatal(err)
		}
	}
	if admitted != 100 {
		t.Errorf("%d calls were let in, want 100", admitted)
	}
}

func TestWhoGuessesAtAUserIsHeldUpAndNobodyElse(t *testing.T) {
	t.Parallel()
	h := setup(t)
	wrong := func() error { return authn.ErrRefused }
	right := func() error { return nil }
	for i := range 10 {
		if err := h.Guarded(t.Context(), service, "20304050/0001", wrong); !errors.Is(err, authn.ErrRefused) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if err := h.Guarded(t.Context(), service, "20304050/0001", right); !tooMany(err) {
		t.Errorf("the eleventh: %v", err)
	}
	other := lifecycle.Actor{ID: "SV-0000000000000002", Role: lifecycle.RoleRelyingService}
	for name, got := range map[string]error{
		"another user":                h.Guarded(t.Context(), service, "20304050/0002", right),
		"the user at another service": h.Guarded(t.Context(), other, "20304050/0001", right),
	} {
		if got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := h.another(t, authn.DefaultPolicy()).Guarded(t.Context(), service, "20304050/0001", right); !tooMany(err) {
		t.Errorf("through another process: %v", err)
	}
	h.clock.set(today.Add(15*time.Minute + time.Second))
	if err := h.Guarded(t.Context(), service, "20304050/0001", right); err != nil {
		t.Errorf("a quarter of an hour later: %v", err)
	}
}

func TestWhatCouldNotBeJudgedIsNoGuess(t *testing.T) {
	t.Parallel()
	h := setup(t)
	away := fmt.Errorf("%w: sealed", lifecycle.Unavailable)
	for range 20 {
		if err := h.Guarded(t.Context(), service, "u", func() error { return away }); !errors.Is(err, away) {
			t.Fatal(err)
		}
	}
}

func TestAServiceWhoseProofsAreMostlyWrongIsSlowed(t *testing.T) {
	t.Parallel()
	h := setup(t)
	guess := func(i int, verdict error) error {
		return h.Guarded(t.Context(), service, fmt.Sprintf("2030%04d/0001", i), func() error { return verdict })
	}
	// Many users with few mistakes are a normal day.
	for i := range 300 {
		verdict := error(nil)
		if i%4 == 0 {
			verdict = authn.ErrRefused
		}
		if err := guess(i, verdict); tooMany(err) {
			t.Fatalf("proof %d of a normal day: %v", i, err)
		}
	}
	h.clock.set(today.Add(time.Hour))
	slowed := 0
	for i := range 300 { // one guess each at many users
		if tooMany(guess(i, authn.ErrRefused)) {
			slowed++
		}
	}
	// Fifty say nothing yet, then sixty a minute are judged.
	if slowed != 300-50-60 {
		t.Errorf("%d of 300 were held up, want 190", slowed)
	}
	h.clock.set(today.Add(time.Hour + time.Minute))
	if err := guess(7, nil); err != nil {
		t.Errorf("a minute later a right proof: %v", err)
	}
}

func TestUsersThatNobodyKnowsAreHeldUpAlike(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for _, user := range []string{userNumber, "9999"} {
		held := 0
		for range 5 {
			a := must[authn.Authentication](t)(h.Begin(t.Context(), authn.Ask{By: service, ClientID: clientID, UserNumber: user, Proof: capProof("2"), Operation: operationOf(t, signing.SignIn, nil)}))
			for range 3 {
				if _, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: "99999999"}); tooMany(err) {
					held++
				}
			}
		}
		if held != 5 {
			t.Errorf("user %s: %d of 15 proofs were held up, want 5", user, held)
		}
	}
}
