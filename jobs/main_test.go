package jobs

import (
	"testing"

	"sceau/internal/testenv"
	"sceau/migrations"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.WithMigrations(migrations.Up)) }
