package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/store/db"
)

// Store is the way to the database. Its methods are safe for concurrent use.
type Store struct {
	*db.Queries // reads outside a transaction

	pool *pgxpool.Pool
}

// Tx is one transaction: the queries, bound to it. Whoever holds one makes no
// network call but to the database.
type Tx struct {
	*db.Queries

	tx pgx.Tx
}

// Pgx is the transaction itself, for the enqueuer that inserts a job in it.
func (t Tx) Pgx() pgx.Tx { return t.tx }

// New makes a store on a pool that the caller closes.
func New(pool *pgxpool.Pool) *Store {
	return &Store{Queries: db.New(translated{pool}), pool: pool}
}

// Pool is what River and the health check need.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// InTx runs work in one READ COMMITTED transaction and commits it when work
// returns nil. Correctness rests on row locks, unique constraints and
// compare-and-set, never on the isolation level.
func (s *Store) InTx(ctx context.Context, work func(tx Tx) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		t := Tx{Queries: db.New(translated{tx}), tx: tx}
		if err := work(t); err != nil {
			return err
		}
		if m, ok := ctx.Value(marking{}).(*marked); ok {
			return m.mark(ctx, t, m.made)
		}
		return nil
	})
	if err != nil {
		return kindOf(err)
	}
	return nil
}

type marking struct{}

type marked struct {
	mark func(ctx context.Context, tx Tx, made string) error
	made string
}

// Marking has every transaction of a context write a mark before it commits: that a
// request which its caller named has acted, and what it made ([Made]).
func Marking(ctx context.Context, mark func(ctx context.Context, tx Tx, made string) error) context.Context {
	return context.WithValue(ctx, marking{}, &marked{mark: mark})
}

// Made names the thing that a request makes, for the mark.
func Made(ctx context.Context, thing string) {
	if m, ok := ctx.Value(marking{}).(*marked); ok {
		m.made = thing
	}
}

// Snapshot runs reads that see one moment of the database, however many they are
// and whatever is committed meanwhile.
func (s *Store) Snapshot(ctx context.Context, read func(tx Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		return read(Tx{Queries: db.New(translated{tx}), tx: tx})
	})
	if err != nil {
		return kindOf(err)
	}
	return nil
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping database: %w", kindOf(err))
	}
	return nil
}
