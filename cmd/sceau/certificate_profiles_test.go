package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A security officer changes a profile by commands, and an approver looks at its
// sample; a certificate is ordered by it.
func TestAProfileIsChangedByCommands(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	profiles := func(args ...string) []string { return append([]string{"certificate-profiles"}, args...) }
	list := o.ok("nominative-authentication", profiles("list")...)
	for _, name := range []string{"nominative-signature", "staff", "service-client", "root-ca", "ocsp-responder"} {
		if !strings.Contains(list, name) {
			t.Errorf("the list has no %s:\n%s", name, list)
		}
	}
	folder := t.TempDir()
	file, pem := filepath.Join(folder, "ours.yaml"), filepath.Join(folder, "sample.pem")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const ours = "name: nominative-authentication\nkind: person_authentication\nlevel: \"*\"\nyears: 1\npolicies: [1.3.6.1.4.1.32473.1.1]\n"
	write(strings.Replace(ours, "years: 1", "years: 4", 1))
	o.refused("three years at most", profiles("propose", file, "--as=m.rocheclaire")...)
	write(ours + "key_usage: [digital_signature, non_repudiation]\n")
	o.refused("e_key_usage_and_extended_key_usage_inconsistent", profiles("propose", file, "--as=m.rocheclaire")...)
	write(ours)
	o.refused("does not hold", profiles("propose", file, "--as=l.boisjoli")...)
	o.ok("nothing to object", profiles("show", "--file", file, "--out", pem)...)
	proposed := o.ok("version 1, is proposed", profiles("propose", file, "--as=m.rocheclaire")...)
	shown := o.ok("# version 1, proposed", profiles("show", "nominative-authentication", "--version=1", "--out", pem)...)
	hash := regexp.MustCompile(`[0-9a-f]{64}`).FindString(shown)
	if hash == "" || !strings.Contains(proposed, hash) || !strings.Contains(shown, "retention_years: 5") {
		t.Fatalf("shown is\n%s", shown)
	}
	text, err := exec.CommandContext(t.Context(), "openssl", "x509", "-in", pem, "-noout", "-text").CombinedOutput()
	if err != nil || !strings.Contains(string(text), "TEST Personne D'Exemple") {
		t.Errorf("openssl: %v\n%s", err, text)
	}
	approve := func(hash string) []string {
		return profiles("approve", "nominative-authentication", "1", "--sha256="+hash, "--as=i.hautefeuille")
	}
	o.refused("64 hexadecimal digits", approve("00")...)
	o.refused("not the hash", approve(strings.Repeat("0", 64))...)
	o.ok("is live", approve(hash)...)
	o.refused("cannot refuse", profiles("refuse", "nominative-authentication", "1", "--why=late", "--as=i.hautefeuille")...)
	o.ok("BEGIN CERTIFICATE", profiles("show", "issuing-ca")...)
	o.refused("not found", profiles("show", "nobodys")...)
	o.ok("years: 1", profiles("show", "nominative-authentication")...)
}
