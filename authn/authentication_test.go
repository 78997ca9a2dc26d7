package authn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store/db"
)

var payment = map[string]string{
	"amount": "1250075", "currency": "EUR", "payee_account": "FR7630006000011234567890189", "payee_name": "Fournitures Lemaire",
}

func operationOf(t *testing.T, f signing.Function, content map[string]string) signing.Operation {
	t.Helper()
	return must[signing.Operation](t)(signing.NewOperation(f, content))
}

func capProof(mode string) signing.Proof { return signing.Proof{Means: lifecycle.MeansCAP, Mode: mode} }

// ask begins an authentication of the user.
func (h *house) ask(t *testing.T, mode string, of signing.Operation) authn.Authentication {
	t.Helper()
	return must[authn.Authentication](t)(h.Begin(t.Context(), authn.Ask{
		By: service, ClientID: clientID, UserNumber: userNumber, Proof: capProof(mode), Operation: of,
	}))
}

// takes makes a policy live, as two people would.
func (h *house) takes(t *testing.T, file string) {
	t.Helper()
	p := must[signing.Policy](t)(signing.Parse([]byte(file)))
	sum := p.Sum()
	thing := lifecycle.SigningPolicies.Thing
	version := must[int32](t)(h.store.InsertEdition(t.Context(), db.InsertEditionParams{
		Thing: thing, Name: signing.PolicyName, State: lifecycle.EditionProposed, Content: p.Canonical(), SHA256: sum[:], ProposedBy: "olivia", ProposedAt: today,
	}))
	must[int64](t)(h.store.DecideEdition(t.Context(), db.DecideEditionParams{
		ToState: lifecycle.EditionLive, DecidedBy: new("ann"), DecidedAt: &today, Thing: thing, Name: signing.PolicyName, Version: version,
		FromState: lifecycle.EditionProposed,
	}))
}

const codeKeySigns = "sign_payment_batch: {proofs: [{means: cap, mode: '2'}, {means: cap, mode: 2+tds}], seconds: 120}"

var batch = map[string]string{"total": "9900000", "currency": "EUR", "count": "212", "sha256": "ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12"}

func TestAnOperationIsSignedOverItsOwnData(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	card := h.card(t, holder, lifecycle.CardActive)
	a := h.ask(t, "", operationOf(t, signing.SignPayment, payment))
	if a.State != lifecycle.AuthenticationPending || a.Proof != capProof("2+tds") || !a.Linked || a.Holder != "" || a.TriesLeft != 3 {
		t.Fatalf("it begins as %+v", a)
	}
	typed := h.Typed(a)
	if len(typed.TDS) != 3 || typed.TDS[0] != "1250075" || typed.TDS[1] != "4567890189" {
		t.Errorf("the holder types %v", typed.TDS)
	}
	got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, 7)})
	if err != nil || got.State != lifecycle.AuthenticationAccepted || got.Holder != holder || got.Evidence["card"] != string(card.ID) || got.Evidence["atc"] != "7" {
		t.Fatalf("answered %+v, %v", got, err)
	}
	// The engine was asked about the operation's data, whatever a caller would say.
	asked := h.engine.asked[len(h.engine.asked)-1][0]
	if asked.Mode != "2+tds" || !slices.Equal(asked.TDS, typed.TDS) || asked.Challenge != "" || asked.Amount != "" {
		t.Errorf("the engine judged %+v", asked.Operation)
	}
	if again, err := h.Authentication(t.Context(), service, a.ID); err != nil || again.State != got.State || string(again.Text) != string(a.Text) {
		t.Errorf("read again: %+v, %v", again, err)
	}
	if _, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, 8)}); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("a second proof: %v", err)
	}
	text := must[string](t)(h.Statement(t.Context(), service, a.ID))
	var claims authn.Claims
	check(t, json.Unmarshal([]byte(strings.TrimPrefix(text, "sealed 1: ")), &claims))
	if claims.Subject != holder || claims.Audience != service.ID || claims.ID != a.ID || !claims.Strong || !claims.Linked || claims.Issued != today.Unix() ||
		claims.Content["amount"] != "1250075" || claims.Text != string(a.Text) || claims.Evidence["atc"] != "7" {
		t.Errorf("it states %+v", claims)
	}
	if again := must[string](t)(h.Statement(t.Context(), service, a.ID)); again != text {
		t.Errorf("asked again it states %s", again)
	}
	entries := must[[]db.AuditEntry](t)(h.store.AuditOf(t.Context(), string(a.ID)))
	var detail map[string]string
	check(t, json.Unmarshal(entries[0].Detail, &detail))
	if len(entries) != 1 || entries[0].Event != string(lifecycle.AcceptProof) || detail["function"] != "sign_payment" || detail["card"] != string(card.ID) {
		t.Errorf("the trail: %+v", entries)
	}
}

