package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"sceau/store/db"
)

// ListedEntries hands on the entries of a full list in the order of their
// serials, each good until the next: a million of them are nowhere held. An error
// of each ends it.
func (t Tx) ListedEntries(ctx context.Context, p db.ListedEntriesParams, each func(entry []byte) error) error {
	_, err := db.New(handing{translated{t.tx}, each}).ListedEntries(ctx, p)
	return err
}

// ChangedEntries does the same for what changed between two revisions.
func (t Tx) ChangedEntries(ctx context.Context, p db.ChangedEntriesParams, each func(entry []byte) error) error {
	_, err := db.New(handing{translated{t.tx}, each}).ChangedEntries(ctx, p)
	return err
}

// CRLPieces hands on pieces of a published list.
func (s *Store) CRLPieces(ctx context.Context, p db.CRLPiecesParams, each func(piece []byte) error) error {
	_, err := db.New(handing{translated{s.pool}, each}).CRLPieces(ctx, p)
	return err
}

// CRLPieces does the same in a transaction.
func (t Tx) CRLPieces(ctx context.Context, p db.CRLPiecesParams, each func(piece []byte) error) error {
	_, err := db.New(handing{translated{t.tx}, each}).CRLPieces(ctx, p)
	return err
}

// handing runs queries of one column of octets and hands each value on as it
// comes. The code that sqlc made, which would collect them, sees none.
type handing struct {
	db.DBTX

	each func(value []byte) error
}

func (h handing) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := h.DBTX.Query(ctx, sql, args...)
	return &handedRows{Rows: rows, each: h.each}, err
}

type handedRows struct {
	pgx.Rows

	each func(value []byte) error
	err  error
}

func (r *handedRows) Next() bool {
	for r.err == nil && r.Rows.Next() {
		if r.FieldDescriptions()[0].Format != pgx.BinaryFormatCode {
			r.err = errors.New("the database's octets do not come as octets")
			break
		}
		r.err = r.each(r.RawValues()[0])
	}
	return false
}

func (r *handedRows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.Rows.Err() //nolint:wrapcheck // translated
}

// EveryStatus hands on all statuses, some at a time: of each what is said of it, and
// no answer.
func (s *Store) EveryStatus(ctx context.Context, each func([]db.EveryStatusRow)) error {
	return inPages(ctx, s, (*db.Queries).EveryStatus, each)
}

// EveryAnswer does the same for answers signed ahead.
func (s *Store) EveryAnswer(ctx context.Context, each func([]db.EveryAnswerRow)) error {
	return inPages(ctx, s, (*db.Queries).EveryAnswer, each)
}

// pageOfRows is how many rows are in memory at a time.
const pageOfRows = 5000

// inPages runs one statement and hands its rows on a page at a time. The code that
// sqlc made, which would collect them all, is called for each page.
func inPages[T any](ctx context.Context, s *Store, query func(*db.Queries, context.Context) ([]T, error), each func([]T)) error {
	p := &paging{DBTX: translated{s.pool}, size: pageOfRows}
	defer p.close()
	for !p.ended {
		page, err := query(db.New(p), ctx)
		if err != nil {
			return err
		}
		each(page)
	}
	return nil
}

// paging runs a query once, and gives the next page of its rows each time it is asked.
type paging struct {
	db.DBTX

	size  int
	rows  pgx.Rows
	ended bool
}

func (p *paging) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if p.rows == nil {
		rows, err := p.DBTX.Query(ctx, sql, args...)
		if err != nil {
			return nil, err //nolint:wrapcheck // translated
		}
		p.rows = rows
	}
	return &pageRows{p.rows, p, p.size}, nil
}

func (p *paging) close() {
	if p.rows != nil {
		p.rows.Close()
	}
}

type pageRows struct {
	pgx.Rows

	of   *paging
	left int
}

// Close leaves the rows open for the next page.
func (r *pageRows) Close() {}

// Next goes to the next row of the page.
func (r *pageRows) Next() bool {
	if r.left == 0 {
		return false
	}
	r.left--
	more := r.Rows.Next()
	r.of.ended = !more
	return more
}
