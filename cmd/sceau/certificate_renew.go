package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

type certificateRenewCmd struct {
	asStaff

	IDs     []lifecycle.CertificateID `arg:"" optional:"" name:"id" help:"The certificates, N-…; or none, with --before."`
	Before  time.Time                 `help:"Instead: all that end before this moment and that nobody renews yet, within the policy's days before their end." placeholder:"TIME"`
	Profile string                    `help:"Of those, only of one profile." placeholder:"NAME"`
}

// Run orders the renewals, one transaction each. Given again it orders what is left.
func (c certificateRenewCmd) Run(w *world) error {
	if (len(c.IDs) == 0) == c.Before.IsZero() {
		return fmt.Errorf("%w: name certificates, or give --before", errUsage)
	}
	roles := []lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer}
	return c.do(w, roles, func(h *house.House, by lifecycle.Actor) error {
		for ids := c.IDs; ; {
			if !c.Before.IsZero() {
				var after lifecycle.CertificateID
				if len(ids) > 0 {
					after = ids[len(ids)-1]
				}
				var err error
				if ids, err = h.Service.CertificatesToRenew(w.ctx, c.Before, c.Profile, after); err != nil {
					return err
				}
			}
			for _, id := range ids {
				order, err := h.Service.Renew(w.ctx, by, id)
				if err != nil {
					return err
				}
				if err := say(w, "%s: order %s waits for approval", id, order); err != nil {
					return err
				}
			}
			if c.Before.IsZero() || len(ids) == 0 {
				return nil
			}
		}
	})
}

type certificateRenewalsCmd struct {
	databaseFlags

	Open bool `help:"Only those whose new certificate is not accepted yet."`
}

// Run lists renewals, and counts how far they are.
func (c certificateRenewalsCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table, counts := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0), map[lifecycle.CertificateState]int{}
	for after := lifecycle.CertificateID(""); ; {
		page, err := h.Service.Renewals(w.ctx, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			counts[r.State]++
			if c.Open && !r.Accepted.IsZero() {
				continue
			}
			_, _ = fmt.Fprintf(table, "%s\tends %s\tby %s\t%s\tcode handed over %s\taccepted %s\n", r.Renews, r.Ends.Format(time.DateOnly), r.Certificate, r.State,
				dayOrNever(r.Invited), dayOrNever(r.Accepted))
		}
		after = page[len(page)-1].Certificate
	}
	for _, state := range lifecycle.Certificates.States {
		if counts[state] > 0 {
			_, _ = fmt.Fprintf(table, "%s\t%d\n", state, counts[state])
		}
	}
	return table.Flush()
}

func dayOrNever(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateOnly)
}
