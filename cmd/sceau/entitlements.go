package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
	sign "sceau/signing"
)

// entitledCmd is what staff do about what users may sign.
type entitledCmd struct {
	Show    entitlementsShowCmd    `cmd:"" help:"What a user may sign, with its history, and what waits for an approver with its hash."`
	Propose entitlementsProposeCmd `cmd:"" help:"Propose all that a user is to be able to sign; so the bank names a company's first principal user."`
	Approve entitlementsApproveCmd `cmd:"" help:"As an approver who did not propose it, give it."`
	Refuse  entitlementsRefuseCmd  `cmd:"" help:"As an approver, turn it down."`
	List    entitlementsListCmd    `cmd:"" help:"List what waits for an approver."`
}

// oneUser is what the commands about one user take.
type oneUser struct {
	asStaff

	Client string `arg:"" help:"Client ID, 8 digits."`
	User   string `arg:"" help:"User number, 4 digits."`
}

func (o oneUser) name() string { return o.Client + "/" + o.User }

type entitlementsShowCmd struct{ oneUser }

// Run shows.
func (c entitlementsShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		all, err := h.Service.UserEntitlements(w.ctx, c.Client, c.User)
		if err != nil {
			return err
		}
		effect := "in force"
		if !all.Strong {
			effect = "WITHOUT EFFECT: the user has no strong means of their own"
		}
		if err := say(w, "%s  %s", c.name(), effect); err != nil {
			return err
		}
		for _, e := range all.Versions {
			by := "staff " + e.RequestedBy + ", " + orNobody(e.DecidedBy)
			if e.Authentication != "" {
				by = "a principal user, " + string(e.Authentication)
			}
			if err := say(w, "%s  %s  %s  by %s\n    %s", e.ID, e.State, e.Created.Format(time.RFC3339), by, e.Grants.Text()); err != nil {
				return err
			}
			if e.State == lifecycle.EntitlementsProposed {
				sum := e.Grants.Sum(c.name())
				if err := say(w, "    approve with --hash %x", sum); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

type entitlementsProposeCmd struct {
	oneUser

	Grants []string `arg:"" optional:"" help:"FUNCTION[@ACCOUNT][:FROM-TO:CURRENCY], cents; none takes all away. manage_entitlements makes a principal user."`
}

// Run proposes.
func (c entitlementsProposeCmd) Run(w *world) error {
	grants, err := parseGrants(c.Grants)
	if err != nil {
		return err
	}
	return c.do(w, lifecycle.Entitles(), func(h *house.House, by lifecycle.Actor) error {
		e, err := h.Service.ProposeEntitlements(w.ctx, by, issuance.EntitlementRequest{ClientID: c.Client, UserNumber: c.User, Grants: grants})
		if err != nil {
			return err
		}
		return say(w, "%s waits for an approver\n    %s\n    approve with --hash %x", e.ID, e.Grants.Text(), e.Grants.Sum(c.name()))
	})
}

// parseGrants reads FUNCTION[@ACCOUNT][:FROM-TO:CURRENCY].
func parseGrants(texts []string) ([]sign.Grant, error) {
	grants := make([]sign.Grant, 0, len(texts))
	for _, text := range texts {
		wrong := &lifecycle.FieldError{Field: "grants", Why: fmt.Sprintf("%.60q is not of the form FUNCTION[@ACCOUNT][:FROM-TO:CURRENCY]", text)}
		parts := strings.Split(text, ":")
		function, account, _ := strings.Cut(parts[0], "@")
		g := sign.Grant{Function: sign.Function(function), Account: account}
		switch len(parts) {
		case 1:
		case 3:
			from, to, ok := strings.Cut(parts[1], "-")
			var errFrom, errTo error
			g.From, errFrom = strconv.ParseInt(from, 10, 64)
			g.To, errTo = strconv.ParseInt(to, 10, 64)
			if !ok || errFrom != nil || errTo != nil {
				return nil, wrong
			}
			g.Currency = parts[2]
		default:
			return nil, wrong
		}
		grants = append(grants, g)
	}
	return grants, nil
}

type entitlementsApproveCmd struct {
	asStaff

	Entitlements lifecycle.EntitlementID `arg:"" help:"EN-…"`
	Hash         string                  `help:"Of what was shown." required:""`
}

// Run approves.
func (c entitlementsApproveCmd) Run(w *world) error {
	sum, err := parseSum(c.Hash)
	if err != nil {
		return err
	}
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ApproveEntitlements(w.ctx, by, c.Entitlements, sum); err != nil {
			return err
		}
		return say(w, "%s is in force", c.Entitlements)
	})
}

// parseSum reads a hash as it was shown.
func parseSum(text string) (sum [32]byte, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(sum) {
		return sum, errors.Join(errUsage, &lifecycle.FieldError{Field: "hash", Why: "has 64 hexadecimal digits, as they were shown"})
	}
	return [32]byte(raw), nil
}

type entitlementsRefuseCmd struct {
	asStaff

	Entitlements lifecycle.EntitlementID `arg:"" help:"EN-…"`
	Why          string                  `help:"Why not: it is kept." required:""`
}

// Run refuses.
func (c entitlementsRefuseCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.RefuseEntitlements(w.ctx, by, c.Entitlements, c.Why); err != nil {
			return err
		}
		return say(w, "%s is refused", c.Entitlements)
	})
}

type entitlementsListCmd struct{ asStaff }

// Run lists.
func (c entitlementsListCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		for after := lifecycle.EntitlementID(""); ; {
			page, err := h.Service.ProposedEntitlements(w.ctx, after)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, e := range page {
				if err := say(w, "%s  %s  by %s  %s", e.ID, e.Holder, e.RequestedBy, e.Grants.Text()); err != nil {
					return err
				}
			}
			after = page[len(page)-1].ID
		}
	})
}
