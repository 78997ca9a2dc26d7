package authn_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/store/db"
)

var officer = lifecycle.Actor{ID: "olivia", Role: lifecycle.RoleSecurityOfficer}

func newKey(t *testing.T, h *house, scopes ...authn.Scope) (authn.APIKey, string) {
	t.Helper()
	key, secret, err := h.NewAPIKey(t.Context(), officer, "online banking", scopes, "", 24*time.Hour)
	check(t, err)
	return key, secret.Reveal()
}

func TestAKeyOpensWhatItsScopesSayUntilItEnds(t *testing.T) {
	t.Parallel()
	h := setup(t)
	made, text := newKey(t, h, authn.ScopeVerifyCAP, authn.ScopeBlockCards)
	if !strings.HasPrefix(text, "sceau_live_") || len(text) < 48 {
		t.Errorf("the key has the form %.10s… and %d characters", text, len(text))
	}
	key, err := h.CheckAPIKey(t.Context(), text)
	check(t, err)
	if key.ID != made.ID || key.Name != "online banking" || !key.Expires.Equal(today.Add(24*time.Hour)) || !slices.Equal(key.Scopes, made.Scopes) {
		t.Errorf("found %+v, made %+v", key, made)
	}
	if want := (lifecycle.Actor{ID: string(made.Service), Role: lifecycle.RoleRelyingService}); key.Actor() != want || key.Credential() != string(made.ID) {
		t.Errorf("it acts as %v, want %v", key.Actor(), want)
	}
	for _, scope := range authn.Scopes() {
		if want := scope == authn.ScopeVerifyCAP || scope == authn.ScopeBlockCards; key.Allows(scope) != want {
			t.Errorf("scope %s: allowed = %v", scope, !want)
		}
	}
	h.clock.set(today.Add(24*time.Hour - time.Second))
	if _, err := h.CheckAPIKey(t.Context(), text); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	h.clock.set(today.Add(24 * time.Hour))
	if _, err := h.CheckAPIKey(t.Context(), text); !errors.Is(err, authn.ErrBadKey) {
		t.Errorf("past its end: %v", err)
	}
}

func TestAnythingButAKeyIsRefusedAlike(t *testing.T) {
	t.Parallel()
	h := setup(t)
	_, text := newKey(t, h, authn.ScopeReadOrders)
	digest := sha256.Sum256([]byte(text))
	for name, presented := range map[string]string{
		"nothing":                  "",
		"the prefix alone":         "sceau_",
		"another house's key":      "other_" + strings.TrimPrefix(text, "sceau_live_"),
		"a truncated key":          text[:len(text)-1],
		"a longer key":             text + "A",
		"another key":              "sceau_live_" + strings.Repeat("A", 43),
		"a key in other case":      strings.ToUpper(text),
		"a key with a space":       text + " ",
		"the hash that is kept":    fmt.Sprintf("sceau_live_%x", digest),
		"a very long one":          "sceau_" + strings.Repeat("A", 1<<16),
		"the key behind a NUL":     text + "\x00",
		"bytes that are no letter": "sceau_\xff\xfe",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := h.CheckAPIKey(t.Context(), presented)
			if key.ID != "" || err == nil || err.Error() != authn.ErrBadKey.Error() {
				t.Errorf("answered %v, %v; want %v", key.ID, err, authn.ErrBadKey)
			}
			wantKind(t, err, lifecycle.Forbidden)
		})
	}
}

func TestOnlyTheHashOfAKeyIsKept(t *testing.T) {
	t.Parallel()
	h := setup(t)
	made, text := newKey(t, h, authn.ScopeReadOrders)
	digest := sha256.Sum256([]byte(text))
	row, err := h.store.APIKeyByHash(t.Context(), digest[:])
	check(t, err)
	if row.ID != made.ID || !bytes.Equal(row.SHA256, digest[:]) {
		t.Errorf("the row is %+v", row)
	}
	rows, err := h.store.Pool().Query(t.Context(), "SELECT k::text FROM api_key k UNION ALL SELECT a::text FROM audit_entry a")
	check(t, err)
	kept, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	if len(kept) != 3 {
		t.Errorf("%d rows, want the key's and the audit entries of it and its service", len(kept))
	}
	for _, r := range kept {
		if strings.Contains(r, text[11:25]) {
			t.Errorf("a row shows the key: %s", r)
		}
	}
	entries := must[[]db.AuditEntry](t)(h.store.AuditOf(t.Context(), string(made.ID)))
	if len(entries) != 1 || entries[0].Actor != officer.ID || entries[0].Thing != "API key" {
		t.Errorf("the trail is %+v", entries)
	}
}

