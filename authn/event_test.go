package authn_test

import (
	"slices"
	"testing"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/signing"
)

// feed reads a service's events until it has as many as are wanted: transactions of
// other tests' databases hold the end of the feed back for a moment.
func (h *house) feed(t *testing.T, by lifecycle.Actor, page, want int) (types []string) {
	t.Helper()
	for len(types) < want && t.Context().Err() == nil {
		types = h.once(t, by, page)
	}
	return types
}

// once reads all of a service's events.
func (h *house) once(t *testing.T, by lifecycle.Actor, page int) (types []string) {
	t.Helper()
	var after lifecycle.EventID
	for {
		events, more, err := h.Events(t.Context(), by, after, page)
		check(t, err)
		for _, e := range events {
			if e.ID <= after || e.Subject == "" || e.At.IsZero() {
				t.Errorf("event %+v after %s", e, after)
			}
			types, after = append(types, e.Type+" "+e.Subject), e.ID
		}
		if !more {
			return types
		}
	}
}

// moves writes in the trail that a thing moved, as whoever moves it does.
const moves = "INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state) VALUES (now(), 'a', 'system', $1, $2, 'x', $3, $4)"

func TestAServiceIsToldOfUsersWhoHaveProvenThemselvesToItAndOfNoOther(t *testing.T) {
	t.Parallel()
	h := setup(t)
	made, _ := newKey(t, h, authn.ScopeAuthenticate)
	other, _ := newKey(t, h, authn.ScopeAuthenticate)
	card := h.card(t, h.user(t, userNumber), lifecycle.CardActive)
	stranger := h.card(t, h.user(t, "0002"), lifecycle.CardActive)
	h.exec(t, moves, "card", card.ID, "active", "suspended") // before the service knows the user
	ask := authn.Ask{By: made.Actor(), ClientID: clientID, UserNumber: userNumber, Proof: capProof("2"), Operation: operationOf(t, signing.SignIn, nil)}
	given := must[authn.Authentication](t)(h.Begin(t.Context(), ask))
	must[authn.Authentication](t)(h.Cancel(t.Context(), made.Actor(), given.ID))
	a := must[authn.Authentication](t)(h.Begin(t.Context(), ask))
	must[authn.Authentication](t)(h.Prove(t.Context(), made.Actor(), a.ID, authn.Given{Code: codeOf(card, 1)}))
	for _, id := range []lifecycle.CardID{card.ID, stranger.ID} {
		h.exec(t, moves, "card", id, "active", "opposed")
		h.exec(t, moves, "card", id, "active", "active") // no move
		h.exec(t, moves, "card", id, "opposed", "destroyed")
	}
	h.exec(t, "INSERT INTO means (id, holder_id, kind, state, label, requested_by, created_at, updated_at) SELECT 'M-1', holder_id, 'passkey', 'active', 'x', 'x', now(), now() FROM card WHERE id = $1", card.ID)
	h.exec(t, moves, "means", "M-1", "proposed", "active")
	h.exec(t, "INSERT INTO emergency_stop (id, company_id, state, reason, made_by, made_at, updated_at) SELECT 'ES-1', company_id, 'active', 'fraud', 'x', now(), now() FROM holder LIMIT 1")
	h.exec(t, moves, "emergency stop", "ES-1", "", "active")
	want := []string{
		"authentication.cancelled " + string(given.ID), "authentication.accepted " + string(a.ID), "card.opposed " + string(card.ID),
		"means.active M-1", "stop.active ES-1",
	}
	for _, page := range []int{1, 2, 500} {
		if got := h.feed(t, made.Actor(), page, len(want)); !slices.Equal(got, want) {
			t.Errorf("by pages of %d: %q, want %q", page, got, want)
		}
	}
	if got := h.once(t, other.Actor(), 10); len(got) != 0 {
		t.Errorf("another service is told: %q", got)
	}
}

// What commits late stands in the feed where it can still be read: nothing is shown
// from behind it until it has ended.
func TestACursorPassesOverNothingThatCommitsLate(t *testing.T) {
	t.Parallel()
	h := setup(t)
	made, _ := newKey(t, h, authn.ScopeAuthenticate)
	ask := authn.Ask{By: made.Actor(), ClientID: clientID, UserNumber: userNumber, Proof: capProof("2"), Operation: operationOf(t, signing.SignIn, nil)}
	var asked [3]lifecycle.AuthenticationID
	for i := range asked {
		asked[i] = must[authn.Authentication](t)(h.Begin(t.Context(), ask)).ID
	}
	slow, err := h.store.Pool().Begin(t.Context())
	check(t, err)
	defer func() { _ = slow.Rollback(t.Context()) }()
	_, err = slow.Exec(t.Context(), moves, "authentication", asked[0], "pending", "expired")
	check(t, err)
	must[authn.Authentication](t)(h.Cancel(t.Context(), made.Actor(), asked[1]))
	if got := h.once(t, made.Actor(), 10); len(got) != 0 {
		t.Errorf("before the slow one has ended: %q", got)
	}
	check(t, slow.Commit(t.Context()))
	want := []string{"authentication.expired " + string(asked[0]), "authentication.cancelled " + string(asked[1])}
	if got := h.feed(t, made.Actor(), 10, len(want)); !slices.Equal(got, want) {
		t.Errorf("after: %q, want %q", got, want)
	}
}

func TestACursorThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, after := range []lifecycle.EventID{"x", "EV-", "EV-00000000000G000000000001", "EV-00000000000a000000000001", "EV-+0000000000100000000001", "O-0000000000000000"} {
		_, _, err := h.Events(t.Context(), service, after, 10)
		wantKind(t, err, lifecycle.Invalid)
	}
}
