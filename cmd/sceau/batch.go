package main

import (
	"fmt"

	"sceau/lifecycle"
)

// batchCmd is about personalisation batches.
type batchCmd struct {
	Seal batchSealCmd `cmd:"" help:"Seal the approved cards into batches by product, urgency and bureau, and send them on their way."`
}

type batchSealCmd struct {
	databaseFlags
	bankFlags

	As string `help:"Login of the operator." required:""`
}

// Run seals.
func (c batchSealCmd) Run(w *world) error {
	bank, err := c.bankFlags.read() // it says how large a batch is
	if err != nil {
		return err
	}
	h, err := openHouse(w, c.databaseFlags, bank.Policy(), c.TestNames)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	sealed, err := h.Service.SealBatches(w.ctx, by)
	for _, b := range sealed { // also those before what failed
		if _, err := fmt.Fprintf(w.out, "%s  %d cards\n", b.Batch, b.Cards); err != nil {
			return err
		}
	}
	return err
}