func TestEachKeyIsAnother(t *testing.T) {
	t.Parallel()
	h := setup(t)
	seen := map[string]bool{}
	for range 16 {
		key, text := newKey(t, h, authn.ScopeReadOrders)
		if seen[text] || seen[string(key.ID)] {
			t.Fatal("a key came twice")
		}
		seen[text], seen[string(key.ID)] = true, true
	}
}

func TestAKeyHidesItself(t *testing.T) {
	t.Parallel()
	h := setup(t)
	_, secret, err := h.NewAPIKey(t.Context(), officer, "payment hub", []authn.Scope{authn.ScopeVerifyCAP}, "", time.Hour)
	check(t, err)
	type holder struct{ Key authn.Secret }
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown[verb] = fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, holder{secret}) + fmt.Sprintf(verb, &holder{secret})
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"log in JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"log in text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).InfoContext(t.Context(), "made", slog.Any("key", secret), slog.Any("in", holder{secret}))
		shown[name] = out.String()
	}
	if text, err := json.Marshal(holder{secret}); err == nil {
		t.Errorf("it has a JSON form: %s", text)
	}
	hex := fmt.Sprintf("%x", secret.Reveal()[11:25])
	for name, text := range shown {
		if strings.Contains(text, secret.Reveal()[11:25]) || strings.Contains(text, hex) {
			t.Errorf("%s shows it", name)
		}
	}
}

func TestEveryWrongFieldOfANewKeyIsNamed(t *testing.T) {
	t.Parallel()
	h := setup(t)
	good := []authn.Scope{authn.ScopeVerifyCAP}
	for _, test := range []struct {
		name, key string
		scopes    []authn.Scope
		life      time.Duration
		want      string
	}{
		{"no name", "", good, time.Hour, "name"},
		{"a long name", strings.Repeat("n", 65), good, time.Hour, "name"},
		{"no scope", "hub", nil, time.Hour, "scopes"},
		{"an unknown scope", "hub", []authn.Scope{authn.ScopeVerifyCAP, "everything"}, time.Hour, "scopes"},
		{"no life", "hub", good, 0, "life"},
		{"three years", "hub", good, 3 * 365 * 24 * time.Hour, "life"},
		{"a terminal of no branch", "desk", []authn.Scope{authn.ScopeResetPIN}, time.Hour, "branch"},
		{"nothing at all", "", nil, -1, "name scopes life"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, secret, err := h.NewAPIKey(t.Context(), officer, test.key, test.scopes, "", test.life)
			wantKind(t, err, lifecycle.Invalid)
			if fields := wrongFields(t, err); fields != test.want || secret.Reveal() != "" {
				t.Errorf("wrong fields %q, want %q", fields, test.want)
			}
		})
	}
}

// Before, a key that leaked opened the door until its end, two years at most.
func TestAKeyThatIsEndedOpensNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	key, text := newKey(t, h, authn.ScopeVerifyCAP)
	_, other := newKey(t, h, authn.ScopeVerifyCAP)
	check(t, h.EndAPIKey(t.Context(), officer, key.ID))
	if _, err := h.CheckAPIKey(t.Context(), text); !errors.Is(err, authn.ErrBadKey) {
		t.Errorf("the ended key: %v", err)
	}
	if _, err := h.CheckAPIKey(t.Context(), other); err != nil {
		t.Errorf("another key: %v", err)
	}
	wantKind(t, h.EndAPIKey(t.Context(), officer, key.ID), lifecycle.NotFound)
	wantKind(t, h.EndAPIKey(t.Context(), officer, "K-0000000000000099"), lifecycle.NotFound)
	entries := must[[]db.AuditEntry](t)(h.store.AuditOf(t.Context(), string(key.ID)))
	if len(entries) != 2 || entries[1].Event != "revoke" || entries[1].Actor != officer.ID || entries[1].ToState != "ended" {
		t.Errorf("the trail is %+v", entries)
	}
}

func TestOnlyASecurityOfficerMakesAndEndsKeys(t *testing.T) {
	t.Parallel()
	h := setup(t)
	key, _ := newKey(t, h, authn.ScopeVerifyCAP)
	for _, role := range append(lifecycle.StaffRoles(), lifecycle.RoleSystem, lifecycle.RoleHolder, lifecycle.RoleRelyingService) {
		if role == lifecycle.RoleSecurityOfficer {
			continue
		}
		by := lifecycle.Actor{ID: "x", Role: role}
		_, _, err := h.NewAPIKey(t.Context(), by, "mine", authn.Scopes(), "", time.Hour)
		wantKind(t, err, lifecycle.Forbidden)
		wantKind(t, h.EndAPIKey(t.Context(), by, key.ID), lifecycle.Forbidden)
	}
}
