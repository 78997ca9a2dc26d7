//go:build pkcs11

package pkcs11_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sceau/hsm/pkcs11"
	"sceau/internal/devenv"
)

const (
	lasting = "Sceau lasting"
	fragile = "Sceau fragile"
	guarded = "Sceau guarded"
	shared  = "Sceau shared" // with another program
	brief   = "Sceau brief"
)

var soft devenv.SoftHSM

// TestMain gives SoftHSM its tokens.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sceau-softhsm-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		soft, err = devenv.NewSoftHSM(context.Background(), dir, lasting, fragile, guarded, shared, brief)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// token tells how to log in to a token, with a PIN file of its own.
func token(tb testing.TB, label, pin string) pkcs11.Config {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "pin")
	if err := os.WriteFile(file, []byte(pin+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	return pkcs11.Config{Module: soft.Module, Token: label, PINFile: file}
}

func open(tb testing.TB, c pkcs11.Config) *pkcs11.Token {
	tb.Helper()
	opened, err := pkcs11.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(opened.Close)
	return opened
}
