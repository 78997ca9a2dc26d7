package main

import (
	"fmt"

	"sceau/issuance"
	"sceau/lifecycle"
)

// cardCmd is about one card.
type cardCmd struct {
	Number cardNumberCmd `cmd:"" help:"Show a card's whole number; the audit trail keeps who, when and why."`
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
