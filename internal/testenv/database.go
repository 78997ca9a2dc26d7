package testenv

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"sceau/internal/devenv"
)

// Database gives the URL of a fresh database with the schema of
// [WithMigrations], for this test alone; it is dropped when the test ends,
// sessions or not.
func Database(t testing.TB) string {
	t.Helper()
	postgres := Postgres(t)
	name := fmt.Sprintf("test_%d", shared.names.Add(1))
	if err := postgres.CreateDatabase(t.Context(), name, templateName); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := postgres.DropDatabase(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	return postgres.DatabaseURL(name)
}

// DatabaseAs is the URL of the same database for another role.
func DatabaseAs(t testing.TB, url, role string) string {
	t.Helper()
	as, err := asRole(url, role)
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// Postgres is the cluster of this test binary, for tests that need more than
// one database. Roles are shared by all of its databases: a test that makes one
// gives it a name of its own.
func Postgres(t testing.TB) *devenv.Postgres {
	t.Helper()
	postgres, err := shared.postgres.get(shared.startPostgres)
	if err != nil {
		t.Fatalf("start a private PostgreSQL: %v", err)
	}
	return postgres
}

func (e *environment) startPostgres() (*devenv.Postgres, error) {
	options, err := e.options("env")
	if err != nil {
		return nil, err
	}
	ctx, cancel := uptime()
	defer cancel()
	postgres, err := devenv.StartPostgres(ctx, options)
	if err != nil {
		return nil, err
	}
	err = postgres.CreateDatabase(ctx, templateName, "")
	if err == nil && e.migrate != nil {
		err = e.migrate(ctx, postgres.DatabaseURL(templateName))
	}
	if err != nil {
		if end := postgres.Remove(); end != nil {
			return nil, fmt.Errorf("%w; then %w", err, end)
		}
		return nil, fmt.Errorf("prepare the template database: %w", err)
	}
	return postgres, nil
}

// asRole puts another role in a database URL.
func asRole(address, role string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("read a database URL: %w", err)
	}
	u.User = url.User(role)
	return u.String(), nil
}
