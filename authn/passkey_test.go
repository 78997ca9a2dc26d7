package authn_test

import (
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/passkey"
	"sceau/passkey/passkeytest"
	"sceau/signing"
	"sceau/store/db"
)

var theBank = passkey.RelyingParty{ID: "bank.example", Name: "Banque", Origins: []string{"https://online.bank.example"}}

// passkey gives a holder one.
func (h *house) passkey(t *testing.T, holder lifecycle.HolderID, count uint32) (*passkeytest.Passkey, lifecycle.MeansID) {
	t.Helper()
	p := must[*passkeytest.Passkey](t)(passkeytest.New(theBank.ID, theBank.Origins[0], []byte(holder)))
	p.Count = count
	challenge := [32]byte{1}
	c := must[passkey.Credential](t)(theBank.Made(challenge, must[[]byte](t)(p.Create(challenge[:]))))
	id := h.means(t, holder, lifecycle.MeansPasskey)
	check(t, h.store.InsertPasskey(t.Context(), db.InsertPasskeyParams{
		MeansID: id, CredentialID: c.ID, PublicKey: c.PublicKey, SignCount: int64(c.SignCount), AAGUID: c.AAGUID, BackedUp: c.BackedUp, Transports: c.Transports,
	}))
	return p, id
}

// signs is what a passkey signs for an authentication.
func signs(t *testing.T, p *passkeytest.Passkey, a authn.Authentication) authn.Given {
	t.Helper()
	digest := a.Digest()
	return authn.Given{Passkey: must[[]byte](t)(p.Sign(digest[:]))}
}

// pay asks the user to sign a payment by passkey.
func (h *house) pay(t *testing.T, content map[string]string) authn.Authentication {
	t.Helper()
	return must[authn.Authentication](t)(h.Begin(t.Context(), authn.Ask{
		By: service, ClientID: clientID, UserNumber: userNumber, Proof: signing.Proof{Means: lifecycle.MeansPasskey}, Operation: operationOf(t, signing.SignPayment, content),
	}))
}

