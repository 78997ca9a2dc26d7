package hsm_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
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

// rights are what each role has, in Vault's words, and no more. Below a key the
// worker's glob lets it read, where there is nothing to read.
var rights = map[string]map[hsm.Role]string{
	"hsm/card/personalise":                   {hsm.RoleWorker: "update"},
	"hsm/pin/letter":                         {hsm.RolePINLetter: "update"},
	"hsm/pin/close":                          {hsm.RolePINLetter: "update"},
	"hsm/pin/destroy":                        {hsm.RolePINLetter: "update", hsm.RoleWorker: "update"},
	"hsm/cap/verify":                         {hsm.RoleAPI: "update"},
	"hsm/script/pin-unblock":                 {hsm.RoleAPI: "update"},
	"hsm/keys/imk-ac":                        {hsm.RoleCeremony: "update read"},
	"hsm/keys/imk-ac/components":             {hsm.RoleCeremony: "update"},
	"hsm/keys/transport/export":              {hsm.RoleCeremony: "update"},
	"hsm/profiles/securaccess":               {hsm.RoleCeremony: "update read"},
	"transit/keys/issuing-a":                 {hsm.RoleCeremony: "update read", hsm.RoleWorker: "read"},
	"transit/keys/ocsp-a":                    {hsm.RoleCeremony: "update read", hsm.RoleWorker: "read", hsm.RoleOCSP: "read"},
	"transit/sign/issuing-a":                 {hsm.RoleCeremony: "update", hsm.RoleWorker: "update"},
	"transit/sign/ocsp-a":                    {hsm.RoleWorker: "update", hsm.RoleOCSP: "update"},
	"transit/sign/bureau-a":                  {hsm.RoleWorker: "update"},
	"transit/keys/issuing-a/config":          {hsm.RoleWorker: "read"},
	"transit/keys/issuing-a/rotate":          {hsm.RoleWorker: "read"},
	"transit/keys/issuing-a/trim":            {hsm.RoleWorker: "read"},
	"transit/export/signing-key/issuing-a":   {},
	"transit/backup/issuing-a":               {},
	"transit/restore":                        {},
	"transit-root/keys/root-a":               {hsm.RoleRootCeremony: "update read"},
	"transit-root/keys/root-a/config":        {},
	"transit-root/sign/root-a":               {hsm.RoleRootCeremony: "update"},
	"transit-root/export/signing-key/root-a": {},
	"sys/mounts/other":                       {},
	"sys/policies/acl/sceau-worker":          {},
	"sys/plugins/catalog/secret/sceau-hsm":   {},
	"sys/audit/file":                         {},
	"sys/seal":                               {},
	"sys/audit-hash/file":                    {}, // it would tell a PIN from its hash by trying
	"auth/token/create":                      {},
	"auth/approle/role/sceau-pin-letter":     {},
	"cubbyhole/x":                            {},
}

func TestEachRoleMayDoWhatItMustAndNothingElse(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatalf("a second time: %v", err)
	}
	var paths []string
	for path := range rights {
		paths = append(paths, path)
	}
	for _, role := range hsm.Roles() {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			token, err := admin.NewToken(t.Context(), role, "test")
			if err != nil {
				t.Fatal(err)
			}
			body, err := json.Marshal(map[string][]string{"paths": paths})
			if err != nil {
				t.Fatal(err)
			}
			status, text := vaultCall(t, vault, token, http.MethodPost, "sys/capabilities-self", string(body))
			if status != http.StatusOK {
				t.Fatalf("%d %s", status, text)
			}
			var envelope struct{ Data map[string]json.RawMessage }
			if err := json.Unmarshal(text, &envelope); err != nil {
				t.Fatal(err)
			}
			for path, want := range rights {
				var got []string
				if err := json.Unmarshal(envelope.Data[path], &got); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				got = slices.DeleteFunc(got, func(c string) bool { return c == "deny" || c == "create" })
				slices.Sort(got)
				wanted := strings.Fields(want[role])
				slices.Sort(wanted)
				if !slices.Equal(got, wanted) {
					t.Errorf("%s: may %v, must %v", path, got, wanted)
				}
			}
		})
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
