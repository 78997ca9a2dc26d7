package main

import (
	"errors"
	"fmt"
	"time"

	"sceau/hsm"
)

// activityFlags name what the card engine does for live keys only while two
// officers have opened it.
type activityFlags struct {
	vaultFlags

	Activity string `help:"pin-letter or rekey." enum:"pin-letter,rekey" default:"pin-letter"`
}

type ceremonyOpenCmd struct {
	activityFlags

	For time.Duration `name:"for" help:"How long it stays open, at most 12h; both officers say the same." default:"1h"`
}

// Run opens the window, or proposes it.
func (c ceremonyOpenCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	until, err := vault.OpenActivity(w.ctx, c.Activity, c.For)
	if errors.Is(err, hsm.ErrProposed) {
		_, err = fmt.Fprintln(w.out, err.Error()+": the other officer gives this command too")
		return err
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s is open until %s\n", c.Activity, until.UTC().Format(time.RFC3339))
	return err
}

type ceremonyCloseCmd struct{ activityFlags }

// Run closes the window.
func (c ceremonyCloseCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	if err := vault.CloseActivity(w.ctx, c.Activity); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.out, c.Activity, "is closed")
	return err
}
