package authn_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/authn"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/passcode"
	"sceau/signing"
	"sceau/store/db"
)

const sesame = "sesame 42"

// means gives a holder a means of a kind.
func (h *house) means(t *testing.T, holder lifecycle.HolderID, kind lifecycle.MeansKind) lifecycle.MeansID {
	t.Helper()
	h.cards++
	id := lifecycle.MeansID(id("M", h.cards))
	check(t, h.store.InsertMeans(t.Context(), db.InsertMeansParams{
		ID: id, HolderID: holder, Kind: kind, State: lifecycle.MeansActive, Label: "x", RequestedBy: "ann", CreatedAt: today,
	}))
	return id
}

// secretCode gives a holder the code sesame.
func (h *house) secretCode(t *testing.T, holder lifecycle.HolderID) lifecycle.MeansID {
	t.Helper()
	id := h.means(t, holder, lifecycle.MeansCode)
	hash := must[string](t)(passcode.New(testenv.Safe(), cheapCode).Hash(t.Context(), holder, lifecycle.TypedSecretCode(sesame)))
	check(t, h.store.InsertSecretCode(t.Context(), id, hash))
	return id
}

// askFor asks a user to sign in by a means.
func (h *house) askFor(t *testing.T, number string, means lifecycle.MeansKind) authn.Authentication {
	t.Helper()
	return must[authn.Authentication](t)(h.Begin(t.Context(), authn.Ask{
		By: service, ClientID: clientID, UserNumber: number, Proof: signing.Proof{Means: means}, Operation: operationOf(t, signing.SignIn, nil),
	}))
}

// byCode signs in with a secret code.
func (h *house) byCode(t *testing.T, number, code string) (authn.Authentication, error) {
	t.Helper()
	return h.Prove(t.Context(), service, h.askFor(t, number, lifecycle.MeansCode).ID, authn.Given{Code: code})
}

func (h *house) signInStrongly(t *testing.T, card db.Card, atc int) {
	t.Helper()
	a := h.ask(t, "2", operationOf(t, signing.SignIn, nil))
	must[authn.Authentication](t)(h.Prove(t.Context(), service, a.ID, authn.Given{Code: codeOf(card, atc)}))
}

func TestASecretCodeSignsInWhileAStrongSignInIsRecent(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	card, means := h.card(t, holder, lifecycle.CardActive), h.secretCode(t, holder)
	// Who has never signed in strongly learns it by the right code only.
	if a, err := h.byCode(t, userNumber, "sesame 43"); !errors.Is(err, authn.ErrRefused) || errors.Is(err, authn.ErrStrongNeeded) || a.State != lifecycle.AuthenticationPending {
		t.Errorf("a wrong code: %v, %v", a.State, err)
	}
	if a, err := h.byCode(t, userNumber, sesame); !errors.Is(err, authn.ErrStrongNeeded) || a.State != lifecycle.AuthenticationRefused || a.Holder != "" {
		t.Errorf("without a strong sign-in: %+v, %v", a, err)
	}
	h.signInStrongly(t, card, 1)
	a, err := h.byCode(t, userNumber, sesame)
	if err != nil || a.State != lifecycle.AuthenticationAccepted || a.Holder != holder || a.Evidence["means"] != string(means) || a.Proof.Means.Strong() {
		t.Fatalf("%+v, %v", a, err)
	}
	h.clock.set(today.Add(180*24*time.Hour + time.Second)) // the one by code renews nothing
	if _, err := h.byCode(t, userNumber, sesame); !errors.Is(err, authn.ErrStrongNeeded) {
		t.Errorf("180 days later: %v", err)
	}
	h.signInStrongly(t, card, 2)
	if _, err := h.byCode(t, userNumber, sesame); err != nil {
		t.Errorf("after another strong sign-in: %v", err)
	}
	// Nothing sensitive is opened by it, whatever the bank's policy.
	_, err = h.Begin(t.Context(), authn.Ask{
		By: service, ClientID: clientID, UserNumber: userNumber, Proof: signing.Proof{Means: lifecycle.MeansCode}, Operation: operationOf(t, signing.SignPayment, payment),
	})
	wantKind(t, err, lifecycle.Invalid)
	kept := must[db.Means](t)(h.store.LockMeans(t.Context(), means))
	if kept.LastUsedAt == nil || !kept.LastUsedAt.Equal(h.clock.Now()) {
		t.Errorf("it was used at %v", kept.LastUsedAt)
	}
}

// A block is the same for a user, one without a code, and one whom nobody knows.
func TestFiveWrongSecretCodesBlockWhoeverItIs(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	h.signInStrongly(t, card, 1)
	holder := card.HolderID
	means := h.secretCode(t, holder)
	h.user(t, "0002") // has none
	for _, number := range []string{userNumber, "0002", "0999"} {
		var said []string
		for range 6 {
			_, err := h.byCode(t, number, "guessed")
			said = append(said, err.Error())
		}
		want := append(slices.Repeat([]string{authn.ErrRefused.Error()}, 5), said[5])
		if !slices.Equal(said, want) || !strings.Contains(said[5], string(lifecycle.Locked)) {
			t.Errorf("user %s hears %q", number, said)
		}
	}
	_, err := h.byCode(t, userNumber, sesame)
	wantKind(t, err, lifecycle.Locked) // the right one too
	trail := must[[]db.AuditEntry](t)(h.store.AuditOf(t.Context(), string(means)))
	if len(trail) != 1 || trail[0].Event != "block_code" {
		t.Errorf("the trail: %+v", trail)
	}
}

func TestSecretCodesAtTheSameTimeAreCountedBeforeTheyAreJudged(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	h.secretCode(t, holder)
	ids := make([]lifecycle.AuthenticationID, 12)
	for i := range ids {
		ids[i] = h.askFor(t, userNumber, lifecycle.MeansCode).ID
	}
	var twins sync.WaitGroup
	var mu sync.Mutex
	judged := 0
	for _, id := range ids {
		twins.Go(func() {
			_, err := h.Prove(t.Context(), service, id, authn.Given{Code: "guessed"})
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, authn.ErrRefused) {
				judged++
			}
		})
	}
	twins.Wait()
	if judged != 5 {
		t.Errorf("%d of 12 guesses were judged", judged)
	}
}

func TestASuspendedOrStoppedCodeIsAWrongOne(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	h.signInStrongly(t, card, 1)
	means := h.secretCode(t, card.HolderID)
	set := func(from, to lifecycle.MeansState) {
		must[int64](t)(h.store.SetMeansState(t.Context(), db.SetMeansStateParams{ToState: to, At: today, ID: means, FromState: from}))
	}
	set(lifecycle.MeansActive, lifecycle.MeansSuspended)
	if _, err := h.byCode(t, userNumber, sesame); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("suspended: %v", err)
	}
	set(lifecycle.MeansSuspended, lifecycle.MeansActive)
	must[int64](t)(h.store.InsertStop(t.Context(), db.InsertStopParams{
		ID: lifecycle.StopID(id("ES", 1)), CompanyID: lifecycle.CompanyID(id("CO", 1)), HolderID: &card.HolderID, State: lifecycle.StopActive, Reason: "stolen", MadeBy: "x", MadeAt: today,
	}))
	if _, err := h.byCode(t, userNumber, sesame); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("stopped: %v", err)
	}
}
