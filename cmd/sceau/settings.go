package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

const maxSettings = 1 << 20

// settingsFile gives flags their values from one YAML file. A flag on the
// command line or a variable that is set wins.
type settingsFile struct{ values map[string]any }

// load reads the file that --config names.
func (s *settingsFile) load(args []string) error {
	path := ""
	for i, a := range args {
		if value, ok := strings.CutPrefix(a, "--config="); ok {
			path = value
		} else if a == "--config" && i+1 < len(args) {
			path = args[i+1]
		}
	}
	if path == "" {
		return nil
	}
	text, err := readLimited(path, maxSettings)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, &s.values); err != nil {
		return fmt.Errorf("%w: settings %s: %w", lifecycle.Invalid, path, err)
	}
	return nil
}

// Validate refuses keys that no flag has: a misspelt setting is not ignored.
func (s *settingsFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[flag.Name] = true
		}
		return next(nil)
	})
	if err != nil {
		return fmt.Errorf("list the flags: %w", err)
	}
	for key := range s.values {
		if !known[key] {
			return fmt.Errorf("%w: settings: no flag is called %q", lifecycle.Invalid, key)
		}
	}
	return nil
}

// Resolve gives a flag its value from the file.
func (s *settingsFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil //nolint:nilnil // kong's way to say: not from here
		}
	}
	return s.values[flag.Name], nil
}

// databaseFlags say where the database is.
type databaseFlags struct {
	DatabaseURL     string `help:"PostgreSQL, postgres://user@host/database." env:"SCEAU_DATABASE_URL" placeholder:"URL"`
	DatabaseURLFile string `help:"File with the URL, when it holds a password." env:"SCEAU_DATABASE_URL_FILE" placeholder:"FILE"`
}

func (f databaseFlags) url() (string, error) {
	if f.DatabaseURLFile == "" {
		return f.DatabaseURL, nil
	}
	text, err := readLimited(f.DatabaseURLFile, maxSettings)
	return strings.TrimSpace(string(text)), err
}

// bankFlags say which bank it is.
type bankFlags struct {
	Bank      string `help:"The bank's file: sender of letters, branches, staff, tariff, products." env:"SCEAU_BANK" placeholder:"FILE"`
	TestNames bool   `help:"Certificates are for test: their names start with TEST." env:"SCEAU_TEST_NAMES"`
}

func (f bankFlags) read() (*house.Bank, error) {
	if f.Bank == "" {
		return nil, fmt.Errorf("%w: which bank? give --bank FILE", errUsage)
	}
	return house.ReadBank(f.Bank)
}

// vaultFlags say how a process signs in to Vault: by a token file that Vault
// Agent keeps fresh, or by AppRole.
type vaultFlags struct {
	VaultAddr         string `help:"Vault's address." env:"VAULT_ADDR" placeholder:"URL"`
	VaultTokenFile    string `help:"File with a token of this process's policy." env:"SCEAU_VAULT_TOKEN_FILE" placeholder:"FILE"`
	VaultRoleIDFile   string `help:"File with the AppRole's role ID." env:"SCEAU_VAULT_ROLE_ID_FILE" placeholder:"FILE"`
	VaultSecretIDFile string `help:"File with the AppRole's secret ID." env:"SCEAU_VAULT_SECRET_ID_FILE" placeholder:"FILE"`
}

func (f vaultFlags) open(ctx context.Context) (*hsm.Client, error) {
	c := hsm.Config{Address: f.VaultAddr, TokenFile: f.VaultTokenFile}
	if f.VaultRoleIDFile != "" {
		c.AppRole = hsm.AppRole{RoleIDFile: f.VaultRoleIDFile, SecretIDFile: f.VaultSecretIDFile}
	}
	return hsm.Open(ctx, c)
}

// openHouse opens the rooms for a command that deals with no card number.
func openHouse(w *world, f databaseFlags, policy issuance.Policy, testNames bool) (*house.House, error) {
	return openHouseWith(w, f, nil, policy, testNames)
}

// openHouseWith opens the rooms, and by Vault the safe of card numbers.
func openHouseWith(w *world, f databaseFlags, vault *hsm.Client, policy issuance.Policy, testNames bool) (*house.House, error) {
	url, err := f.url()
	if err != nil {
		return nil, err
	}
	return house.Open(w.ctx, house.Config{
		DatabaseURL: url, Vault: vault, Policy: policy, TestNames: testNames, Now: w.now, Logger: w.logger,
	})
}

// shutdownPatience is how long a process lets running work end.
const shutdownPatience = 25 * time.Second

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // named on the command line
	if err != nil {
		return nil, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", lifecycle.Invalid, path, limit)
	}
	return text, nil
}