func TestTheSameOperationIsTypedDifferentlyEachTime(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	of := operationOf(t, signing.SignPayment, payment)
	first, second := h.ask(t, "2+tds", of), h.ask(t, "2+tds", of)
	if slices.Equal(h.Typed(first).TDS, h.Typed(second).TDS) {
		t.Errorf("both type %v", h.Typed(first).TDS)
	}
}

func TestAnAuthenticationTakesThreeProofs(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	a := h.ask(t, "2", operationOf(t, signing.SignIn, nil))
	_, err := h.Statement(t.Context(), service, a.ID)
	wantKind(t, err, lifecycle.Conflict)
	for left := 2; left >= 0; left-- {
		got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: wrong})
		want := lifecycle.AuthenticationPending
		if left == 0 {
			want = lifecycle.AuthenticationRefused
		}
		if !errors.Is(err, authn.ErrRefused) || got.State != want || got.TriesLeft != left {
			t.Errorf("with %d left: %s, %d left, %v", left, got.State, got.TriesLeft, err)
		}
	}
	if got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, 1)}); !errors.Is(err, lifecycle.Conflict) || got.State != lifecycle.AuthenticationRefused {
		t.Errorf("the right code afterwards: %s, %v", got.State, err)
	}
}

func TestOneOfTwinsIsAccepted(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	a := h.ask(t, "2", operationOf(t, signing.SignIn, nil))
	var wait sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for n := range 3 {
		wait.Go(func() {
			got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, 1+n)})
			mu.Lock()
			defer mu.Unlock()
			if err == nil && got.State == lifecycle.AuthenticationAccepted {
				accepted++
			} else if !errors.Is(err, lifecycle.Conflict) && !errors.Is(err, authn.ErrRefused) && !errors.Is(err, lifecycle.Illegal) {
				t.Errorf("a twin: %s, %v", got.State, err)
			}
		})
	}
	wait.Wait()
	if accepted != 1 {
		t.Errorf("%d twins were accepted", accepted)
	}
}

func TestAnotherServiceSeesNothingAndAnotherUsersCardProvesNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	stranger := h.card(t, h.user(t, "0002"), lifecycle.CardActive)
	a := h.ask(t, "2", operationOf(t, signing.SignIn, nil))
	other := lifecycle.Actor{ID: "K-0000000000000002", Role: lifecycle.RoleRelyingService}
	_, err := h.Authentication(t.Context(), other, a.ID)
	wantKind(t, err, lifecycle.NotFound)
	_, err = h.Prove(t.Context(), other, a.ID, authn.Given{Code: wrong})
	wantKind(t, err, lifecycle.NotFound)
	_, err = h.Cancel(t.Context(), other, a.ID)
	wantKind(t, err, lifecycle.NotFound)
	got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(stranger, 1)})
	if !errors.Is(err, authn.ErrRefused) || got.State != lifecycle.AuthenticationPending {
		t.Errorf("another user's code: %s, %v", got.State, err)
	}
}

func TestAUserOfNobodyIsAskedAndRefusedLikeAnyOther(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.user(t, userNumber) // who has no card
	for name, number := range map[string]string{"known": userNumber, "unknown": "9999"} {
		a, err := h.Begin(t.Context(), authn.Ask{
			By: service, ClientID: clientID, UserNumber: number, Proof: capProof("3"), Operation: operationOf(t, signing.SignIn, nil),
		})
		check(t, err)
		if a.State != lifecycle.AuthenticationPending || h.Typed(a).Challenge == "" {
			t.Errorf("%s begins as %+v", name, a)
		}
		got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: wrong})
		if err == nil || err.Error() != authn.ErrRefused.Error() || got.State != lifecycle.AuthenticationPending || got.TriesLeft != 2 || got.Holder != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, inVain := h.engine.judged(); inVain != 2 {
		t.Errorf("the engine was asked in vain %d times", inVain)
	}
}

func TestWhatIsOverdueTakesNoProof(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	a := h.ask(t, "2", operationOf(t, signing.SignIn, nil))
	h.clock.set(a.Expires)
	if read := must[authn.Authentication](t)(h.Authentication(t.Context(), service, a.ID)); read.State != lifecycle.AuthenticationExpired {
		t.Errorf("it reads as %s", read.State)
	}
	got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, 1)})
	if !errors.Is(err, lifecycle.Conflict) || got.State != lifecycle.AuthenticationExpired {
		t.Errorf("answered %s, %v", got.State, err)
	}
	if judged, _ := h.engine.judged(); judged != 0 {
		t.Error("its code was judged, and spent")
	}
}

func TestAnEngineThatIsAwayCostsNoTry(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	a := h.ask(t, "2", operationOf(t, signing.SignIn, nil))
	h.engine.err = fmt.Errorf("%w: sealed", lifecycle.Unavailable)
	for range 4 {
		_, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, 1)})
		wantKind(t, err, lifecycle.Unavailable)
	}
	h.engine.err = nil
	if got, err := h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, 1)}); err != nil || got.TriesLeft != 2 {
		t.Errorf("when it is back: %+v, %v", got, err)
	}
}

