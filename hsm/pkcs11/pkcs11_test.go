//go:build pkcs11

package pkcs11_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sceau/hsm"
	"sceau/hsm/hsmtest"
	"sceau/hsm/pkcs11"
	"sceau/lifecycle"
)

func TestAModuleKeepsTheContractOfAKeyStore(t *testing.T) {
	t.Parallel()
	hsmtest.Run(t, open(t, token(t, lasting, soft.PIN)))
}

// Not parallel: SoftHSM sees a token that came back only when its library is
// loaded again, hence when no other token is open.
func TestATokenThatIsAwayServesAgainWhenItIsBack(t *testing.T) { //nolint:paralleltest // see above
	move := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	here, elsewhere := soft.Folders[fragile], filepath.Join(t.TempDir(), "token")
	hsmtest.RunAway(t, open(t, token(t, fragile, soft.PIN)), move(here, elsewhere), move(elsewhere, here))
}

func TestAClosedTokenIsUnavailable(t *testing.T) {
	t.Parallel()
	store := open(t, token(t, brief, soft.PIN))
	if err := store.CreateSigningKey(t.Context(), "issuing-closed", hsm.P256); err != nil {
		t.Fatal(err)
	}
	key, err := store.SigningKey(t.Context(), "issuing-closed", 0)
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
	digest := sha256.Sum256([]byte("x"))
	_, err = key.Signer(t.Context()).Sign(rand.Reader, digest[:], crypto.SHA256)
	wantKind(t, err, lifecycle.Unavailable)
}

func wantKind(t *testing.T, err error, kind lifecycle.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error = %v, want one of kind %q", err, kind)
	}
}

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	t.Parallel()
	loose := token(t, lasting, soft.PIN)
	if err := os.Chmod(loose.PINFile, 0o644); err != nil { //nolint:gosec // that is what is refused
		t.Fatal(err)
	}
	with := func(change func(*pkcs11.Config)) pkcs11.Config {
		c := token(t, lasting, soft.PIN)
		change(&c)
		return c
	}
	for _, test := range []struct {
		name   string
		config pkcs11.Config
		kind   lifecycle.Kind
	}{
		{"nothing is named", pkcs11.Config{}, lifecycle.Invalid},
		{"the module is not there", with(func(c *pkcs11.Config) { c.Module = filepath.Join(t.TempDir(), "none.so") }), lifecycle.Invalid},
		{"the token is not there", with(func(c *pkcs11.Config) { c.Token = "none" }), lifecycle.Unavailable},
		{"the PIN file is not there", with(func(c *pkcs11.Config) { c.PINFile += ".none" }), lifecycle.Invalid},
		{"others can read the PIN file", loose, lifecycle.Invalid},
		{"one session is too few", with(func(c *pkcs11.Config) { c.Sessions = 1 }), lifecycle.Invalid},
		{"the PIN is wrong", token(t, guarded, "000000"), lifecycle.Forbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opened, err := pkcs11.Open(t.Context(), test.config)
			if err == nil {
				opened.Close()
			}
			wantKind(t, err, test.kind)
			if err != nil && (strings.Contains(err.Error(), soft.PIN) || strings.Contains(err.Error(), "000000")) {
				t.Errorf("the error shows the PIN: %v", err)
			}
		})
	}
}

// pkcs11-tool is another program's view of the same token.
func TestAnotherProgramSeesThatTheKeyCannotLeave(t *testing.T) {
	t.Parallel()
	store := open(t, token(t, shared, soft.PIN))
	for name, algorithm := range map[string]hsm.Algorithm{"issuing-seen": hsm.P256, "issuing-seen-rsa": hsm.RSA3072} {
		if err := store.CreateSigningKey(t.Context(), name, algorithm); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "pkcs11-tool", "--module", soft.Module, "--token-label", shared, "--login", "--pin", soft.PIN,
			"--list-objects", "--type", "privkey", "--label", name).CombinedOutput()
		if err != nil {
			t.Fatalf("pkcs11-tool: %v\n%s", err, out)
		}
		for _, want := range []string{"Usage:      sign\n", "sensitive", "never extractable"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: pkcs11-tool does not say %q:\n%s", name, want, out)
			}
		}
	}
}
