package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sceau/issuance"
	"sceau/lifecycle"
)

// The demonstration's campaign: a few cards of those in use, in a list from this
// place among them.
const (
	campaignCards = 7
	campaignPilot = 2
	campaignFrom  = 10
)

// runCampaign renews a few cards in a campaign: from a list with a wrong line, by
// two people, a pilot first, which a holder tries.
func (d *demonstration) runCampaign(ctx context.Context) error {
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	due, err := d.house.Service.PreviewCampaign(ctx, issuance.Criteria{MasterKey: issuance.MasterKeyAC, Version: 1})
	if err != nil {
		return err
	}
	d.screen.note("%d cards in use come from the first version of the master key", due)
	old, id, err := d.proposeCampaign(ctx, officer)
	if err != nil {
		return err
	}
	if err := d.approveCampaign(ctx, officer, id); err != nil {
		return err
	}
	if err := d.campaignStep(ctx, officer, id, lifecycle.Pilot, campaignPilot); err != nil {
		return err
	}
	if err := d.tryPilot(ctx, old); err != nil {
		return err
	}
	return d.campaignStep(ctx, officer, id, lifecycle.Go, campaignCards-campaignPilot)
}

// proposeCampaign proposes to renew the cards of a list.
func (d *demonstration) proposeCampaign(ctx context.Context, by lifecycle.Actor) ([]*hand, lifecycle.CampaignID, error) {
	var old []*hand
	list := []string{"C-0000000000000000"}
	for i := range campaignCards {
		h, err := d.activeCard(ctx, campaignFrom+i)
		if err != nil {
			return nil, "", err
		}
		old, list = append(old, h), append(list, string(h.ID))
	}
	p, err := d.house.Service.ProposeCampaign(ctx, by, issuance.CampaignRequest{
		Why: "their chips have a known fault", Pilot: campaignPilot, Cards: strings.NewReader(strings.Join(list, "\n")),
		Waiver: "the bank's fault", SecondCards: true,
	})
	if err != nil {
		return nil, "", err
	}
	for _, w := range p.Wrong {
		d.screen.note("line %d, %s: %s", w.Line, w.Field, w.Why)
	}
	d.screen.check("a campaign takes the cards of a list, and tells its wrong lines", errors.Join(equal(p.Size, campaignCards), equal(p.Refused, 1)))
	return old, p.ID, nil
}

// approveCampaign has a second person approve what they are shown.
func (d *demonstration) approveCampaign(ctx context.Context, proposer lifecycle.Actor, id lifecycle.CampaignID) error {
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	v, err := d.house.Service.Campaign(ctx, id)
	if err != nil {
		return err
	}
	early := d.house.Service.MoveCampaign(ctx, proposer, id, lifecycle.Pilot)
	self := d.house.Service.DecideCampaign(ctx, lifecycle.Actor{ID: proposer.ID, Role: lifecycle.RoleApprover}, id, v.Hash(), true, "")
	d.screen.check("nobody approves a campaign of their own, and none begins without approval", errors.Join(
		refused(self, lifecycle.Forbidden), refused(early, lifecycle.Illegal)))
	return d.house.Service.DecideCampaign(ctx, approver, id, v.Hash(), true, "")
}

// campaignStep takes a step, lets the workers do theirs, and plays bureau, print
// room and post for the cards that it ordered.
func (d *demonstration) campaignStep(ctx context.Context, by lifecycle.Actor, id lifecycle.CampaignID, on lifecycle.Event, want int) error {
	if err := d.house.Service.MoveCampaign(ctx, by, id, on); err != nil {
		return err
	}
	if err := d.settle(ctx, "campaign"); err != nil {
		return err
	}
	v, err := d.house.Service.Campaign(ctx, id)
	if err != nil {
		return err
	}
	d.screen.note("%s: %v", v.State, v.Progress)
	d.screen.check(fmt.Sprintf("after %s, %d of %d cards are at the bureau", on, want, campaignCards),
		equal(v.Progress[string(lifecycle.CardWithBureau)], want))
	if _, err := d.bureauRounds(ctx, false); err != nil {
		return err
	}
	_, err = d.postRound(ctx)
	return err
}

// tryPilot has the holder of a pilot's card use it: the old one goes on for its
// days.
func (d *demonstration) tryPilot(ctx context.Context, old []*hand) error {
	cards, err := d.cards(ctx)
	if err != nil {
		return err
	}
	holders, err := d.holders(ctx)
	if err != nil {
		return err
	}
	for _, h := range old {
		i := slices.IndexFunc(cards, func(c issuance.CardView) bool { return c.Replaces == h.ID })
		if i < 0 {
			continue
		}
		fresh, err := d.take(ctx, cards[i], holders)
		if err != nil {
			return err
		}
		if err := d.activate(ctx, fresh); err != nil {
			return err
		}
		for what, card := range map[string]*hand{"the pilot's new card signs in": fresh, "the card that it replaces does for some days more": h} {
			code, err := card.code(ctx, card.pin)
			if err != nil {
				return err
			}
			result, err := d.verify(ctx, card.holder, code)
			d.screen.check(what, errors.Join(err, equal(result, "accepted")))
		}
		return nil
	}
	return fmt.Errorf("%w: no card of the pilot", lifecycle.NotFound)
}
