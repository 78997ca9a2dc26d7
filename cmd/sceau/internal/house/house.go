// Package house wires Sceau's rooms together for one process: database, use
// cases, Vault, workers and doors. Every command of cmd/sceau opens one, the
// demonstration too, so that what is shown is what runs.
//
// It holds no rule of its own and never reads a flag or the environment: the
// commands give it what it needs, the clock among it. Data runs in as
// configuration and out as handlers and clients.
package house

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/hsm"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/passkey"
	"sceau/safe"
	"sceau/store"
)

// Config is what every process needs.
type Config struct {
	DatabaseURL string
	Policy      issuance.Policy
	Vault       *hsm.Client // opens the safe; nil: this process deals with no card number
	TestNames   bool        // certificates are for test: their names say so (RGS A4 II.4)
	Now         func() time.Time
	Logger      *slog.Logger
}

// House is a process's rooms.
type House struct {
	Pool    *pgxpool.Pool
	Store   *store.Store
	Service *issuance.Service

	Passkeys *passkey.RelyingParty // of the API; nil: it asks for none

	safe   *safe.Safe
	config Config
	synced sync.Map // by file: the number of the list that this process wrote there
}

// Open connects to the database and opens the use cases. Close it.
func Open(ctx context.Context, c Config) (*House, error) {
	if c.DatabaseURL == "" {
		return nil, fmt.Errorf("%w: no database: set --database-url, --database-url-file or SCEAU_DATABASE_URL", lifecycle.Invalid)
	}
	pool, err := openPool(ctx, c.DatabaseURL)
	if err != nil {
		return nil, err
	}
	h := &House{Pool: pool, Store: store.New(pool), config: c}
	if err := h.open(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return h, nil
}

func (h *House) open(ctx context.Context) error {
	queue, err := jobs.NewEnqueuer()
	if err != nil {
		return err
	}
	if h.config.Vault != nil {
		if h.safe, err = openSafe(ctx, h.config.DatabaseURL, h.Store, h.config.Vault, h.config.Now()); err != nil {
			return err
		}
	}
	h.Service, err = issuance.New(h.Store, h.safe, queue, jobs.CSRChecker{Test: h.config.TestNames}, h.config.Policy, h.config.Now)
	return err
}

// Close releases the database.
func (h *House) Close() { h.Pool.Close() }

func openPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil { // its text may quote the password
		return nil, fmt.Errorf("%w: the database URL cannot be read: use postgres://user@host/database", lifecycle.Invalid)
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	config.ConnConfig.RuntimeParams["application_name"] = "sceau"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("%w: the database does not answer: %w", lifecycle.Unavailable, err)
	}
	return pool, nil
}

// Migrate brings the schema, then River's tables, then the rights of each kind
// of process to this version.
func Migrate(ctx context.Context, databaseURL string) error {
	if err := migrations.Up(ctx, databaseURL); err != nil {
		return err
	}
	pool, err := openPool(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := jobs.Migrate(ctx, pool); err != nil {
		return err
	}
	return migrations.Grant(ctx, databaseURL)
}

func isNotFound(err error) bool { return errors.Is(err, lifecycle.NotFound) }
