package main

import (
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/settings"
)

// settingsCmd is what staff see and do of holders' security settings.
type settingsCmd struct {
	Show    settingsShowCmd    `cmd:"" help:"The security settings that concern a user, with their history."`
	Change  settingsChangeCmd  `cmd:"" help:"Tighten a setting at once, or with the holder present propose to loosen it."`
	Approve settingsApproveCmd `cmd:"" help:"As an approver who did not propose it, have a setting loosened after the bank's delay."`
	Refuse  settingsRefuseCmd  `cmd:"" help:"As an approver, turn it down."`
	Stop    settingsStopCmd    `cmd:"" help:"Stop a change before it takes effect: it was not the holder."`
}

type settingsShowCmd struct{ oneUser }

// Run shows.
func (c settingsShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		changes, err := h.Service.Settings(w.ctx, c.Client, c.User)
		if err != nil {
			return err
		}
		set := map[settings.Name]bool{}
		for i, inForce := range issuance.InForce(changes, w.now()) {
			set[changes[i].Setting] = set[changes[i].Setting] || inForce
			if err := showSetting(w, changes[i], inForce); err != nil {
				return err
			}
		}
		for _, n := range settings.Names() {
			if !set[n] {
				if err := say(w, "%s  the bank's own\n    %s", n, settings.Canonical(settings.Default(n))); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func showSetting(w *world, c issuance.SettingChange, inForce bool) error {
	state := string(c.State)
	switch {
	case inForce:
		state = "IN FORCE"
	case c.Waits(w.now()):
		state = "takes effect " + c.From.Format(time.RFC3339)
	case c.State == lifecycle.SettingAccepted:
		state = "over"
	}
	until := ""
	if !c.Until.IsZero() {
		until = " until " + c.Until.Format(time.RFC3339)
	}
	how := "tightened"
	if c.Loosens {
		how = "loosened"
	}
	proof := "staff " + c.MadeBy + " " + c.DecidedBy
	if c.Authentication != "" {
		proof = string(c.Authentication)
	}
	if err := say(w, "%s  %s %s  version %d  %s%s\n    %s by %s, %s; from %s\n    to   %s", c.ID, c.Setting, c.Scope(), c.Version, state, until,
		how, proof, c.Created.Format(time.RFC3339), c.Old, c.New); err != nil {
		return err
	}
	if c.State == lifecycle.SettingProposed {
		return say(w, "    approve with --hash %x", c.Sum())
	}
	return nil
}

type settingsChangeCmd struct {
	oneUser

	Setting string        `arg:"" help:"foreign_transfers, card_use, direct_debits, unsigned_payments, limits, new_beneficiary, alerts or dual_signature."`
	Value   string        `arg:"" help:"As JSON, as docs/relying-services.md says."`
	Level   string        `help:"company, user or account." enum:"company,user,account" default:"user"`
	Account string        `help:"Of the level account."`
	For     time.Duration `help:"An opening ends after this; left out, it stays."`
	Present bool          `help:"The holder is here and was recognised." name:"holder-present"`
	Note    string        `help:"How the holder was recognised, or why it is tightened: it is kept." required:""`
}

// Run changes, or proposes.
func (c settingsChangeCmd) Run(w *world) error {
	return c.do(w, lifecycle.TightensSettings(), func(h *house.House, by lifecycle.Actor) error {
		r := issuance.SettingRequest{
			ClientID: c.Client, UserNumber: c.User, Setting: settings.Name(c.Setting), Level: settings.Level(c.Level), Account: c.Account,
			Value: []byte(c.Value), Note: c.Note,
		}
		if c.For > 0 {
			r.Until = w.now().Add(c.For)
		}
		made, err := h.Service.StaffSetting(w.ctx, by, r, c.Present)
		if err != nil {
			return err
		}
		return showSetting(w, made, made.Holds(w.now()))
	})
}

// oneSetting is what the commands about one change take.
type oneSetting struct {
	asStaff

	Change lifecycle.SettingID `arg:"" help:"SG-…"`
}

type settingsApproveCmd struct {
	oneSetting

	Hash string `help:"Of what was shown." required:""`
}

// Run approves.
func (c settingsApproveCmd) Run(w *world) error {
	sum, err := parseSum(c.Hash)
	if err != nil {
		return err
	}
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ApproveSetting(w.ctx, by, c.Change, sum); err != nil {
			return err
		}
		made, err := h.Service.SettingChange(w.ctx, c.Change)
		if err != nil {
			return err
		}
		return say(w, "%s takes effect %s, if nobody stops it", c.Change, made.From.Format(time.RFC3339))
	})
}

type settingsRefuseCmd struct {
	oneSetting

	Why string `help:"Why not: it is kept." required:""`
}

// Run refuses.
func (c settingsRefuseCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.RefuseSetting(w.ctx, by, c.Change, c.Why); err != nil {
			return err
		}
		return say(w, "%s is refused", c.Change)
	})
}

type settingsStopCmd struct {
	oneSetting

	Why string `help:"Who called, and what they said: it is kept." required:""`
}

// Run stops.
func (c settingsStopCmd) Run(w *world) error {
	who := []lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer, lifecycle.RoleApprover}
	return c.do(w, who, func(h *house.House, by lifecycle.Actor) error {
		if _, err := h.Service.StopSetting(w.ctx, by, c.Change, c.Why); err != nil {
			return err
		}
		return say(w, "%s is stopped: it changes nothing", c.Change)
	})
}