// Before, it began, and no proof of it could ever be judged.
func TestAMeansThatNobodyJudgesIsNotAsked(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.user(t, userNumber)
	_, err := h.Begin(t.Context(), authn.Ask{
		By: service, ClientID: clientID, UserNumber: userNumber, Proof: signing.Proof{Means: lifecycle.MeansProvider}, Operation: operationOf(t, signing.SignIn, nil),
	})
	wantKind(t, err, lifecycle.Unavailable)
}

func TestAProofThatThePolicyDoesNotTakeIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.user(t, userNumber)
	for _, test := range []struct {
		name  string
		proof signing.Proof
		of    signing.Operation
	}{
		{"the CODE key for a payment", capProof("2"), operationOf(t, signing.SignPayment, payment)},
		{"a challenge for a payment", capProof("3"), operationOf(t, signing.SignPayment, payment)},
		{"a secret code for a payment", signing.Proof{Means: lifecycle.MeansCode}, operationOf(t, signing.SignPayment, payment)},
		{"data for a sign-in", capProof("2+tds"), operationOf(t, signing.SignIn, nil)},
		{"no means", signing.Proof{}, operationOf(t, signing.SignIn, nil)},
	} {
		_, err := h.Begin(t.Context(), authn.Ask{By: service, ClientID: clientID, UserNumber: userNumber, Proof: test.proof, Operation: test.of})
		if fields := wrongFields(t, err); fields != "means" {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	_, err := h.Begin(t.Context(), authn.Ask{By: service, ClientID: "1", UserNumber: "x", Proof: capProof("2"), Operation: operationOf(t, signing.SignIn, nil)})
	if fields := wrongFields(t, err); fields != "client_id user_number" {
		t.Errorf("wrong fields: %s", fields)
	}
}

// The flow that the bank's customers know: the CODE key, then 8 digits, for each
// sensitive function.
func TestTheCodeKeyConfirmsTheOneOperationThatWaits(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	h.takes(t, codeKeySigns)
	of := operationOf(t, signing.SignPaymentBatch, batch)
	first := h.ask(t, "", of)
	if first.Linked || first.Proof.Mode != "2" || first.Policy != 1 || first.Expires.Sub(first.Created) != 2*time.Minute {
		t.Fatalf("it begins as %+v", first)
	}
	if typed := h.Typed(first); typed.Challenge+typed.Amount != "" || typed.TDS != nil {
		t.Errorf("the holder types %+v", typed)
	}
	linked := h.ask(t, "2+tds", of)
	second := h.ask(t, "2", of)
	if got := must[authn.Authentication](t)(h.Authentication(t.Context(), service, first.ID)); got.State != lifecycle.AuthenticationCancelled {
		t.Errorf("the first is %s", got.State)
	}
	if got := must[authn.Authentication](t)(h.Authentication(t.Context(), service, linked.ID)); got.State != lifecycle.AuthenticationPending {
		t.Errorf("one over its own data is %s", got.State)
	}
	if got, err := h.Prove(t.Context(), service, first.ID, authn.Given{Code: codeOf(card, 1)}); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("a code for the first: %+v, %v", got, err)
	}
	got, err := h.Prove(t.Context(), service, second.ID, authn.Given{Code: codeOf(card, 1)})
	if err != nil || got.State != lifecycle.AuthenticationAccepted || got.Linked {
		t.Errorf("a code for the second: %+v, %v", got, err)
	}
	// The code was spent on it: it signs nothing else.
	third := h.ask(t, "2", of)
	if _, err := h.Prove(t.Context(), service, third.ID, authn.Given{Code: codeOf(card, 1)}); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("the same code again: %v", err)
	}
	if got := must[authn.Authentication](t)(h.Cancel(t.Context(), service, third.ID)); got.State != lifecycle.AuthenticationCancelled {
		t.Errorf("cancelled, it is %s", got.State)
	}
}

func TestOperationsBegunAtOnceByTheCodeKeyLeaveOneThatWaits(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.user(t, userNumber)
	h.card(t, lifecycle.HolderID(id("H", 1)), lifecycle.CardActive)
	h.takes(t, codeKeySigns)
	of := operationOf(t, signing.SignPaymentBatch, batch)
	var wait sync.WaitGroup
	ids := make([]lifecycle.AuthenticationID, 8)
	for i := range ids {
		wait.Go(func() { ids[i] = h.ask(t, "2", of).ID })
	}
	wait.Wait()
	pending := 0
	for _, id := range ids {
		if must[authn.Authentication](t)(h.Authentication(t.Context(), service, id)).State == lifecycle.AuthenticationPending {
			pending++
		}
	}
	if pending != 1 {
		t.Errorf("%d wait", pending)
	}
}
