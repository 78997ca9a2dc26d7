package devenv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Superuser is the role that owns a private cluster.
const Superuser = "postgres"

// How long PostgreSQL may take to answer, to end, and to end when a killed
// run's server is still writing.
const (
	postgresReady   = 60 * time.Second
	postgresEnd     = 30 * time.Second
	postgresOrphan  = 20 * time.Second
	pollEvery       = 20 * time.Millisecond
	socketFileName  = ".s.PGSQL.5432"
	pidFileName     = "postmaster.pid"
	connectPatience = 5 * time.Second
)

// Postgres is a running private cluster.
type Postgres struct {
	home *clusterHome
	proc *process
	lock *os.File
	fast bool
}

// StartPostgres starts the cluster of o.Dir, made on the first call.
//
// It listens on a socket only, in a folder of mode 0700 that belongs to the
// server's user, and trusts whoever gets there: no password to keep, no port to
// fight for, and any database role can be tried.
func StartPostgres(ctx context.Context, o Options) (_ *Postgres, err error) {
	o, err = o.prepare()
	if err != nil {
		return nil, err
	}
	binaries, err := findPostgres()
	if err != nil {
		return nil, err
	}
	p := &Postgres{fast: o.Fast}
	if p.lock, err = lock(filepath.Join(o.Dir, "postgres.lock")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	if p.home, err = openHome(o.Dir); err != nil {
		return nil, err
	}
	log := filepath.Join(o.Dir, "postgres.log")
	if err := p.initialise(ctx, o, binaries, log); err != nil {
		return nil, err
	}
	if err := p.clearStale(ctx); err != nil {
		return nil, err
	}
	cmd := p.home.command(context.WithoutCancel(ctx), filepath.Join(binaries, "postgres"), p.settings()...)
	if p.proc, err = start(cmd, "PostgreSQL", log, syscall.SIGINT); err != nil {
		return nil, err
	}
	if err := p.waitReady(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// initialise makes the cluster, in a folder that gets its name only when it is
// complete: a first start that was killed leaves nothing half made.
func (p *Postgres) initialise(ctx context.Context, o Options, binaries, log string) error {
	if _, err := os.Stat(filepath.Join(p.home.data(), "PG_VERSION")); err == nil {
		return nil
	}
	_, _ = fmt.Fprintln(o.Out, "making a private PostgreSQL cluster in", p.home.path)
	unfinished := p.home.data() + ".unfinished"
	for _, folder := range []string{unfinished, p.home.data()} { // data without PG_VERSION is no cluster
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("clear an unfinished cluster: %w", err)
		}
	}
	args := []string{
		"-D", unfinished, "-U", Superuser, "--auth-local=trust", "--auth-host=reject",
		"--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions",
	}
	if o.Fast {
		args = append(args, "--no-sync")
	}
	proc, err := start(p.home.command(ctx, filepath.Join(binaries, "initdb"), args...), "initdb", log, syscall.SIGKILL)
	if err != nil {
		return err
	}
	<-proc.done
	if proc.err != nil {
		return proc.died()
	}
	if err := os.Rename(unfinished, p.home.data()); err != nil {
		return fmt.Errorf("name the cluster: %w", err)
	}
	return nil
}

func (p *Postgres) settings() []string {
	args := []string{"-D", p.home.data(), "-k", p.home.path, "-p", "5432"}
	settings := []string{
		"listen_addresses=", "unix_socket_permissions=0700", "max_connections=200",
		"timezone=UTC", "log_timezone=UTC", "password_encryption=scram-sha-256",
		"log_min_duration_statement=-1", "log_parameter_max_length_on_error=0",
	}
	if p.fast {
		// A commit still reaches the kernel, so a killed server loses nothing; a machine that stops may.
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

// clearStale deals with what a killed run leaves: a server that is still
// ending, or a pid file whose number another process has by now, which
// PostgreSQL would take for a running server.
func (p *Postgres) clearStale(ctx context.Context) error {
	pidFile := filepath.Join(p.home.data(), pidFileName)
	text, err := os.ReadFile(pidFile) //nolint:gosec // in our folder
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", pidFileName, err)
	}
	pid, _, _ := strings.Cut(string(text), "\n")
	deadline := time.Now().Add(postgresOrphan)
	for p.serves(pid) {
		if time.Now().After(deadline) {
			return fmt.Errorf("process %s, left by a killed run, still serves %s: end it first", pid, p.home.data())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the previous PostgreSQL to end: %w", ctx.Err())
		case <-time.After(pollEvery):
		}
	}
	for _, stale := range []string{pidFile, filepath.Join(p.home.path, socketFileName), filepath.Join(p.home.path, socketFileName+".lock")} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("clear a stale file: %w", err)
		}
	}
	return nil
}

// serves tells whether the process works in our data folder: a postmaster
// makes it its working directory.
func (p *Postgres) serves(pid string) bool {
	if pid == "" || strings.Trim(pid, "0123456789") != "" {
		return false
	}
	dir, err := os.Readlink("/proc/" + pid + "/cwd")
	return err == nil && dir == p.home.data()
}

func (p *Postgres) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, postgresReady)
	defer cancel()
	for {
		conn, err := p.connect(ctx, "postgres")
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.proc.done:
			return p.proc.died()
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-time.After(pollEvery):
		}
	}
}

