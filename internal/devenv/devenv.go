// Package devenv starts and stops a private PostgreSQL cluster and a private
// Vault under one folder, for `make demo`, `make dev` and the tests.
//
// Everything stays on this machine: PostgreSQL listens on a socket in a folder
// that only its user enters, Vault on a free loopback port. A second start
// takes up what the first one left, also when that one was killed. Children die
// with the process that started them and are ended by their own process ID.
//
// Nothing of it serves production, and no room of the product imports it: in
// go the options, out come addresses and, in files of mode 0600, Vault's unseal
// key and root token.
package devenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Options say where an environment lives and how careful it is.
type Options struct {
	// Dir is the environment's folder, made when missing.
	Dir string
	// Root is the folder of go.mod, where bin/sceau-vault and bin/sceau-hsm
	// are; empty means the module that holds the working directory.
	Root string
	// Fast gives up durability for speed: a test needs no fsync.
	Fast bool
	// FreshVault throws the Vault of an earlier run away: whoever begins with an
	// empty database must, for the marks of a Vault that goes on would tell of a
	// database that was restored to an earlier day.
	FreshVault bool
	// WithoutCardEngine starts Vault without bin/sceau-hsm at hsm/.
	WithoutCardEngine bool
	// Out is told what takes time, one line each; nil means nobody.
	Out io.Writer
}

// Env is a running PostgreSQL and a running Vault.
type Env struct {
	*Postgres
	*Vault
}

// Start starts both, side by side. When one fails the other is stopped.
func Start(ctx context.Context, o Options) (*Env, error) {
	env := &Env{}
	var group errgroup.Group // without a context: a child must outlive this call
	group.Go(func() (err error) {
		env.Postgres, err = StartPostgres(ctx, o)
		return err
	})
	group.Go(func() (err error) {
		env.Vault, err = StartVault(ctx, o)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, env.Stop())
	}
	return env, nil
}

// Stop ends both and waits for their end. A second call does nothing.
func (e *Env) Stop() error {
	var errs []error
	if e.Vault != nil {
		errs = append(errs, e.Vault.Stop())
	}
	if e.Postgres != nil {
		errs = append(errs, e.Postgres.Stop())
	}
	return errors.Join(errs...)
}

// prepare fills the defaults in and makes the folder.
func (o Options) prepare() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("a development environment needs a folder")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("find the folder %s: %w", o.Dir, err)
	}
	o.Dir = dir
	if err := os.MkdirAll(o.Dir, 0o755); err != nil { //nolint:gosec // PostgreSQL's user must get through; secrets are in folders of mode 0700 below
		return o, fmt.Errorf("make the folder: %w", err)
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Root == "" {
		if o.Root, err = FindRoot("."); err != nil {
			return o, err
		}
	}
	return o, nil
}

// FindRoot is the folder of Sceau's go.mod, at or above from.
func FindRoot(from string) (string, error) {
	dir, err := filepath.Abs(from)
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod")) //nolint:gosec // a fixed name in a folder above us
		if err == nil && strings.HasPrefix(string(mod), "module sceau\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod of module sceau at or above %s", from)
		}
		dir = parent
	}
}

// tool is a binary that the Makefile makes.
func (o Options) tool(name, target string) (string, error) {
	path, err := filepath.EvalSymlinks(filepath.Join(o.Root, "bin", name))
	if err != nil {
		return "", fmt.Errorf("bin/%s is missing: run `make %s` in %s", name, target, o.Root)
	}
	return path, nil
}
