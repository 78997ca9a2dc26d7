package issuance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// CRLEntry is what a list says of one certificate.
type CRLEntry struct {
	Serial         lifecycle.Serial
	At             time.Time
	Reason         lifecycle.RevocationReason // removeFromCRL for a released one, in deltas only
	InvalidityDate time.Time
}

// CRLPlan is a publication that a worker signs: the full list of a shard, and
// the delta since the last scheduled full list when there is one. The number is
// reserved; a plan that is never finished leaves it to the next.
type CRLPlan struct {
	Issuer     string
	Shard      int
	Number     int64
	BaseNumber int64 // of the list the delta completes; 0 for no delta
	Fence      int32
	Scheduled  bool
	ThisUpdate time.Time // of the moment at which the entries are read
	NextUpdate time.Time
	Previous   CRLHead // the lists that these follow; number 0 for the first
	Nothing    bool    // nothing has changed since them: no list is due
	Last       bool    // no list follows it: there is no delta, and it never ends
	UnderWay   bool    // another worker signs this shard's next list: look again in a moment

	revision, baseRevision int64     // what the lists cover: told when their entries are read
	atLeast                int64     // what had been committed when it began
	keepExpired, covered   bool      // covered: their entries were read
	amends                 bool      // the list is the last one and what changed since, not read anew
	keptSince              time.Time // who had expired by then, and not changed since a revision, has left
	keptRevision           int64
}

// Mark is what is raised before the lists may be served. It is known once their
// entries are read.
func (p CRLPlan) Mark() Mark { return Mark{p.Number, p.revision} }

// lastUpdate is the nextUpdate of a CA's last lists (EN 319 411-1 CSS-6.3.9-06).
var lastUpdate = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

func (h CRLHead) last() bool { return h.NextUpdate.Equal(lastUpdate) }

// crlLease is how long a worker has a list to itself. After it another takes
// over, and the late one loses on the fence. Without it, workers of revocations
// that follow each other closely would take the list from each other for ever.
const crlLease = time.Minute

// BeginCRL records the intent to publish a shard's lists. A list is due when a
// status has changed since the last one; a scheduled one also when the last
// scheduled one is older than the policy's interval. A database that stands
// below the shard's mark publishes nothing: [RestoredError].
func (s *Service) BeginCRL(ctx context.Context, issuer string, shard int, scheduled bool, mark Mark) (CRLPlan, error) {
	plan := CRLPlan{Issuer: issuer, Shard: shard, ThisUpdate: s.now().Truncate(time.Second)}
	plan.NextUpdate = plan.ThisUpdate.Add(s.policy.CRLValidity)
	n := int32(shard) //nolint:gosec // below 1024
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		// The lock waits for every revocation of the shard under way.
		row, err := tx.LockCRLShard(ctx, issuer, n)
		if err != nil {
			return fmt.Errorf("CRL %s/%d: %w", issuer, shard, err)
		}
		if has := (Mark{row.Number, row.Revision}); has.below(mark) {
			return &RestoredError{issuer, shard, has, mark}
		}
		if err := planIssuerTx(ctx, tx, &plan); err != nil || plan.Nothing {
			return err
		}
		plan.atLeast = row.Revision
		due, err := s.planBaseTx(ctx, tx, &plan, scheduled)
		if err != nil {
			return err
		}
		plan.Previous, err = newestCRL(ctx, tx.Queries, issuer, shard)
		if err != nil && !isNotFound(err) {
			return err
		}
		if err == nil && (!due && plan.Previous.revision == row.Revision || plan.Last && plan.Previous.last()) {
			plan.Nothing = true
			return nil
		}
		if plan.ThisUpdate.Before(plan.Previous.ThisUpdate) {
			return fmt.Errorf("CRL %s/%d: %w: the clock stands before the last list, of %s",
				issuer, shard, lifecycle.Conflict, plan.Previous.ThisUpdate.Format(time.RFC3339))
		}
		// A list that was taken back after a restore completes no base: what it says and
		// what the database says may differ.
		plan.amends = !due && (plan.Previous.Number == plan.BaseNumber || plan.Previous.baseNumber == plan.BaseNumber)
		plan.Scheduled = due
		return s.reserveCRLTx(ctx, tx, &plan, row.Number)
	})
	return plan, err
}

