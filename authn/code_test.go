package authn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/authn"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/store/db"
)

func TestARightCodeIsAcceptedOnceAndItsReplayIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	card := h.card(t, holder, lifecycle.CardActive)
	got, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 7)))
	if want := (authn.Accepted{Card: card.ID, Holder: holder, ATC: 7}); err != nil || got != want {
		t.Fatalf("answered %+v, %v; want %+v", got, err, want)
	}
	if after := h.read(t, card.ID); after.LastATC != 7 || after.CAPFailures != 0 {
		t.Errorf("the counter is %d and %d guesses are counted; want 7 and 0", after.LastATC, after.CAPFailures)
	}
	for _, code := range []string{codeOf(card, 7), codeOf(card, 6)} { // the same, an older one
		got, err := h.VerifyCode(t.Context(), signIn(code))
		wantRefused(t, got, err)
	}
	if got, err := h.VerifyCode(t.Context(), byCard(card, codeOf(card, 8))); err != nil || got.ATC != 8 {
		t.Errorf("the next code: %+v, %v", got, err)
	}
	if _, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 8+64))); err != nil {
		t.Errorf("the last code of the window: %v", err)
	}
	got, err = h.VerifyCode(t.Context(), signIn(codeOf(card, 8+64+65)))
	wantRefused(t, got, err)
}

func TestOfManyRequestsWithTheSameCodeExactlyOneIsAccepted(t *testing.T) {
	t.Parallel()
	const requests = 64
	h := setupWith(t, authn.Policy{MaxFailures: requests, Window: 64, ResyncWindow: 1024})
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	var group sync.WaitGroup
	errs := make([]error, requests)
	start := make(chan struct{})
	for i := range requests {
		group.Go(func() {
			<-start
			_, errs[i] = h.VerifyCode(t.Context(), signIn(codeOf(card, 3)))
		})
	}
	close(start)
	group.Wait()
	accepted := 0
	for _, err := range errs {
		switch {
		case err == nil:
			accepted++
		case !errors.Is(err, authn.ErrRefused):
			t.Errorf("refused with %v", err)
		}
	}
	if accepted != 1 {
		t.Errorf("%d of %d were accepted", accepted, requests)
	}
}

func TestWrongCodesLockACardAndARightOneDoesNotOpenIt(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for range 5 {
		got, err := h.VerifyCode(t.Context(), signIn(wrong))
		wantRefused(t, got, err)
	}
	for _, code := range []string{codeOf(card, 1), wrong} {
		_, err := h.VerifyCode(t.Context(), signIn(code))
		wantKind(t, err, lifecycle.Locked)
	}
	if h.read(t, card.ID).LastATC != 0 || h.failures(t, card) != 5 {
		t.Error("a locked card's counters moved")
	}
	if judged, _ := h.engine.judged(); judged != 7 {
		t.Errorf("the engine was asked %d times, want 7: a locked card's caller waits as long", judged)
	}
}

func TestARightCodeClearsTheCount(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for atc := range 3 {
		for range 4 {
			got, err := h.VerifyCode(t.Context(), signIn(wrong))
			wantRefused(t, got, err)
		}
		if _, err := h.VerifyCode(t.Context(), signIn(codeOf(card, atc+1))); err != nil {
			t.Fatal(err)
		}
		if n := h.failures(t, card); n != 0 {
			t.Fatalf("%d guesses are counted after a right code", n)
		}
	}
}

func TestGuessesAtTheSameMomentAreCountedOneByOne(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() { _, _ = h.VerifyCode(t.Context(), signIn(wrong)) })
	}
	group.Wait()
	events := h.events(t, card)
	if n := h.failures(t, card); n != 5 || len(events) != 32 {
		t.Errorf("%d guesses are counted and %d on record; want 5 and 32", n, len(events))
	}
}

