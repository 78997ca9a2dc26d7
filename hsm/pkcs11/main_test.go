//go:build pkcs11

package pkcs11_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"sceau/hsm/pkcs11"
)

// modules are where Debian's softhsm2 puts its library.
const modules = "/usr/lib/*/softhsm/libsofthsm2.so"

const (
	pin   = "271828"
	soPIN = "314159"
)

// The tokens: SoftHSM looks for them once, when its library is loaded.
const (
	lasting = "Sceau lasting"
	fragile = "Sceau fragile"
	guarded = "Sceau guarded"
	shared  = "Sceau shared" // with another program
)

var (
	module  string
	folders = map[string]string{} // of each token's objects
)

// TestMain gives SoftHSM its tokens.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sceau-softhsm-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "SoftHSM:", err)
		return 1
	}
	return m.Run()
}

func prepare(dir string) error {
	found, err := filepath.Glob(modules)
	if err != nil || len(found) == 0 {
		return fmt.Errorf("no %s: `make deps` installs the package softhsm2", modules)
	}
	module = found[0]
	tokens, settings := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	err = errors.Join(os.Mkdir(tokens, 0o700), os.WriteFile(settings, []byte(text), 0o600), os.Setenv("SOFTHSM2_CONF", settings))
	if err != nil {
		return err
	}
	for _, label := range []string{lasting, fragile, guarded, shared} {
		out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", soPIN, "--pin", pin).CombinedOutput()
		if err != nil {
			return fmt.Errorf("softhsm2-util: %w: %s", err, out)
		}
		there, err := filepath.Glob(filepath.Join(tokens, "*"))
		if err != nil {
			return err
		}
		for _, folder := range there {
			if !slices.Contains(slices.Collect(maps.Values(folders)), folder) {
				folders[label] = folder
			}
		}
	}
	return nil
}

// token tells how to log in to a token, with a PIN file of its own.
func token(t *testing.T, label, pin string) pkcs11.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte(pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return pkcs11.Config{Module: module, Token: label, PINFile: file}
}

func open(t *testing.T, c pkcs11.Config) *pkcs11.Token {
	t.Helper()
	opened, err := pkcs11.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}
