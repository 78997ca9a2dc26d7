package hsm_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/hsm"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

// grep finds bytes in the files of a folder, and tells how many bytes it read.
func grep(t *testing.T, folder string, forms map[string][]byte) (read int) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.Contains(path, "plugins") || strings.HasSuffix(path, ".key") || strings.HasSuffix(path, ".token") {
			return err
		}
		text, err := os.ReadFile(path)
		read += len(text)
		for what, form := range forms {
			if bytes.Contains(text, form) {
				t.Errorf("%s holds %s", filepath.Base(path), what)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// Vault's storage, audit log and output are one folder in the development
// environment.
func TestNeitherStorageNorLogsHoldAKnownKeyComponentOrPIN(t *testing.T) {
	t.Parallel()
	h := newCardHouse(t) // enters the transport key in components
	cards, images := h.personalise(t, 3)
	pin, err := h.letter.ReleasePIN(t.Context(), hsm.PINRelease{Card: cards[0].Card, PINVersion: 1, Letter: "P-0123456789ABCDEF"})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(h.vault.AuditFile)
	forms := map[string][]byte{
		"a PIN as a JSON text": []byte(`"` + pin.Reveal() + `"`), "a card number": []byte(cards[0].PAN.Reveal()),
	}
	for what, key := range map[string][]byte{
		"a component": unhex(t, "1C587FD3EA6B923E45B0C7921A6DF854"), "the transport key": unhex(t, "36063C6522F682412B141EA0667803D4"),
		"a card's key": images[0].AC, "a PIN block": images[0].PINBlock,
	} {
		for how, form := range testenv.Spellings(key) {
			forms[what+" "+how] = form
		}
	}
	if read := grep(t, folder, forms); read < 100_000 {
		t.Fatalf("only %d bytes were searched, so this test shows nothing", read)
	}
	// What is searched for would be found: the journal and the audit log name the card.
	log, err := os.ReadFile(h.vault.AuditFile)
	if err != nil || !bytes.Contains(log, []byte("hsm/card/personalise")) {
		t.Errorf("the audit log does not tell of the personalisation: %v", err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVaultRunsNoPluginOfAnotherSHA256(t *testing.T) {
	t.Parallel()
	vault := testenv.OwnVault(t)
	admin := open(t, vault)
	plugins, err := filepath.Glob(filepath.Join(filepath.Dir(vault.AuditFile), "plugins", "sceau-hsm-*"))
	if err != nil || len(plugins) != 1 {
		t.Fatalf("plugins %v, %v", plugins, err)
	}
	if _, err := admin.CreateKey(t.Context(), "before", hsm.UsageTransport, ""); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(plugins[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(plugins[0]); err != nil { // the running one keeps its file
		t.Fatal(err)
	}
	if err := os.WriteFile(plugins[0], append(program, "changed"...), 0o700); err != nil {
		t.Fatal(err)
	}
	vault.Seal()
	vault.Unseal()
	_, err = admin.CreateKey(context.WithoutCancel(t.Context()), "after", hsm.UsageTransport, "")
	if err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("a changed plugin: %v", err)
	}
	wantKind(t, err, lifecycle.Unavailable)
}