func TestACodeFromACardThatMayNotBeUsedIsRefusedLikeAWrongOne(t *testing.T) {
	t.Parallel()
	expired := func(p *db.InsertCardParams) { p.Expiry = today.AddDate(0, 0, -1) }
	for _, state := range lifecycle.Cards.States {
		if state == lifecycle.CardActive {
			continue
		}
		t.Run("a card that is "+string(state), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			card := h.card(t, h.user(t, userNumber), state)
			for _, a := range []authn.Attempt{signIn(codeOf(card, 1)), byCard(card, codeOf(card, 1))} {
				got, err := h.VerifyCode(t.Context(), a)
				wantRefused(t, got, err)
			}
			if h.read(t, card.ID).LastATC != 0 || h.failures(t, card) != 0 {
				t.Error("its counters moved")
			}
		})
	}
	t.Run("a card past its month", func(t *testing.T) {
		t.Parallel()
		h := setup(t)
		card := h.card(t, h.user(t, userNumber), lifecycle.CardActive, expired)
		got, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1)))
		wantRefused(t, got, err)
	})
	t.Run("an unknown user", func(t *testing.T) {
		t.Parallel()
		got, err := setup(t).VerifyCode(t.Context(), signIn(wrong))
		wantRefused(t, got, err)
	})
	t.Run("an unknown card", func(t *testing.T) {
		t.Parallel()
		got, err := setup(t).VerifyCode(t.Context(), byCard(db.Card{ID: "C-0000000000000099"}, wrong))
		wantRefused(t, got, err)
	})
	t.Run("another user's card", func(t *testing.T) {
		t.Parallel()
		h := setup(t)
		h.card(t, h.user(t, userNumber), lifecycle.CardActive)
		theirs := h.card(t, h.user(t, "0002"), lifecycle.CardActive)
		got, err := h.VerifyCode(t.Context(), signIn(codeOf(theirs, 1)))
		wantRefused(t, got, err)
		if h.failures(t, theirs) != 0 {
			t.Error("the guess was counted on the other user's card")
		}
	})
}

func TestACardCountsToTheEndOfItsLastDay(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive, func(p *db.InsertCardParams) {
		p.Expiry = time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)
	})
	h.clock.set(time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC))
	if _, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1))); err != nil {
		t.Errorf("in the last second: %v", err)
	}
	h.clock.set(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	got, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 2)))
	wantRefused(t, got, err)
}

func TestAReplacedCardCountsUntilItsGraceIsOver(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	until := today.Add(time.Hour)
	check(t, h.store.CountDaysOfOldCards(t.Context(), &until, card.Place, "C-0000000000000099"))
	h.clock.set(until)
	if _, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1))); err != nil {
		t.Errorf("at the end of the grace: %v", err)
	}
	h.clock.set(until.Add(time.Second))
	got, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 2)))
	wantRefused(t, got, err)
}

func TestACardStoppedWhileItsCodeWasJudgedIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	h.engine.while = func(ctx context.Context) {
		n, err := h.store.SetCardState(ctx, db.SetCardStateParams{
			ToState: lifecycle.CardOpposed, At: today, ID: card.ID, FromState: lifecycle.CardActive,
		})
		if err != nil || n != 1 {
			t.Errorf("oppose: %d, %v", n, err)
		}
	}
	got, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1)))
	wantRefused(t, got, err)
	if h.read(t, card.ID).LastATC != 0 {
		t.Error("the code was spent")
	}
}

func TestOfAUsersTwoCardsTheRightOneCountsAndTheOthersGuessIsGivenBack(t *testing.T) {
	t.Parallel()
	for _, right := range []int{0, 1} {
		t.Run(fmt.Sprintf("card %d", right+1), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			holder := h.user(t, userNumber)
			cards := []db.Card{h.card(t, holder, lifecycle.CardActive), h.card(t, holder, lifecycle.CardActive)}
			got, err := h.VerifyCode(t.Context(), signIn(wrong))
			wantRefused(t, got, err)
			if got, err = h.VerifyCode(t.Context(), signIn(codeOf(cards[right], 4))); err != nil || got.Card != cards[right].ID {
				t.Fatalf("answered %+v, %v; want card %s", got, err, cards[right].ID)
			}
			if spent, other := h.failures(t, cards[right]), h.failures(t, cards[1-right]); spent != 0 || other != 1 {
				t.Errorf("%d and %d guesses are counted on the right card and the other; want 0 and 1", spent, other)
			}
			if h.read(t, cards[1-right].ID).LastATC != 0 {
				t.Error("the other card's counter moved")
			}
		})
	}
}

func TestALockedCardDoesNotLockTheUsersOther(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	locked, open := h.card(t, holder, lifecycle.CardActive), h.card(t, holder, lifecycle.CardActive)
	for range 5 {
		got, err := h.VerifyCode(t.Context(), byCard(locked, wrong))
		wantRefused(t, got, err)
	}
	got, err := h.VerifyCode(t.Context(), signIn(codeOf(locked, 1)))
	wantRefused(t, got, err)
	if _, err := h.VerifyCode(t.Context(), signIn(codeOf(open, 1))); err != nil {
		t.Errorf("the open card: %v", err)
	}
}

func TestTheGuessIsGivenBackWhenNobodyJudgedIt(t *testing.T) {
	t.Parallel()
	unavailable := fmt.Errorf("verify CAP codes: %w: Vault is sealed", lifecycle.Unavailable)
	t.Run("the engine is away", func(t *testing.T) {
		t.Parallel()
		h := setup(t)
		card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
		h.engine.err = unavailable
		for range 9 {
			_, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1)))
			wantKind(t, err, lifecycle.Unavailable)
		}
		if n := h.failures(t, card); n != 0 {
			t.Errorf("%d guesses are counted", n)
		}
	})
}

