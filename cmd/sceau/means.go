package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// meansCmd is what staff do about the means of users.
type meansCmd struct {
	List    meansListCmd    `cmd:"" help:"List all means of a user: cards, certificates, and what the user added."`
	Invite  meansInviteCmd  `cmd:"" help:"Make the code with which a user adds a means; it is shown once, and voids the one before."`
	Suspend meansSuspendCmd `cmd:"" help:"Suspend a means that a user added."`
	Resume  meansResumeCmd  `cmd:"" help:"Bring back one that is suspended, once its user was recognised."`
	End     meansEndCmd     `cmd:"" help:"End one, for ever."`
}

// oneUser is what the commands about a user take.
type oneUser struct {
	Client string `arg:"" help:"Client ID, 8 digits."`
	User   string `arg:"" help:"User number, 4 digits."`
}

type meansListCmd struct {
	databaseFlags
	oneUser
}

// Run lists.
func (c meansListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	list, err := h.Service.MeansOf(w.ctx, c.Client, c.User)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, m := range list {
		used, strong, usable := "never used", "not strong alone", "-"
		if !m.LastUsed.IsZero() {
			used = "used " + m.LastUsed.Format(time.RFC3339)
		}
		if m.Kind.Strong() {
			strong = "strong"
		}
		if m.Usable {
			usable = "usable"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, m.Kind, m.State, usable, strong, used, m.Label)
	}
	return table.Flush()
}

type meansInviteCmd struct {
	asStaff
	oneUser

	Kind     lifecycle.MeansKind `help:"What the user adds: code or passkey." enum:"code,passkey" required:""`
	Handover issuance.Handover   `help:"How the user gets it: face_to_face or registered_post; never by mail." enum:"face_to_face,registered_post" default:"face_to_face"`
}

// Run makes the code.
func (c meansInviteCmd) Run(w *world) error {
	return c.do(w, lifecycle.Invites(), func(h *house.House, by lifecycle.Actor) error {
		made, err := h.Service.InviteMeans(w.ctx, by, c.Client, c.User, c.Kind, c.Handover)
		if err != nil {
			return err
		}
		return say(w, "code: %s\nit is shown once, and adds one %s for user %s of %s until %s", made.Code.Reveal(), c.Kind, c.User, c.Client,
			made.Expires.Format(time.RFC3339))
	})
}

// oneMeans is what the commands about one means take.
type oneMeans struct {
	asStaff

	ID  lifecycle.MeansID `arg:"" help:"The means, M-…"`
	Why string            `help:"Who asked and how they were recognised: it is kept." required:""`
}

func (c oneMeans) change(w *world, on lifecycle.Event, done string) error {
	return c.do(w, staffWho(lifecycle.EndsMeans()), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ChangeMeans(w.ctx, by, issuance.MeansChange{ID: c.ID, On: on, Why: c.Why}); err != nil {
			return err
		}
		return say(w, "%s %s", c.ID, done)
	})
}

type meansSuspendCmd struct{ oneMeans }

// Run suspends.
func (c meansSuspendCmd) Run(w *world) error {
	return c.change(w, lifecycle.Suspend, "is suspended: nothing by it is accepted until staff resume it")
}

type meansResumeCmd struct{ oneMeans }

// Run resumes.
func (c meansResumeCmd) Run(w *world) error {
	return c.change(w, lifecycle.Resume, "is accepted again")
}

type meansEndCmd struct{ oneMeans }

// Run ends.
func (c meansEndCmd) Run(w *world) error { return c.change(w, lifecycle.End, "has ended") }