func (p *Postgres) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DatabaseURL(database))
	if err != nil {
		return nil, fmt.Errorf("connect to database %s: %w", database, err)
	}
	return conn, nil
}

// DatabaseURL is the address of a database for the superuser, as pgx and psql
// take it.
func (p *Postgres) DatabaseURL(database string) string { return p.DatabaseURLAs(database, Superuser) }

// DatabaseURLAs is the address of a database for a role, which needs LOGIN.
func (p *Postgres) DatabaseURLAs(database, role string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(role), Path: "/" + database,
		RawQuery: url.Values{"host": {p.home.path}}.Encode(),
	}
	return u.String()
}

// AdminDatabaseURL is the address of the maintenance database.
func (p *Postgres) AdminDatabaseURL() string { return p.DatabaseURL("postgres") }

// CreateDatabase makes a database, a copy of template unless that is empty. One
// that exists is left as it is.
func (p *Postgres) CreateDatabase(ctx context.Context, name, template string) error {
	statement := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		statement += " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	}
	return p.administer(ctx, "create database "+name, func(conn *pgx.Conn) error {
		var exists, files bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1), "+
			"current_setting('server_version_num')::int >= 150000", name).Scan(&exists, &files)
		if err != nil || exists {
			return err
		}
		if template != "" && files && p.fast {
			// Without fsync a copy of files, catalogue cache and all, costs half of
			// one through the log, which the first session has to build anew.
			statement += " STRATEGY file_copy"
		}
		_, err = conn.Exec(ctx, statement)
		return err
	})
}

// DropDatabase removes a database and ends the sessions in it.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	return p.administer(ctx, "drop database "+name, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
		return err
	})
}

// Dump is a database as pg_dump writes it: text, schema and data.
func (p *Postgres) Dump(ctx context.Context, name string) ([]byte, error) {
	binaries, err := findPostgres()
	if err != nil {
		return nil, err
	}
	cmd := p.home.command(ctx, filepath.Join(binaries, "pg_dump"), "--dbname", p.DatabaseURL(name))
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("dump database %s: %w", name, err)
	}
	return text, nil
}

func (p *Postgres) administer(ctx context.Context, what string, do func(*pgx.Conn) error) error {
	conn, err := p.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := do(conn); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Stop ends the cluster and waits: sessions are cut off, data is flushed. A
// second call does nothing.
func (p *Postgres) Stop() error { return p.end(syscall.SIGINT) }

// Remove ends the cluster, without a flush that nobody reads, and deletes it
// wherever it lies.
func (p *Postgres) Remove() error {
	return errors.Join(p.end(syscall.SIGQUIT), os.RemoveAll(p.home.path))
}

func (p *Postgres) end(signal syscall.Signal) error {
	var err error
	if p.proc != nil {
		err = p.proc.stop(signal, postgresEnd)
	}
	if p.lock != nil {
		_ = p.lock.Close()
	}
	return err
}

// findPostgres is the folder of initdb and postgres: on PATH, or Debian's, the
// newest version first.
func findPostgres() (string, error) {
	for _, name := range []string{"postgres", "initdb"} {
		if path, err := exec.LookPath(name); err == nil {
			if path, err = filepath.EvalSymlinks(path); err == nil && hasServer(filepath.Dir(path)) {
				return filepath.Dir(path), nil
			}
		}
	}
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed
	slices.SortFunc(folders, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a) // 9.6 before 15 as text
		}
		return strings.Compare(b, a)
	})
	for _, folder := range folders {
		if hasServer(folder) {
			return folder, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: run `make deps`")
}

func hasServer(folder string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := exec.LookPath(filepath.Join(folder, name)); err != nil {
			return false
		}
	}
	return true
}
