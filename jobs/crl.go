package jobs

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/riverqueue/river"

	"sceau/ca"
	"sceau/issuance"
)

type lists struct {
	Tools

	authorities *authorities
}

// publish signs a shard's lists when something changed or a scheduled list is
// due: the full one, and the delta since the last scheduled one. Each is
// compared with what it replaces before anybody may fetch it.
func (l lists) publish(ctx context.Context, args issuance.CRLPublishArgs, done issuance.Done) error {
	issuer, err := l.authorities.get(ctx, args.Issuer)
	if err != nil {
		return err
	}
	plan, err := l.Service.BeginCRL(ctx, args.Issuer, int(args.Shard), args.Scheduled)
	if err != nil {
		return err
	}
	if plan.Nothing {
		return l.Service.Complete(ctx, done)
	}
	if plan.UnderWay {
		return river.JobSnooze(time.Second)
	}
	entries, err := l.Service.FullEntries(ctx, plan)
	if err != nil {
		return err
	}
	full, count, err := l.sign(ctx, issuer, plan, 0, entries)
	if err != nil {
		return err
	}
	may := l.Service.MayLeave(ctx, plan)
	if err := ca.CheckSuccessor(plan.Previous, full, issuer.Certificate, l.Now(), may); err != nil {
		return fmt.Errorf("CRL %s/%d number %d: %w", plan.Issuer, plan.Shard, plan.Number, err)
	}
	var delta []byte
	if plan.BaseNumber > 0 {
		changed, err := l.Service.DeltaEntries(ctx, plan)
		if err != nil {
			return err
		}
		if delta, _, err = l.sign(ctx, issuer, plan, plan.BaseNumber, changed); err != nil {
			return err
		}
		if err := ca.CheckSuccessor(plan.PreviousDelta, delta, issuer.Certificate, l.Now(), may); err != nil {
			return fmt.Errorf("delta CRL %s/%d number %d: %w", plan.Issuer, plan.Shard, plan.Number, err)
		}
	}
	return l.Service.FinishCRL(ctx, plan, full, delta, count, done)
}

func (l lists) sign(ctx context.Context, issuer authority, plan issuance.CRLPlan, base int64, entries iter.Seq2[issuance.CRLEntry, error]) ([]byte, int, error) {
	signer, err := l.Signers.Signer(ctx, issuer.key, issuer.Certificate.PublicKey)
	if err != nil {
		return nil, 0, err
	}
	urls := issuer.URLs(plan.Shard)
	count := 0
	der, err := ca.EncodeCRL(ca.CRL{
		Issuer: issuer.Certificate, Number: plan.Number, BaseNumber: base, ThisUpdate: plan.ThisUpdate,
		NextUpdate: plan.NextUpdate, DistributionPoint: urls.CRL, Freshest: urls.Delta, OnlyUser: true,
	}, func(yield func(ca.Revoked, error) bool) {
		for e, err := range entries {
			count++
			if !yield(ca.Revoked{Serial: e.Serial, At: e.At, Reason: e.Reason, InvalidityDate: e.InvalidityDate}, err) {
				return
			}
		}
	}, signer)
	return der, count, err
}
