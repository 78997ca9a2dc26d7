package issuance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// entriesOfPage is how many entries are read at once: some 900 KiB.
const entriesOfPage = 20_000

// CRLEntries are the entries of a publication, each a run of encoded ones in the
// order of their serials, with how many there were so far. They are read as they
// are drawn, in one moment of the database, and only until the call returns.
type CRLEntries struct {
	Full, Delta iter.Seq2[[]byte, error]
	Read        int // of the full list

	ctx  context.Context //nolint:containedctx // of the call that hands it out
	tx   store.Tx
	plan *CRLPlan
}

// ReadCRL hands a plan's entries to use, which draws the full list's first. The
// lists cover every change of status that was committed by now, also later than
// the plan. A revoked certificate that has expired is listed once after its end
// (RFC 5280 §3.3), or for ever where the issuer keeps expired ones.
func (s *Service) ReadCRL(ctx context.Context, plan *CRLPlan, use func(e *CRLEntries) error) error {
	return s.store.Snapshot(ctx, func(tx store.Tx) error {
		var err error
		plan.revision, err = tx.CRLRevision(ctx, plan.Issuer, int32(plan.Shard)) //nolint:gosec // below 1024
		if err != nil {
			return fmt.Errorf("CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
		}
		if plan.revision < plan.atLeast { // a replica that is behind would leave revocations out
			return fmt.Errorf("CRL %s/%d: %w: the database shows %d changes of status, %d were committed before: is this a replica?",
				plan.Issuer, plan.Shard, lifecycle.Unavailable, plan.revision, plan.atLeast)
		}
		plan.covered = true
		e := &CRLEntries{ctx: ctx, tx: tx, plan: plan}
		e.Full = e.runs(-1, func(after, before []byte) (int32, []byte, []byte, error) {
			r, err := tx.ListedPage(ctx, db.ListedPageParams{
				IssuerID: &plan.Issuer, Shard: new(int32(plan.Shard)), After: after, Before: before, KeepAll: plan.keepExpired, //nolint:gosec // below 1024
				KeptSince: &plan.Previous.ThisUpdate, KeptRevision: plan.Previous.revision, MaxRows: entriesOfPage,
			})
			e.Read += int(r.Entries)
			return r.Entries, r.DER, r.Last, err
		}, func(int) { e.Read++ })
		e.Delta = e.runs(plan.baseRevision, func(after, before []byte) (int32, []byte, []byte, error) {
			r, err := tx.ChangedPage(ctx, db.ChangedPageParams{
				IssuerID: &plan.Issuer, Shard: new(int32(plan.Shard)), Since: plan.baseRevision, After: after, Before: before, //nolint:gosec // below 1024
				KeepAll: plan.keepExpired, KeptSince: &plan.Previous.ThisUpdate, KeptRevision: plan.Previous.revision, MaxRows: entriesOfPage,
			})
			return r.Entries, r.DER, r.Last, err
		}, func(int) {})
		return use(e)
	})
}

// page reads the entries between two serials, neither included, and gives the
// last serial that it read.
type page func(after, before []byte) (entries int32, der, last []byte, err error)

// afterAll is above every serial.
var afterAll = bytes.Repeat([]byte{0xff}, len(lifecycle.Serial{})+1)

// runs gives certificates' entries page by page, and those of the house's own,
// which are few, in their places between.
func (e *CRLEntries) runs(since int64, read page, own func(int)) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ours, err := e.tx.HouseListed(e.ctx, db.HouseListedParams{
			IssuerID: e.plan.Issuer, Shard: int32(e.plan.Shard), Since: since, KeepAll: e.plan.keepExpired, //nolint:gosec // below 1024
			KeptSince: &e.plan.Previous.ThisUpdate, KeptRevision: e.plan.Previous.revision,
		})
		if err != nil {
			yield(nil, fmt.Errorf("entries of CRL %s/%d: %w", e.plan.Issuer, e.plan.Shard, err))
			return
		}
		after := []byte{}
		for _, next := range append(ours, db.HouseListedRow{Serial: afterAll}) {
			for {
				n, der, last, err := read(after, next.Serial)
				if err != nil {
					yield(nil, fmt.Errorf("entries of CRL %s/%d: %w", e.plan.Issuer, e.plan.Shard, err))
					return
				}
				if n > 0 && !yield(der, nil) {
					return
				}
				if n < entriesOfPage {
					break
				}
				after = last
			}
			if next.CRLEntry == nil {
				return
			}
			own(1)
			if !yield(next.CRLEntry, nil) {
				return
			}
			after = next.Serial
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
			Serials: asked, IssuerID: &plan.Issuer, KeptRevision: plan.Previous.revision, KeepAll: plan.keepExpired,
			KeptSince: &plan.Previous.ThisUpdate,
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

	revision int64
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
		FullSize: int(c.FullSize), DeltaSize: int(c.DeltaSize), revision: c.Revision,
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
	r := &pieces{ctx: ctx, q: s.store.Queries, issuer: issuer, shard: int32(shard), number: head.Number, delta: delta, size: head.FullSize} //nolint:gosec // below 1024
	if delta {
		r.size = head.DeltaSize
	}
	if head.Number == 0 || r.size == 0 {
		return nil
	}
	return r
}

// pieces reads a list's bytes piece by piece.
type pieces struct {
	ctx    context.Context //nolint:containedctx // a reader's
	q      *db.Queries
	issuer string
	shard  int32
	number int64
	delta  bool
	size   int // of the list
	at     int // octets that were read from the database
	piece  []byte
}

const pieceSize = 1 << 20

// Read gives the next octets.
func (p *pieces) Read(into []byte) (int, error) {
	if len(p.piece) == 0 {
		if p.at >= p.size {
			return 0, io.EOF
		}
		var err error
		if p.piece, err = p.next(); err != nil {
			return 0, fmt.Errorf("read CRL %s/%d number %d: %w", p.issuer, p.shard, p.number, err)
		}
		if len(p.piece) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
		p.at += len(p.piece)
	}
	n := copy(into, p.piece)
	p.piece = p.piece[n:]
	return n, nil
}

//nolint:gosec // a list is shorter than a gigabyte
func (p *pieces) next() ([]byte, error) {
	start := int32(p.at) + 1
	if p.delta {
		return p.q.DeltaCRLPiece(p.ctx, db.DeltaCRLPieceParams{Start: start, Length: pieceSize, IssuerID: p.issuer, Shard: p.shard, Number: p.number})
	}
	return p.q.FullCRLPiece(p.ctx, db.FullCRLPieceParams{Start: start, Length: pieceSize, IssuerID: p.issuer, Shard: p.shard, Number: p.number})
}