// planIssuerTx reads what is fixed for the issuer's lists.
func planIssuerTx(ctx context.Context, tx store.Tx, plan *CRLPlan) error {
	issuer, err := tx.Issuer(ctx, plan.Issuer)
	if err != nil {
		return fmt.Errorf("issuer %s: %w", plan.Issuer, err)
	}
	plan.keepExpired = issuer.KeepsExpired
	plan.Nothing = issuer.State == lifecycle.IssuerEnded
	if issuer.State == lifecycle.IssuerEnding {
		plan.Last, plan.NextUpdate = true, lastUpdate
	}
	if !issuer.Online { // signed at ceremonies, once a year at least (EN 319 411-1 CSS-6.3.9-12)
		plan.NextUpdate = plan.ThisUpdate.AddDate(1, 0, 0)
	}
	return nil
}

// planBaseTx finds the list that the delta completes, the last scheduled one, and
// tells whether the next scheduled one is due. An entry stands on one scheduled list
// that is made after its certificate's end (RFC 5280 §3.3), so that it leaves with
// the one after; lists between two scheduled ones let none go for that.
func (s *Service) planBaseTx(ctx context.Context, tx store.Tx, plan *CRLPlan, scheduled bool) (due bool, err error) {
	last, err := tx.NewestScheduledCRLs(ctx, plan.Issuer, int32(plan.Shard)) //nolint:gosec // below 1024
	if err != nil {
		return false, fmt.Errorf("base of CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
	}
	if len(last) == 0 {
		return true, nil
	}
	due = plan.Last || scheduled && !plan.ThisUpdate.Before(last[0].ThisUpdate.Add(s.policy.CRLInterval))
	if !plan.Last {
		plan.BaseNumber, plan.baseRevision = last[0].Number, last[0].Revision
	}
	if !due {
		last = last[1:]
	}
	if len(last) > 0 {
		plan.keptSince, plan.keptRevision = last[0].ThisUpdate, last[0].Revision
	}
	return due, nil
}

// reserveCRLTx takes the number after the highest that was ever reserved, or
// takes over one whose worker never finished.
func (s *Service) reserveCRLTx(ctx context.Context, tx store.Tx, plan *CRLPlan, highest int64) error {
	shard := int32(plan.Shard) //nolint:gosec // below 1024
	newest, err := tx.NewestCRL(ctx, plan.Issuer, shard)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
	}
	if isNotFound(err) || newest.SHA256 != nil || newest.Number < highest {
		plan.Number = max(newest.Number, highest) + 1
		err := tx.ReserveCRL(ctx, db.ReserveCRLParams{
			IssuerID: plan.Issuer, Shard: shard, Number: plan.Number, BaseNumber: plan.BaseNumber,
			Scheduled: plan.Scheduled, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.NextUpdate,
		})
		if err == nil {
			err = tx.RaiseCRLNumber(ctx, plan.Number, plan.Issuer, shard)
		}
		if err != nil {
			return fmt.Errorf("reserve CRL %s/%d number %d: %w", plan.Issuer, plan.Shard, plan.Number, err)
		}
	} else {
		if plan.ThisUpdate.Before(newest.ThisUpdate.Add(crlLease)) {
			plan.UnderWay = true
			return nil
		}
		plan.Number = newest.Number
	}
	plan.Fence, err = tx.FenceCRL(ctx, db.FenceCRLParams{
		BaseNumber: plan.BaseNumber, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.NextUpdate, Scheduled: plan.Scheduled,
		IssuerID: plan.Issuer, Shard: shard, Number: plan.Number,
	})
	if err != nil {
		return fmt.Errorf("CRL %s/%d number %d: %w", plan.Issuer, plan.Shard, plan.Number, err)
	}
	return nil
}

