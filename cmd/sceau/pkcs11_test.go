//go:build pkcs11

package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sceau/internal/devenv"
	"sceau/internal/testenv"
)

// serving runs a command until the test ends, and answers the address of its
// door.
func serving(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	logs, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, io.Discard, writer)
		_ = writer.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("sceau %s: %v", args[0], err)
		}
	})
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "address="); ok {
			go func() { _, _ = io.Copy(io.Discard, logs) }()
			return "http://" + address
		}
	}
	t.Fatalf("sceau %s opened no door: %v", args[0], lines.Err())
	return ""
}

func fetched(t *testing.T, url, kind, file string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	der, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func openssl(t *testing.T, want string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), want) {
		t.Errorf("openssl %s: %v, want %q:\n%s", args[0], err, want, out)
	}
}

// The CA's keys are in SoftHSM, the root's in a token of its own; Vault has the
// card keys alone, and the public door runs without it. OpenSSL is the judge.
func TestPKCS11KeepsTheCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	soft, err := devenv.NewSoftHSM(t.Context(), dir, "Sceau root", "Sceau online")
	if err != nil {
		t.Fatal(err)
	}
	vault := testenv.Vault(t)
	token := filepath.Join(dir, "vault.token")
	if err := os.WriteFile(token, []byte(vault.RootToken), 0o600); err != nil {
		t.Fatal(err)
	}
	bank, database := filepath.Join("..", "..", "testdata", "demo", "bank.yaml"), testenv.Database(t)
	online := []string{
		"--database-url", database, "--keystore", "pkcs11", "--pkcs11-module", soft.Module,
		"--pkcs11-token", "Sceau online", "--pkcs11-pin-file", soft.PINFile,
	}
	if out, err := sceau(t, "migrate", "--bank", bank, "--database-url", database); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	for range 2 { // the second time everything is there
		out, err := sceau(t, append([]string{
			"ceremony", "hold", "--id", "first", "--bank", bank, "--officer", "m.rocheclaire", "--public-base", "http://pki.example.test",
			"--vault-addr", vault.Addr, "--vault-token-file", token,
			"--pkcs11-root-token", "Sceau root", "--pkcs11-root-pin-file", soft.PINFile,
		}, online...)...)
		if err != nil {
			t.Fatalf("ceremony: %v\n%s", err, out)
		}
		if strings.Contains(out, soft.PIN) {
			t.Error("the ceremony shows the PIN")
		}
	}
	door := serving(t, append([]string{"ocsp", "--public-listen", "127.0.0.1:0", "--lists", filepath.Join(dir, "lists")}, online...)...)
	root := fetched(t, door+"/ca/root-1.cer", "CERTIFICATE", filepath.Join(dir, "root.pem"))
	issuing := fetched(t, door+"/ca/issuing-1.cer", "CERTIFICATE", filepath.Join(dir, "issuing.pem"))
	list := fetched(t, door+"/crl/root-1/0.crl", "X509 CRL", filepath.Join(dir, "root.crl"))
	openssl(t, "OK", "verify", "-check_ss_sig", "-CAfile", root, root)
	openssl(t, "OK", "verify", "-x509_strict", "-crl_check", "-CAfile", root, "-CRLfile", list, issuing)
	openssl(t, "verify OK", "crl", "-in", list, "-CAfile", root, "-noout")
	openssl(t, "Response verify OK", "ocsp", "-sha256", "-issuer", issuing, "-serial", "0x1234", "-url", door+"/ocsp", "-CAfile", root)
	seen(t, soft, root, issuing)
}

// seen has another program look for the certificates' keys in the tokens.
func seen(t *testing.T, soft devenv.SoftHSM, root, issuing string) {
	t.Helper()
	for _, c := range []struct{ token, label, certificate string }{{"Sceau root", "root-1", root}, {"Sceau online", "issuing-1", issuing}} {
		text, err := os.ReadFile(c.certificate)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		der, err := exec.CommandContext(t.Context(), "pkcs11-tool", "--module", soft.Module, "--token-label", c.token,
			"--read-object", "--type", "pubkey", "--label", c.label).Output()
		if err != nil {
			t.Fatalf("pkcs11-tool: %v", err)
		}
		if string(der) != string(certificate.RawSubjectPublicKeyInfo) {
			t.Errorf("the token's %s is not the certificate's key", c.label)
		}
	}
}
