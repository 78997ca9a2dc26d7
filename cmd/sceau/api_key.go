package main

import (
	"fmt"
	"time"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

// apiKeyCmd makes a key for a relying service.
type apiKeyCmd struct {
	databaseFlags

	Name   string        `arg:"" help:"Name of the relying service."`
	Scopes []authn.Scope `help:"What it may do: cap:verify, authentications, operations, stops, fraud:report, means:read, means:write, cards:activate, cards:block, certificates:revoke, orders:read, terminal:pin-reset, terminal:personalise." required:""`
	Branch string        `help:"Code of the branch whose terminal it is for: with the scopes terminal:…" placeholder:"CODE"`
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
	keys, err := h.CodesDesk()
	if err != nil {
		return err
	}
	key, secret, err := keys.NewAPIKey(w.ctx, by, c.Name, c.Scopes, c.Branch, c.Life)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s\nkey %s of %s, until %s: it is shown this once\n", secret.Reveal(), key.ID, key.Name, key.Expires.Format(time.DateOnly))
	return err
}
