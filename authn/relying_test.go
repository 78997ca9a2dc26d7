package authn_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/store/db"
)

func TestAServiceHasAtMostTwoKeysAtATime(t *testing.T) {
	t.Parallel()
	h := setup(t)
	scopes := []authn.Scope{authn.ScopeVerifyCAP}
	first, _ := newKey(t, h, scopes...)
	results := make([]error, 4)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { _, _, results[i] = h.AddAPIKey(t.Context(), officer, first.Service, scopes, "", time.Hour) })
	}
	all.Wait()
	made := 0
	for _, err := range results {
		if err == nil {
			made++
		} else {
			wantKind(t, err, lifecycle.Conflict)
		}
	}
	if made != 1 {
		t.Errorf("%d of four second keys were made, want one", made)
	}
	check(t, h.EndAPIKey(t.Context(), officer, first.ID))
	third, _, err := h.AddAPIKey(t.Context(), officer, first.Service, scopes, "", time.Hour)
	check(t, err)
	if third.Service != first.Service || third.Name != first.Name || third.Actor() != first.Actor() {
		t.Errorf("the third key is %+v, want one of %+v", third, first)
	}
	_, _, err = h.AddAPIKey(t.Context(), officer, "SV-0000000000000099", scopes, "", time.Hour)
	wantKind(t, err, lifecycle.NotFound)
}

func TestAKeyIsRotatedWithoutAMomentInWhichNoneIsGood(t *testing.T) {
	t.Parallel()
	h := setup(t)
	old, text := newKey(t, h, authn.ScopeVerifyCAP, authn.ScopeOperate)
	made, secret, err := h.RotateAPIKey(t.Context(), officer, old.ID, 24*time.Hour, time.Hour)
	check(t, err)
	if made.Service != old.Service || !slices.Equal(made.Scopes, old.Scopes) || made.ID == old.ID {
		t.Errorf("the new key is %+v, the old one %+v", made, old)
	}
	for _, at := range []time.Duration{0, time.Hour - time.Second, time.Hour} { // in this order: it ends past the overlap
		h.clock.set(today.Add(at))
		if _, err := h.CheckAPIKey(t.Context(), text); (err == nil) != (at < time.Hour) {
			t.Errorf("the old key after %s: %v", at, err)
		}
		if _, err := h.CheckAPIKey(t.Context(), secret.Reveal()); err != nil {
			t.Errorf("the new key after %s: %v", at, err)
		}
	}
	_, _, err = h.RotateAPIKey(t.Context(), officer, old.ID, time.Hour, 0)
	wantKind(t, err, lifecycle.Conflict)
	// Without an overlap a service that has two keys can rotate too.
	_, _, err = h.AddAPIKey(t.Context(), officer, old.Service, old.Scopes, "", time.Hour)
	check(t, err)
	_, _, err = h.RotateAPIKey(t.Context(), officer, made.ID, time.Hour, time.Minute)
	wantKind(t, err, lifecycle.Conflict)
	if _, err := h.CheckAPIKey(t.Context(), secret.Reveal()); err != nil {
		t.Errorf("the key whose rotation was refused: %v", err)
	}
	_, _, err = h.RotateAPIKey(t.Context(), officer, made.ID, time.Hour, 0)
	check(t, err)
	if _, err := h.CheckAPIKey(t.Context(), secret.Reveal()); !errors.Is(err, authn.ErrBadKey) {
		t.Errorf("the key that was rotated out: %v", err)
	}
}

func TestAServiceThatEndedOpensNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	key, text := newKey(t, h, authn.ScopeVerifyCAP)
	check(t, h.EndService(t.Context(), officer, key.Service))
	if _, err := h.CheckAPIKey(t.Context(), text); !errors.Is(err, authn.ErrBadKey) {
		t.Errorf("a key of it: %v", err)
	}
	_, _, err := h.AddAPIKey(t.Context(), officer, key.Service, key.Scopes, "", time.Hour)
	wantKind(t, err, lifecycle.Conflict)
	wantKind(t, h.EndService(t.Context(), officer, key.Service), lifecycle.Conflict)
	wantKind(t, h.EndService(t.Context(), lifecycle.Actor{ID: "x", Role: lifecycle.RoleOperator}, key.Service), lifecycle.Forbidden)
	if all := must[[]authn.RelyingService](t)(h.RelyingServices(t.Context(), false)); len(all) != 0 {
		t.Errorf("listed: %+v", all)
	}
	if all := must[[]authn.RelyingService](t)(h.RelyingServices(t.Context(), true)); len(all) != 1 || all[0].Ended.IsZero() || len(all[0].Keys) != 1 {
		t.Errorf("listed with what has ended: %+v", all)
	}
}

