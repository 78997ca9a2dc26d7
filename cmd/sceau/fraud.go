package main

import (
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// fraudCmd is what staff do about reports of suspicious things.
type fraudCmd struct {
	List    fraudListCmd    `cmd:"" help:"List the reports that wait, oldest first."`
	Show    fraudShowCmd    `cmd:"" help:"Show a report as it was told; card numbers and codes in it were masked."`
	Review  fraudReviewCmd  `cmd:"" help:"Take a report on."`
	Confirm fraudConfirmCmd `cmd:"" help:"Close a report: it was fraud."`
	Dismiss fraudDismissCmd `cmd:"" help:"Close a report: it was none."`
}

// oneReport is what the commands about one report take.
type oneReport struct {
	asStaff

	Report lifecycle.FraudReportID `arg:"" help:"The receipt, FR-…"`
}

type fraudListCmd struct {
	databaseFlags

	All bool `help:"Closed ones too."`
}

// Run lists.
func (c fraudListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for after := lifecycle.FraudReportID(""); ; {
		page, err := h.Service.FraudReports(w.ctx, c.All, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return table.Flush()
		}
		for _, r := range page {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Kind, r.State, r.Received.Format(time.RFC3339), userOf(r.ClientID, r.UserNumber), orNobody(r.HandledBy))
		}
		after = page[len(page)-1].ID
	}
}

func userOf(client, user string) string {
	if client == "" {
		return "-"
	}
	return client + "/" + user
}

type fraudShowCmd struct{ oneReport }

// Run shows it.
func (c fraudShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		r, err := h.Service.FraudReport(w.ctx, c.Report)
		if err != nil {
			return err
		}
		happened := "-"
		if !r.Happened.IsZero() {
			happened = r.Happened.Format(time.RFC3339)
		}
		return say(w, "%s  %s  %s\nreceived   %s\nhappened   %s\nuser       %s\nholder     %s\noperation  %s\ncontact    %s\nlanguage   %s\nhandled by %s\noutcome    %s\n\n%s",
			r.ID, r.Kind, r.State, r.Received.Format(time.RFC3339), happened, userOf(r.ClientID, r.UserNumber), r.Holder, r.Operation, r.Contact,
			r.Language, orNobody(r.HandledBy), r.Outcome, r.Told)
	})
}

type fraudReviewCmd struct{ oneReport }

// Run takes it on.
func (c fraudReviewCmd) Run(w *world) error {
	return c.do(w, lifecycle.HandlesFraud(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ReviewFraud(w.ctx, by, c.Report); err != nil {
			return err
		}
		return say(w, "%s is %s's", c.Report, by.ID)
	})
}

type fraudConfirmCmd struct{ closeReport }

// Run closes it.
func (c fraudConfirmCmd) Run(w *world) error { return c.end(w, true) }

type fraudDismissCmd struct{ closeReport }

// Run closes it.
func (c fraudDismissCmd) Run(w *world) error { return c.end(w, false) }

type closeReport struct {
	oneReport

	Outcome string `help:"What it was and what was done: it is kept." required:""`
}

func (c closeReport) end(w *world, confirmed bool) error {
	return c.do(w, lifecycle.HandlesFraud(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.CloseFraud(w.ctx, by, c.Report, confirmed, c.Outcome); err != nil {
			return err
		}
		return say(w, "%s is closed", c.Report)
	})
}

// stopCmd is what staff do about emergency stops.
type stopCmd struct {
	Make stopMakeCmd `cmd:"" help:"Stop all means of a user, or of a whole company, at once. The receipt is for the caller."`
	List stopListCmd `cmd:"" help:"List the stops that hold."`
	Show stopShowCmd `cmd:"" help:"Show a stop."`
	Lift stopLiftCmd `cmd:"" help:"Ask to lift a stop, once its user was recognised; or as an approver lift one that somebody else asked to."`
	Keep stopKeepCmd `cmd:"" help:"As an approver, refuse to lift a stop."`
}

