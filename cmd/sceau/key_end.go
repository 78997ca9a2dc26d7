package main

import (
	"fmt"
	"os"

	"sceau/cmd/sceau/internal/house"
	"sceau/lifecycle"
)

// ceremonyDestroyKeyCmd destroys the keys of a CA that is over.
type ceremonyDestroyKeyCmd struct {
	databaseFlags
	vaultFlags
	bankFlags
	minutesFlags

	ID             string   `name:"id" help:"Name of the ceremony, the same for both officers: given again under it, the command goes on where it was interrupted." required:""`
	CA             string   `name:"ca" help:"Name of the CA: its own key goes, its responder's and that of its signer of bureau files." required:"" placeholder:"NAME"`
	Officer        string   `help:"Login of the security officer." required:""`
	Witness        []string `help:"Name of a witness, for the minutes; both officers give the same." placeholder:"NAME"`
	AdminTokenFile string   `help:"File with an administrator's Vault token: it makes a token of a quarter of an hour that may delete these keys alone." env:"SCEAU_ADMIN_TOKEN_FILE" required:"" placeholder:"FILE"`
	Certificate    string   `help:"File for the certificate of destruction, PDF: to be printed and signed." placeholder:"FILE"`
}

// Run proposes it, or agrees to it and destroys them.
func (c ceremonyDestroyKeyCmd) Run(w *world) error {
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
	vault, err := c.vaultFlags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	admin, err := vault.Beside(w.ctx, c.AdminTokenFile)
	if err != nil {
		return err
	}
	defer admin.Close()
	a, err := h.DestroyKeys(w.ctx, house.Ceremony{
		ID: c.ID, By: by, Cards: vault, Admin: admin, Plan: house.Plan{Witnesses: c.Witness}, Bank: bank, Now: w.now,
		Say: func(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) },
	}, c.CA)
	if err != nil {
		return err
	}
	if !a.Done {
		_, err = fmt.Fprintf(w.out, "%s: proposed by %s: another security officer gives this command within a day, then its keys are destroyed\n", c.CA, a.Proposer)
		return err
	}
	if err := c.certificate(w, h, bank); err != nil {
		return err
	}
	acts, err := h.Service.Acts(w.ctx, c.ID)
	if err != nil {
		return err
	}
	return c.minutesFlags.write(w, bank, house.Minutes{ID: c.ID, Acts: acts})
}

func (c ceremonyDestroyKeyCmd) certificate(w *world, h *house.House, bank *house.Bank) error {
	if c.Certificate == "" {
		return nil
	}
	pdf, err := h.KeyCertificate(w.ctx, bank, c.ID, c.CA, c.Language)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Certificate, pdf, 0o600); err != nil {
		return fmt.Errorf("write the certificate of destruction: %w", err)
	}
	_, err = fmt.Fprintln(w.out, "certificate of destruction:", c.Certificate)
	return err
}
