package devenv_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/internal/devenv"
)

// rootWithEngine is a folder whose bin has the built server and a copy of the
// built engine, which the test may change.
func rootWithEngine(t *testing.T) (root, engine string) {
	t.Helper()
	built, err := devenv.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	if err := os.Symlink(filepath.Join(built, "bin"), filepath.Join(root, "built")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../built/sceau-vault", filepath.Join(root, "bin", "sceau-vault")); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(built, "bin", "sceau-hsm"))
	if err != nil {
		t.Fatalf("run `make build` first: %v", err)
	}
	engine = filepath.Join(root, "bin", "sceau-hsm")
	if err := os.WriteFile(engine, program, 0o700); err != nil {
		t.Fatal(err)
	}
	return root, engine
}

func engineSum(t *testing.T, v *devenv.Vault) string {
	t.Helper()
	status, body := vaultCall(t, v, http.MethodGet, "sys/plugins/catalog/secret/sceau-hsm")
	if status != http.StatusOK {
		t.Fatalf("the catalogue answers %d %s", status, body)
	}
	return body
}

func TestANewBuildOfTheCardEngineReplacesTheMountedOne(t *testing.T) {
	t.Parallel()
	root, engine := rootWithEngine(t)
	o := devenv.Options{Dir: filepath.Join(t.TempDir(), "env"), Root: root, Fast: true}
	first, err := devenv.StartVault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Stop() })
	before := engineSum(t, first)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(engine, os.O_APPEND|os.O_WRONLY, 0) // bytes after an ELF file's end change its sum only
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("another build"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := devenv.StartVault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Stop() })
	if engineSum(t, second) == before {
		t.Error("the catalogue still has the first build")
	}
	status, body := vaultCall(t, second, http.MethodGet, "sys/mounts")
	if status != http.StatusOK || !strings.Contains(body, `"hsm/"`) {
		t.Errorf("the engine is not mounted: %d %s", status, body)
	}
	if status, body := vaultCall(t, second, http.MethodGet, "hsm/profiles/securaccess"); status != http.StatusOK {
		t.Errorf("the engine answers %d %s", status, body)
	}
	copies, err := filepath.Glob(filepath.Join(o.Dir, "vault", "plugins", "*"))
	if err != nil || len(copies) != 1 {
		t.Errorf("engine copies: %v, %v", copies, err)
	}
}
