//go:build pkcs11

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sceau/cmd/sceau/internal/house"
	"sceau/internal/devenv"
	"sceau/issuance"
	"sceau/lifecycle"
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
	soft, err := devenv.NewSoftHSM(t.Context(), dir, "Sceau root", "Sceau online", "Holder")
	if err != nil {
		t.Fatal(err)
	}
	b := newBankAtWork(t)
	b.env = []string{
		"SCEAU_KEYSTORE=pkcs11", "SCEAU_PKCS11_MODULE=" + soft.Module, "SCEAU_PKCS11_TOKEN=Sceau online", "SCEAU_PKCS11_PIN_FILE=" + soft.PINFile,
	}
	minutes := filepath.Join(dir, "minutes.pdf")
	for range 2 { // the second time everything is there
		b.ok(b.ceremony("hold", "first", "--public-base", "http://pki.example.test", "--minutes", minutes, "--language", "en",
			"--pkcs11-root-token", "Sceau root", "--pkcs11-root-pin-file", soft.PINFile)...)
	}
	text := string(must[[]byte](t)(exec.CommandContext(t.Context(), "pdftotext", "-layout", minutes, "-").Output()))
	if !strings.Contains(text, "pkcs11:Sceau root/root-1") || strings.Contains(text, "transit") || strings.Contains(text, "Refused afterwards") {
		t.Errorf("the minutes do not tell of the tokens:\n%s", text)
	}
	door := func(lists string) string {
		return serving(t, "ocsp", "--public-listen", "127.0.0.1:0", "--lists", filepath.Join(dir, lists), "--database-url", b.database, "--keystore", "pkcs11",
			"--pkcs11-module", soft.Module, "--pkcs11-token", "Sceau online", "--pkcs11-pin-file", soft.PINFile)
	}
	first := door("lists")
	root := fetched(t, first+"/ca/root-1.cer", "CERTIFICATE", filepath.Join(dir, "root.pem"))
	issuing := fetched(t, first+"/ca/issuing-1.cer", "CERTIFICATE", filepath.Join(dir, "issuing.pem"))
	list := fetched(t, first+"/crl/root-1/0.crl", "X509 CRL", filepath.Join(dir, "root.crl"))
	openssl(t, "OK", "verify", "-check_ss_sig", "-CAfile", root, root)
	openssl(t, "OK", "verify", "-x509_strict", "-crl_check", "-CAfile", root, "-CRLfile", list, issuing)
	openssl(t, "verify OK", "crl", "-in", list, "-CAfile", root, "-noout")
	openssl(t, "Response verify OK", "ocsp", "-sha256", "-issuer", issuing, "-serial", "0x1234", "-url", first+"/ocsp", "-CAfile", root)
	seen(t, soft, root, issuing)

	h := holders{bankAtWork: b, soft: soft, dir: dir, root: root, issuing: issuing}
	h.issuedAndRevoked(first)
	healthy := func() {
		t.Helper()
		out := b.ok("doctor", "--vault-token-file", b.tokens["auditor"])
		for _, line := range []string{`ok +token Sceau online +there, its PIN is taken`, `ok +key of CA issuing-1 +pkcs11:Sceau online/issuing-1, ecdsa-p256`,
			`ok +key of the OCSP responder of issuing-1 +pkcs11:Sceau online/ocsp-1`} {
			if !regexp.MustCompile(line).MatchString(out) {
				t.Errorf("the doctor does not say %q:\n%s", line, out)
			}
		}
	}
	healthy()
	b.ok(b.ceremony("rotate", "second", "--key", "ocsp-1", "--public-base", "http://pki.example.test")...)
	healthy()
	before, after := h.responder(first), h.responder(door("other-lists"))
	if before == after {
		t.Error("a responder that is started again answers under the old key")
	}
	triedOnce(t, b, soft)
	if b.mu.Lock(); bytes.Contains(b.said.Bytes(), []byte(soft.PIN)) {
		t.Error("somebody shows the PIN")
	}
	b.mu.Unlock()
}

// holders are people with certificates.
type holders struct {
	*bankAtWork

	soft               devenv.SoftHSM
	dir, root, issuing string
	certificate        string // file, once there is one
}

