package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/lifecycle"
)

// ceremonyCmd holds key ceremonies.
type ceremonyCmd struct {
	Hold       ceremonyHoldCmd       `cmd:"" default:"withargs" help:"Hold the ceremony, or go on with it: root, issuing CA, OCSP responder, the root's list, card keys."`
	Activate   ceremonyActivateCmd   `cmd:"" help:"Have another issuing CA sign holders' certificates: two officers give the command. The one before goes on with lists and answers."`
	Minutes    ceremonyMinutesCmd    `cmd:"" help:"Print the minutes of a ceremony from what is on record."`
	Rotate     ceremonyRotateCmd     `cmd:"" help:"Make a new version of a card key, or of a delegate's, ocsp-1, bureau-1 or statement-1; the old one stays live."`
	Retire     ceremonyRetireCmd     `cmd:"" help:"End an old version of a master key, once its last card has expired."`
	Component  ceremonyComponentCmd  `cmd:"" help:"A custodian enters one component of a card key."`
	Abort      ceremonyAbortCmd      `cmd:"" help:"Erase the components of a key that is not whole, to begin again."`
	Open       ceremonyOpenCmd       `cmd:"" help:"Open the window for PIN letters, or for re-keying, of live cards: two officers give the command."`
	Close      ceremonyCloseCmd      `cmd:"" help:"Close the window before its time."`
	DestroyKey ceremonyDestroyKeyCmd `cmd:"" help:"Destroy the keys of a CA that has ended, in Vault: two officers give the command."`
	Server     ceremonyServerCmd     `cmd:"" help:"Certify a TLS listener of the house, by the request that its machine made."`
	Export     ceremonyExportCmd     `cmd:"" help:"Export a transport key as a TR-31 key block for the bureau."`
}

type ceremonyHoldCmd struct {
	databaseFlags
	vaultFlags
	bankFlags
	minutesFlags
	keystoreFlags
	rootKeystoreFlags

	ID         string `name:"id" help:"Name of the ceremony, for instance its date: held again under it, it goes on." required:""`
	Officer    string `help:"Login of the security officer who holds the ceremony." required:""`
	PublicBase string `help:"Where relying parties reach the public door, http://host: it stands in every certificate." env:"SCEAU_PUBLIC_BASE" required:"" placeholder:"URL"`
	Issuing    string `help:"An issuing CA to make beside those there are, for instance issuing-2: it signs once it is activated." placeholder:"NAME"`
	Root       string `help:"The root that signs the issuing CA; one that is not there, for instance root-2, is made, and cross-certified with the one before. Left out: the newest." placeholder:"NAME"`
	Shards     int    `help:"CRLs that certificates are spread over." default:"1"`
	Plan       string `help:"YAML file: environment, witnesses, card keys and their custodians. Without it the engine draws test keys." type:"existingfile" placeholder:"FILE"`
	Rehearse   bool   `help:"Do all with keys of names of their own, leave the database as it is, and delete the keys at the end."`
}

// Run holds the ceremony, or goes on with it.
func (c ceremonyHoldCmd) Run(w *world) error {
	bank, err := c.bankFlags.read()
	if err != nil {
		return err
	}
	plan := house.DefaultPlan()
	if c.Plan != "" {
		if plan, err = house.ReadPlan(c.Plan); err != nil {
			return err
		}
	}
	h, err := openHouse(w, c.databaseFlags, bank.Policy(), c.TestNames)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := h.Service.StaffActor(w.ctx, c.Officer, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	online, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer online.Close()
	store, closeStore, err := c.store(w.ctx, online)
	if err != nil {
		return err
	}
	defer closeStore()
	openRoot, admin, err := c.root(w.ctx, c.keystoreFlags, online, c.Officer)
	if err != nil {
		return err
	}
	if admin != nil {
		defer admin.Close()
	}
	acts, err := h.Hold(w.ctx, house.Ceremony{
		ID: c.ID, By: by, OpenRoot: openRoot, Admin: admin, Online: store, Cards: online, Plan: plan, Bank: bank, PublicBase: c.PublicBase, Issuing: c.Issuing, Root: c.Root, Shards: c.Shards,
		Rehearsal: c.Rehearse, Now: w.now,
		Say: func(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) },
	})
	if err != nil {
		return err
	}
	return c.minutesFlags.write(w, bank, house.Minutes{ID: c.ID, Rehearsal: c.Rehearse, Acts: acts})
}

// minutesFlags say where the minutes go.
type minutesFlags struct {
	Minutes  string `help:"File for the minutes, PDF: to be printed and signed." placeholder:"FILE"`
	Language string `help:"Language of the minutes: fr, nl, de or en." enum:"fr,nl,de,en" default:"fr"`
}

func (f minutesFlags) write(w *world, bank *house.Bank, m house.Minutes) error {
	if f.Minutes == "" {
		return nil
	}
	pdf, err := m.PDF(bank, f.Language, w.now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.Minutes, pdf, 0o600); err != nil {
		return fmt.Errorf("write the minutes: %w", err)
	}
	_, err = fmt.Fprintln(w.out, "minutes:", f.Minutes)
	return err
}

// ceremonyMinutesCmd prints the minutes again, also of a ceremony under way.
type ceremonyMinutesCmd struct {
	databaseFlags
	bankFlags
	minutesFlags

	ID string `name:"id" help:"Name of the ceremony." required:""`
}

// Run writes the minutes from what is on record.
func (c ceremonyMinutesCmd) Run(w *world) error {
	if c.Minutes == "" {
		return fmt.Errorf("%w: where do the minutes go? give --minutes", errUsage)
	}
	bank, err := c.bankFlags.read()
	if err != nil {
		return err
	}
	h, err := openHouse(w, c.databaseFlags, bank.Policy(), c.TestNames)
	if err != nil {
		return err
	}
	defer h.Close()
	acts, err := h.Service.Acts(w.ctx, c.ID)
	if err != nil {
		return err
	}
	return c.minutesFlags.write(w, bank, house.Minutes{ID: c.ID, Acts: acts})
}

type ceremonyExportCmd struct {
	vaultFlags

	Key  string `help:"Name of the transport key." default:"transport-bureau-1"`
	KBPK string `name:"kbpk" help:"Name of the key block protection key that the bureau's custodians share." required:""`
}

// Run exports the key block: public bytes, useless without the protection key.
func (c ceremonyExportCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	block, kcv, err := vault.ExportKey(w.ctx, c.Key, c.KBPK)
	if errors.Is(err, hsm.ErrProposed) {
		_, err = fmt.Fprintln(w.out, err.Error()+": the other officer gives this command too")
		return err
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(w.out).Encode(map[string]string{"key": c.Key, "key_block": block, "kcv": kcv})
}
