package main

import (
	"fmt"

	"sceau/cmd/sceau/internal/house"
	"sceau/lifecycle"
)

// rotationFlags are what rotating and retiring share.
type rotationFlags struct {
	ceremonyFlags

	Key string `help:"Name of the key." required:""`
}

// ceremonyFlags is what the small acts of a ceremony share.
type ceremonyFlags struct {
	databaseFlags
	vaultFlags
	bankFlags

	ID      string `name:"id" help:"Name of the ceremony." required:""`
	Officer string `help:"Login of the security officer who holds the ceremony." required:""`
}

// with opens what they need, the store of signing keys when f's command has one.
func (f ceremonyFlags) with(w *world, keys keystoreFlags, act func(h *house.House, c house.Ceremony) error) error {
	bank, err := f.bankFlags.read()
	if err != nil {
		return err
	}
	h, err := openHouse(w, f.databaseFlags, bank.Policy(), f.TestNames)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := h.Service.StaffActor(w.ctx, f.Officer, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	online, err := f.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer online.Close()
	store, closeStore, err := keys.store(w.ctx, online)
	if err != nil {
		return err
	}
	defer closeStore()
	return act(h, house.Ceremony{
		ID: f.ID, By: by, Online: store, Cards: online, Now: w.now, Bank: bank,
		Say: func(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) },
	})
}

type ceremonyRotateCmd struct {
	rotationFlags
	keystoreFlags

	PublicBase string `help:"Where relying parties reach the public door, http://host: for a delegate of a CA that was recorded without." env:"SCEAU_PUBLIC_BASE" placeholder:"URL"`
	Components bool   `help:"Custodians enter the new version in components: run this before them, and again after them."`
}

// Run makes the new version, or records the one that custodians entered.
func (c ceremonyRotateCmd) Run(w *world) error {
	return c.with(w, c.keystoreFlags, func(h *house.House, k house.Ceremony) error {
		k.PublicBase = c.PublicBase
		return h.Rotate(w.ctx, k, c.Key, c.Components)
	})
}

type ceremonyRetireCmd struct {
	rotationFlags

	KeyVersion int `help:"Number of the version to end; not the latest." required:""`
}

// Run retires the version, unless a card of it may still be used.
func (c ceremonyRetireCmd) Run(w *world) error {
	return c.with(w, keystoreFlags{}, func(h *house.House, k house.Ceremony) error { return h.Retire(w.ctx, k, c.Key, c.KeyVersion) })
}
