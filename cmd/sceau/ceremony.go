package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// ceremonyCmd holds key ceremonies.
type ceremonyCmd struct {
	Hold      ceremonyHoldCmd      `cmd:"" default:"withargs" help:"Make what is missing: root, issuing CA, OCSP responder, the root's list, card keys."`
	Component ceremonyComponentCmd `cmd:"" help:"A custodian enters one component of a card key."`
	Export    ceremonyExportCmd    `cmd:"" help:"Export a transport key as a TR-31 key block for the bureau."`
}

type ceremonyHoldCmd struct {
	databaseFlags
	vaultFlags
	bankFlags

	RootTokenFile string `help:"File with a token of the root ceremony's policy, given for the day." env:"SCEAU_ROOT_TOKEN_FILE" required:"" placeholder:"FILE"`
	Officer       string `help:"Login of the security officer who holds the ceremony." required:""`
	PublicBase    string `help:"Where relying parties reach the public door, http://host: it stands in every certificate." env:"SCEAU_PUBLIC_BASE" required:"" placeholder:"URL"`
	Shards        int    `help:"CRLs that certificates are spread over." default:"1"`
}

// Run holds the ceremony.
func (c ceremonyHoldCmd) Run(w *world) error {
	bank, err := c.bankFlags.read()
	if err != nil {
		return err
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
	root, err := hsm.Open(w.ctx, hsm.Config{Address: c.VaultAddr, TokenFile: c.RootTokenFile})
	if err != nil {
		return err
	}
	defer root.Close()
	return h.Hold(w.ctx, house.Ceremony{
		By: by, Root: root.RootKeystore(), Online: online, Cards: online, Bank: bank, PublicBase: c.PublicBase, Shards: c.Shards,
		Say: func(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) },
	})
}

// ceremonyComponentCmd reads the component from a file, never from the command
// line, where others would see it.
type ceremonyComponentCmd struct {
	vaultFlags

	Key           string       `help:"Name of the key." required:""`
	Usage         hsm.KeyUsage `help:"imk-ac, imk-smi, imk-smc, transport or kbpk." required:""`
	Algorithm     string       `help:"tdes2, tdes3, aes128 or aes256." default:"tdes2"`
	Index         int          `help:"Number of this component, from 1." required:""`
	Total         int          `help:"How many components there are." default:"2"`
	ComponentFile string       `help:"File with the component in hexadecimal; burn it afterwards." required:"" placeholder:"FILE"`
	KCV           string       `name:"kcv" help:"Check value of the component: 6 hexadecimal digits, 10 for AES." required:""`
}

// Run enters the component.
func (c ceremonyComponentCmd) Run(w *world) error {
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	const longest = 256
	text, err := readLimited(c.ComponentFile, longest)
	if err != nil {
		return err
	}
	complete, kcv, err := vault.EnterComponent(w.ctx, hsm.KeyComponent{
		Key: c.Key, Usage: c.Usage, Algorithm: c.Algorithm, Index: c.Index, Total: c.Total,
		Component: strings.TrimSpace(string(text)), KCV: c.KCV,
	})
	clear(text)
	if err != nil {
		return err
	}
	if !complete {
		_, err = fmt.Fprintf(w.out, "component %d of %d of %s taken; the other custodians follow\n", c.Index, c.Total, c.Key)
		return err
	}
	_, err = fmt.Fprintf(w.out, "key %s is whole: check value %s\n", c.Key, kcv)
	return err
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

// importCmd takes an order file as a member of staff.
type importCmd struct {
	databaseFlags
	bankFlags

	File string `arg:"" help:"The order file: CSV, UTF-8, semicolons." type:"existingfile"`
	As   string `help:"Login of the operator or account manager who takes it." required:""`
}

// Run imports, and tells which lines were refused and why.
func (c importCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), c.TestNames)
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
	_, err = fmt.Fprintf(w.out, "%d lines: %d kept (%d cards, %d certificates), %d refused\n",
		report.Lines, report.Kept, report.Cards, report.Certificates, report.Refused)
	return err
}
