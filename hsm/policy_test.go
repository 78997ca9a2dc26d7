package hsm_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

// vaultCall calls Vault past the client under test and gives status and body.
func vaultCall(t *testing.T, vault testenv.VaultServer, token, method, path, body string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, vault.Addr+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, text
}

func vaultWrite(t *testing.T, vault testenv.VaultServer, path, body string) {
	t.Helper()
	if status, text := vaultCall(t, vault, vault.RootToken, http.MethodPost, path, body); status >= http.StatusBadRequest {
		t.Fatalf("write %s: %d %s", path, status, text)
	}
}

func TestARoleIsRefusedOverTheWire(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateSigningKey(t.Context(), "issuing-wire", hsm.P256); err != nil {
		t.Fatal(err)
	}
	worker, responder := as(t, vault, hsm.RoleWorker), as(t, vault, hsm.RoleOCSP)
	key, err := worker.SigningKey(t.Context(), "issuing-wire", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sign(t, key, "a certificate"); err != nil {
		t.Errorf("the worker signs: %v", err)
	}
	_, err = worker.ReleasePIN(t.Context(), hsm.PINRelease{Card: "C-1", PINVersion: 1, Letter: "P-1"})
	wantKind(t, err, lifecycle.Forbidden)
	wantKind(t, worker.CreateSigningKey(t.Context(), "issuing-mine", hsm.P256), lifecycle.Forbidden)
	_, err = responder.SigningKey(t.Context(), "issuing-wire", 0)
	wantKind(t, err, lifecycle.Forbidden)
	wantKind(t, responder.ApplyPolicies(t.Context()), lifecycle.Forbidden)
}

func TestACeremonyMakesNoKeyThatCanBeExported(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, err := admin.NewToken(t.Context(), hsm.RoleCeremony, "custodian 1")
	if err != nil {
		t.Fatal(err)
	}
	custodian := openWith(t, hsm.Config{Address: vault.Addr, Token: token})
	if err := custodian.CreateSigningKey(t.Context(), "issuing-made", hsm.P256); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"type":"ecdsa-p256","exportable":true}`, `{"type":"ecdsa-p256","allow_plaintext_backup":true}`} {
		if status, _ := vaultCall(t, vault, token, http.MethodPost, "transit/keys/issuing-odd", body); status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", body, status)
		}
	}
	wantKind(t, custodian.RootKeystore().CreateSigningKey(t.Context(), "root-x", hsm.P256), lifecycle.Forbidden)
}
