package issuance

import (
	"context"
	"fmt"
	"iter"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// CRLEntry is one line of a list.
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
	Issuer        string
	Shard         int
	Number        int64
	BaseNumber    int64 // of the list the delta completes; 0 for no delta
	Fence         int32
	ThisUpdate    time.Time
	NextUpdate    time.Time
	Previous      []byte // the list that this one follows, nil for the first
	PreviousDelta []byte // the delta that went with it, nil for none
	Nothing       bool   // nothing has changed since it: no list is due
	UnderWay      bool   // another worker signs this shard's next list: look again in a moment

	revision, baseRevision int64
	previousRevision       int64
	previousUpdate         time.Time
}

// crlLease is how long a worker has a list to itself. After it another takes
// over, and the late one loses on the fence. Without it, workers of revocations
// that follow each other closely would take the list from each other for ever.
const crlLease = time.Minute

// BeginCRL records the intent to publish a shard's lists. A list is due when a
// status has changed since the last one; a scheduled one also when the last
// scheduled one is older than the policy's interval.
func (s *Service) BeginCRL(ctx context.Context, issuer string, shard int, scheduled bool) (CRLPlan, error) {
	plan := CRLPlan{Issuer: issuer, Shard: shard, ThisUpdate: s.now().Truncate(time.Second)}
	plan.NextUpdate = plan.ThisUpdate.Add(s.policy.CRLValidity)
	n := int32(shard) //nolint:gosec // below 1024
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		var err error
		// The lock waits for every revocation of the shard under way.
		if plan.revision, err = tx.LockCRLShard(ctx, issuer, n); err != nil {
			return fmt.Errorf("CRL %s/%d: %w", issuer, shard, err)
		}
		base, err := planBaseTx(ctx, tx, &plan)
		if err != nil {
			return err
		}
		due := plan.BaseNumber == 0 || scheduled && !plan.ThisUpdate.Before(base.Add(s.policy.CRLInterval))
		last, err := tx.NewestPublishedCRL(ctx, issuer, n)
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("CRL %s/%d: %w", issuer, shard, err)
		}
		if err == nil {
			if !due && last.Revision == plan.revision {
				plan.Nothing = true
				return nil
			}
			plan.Previous, plan.previousRevision, plan.previousUpdate = last.FullDER, last.Revision, last.ThisUpdate
			plan.PreviousDelta = last.DeltaDER
			if plan.ThisUpdate.Before(last.ThisUpdate) {
				return fmt.Errorf("CRL %s/%d: %w: the clock stands before the last list", issuer, shard, lifecycle.Conflict)
			}
		}
		return s.reserveCRLTx(ctx, tx, &plan, due)
	})
	return plan, err
}

// planBaseTx finds the list that the delta completes, the last scheduled one,
// and tells when it was made.
func planBaseTx(ctx context.Context, tx store.Tx, plan *CRLPlan) (time.Time, error) {
	base, err := tx.NewestScheduledCRL(ctx, plan.Issuer, int32(plan.Shard)) //nolint:gosec // below 1024
	if isNotFound(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("base of CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
	}
	plan.BaseNumber, plan.baseRevision = base.Number, base.Revision
	return base.ThisUpdate, nil
}

// reserveCRLTx takes the next number, or takes over one whose worker never
// finished.
func (s *Service) reserveCRLTx(ctx context.Context, tx store.Tx, plan *CRLPlan, scheduled bool) error {
	shard := int32(plan.Shard) //nolint:gosec // below 1024
	newest, err := tx.NewestCRL(ctx, plan.Issuer, shard)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
	}
	if isNotFound(err) || newest.FullDER != nil {
		plan.Number = newest.Number + 1
		err := tx.ReserveCRL(ctx, db.ReserveCRLParams{
			IssuerID: plan.Issuer, Shard: shard, Number: plan.Number, BaseNumber: plan.BaseNumber, Revision: plan.revision,
			Scheduled: scheduled, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.NextUpdate,
		})
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
		Revision: plan.revision, ThisUpdate: plan.ThisUpdate, NextUpdate: plan.NextUpdate, Scheduled: scheduled,
		IssuerID: plan.Issuer, Shard: shard, Number: plan.Number,
	})
	if err != nil {
		return fmt.Errorf("CRL %s/%d number %d: %w", plan.Issuer, plan.Shard, plan.Number, err)
	}
	return nil
}

// FullEntries are the entries of the full list, in the order of their serials. A
// revoked certificate that has expired is listed once after its end
// (RFC 5280 §3.3).
func (s *Service) FullEntries(ctx context.Context, plan CRLPlan) (iter.Seq2[CRLEntry, error], error) {
	return s.revoked(ctx, plan, func(db.RevokedEntriesRow) bool { return true })
}

