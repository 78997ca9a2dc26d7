package issuance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// RenewalStep is how far a campaign's certificate is.
type RenewalStep string

// The steps of a renewal in a campaign. Behind accepted nothing is left to do.
const (
	StepWaiting  RenewalStep = "waiting" // not ordered yet
	StepSkipped  RenewalStep = "skipped" // something else became of it meanwhile
	StepFailed   RenewalStep = "failed"  // to be mended and ordered again
	StepOrdered  RenewalStep = "ordered" // an approver looks at it by itself
	StepDossier  RenewalStep = "waiting_for_dossier"
	StepApproved RenewalStep = "approved" // no code is handed over yet
	StepInvited  RenewalStep = "invited"
	StepKey      RenewalStep = "key_received"
	StepStopped  RenewalStep = "stopped" // its draft breaks a rule
	StepIssued   RenewalStep = "issued"  // not accepted yet
	StepAccepted RenewalStep = "accepted"
	StepRefused  RenewalStep = "refused" // by an approver or the holder, or called off
	StepLapsed   RenewalStep = "lapsed"  // the old one has ended before
)

// open tells whether somebody is waited for.
func (s RenewalStep) open() bool {
	return s == StepOrdered || s == StepKey || s == StepStopped || s.ofHolder()
}

// ofHolder tells whether it is the holder who is waited for.
func (s RenewalStep) ofHolder() bool {
	return s == StepDossier || s == StepApproved || s == StepInvited || s == StepIssued
}

// whileInHand is how long the house has what is its own to do before it is looked at
// again.
const whileInHand = 24 * time.Hour

// FollowCampaigns tells the holders of campaigns' certificates what they have to do: when
// theirs is ordered, then as often as the policy says while they are waited for, and
// none more than once a week, notices of a near end counted. A campaign none of whose
// certificates is waited for is completed. It answers how many it told.
func (s *Service) FollowCampaigns(ctx context.Context) (told int, err error) {
	told, err = s.remindAll(ctx, func(tx store.Tx) (looked, made int, err error) {
		rows, err := tx.HoldersToTell(ctx, new(s.now()), remindRun)
		if err != nil {
			return 0, 0, fmt.Errorf("holders to tell: %w", err)
		}
		made, err = s.tellHoldersTx(ctx, tx, rows)
		return len(rows), made, err
	})
	if err != nil {
		return told, err
	}
	running, err := s.store.RenewalsRunning(ctx)
	if err != nil {
		return told, fmt.Errorf("campaigns under way: %w", err)
	}
	for _, id := range running {
		if err := s.completeCampaign(ctx, id); err != nil {
			return told, err
		}
	}
	return told, nil
}

func (s *Service) completeCampaign(ctx context.Context, id lifecycle.CampaignID) error {
	return s.withCampaign(ctx, id, func(tx store.Tx, c *db.Campaign) error {
		open, err := tx.CampaignHasOpen(ctx, id)
		if err != nil {
			return fmt.Errorf("campaign %s: %w", id, err)
		}
		if open || c.State != lifecycle.CampaignRunning {
			return nil
		}
		return s.moveCampaign(ctx, tx, c, lifecycle.Complete, campaigns, nil)
	})
}

// tellHoldersTx tells those who may be told, and notes when to look again.
func (s *Service) tellHoldersTx(ctx context.Context, tx store.Tx, rows []db.HoldersToTellRow) (int, error) {
	now := s.now()
	var notices []db.InsertNoticeParams
	var laterOf, later, overOf, over []string
	var times []time.Time
	toldNow := map[lifecycle.HolderID]bool{}
	// Of two certificates of one holder, that which was told less comes first.
	slices.SortStableFunc(rows, func(a, b db.HoldersToTellRow) int { return cmp.Compare(a.Told, b.Told) })
	for _, r := range rows {
		step, at := RenewalStep(r.Step), now.Add(whileInHand)
		until := s.leftAlone(r.ToldAt)
		switch {
		case !step.open() || int(r.Told) >= s.policy.TellAtMost:
			overOf, over = append(overOf, string(r.CampaignID)), append(over, string(r.CertificateID))
			continue
		case !step.ofHolder():
		case toldNow[r.HolderID]:
			at = now.Add(s.policy.TellEvery)
		case !until.IsZero():
			at = until
		default:
			at, toldNow[r.HolderID] = now.Add(s.policy.TellEvery), true
			notices = append(notices, db.InsertNoticeParams{
				CertificateID: string(r.CertificateID), HolderID: r.HolderID, Kind: string(lifecycle.NoticeRenewal), Occasion: r.Occasion + 1, DueAt: now,
			})
		}
		laterOf, later, times = append(laterOf, string(r.CampaignID)), append(later, string(r.CertificateID)), append(times, at)
	}
	made, err := s.tellManyTx(ctx, tx, notices, campaigns)
	if err != nil {
		return 0, err
	}
	if err := tx.SetToldNext(ctx, laterOf, later, times); err != nil {
		return 0, fmt.Errorf("when to tell again: %w", err)
	}
	if err := tx.StopTelling(ctx, overOf, over); err != nil {
		return 0, fmt.Errorf("whom to tell no more: %w", err)
	}
	return made, nil
}