type stopMakeCmd struct {
	asStaff

	Client string `arg:"" help:"Client ID, 8 digits."`
	User   string `arg:"" optional:"" help:"User number, 4 digits; left out, every user of the company."`
	Reason string `help:"lost, stolen, fraud, phished or other." required:""`
	Note   string `help:"Who called, and what they said: it is kept."`
}

// Run stops.
func (c stopMakeCmd) Run(w *world) error {
	return c.do(w, staffWho(lifecycle.MayStop()), func(h *house.House, by lifecycle.Actor) error {
		stop, err := h.Service.EmergencyStop(w.ctx, by, issuance.StopRequest{ClientID: c.Client, UserNumber: c.User, Reason: c.Reason, Note: c.Note})
		if err != nil {
			return err
		}
		return showStop(w, stop)
	})
}

func showStop(w *world, s issuance.Stop) error {
	who := "every user of " + string(s.Company)
	if s.Holder != "" {
		who = string(s.Holder)
	}
	if err := say(w, "%s  %s\nof         %s\nreason     %s\nmade       %s by %s\nnote       %s\nto lift    %s %s", s.ID, s.State, who, s.Reason,
		s.Made.Format(time.RFC3339), s.MadeBy, s.Note, orNobody(s.LiftBy), s.LiftWhy); err != nil {
		return err
	}
	for _, id := range s.Held {
		if err := say(w, "held       %s", id); err != nil {
			return err
		}
	}
	for _, id := range s.ToRevoke {
		if err := say(w, "NOT HELD   %s: its profile allows no hold: sceau certificate revoke %s", id, id); err != nil {
			return err
		}
	}
	return nil
}

type stopListCmd struct {
	databaseFlags

	All bool `help:"Lifted ones too."`
}

// Run lists.
func (c stopListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for after := lifecycle.StopID(""); ; {
		page, err := h.Service.Stops(w.ctx, "", c.All, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return table.Flush()
		}
		for _, s := range page {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.State, s.Company, orNobody(string(s.Holder)), s.Reason, s.Made.Format(time.RFC3339))
		}
		after = page[len(page)-1].ID
	}
}

// oneStop is what the commands about one stop take.
type oneStop struct {
	asStaff

	Stop lifecycle.StopID `arg:"" help:"The receipt, ES-…"`
}

type stopShowCmd struct{ oneStop }

// Run shows it.
func (c stopShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		stop, err := h.Service.Stop(w.ctx, c.Stop)
		if err != nil {
			return err
		}
		return showStop(w, stop)
	})
}

type stopLiftCmd struct {
	oneStop

	Why string `help:"How its user was recognised and what has changed: it is kept. Without it, the approver's word."`
}

// Run asks, or decides.
func (c stopLiftCmd) Run(w *world) error {
	if c.Why == "" {
		return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
			if err := h.Service.Lift(w.ctx, by, c.Stop); err != nil {
				return err
			}
			return say(w, "%s is lifted", c.Stop)
		})
	}
	return c.do(w, lifecycle.HandlesFraud(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.AskToLift(w.ctx, by, c.Stop, c.Why); err != nil {
			return err
		}
		return say(w, "%s holds on until an approver lifts it", c.Stop)
	})
}

type stopKeepCmd struct {
	oneStop

	Why string `help:"Why not: it is kept." required:""`
}

// Run refuses.
func (c stopKeepCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.KeepStop(w.ctx, by, c.Stop, c.Why); err != nil {
			return err
		}
		return say(w, "%s holds on", c.Stop)
	})
}

// staffWho are the roles of staff among some.
func staffWho(roles []lifecycle.Role) []lifecycle.Role {
	return slices.DeleteFunc(roles, func(r lifecycle.Role) bool { return !slices.Contains(lifecycle.StaffRoles(), r) })
}
