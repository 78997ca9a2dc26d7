package issuance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// CRLEntries are the entries of a publication, each encoded and good until the
// next is drawn, in the order of their serials, with how many were drawn. They are
// read as they are drawn, in one moment of the database, and only until the call
// returns.
type CRLEntries struct {
	Full, Delta iter.Seq2[[]byte, error]
	Read        int // of the full list

	// Last is the list that this one follows, and Changed what changed since it was
	// read: together they are the full list, without the rest being read. Nil where
	// it is to be made of Full.
	Last    io.Reader
	Changed iter.Seq2[[]byte, error]
}

// mostChanged bounds what is held of changes; with more of them the list is made anew.
const mostChanged = 50_000

// ReadCRL hands a plan's entries to use, which draws the full list's first. The
// lists cover every change of status that was committed by now, also later than
// the plan, and are of this moment. A revoked certificate that has expired stands on one scheduled list made
// after its end (RFC 5280 §3.3), or for ever where the issuer keeps expired ones.
// Those of the house's own certificates stand among the others.
//
// Scheduled lists are made of all rows. One between two of them may be made of the
// one before it: whoever has not changed since stands there as the rows would say,
// since neither lets anybody go but who was released.
func (s *Service) ReadCRL(ctx context.Context, plan *CRLPlan, use func(e *CRLEntries) error) error {
	shard := int32(plan.Shard) //nolint:gosec // below 1024
	return s.store.Snapshot(ctx, func(tx store.Tx) error {
		var err error
		plan.revision, err = tx.CRLRevision(ctx, plan.Issuer, shard)
		if err != nil {
			return fmt.Errorf("CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
		}
		if plan.revision < plan.atLeast { // a replica that is behind would leave revocations out
			return fmt.Errorf("CRL %s/%d: %w: the database shows %d changes of status, %d were committed before: is this a replica?",
				plan.Issuer, plan.Shard, lifecycle.Unavailable, plan.revision, plan.atLeast)
		}
		plan.covered = true
		plan.readAt(s.now())
		e := &CRLEntries{}
		e.Full = plan.drawn(func(each func([]byte) error) error {
			return tx.ListedEntries(ctx, db.ListedEntriesParams{
				IssuerID: &plan.Issuer, Shard: &shard, KeepAll: plan.keepExpired, KeptSince: &plan.keptSince, KeptRevision: plan.keptRevision,
			}, func(entry []byte) error {
				e.Read++
				return each(entry)
			})
		})
		since := func(revision int64) func(each func([]byte) error) error {
			return func(each func([]byte) error) error {
				return tx.ChangedEntries(ctx, db.ChangedEntriesParams{
					IssuerID: &plan.Issuer, Shard: &shard, Since: revision, Upto: plan.revision,
				}, each)
			}
		}
		e.Delta = plan.drawn(since(plan.baseRevision))
		if before := plan.Previous.revision; plan.amends && plan.revision-before <= mostChanged {
			e.Last = newPieces(ctx, tx.CRLPieces, plan.Issuer, plan.Shard, plan.Previous, false)
			e.Changed = plan.drawn(collected(since(before)))
		}
		return use(e)
	})
}

// readAt makes the lists of the moment at which their entries are read: whoever was
// revoked since the plan stands on them, and no entry may be of after thisUpdate.
func (p *CRLPlan) readAt(now time.Time) {
	now = now.Truncate(time.Second)
	if !now.After(p.ThisUpdate) {
		return
	}
	if !p.Last {
		p.NextUpdate = p.NextUpdate.Add(now.Sub(p.ThisUpdate))
	}
	p.ThisUpdate = now
}

// collected reads all before it gives any: meanwhile the connection is free.
func collected(read func(each func([]byte) error) error) func(each func([]byte) error) error {
	return func(each func([]byte) error) error {
		var all [][]byte
		err := read(func(entry []byte) error {
			all = append(all, bytes.Clone(entry))
			return nil
		})
		for _, entry := range all {
			if err == nil {
				err = each(entry)
			}
		}
		return err
	}
}

// errEnough is that whoever draws wants no more.
var errEnough = errors.New("enough")

// drawn gives what is read one by one to whoever draws.
func (p *CRLPlan) drawn(read func(each func([]byte) error) error) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		err := read(func(entry []byte) error {
			if !yield(entry, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, fmt.Errorf("entries of CRL %s/%d: %w", p.Issuer, p.Shard, err))
		}
	}
}

