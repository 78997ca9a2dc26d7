// Package testenv gives the tests of any package a real PostgreSQL and a real
// Vault: at most one of each per test binary, started when the first test asks,
// in a temporary folder, and gone afterwards.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// and its tests call [Database] and [Vault]. Nothing skips: where a binary is
// missing, the test fails with the command that makes it. The package imports
// no room; the migrations come in through [WithMigrations].
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sceau/internal/devenv"
)

const (
	startPatience = 3 * time.Minute
	templateName  = "sceau_template"
	folderPrefix  = "sceau-test-"
)

// shared is the environment of this test binary, which TestMain and the tests
// have no other way to hand to each other. Main fills in, once writes once.
var shared = &environment{}

type environment struct {
	main              bool // Main is in charge of the end
	migrate           func(ctx context.Context, url string) error
	withoutCardEngine bool
	durable           bool

	folder   onceValue[string]
	postgres onceValue[*devenv.Postgres]
	vault    onceValue[*devenv.Vault]
	names    atomic.Int64
}

// onceValue is a value made at the first request, or the error of making it.
type onceValue[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (o *onceValue[T]) get(make func() (T, error)) (T, error) {
	o.once.Do(func() { o.value, o.err = make() })
	return o.value, o.err
}

// Option adapts the environment of a test binary.
type Option func(*environment)

// WithMigrations brings the template, of which every test database is a copy,
// to the schema under test. It runs once, as the superuser.
func WithMigrations(migrate func(ctx context.Context, url string) error) Option {
	return func(e *environment) { e.migrate = migrate }
}

// WithoutCardEngine starts Vault without bin/sceau-hsm, for packages that use
// Transit only.
func WithoutCardEngine() Option {
	return func(e *environment) { e.withoutCardEngine = true }
}

// Durable has PostgreSQL flush each commit to the disk, as in production: for
// benchmarks. Tests do without.
func Durable() Option {
	return func(e *environment) { e.durable = true }
}

// Main runs the tests, ends what they started, and ends the process.
func Main(m *testing.M, options ...Option) {
	shared.main = true
	for _, option := range options {
		option(shared)
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "testenv:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// makeFolder makes the temporary folder of this binary and removes those of
// killed ones.
func (e *environment) makeFolder() (string, error) {
	if !e.main {
		return "", errors.New("the package needs func TestMain(m *testing.M) { testenv.Main(m) }")
	}
	sweep(os.TempDir())
	folder, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return "", fmt.Errorf("make a temporary folder: %w", err)
	}
	if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // PostgreSQL's user must get through
		return "", fmt.Errorf("open the temporary folder: %w", err)
	}
	return folder, nil
}

func (e *environment) stop() error {
	var errs []error
	if e.vault.value != nil {
		errs = append(errs, e.vault.value.Stop())
	}
	if e.postgres.value != nil {
		errs = append(errs, e.postgres.value.Remove())
	}
	if e.folder.value != "" {
		errs = append(errs, os.RemoveAll(e.folder.value))
	}
	return errors.Join(errs...)
}

// options are those of an environment below the binary's folder.
func (e *environment) options(sub string) (devenv.Options, error) {
	folder, err := e.folder.get(e.makeFolder)
	if err != nil {
		return devenv.Options{}, err
	}
	root, err := devenv.FindRoot(".")
	if err != nil {
		return devenv.Options{}, err
	}
	return devenv.Options{
		Dir: filepath.Join(folder, sub), Root: root, Fast: !e.durable, WithoutCardEngine: e.withoutCardEngine,
	}, nil
}

// sweep removes the folders of test binaries that were killed: nobody holds
// their locks any more, and an hour has passed.
func sweep(dir string) {
	folders, _ := filepath.Glob(filepath.Join(dir, folderPrefix+"*"))
	for _, folder := range folders {
		info, err := os.Lstat(folder)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < time.Hour || held(folder) {
			continue
		}
		link := filepath.Join(folder, "env", "postgres")
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "/var/tmp/sceau-postgres-") {
			_ = os.RemoveAll(target)
		}
		_ = os.RemoveAll(folder)
	}
}

func held(folder string) bool {
	locks, _ := filepath.Glob(filepath.Join(folder, "*", "*.lock"))
	for _, path := range locks {
		f, err := os.Open(path) //nolint:gosec // a lock file of ours
		if err != nil {
			return true
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		_ = f.Close()
		if err != nil {
			return true
		}
	}
	return false
}

// uptime is the context of a start: not the test's, which ends before the
// binary does.
func uptime() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), startPatience)
}