// enrols has a holder enrol with sceau-enroll, their key in a token of their own.
func (h *holders) enrols(id lifecycle.CertificateID) {
	t := h.t
	t.Helper()
	program := filepath.Join(h.dir, "sceau-enroll")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "pkcs11", "-o", program, "sceau/cmd/sceau-enroll")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cert, key := filepath.Join(h.dir, "door.pem"), filepath.Join(h.dir, "door.key")
	openssl(t, "", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=door", "-addext", "subjectAltName=IP:127.0.0.1",
		"-days", "2", "-keyout", key, "-out", cert)
	door := serving(t, "serve", "--doors", "holder", "--holder-listen", "127.0.0.1:0", "--holder-cert", cert, "--holder-key-file", key,
		"--database-url", h.database, "--test-names")
	invited, err := h.quietly("certificate", "invite", string(id), "--as", "l.boisjoli")
	if err != nil {
		t.Fatal(err, invited)
	}
	code := regexp.MustCompile(`(?m)^code: (\S+)$`).FindStringSubmatch(invited)
	if code == nil {
		t.Fatal(invited)
	}
	args := []string{
		"--door", strings.Replace(door, "http:", "https:", 1), "--door-ca", cert, "--ca", h.root, "--certificate", string(id), "--code-file", secretFile(t, code[1]),
		"--pkcs11-module", h.soft.Module, "--token-label", "Holder", "--pin-file", h.soft.PINFile,
	}
	for _, step := range []struct{ more, says string }{{"", "Nothing is signed"}, {"--accept", "the certificate is active"}} { // the second time with the same key
		cmd := exec.CommandContext(t.Context(), program, append(args, strings.Fields(step.more)...)...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), step.says) || bytes.Contains(out, []byte(h.soft.PIN)) {
			t.Fatalf("sceau-enroll: %v: %s", err, out)
		}
	}
	kept := must[issuance.Evidence](t)(h.service.EvidenceOf(t.Context(), id))
	if kept.Device == nil || !strings.Contains(kept.Device.Manufacturer, "SoftHSM") || kept.Device.Serial == "" || kept.Statement == "" {
		t.Errorf("evidence: %+v", kept)
	}
	if out := h.ok("certificate", "show", string(id)); !strings.Contains(out, "SoftHSM") || !strings.Contains(out, "active") {
		t.Errorf("shown: %s", out)
	}
	objects, err := exec.CommandContext(t.Context(), "pkcs11-tool", "--module", h.soft.Module, "--token-label", "Holder", "--login", "--pin", h.soft.PIN, "--list-objects").CombinedOutput()
	if err != nil || !bytes.Contains(objects, []byte("Certificate Object")) || bytes.Count(objects, []byte("Private Key Object")) != 1 ||
		!bytes.Contains(objects, []byte("never extractable")) {
		t.Errorf("on the token: %v: %s", err, objects)
	}
}

// issuedAndRevoked has a worker sign a holder's certificate, its answers and the
// lists with the token's keys, and OpenSSL accept it, then refuse it.
func (h *holders) issuedAndRevoked(door string) {
	t := h.t
	t.Helper()
	bureau, _, _ := h.correspondent("bureau")
	printRoom, _, _ := h.correspondent("print-room")
	defer h.works("--bureau-cert", bureau, "--print-room-cert", printRoom, "--public-base", "http://pki.example.test", "--vault-token-file", h.tokens["worker"])()
	h.orders("certificate", 1)
	ordered := must[[]issuance.CertificateView](t)(h.service.Certificates(t.Context(), ""))[0]
	h.enrols(ordered.ID)
	der := must[issuance.CertificateView](t)(h.service.Certificate(t.Context(), ordered.ID)).DER
	h.certificate = filepath.Join(h.dir, "holder.pem")
	if err := os.WriteFile(h.certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	h.published(0)
	list := func() string {
		return fetched(t, door+"/crl/issuing-1/0.crl", "X509 CRL", filepath.Join(h.dir, "issuing.crl"))
	}
	h.until("the list at the door", func() bool { return h.has(door) })
	verify := []string{"verify", "-x509_strict", "-CAfile", h.root, "-untrusted", h.issuing, "-crl_check", "-CRLfile", list(), h.certificate}
	ocsp := []string{"ocsp", "-sha256", "-issuer", h.issuing, "-cert", h.certificate, "-url", door + "/ocsp", "-CAfile", h.root}
	openssl(t, "holder.pem: OK", verify...)
	openssl(t, "holder.pem: good", ocsp...)
	openssl(t, "holder.pem: good", append(ocsp, "-no_nonce")...) // the one that was signed ahead

	officer := lifecycle.Actor{ID: "m.rocheclaire", Role: lifecycle.RoleSecurityOfficer}
	if err := h.service.Revoke(t.Context(), officer, ordered.ID, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}); err != nil {
		t.Fatal(err)
	}
	h.published(1)
	h.until("the certificate in the list at the door", func() bool {
		out, _ := exec.CommandContext(t.Context(), "openssl", "crl", "-in", list(), "-noout", "-text").Output()
		return strings.Contains(string(out), "Key Compromise")
	})
	openssl(t, "verify OK", "crl", "-in", list(), "-CAfile", h.issuing, "-noout")
	if out, err := exec.CommandContext(t.Context(), "openssl", verify...).CombinedOutput(); err == nil || !strings.Contains(string(out), "certificate revoked") {
		t.Errorf("openssl takes a revoked certificate: %v\n%s", err, out)
	}
	openssl(t, "holder.pem: revoked", ocsp...)
	openssl(t, "holder.pem: revoked", append(ocsp, "-no_nonce")...)
}

