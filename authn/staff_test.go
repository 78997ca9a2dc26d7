package authn_test

import (
	"strings"
	"sync"
	"testing"

	"sceau/authn"
	"sceau/lifecycle"
)

var (
	manager = lifecycle.Actor{ID: "m.lavigne", Role: lifecycle.RoleAccountManager}
	auditor = lifecycle.Actor{ID: "a.lierre", Role: lifecycle.RoleAuditor}
)

func TestStaffAreToldWhatACallerIsNot(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for _, code := range []string{codeOf(card, 4), wrong, codeOf(card, 4), codeOf(card, 9)} {
		_, _ = h.VerifyCode(t.Context(), signIn(code))
	}
	got := must[[]authn.Judgement](t)(h.Explain(t.Context(), auditor, card.ID, 10))
	want := []authn.Judgement{
		{Event: "accept_code", LastATC: 4, ATC: 9, Skipped: 4},
		{Event: "refuse_code", LastATC: 4, Failures: 2},
		{Event: "refuse_code", LastATC: 4, Failures: 1},
		{Event: "accept_code", ATC: 4, Skipped: 3},
	}
	if len(got) != len(want) {
		t.Fatalf("%d judgements, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		want[i].At, want[i].By, want[i].Purpose, want[i].Mode, want[i].Window = today, service.ID, authn.SignIn, "2", 64
		if got[i] != want[i] {
			t.Errorf("judgement %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if got := must[[]authn.Judgement](t)(h.Explain(t.Context(), auditor, card.ID, 1)); len(got) != 1 || got[0] != want[0] {
		t.Errorf("the newest one is %+v", got)
	}
	for _, by := range []lifecycle.Actor{service, {ID: "h", Role: lifecycle.RoleHolder}} {
		_, err := h.Explain(t.Context(), by, card.ID, 10)
		wantKind(t, err, lifecycle.Forbidden)
	}
	for _, most := range []int{0, 201} {
		_, err := h.Explain(t.Context(), auditor, card.ID, most)
		wantKind(t, err, lifecycle.Invalid)
	}
}

func TestStaffUnlockAndLockACardsCodes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for range 5 {
		_, _ = h.VerifyCode(t.Context(), signIn(wrong))
	}
	_, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1)))
	wantKind(t, err, lifecycle.Locked)
	for name, try := range map[string]func() error{
		"an auditor":             func() error { return h.Unlock(t.Context(), auditor, card.ID, "asked") },
		"a relying service":      func() error { return h.Unlock(t.Context(), service, card.ID, "asked") },
		"somebody without a why": func() error { return h.Unlock(t.Context(), manager, card.ID, "") },
		"somebody with a novel":  func() error { return h.Lock(t.Context(), manager, card.ID, strings.Repeat("x", 501)) },
		"a card that is not":     func() error { return h.Unlock(t.Context(), manager, "C-0000000000000099", "asked") },
	} {
		if err := try(); err == nil || h.failures(t, card) != 5 {
			t.Errorf("%s: %v, and %d guesses are counted", name, err, h.failures(t, card))
		}
	}
	check(t, h.Unlock(t.Context(), manager, card.ID, "identity card seen"))
	if _, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 1))); err != nil {
		t.Errorf("after the unlock: %v", err)
	}
	check(t, h.Lock(t.Context(), manager, card.ID, "holder called"))
	_, err = h.VerifyCode(t.Context(), signIn(codeOf(card, 2)))
	wantKind(t, err, lifecycle.Locked)
	got := must[[]authn.Judgement](t)(h.Explain(t.Context(), manager, card.ID, 3))
	if got[0].Event != "lock_codes" || got[0].Note != "holder called" || got[2].Event != "unlock_codes" || got[2].Failures != 5 || got[2].By != manager.ID {
		t.Errorf("the trail is %+v", got)
	}
}

