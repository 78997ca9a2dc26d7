package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// RunCampaign orders the next cards of a campaign, at most some hundreds, seals
// them into batches and asks for those after them, in one transaction with done:
// done and undone are told apart by the rows alone. It answers how long to wait
// when the next cards are not due; a campaign that is not running is left alone.
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
		var rows []db.LockWaitingCardsRow
		if n > 0 {
			if rows, err = tx.LockWaitingCards(ctx, db.LockWaitingCardsParams{
				CampaignID: id, After: lifecycle.CardID(c.Reached), SecondSince: s.now().Add(-s.policy.SecondCardWithin), MaxRows: n,
			}); err != nil {
				return fmt.Errorf("next cards of campaign %s: %w", id, err)
			}
		}
		if err := s.orderChunkTx(ctx, tx, *c, rows); err != nil {
			return err
		}
		return s.afterChunkTx(ctx, tx, c, rows, n, done)
	})
	return wait, err
}

// untilDue is how long a campaign waits for its next cards, for as many an hour as
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

// pause is the time that n cards take at so many an hour.
func pause(n int, hourly int32) time.Duration {
	return time.Duration(n) * time.Hour / time.Duration(hourly)
}

// chunkTx is how many cards come next: of a pilot what it lacks.
func chunkTx(ctx context.Context, tx store.Tx, c db.Campaign) (int32, error) {
	n := int32(bulkSize)
	if c.State == lifecycle.CampaignPiloting {
		counts, err := tx.CountCampaignCards(ctx, c.ID)
		if err != nil {
			return 0, fmt.Errorf("progress of campaign %s: %w", c.ID, err)
		}
		left := c.Pilot
		for _, state := range counts {
			if state.State != cardWaiting {
				left -= int32(state.N) //nolint:gosec // no more than its cards
			}
		}
		return max(min(n, left), 0), nil
	}
	if c.Hourly > 0 {
		n = min(n, c.Hourly)
	}
	return n, nil
}

// The states of a campaign's card; an ordered one is where its new card is.
const (
	cardWaiting = "waiting"
	cardOrdered = "ordered"
	cardFailed  = "failed"
)

// afterChunkTx ends pilot or campaign when nothing is left to do, else asks for
// the next cards. The caller's job ends first: there is one a campaign.
func (s *Service) afterChunkTx(ctx context.Context, tx store.Tx, c *db.Campaign, rows []db.LockWaitingCardsRow, asked int32, done Done) error {
	if err := done.run(tx); err != nil {
		return err
	}
	if len(rows) > 0 {
		next := c.NextAt
		if c.Hourly > 0 {
			next = new(s.now().Add(pause(len(rows), c.Hourly)))
		}
		if err := tx.SetCampaignReached(ctx, next, string(rows[len(rows)-1].ID), c.ID); err != nil {
			return fmt.Errorf("campaign %s: %w", c.ID, err)
		}
	}
	if len(rows) < int(asked) || asked == 0 {
		if c.State == lifecycle.CampaignPiloting {
			return s.moveCampaign(ctx, tx, c, lifecycle.EndPilot, campaigns, nil)
		}
		return s.moveCampaign(ctx, tx, c, lifecycle.Complete, campaigns, nil)
	}
	return s.queue.EnqueueTx(ctx, tx.Pgx(), CampaignArgs{Campaign: c.ID})
}
