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