func TestACodeForActivationComesFromACardThatCanBeActivated(t *testing.T) {
	t.Parallel()
	for _, state := range lifecycle.Cards.States {
		t.Run("a card that is "+string(state), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			card := h.card(t, h.user(t, userNumber), state)
			a := signIn(codeOf(card, 1))
			a.Purpose = authn.Activate
			got, err := h.VerifyCode(t.Context(), a)
			if !state.Activatable() {
				wantRefused(t, got, err)
				return
			}
			if err != nil || got.Card != card.ID || h.read(t, card.ID).State != state {
				t.Errorf("answered %+v, %v; the card is %s", got, err, h.read(t, card.ID).State)
			}
		})
	}
}

func TestTheAuditTrailTellsOfEachJudgementWithoutTheCode(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for _, code := range []string{wrong, codeOf(card, 5), codeOf(card, 5)} {
		_, _ = h.VerifyCode(t.Context(), signIn(code))
	}
	got := h.events(t, card)
	want := []string{
		"refuse_code failures=1 last_atc=0 mode=2 purpose=sign_in window=64",
		"accept_code atc=5 last_atc=0 mode=2 purpose=sign_in window=64",
		"refuse_code failures=1 last_atc=5 mode=2 purpose=sign_in window=64",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the trail is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, code := range []string{wrong, codeOf(card, 5), panOf(t, 1).Reveal()} {
		if strings.Contains(strings.Join(got, "\n"), code) {
			t.Errorf("the trail shows %s", code)
		}
	}
}

func TestEveryWrongFieldIsNamedAndNothingIsCounted(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for _, test := range []struct {
		name   string
		change func(*authn.Attempt)
		want   string
	}{
		{"a code of letters", func(a *authn.Attempt) { a.Code = "1234567x" }, "code"},
		{"a code that is too long", func(a *authn.Attempt) { a.Code = "123456789" }, "code"},
		{"a code in other digits", func(a *authn.Attempt) { a.Code = "١٢٣٤" }, "code"},
		{"no user", func(a *authn.Attempt) { a.ClientID, a.UserNumber = "", "" }, "client_id"},
		{"a card and a user", func(a *authn.Attempt) { a.Card = card.ID }, "client_id"},
		{"a card and half a user", func(a *authn.Attempt) { a.Card, a.ClientID = card.ID, "" }, "client_id"},
		{"no purpose", func(a *authn.Attempt) { a.Purpose = "" }, "purpose"},
		{"an unknown purpose", func(a *authn.Attempt) { a.Purpose = "open_safe" }, "purpose"},
		{"a challenge in mode 2", func(a *authn.Attempt) { a.Challenge = "1" }, "challenge"},
		{"mode 3 without a challenge", func(a *authn.Attempt) { a.Mode = "3" }, "challenge"},
		{"mode 2+tds without data", func(a *authn.Attempt) { a.Mode = "2+tds" }, "tds"},
		{"data in mode 1", func(a *authn.Attempt) { a.Mode, a.TDS = "1", []string{"1"} }, "tds"},
		{"an amount in mode 3", func(a *authn.Attempt) { a.Mode, a.Challenge, a.Amount = "3", "1", "1" }, "amount"},
		{"half a user", func(a *authn.Attempt) { a.UserNumber = "1" }, "client_id"},
		{"a card without form", func(a *authn.Attempt) { a.Card, a.ClientID, a.UserNumber = "C-1' OR '1", "", "" }, "card"},
		{"no mode", func(a *authn.Attempt) { a.Mode = "" }, "mode"},
		{"a challenge that is too long", func(a *authn.Attempt) { a.Mode, a.Challenge = "3", "123456789" }, "challenge"},
		{"an amount with a comma", func(a *authn.Attempt) { a.Mode, a.Amount = "1", "1,00" }, "amount amount"},
		{"a currency by its name", func(a *authn.Attempt) { a.Mode, a.Currency = "1", "EUR" }, "currency amount"},
		{"eleven data fields", func(a *authn.Attempt) {
			a.Mode, a.TDS = "2+tds", []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}
		}, "tds"},
		{"an empty data field", func(a *authn.Attempt) { a.Mode, a.TDS = "2+tds", []string{"1", ""} }, "tds"},
		{"an amount that the cards do not sign", func(a *authn.Attempt) { a.Mode, a.Challenge, a.Amount = "1", "4711", "125000" }, "amount"},
		{"a currency that the cards do not sign", func(a *authn.Attempt) { a.Mode, a.Challenge, a.Currency = "1", "4711", "978" }, "amount"},
		{"nearly everything", func(a *authn.Attempt) {
			*a = authn.Attempt{By: service, Operation: authn.Operation{Challenge: "x", Amount: "y", Currency: "z", TDS: []string{"-"}}}
		}, "code purpose client_id mode challenge amount currency tds"},
	} {
		a := signIn(codeOf(card, 1))
		test.change(&a)
		got, err := h.VerifyCode(t.Context(), a)
		wantKind(t, err, lifecycle.Invalid)
		if fields := wrongFields(t, err); got != (authn.Accepted{}) || fields != test.want {
			t.Errorf("%s: answered %+v, wrong fields %q; want %q", test.name, got, fields, test.want)
		}
	}
	judged, inVain := h.engine.judged()
	if h.failures(t, card) != 0 || len(h.events(t, card)) != 0 || judged+inVain != 0 {
		t.Error("a malformed question was counted, judged or recorded")
	}
}

