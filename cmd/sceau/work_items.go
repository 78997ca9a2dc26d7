package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// workItemsCmd is what waits for a person.
type workItemsCmd struct {
	List    workListCmd    `cmd:"" help:"List what waits, oldest first: returned mail, failed orders and letters, stopped certificates, missing cards, unfinished chips, return files, flagged orders, refused certificates, unconfirmed callers, reports of fraud, emergency stops that somebody asks to lift, corrected names, alarms about revocation, no CA that signs."`
	Show    workShowCmd    `cmd:"" help:"Show one of them: why it waits, what ends it, and what happened to it."`
	Claim   workClaimCmd   `cmd:"" help:"Take one on, so that nobody else does."`
	Release workReleaseCmd `cmd:"" help:"Give a claim up; a security officer gives up anybody's."`
	Retry   workRetryCmd   `cmd:"" help:"Take up again what failed, once what was wrong is mended; a missing card is made again."`
	Resolve workResolveCmd `cmd:"" help:"Close a work item (W-…) with what came of it."`
}

type workListCmd struct {
	databaseFlags

	Kind lifecycle.WorkKind `help:"Of one kind: returned_mail, return_file, failed_order, failed_letter, stopped_certificate, missing_card, unfinished_chip, flagged_order, refused_certificate, failed_notice, no_signing_ca, unconfirmed_caller, fraud_report, stop_to_lift, corrected_data or revocation_alarm." placeholder:"KIND"`
	Age  time.Duration      `help:"Only what has waited so long, as 24h." placeholder:"DURATION"`
}

// Run lists.
func (c workListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for filter := (issuance.WorkFilter{Kind: c.Kind, AtLeast: c.Age}); ; {
		page, err := h.Service.WorkItems(w.ctx, filter)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return table.Flush()
		}
		for _, i := range page {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", i.ID, i.Kind, i.Since.Format(time.RFC3339), i.Card, orNobody(i.ClaimedBy), i.Why)
		}
		filter.After = page[len(page)-1]
	}
}

func orNobody(login string) string {
	if login == "" {
		return "-"
	}
	return login
}

// oneWorkItem is what the commands about one of them take.
type oneWorkItem struct {
	asStaff

	Item string `arg:"" help:"Its identifier, as the list shows it."`
}

type workShowCmd struct{ oneWorkItem }

// Run shows it with the trail of what it is about.
func (c workShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		i, err := h.Service.WorkItem(w.ctx, c.Item)
		if err != nil {
			return err
		}
		err = say(w, "%s  %s\nwaits since  %s\non           %s %s\ncard         %s\nclaimed by   %s\nwhy          %s\nto do        %s",
			i.ID, i.Kind, i.Since.Format(time.RFC3339), i.Thing, i.On, i.Card, orNobody(i.ClaimedBy), i.Why, issuance.Mends(i.Kind))
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		seen := map[string]bool{"": true}
		for _, id := range []string{i.ID, i.On, string(i.Card)} {
			if seen[id] {
				continue
			}
			seen[id] = true
			trail, err := h.Service.AuditOf(w.ctx, id)
			if err != nil {
				return err
			}
			for _, e := range trail {
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.At.UTC().Format(time.RFC3339), e.Thing, e.ThingID, e.Event, e.ToState, e.Actor)
			}
		}
		return table.Flush()
	})
}

type workClaimCmd struct{ oneWorkItem }

// Run claims it.
func (c workClaimCmd) Run(w *world) error {
	return c.do(w, lifecycle.SeesToWork(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ClaimWork(w.ctx, by, c.Item); err != nil {
			return err
		}
		return say(w, "%s is %s's", c.Item, by.ID)
	})
}

type workReleaseCmd struct{ oneWorkItem }

// Run releases it.
func (c workReleaseCmd) Run(w *world) error {
	roles := []lifecycle.Role{lifecycle.RoleSecurityOfficer, lifecycle.RoleAccountManager, lifecycle.RoleOperator, lifecycle.RoleApprover}
	return c.do(w, roles, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ReleaseWork(w.ctx, by, c.Item); err != nil {
			return err
		}
		return say(w, "%s is anybody's", c.Item)
	})
}

type workRetryCmd struct{ oneWorkItem }

// Run has it tried again.
func (c workRetryCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.RetryWork(w.ctx, by, c.Item); err != nil {
			return err
		}
		return say(w, "%s is under way again", c.Item)
	})
}

type workResolveCmd struct {
	oneWorkItem

	Reason string `help:"What came of it: it is kept." required:""`
}

// Run closes it.
func (c workResolveCmd) Run(w *world) error {
	roles := []lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer}
	return c.do(w, roles, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ResolveWork(w.ctx, by, c.Item, c.Reason); err != nil {
			return err
		}
		return say(w, "%s is done", c.Item)
	})
}