func TestTwoCodesInARowFindACardThatRanAhead(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	far := signIn(codeOf(card, 500))
	got, err := h.VerifyCode(t.Context(), far)
	wantRefused(t, got, err)
	for name, next := range map[string]string{"the next but one": codeOf(card, 502), "the one before": codeOf(card, 499), "a wrong one": wrong} {
		if got, err := h.Resynchronise(t.Context(), far, next); name != "" {
			wantRefused(t, got, err)
		}
	}
	if n := h.failures(t, card); n != 4 {
		t.Errorf("%d guesses are counted, want 4", n)
	}
	got = must[authn.Accepted](t)(h.Resynchronise(t.Context(), far, codeOf(card, 501)))
	if got.Card != card.ID || got.ATC != 501 || h.read(t, card.ID).LastATC != 501 || h.failures(t, card) != 0 {
		t.Errorf("answered %+v; the card stands at %d", got, h.read(t, card.ID).LastATC)
	}
	got, err = h.Resynchronise(t.Context(), far, codeOf(card, 501)) // replayed
	wantRefused(t, got, err)
	if _, err := h.VerifyCode(t.Context(), signIn(codeOf(card, 502))); err != nil {
		t.Errorf("the code after both: %v", err)
	}
	got, err = h.Resynchronise(t.Context(), signIn(codeOf(card, 502+1025)), codeOf(card, 502+1026))
	wantRefused(t, got, err)
	newest := must[[]authn.Judgement](t)(h.Explain(t.Context(), manager, card.ID, 1))[0]
	if newest.Event != "refuse_code" || newest.Window != 1024 {
		t.Errorf("the trail says %+v", newest)
	}
}

func TestTwoCodesAreHeldToTheirForm(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	for next, want := range map[string]string{"": "next_code", "1234567": "next_code", "abcdefgh": "next_code", codeOf(card, 1): "next_code"} {
		_, err := h.Resynchronise(t.Context(), signIn(codeOf(card, 1)), next)
		if fields := wrongFields(t, err); fields != want {
			t.Errorf("next code %q: wrong fields %q, want %q", next, fields, want)
		}
	}
	bad := signIn("1")
	bad.Mode = "9"
	_, err := h.Resynchronise(t.Context(), bad, "x")
	if fields := wrongFields(t, err); fields != "code mode next_code" {
		t.Errorf("wrong fields %q", fields)
	}
	for range 5 {
		_, _ = h.VerifyCode(t.Context(), signIn(wrong))
	}
	_, err = h.Resynchronise(t.Context(), signIn(codeOf(card, 100)), codeOf(card, 101))
	wantKind(t, err, lifecycle.Locked)
}

// Whoever throws codes at one card holds nobody else up: its codes are judged
// one after the other, the others' meanwhile.
func TestACardUnderFireHoldsNobodyElseUp(t *testing.T) {
	t.Parallel()
	h := setupWith(t, authn.Policy{MaxFailures: 1000, Window: 64, ResyncWindow: 1024})
	target := h.card(t, h.user(t, "0001"), lifecycle.CardActive)
	other := h.card(t, h.user(t, "0002"), lifecycle.CardActive)
	var group sync.WaitGroup
	const thrown = 60
	for range thrown {
		group.Go(func() {
			got, err := h.VerifyCode(t.Context(), byCard(target, wrong))
			wantRefused(t, got, err)
		})
	}
	for atc := range 5 {
		if _, err := h.VerifyCode(t.Context(), byCard(other, codeOf(other, atc+1))); err != nil {
			t.Errorf("code %d of the other card: %v", atc+1, err)
		}
	}
	group.Wait()
	if n := h.failures(t, target); n != thrown {
		t.Errorf("%d of %d guesses are counted", n, thrown)
	}
	h.engine.mu.Lock()
	defer h.engine.mu.Unlock()
	for _, checks := range h.engine.asked {
		seen := map[string]bool{}
		for _, c := range checks {
			if seen[c.PAN.Last4()] {
				t.Error("two codes of one card were judged together")
			}
			seen[c.PAN.Last4()] = true
		}
	}
}

// An unknown user, a locked card and a card that may not be used cost the engine
// as much as a wrong code: their callers wait as long.
func TestACodeOfNobodyIsJudgedInVain(t *testing.T) {
	t.Parallel()
	h := setup(t)
	opposed := h.card(t, h.user(t, "0002"), lifecycle.CardOpposed)
	for _, a := range []authn.Attempt{signIn(wrong), byCard(opposed, wrong)} {
		got, err := h.VerifyCode(t.Context(), a)
		wantRefused(t, got, err)
	}
	if judged, inVain := h.engine.judged(); judged != 0 || inVain != 2 {
		t.Errorf("%d codes were judged and %d in vain, want 0 and 2", judged, inVain)
	}
}
