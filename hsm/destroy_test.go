package hsm_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

func TestKeysAreDestroyedByATokenThatMayDoNothingElse(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"issuing-1", "ocsp-1", "issuing-2"} {
		if err := admin.CreateSigningKey(t.Context(), name, hsm.P256); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := admin.KeyDestroyer(t.Context(), "maxence", "issuing-1", "safe"); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("for a key of no CA: %v", err)
	}
	d, err := admin.KeyDestroyer(t.Context(), "maxence", "issuing-1", "issuing-1", "ocsp-1")
	if err != nil {
		t.Fatal(err)
	}
	const policy = "sceau-key-destruction-issuing-1"
	status, text := vaultCall(t, vault, vault.RootToken, http.MethodPost, "auth/token/create", fmt.Sprintf(`{"policies":[%q],"no_default_policy":true}`, policy))
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := json.Unmarshal(text, &made); err != nil || status != http.StatusOK || made.Auth.ClientToken == "" {
		t.Fatalf("a token of the policy: %d %v", status, err)
	}
	for _, tc := range [][3]string{
		{http.MethodPost, "transit/keys/issuing-1/config", `{"exportable":true}`},
		{http.MethodPost, "transit/keys/issuing-1/config", `{"deletion_allowed":true,"exportable":true}`},
		{http.MethodPost, "transit/keys/issuing-1/rotate", `{}`},
		{http.MethodPost, "transit/sign/issuing-1", `{"input":"aGFsbG8="}`},
		{http.MethodPost, "transit/keys/issuing-2/config", `{"deletion_allowed":true}`},
		{http.MethodDelete, "transit/keys/issuing-2", ""},
		{http.MethodGet, "transit/keys/issuing-2", ""},
		{http.MethodPost, "transit/keys/safe/config", `{"deletion_allowed":true}`},
		{http.MethodGet, "transit/export/signing-key/issuing-1", ""},
	} {
		if status, text := vaultCall(t, vault, made.Auth.ClientToken, tc[0], tc[1], tc[2]); status != http.StatusForbidden {
			t.Errorf("%s %s %s: %d %s", tc[0], tc[1], tc[2], status, text)
		}
	}
	if err := d.Destroy(t.Context(), "issuing-2"); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("another CA's key: %v", err)
	}
	for range 2 { // the second time it is gone
		if err := d.Destroy(t.Context(), "issuing-1"); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]error{"issuing-1": lifecycle.NotFound, "ocsp-1": nil, "issuing-2": nil} {
		if _, err := admin.SigningKey(t.Context(), name, 0); !errors.Is(err, want) {
			t.Errorf("key %s: %v", name, err)
		}
	}
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Destroy(t.Context(), "ocsp-1"); !errors.Is(err, lifecycle.Forbidden) {
		t.Errorf("after its end: %v", err)
	}
	if status, text := vaultCall(t, vault, vault.RootToken, http.MethodGet, "sys/policies/acl/"+policy, ""); status != http.StatusNotFound {
		t.Errorf("the policy is left: %d %s", status, text)
	}
}
