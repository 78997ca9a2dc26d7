package devenv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/internal/devenv"
)

// childFolder tells a copy of this test binary to start PostgreSQL in that
// folder and wait, for the test that kills it.
const childFolder = "SCEAU_DEVENV_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		postgres, err := devenv.StartPostgres(context.Background(), devenv.Options{Dir: dir, Fast: true})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(postgres.AdminDatabaseURL())
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	m.Run()
}

func options(t *testing.T) devenv.Options {
	t.Helper()
	return devenv.Options{Dir: filepath.Join(t.TempDir(), "env"), Fast: true, WithoutCardEngine: true}
}

func startPostgres(t *testing.T, o devenv.Options) *devenv.Postgres {
	t.Helper()
	postgres, err := devenv.StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := postgres.Remove(); err != nil {
			t.Error(err)
		}
	})
	return postgres
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestASecondStartFindsTheDataOfTheFirst(t *testing.T) {
	t.Parallel()
	o := options(t)
	env, err := devenv.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.Remove() })
	if err := env.CreateDatabase(t.Context(), "kept", ""); err != nil {
		t.Fatal(err)
	}
	exec1(t, env.DatabaseURL("kept"), "CREATE TABLE kept (n int)")
	vaultSet(t, env.Vault, "transit/keys/kept")
	if err := env.Stop(); err != nil {
		t.Fatal(err)
	}
	again, err := devenv.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Stop() })
	exec1(t, again.DatabaseURL("kept"), "INSERT INTO kept VALUES (1)")
	if got := vaultGet(t, again.Vault, "transit/keys/kept"); got != http.StatusOK {
		t.Errorf("the transit key of the first run: status %d", got)
	}
	for _, path := range []string{again.UnsealKey, again.RootTokenFile, again.AuditFile} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
	if err := again.Stop(); err != nil {
		t.Fatal(err)
	}
	o.FreshVault = true
	anew, err := devenv.StartVault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = anew.Stop() })
	if got := vaultGet(t, anew, "transit/keys/kept"); got != http.StatusNotFound {
		t.Errorf("a fresh Vault has the key of an earlier run: status %d", got)
	}
}

func vaultCall(t *testing.T, v *devenv.Vault, method, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, v.VaultAddr+"/v1/"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", v.VaultRootToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func vaultSet(t *testing.T, v *devenv.Vault, path string) {
	t.Helper()
	if got, _ := vaultCall(t, v, http.MethodPost, path); got >= http.StatusBadRequest {
		t.Fatalf("write %s: status %d", path, got)
	}
}

func vaultGet(t *testing.T, v *devenv.Vault, path string) int {
	t.Helper()
	status, _ := vaultCall(t, v, http.MethodGet, path)
	return status
}

func TestAKilledRunTakesItsServerWithItAndTheNextStarts(t *testing.T) {
	t.Parallel()
	o := options(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), childFolder+"="+o.Dir)
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "postgres://") {
		t.Fatalf("the child said %q, %v", line, err)
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the child ended with %v, want a kill", err)
	}
	postgres := startPostgres(t, o) // waits for the orphan, which the kernel has told to end
	exec1(t, postgres.AdminDatabaseURL(), "SELECT 1")
}

func TestAStalePidFileThatNamesALivingStrangerIsNoObstacle(t *testing.T) {
	t.Parallel()
	o := options(t)
	first := startPostgres(t, o)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	stale := fmt.Sprintf("%d\n", os.Getpid()) // lives, but is no PostgreSQL
	for _, path := range []string{"postgres/data/postmaster.pid", "postgres/.s.PGSQL.5432.lock"} {
		if err := os.WriteFile(filepath.Join(o.Dir, path), []byte(stale), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	postgres := startPostgres(t, o)
	exec1(t, postgres.AdminDatabaseURL(), "SELECT 1")
}

func TestAFolderThatTheServersUserCannotReachGetsALink(t *testing.T) {
	t.Parallel()
	o := options(t)
	private := filepath.Join(t.TempDir(), "private", strings.Repeat("long-", 20)) // too long for a socket, root or not
	if err := os.MkdirAll(private, 0o700); err != nil {
		t.Fatal(err)
	}
	o.Dir = filepath.Join(private, "env")
	postgres := startPostgres(t, o)
	target, err := os.Readlink(filepath.Join(o.Dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(target)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(target, "/var/tmp/") || info.Mode().Perm() != 0o700 {
		t.Errorf("the cluster is at %s with mode %o", target, info.Mode().Perm())
	}
	exec1(t, postgres.AdminDatabaseURL(), "CREATE DATABASE kept")
	if err := postgres.Stop(); err != nil {
		t.Fatal(err)
	}
	again := startPostgres(t, o)
	exec1(t, again.DatabaseURL("kept"), "SELECT 1")
}

func TestTheServerIsTheVersionThatItsBuildSays(t *testing.T) {
	t.Parallel()
	o := options(t)
	vault, err := devenv.StartVault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = vault.Stop() })
	root, err := devenv.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "sceau-vault"), "-version").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, body := vaultCall(t, vault, http.MethodGet, "sys/health")
	version := strings.TrimSpace(strings.TrimPrefix(string(said), "vault "))
	if !strings.Contains(body, `"version":"`+version+`"`) {
		t.Errorf("-version says %q, the server %s", version, body)
	}
}

func TestTwoEnvironmentsDoNotShareAFolder(t *testing.T) {
	t.Parallel()
	o := options(t)
	startPostgres(t, o)
	if _, err := devenv.StartPostgres(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is held") {
		t.Errorf("a second environment in the folder: %v", err)
	}
}

func TestAMissingBinaryNamesTheCommandThatMakesIt(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Root = t.TempDir()
	_, err := devenv.StartVault(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "make vault") {
		t.Errorf("error = %v, want one that names make vault", err)
	}
}

func TestTheSocketIsClosedToOthers(t *testing.T) {
	t.Parallel()
	o := options(t)
	startPostgres(t, o)
	info, err := os.Stat(filepath.Join(o.Dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder has mode %o", info.Mode().Perm())
	}
}

func TestACancelledStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	o := options(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := devenv.StartPostgres(ctx, o); err == nil {
		t.Fatal("a start within 50 ms is hardly possible")
	}
	startPostgres(t, o) // the lock is free and the half-made cluster no obstacle
}
