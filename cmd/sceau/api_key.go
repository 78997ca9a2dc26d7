package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sceau/authn"
	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// apiKeyCmd is about the keys of relying services.
type apiKeyCmd struct {
	Make   apiKeyMakeCmd   `cmd:"" default:"withargs" help:"Make a relying service with its first key, or with --service another key; it is shown once."`
	Rotate apiKeyRotateCmd `cmd:"" help:"Make the key that takes another's place; the old one goes on for a while."`
	End    apiKeyEndCmd    `cmd:"" help:"End a key at once."`
	List   apiKeyListCmd   `cmd:"" help:"List services with their keys: scopes, end, last use."`
}

// asOfficer is what commands take that only a security officer gives.
type asOfficer struct {
	databaseFlags

	As string `help:"Login of the security officer who does it." required:""`
}

// do opens what there is about keys and services for the officer.
func (c asOfficer) do(w *world, work func(h *house.House, keys *authn.Service, by lifecycle.Actor) error) error {
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
	return work(h, keys, by)
}

type apiKeyMakeCmd struct {
	asOfficer

	Name    string              `arg:"" optional:"" help:"Name of a relying service that is new."`
	Service lifecycle.ServiceID `help:"The service that gets another key." placeholder:"SV-…"`
	Scopes  []authn.Scope       `help:"What it may do: ${scopes}." required:""`
	Branch  string              `help:"Code of the branch whose terminal it is for: with the scopes terminal:…" placeholder:"CODE"`
	Life    time.Duration       `help:"How long the key lives." default:"8760h"`
}

// Run makes the key and shows it once.
func (c apiKeyMakeCmd) Run(w *world) error {
	if (c.Name == "") == (c.Service == "") {
		return fmt.Errorf("%w: name a new relying service, or give --service", errUsage)
	}
	return c.do(w, func(_ *house.House, keys *authn.Service, by lifecycle.Actor) error {
		var key authn.APIKey
		var secret authn.Secret
		var err error
		if c.Service == "" {
			key, secret, err = keys.NewAPIKey(w.ctx, by, c.Name, c.Scopes, c.Branch, c.Life)
		} else {
			key, secret, err = keys.AddAPIKey(w.ctx, by, c.Service, c.Scopes, c.Branch, c.Life)
		}
		if err != nil {
			return err
		}
		return showKey(w, key, secret)
	})
}

func showKey(w *world, key authn.APIKey, secret authn.Secret) error {
	_, err := fmt.Fprintf(w.out, "%s\nkey %s of %s (%s), until %s: it is shown this once\n", secret.Reveal(), key.ID, key.Name, key.Service, key.Expires.Format(time.DateOnly))
	return err
}

type apiKeyRotateCmd struct {
	asOfficer

	Key     lifecycle.APIKeyID `arg:"" help:"The key that is to go, K-…"`
	Life    time.Duration      `help:"How long the new key lives." default:"8760h"`
	Overlap time.Duration      `help:"How long the old key goes on." default:"24h"`
}

// Run makes the new key and shows it once.
func (c apiKeyRotateCmd) Run(w *world) error {
	return c.do(w, func(_ *house.House, keys *authn.Service, by lifecycle.Actor) error {
		key, secret, err := keys.RotateAPIKey(w.ctx, by, c.Key, c.Life, c.Overlap)
		if err != nil {
			return err
		}
		return showKey(w, key, secret)
	})
}

type apiKeyEndCmd struct {
	asOfficer

	Key lifecycle.APIKeyID `arg:"" help:"The key, K-…"`
}

// Run ends it.
func (c apiKeyEndCmd) Run(w *world) error {
	return c.do(w, func(_ *house.House, keys *authn.Service, by lifecycle.Actor) error {
		return keys.EndAPIKey(w.ctx, by, c.Key)
	})
}

type apiKeyListCmd struct {
	databaseFlags

	All bool `help:"Also what has ended."`
}

// Run lists.
func (c apiKeyListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	keys, err := h.CodesDesk()
	if err != nil {
		return err
	}
	services, err := keys.RelyingServices(w.ctx, c.All)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, s := range services {
		state := ""
		if !s.Ended.IsZero() {
			state = "ended " + s.Ended.Format(time.DateOnly)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d calls a minute\t%s\n", s.ID, s.Name, s.CallsAMinute, state)
		for _, k := range s.Keys {
			used := "never used"
			if !k.LastUsed.IsZero() {
				used = "used " + k.LastUsed.Format(time.RFC3339)
			}
			_, _ = fmt.Fprintf(table, "  %s\tuntil %s\t%s\t%s\t%s\n", k.ID, k.Expires.Format(time.DateOnly), used, scopeList(k.Scopes), k.Branch)
		}
		for _, b := range s.Certificates {
			_, _ = fmt.Fprintf(table, "  %s\t%s\t\t%s\n", b.ID, b.State, scopeList(b.Scopes))
		}
	}
	return table.Flush()
}

func scopeList(scopes []authn.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}
