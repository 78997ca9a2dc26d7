package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

// cardCmd is about one card.
type cardCmd struct {
	Number cardNumberCmd `cmd:"" help:"Show a card's whole number; the audit trail keeps who, when and why."`
	Codes  cardCodesCmd  `cmd:"" help:"Show what became of a card's last codes, and why."`
	Lock   cardLockCmd   `cmd:"" help:"Refuse a card's codes until it is unlocked."`
	Unlock cardUnlockCmd `cmd:"" help:"Take a card's codes again, once its holder has shown who they are."`
}

type cardNumberCmd struct {
	databaseFlags
	vaultFlags

	Card lifecycle.CardID `arg:"" help:"The card."`
	As   string           `help:"Login of the security officer who asks." required:""`
	Why  string           `help:"Why the number is needed." required:""`
}

// Run opens the number and shows it.
func (c cardNumberCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	h, err := openHouseWith(w, c.databaseFlags, vault, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.SeesPANs()...)
	if err != nil {
		return err
	}
	pan, err := h.Service.ShowPAN(w.ctx, by, c.Card, c.Why)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.out, pan.Reveal())
	return err
}

type cardCodesCmd struct {
	databaseFlags

	Card lifecycle.CardID `arg:"" help:"The card."`
	As   string           `help:"Login of the member of staff who asks." required:""`
	Last int              `help:"How many, newest first." default:"20"`
}

// Run shows the judgements.
func (c cardCodesCmd) Run(w *world) error {
	return atDesk(w, c.databaseFlags, c.As, lifecycle.StaffRoles(), func(desk *authn.Service, by lifecycle.Actor) error {
		all, err := desk.Explain(w.ctx, by, c.Card, c.Last)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "when\twhat\tby\tpurpose\tmode\tlast counter\tcounter\tskipped\twindow\twrong in a row\twhy")
		for _, j := range all {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", j.At.Format(time.RFC3339), j.Event, j.By, j.Purpose, j.Mode,
				j.LastATC, j.ATC, j.Skipped, j.Window, j.Failures, j.Note)
		}
		return table.Flush()
	})
}

// cardDeskFlags are what locking and unlocking ask for.
type cardDeskFlags struct {
	databaseFlags

	Card lifecycle.CardID `arg:"" help:"The card."`
	As   string           `help:"Login of the account manager, operator or security officer who does it." required:""`
	Why  string           `help:"Why, and how the holder was recognised: it is kept." required:""`
}

type cardLockCmd struct{ cardDeskFlags }

// Run locks the card's codes.
func (c cardLockCmd) Run(w *world) error {
	return atDesk(w, c.databaseFlags, c.As, lifecycle.UnlocksCodes(), func(desk *authn.Service, by lifecycle.Actor) error {
		return desk.Lock(w.ctx, by, c.Card, c.Why)
	})
}

type cardUnlockCmd struct{ cardDeskFlags }

// Run unlocks them.
func (c cardUnlockCmd) Run(w *world) error {
	return atDesk(w, c.databaseFlags, c.As, lifecycle.UnlocksCodes(), func(desk *authn.Service, by lifecycle.Actor) error {
		return desk.Unlock(w.ctx, by, c.Card, c.Why)
	})
}

// atDesk does something about a card's codes, which takes the database alone.
func atDesk(w *world, database databaseFlags, login string, roles []lifecycle.Role, do func(*authn.Service, lifecycle.Actor) error) error {
	h, err := openHouse(w, database, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, login, roles...)
	if err != nil {
		return err
	}
	desk, err := h.CodesDesk()
	if err != nil {
		return err
	}
	return do(desk, by)
}
