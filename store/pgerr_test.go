package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sceau/lifecycle"
)

func TestSQLStatesAreSortedByWhatACallerCanDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, code string
		want       lifecycle.Kind // empty: none
	}{
		{"unique violation", "23505", lifecycle.Conflict},
		{"serialization failure", "40001", lifecycle.Conflict},
		{"deadlock", "40P01", lifecycle.Conflict},
		{"lock not available", "55P03", lifecycle.Conflict},
		{"not null violation", "23502", lifecycle.Invalid},
		{"foreign key violation", "23503", lifecycle.Invalid},
		{"check violation", "23514", lifecycle.Invalid},
		{"bad label of an enum", "22P02", lifecycle.Invalid},
		{"bad character", "22021", lifecycle.Invalid},
		{"connection failure", "08006", lifecycle.Unavailable},
		{"administrator's shutdown", "57P01", lifecycle.Unavailable},
		{"crash shutdown", "57P02", lifecycle.Unavailable},
		{"starting up", "57P03", lifecycle.Unavailable},
		{"disk full", "53100", lifecycle.Unavailable},
		{"too many connections", "53300", lifecycle.Unavailable},
		{"query cancelled", "57014", ""},
		{"syntax error", "42601", ""},
		{"raised by a trigger", "P0001", ""},
		{"internal error", "XX000", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pg := &pgconn.PgError{Code: test.code, Message: "the message", Detail: "Key (name)=(a secret)"}
			err := kindOf(pg)
			if test.want == "" {
				if !errors.Is(err, pg) || hasKind(err) {
					t.Errorf("error = %v, want it unchanged", err)
				}
				return
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.code) {
				t.Errorf("error = %v, want %q with its SQLSTATE", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a row's value: %v", err)
			}
		})
	}
}

func hasKind(err error) bool {
	var kind lifecycle.Kind
	return errors.As(err, &kind)
}

// failures are what a real server answers, each met in a transaction of its
// own.
func failures(s *Store) map[string]struct {
	do   func(ctx context.Context, tx Tx) error
	want lifecycle.Kind
} {
	type failure = struct {
		do   func(ctx context.Context, tx Tx) error
		want lifecycle.Kind
	}
	execute := func(sql string) func(ctx context.Context, tx Tx) error {
		return func(ctx context.Context, tx Tx) error {
			_, err := tx.Pgx().Exec(ctx, sql)
			return err
		}
	}
	return map[string]failure{
		"a row that is not there": {func(ctx context.Context, tx Tx) error {
			_, err := tx.LockOrder(ctx, "O-0")
			return err
		}, lifecycle.NotFound},
		"the same client ID twice": {func(ctx context.Context, tx Tx) error {
			if err := tx.InsertCompany(ctx, company("CO-1", "40010000")); err != nil {
				return errors.New("the first company was refused")
			}
			return tx.InsertCompany(ctx, company("CO-2", "40010000"))
		}, lifecycle.Conflict},
		"a client ID of letters": {func(ctx context.Context, tx Tx) error {
			return tx.InsertCompany(ctx, company("CO-1", "ABCDEFGH"))
		}, lifecycle.Invalid},
		"a branch that is not there": {func(ctx context.Context, tx Tx) error {
			c := company("CO-1", "40010000")
			c.BranchID = "BR-NO"
			return tx.InsertCompany(ctx, c)
		}, lifecycle.Invalid},
		"a NUL in a text": {func(ctx context.Context, tx Tx) error {
			return tx.InsertBranch(ctx, branch("a\x00b"))
		}, lifecycle.Invalid},
		"a row that another transaction holds": {func(ctx context.Context, tx Tx) error {
			if _, err := tx.Pgx().Exec(ctx, "SET LOCAL lock_timeout = '20ms'; SELECT id FROM branch WHERE code = 'FR01' FOR UPDATE"); err != nil {
				return err
			}
			return s.InTx(ctx, func(other Tx) error {
				_, err := other.Pgx().Exec(ctx, "SELECT id FROM branch WHERE code = 'FR01' FOR UPDATE NOWAIT")
				return err
			})
		}, lifecycle.Conflict},
		"a session that the administrator ends": {execute("SELECT pg_terminate_backend(pg_backend_pid())"), lifecycle.Unavailable},
		"no such table":                         {execute("SELECT 1 FROM nowhere"), ""},
	}
}

func TestARealServersErrorsHaveTheirKinds(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := s.InsertBranch(t.Context(), branch("FR01")); err != nil {
		t.Fatal(err)
	}
	for name, f := range failures(s) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := s.InTx(t.Context(), func(tx Tx) error { return f.do(t.Context(), tx) })
			if err == nil {
				t.Fatal("no error")
			}
			if f.want == "" && hasKind(err) || f.want != "" && !errors.Is(err, f.want) {
				t.Errorf("error = %v, want kind %q", err, f.want)
			}
			if strings.Contains(err.Error(), "40010000") || strings.Contains(err.Error(), "Secrets") {
				t.Errorf("the error shows a row's value: %v", err)
			}
		})
	}
}

func TestTwoThatWaitForEachOtherAreToldConflict(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, code := range []string{"FR01", "FR02"} {
		if err := s.InsertBranch(t.Context(), branch(code)); err != nil {
			t.Fatal(err)
		}
	}
	holding := make(chan struct{}, 2)
	both := make(chan struct{})
	answers := make(chan error, 2)
	for _, codes := range [][2]string{{"FR01", "FR02"}, {"FR02", "FR01"}} {
		go func() {
			answers <- s.InTx(t.Context(), func(tx Tx) error {
				lock := "SELECT id FROM branch WHERE code = $1 FOR UPDATE"
				if _, err := tx.Pgx().Exec(t.Context(), lock, codes[0]); err != nil {
					return err
				}
				holding <- struct{}{}
				<-both
				_, err := tx.Pgx().Exec(t.Context(), lock, codes[1])
				return err
			})
		}()
	}
	<-holding
	<-holding
	close(both)
	first, second := <-answers, <-answers
	if (first == nil) == (second == nil) {
		t.Fatalf("errors %v and %v, want one of the two", first, second)
	}
	if err := errors.Join(first, second); !errors.Is(err, lifecycle.Conflict) {
		t.Errorf("error = %v, want a conflict", err)
	}
}

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	s := openAt(t, "postgres://postgres@/nowhere?host="+t.TempDir())
	if err := s.Ping(t.Context()); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("ping: %v, want unavailable", err)
	}
	if err := s.InTx(t.Context(), func(Tx) error { return nil }); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("transaction: %v, want unavailable", err)
	}
	if _, err := s.CountAudit(t.Context()); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("query: %v, want unavailable", err)
	}
}

func TestADatabaseThatIsTooSlowIsUnavailableAndACallerWhoLeavesIsNot(t *testing.T) {
	t.Parallel()
	s := open(t)
	late, cancel := context.WithDeadline(t.Context(), noon) // long past
	defer cancel()
	if err := s.Ping(late); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("past the deadline: %v, want unavailable", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := s.CountAudit(gone); !errors.Is(err, context.Canceled) || errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("after the caller left: %v, want a cancellation without a kind", err)
	}
}

func TestTheServersClockIsReadOnlyToCompareIt(t *testing.T) {
	t.Parallel()
	at, err := open(t).Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(at); age < -time.Minute || age > time.Minute {
		t.Errorf("the server says %s", at)
	}
}
