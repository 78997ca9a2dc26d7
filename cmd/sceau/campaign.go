package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// campaignCmd renews many cards, or many certificates, under one decision of two people.
type campaignCmd struct {
	Propose  campaignProposeCmd      `cmd:"" help:"Propose to renew the cards that a filter or a list picks; --preview only counts them."`
	Certs    campaignCertificatesCmd `cmd:"" name:"propose-certificates" help:"Propose to renew the certificates that a filter picks; --preview only lists and counts them."`
	Show     campaignShowCmd         `cmd:"" help:"Show a campaign, how far it is, and the content hash that an approver names."`
	Approve  campaignApproveCmd      `cmd:"" help:"Approve what was shown; never by who proposed it."`
	Refuse   campaignRefuseCmd       `cmd:"" help:"Refuse what was shown."`
	Pilot    campaignPilotCmd        `cmd:"" help:"Renew the first few, to be looked at."`
	Go       campaignGoCmd           `cmd:"" help:"Renew all others, once the pilot is right."`
	Pause    campaignPauseCmd        `cmd:"" help:"Order no more for now, and tell no holder anything."`
	Resume   campaignResumeCmd       `cmd:"" help:"Go on."`
	Cancel   campaignCancelCmd       `cmd:"" help:"Order no more; what was ordered goes on."`
	List     campaignListCmd         `cmd:"" help:"List the campaigns and how far they are."`
	Failures campaignFailuresCmd     `cmd:"" help:"List what was not ordered, and why."`
	Retry    campaignRetryCmd        `cmd:"" help:"Order the failed ones again, once what was wrong is mended."`
	Steps    campaignStepsCmd        `cmd:"" help:"List a campaign's certificates, and how far each is."`
	Told     campaignToldCmd         `cmd:"" help:"List which holders of a campaign's certificates were told what, and when."`
	Late     campaignLateCmd         `cmd:"" help:"Write who of a campaign of certificates is late, as CSV."`
}

type campaignProposeCmd struct {
	databaseFlags

	As       string             `help:"Login of who proposes." required:""`
	Why      string             `help:"Why; the approver reads it."`
	From     time.Time          `help:"Cards that expire from this day, as 2027-03-01." format:"2006-01-02"`
	To       time.Time          `help:"Last day of their expiry." format:"2006-01-02"`
	AboveATC int                `help:"Cards whose transaction counter is above." name:"above-atc"`
	Profile  string             `help:"Cards of this CAP profile."`
	Key      issuance.MasterKey `help:"Cards whose keys come from a version of this master key: ac, smi or smc." placeholder:"KEY"`
	Version  int                `help:"The version of --key."`
	Product  string             `help:"Only cards of this product."`
	File     string             `help:"List of card identifiers, a line each, in the place of a filter." type:"existingfile" placeholder:"FILE"`
	Pilot    int                `help:"How many are renewed first, and looked at." default:"10"`
	Hourly   int                `help:"Cards an hour at most; 0: as fast as can be."`
	Waiver   string             `help:"Why nothing is charged."`
	Second   bool               `help:"Also cards of holders who had another card ordered lately; else an approver looks at each by itself." name:"second-cards"`
	Preview  bool               `help:"Only count the cards."`
}

// Run proposes, and tells which lines of a list were left out and why.
func (c campaignProposeCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.Proposes()...)
	if err != nil {
		return err
	}
	r := issuance.CampaignRequest{
		Why: c.Why, Pilot: c.Pilot, Hourly: c.Hourly, Waiver: c.Waiver, SecondCards: c.Second, Filter: issuance.Criteria{
			Product: c.Product, ExpiresFrom: c.From, ExpiresTo: c.To, AboveATC: c.AboveATC, Profile: c.Profile, MasterKey: c.Key, Version: c.Version,
		},
	}
	if c.Preview {
		cards, err := h.Service.PreviewCampaign(w.ctx, r.Filter)
		if err == nil {
			_, err = fmt.Fprintf(w.out, "%d cards\n", cards)
		}
		return err
	}
	if c.File != "" {
		file, err := openFile(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		r.Cards = file
	}
	p, err := h.Service.ProposeCampaign(w.ctx, by, r)
	if err != nil {
		return err
	}
	for _, e := range p.Wrong {
		if _, err := fmt.Fprintf(w.out, "line %d: %s: %s\n", e.Line, e.Field, e.Why); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w.out, "%s: %d cards, %d lines left out\n", p.ID, p.Size, p.Refused)
	return err
}

// campaignFlags name a campaign.
type campaignFlags struct {
	databaseFlags

	Campaign lifecycle.CampaignID `arg:"" help:"The campaign."`
}

// with opens the rooms for a step that one of the roles takes; none: to look.
func (f campaignFlags) with(w *world, login string, do func(h *house.House, by lifecycle.Actor) error, roles ...lifecycle.Role) error {
	h, err := openHouse(w, f.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	var by lifecycle.Actor
	if len(roles) > 0 {
		if by, err = staff(w, h, login, roles...); err != nil {
			return err
		}
	}
	return do(h, by)
}

// step takes a step and says where the campaign is.
func (f campaignFlags) step(w *world, login string, on lifecycle.Event, roles ...lifecycle.Role) error {
	return f.with(w, login, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.MoveCampaign(w.ctx, by, f.Campaign, on); err != nil {
			return err
		}
		return f.tell(w, h)
	}, roles...)
}

