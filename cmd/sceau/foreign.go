package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/trust"
)

// foreignCmd is about holders' certificates of other CAs.
type foreignCmd struct {
	Challenge foreignChallengeCmd `cmd:"" help:"Write the text that a holder signs by the certificate's key, within a day."`
	Bind      foreignBindCmd      `cmd:"" help:"Bring a holder's certificate with that signature; somebody else approves it."`
	List      foreignListCmd      `cmd:"" help:"List those that wait for an approver, oldest first."`
	Show      foreignShowCmd      `cmd:"" help:"Show one: whose it is to be, what it says, and what is wrong with it now."`
	Approve   foreignApproveCmd   `cmd:"" help:"Make a certificate its holder's means: somebody else than who brought it, by the hash of what they saw."`
	Refuse    foreignRefuseCmd    `cmd:"" help:"Turn a certificate down."`
}

// ofUser is what the commands about a user's certificate take.
type ofUser struct {
	asStaff

	Client string `arg:"" help:"Client ID, 8 digits."`
	User   string `arg:"" help:"User number, 4 digits."`
}

func bringers() []lifecycle.Role {
	return []lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleOperator}
}

type foreignChallengeCmd struct {
	ofUser

	Out string `help:"File for the text, without a line feed at its end; left out, it is printed." placeholder:"FILE"`
}

// Run challenges.
func (c foreignChallengeCmd) Run(w *world) error {
	return c.do(w, bringers(), func(h *house.House, by lifecycle.Actor) error {
		made, err := h.Service.ChallengeBinding(w.ctx, by, c.Client, c.User)
		if err != nil {
			return err
		}
		if c.Out == "" {
			return say(w, "%s", made.Text)
		}
		if err := os.WriteFile(c.Out, made.Text, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", c.Out, err)
		}
		return say(w, "%s is to be signed until %s: openssl dgst -sha256 -sign KEY -out SIGNATURE %s", c.Out, made.Expires.Format(time.RFC3339), c.Out)
	})
}

type foreignBindCmd struct {
	ofUser

	Certificate string `arg:"" help:"The certificate, PEM or DER." type:"existingfile"`
	Signature   string `arg:"" help:"The signature over the challenge's text." type:"existingfile"`
	Label       string `help:"The holder's word for it." default:"certificat"`
}

// Run proposes.
func (c foreignBindCmd) Run(w *world) error {
	der, err := readCertificateFile(c.Certificate)
	if err != nil {
		return err
	}
	const longest = 1024
	signature, err := readLimited(c.Signature, longest)
	if err != nil {
		return err
	}
	return c.do(w, bringers(), func(h *house.House, by lifecycle.Actor) error {
		id, err := h.Service.BindForeign(w.ctx, by, issuance.ForeignBinding{
			ClientID: c.Client, UserNumber: c.User, Certificate: der, Signature: signature, Label: c.Label,
		})
		if err != nil {
			return err
		}
		return say(w, "%s waits for an approver: sceau foreign-certificate show %s", id, id)
	})
}

type foreignListCmd struct {
	databaseFlags

	All bool `help:"Those that were decided too."`
}

// Run lists.
func (c foreignListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for after := lifecycle.MeansID(""); ; {
		page, err := h.Service.ForeignCertificates(w.ctx, c.All, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return table.Flush()
		}
		for _, f := range page {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", f.ID, f.State, userOf(f.ClientID, f.UserNumber), f.Trusted, f.NotAfter.Format(time.DateOnly), f.Subject)
		}
		after = page[len(page)-1].ID
	}
}

// oneForeign is what the commands about one certificate take.
type oneForeign struct {
	asStaff

	Means lifecycle.MeansID `arg:"" help:"The means, M-…"`
}

type foreignShowCmd struct{ oneForeign }

// Run shows.
func (c foreignShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		f, err := h.Service.ForeignCertificate(w.ctx, c.Means)
		if err != nil {
			return err
		}
		if err := say(w, "%s  %s\nholder    %s, %s of %s, user %s\nbrought   by %s as %q", f.ID, f.State, f.Holder, f.Name, f.Company,
			userOf(f.ClientID, f.UserNumber), f.RequestedBy, f.Label); err != nil {
			return err
		}
		_, err = checkCertificate(w, h, f.DER, trust.Authentication)
		return err
	})
}

type foreignApproveCmd struct {
	oneForeign
	hashFlag
}

// Run approves.
func (c foreignApproveCmd) Run(w *world) error {
	seen, err := c.sum()
	if err != nil {
		return err
	}
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ApproveForeign(w.ctx, by, c.Means, seen); err != nil {
			return err
		}
		return say(w, "%s is its holder's means", c.Means)
	})
}

type foreignRefuseCmd struct {
	oneForeign

	Why string `help:"The reason; it is kept." required:""`
}

// Run refuses.
func (c foreignRefuseCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		return h.Service.RefuseForeign(w.ctx, by, c.Means, c.Why)
	})
}
