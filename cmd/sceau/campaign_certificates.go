package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

type campaignCertificatesCmd struct {
	asStaff

	Reason  lifecycle.RenewalReason `help:"Why: expiry takes those that end soon; profile_change those that another version of their profile made, ca_change those that another CA than the present one signed, long before they end." enum:"expiry,profile_change,ca_change" default:"expiry"`
	Until   time.Time               `help:"Certificates that end on this day or before, as 2027-03-01; needed for expiry, within the policy's days before their end." format:"2006-01-02"`
	Profile string                  `help:"Only of this profile."`
	Issuer  string                  `help:"Only those that this CA signed."`
	Company string                  `help:"Only of this company, by its client number."`
	Branch  string                  `help:"Only of companies of this branch; an account manager names their own."`
	Why     string                  `help:"Why; the approver reads it."`
	Pilot   int                     `help:"How many are renewed first, and looked at." default:"10"`
	Hourly  int                     `help:"Certificates an hour at most; 0: as fast as can be."`
	Waiver  string                  `help:"Why nothing is charged."`
	Preview bool                    `help:"Only list the certificates, and count them."`
}

// Run lists and counts, or proposes.
func (c campaignCertificatesCmd) Run(w *world) error {
	criteria := issuance.CertificateCriteria{Reason: c.Reason, Profile: c.Profile, Issuer: c.Issuer, Company: c.Company, Branch: c.Branch}
	if !c.Until.IsZero() {
		criteria.EndsBy = c.Until.AddDate(0, 0, 1).Add(-time.Second)
	}
	return c.do(w, lifecycle.Proposes(), func(h *house.House, by lifecycle.Actor) error {
		if !c.Preview {
			p, err := h.Service.ProposeCampaign(w.ctx, by, issuance.CampaignRequest{
				Why: c.Why, Pilot: c.Pilot, Hourly: c.Hourly, Waiver: c.Waiver, Certificates: &criteria,
			})
			if err != nil {
				return err
			}
			return say(w, "%s: %d certificates", p.ID, p.Size)
		}
		table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		n, err := h.Service.PreviewCertificates(w.ctx, by, criteria, func(p issuance.PickedCertificate) error {
			_, err := fmt.Fprintf(table, "%s\t%s\tends %s\tby %s\t%s %s\t%s %s\t%s\n", p.ID, p.Profile, p.Ends.UTC().Format(time.DateOnly), p.Issuer, p.ClientID, p.Company,
				p.GivenName, p.Surname, p.UserNumber)
			return err
		})
		if err != nil {
			return err
		}
		if err := table.Flush(); err != nil {
			return err
		}
		return say(w, "%d certificates", n)
	})
}

// oneCampaign is what commands take that show whom a campaign concerns: who looks has
// a role.
type oneCampaign struct {
	asStaff

	Campaign lifecycle.CampaignID `arg:"" help:"The campaign."`
}

type campaignStepsCmd struct{ oneCampaign }

// Run lists a campaign's certificates and how far each is.
func (c campaignStepsCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		for after := lifecycle.CertificateID(""); ; {
			page, err := h.Service.CampaignSteps(w.ctx, c.Campaign, after)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				return table.Flush()
			}
			for _, s := range page {
				_, _ = fmt.Fprintf(table, "%s\t%s\tends %s\t%s %s\t%s %s\t%s\t%s\ttold %d, last %s\t%s\n", s.Certificate, s.Step, s.Ends.UTC().Format(time.DateOnly), s.ClientID,
					s.Company, s.GivenName, s.Surname, s.Order, s.By, s.Told, dayOrNever(s.ToldLast), s.Why)
				after = s.Certificate
			}
		}
	})
}

type campaignToldCmd struct{ oneCampaign }

// Run lists who was told what, and when.
func (c campaignToldCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		table, counts := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0), map[lifecycle.NoticeState]int{}
		for after := lifecycle.NoticeID(""); ; {
			page, err := h.Service.CampaignNotices(w.ctx, c.Campaign, after)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for _, n := range page {
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", n.Due.UTC().Format(time.DateTime), n.Holder, n.Certificate, whatIsTold(n), n.State, n.ID)
				counts[n.State]++
				after = n.ID
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
		for _, state := range slices.Sorted(maps.Keys(counts)) {
			if err := say(w, "%s %d", state, counts[state]); err != nil {
				return err
			}
		}
		return nil
	})
}

type campaignLateCmd struct {
	oneCampaign

	Days int    `help:"Ordered so many days ago, and not accepted yet." default:"14"`
	Out  string `help:"File to write; left out, the lines are shown." placeholder:"FILE"`
}

// Run exports. An existing file is not overwritten.
func (c campaignLateCmd) Run(w *world) error {
	if c.Days < 0 || c.Days > 3650 {
		return fmt.Errorf("%w: --days is 0 to 3650", errUsage)
	}
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		write := func(out io.Writer) (int, error) {
			return h.Service.ExportLate(w.ctx, c.Campaign, time.Duration(c.Days)*24*time.Hour, out)
		}
		if c.Out == "" {
			_, err := write(w.out)
			return err
		}
		lines, err := exportTo(c.Out, write)
		if err != nil {
			return err
		}
		return say(w, "%d lines in %s", lines, c.Out)
	})
}
