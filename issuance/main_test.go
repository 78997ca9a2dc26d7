package issuance_test

import (
	"context"
	"flag"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/internal/testenv"
	"sceau/jobs"
	"sceau/migrations"
)

func TestMain(m *testing.M) {
	// A life of a card is some twenty steps: fewer walks, but longer ones.
	for name, value := range map[string]string{"rapid.checks": "20", "rapid.steps": "120"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	testenv.Main(m, testenv.WithMigrations(migrate))
}

func migrate(ctx context.Context, url string) error {
	if err := migrations.Up(ctx, url); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := jobs.Migrate(ctx, pool); err != nil {
		return err
	}
	return migrations.Grant(ctx, url)
}
