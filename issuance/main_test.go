package issuance_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/internal/testenv"
	"sceau/jobs"
	"sceau/migrations"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.WithMigrations(migrate)) }

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
