package jobs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

type lists struct {
	Tools

	authorities *authorities
}

// publish signs a shard's lists when something changed or a scheduled list is
// due: the full one, and the delta since the last scheduled one. Each is
// compared with what it replaces, and the shard's mark is raised, before anybody
// may fetch them. With no issuer named it asks for those of all. Killed anywhere, it leaves its number to the next.
func (l lists) publish(ctx context.Context, args issuance.CRLPublishArgs, done issuance.Done) error {
	if args.Issuer == "" {
		return l.Service.PublishLists(ctx, "", -1, done)
	}
	issuer, err := l.authorities.get(ctx, args.Issuer)
	if err != nil {
		return err
	}
	marks, err := l.Marks.Marks(ctx, issuance.MarksName(args.Issuer))
	if err != nil {
		return away(err)
	}
	shard := int(args.Shard)
	plan, err := l.Service.BeginCRL(ctx, args.Issuer, shard, args.Scheduled, issuance.MarkOf(marks, shard))
	if err != nil {
		return err
	}
	if plan.Nothing {
		return l.Service.Complete(ctx, done)
	}
	if plan.UnderWay {
		return river.JobSnooze(time.Second)
	}
	full, delta, entries, err := l.draft(ctx, issuer, &plan)
	if err != nil {
		return err
	}
	signed, err := l.sign(ctx, issuer, plan, full, false)
	if err != nil {
		return err
	}
	var signedDelta []byte
	if delta != nil {
		if signedDelta, err = l.sign(ctx, issuer, plan, delta, true); err != nil {
			return err
		}
	}
	if err := l.Marks.RaiseMarks(ctx, issuance.MarksName(args.Issuer), plan.Mark().Named(shard)); err != nil {
		return away(err)
	}
	return l.Service.FinishCRL(ctx, plan, signed, signedDelta, entries, done)
}

// away has a job wait for an engine that refuses it, for instance since its
// policies are of an older version.
func away(err error) error {
	if errors.Is(err, lifecycle.Forbidden) || errors.Is(err, lifecycle.NotFound) {
		return fmt.Errorf("%w: %w", lifecycle.Unavailable, err)
	}
	return err
}

// draft makes the lists, whole but for their signatures, of entries that are
// read in one moment.
func (l lists) draft(ctx context.Context, issuer authority, plan *issuance.CRLPlan) (full, delta *ca.ListDraft, entries int, err error) {
	urls := issuer.URLs(plan.Shard)
	c := ca.CRL{
		Issuer: issuer.Certificate, Number: plan.Number,
		DistributionPoint: urls.CRL, Freshest: urls.Delta, OnlyUser: true,
		Size: plan.Previous.FullSize + plan.Previous.FullSize/64, // the last one's, and some that are new
	}
	if plan.Last {
		c.Freshest = ""
	}
	if issuer.keepsExpired {
		c.ExpiredSince = issuer.Certificate.NotBefore
	}
	err = l.Service.ReadCRL(ctx, plan, func(e *issuance.CRLEntries) error {
		c.ThisUpdate, c.NextUpdate = plan.ThisUpdate, plan.NextUpdate
		if full, entries, err = l.full(ctx, c, e); err != nil || plan.BaseNumber == 0 {
			return err
		}
		c.BaseNumber, c.Size = plan.BaseNumber, plan.Previous.DeltaSize
		delta, err = ca.DraftCRL(c, e.Delta)
		return err
	})
	return full, delta, entries, err
}

// full makes the full list of the last one and what changed since, where that may be
// done, else of all entries; so it does, too, when the last one cannot be read.
func (l lists) full(ctx context.Context, c ca.CRL, e *issuance.CRLEntries) (full *ca.ListDraft, entries int, err error) {
	if e.Last != nil {
		full, err = ca.DraftCRL(c, numbered(ca.Amend(e.Last, c.Issuer, e.Changed), &entries))
		if err == nil || ctx.Err() != nil {
			return full, entries, err
		}
		l.Logger.ErrorContext(ctx, "a list is made anew, since it cannot be made of the last one", slog.Int64("number", c.Number), slog.String("error", err.Error()))
	}
	full, err = ca.DraftCRL(c, e.Full)
	return full, e.Read, err
}

// numbered counts what is drawn.
func numbered(entries iter.Seq2[[]byte, error], n *int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for entry, err := range entries {
			*n++
			if !yield(entry, err) {
				return
			}
		}
	}
}

// sign signs a list and compares it with the one that it replaces.
func (l lists) sign(ctx context.Context, issuer authority, plan issuance.CRLPlan, draft *ca.ListDraft, delta bool) ([]byte, error) {
	signer, err := l.Signers.Signer(ctx, issuer.key, issuer.Certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	der, err := draft.Sign(signer)
	if err != nil {
		return nil, err
	}
	old := l.Service.OpenCRL(ctx, plan.Issuer, plan.Shard, plan.Previous, delta)
	err = ca.CheckSuccessor(old, der, issuer.Certificate, l.Now(), func(serials []lifecycle.Serial) ([]lifecycle.Serial, error) {
		return l.Service.MayLeave(ctx, plan, serials)
	})
	if err != nil {
		return nil, fmt.Errorf("CRL %s/%d number %d, delta %t: %w", plan.Issuer, plan.Shard, plan.Number, delta, err)
	}
	return der, nil
}
