// Package migrations holds the schema, forward only, and applies it under a
// session lock so that several processes may start at once; and the rights of
// each kind of process. It never repairs data in Go and imports no other room;
// River's own tables are applied by jobs between schema and rights.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver that goose needs
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

//go:embed grants/roles.sql
var roles string

// The roles of the processes; grants/roles.sql says what each may do.
const (
	RoleApp    = "sceau_app"
	RolePIN    = "sceau_pin"
	RoleHolder = "sceau_holder"
	RolePublic = "sceau_public"
)

// Up brings the database to the newest version. It is safe to call from
// several processes at once, and again.
func Up(ctx context.Context, databaseURL string) error {
	db, err := sql.Open("pgx", databaseURL)
	if err != nil {
		return fmt.Errorf("open database for migration: %w", err)
	}
	defer func() { _ = db.Close() }()
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("make migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// Grant gives each kind of process its rights, once all tables are there. It
// needs the right to create roles where they are missing.
func Grant(ctx context.Context, databaseURL string) error {
	db, err := sql.Open("pgx", databaseURL)
	if err != nil {
		return fmt.Errorf("open database for its roles: %w", err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("give roles their rights: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, roles); err != nil {
		return fmt.Errorf("give roles their rights: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("give roles their rights: %w", err)
	}
	return nil
}
