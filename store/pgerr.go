package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sceau/lifecycle"
	"sceau/store/db"
)

// kindOf gives a database error the kind by which callers decide. An error
// that has a kind already, or none, stays as it is.
func kindOf(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[lifecycle.Kind](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err // the caller left: the database is not away
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%w: no such row", lifecycle.NotFound)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		if k, ok := kindOfSQLState(pg.Code); ok {
			// The message names the constraint, never the row's values: those
			// stand in Detail.
			return fmt.Errorf("%w: %s (%s)", k, pg.Message, pg.Code)
		}
		return err
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) {
		return fmt.Errorf("%w: database: %w", lifecycle.Unavailable, err)
	}
	return err
}

// kindOfSQLState sorts the SQLSTATEs (PostgreSQL appendix A) that a caller can
// act on.
func kindOfSQLState(code string) (lifecycle.Kind, bool) {
	switch {
	case code == "23505": // unique_violation
		return lifecycle.Conflict, true
	case code == "40001", code == "40P01", code == "55P03": // serialization, deadlock, lock not available
		return lifecycle.Conflict, true
	case strings.HasPrefix(code, "23"), strings.HasPrefix(code, "22"): // other constraints, bad data
		return lifecycle.Invalid, true
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "53"):
		return lifecycle.Unavailable, true // connection, shutdown, out of resources
	}
	return "", false
}

// translated puts kindOf around every query that sqlc generated.
type translated struct{ db.DBTX }

func (t translated) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := t.DBTX.Exec(ctx, sql, args...)
	return tag, kindOf(err)
}

func (t translated) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := t.DBTX.Query(ctx, sql, args...)
	return translatedRows{rows}, kindOf(err)
}

func (t translated) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return translatedRow{t.DBTX.QueryRow(ctx, sql, args...)}
}

func (t translated) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	n, err := t.DBTX.CopyFrom(ctx, table, columns, rows)
	return n, kindOf(err)
}

type translatedRow struct{ pgx.Row }

func (r translatedRow) Scan(dest ...any) error { return kindOf(r.Row.Scan(dest...)) }

type translatedRows struct{ pgx.Rows }

func (r translatedRows) Err() error { return kindOf(r.Rows.Err()) }