// DeltaEntries are what changed since the base, released ones as removeFromCRL.
func (s *Service) DeltaEntries(ctx context.Context, plan CRLPlan) (iter.Seq2[CRLEntry, error], error) {
	changed, err := s.revoked(ctx, plan, func(r db.RevokedEntriesRow) bool { return r.CRLRevision > plan.baseRevision })
	if err != nil {
		return nil, err
	}
	shard := int32(plan.Shard) //nolint:gosec // below 1024
	released, err := s.store.ReleasedEntries(ctx, db.ReleasedEntriesParams{
		IssuerID: &plan.Issuer, Shard: &shard, Since: plan.baseRevision, Revision: plan.revision,
	})
	if err != nil {
		return nil, fmt.Errorf("released entries of CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
	}
	return func(yield func(CRLEntry, error) bool) {
		for e, err := range changed {
			if !yield(e, err) {
				return
			}
		}
		for _, r := range released {
			e := CRLEntry{Serial: lifecycle.Serial(r.Serial), At: r.UpdatedAt.Truncate(time.Second), Reason: lifecycle.ReasonRemoveFromCRL}
			if !yield(e, nil) {
				return
			}
		}
	}, nil
}

func (s *Service) revoked(ctx context.Context, plan CRLPlan, keep func(db.RevokedEntriesRow) bool) (iter.Seq2[CRLEntry, error], error) {
	shard := int32(plan.Shard) //nolint:gosec // below 1024
	rows, err := s.store.RevokedEntries(ctx, db.RevokedEntriesParams{
		IssuerID: &plan.Issuer, Shard: &shard, Revision: plan.revision, KeptSince: &plan.previousUpdate,
		KeptRevision: plan.previousRevision,
	})
	if err != nil {
		return nil, fmt.Errorf("entries of CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
	}
	return func(yield func(CRLEntry, error) bool) {
		for _, r := range rows {
			if !keep(r) {
				continue
			}
			e := CRLEntry{
				Serial: lifecycle.Serial(r.Serial), At: deref(r.RevokedAt), Reason: lifecycle.RevocationReason(deref(r.Reason)),
				InvalidityDate: deref(r.InvalidityDate),
			}
			if !yield(e, nil) {
				return
			}
		}
	}, nil
}

// MayLeave tells whether a serial of the previous list may be missing in the
// next: its hold was released, or its certificate has expired and was listed
// after that.
func (s *Service) MayLeave(ctx context.Context, plan CRLPlan) func(lifecycle.Serial) bool {
	return func(serial lifecycle.Serial) bool {
		id, err := s.store.CertificateIDBySerial(ctx, serial[:])
		if err != nil {
			return false
		}
		cert, err := s.store.Certificate(ctx, id)
		if err != nil {
			return false
		}
		released := cert.RevokedAt == nil && cert.CRLRevision > plan.previousRevision
		expired := cert.NotAfter != nil && !cert.NotAfter.After(plan.previousUpdate)
		return released || expired
	}
}

// FinishCRL records the signed lists; only then may they be served. delta is nil
// when there is none.
func (s *Service) FinishCRL(ctx context.Context, plan CRLPlan, full, delta []byte, entries int, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		// Whoever begins the next list sees this one finished, or not begun to be.
		if _, err := tx.LockCRLShard(ctx, plan.Issuer, int32(plan.Shard)); err != nil { //nolint:gosec // below 1024
			return fmt.Errorf("CRL %s/%d: %w", plan.Issuer, plan.Shard, err)
		}
		n, err := tx.FinishCRL(ctx, db.FinishCRLParams{
			FullDER: full, DeltaDER: delta, Entries: new(int32(entries)), IssuerID: plan.Issuer, //nolint:gosec // bounded by what a list can hold
			Shard: int32(plan.Shard), Number: plan.Number, Fence: plan.Fence, //nolint:gosec // below 1024
		})
		if err != nil {
			return fmt.Errorf("CRL %s/%d number %d: %w", plan.Issuer, plan.Shard, plan.Number, err)
		}
		if n != 1 {
			return fmt.Errorf("CRL %s/%d number %d: %w: another worker took over", plan.Issuer, plan.Shard, plan.Number, lifecycle.Conflict)
		}
		return done.run(tx)
	})
}

// PublishedCRL is a shard's newest lists, for the folder they are served from.
type PublishedCRL struct {
	Number      int64
	Full, Delta []byte
}

// NewestCRL reads the newest published lists of a shard.
func (s *Service) NewestCRL(ctx context.Context, issuer string, shard int) (PublishedCRL, error) {
	c, err := s.store.NewestPublishedCRL(ctx, issuer, int32(shard)) //nolint:gosec // below 1024
	if err != nil {
		return PublishedCRL{}, fmt.Errorf("CRL %s/%d: %w", issuer, shard, err)
	}
	return PublishedCRL{Number: c.Number, Full: c.FullDER, Delta: c.DeltaDER}, nil
}
