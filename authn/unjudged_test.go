package authn_test

import (
	"errors"
	"fmt"
	"testing"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/store/db"
)

// A card that the engine could not check was not guessed at: the contract of
// VerifyCode. Before, its guess stayed counted, so that a fault of ours locked
// the holder out.
func TestTheGuessOnACardThatTheEngineCouldNotCheckIsGivenBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault error
		kind  lifecycle.Kind // that the caller sees
	}{
		{"its profile is not in the engine", fmt.Errorf("verify a CAP code: %w: unknown_profile", lifecycle.NotFound), ""},
		{"the engine finds the question malformed", fmt.Errorf("verify a CAP code: %w: scripts", lifecycle.Invalid), ""},
		{"the engine gave no counter", errors.New("verify a CAP code: the engine gave no counter"), ""},
		{"the engine goes away", fmt.Errorf("verify a CAP code: %w", lifecycle.Unavailable), lifecycle.Unavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			holder := h.user(t, userNumber)
			card := h.card(t, holder, lifecycle.CardActive)
			h.engine.faults = map[string]error{card.Last4: test.fault}
			for range 7 {
				_, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1)))
				wantFault(t, err, test.kind)
			}
			if n := h.failures(t, card); n != 0 {
				t.Errorf("%d guesses are counted", n)
			}
			other := h.card(t, holder, lifecycle.CardActive)
			_, err := h.VerifyCode(t.Context(), signIn(wrong))
			wantFault(t, err, test.kind)
			if faulty, judged := h.failures(t, card), h.failures(t, other); faulty != 0 || judged != 1 {
				t.Errorf("%d and %d guesses are counted on the unchecked and the judged card; want 0 and 1", faulty, judged)
			}
			if got, err := h.VerifyCode(t.Context(), signIn(codeOf(other, 1))); err != nil || got.Card != other.ID {
				t.Errorf("a right code of the other card: %+v, %v", got, err)
			}
		})
	}
}

// wantFault checks an error about this house: not a word about the code, and no
// kind but that the caller may try later.
func wantFault(t *testing.T, err error, kind lifecycle.Kind) {
	t.Helper()
	var got lifecycle.Kind
	_ = errors.As(err, &got)
	if err == nil || errors.Is(err, authn.ErrRefused) || got != kind {
		t.Errorf("error = %v of kind %q, want one of kind %q", err, got, kind)
	}
}

func TestAFaultOfTheHouseIsNoAnswerAboutTheCode(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for _, kind := range []lifecycle.Kind{lifecycle.Forbidden, lifecycle.NotFound, lifecycle.Locked} {
		h.engine.err = fmt.Errorf("verify CAP codes: %w: Vault answered 403", kind)
		_, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1)))
		wantFault(t, err, "")
	}
	if n := h.failures(t, card); n != 0 {
		t.Errorf("%d guesses are counted", n)
	}
}

func TestTheGuessesCountedSoFarAreGivenBackWhenCountingFails(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	first, second := h.card(t, holder, lifecycle.CardActive), h.card(t, holder, lifecycle.CardActive)
	// The disk fills up at the second card.
	for _, sql := range []string{
		`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$`,
		`CREATE TRIGGER full_disk BEFORE UPDATE ON card FOR EACH ROW WHEN (OLD.id = '` + string(second.ID) + `') EXECUTE FUNCTION full_disk()`,
	} {
		_, err := h.store.Pool().Exec(t.Context(), sql)
		check(t, err)
	}
	_, err := h.VerifyCode(t.Context(), signIn(codeOf(first, 1)))
	wantKind(t, err, lifecycle.Unavailable)
	if n := h.failures(t, first); n != 0 {
		t.Errorf("%d guesses are counted on the first card", n)
	}
	if judged, inVain := h.engine.judged(); judged+inVain != 0 {
		t.Errorf("the engine was asked %d times", judged+inVain)
	}
}

func TestACardNumberThatCannotBeReadCountsNoGuess(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive, func(p *db.InsertCardParams) { p.PANSealed = []byte{0, 1, 2, 3} })
	_, err := h.VerifyCode(t.Context(), signIn(wrong))
	wantFault(t, err, "")
	if n := h.failures(t, card); n != 0 {
		t.Errorf("%d guesses are counted", n)
	}
}