// keptFor is how long the bytes of scheduled lists are kept after their end (RGS:
// five years). Of those between two of them the last two are; the others are told
// by the trail and the hash.
const keptFor = 5 * 366 * 24 * time.Hour

// FinishCRL records the signed lists; only then may they be served. delta is nil
// when there is none.
func (s *Service) FinishCRL(ctx context.Context, plan CRLPlan, full, delta []byte, entries int, done Done) error {
	if !plan.covered {
		return fmt.Errorf("CRL %s/%d number %d: %w: its entries were never read", plan.Issuer, plan.Shard, plan.Number, lifecycle.Invalid)
	}
	shard, sum := int32(plan.Shard), sha256.Sum256(full) //nolint:gosec // below 1024
	return s.store.InTx(ctx, func(tx store.Tx) error {
		// Before the lock, for which revocations wait. Nobody reads them before the
		// list is finished; a late worker's are refused with it.
		if err := putPiecesTx(ctx, tx, plan, false, full); err != nil {
			return err
		}
		if err := putPiecesTx(ctx, tx, plan, true, delta); err != nil {
			return err
		}
		if plan.Last { // of several last lists one is the last
			if _, err := tx.LockIssuer(ctx, plan.Issuer); err != nil {
				return fmt.Errorf("CA %s: %w", plan.Issuer, err)
			}
		}
		// Whoever begins the next list sees this one finished, or not begun to be.
		if _, err := tx.LockCRLShard(ctx, plan.Issuer, shard); err != nil {
			return fmt.Errorf("CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
		}
		n, err := tx.FinishCRL(ctx, db.FinishCRLParams{
			FullSize: new(int32(len(full))), DeltaSize: new(int32(len(delta))), SHA256: sum[:], Entries: new(int32(entries)), //nolint:gosec // bounded by what a list can hold
			Revision: plan.revision, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.NextUpdate, IssuerID: plan.Issuer, Shard: shard, Number: plan.Number, Fence: plan.Fence,
		})
		if err != nil {
			return fmt.Errorf("CRL %s/%d number %d: %w", plan.Issuer, plan.Shard, plan.Number, err)
		}
		if n != 1 {
			return fmt.Errorf("CRL %s/%d number %d: %w: another worker took over", plan.Issuer, plan.Shard, plan.Number, lifecycle.Conflict)
		}
		err = tx.StatusListed(ctx, db.StatusListedParams{At: s.now(), Number: plan.Number, IssuerID: plan.Issuer, Shard: shard, Revision: plan.revision})
		if err != nil {
			return fmt.Errorf("CRL %s/%d number %d: time its entries: %w", plan.Issuer, plan.Shard, plan.Number, err)
		}
		err = tx.ForgetCRLs(ctx, db.ForgetCRLsParams{ // somebody may still read the previous one
			IssuerID: plan.Issuer, Shard: shard, Number: plan.Previous.Number, KeptSince: plan.ThisUpdate.Add(-keptFor),
		})
		if err != nil {
			return fmt.Errorf("forget old lists of CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
		}
		if plan.Last {
			if err := s.endedTx(ctx, tx, plan.Issuer); err != nil {
				return err
			}
		}
		return done.run(tx)
	})
}

// endedTx ends a CA whose last lists are all published.
func (s *Service) endedTx(ctx context.Context, tx store.Tx, id string) error {
	left, err := tx.ShardsNotEnded(ctx, id, lastUpdate)
	if err != nil || left > 0 {
		return err //nolint:wrapcheck // translated
	}
	i, err := tx.LockIssuer(ctx, id)
	if err != nil {
		return fmt.Errorf("CA %s: %w", id, err)
	}
	return s.moveIssuer(ctx, tx, &i, lifecycle.Complete, lifecycle.System("crl"), nil)
}
