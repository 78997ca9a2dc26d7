package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// safeCmd looks after the data keys under which card numbers are sealed.
type safeCmd struct {
	List   safeListCmd   `cmd:"" help:"List the data keys, and how much is sealed under each."`
	Rotate safeRotateCmd `cmd:"" help:"Have Vault make a new data key; what is new is sealed under it."`
	Reseal safeResealCmd `cmd:"" help:"Seal again, under the newest data key, what is sealed under others. Interrupted, run it again."`
	Retire safeRetireCmd `cmd:"" help:"Erase a data key under which nothing is sealed any more."`
}

type safeListCmd struct{ databaseFlags }

// Run lists.
func (c safeListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	keys, err := h.Service.DataKeys(w.ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, k := range keys {
		state := "in use"
		if !k.Retired.IsZero() {
			state = "retired " + k.Retired.Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(table, "%d\tmade %s\t%s\t%d sealed\n", k.Number, k.Created.Format(time.RFC3339), state, k.Sealed)
	}
	return table.Flush()
}

// withSafe are the commands that take Vault, too.
type withSafe struct {
	databaseFlags
	vaultFlags

	As string `help:"Login of the security officer." required:""`
}

func (c withSafe) do(w *world, work func(h *house.House, by lifecycle.Actor) error) error {
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
	by, err := staff(w, h, c.As, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	return work(h, by)
}

type safeRotateCmd struct{ withSafe }

// Run makes a data key.
func (c safeRotateCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		number, err := h.RotateSafe(w.ctx, by)
		if err != nil {
			return err
		}
		return say(w, "data key %d is made: what is new is sealed under it; seal the rest again with sceau safe reseal", number)
	})
}

type safeResealCmd struct{ withSafe }

// Run seals again.
func (c safeResealCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		const often = 5 * time.Second
		last := w.now()
		done, err := h.Service.Reseal(w.ctx, by, func(done, of int64) {
			if now := w.now(); now.Sub(last) >= often {
				last = now
				_ = say(w, "%d of %d", done, of)
			}
		})
		if err != nil {
			return fmt.Errorf("%w (%d are sealed again; run it again for the rest)", err, done)
		}
		return say(w, "%d sealed again", done)
	})
}

type safeRetireCmd struct {
	asStaff

	Number int `arg:"" help:"The data key."`
}

// Run retires a data key.
func (c safeRetireCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleSecurityOfficer}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.RetireDataKey(w.ctx, by, c.Number); err != nil {
			return err
		}
		return say(w, "data key %d is retired", c.Number)
	})
}
