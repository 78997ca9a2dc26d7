package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sceau/internal/testenv"
)

// An operator changes what letters say by commands, and an approver of the
// sample bank looks at it.
func TestWhatLettersSayIsChangedByCommands(t *testing.T) {
	t.Parallel()
	database, bank := testenv.Database(t), filepath.Join("..", "..", "testdata", "demo", "bank.yaml")
	if out, err := sceau(t, "migrate", "--database-url", database, "--bank", bank); err != nil {
		t.Fatal(out, err)
	}
	letters := func(args ...string) (string, error) {
		return sceau(t, append([]string{"letters"}, args...)...)
	}
	ok := func(says string, args ...string) string {
		t.Helper()
		out, err := letters(args...)
		if err != nil || !strings.Contains(out, says) {
			t.Fatalf("letters %s: %s%v, want %q", strings.Join(args, " "), out, err, says)
		}
		return out
	}
	refused := func(says string, exit int, args ...string) {
		t.Helper()
		out, err := letters(args...)
		if err == nil || !strings.Contains(err.Error(), says) || exitCode(err) != exit {
			t.Errorf("letters %s: %s%v, want it refused with %q and exit code %d", strings.Join(args, " "), out, err, says, exit)
		}
	}
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	write := func(name string, content []byte) string {
		if err := os.WriteFile(in(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		return in(name)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 200, 60))); err != nil {
		t.Fatal(err)
	}
	logo := write("logo.png", picture.Bytes())
	db, as := "--database-url="+database, "--as=l.boisjoli"

	ok("no template of the bank's own", "templates", db)
	ok("version 0", "export", "pin", "--out", in("pin.yaml"), db)
	text, err := os.ReadFile(in("pin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	asks := write("asks.yaml", bytes.Replace(text, []byte("intro: Voici le code"), []byte("intro: Donnez ce code au conseiller. Voici le code"), 1))
	refused("languages.fr.intro: line 13: seems to ask the holder", 2, "propose", asks, "--bank", bank, as, db)
	refused("languages.fr.intro", 2, "preview", "--template", asks, "--bank", bank, "--out", in("none.pdf"))
	refused("a logo is a PNG or JPEG", 2, "propose", in("pin.yaml"), "--logo", asks, "--bank", bank, as, db)
	ours := write("ours.yaml", bytes.ReplaceAll(text, []byte("salutation: Bonjour"), []byte("salutation: Chère cliente, cher client")))
	hash := regexp.MustCompile(`sha256 ([0-9a-f]{64})`)
	drafted := ok("pin letter in nl", "preview", "--template", ours, "--logo", logo, "--bank", bank, "--language", "nl", "--country", "BE", "--large", "--out", in("draft.pdf"))
	refused("does not hold the role", 1, "propose", ours, "--bank", bank, "--as=i.hautefeuille", db)
	ok("pin template, version 1, is proposed", "propose", ours, "--logo", logo, "--bank", bank, as, db)
	seen := ok("pin letter in fr", "preview", "--kind", "pin", "--version", "1", "--bank", bank, "--out", in("seen.pdf"), db)
	sum := hash.FindStringSubmatch(seen)
	if sum == nil || sum[0] != hash.FindString(drafted) {
		t.Fatalf("the author saw %q, the approver %q", drafted, seen)
	}
	out, err := exec.CommandContext(t.Context(), "pdftotext", "-raw", in("seen.pdf"), "-").Output()
	if err != nil || !strings.Contains(string(out), "Chère cliente, cher client Camille Aubry") || !strings.Contains(string(out), "••••") {
		t.Errorf("the preview says %s%v", out, err)
	}
	refused("64 hexadecimal digits", 2, "approve", "pin", "1", "--sha256", "12", "--as=i.hautefeuille", db)
	refused("preview it, and approve what you see", 1, "approve", "pin", "1", "--sha256", strings.Repeat("0", 64), "--as=i.hautefeuille", db)
	refused("does not hold the role approver", 1, "approve", "pin", "1", "--sha256", sum[1], as, db)
	ok("", "approve", "pin", "1", "--sha256", sum[1], "--as=i.hautefeuille", db)
	ok("version 2, is proposed", "propose", in("pin.yaml"), "--bank", bank, as, db)
	ok("", "refuse", "pin", "2", "--why", "the old one", "--as=i.hautefeuille", db)
	list := ok("pin 1  live  "+sum[1], "templates", db)
	if !strings.Contains(list, "pin 2  refused  ") || !strings.Contains(list, "decided by i.hautefeuille: the old one") {
		t.Errorf("the versions are\n%s", list)
	}
	ok("pin template, version 1", "export", "pin", "--out", in("live.yaml"), db)
	live, err := os.ReadFile(in("live.yaml"))
	if err != nil || !bytes.Contains(live, []byte("Chère cliente")) || !bytes.Contains(live, []byte("logo: |")) {
		t.Errorf("the live one is\n%s%v", live, err)
	}
	refused("holder H-0000000000000000", 1, "large-print", "H-0000000000000000", "--as=a.clairvallon", db)
}
