package main

import (
	"fmt"
	"strings"
	"time"

	"sceau/authn"
	"sceau/card"
	"sceau/cmd/sceau/internal/client"
	"sceau/issuance"
	"sceau/lifecycle"
)

// apiKeyCmd makes a key for a relying service.
type apiKeyCmd struct {
	databaseFlags

	Name   string        `arg:"" help:"Name of the relying service."`
	Scopes []authn.Scope `help:"What it may do: cap:verify, cards:activate, cards:block, certificates:revoke, orders:read, terminal:pin-reset." required:""`
	Life   time.Duration `help:"How long the key lives." default:"8760h"`
	As     string        `help:"Login of the security officer who makes it." required:""`
}

// Run makes the key and shows it once.
func (c apiKeyCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	keys, err := h.APIKeys()
	if err != nil {
		return err
	}
	key, secret, err := keys.NewAPIKey(w.ctx, by, c.Name, c.Scopes, c.Life)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s\nkey %s of %s, until %s: it is shown this once\n", secret.Reveal(), key.ID, key.Name, key.Expires.Format(time.DateOnly))
	return err
}

// terminalCmd is a branch's card terminal.
type terminalCmd struct {
	Reset terminalResetCmd `cmd:"" help:"Reset the PIN try counter of the card in the terminal, under an approved order."`
}

type terminalResetCmd struct {
	API        string            `name:"api" help:"The API's address." env:"SCEAU_API" required:"" placeholder:"URL"`
	APIKeyFile string            `name:"api-key-file" help:"File with an API key of scope terminal:pin-reset." env:"SCEAU_API_KEY_FILE" required:"" placeholder:"FILE"`
	Order      lifecycle.OrderID `help:"The approved order." required:""`
	Card       string            `help:"A simulated card's file, in the place of a card in a reader." required:"" type:"existingfile" placeholder:"FILE"`
}

const maxKeyFile = 1 << 10

// Run asks the card for a cryptogram, the bank for the script, and gives the
// script to the card.
func (c terminalResetCmd) Run(w *world) error {
	key, err := readLimited(c.APIKeyFile, maxKeyFile)
	if err != nil {
		return err
	}
	sim, err := card.Open(c.Card)
	if err != nil {
		return err
	}
	bank := client.New(strings.TrimSuffix(c.API, "/"), strings.TrimSpace(string(key)))
	err = bank.ResetPIN(w.ctx, c.Order, card.NewReader(sim))
	// The card counts its transactions whatever the bank said.
	if saved := sim.Save(c.Card); err == nil {
		err = saved
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.out, "the card takes its PIN again")
	return err
}
