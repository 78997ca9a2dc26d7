package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/cmd/sceau/internal/house"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

// asProgram is the variable that makes this binary the program itself, for tests
// that need a process.
const asProgram = "SCEAU_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	testenv.Main(m, testenv.WithMigrations(house.Migrate))
}

// sceau runs the program in this process and gives what it printed.
func sceau(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, logs bytes.Buffer
	err := run(t.Context(), args, &out, &logs)
	return out.String() + logs.String(), err
}

func TestWrongUsageIsSaidAndExitsWithTwo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := func(text string) string {
		path := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_")+text[:4]+".yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name string
		args []string
		says string
	}{
		{"no command", nil, "expected one of"},
		{"a command that is none", []string{"frobnicate"}, "unexpected argument frobnicate"},
		{"a flag that is none", []string{"version", "--frobnicate"}, "unknown flag --frobnicate"},
		{"a misspelt setting", []string{"--config", settings("databse-url: x\n"), "version"}, `no flag is called "databse-url"`},
		{"settings that are no YAML", []string{"--config=" + settings("a: [\n"), "version"}, "settings"},
		{"no database", []string{"return", "main_test.go", "--as", "x"}, "no database"},
		{"a database URL that is none", []string{"return", "main_test.go", "--as", "x", "--database-url", "postgres://user:secret@:x/"}, "cannot be read"},
		{"a key store that is none", []string{"ocsp", "--keystore", "paper"}, "--keystore must be one of"},
		{"no bank", []string{"work", "--database-url", "postgres://localhost/x"}, "which bank"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := sceau(t, tt.args...)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("it says: %v", err)
			}
			if exitCode(err) != 2 {
				t.Errorf("it exits with %d", exitCode(err))
			}
		})
	}
}

func TestExitCodesTellScriptsWhatToDo(t *testing.T) {
	t.Parallel()
	for want, err := range map[int]error{
		1: errors.New("anything"), 2: lifecycle.Invalid, 3: lifecycle.Unavailable, 130: context.Canceled,
	} {
		if got := exitCode(err); got != want {
			t.Errorf("exit code of %v = %d, want %d", err, got, want)
		}
	}
}

func TestVersionAndHelpAreShown(t *testing.T) {
	t.Parallel()
	if out, err := sceau(t, "version"); err != nil || !strings.HasPrefix(out, "sceau ") {
		t.Errorf("version: %q, %v", out, err)
	}
	out, err := sceau(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "work", "letters", "ocsp", "migrate", "vault", "ceremony", "doctor", "terminal", "demo", "dev"} {
		if !strings.Contains(out, "\n  "+command) {
			t.Errorf("--help does not name %s", command)
		}
	}
}

// The demonstration is the main job end to end; its own table says what it
// checks. Here it is held to what it leaves behind, and its cards go into the
// readers of a real PC/SC daemon while its doors are open.
func TestTheDemonstrationHolds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "env")
	openDoors(t, dir)
	var report struct {
		Counts struct {
			Cards        int `json:"cards"`
			Certificates int `json:"certificates"`
			Failed       int `json:"failed"`
		} `json:"counts"`
		Cards []struct {
			State      lifecycle.CardState `json:"state"`
			CardLetter string              `json:"card_letter"`
			PINLetter  string              `json:"pin_letter"`
			CardImage  string              `json:"card_image"`
		} `json:"cards"`
		Certificates []struct {
			File  string                     `json:"file"`
			State lifecycle.CertificateState `json:"state"`
		} `json:"certificates"`
		Checks []struct {
			What string `json:"what"`
			Held bool   `json:"held"`
		} `json:"checks"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "demo", "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if c := report.Counts; c.Cards != 128 || c.Certificates != len(report.Certificates) || c.Certificates < 90 || c.Failed != 0 || len(report.Checks) < 40 {
		t.Errorf("counts %+v, %d checks", c, len(report.Checks))
	}
	var files []string
	for _, c := range report.Cards {
		files = append(files, c.CardLetter, c.PINLetter, c.CardImage)
	}
	for _, kind := range []string{"card", "pin"} { // a run and language each, and more
		sealed, err := filepath.Glob(filepath.Join(dir, "demo", "letters", kind+"-PR-*.p7m"))
		if err != nil || len(sealed) < 4 {
			t.Errorf("the print room has %d files of %s letters, %v", len(sealed), kind, err)
		}
	}
	for _, c := range report.Certificates {
		files = append(files, c.File)
	}
	for _, f := range append(files, "pki/root.pem", "pki/issuing.pem", "pki/full.crl", "pki/delta.crl") {
		if info, err := os.Stat(filepath.Join(dir, "demo", f)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty: %v", f, err)
		}
	}
	aBranchWithARealDaemon(t, dir)
}
