package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sceau/issuance"
	"sceau/lifecycle"
)

// The demonstration's campaign: a few cards of those in use.
const (
	campaignCards = 7
	campaignPilot = 2
)

// runCampaign renews a few cards in a campaign: from a list with a wrong line, by
// two people, a pilot first.
func (d *demonstration) runCampaign(ctx context.Context) error {
	proposer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	due, err := d.house.Service.PreviewCampaign(ctx, issuance.Criteria{MasterKey: issuance.MasterKeyAC, Version: 1})
	if err != nil {
		return err
	}
	d.screen.note("%d cards in use come from the first version of the master key", due)
	list := []string{"C-0000000000000000"}
	for i := range campaignCards {
		c, err := d.activeCard(ctx, 10+i)
		if err != nil {
			return err
		}
		list = append(list, string(c.ID))
	}
	p, err := d.house.Service.ProposeCampaign(ctx, proposer, issuance.CampaignRequest{
		Why: "their chips have a known fault", Pilot: campaignPilot, Cards: strings.NewReader(strings.Join(list, "\n")), Waiver: "the bank's fault",
	})
	if err != nil {
		return err
	}
	for _, w := range p.Wrong {
		d.screen.note("line %d, %s: %s", w.Line, w.Field, w.Why)
	}
	d.screen.check("a campaign takes the cards of a list, and tells its wrong lines", errors.Join(equal(p.Cards, campaignCards), equal(p.Refused, 1)))
	v, err := d.house.Service.Campaign(ctx, p.ID)
	if err != nil {
		return err
	}
	early := d.house.Service.MoveCampaign(ctx, proposer, p.ID, lifecycle.Pilot)
	self := d.house.Service.DecideCampaign(ctx, lifecycle.Actor{ID: proposer.ID, Role: lifecycle.RoleApprover}, p.ID, v.Hash(), true, "")
	d.screen.check("nobody approves a campaign of their own, and none begins without approval", errors.Join(
		refused(self, lifecycle.Forbidden), refused(early, lifecycle.Illegal)))
	if err := d.house.Service.DecideCampaign(ctx, approver, p.ID, v.Hash(), true, ""); err != nil {
		return err
	}
	if err := d.campaignStep(ctx, proposer, p.ID, lifecycle.Pilot, campaignPilot); err != nil {
		return err
	}
	return d.campaignStep(ctx, proposer, p.ID, lifecycle.Go, campaignCards)
}

// campaignStep takes a step, lets the workers do theirs, and looks how many cards
// are at the bureau then.
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
	return nil
}
