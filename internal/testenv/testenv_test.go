package testenv_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sceau/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.WithoutCardEngine(), testenv.WithMigrations(func(ctx context.Context, url string) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, "CREATE TABLE migrated (n int)")
		return err
	}))
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func TestEveryTestHasAMigratedDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"the first test", "the second test", "the third test"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := connect(t, testenv.Database(t))
			var rows int
			err := conn.QueryRow(t.Context(), "INSERT INTO migrated SELECT 1 RETURNING (SELECT count(*) FROM migrated)").Scan(&rows)
			if err != nil {
				t.Fatal(err)
			}
			if rows != 0 {
				t.Errorf("found %d rows of another test", rows)
			}
		})
	}
}

func TestADatabaseCanBeOpenedAsAnotherRole(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if _, err := connect(t, url).Exec(t.Context(), "CREATE ROLE testenv_reader LOGIN"); err != nil {
		t.Fatal(err)
	}
	reader := connect(t, testenv.DatabaseAs(t, url, "testenv_reader"))
	if _, err := reader.Exec(t.Context(), "INSERT INTO migrated VALUES (1)"); err == nil {
		t.Error("a role without rights wrote")
	}
}

func health(t *testing.T, address string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/sys/health", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func TestVaultIsOneForTheBinaryAndServes(t *testing.T) {
	t.Parallel()
	first, second := testenv.Vault(t), testenv.Vault(t)
	if first.Addr != second.Addr {
		t.Errorf("two Vaults, %s and %s", first.Addr, second.Addr)
	}
	if got := health(t, first.Addr); got != http.StatusOK {
		t.Errorf("health = %d, want 200", got)
	}
	info, err := os.Stat(first.AuditFile)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the audit file has mode %o", info.Mode().Perm())
	}
}

func TestAnOwnVaultCanBeSealedOpenedAndStopped(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	vault.Seal()
	if got := health(t, vault.Addr); got != http.StatusServiceUnavailable {
		t.Errorf("sealed: health = %d, want 503", got)
	}
	vault.Unseal()
	if got := health(t, vault.Addr); got != http.StatusOK {
		t.Errorf("unsealed: health = %d, want 200", got)
	}
	vault.Stop()
	if got := health(t, vault.Addr); got != 0 {
		t.Errorf("stopped: health = %d, want no answer", got)
	}
}

func TestTheAuditFileHoldsNoTokenInClear(t *testing.T) {
	t.Parallel()
	vault := testenv.Vault(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, vault.Addr+"/v1/sys/mounts", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", vault.RootToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var mounts map[string]json.RawMessage
	if err := json.NewDecoder(response.Body).Decode(&mounts); err != nil {
		t.Fatal(err)
	}
	for _, mount := range []string{"transit/", "transit-root/"} {
		if mounts[mount] == nil {
			t.Errorf("%s is not mounted", mount)
		}
	}
	log, err := os.ReadFile(vault.AuditFile)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "sys/mounts") || strings.Contains(string(log), vault.RootToken) {
		t.Error("the audit file misses the request or shows the token")
	}
}
