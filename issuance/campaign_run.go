package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// RunCampaign orders the next cards or certificates of a campaign, at most some
// hundreds, seals cards into batches and asks for those after them, in one transaction
// with done: done and undone are told apart by the rows alone. It answers how long to
// wait when the next are not due; a campaign that is not running is left alone.
func (s *Service) RunCampaign(ctx context.Context, id lifecycle.CampaignID, done Done) (wait time.Duration, err error) {
	err = s.withCampaign(ctx, id, func(tx store.Tx, c *db.Campaign) error {
		if c.State != lifecycle.CampaignPiloting && c.State != lifecycle.CampaignRunning {
			return done.run(tx)
		}
		if wait = s.untilDue(*c); wait > 0 {
			return nil
		}
		n, err := chunkTx(ctx, tx, *c)
		if err != nil {
			return err
		}
		var some chunk
		if n > 0 {
			if some, err = campaignOf(c.Subject).order(ctx, s, tx, *c, n); err != nil {
				return err
			}
		}
		return s.afterChunkTx(ctx, tx, c, some, int(n), done)
	})
	return wait, err
}

// untilDue is how long a campaign waits for what is next, for as many an hour as
// were allowed. A clock that was set back makes it no longer than that.
func (s *Service) untilDue(c db.Campaign) time.Duration {
	if c.NextAt == nil || c.Hourly == 0 || c.State == lifecycle.CampaignPiloting {
		return 0
	}
	wait := c.NextAt.Sub(s.now())
	if longest := pause(min(bulkSize, int(c.Hourly)), c.Hourly); wait > longest+time.Second {
		return 0
	}
	return max(wait, 0)
}

// pause is the time that n take at so many an hour.
func pause(n int, hourly int32) time.Duration {
	return time.Duration(n) * time.Hour / time.Duration(hourly)
}

// chunkTx is how many come next: of a pilot what it lacks.
func chunkTx(ctx context.Context, tx store.Tx, c db.Campaign) (int32, error) {
	n := int32(bulkSize)
	if c.State == lifecycle.CampaignPiloting {
		progress, err := campaignOf(c.Subject).progress(ctx, tx.Queries, c.ID)
		if err != nil {
			return 0, fmt.Errorf("progress of campaign %s: %w", c.ID, err)
		}
		left := c.Pilot
		for state, of := range progress {
			if state != toOrder {
				left -= int32(of) //nolint:gosec // no more than its cards
			}
		}
		return max(min(n, left), 0), nil
	}
	if c.Hourly > 0 {
		n = min(n, c.Hourly)
	}
	return n, nil
}

// The states of a campaign's card or certificate. An ordered card is where its new card
// is, an ordered certificate where its renewal is; a certificate is skipped when its
// life went on otherwise.
const (
	toOrder   = "waiting"
	isOrdered = "ordered"
	isSkipped = "skipped"
	hasFailed = "failed"
)

// chunk is what was looked at together.
type chunk struct {
	n    int
	last string
}

// afterChunkTx ends pilot or campaign when nothing is left to do, else asks for
// what is next. The caller's job ends first: there is one a campaign. A campaign of
// certificates goes on until nobody is waited for any more.
func (s *Service) afterChunkTx(ctx context.Context, tx store.Tx, c *db.Campaign, some chunk, asked int, done Done) error {
	if err := done.run(tx); err != nil {
		return err
	}
	if some.n > 0 {
		next := c.NextAt
		if c.Hourly > 0 {
			next = new(s.now().Add(pause(some.n, c.Hourly)))
		}
		if err := tx.SetCampaignReached(ctx, next, some.last, c.ID); err != nil {
			return fmt.Errorf("campaign %s: %w", c.ID, err)
		}
	}
	if some.n < asked || asked == 0 {
		switch {
		case c.State == lifecycle.CampaignPiloting:
			return s.moveCampaign(ctx, tx, c, lifecycle.EndPilot, campaigns, nil)
		case c.Subject == lifecycle.OfCertificates:
			return nil
		}
		return s.moveCampaign(ctx, tx, c, lifecycle.Complete, campaigns, nil)
	}
	return s.queue.EnqueueTx(ctx, tx.Pgx(), CampaignArgs{Campaign: c.ID})
}
