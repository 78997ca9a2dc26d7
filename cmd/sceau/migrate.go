package main

import (
	"fmt"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
)

// migrateCmd brings the database to this version.
type migrateCmd struct {
	databaseFlags
	bankFlags
}

// Run migrates, and records the bank's file when one is given.
func (c migrateCmd) Run(w *world) error {
	url, err := c.url()
	if err != nil {
		return err
	}
	if url == "" {
		return fmt.Errorf("%w: which database? give --database-url or SCEAU_DATABASE_URL", errUsage)
	}
	if err := house.Migrate(w.ctx, url); err != nil {
		return err
	}
	bank, policy := (*house.Bank)(nil), issuance.DefaultPolicy()
	if c.Bank != "" {
		if bank, err = c.bankFlags.read(); err != nil {
			return err
		}
		policy = bank.Policy()
	}
	h, err := openHouse(w, c.databaseFlags, policy, c.TestNames)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.Service.FillHouseRecord(w.ctx); err != nil { // what older versions left out
		return err
	}
	if _, err := fmt.Fprintln(w.out, "the database is at this version"); err != nil || bank == nil {
		return err
	}
	if err := h.SetUp(w.ctx, bank, w.now()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s: %d branches, %d people, %d prices, %d products recorded\n",
		bank.Bank.Name, len(bank.Branches), len(bank.Staff), len(bank.Tariff), len(bank.Products))
	return err
}