func (f campaignFlags) tell(w *world, h *house.House) error {
	v, err := h.Service.Campaign(w.ctx, f.Campaign)
	if err != nil {
		return err
	}
	return campaignLine(w.out, v)
}

func campaignLine(out io.Writer, v issuance.CampaignView) error {
	line := fmt.Sprintf("%s  %s  %d %ss", v.ID, v.State, v.Size, v.Subject)
	for _, state := range slices.Sorted(maps.Keys(v.Progress)) {
		line += fmt.Sprintf("  %s %d", state, v.Progress[state])
	}
	_, err := fmt.Fprintln(out, line)
	return err
}

type campaignShowCmd struct{ campaignFlags }

// Run shows.
func (c campaignShowCmd) Run(w *world) error {
	return c.with(w, "", func(h *house.House, _ lifecycle.Actor) error {
		v, err := h.Service.Campaign(w.ctx, c.Campaign)
		if err != nil {
			return err
		}
		if err := campaignLine(w.out, v); err != nil {
			return err
		}
		of := fmt.Sprintf("second    %t (holders who had another card ordered lately)", v.SecondCards)
		if v.Subject == lifecycle.OfCertificates {
			of = "profiles  " + v.Profiles
		}
		return say(w, "why       %s\npicked    %s\n%s\npilot     %d, then %d an hour (0: as fast as can be)\nwaiver    %s\nproposed  %s, %s\napproved  %s\nshown     %x",
			v.Why, v.Criteria, of, v.Pilot, v.Hourly, v.Waiver, v.RequestedBy, v.Created.Format(time.DateTime), v.ApprovedBy, v.Hash())
	})
}

// decision names what was shown.
type decision struct {
	campaignFlags

	As    string `help:"Login of the approver." required:""`
	Shown string `help:"The content hash that sceau campaign show showed." required:""`
}

func (d decision) decide(w *world, approve bool, note string) error {
	shown, err := hex.DecodeString(d.Shown)
	if err != nil || len(shown) != 32 {
		return fmt.Errorf("%w: --shown is 64 hexadecimal digits, as sceau campaign show shows them", errUsage)
	}
	return d.with(w, d.As, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.DecideCampaign(w.ctx, by, d.Campaign, [32]byte(shown), approve, note); err != nil {
			return err
		}
		return d.tell(w, h)
	}, lifecycle.RoleApprover)
}

type campaignApproveCmd struct{ decision }

// Run approves.
func (c campaignApproveCmd) Run(w *world) error { return c.decide(w, true, "") }

type campaignRefuseCmd struct {
	decision

	Note string `help:"Why; who proposed it reads it." required:""`
}

// Run refuses.
func (c campaignRefuseCmd) Run(w *world) error { return c.decide(w, false, c.Note) }

// conduct is a step of who conducts a campaign.
type conduct struct {
	campaignFlags

	As string `help:"Login of the operator or security officer." required:""`
}

func (c conduct) run(w *world, on lifecycle.Event) error {
	return c.step(w, c.As, on, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer)
}

type (
	campaignPilotCmd  struct{ conduct }
	campaignGoCmd     struct{ conduct }
	campaignPauseCmd  struct{ conduct }
	campaignResumeCmd struct{ conduct }
	campaignCancelCmd struct{ conduct }
	campaignRetryCmd  struct{ conduct }
)

// Run begins the pilot.
func (c campaignPilotCmd) Run(w *world) error { return c.run(w, lifecycle.Pilot) }

// Run says go.
func (c campaignGoCmd) Run(w *world) error { return c.run(w, lifecycle.Go) }

// Run pauses.
func (c campaignPauseCmd) Run(w *world) error { return c.run(w, lifecycle.Pause) }

// Run resumes.
func (c campaignResumeCmd) Run(w *world) error { return c.run(w, lifecycle.Resume) }

// Run cancels; who may propose may also withdraw.
func (c campaignCancelCmd) Run(w *world) error {
	return c.step(w, c.As, lifecycle.Cancel, lifecycle.Proposes()...)
}

// Run has the failed ones ordered again.
func (c campaignRetryCmd) Run(w *world) error {
	return c.with(w, c.As, func(h *house.House, by lifecycle.Actor) error {
		if _, err := h.Service.RetryCampaign(w.ctx, by, c.Campaign); err != nil {
			return err
		}
		return c.tell(w, h)
	}, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer)
}

type campaignListCmd struct{ databaseFlags }

// Run lists.
func (c campaignListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	var after lifecycle.CampaignID
	for {
		page, err := h.Service.Campaigns(w.ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, v := range page {
			if err := campaignLine(w.out, v); err != nil {
				return err
			}
			after = v.ID
		}
	}
}

type campaignFailuresCmd struct{ campaignFlags }

// Run lists.
func (c campaignFailuresCmd) Run(w *world) error {
	return c.with(w, "", func(h *house.House, _ lifecycle.Actor) error {
		for after := ""; ; {
			page, err := h.Service.CampaignFailures(w.ctx, c.Campaign, after)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, f := range page {
				if err := say(w, "%s  %s  %s", f.On, f.State, f.Why); err != nil {
					return err
				}
				after = f.On
			}
		}
	})
}
