package hsm_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sceau/hsm"
	"sceau/hsm/keyblock"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

// strip takes a Vault back to what a fresh one has.
func strip(t *testing.T, vault testenv.VaultServer) {
	t.Helper()
	for _, path := range []string{
		"sys/audit/file", "sys/mounts/hsm", "sys/mounts/transit", "sys/mounts/transit-root", "sys/auth/approle", "sys/plugins/catalog/secret/sceau-hsm",
	} {
		if status, text := vaultCall(t, vault, vault.RootToken, http.MethodDelete, path, ""); status >= http.StatusBadRequest {
			t.Fatalf("delete %s: %d %s", path, status, text)
		}
	}
}

func TestSettingUpMakesWhatIsMissingAndASecondTimeNothing(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	plugins, err := filepath.Glob(filepath.Join(vault.Folder(), "plugins", "sceau-hsm-*"))
	if err != nil || len(plugins) != 1 {
		t.Fatalf("the server's plugin: %v, %v", plugins, err)
	}
	strip(t, vault)
	admin := open(t, vault)
	var said []string
	setup := hsm.Setup{Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}
	warnings, err := admin.SetUp(t.Context(), setup)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 2 || !strings.HasPrefix(warnings[0], "NO AUDIT DEVICE IS ON") || !strings.Contains(warnings[1], "no card engine") {
		t.Errorf("warnings of a bare Vault: %q", warnings)
	}
	vaultWrite(t, vault, "sys/audit/file", `{"type":"file","options":{"file_path":"`+vault.AuditFile+`"}}`)
	setup.Plugin = plugins[0]
	if warnings, err = admin.SetUp(t.Context(), setup); err != nil || len(warnings) != 0 {
		t.Fatalf("with plugin and audit device: %q, %v", warnings, err)
	}
	for _, want := range []string{"method approle: on", "mount transit: made", "mount transit-root: made", "mount hsm: made", "key safe: made"} {
		if !slices.Contains(said, want) {
			t.Errorf("nobody said %q: %q", want, said)
		}
	}
	said = nil
	if warnings, err = admin.SetUp(t.Context(), setup); err != nil || len(warnings) != 0 {
		t.Fatalf("a third time: %q, %v", warnings, err)
	}
	if want := []string{"policies and roles: written"}; !slices.Equal(said, want) {
		t.Errorf("the third time did %q", said)
	}
	if _, err := as(t, vault, hsm.RoleCeremony).CreateKey(t.Context(), "imk-ac", hsm.UsageIMKAC, ""); err != nil {
		t.Errorf("the engine that was set up: %v", err)
	}
}

func TestAPluginOfAnotherSumIsRefusedByVault(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	plugins, err := filepath.Glob(filepath.Join(vault.Folder(), "plugins", "sceau-hsm-*"))
	if err != nil || len(plugins) != 1 {
		t.Fatalf("the server's plugin: %v, %v", plugins, err)
	}
	strip(t, vault)
	other := filepath.Join(t.TempDir(), filepath.Base(plugins[0])) // the server's has the same name
	if err := os.WriteFile(other, []byte("another program"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, vault).SetUp(t.Context(), hsm.Setup{Plugin: other, Say: func(string, ...any) {}})
	if err == nil || !strings.Contains(err.Error(), "plugin folder") {
		t.Errorf("a plugin of another sum: %v", err)
	}
	if status, _ := vaultCall(t, vault, vault.RootToken, http.MethodGet, "sys/mounts/hsm/tune", ""); status < http.StatusBadRequest {
		t.Error("it is mounted all the same")
	}
}

func TestTwoTokensForOneNameAreOnePerson(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	part := hsm.KeyComponent{
		Key: "transport", Usage: hsm.UsageTransport, Index: 1, Total: 2, Environment: "live",
		Component: "1C587FD3EA6B923E45B0C7921A6DF854", KCV: "",
	}
	part.KCV = kcvOf(t, part.Component)
	if _, _, err := custodian(t, vault, admin, "Mme Aubépin").EnterComponent(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	part.Index, part.Component = 2, "2A5E43B6C89D107F6EA4D9327C15FB80"
	part.KCV = kcvOf(t, part.Component)
	_, _, err := custodian(t, vault, admin, "MME  AUBÉPIN").EnterComponent(t.Context(), part)
	wantKind(t, err, lifecycle.Forbidden)
	if complete, _, err := custodian(t, vault, admin, "M. Rocheclaire").EnterComponent(t.Context(), part); err != nil || !complete {
		t.Errorf("the second person: complete %t, %v", complete, err)
	}
	_, err = admin.NewToken(t.Context(), hsm.RoleCeremony, " . ")
	wantKind(t, err, lifecycle.Invalid)
}

func TestARevokedTokenIsProvedToBeRefused(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	root := as(t, vault, hsm.RoleRootCeremony)
	if err := root.RootKeystore().CreateSigningKey(t.Context(), "root-1", hsm.P256); err != nil {
		t.Fatal(err)
	}
	if err := root.RevokeSelf(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := root.RootKeystore().SigningKey(t.Context(), "root-1", 0)
	wantKind(t, err, lifecycle.Forbidden)
}

func kcvOf(t *testing.T, component string) string {
	t.Helper()
	raw, err := hex.DecodeString(component)
	if err != nil {
		t.Fatal(err)
	}
	kcv, err := keyblock.CheckValueTDES(raw)
	if err != nil {
		t.Fatal(err)
	}
	return kcv
}
