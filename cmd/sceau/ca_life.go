package main

import (
	"encoding/csv"
	"fmt"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// caFlags are what acts on a CA share that two security officers agree on.
type caFlags struct {
	databaseFlags

	Issuer string `help:"Name of the CA." required:""`
	As     string `help:"Login of the security officer." required:""`
}

// agree has an act proposed or agreed to, and tells which of both it was.
func (f caFlags) agree(w *world, act func(h *house.House, by lifecycle.Actor) (issuance.Agreement, error), done string) error {
	h, err := openHouse(w, f.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, f.As, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	a, err := act(h, by)
	if err != nil {
		return err
	}
	word := f.Issuer + ": proposed by " + a.Proposer + ": another security officer gives this command within a day"
	if a.Done {
		word = f.Issuer + ": " + done + ", proposed by " + a.Proposer + ", agreed by " + f.As
	}
	_, err = fmt.Fprintln(w.out, word)
	return err
}

// ceremonyActivateCmd changes who signs.
type ceremonyActivateCmd struct{ caFlags }

// Run proposes it, or agrees to it.
func (c ceremonyActivateCmd) Run(w *world) error {
	return c.agree(w, func(h *house.House, by lifecycle.Actor) (issuance.Agreement, error) {
		return h.Service.SignWith(w.ctx, by, c.Issuer)
	}, "it signs holders' certificates from now on")
}

type crlRevokeCACmd struct {
	caFlags

	Reason      string    `help:"Of the CA's certificate: cACompromise, superseded, cessationOfOperation…" required:""`
	Issued      string    `help:"Of the certificates that it signed." enum:"cACompromise,superseded" required:""`
	InvalidFrom time.Time `help:"Since when the CA's key is not to be trusted, for instance 2026-11-25T09:00:00Z." placeholder:"TIME"`
}

// Run proposes it, or agrees to it.
func (c crlRevokeCACmd) Run(w *world) error {
	reason, err := houseReason(c.Reason)
	if err != nil {
		return err
	}
	issued, err := houseReason(c.Issued)
	if err != nil {
		return err
	}
	return c.agree(w, func(h *house.House, by lifecycle.Actor) (issuance.Agreement, error) {
		return h.Service.RevokeAuthority(w.ctx, by, c.Issuer, issuance.AuthorityRevocation{
			Revocation: issuance.Revocation{Reason: reason, InvalidityDate: c.InvalidFrom}, Issued: issued,
		})
	}, "revoked, workers revoke what it signed; hold a ceremony now for the root's list")
}

// houseReason reads a reason that a certificate of the house may have.
func houseReason(text string) (lifecycle.RevocationReason, error) {
	if text == lifecycle.ReasonCACompromise.String() {
		return lifecycle.ReasonCACompromise, nil
	}
	return lifecycle.ParseRevocationReason(text)
}

type crlConcernedCmd struct {
	databaseFlags

	Issuer string `help:"Name of the CA." required:""`
}

// Run lists them.
func (c crlConcernedCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := csv.NewWriter(w.out)
	_ = table.Write([]string{"certificate", "serial", "holder", "name", "company", "until"})
	var after lifecycle.CertificateID
	for {
		page, err := h.Service.ConcernedBy(w.ctx, c.Issuer, after)
		if err != nil {
			return err
		}
		for _, r := range page {
			_ = table.Write([]string{
				string(r.Certificate), r.Serial.String(), string(r.Holder), r.Name, r.Company, r.NotAfter.Format(time.DateOnly),
			})
			after = r.Certificate
		}
		if len(page) == 0 {
			table.Flush()
			return table.Error()
		}
	}
}

type crlPublishCmd struct {
	databaseFlags

	Issuer string `help:"One CA; else all."`
	Shard  int    `help:"One list of it; else all." default:"-1"`
}

// Run asks for them.
func (c crlPublishCmd) Run(w *world) error {
	if c.Shard >= 0 && c.Issuer == "" {
		return fmt.Errorf("%w: a shard is of one CA: give --issuer", errUsage)
	}
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.Service.PublishLists(w.ctx, c.Issuer, c.Shard, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.out, "asked for: workers sign the lists that are due; sceau doctor shows their numbers")
	return err
}

type crlLastCmd struct{ caFlags }

// Run proposes it, or agrees to it.
func (c crlLastCmd) Run(w *world) error {
	return c.agree(w, func(h *house.House, by lifecycle.Actor) (issuance.Agreement, error) {
		return h.Service.EndAuthority(w.ctx, by, c.Issuer)
	}, "it ends: workers sign its last lists")
}