// published waits for the list with so many entries.
func (h *holders) published(entries int) {
	h.t.Helper()
	h.until(fmt.Sprintf("a list of %d", entries), func() bool {
		newest, err := h.service.NewestCRL(h.t.Context(), house.IssuingID, 0)
		if err != nil || newest.Full == nil {
			return false
		}
		return len(must[*x509.RevocationList](h.t)(x509.ParseRevocationList(newest.Full)).RevokedCertificateEntries) == entries
	})
}

// has tells whether the door has the issuing CA's list.
func (h *holders) has(door string) bool {
	h.t.Helper()
	request := must[*http.Request](h.t)(http.NewRequestWithContext(h.t.Context(), http.MethodGet, door+"/crl/issuing-1/0.crl", http.NoBody))
	answer := must[*http.Response](h.t)(http.DefaultClient.Do(request))
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// responder is the certificate of who answers, as OpenSSL verified it.
func (h *holders) responder(door string) string {
	h.t.Helper()
	args := []string{"ocsp", "-sha256", "-issuer", h.issuing, "-cert", h.certificate, "-url", door + "/ocsp", "-CAfile", h.root}
	openssl(h.t, "Response verify OK", args...)
	out := string(must[[]byte](h.t)(exec.CommandContext(h.t.Context(), "openssl", append(args, "-resp_text")...).Output()))
	_, certificate, ok := strings.Cut(out, "-----BEGIN CERTIFICATE-----")
	if !ok {
		h.t.Fatalf("no responder's certificate in the answer:\n%s", out)
	}
	certificate, _, _ = strings.Cut(certificate, "-----END")
	return certificate
}

// triedOnce gives the doctor a wrong PIN, and counts the logins by a spy between
// it and the module (OpenSC's).
func triedOnce(t *testing.T, b *bankAtWork, soft devenv.SoftHSM) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/pkcs11-spy.so")
	if err != nil || len(found) == 0 {
		t.Fatalf("no pkcs11-spy.so: `make deps` installs opensc: %v", err)
	}
	calls := filepath.Join(t.TempDir(), "calls")
	cmd := b.command("doctor", "--vault-token-file", b.tokens["auditor"], "--pkcs11-module", found[0], "--pkcs11-pin-file", secretFile(t, "not the PIN"))
	cmd.Env = append(cmd.Env, "PKCS11SPY="+soft.Module, "PKCS11SPY_OUTPUT="+calls)
	out, err := cmd.CombinedOutput()
	if err == nil || !regexp.MustCompile(`WRONG +token Sceau online .*forbidden`).Match(out) || strings.Contains(string(out), "not the PIN") {
		t.Errorf("with a wrong PIN: %v\n%s", err, out)
	}
	if tries := strings.Count(string(must[[]byte](t)(os.ReadFile(calls))), "C_Login\n"); tries != 1 {
		t.Errorf("a wrong PIN is tried %d times", tries)
	}
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