// MayLeave tells which serials of the previous list must not be missing in the
// next: their hold was not released, and their certificate had not expired when
// it was listed.
func (s *Service) MayLeave(ctx context.Context, plan CRLPlan, serials []lifecycle.Serial) (kept []lifecycle.Serial, err error) {
	const atOnce = 20_000
	for some := range slices.Chunk(serials, atOnce) {
		asked := make([][]byte, len(some))
		for i := range some {
			asked[i] = some[i][:]
		}
		rows, err := s.store.MayNotLeave(ctx, db.MayNotLeaveParams{
			Serials: asked, IssuerID: &plan.Issuer, ReleasedSince: plan.Previous.revision, KeepAll: plan.keepExpired, KeptSince: &plan.keptSince,
		})
		if err != nil {
			return nil, fmt.Errorf("who may leave CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
		}
		for _, r := range rows {
			kept = append(kept, lifecycle.Serial(r))
		}
	}
	return kept, nil
}

// CRLHead tells of published lists without their bytes.
type CRLHead struct {
	Number                 int64
	ThisUpdate, NextUpdate time.Time
	SHA256                 []byte // of the full list
	FullSize, DeltaSize    int    // octets; 0: no delta

	revision   int64
	baseNumber int64 // of the list that its delta completes; 0: none
}

// HeadCRL tells of a shard's newest published lists.
func (s *Service) HeadCRL(ctx context.Context, issuer string, shard int) (CRLHead, error) {
	return newestCRL(ctx, s.store.Queries, issuer, shard)
}

func newestCRL(ctx context.Context, q *db.Queries, issuer string, shard int) (CRLHead, error) {
	c, err := q.NewestPublishedCRL(ctx, issuer, int32(shard)) //nolint:gosec // below 1024
	if err != nil {
		return CRLHead{}, fmt.Errorf("CRL %s/%d: %w", issuer, shard, err)
	}
	return CRLHead{
		Number: c.Number, ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate, SHA256: c.SHA256,
		FullSize: int(c.FullSize), DeltaSize: int(c.DeltaSize), revision: c.Revision, baseNumber: c.BaseNumber,
	}, nil
}

// PublishedCRL is a shard's newest lists, for the folder they are served from.
type PublishedCRL struct {
	Number      int64
	Full, Delta []byte
}

// NewestCRL reads the newest published lists of a shard.
func (s *Service) NewestCRL(ctx context.Context, issuer string, shard int) (PublishedCRL, error) {
	head, err := s.HeadCRL(ctx, issuer, shard)
	if err != nil {
		return PublishedCRL{}, err
	}
	published := PublishedCRL{Number: head.Number}
	if published.Full, err = read(s.OpenCRL(ctx, issuer, shard, head, false), head.FullSize); err != nil {
		return PublishedCRL{}, err
	}
	if head.DeltaSize > 0 {
		published.Delta, err = read(s.OpenCRL(ctx, issuer, shard, head, true), head.DeltaSize)
	}
	return published, err
}

func read(from io.Reader, size int) ([]byte, error) {
	all := make([]byte, size)
	_, err := io.ReadFull(from, all)
	return all, err //nolint:wrapcheck // the reader says of which list
}

// OpenCRL reads a published list, or the delta that went with it, a piece at
// a time; nil when there is none.
func (s *Service) OpenCRL(ctx context.Context, issuer string, shard int, head CRLHead, delta bool) io.Reader {
	return newPieces(ctx, s.store.CRLPieces, issuer, shard, head, delta)
}

func newPieces(ctx context.Context, read readPieces, issuer string, shard int, head CRLHead, delta bool) io.Reader {
	size := head.FullSize
	if delta {
		size = head.DeltaSize
	}
	if head.Number == 0 || size == 0 {
		return nil
	}
	of := db.CRLPiecesParams{IssuerID: issuer, Shard: int32(shard), Number: head.Number, Delta: delta, MaxRows: piecesAtOnce} //nolint:gosec // below 1024
	return &pieces{ctx: ctx, read: read, of: of, size: size}
}

// readPieces reads from the store, or in a transaction.
type readPieces func(ctx context.Context, p db.CRLPiecesParams, each func(piece []byte) error) error

// A list is kept in pieces that fill a page of the database each.
const (
	pieceSize    = 7900
	piecesAtOnce = 32
)

// putPiecesTx stores a list.
func putPiecesTx(ctx context.Context, tx store.Tx, plan CRLPlan, delta bool, der []byte) error {
	rows := make([]db.PutCRLPiecesParams, 0, (len(der)+pieceSize-1)/pieceSize)
	start := 0
	for piece := range slices.Chunk(der, pieceSize) {
		rows = append(rows, db.PutCRLPiecesParams{
			IssuerID: plan.Issuer, Shard: int32(plan.Shard), Number: plan.Number, Delta: delta, Start: int32(start), DER: piece, //nolint:gosec // a list is shorter than a gigabyte
		})
		start += len(piece)
	}
	if _, err := tx.PutCRLPieces(ctx, rows); err != nil {
		return fmt.Errorf("store CRL %s/%d number %d: %w", plan.Issuer, plan.Shard, plan.Number, err)
	}
	return nil
}

// pieces reads a list's bytes, some pieces at a time.
type pieces struct {
	ctx  context.Context //nolint:containedctx // a reader's
	read readPieces
	of   db.CRLPiecesParams // its Start: where the next piece begins
	size int                // of the list
	some []byte             // read ahead, the same memory each time
	rest []byte             // of it, what nobody has taken yet
}

// Read gives the next octets.
func (p *pieces) Read(into []byte) (int, error) {
	if len(p.rest) == 0 {
		if int(p.of.Start) >= p.size {
			return 0, io.EOF
		}
		p.some = p.some[:0]
		err := p.read(p.ctx, p.of, func(piece []byte) error {
			p.some = append(p.some, piece...)
			return nil
		})
		if err == nil && len(p.some) == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, fmt.Errorf("read CRL %s/%d number %d: %w", p.of.IssuerID, p.of.Shard, p.of.Number, err)
		}
		p.of.Start += int32(len(p.some)) //nolint:gosec // a list is shorter than a gigabyte
		p.rest = p.some
	}
	n := copy(into, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