func TestTheLastUseOfAKeyIsKnownToTheMinute(t *testing.T) {
	t.Parallel()
	h := setup(t)
	_, text := newKey(t, h, authn.ScopeVerifyCAP)
	for _, step := range []struct{ at, used time.Duration }{{0, 0}, {30 * time.Second, 0}, {61 * time.Second, 61 * time.Second}} {
		h.clock.set(today.Add(step.at))
		_, err := h.CheckAPIKey(t.Context(), text)
		check(t, err)
		all := must[[]authn.RelyingService](t)(h.RelyingServices(t.Context(), false))
		if used := all[0].Keys[0].LastUsed; !used.Equal(today.Add(step.used)) {
			t.Errorf("used at %s, known as %s", step.at, used)
		}
	}
}

func (h *house) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := h.store.Pool().Exec(t.Context(), statement, args...)
	check(t, err)
}

// systemCertificate is on record as active.
func (h *house) systemCertificate(t *testing.T, der []byte) lifecycle.CertificateID {
	t.Helper()
	id := lifecycle.CertificateID(lifecycle.NewID(lifecycle.PrefixCertificate, today, 7))
	h.exec(t, "BEGIN; SET LOCAL session_replication_role = replica; "+ // it has no order
		"INSERT INTO certificate (id, order_id, holder_id, state, profile, der, not_before, not_after, created_at, updated_at) "+
		"SELECT '"+string(id)+"', 'O-1', id, 'active', 'service-client', '\\x"+hex.EncodeToString(der)+"', '2020-01-01', '2040-01-01', now(), now() FROM holder LIMIT 1; COMMIT")
	return id
}

func TestAServiceCallsByACertificateThatIsActive(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.user(t, userNumber)
	key, _ := newKey(t, h, authn.ScopeVerifyCAP)
	der := []byte("a certificate")
	id := h.systemCertificate(t, der)
	if _, err := h.CheckCallerCertificate(t.Context(), der); !errors.Is(err, authn.ErrBadKey) {
		t.Errorf("before it is bound: %v", err)
	}
	scopes := []authn.Scope{authn.ScopeAuthenticate}
	wantKind(t, h.BindCertificate(t.Context(), officer, key.Service, id, []authn.Scope{authn.ScopeResetPIN}), lifecycle.Invalid)
	wantKind(t, h.BindCertificate(t.Context(), lifecycle.Actor{ID: "x", Role: lifecycle.RoleOperator}, key.Service, id, scopes), lifecycle.Forbidden)
	check(t, h.BindCertificate(t.Context(), officer, key.Service, id, scopes))
	got, err := h.CheckCallerCertificate(t.Context(), der)
	check(t, err)
	if got.Actor() != key.Actor() || got.Credential() != string(id) || !got.Allows(authn.ScopeAuthenticate) || got.Allows(authn.ScopeVerifyCAP) {
		t.Errorf("the caller is %+v", got)
	}
	digest := sha256.Sum256(der)
	for name, change := range map[string][2]string{
		"held":    {"UPDATE certificate SET state = 'held' WHERE id = $1", "UPDATE certificate SET state = 'active' WHERE id = $1"},
		"past":    {"UPDATE certificate SET not_after = '2021-01-01' WHERE id = $1", "UPDATE certificate SET not_after = '2040-01-01' WHERE id = $1"},
		"stopped": {"INSERT INTO emergency_stop (id, company_id, state, reason, made_by, made_at, updated_at) SELECT 'ES-1', h.company_id, 'active', 'fraud', 'x', now(), now() FROM holder h, certificate c WHERE h.id = c.holder_id AND c.id = $1", "UPDATE emergency_stop SET state = 'lifted' WHERE $1 <> ''"},
	} {
		h.exec(t, change[0], id)
		if _, err := h.CheckCallerCertificate(t.Context(), der); !errors.Is(err, authn.ErrBadKey) {
			t.Errorf("%s: %v", name, err)
		}
		h.exec(t, change[1], id)
		if _, err := h.CheckCallerCertificate(t.Context(), der); err != nil {
			t.Errorf("no longer %s: %v", name, err)
		}
	}
	if _, err := h.CheckCallerCertificate(t.Context(), digest[:]); !errors.Is(err, authn.ErrBadKey) {
		t.Errorf("the digest in its place: %v", err)
	}
	check(t, h.UnbindCertificate(t.Context(), officer, key.Service, id))
	if _, err := h.CheckCallerCertificate(t.Context(), der); !errors.Is(err, authn.ErrBadKey) {
		t.Errorf("unbound: %v", err)
	}
	entries := must[[]db.AuditEntry](t)(h.store.AuditOf(t.Context(), string(key.Service)))
	if len(entries) != 3 || entries[1].Event != "bind_certificate" || entries[2].Event != "unbind_certificate" {
		t.Errorf("the trail is %+v", entries)
	}
}
