package holder_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// buildEnroll builds sceau-enroll.
func buildEnroll(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sceau-enroll")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "sceau/cmd/sceau-enroll").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// person has a folder and runs sceau-enroll in it.
type person struct {
	*bank

	id      lifecycle.CertificateID
	dir     string
	program string
	args    []string
}

func (b *bank) person(program string, id lifecycle.CertificateID) *person {
	b.t.Helper()
	p := &person{bank: b, program: program, id: id, dir: b.t.TempDir()}
	write := func(name string, content []byte) string {
		path := filepath.Join(p.dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			b.t.Fatal(err)
		}
		return path
	}
	p.args = []string{
		"--door", b.server.URL, "--certificate", string(id), "--code-file", write("code", []byte(b.invited(id)+"\n")),
		"--ca", write("root.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.issuer.Raw})),
		"--door-ca", write("door.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.server.Certificate().Raw})),
	}
	return p
}

func (p *person) command(ctx context.Context, more ...string) *exec.Cmd {
	p.t.Helper()
	return exec.CommandContext(ctx, p.program, append(p.args, more...)...)
}

func (p *person) run(more ...string) (string, error) {
	p.t.Helper()
	out, err := p.command(p.t.Context(), more...).CombinedOutput()
	return string(out), err
}

// issuesWhenAsked plays the worker of one certificate.
func (p *person) issuesWhenAsked() {
	p.t.Helper()
	for p.state(p.id) != lifecycle.CertIssuing {
		time.Sleep(20 * time.Millisecond)
	}
	p.issue(p.id)
}

func TestTheProgramEnrols(t *testing.T) {
	t.Parallel()
	b, program := open(t), buildEnroll(t)
	for _, more := range [][]string{{}, {"--rsa"}} {
		p := b.person(program, b.certificate())
		software := append([]string{"--software", "--out", filepath.Join(p.dir, "keys")}, more...)
		ended := make(chan struct{})
		var out string
		var err error
		go func() { defer close(ended); out, err = p.run(append(software, "--accept")...) }()
		p.issuesWhenAsked()
		<-ended
		if err != nil || !strings.Contains(out, "Hélène Montclair") || !strings.Contains(out, "the certificate is active") {
			t.Fatalf("%v: %s", err, out)
		}
		if got := b.state(p.id); got != lifecycle.CertActive {
			t.Errorf("it is %s", got)
		}
		if info := must[os.FileInfo](t)(os.Stat(filepath.Join(p.dir, "keys", strings.ToLower(string(p.id))+".key"))); info.Mode().Perm() != 0o600 {
			t.Errorf("the key's file has mode %v", info.Mode())
		}
		if kept := must[issuance.Evidence](t)(b.service.EvidenceOf(t.Context(), p.id)); !strings.Contains(kept.Statement, "je l'accepte") {
			t.Errorf("evidence: %+v", kept)
		}
		if out, err = p.run(software...); err == nil || !strings.Contains(out, "open nothing") { // its code is of no more use
			t.Errorf("again: %v %s", err, out)
		}
	}
}

// Killed when the request is sent, then answered no, it goes on with the same key.
func TestTheProgramGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	b := open(t)
	p := b.person(buildEnroll(t), b.certificate())
	software := []string{"--software", "--out", filepath.Join(p.dir, "keys")}
	first := p.command(t.Context(), software...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for b.state(p.id) != lifecycle.CertIssuing {
		time.Sleep(10 * time.Millisecond)
	}
	_ = first.Process.Kill()
	_ = first.Wait()
	keyFile := filepath.Join(p.dir, "keys", strings.ToLower(string(p.id))+".key")
	before := must[[]byte](t)(os.ReadFile(keyFile))
	b.issue(p.id)

	no := p.command(t.Context(), software...)
	no.Stdin = strings.NewReader("no\n")
	if out, err := no.CombinedOutput(); err != nil || !strings.Contains(string(out), "Nothing is signed") || b.state(p.id) != lifecycle.CertIssued {
		t.Fatalf("no: %v %s", err, out)
	}
	yes := p.command(t.Context(), software...)
	yes.Stdin = strings.NewReader("yes\n")
	if out, err := yes.CombinedOutput(); err != nil || b.state(p.id) != lifecycle.CertActive {
		t.Fatalf("yes: %v %s", err, out)
	}
	if after := must[[]byte](t)(os.ReadFile(keyFile)); !bytes.Equal(before, after) {
		t.Error("another key was made")
	}
}

func TestTheProgramRefuses(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.onDevices()
	p := b.person(buildEnroll(t), b.certificate())
	software := []string{"--software", "--out", filepath.Join(p.dir, "keys")}
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"a key in a file where a device is asked": {software, "must be made on a device"},
		"no place for the key":                    {nil, "where is the key to be"},
		"a token without cgo":                     {[]string{"--pkcs11-module", "/m.so"}, "make build-pkcs11"},
		"a door without TLS":                      {append(software, "--door", "http://127.0.0.1:1"), "https://"},
		"a door that nobody vouches for":          {append(software, "--door-ca", ""), "certificate"},
		"another reference":                       {append(software, "--certificate", "C-1"), "not an identifier"},
	} {
		if out, err := p.run(test.args...); err == nil || !strings.Contains(out, test.says) {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
	code := filepath.Join(p.dir, "code")
	if err := os.Chmod(code, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := p.run(software...); err == nil || !strings.Contains(out, "chmod 600") {
		t.Errorf("a code that others can read: %v %s", err, out)
	}
	if got := b.state(p.id); got != lifecycle.CertAwaitingKey {
		t.Errorf("it is %s", got)
	}
}

// Who has the key ends its certificate without a code, and nobody else does.
func TestTheProgramRevokes(t *testing.T) {
	t.Parallel()
	b, program := open(t), buildEnroll(t)
	for _, more := range [][]string{{}, {"--rsa"}} {
		p := b.person(program, b.certificate())
		keys := filepath.Join(p.dir, "keys")
		ended := make(chan struct{})
		var out string
		var err error
		go func() {
			defer close(ended)
			out, err = p.run(append([]string{"--software", "--out", keys, "--accept"}, more...)...)
		}()
		p.issuesWhenAsked()
		<-ended
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		revoke := func(id lifecycle.CertificateID, said string, more ...string) (string, error) {
			cmd := exec.CommandContext(t.Context(), program, append([]string{
				"revoke", "--door", b.server.URL, "--door-ca", filepath.Join(p.dir, "door.pem"), "--certificate", string(id), "--software", "--what", "lost",
			}, more...)...)
			cmd.Stdin = strings.NewReader(said)
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		for _, wrong := range []struct {
			says string
			args []string
		}{
			{"--out", nil},
			{"--serial", []string{"--out", t.TempDir()}},
			{"no such file", []string{"--out", t.TempDir(), "--serial", b.view(p.id).Serial}}, // no key is made
			{"serial", []string{"--out", keys, "--serial", "xyz"}},
			{"no signature", []string{"--out", keys, "--serial", strings.Repeat("4", 32), "--yes"}},
			{"must be one of", []string{"--out", keys, "--what", "bored"}},
		} {
			if out, err := revoke(p.id, "yes\n", wrong.args...); err == nil || !strings.Contains(out, wrong.says) {
				t.Errorf("%v: %v: %s", wrong.args, err, out)
			}
		}
		if out, err := revoke(p.id, "no\n", "--out", keys); err != nil || !strings.Contains(out, "nothing is revoked") {
			t.Errorf("%v: %s", err, out)
		}
		if b.state(p.id) != lifecycle.CertActive {
			t.Fatal("it is revoked before its holder said yes")
		}
		out, err = revoke(p.id, "yes\n", "--out", keys)
		if err != nil || !strings.Contains(out, "Receipt: RV-") || !strings.Contains(out, "keyCompromise") || b.state(p.id) != lifecycle.CertRevoked {
			t.Errorf("%s: %v: %s", b.state(p.id), err, out)
		}
		if again, err := revoke(p.id, "", "--out", keys, "--yes"); err != nil || !strings.Contains(again, out[strings.Index(out, "RV-"):]) {
			t.Errorf("twice: %v: %s", err, again)
		}
	}
}
