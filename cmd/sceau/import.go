package main

import (
	"fmt"

	"sceau/issuance"
	"sceau/lifecycle"
)

// importCmd takes an order file as a member of staff.
type importCmd struct {
	databaseFlags
	vaultFlags
	bankFlags

	File string `arg:"" help:"The order file: CSV, UTF-8, semicolons." type:"existingfile"`
	As   string `help:"Login of the operator or account manager who takes it." required:""`
}

// Run imports, and tells which lines were refused and why.
func (c importCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx) // cards are born with their numbers, sealed
	if err != nil {
		return err
	}
	defer vault.Close()
	h, err := openHouseWith(w, c.databaseFlags, vault, issuance.DefaultPolicy(), c.TestNames)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleOperator, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	file, err := openFile(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	report, err := h.Service.ImportOrders(w.ctx, by, file, nil)
	if err != nil {
		return err
	}
	for _, e := range report.Wrong {
		if _, err := fmt.Fprintf(w.out, "line %d: %s: %s\n", e.Line, e.Field, e.Why); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w.out, "%d lines: %d kept (%d cards, %d bank cards, %d certificates), %d refused\n",
		report.Lines, report.Kept, report.Cards, report.Registered, report.Certificates, report.Refused)
	return err
}