func TestAPasskeySignsInAndSignsAnOperation(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	p, means := h.passkey(t, holder, 7)
	a := h.askFor(t, userNumber, lifecycle.MeansPasskey)
	request := must[passkey.Request](t)(h.PasskeyRequest(t.Context(), service, a))
	if len(request.Allow) != 1 || request.Allow[0].ID != passkey.Describe(p.ID, nil).ID || request.Timeout != 300_000 {
		t.Errorf("the browser is given %+v", request)
	}
	got, err := h.Prove(t.Context(), service, a.ID, signs(t, p, a))
	if err != nil || got.Holder != holder || got.Evidence["means"] != string(means) || got.Evidence["count"] != "8" {
		t.Fatalf("%+v, %v", got, err)
	}
	p.Handle = nil // from an allow-list a passkey need not say whose it is
	pay := h.pay(t, payment)
	if got, err := h.Prove(t.Context(), service, pay.ID, signs(t, p, pay)); err != nil || !got.Linked || !got.Proof.Means.Strong() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatAThiefDoesWithPasskeys(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.user(t, userNumber)
	p, means := h.passkey(t, holder, 0)
	others, _ := h.passkey(t, h.user(t, "0002"), 0)
	stranger := must[*passkeytest.Passkey](t)(passkeytest.New(theBank.ID, theBank.Origins[0], []byte(holder)))
	dearer := payment["amount"] + "0"
	for name, give := range map[string]func(a authn.Authentication) authn.Given{
		"another user's passkey": func(a authn.Authentication) authn.Given { return signs(t, others, a) },
		"another's in the user's name": func(a authn.Authentication) authn.Given {
			stolen := *others
			stolen.Handle = []byte(holder)
			return signs(t, &stolen, a)
		},
		"the user's id by another key": func(a authn.Authentication) authn.Given {
			stranger.ID = p.ID
			return signs(t, stranger, a)
		},
		"one that says another user": func(a authn.Authentication) authn.Given {
			said := *p
			said.Handle = []byte("H-9999999999999999")
			return signs(t, &said, a)
		},
		"a signature for a twin": func(authn.Authentication) authn.Given { return signs(t, p, h.pay(t, payment)) },
		"the amount changed after it was signed": func(authn.Authentication) authn.Given {
			content := map[string]string{}
			for k, v := range payment {
				content[k] = v
			}
			content["amount"] = dearer
			return signs(t, p, h.pay(t, content))
		},
		"another page": func(a authn.Authentication) authn.Given {
			lured := *p
			lured.Origin = "https://bank.example.evil.example"
			return signs(t, &lured, a)
		},
		"another domain": func(a authn.Authentication) authn.Given {
			lured := *p
			lured.RPID = "evil.example"
			return signs(t, &lured, a)
		},
		"nobody verified": func(a authn.Authentication) authn.Given {
			found := *p
			found.Unverified = true
			return signs(t, &found, a)
		},
	} {
		a := h.pay(t, payment)
		if got, err := h.Prove(t.Context(), service, a.ID, give(a)); !errors.Is(err, authn.ErrRefused) || got.State != lifecycle.AuthenticationPending || got.Holder != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	a := h.pay(t, payment)
	_, err := h.Prove(t.Context(), service, a.ID, authn.Given{Passkey: []byte("{}")})
	wantKind(t, err, lifecycle.Invalid)
	// Of twins with one signature one is accepted.
	given := signs(t, p, a)
	var twins sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for range 2 {
		twins.Go(func() {
			if _, err := h.Prove(t.Context(), service, a.ID, given); err == nil {
				mu.Lock()
				defer mu.Unlock()
				accepted++
			}
		})
	}
	twins.Wait()
	if accepted != 1 {
		t.Errorf("%d of two twins were accepted", accepted)
	}
	// Expired, or of a passkey that is suspended.
	a = h.pay(t, payment)
	given = signs(t, p, a)
	h.clock.set(today.Add(5 * time.Minute))
	_, err = h.Prove(t.Context(), service, a.ID, given)
	wantKind(t, err, lifecycle.Conflict)
	a = h.pay(t, payment)
	must[int64](t)(h.store.SetMeansState(t.Context(), db.SetMeansStateParams{ToState: lifecycle.MeansSuspended, At: today, ID: means, FromState: lifecycle.MeansActive}))
	if _, err := h.Prove(t.Context(), service, a.ID, signs(t, p, a)); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("suspended: %v", err)
	}
}

func TestACopyOfAPasskeyIsRefusedAndLookedAt(t *testing.T) {
	t.Parallel()
	h := setup(t)
	p, means := h.passkey(t, h.user(t, userNumber), 7)
	theirs := *p
	for range 2 {
		a := h.askFor(t, userNumber, lifecycle.MeansPasskey)
		must[authn.Authentication](t)(h.Prove(t.Context(), service, a.ID, signs(t, p, a)))
	}
	a := h.askFor(t, userNumber, lifecycle.MeansPasskey)
	if _, err := h.Prove(t.Context(), service, a.ID, signs(t, &theirs, a)); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("a copy that is behind: %v", err)
	}
	theirs.Count = 0 // one that counts nothing any more
	if _, err := h.Prove(t.Context(), service, a.ID, signs(t, &theirs, a)); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("one that stopped counting: %v", err)
	}
	if n := must[int64](t)(h.store.WorkItemsOn(t.Context(), string(means))); n != 2 {
		t.Errorf("%d work items", n)
	}
}

func TestWhomNobodyKnowsIsAskedForAPasskeyTheSameEachTime(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.user(t, userNumber) // has none
	seen := map[string]bool{}
	for _, number := range []string{userNumber, "0998", "0999"} {
		first := must[passkey.Request](t)(h.PasskeyRequest(t.Context(), service, h.askFor(t, number, lifecycle.MeansPasskey)))
		again := must[passkey.Request](t)(h.PasskeyRequest(t.Context(), service, h.askFor(t, number, lifecycle.MeansPasskey)))
		if len(first.Allow) != 1 || !reflect.DeepEqual(first.Allow, again.Allow) || first.Challenge == again.Challenge || seen[first.Allow[0].ID] {
			t.Errorf("user %s: %+v, then %+v", number, first, again)
		}
		seen[first.Allow[0].ID] = true
	}
	p := must[*passkeytest.Passkey](t)(passkeytest.New(theBank.ID, theBank.Origins[0], nil))
	a := h.askFor(t, "0999", lifecycle.MeansPasskey)
	if _, err := h.Prove(t.Context(), service, a.ID, signs(t, p, a)); !errors.Is(err, authn.ErrRefused) {
		t.Errorf("nobody's: %v", err)
	}
}
