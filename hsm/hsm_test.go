package hsm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// open is a client with the root token.
func open(t *testing.T, vault testenv.VaultServer) *hsm.Client {
	t.Helper()
	return openWith(t, hsm.Config{Address: vault.Addr, Token: vault.RootToken})
}

func openWith(t *testing.T, config hsm.Config) *hsm.Client {
	t.Helper()
	client, err := hsm.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// as is a client in a role, signed in by AppRole.
func as(t *testing.T, vault testenv.VaultServer, role hsm.Role) *hsm.Client {
	t.Helper()
	if !slices.Contains(hsm.Services(), role) {
		token, err := open(t, vault).NewToken(t.Context(), role, string(role))
		if err != nil {
			t.Fatal(err)
		}
		return openWith(t, hsm.Config{Address: vault.Addr, Token: token})
	}
	files, err := open(t, vault).Credentials(t.Context(), role, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return openWith(t, hsm.Config{Address: vault.Addr, AppRole: files})
}

func wantKind(t *testing.T, err error, kind lifecycle.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error = %v, want one of kind %q", err, kind)
	}
}

func TestASealedVaultIsUnavailableAndServesAgainOnceOpened(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateSigningKey(t.Context(), "ocsp-sealed", hsm.P256); err != nil {
		t.Fatal(err)
	}
	files, err := admin.Credentials(t.Context(), hsm.RoleOCSP, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	responder := openWith(t, hsm.Config{Address: vault.Addr, AppRole: files})
	key, err := responder.SigningKey(t.Context(), "ocsp-sealed", 0)
	if err != nil {
		t.Fatal(err)
	}
	vault.Seal()
	_, err = responder.SigningKey(t.Context(), "ocsp-sealed", 0)
	wantKind(t, err, lifecycle.Unavailable)
	_, err = sign(t, key, "while sealed")
	wantKind(t, err, lifecycle.Unavailable)
	_, err = hsm.Open(t.Context(), hsm.Config{Address: vault.Addr, AppRole: files})
	wantKind(t, err, lifecycle.Unavailable)
	vault.Unseal()
	if _, err := sign(t, key, "after unseal"); err != nil {
		t.Errorf("after unseal: %v", err)
	}
	vault.Stop()
	_, err = sign(t, key, "while away")
	wantKind(t, err, lifecycle.Unavailable)
}

func TestACancelledCallIsNotTakenForAnOutage(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Vault(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.SigningKey(ctx, "issuing-x", 0)
	if !errors.Is(err, context.Canceled) || errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("error = %v, want a cancellation without a kind", err)
	}
}

func TestEachWayToSignInIsCheckedBeforeUse(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vault := testenv.Vault(t)
	for _, test := range []struct {
		name   string
		config hsm.Config
		kind   lifecycle.Kind
	}{
		{"no way at all", hsm.Config{}, lifecycle.Invalid},
		{"a token file that is missing", hsm.Config{TokenFile: empty + ".missing"}, lifecycle.Invalid},
		{"a token file that is empty", hsm.Config{TokenFile: empty}, lifecycle.Invalid},
		{"an AppRole without its secret", hsm.Config{AppRole: hsm.AppRole{RoleIDFile: empty, SecretIDFile: empty}}, lifecycle.Invalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.config.Address = vault.Addr
			_, err := hsm.Open(t.Context(), test.config)
			wantKind(t, err, test.kind)
		})
	}
}

func TestAnUnknownTokenIsForbidden(t *testing.T) {
	t.Parallel()
	client := openWith(t, hsm.Config{Address: testenv.Vault(t).Addr, Token: "hvs.wrong"})
	_, err := client.SigningKey(t.Context(), "issuing-x", 0)
	wantKind(t, err, lifecycle.Forbidden)
}

func TestAShortTokenIsRenewedForAsLongAsTheClientLives(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateSigningKey(t.Context(), "ocsp-renewed", hsm.P256); err != nil {
		t.Fatal(err)
	}
	files, err := admin.Credentials(t.Context(), hsm.RoleOCSP, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	vaultWrite(t, vault, "auth/approle/role/sceau-ocsp", `{"token_period":"2s"}`)
	client := openWith(t, hsm.Config{Address: vault.Addr, AppRole: files})
	time.Sleep(4 * time.Second) // two lives of the token
	if _, err := client.SigningKey(t.Context(), "ocsp-renewed", 0); err != nil {
		t.Errorf("after two lives of the token: %v", err)
	}
}

func TestCloseGivesTheTokenBackAndCanBeCalledTwice(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := as(t, vault, hsm.RoleOCSP)
	client.Close()
	client.Close()
	_, err := client.SigningKey(t.Context(), "ocsp-x", 0)
	wantKind(t, err, lifecycle.Forbidden)
}

func TestCredentialsAreFilesForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	if err := admin.ApplyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := admin.Credentials(t.Context(), hsm.RoleWorker, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{files.RoleIDFile, files.SecretIDFile} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(path), info.Mode().Perm())
		}
	}
	_, err = admin.Credentials(t.Context(), "nobody", t.TempDir())
	wantKind(t, err, lifecycle.Invalid)
	_, err = admin.NewToken(t.Context(), "nobody", "x")
	wantKind(t, err, lifecycle.Invalid)
}

func TestAKeyNameIsOnePlainSegment(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Vault(t))
	for _, name := range []string{"", "../sys/raw", "a/b", "A", "x?y", strings.Repeat("a", 65)} {
		_, err := client.SigningKey(t.Context(), name, 0)
		wantKind(t, err, lifecycle.Invalid)
		_, err = client.CreateKey(t.Context(), name, hsm.UsageKBPK, "")
		wantKind(t, err, lifecycle.Invalid)
	}
}