// A code made for a sign-in must never sign an operation (Drimer, Murdoch and
// Anderson, "Optimised to Fail", 2009): mode 2, and zeros, give the same one.
func TestASignatureIsOverDataThatTheHolderTyped(t *testing.T) {
	t.Parallel()
	policy := authn.DefaultPolicy()
	policy.SignsAmounts = true
	h := setupWith(t, policy)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for _, test := range []struct {
		name string
		op   authn.Operation
		ok   bool
	}{
		{"mode 2", authn.Operation{Mode: "2"}, false},
		{"mode 1 with nothing typed", authn.Operation{Mode: "1"}, false},
		{"mode 1 with a currency alone", authn.Operation{Mode: "1", Currency: "978"}, false},
		{"mode 1 with an amount of zero", authn.Operation{Mode: "1", Amount: "000"}, false},
		{"mode 3 with a challenge of zeros", authn.Operation{Mode: "3", Challenge: "00000000"}, false},
		{"mode 1 with an amount", authn.Operation{Mode: "1", Amount: "125000"}, true},
		{"mode 1 with a challenge", authn.Operation{Mode: "1", Challenge: "00000001"}, true},
		{"mode 3", authn.Operation{Mode: "3", Challenge: "4711"}, true},
		{"mode 2+tds, whose fields always count", authn.Operation{Mode: "2+tds", TDS: []string{"0"}}, true},
	} {
		a := signIn("")
		a.Purpose, a.Operation = authn.Sign, test.op
		a.Code = codeOf(card, int(h.read(t, card.ID).LastATC)+1)
		_, err := h.VerifyCode(t.Context(), a)
		if test.ok && err != nil {
			t.Errorf("%s: refused: %v", test.name, err)
		}
		if !test.ok && (err == nil || wrongFields(t, err) != "mode") {
			t.Errorf("%s: error = %v, want one about the mode", test.name, err)
		}
	}
}

func TestTheServiceSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	now := func() time.Time { return today }
	for name, make := range map[string]func() (*authn.Service, error){
		"no store": func() (*authn.Service, error) {
			return authn.New(authn.Config{Store: nil, Safe: testenv.Safe(), Verifier: &engine{}, Policy: authn.DefaultPolicy(), Now: now})
		},
		"no verifier": func() (*authn.Service, error) {
			return authn.New(authn.Config{Store: st, Safe: testenv.Safe(), Verifier: nil, Policy: authn.DefaultPolicy(), Now: now})
		},
		"no clock": func() (*authn.Service, error) {
			return authn.New(authn.Config{Store: st, Safe: testenv.Safe(), Verifier: &engine{}, Policy: authn.DefaultPolicy(), Now: nil})
		},
		"no limit": func() (*authn.Service, error) {
			return authn.New(authn.Config{Store: st, Safe: testenv.Safe(), Verifier: &engine{}, Policy: authn.Policy{MaxFailures: 0, Window: 64, ResyncWindow: 1024}, Now: now})
		},
		"a window that is too wide": func() (*authn.Service, error) {
			return authn.New(authn.Config{Store: st, Safe: testenv.Safe(), Verifier: &engine{}, Policy: authn.Policy{MaxFailures: 5, Window: 257, ResyncWindow: 1024}, Now: now})
		},
		"a window of two codes that is narrower": func() (*authn.Service, error) {
			return authn.New(authn.Config{Store: st, Safe: testenv.Safe(), Verifier: &engine{}, Policy: authn.Policy{MaxFailures: 5, Window: 64, ResyncWindow: 63}, Now: now})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := make()
			if s != nil {
				t.Error("a service was made")
			}
			wantKind(t, err, lifecycle.Invalid)
		})
	}
}
