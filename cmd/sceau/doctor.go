package main

import (
	"crypto/x509"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sceau/ca"
	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// doctorCmd checks what a process would need.
type doctorCmd struct {
	databaseFlags
	vaultFlags
	keystoreFlags
}

const (
	clockTolerance = 2 * time.Second
	soon           = 7 * 24 * time.Hour
	soonRoot       = 30 * 24 * time.Hour // a ceremony is held by people
)

// examination is one line of the doctor's table.
type examination struct {
	what, found string
	unseen      bool // neither good nor wrong: it could not be looked at
	err         error
}

// Run examines, shows a table, and fails when something is wrong.
func (c doctorCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	table := []examination{{what: "database", found: "answers", err: err}}
	if err == nil {
		defer h.Close()
		table = append(table, clock(w, h), published(w, h))
		table = append(table, authorities(w, h)...)
		table = append(table, stock(w, h)...)
	}
	vault, found := c.examineVault(w, h)
	table = append(table, found...)
	if vault != nil {
		defer vault.Close()
	}
	if c.Keystore == inModule || vault != nil {
		table = append(table, c.examineSigning(w, h, vault)...)
	}
	return show(w, table)
}

func show(w *world, table []examination) error {
	out := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	wrong := 0
	for _, e := range table {
		state, found := "ok", e.found
		if e.unseen {
			state = "unseen"
		}
		if e.err != nil {
			state, found = "WRONG", strings.ReplaceAll(e.err.Error(), "\n", "; ")
			wrong++
		}
		if _, err := fmt.Fprintf(out, "%s\t%s\t%s\n", state, e.what, found); err != nil {
			return fmt.Errorf("show the table: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("show the table: %w", err)
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d checks are wrong", wrong, len(table))
	}
	return nil
}

// clock compares this machine's clock with the database's: certificates, lists
// and delays go by it.
func clock(w *world, h *house.House) examination {
	e := examination{what: "clock"}
	theirs, err := h.Store.Now(w.ctx)
	if err != nil {
		e.err = err
		return e
	}
	off := w.now().Sub(theirs).Abs()
	e.found = fmt.Sprintf("%s from the database's", off.Round(time.Millisecond))
	if off > clockTolerance {
		e.err = fmt.Errorf("%w: it is %s from the database's: synchronise both", lifecycle.Invalid, off.Round(time.Second))
	}
	return e
}

// authorities looks at the CAs, their lists and the OCSP responder.
func authorities(w *world, h *house.House) []examination {
	all, err := h.Service.Authorities(w.ctx)
	if err != nil || len(all) == 0 {
		if err == nil {
			err = fmt.Errorf("%w: no CA: hold `sceau ceremony`", lifecycle.NotFound)
		}
		return []examination{{what: "certification authorities", err: err}}
	}
	var table []examination
	table = append(table, whoSigns(w, h), examination{
		what: "policies of certificate profiles", found: "the CA that signs may assert them", err: h.Service.PoliciesAllowed(w.ctx),
	})
	for _, a := range all {
		if a.State == lifecycle.IssuerEnded {
			table = append(table, ended(w, h, a))
			continue
		}
		table = append(table, caOf(w, h, a))
		for shard := range a.Shards {
			table = append(table, list(w, h, a, shard))
		}
		if !a.Online {
			continue
		}
		for _, of := range delegates() {
			if of.of(a.State) {
				table = append(table, delegate(w, h, a.ID, of.purpose, of.what))
			}
		}
	}
	return table
}

// ended tells of a CA that is over, and whether its keys are destroyed.
func ended(w *world, h *house.House, a issuance.Authority) examination {
	e := examination{what: "CA " + a.ID, found: "ended on " + a.Since.Format(time.DateOnly) + ", its last lists never end"}
	at, err := h.KeysDestroyed(w.ctx, a.ID)
	if e.err = err; !at.IsZero() {
		e.found += ", its keys were destroyed on " + at.Format(time.DateOnly)
	}
	return e
}

// whoSigns tells which CA signs holders' certificates.
func whoSigns(w *world, h *house.House) examination {
	id, err := h.Service.SigningCA(w.ctx)
	return examination{what: "who signs certificates", found: id, err: err}
}

// caOf looks at a CA, and says what is open after a revocation.
func caOf(w *world, h *house.House, a issuance.Authority) examination {
	e := ends("CA "+a.ID, a.Certificate, w.now())
	if e.err == nil && a.Online {
		e.found = string(a.State) + ", " + e.found
	}
	if a.State == lifecycle.IssuerRevoked {
		e.err = revoked(w, h, a)
		e.found = "revoked on " + a.Since.Format(time.DateOnly) + ": end it by sceau crl last"
	}
	return e
}

// revoked tells what is still to be done of a revoked CA.
func revoked(w *world, h *house.House, a issuance.Authority) error {
	open, err := h.Service.OpenOfRevoked(w.ctx, a.ID)
	switch {
	case err != nil:
		return err
	case open.Alive > 0:
		return fmt.Errorf("%w: it is revoked, %d of its certificates are not yet: are workers running?", lifecycle.Conflict, open.Alive)
	case !open.Listed:
		return fmt.Errorf("%w: it is revoked, and the list of %s does not say so: hold a ceremony", lifecycle.Conflict, a.Parent)
	case open.Compromised:
		return fmt.Errorf("%w: its key is compromised: its lists and answers are not to be trusted; end it by sceau crl last, and destroy the key", lifecycle.Conflict)
	}
	return nil
}

// delegated is what a CA has another key sign for it.
type delegated struct {
	purpose issuance.Delegation
	what    string // before the CA's name
	of      func(lifecycle.IssuerState) bool
}

func delegates() []delegated {
	return []delegated{
		{issuance.DelegateOCSP, "OCSP responder of ", func(s lifecycle.IssuerState) bool {
			return s == lifecycle.IssuerReady || s == lifecycle.IssuerSigning || s == lifecycle.IssuerRetired
		}},
		{issuance.DelegateBureau, "signer of bureau files of ", func(s lifecycle.IssuerState) bool { return s == lifecycle.IssuerSigning }},
		{issuance.DelegateStatement, "signer of statements of ", func(s lifecycle.IssuerState) bool { return s == lifecycle.IssuerSigning }},
	}
}

func delegate(w *world, h *house.House, issuer string, purpose issuance.Delegation, what string) examination {
	newest, err := h.Service.NewestDelegate(w.ctx, issuer, purpose)
	if err != nil {
		return examination{what: what + issuer, err: err}
	}
	return ends(what+issuer, newest.Certificate, w.now())
}

func ends(what string, der []byte, now time.Time) examination {
	e := examination{what: what}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		e.err = err
		return e
	}
	e.found = "valid until " + certificate.NotAfter.Format(time.DateOnly)
	if certificate.NotAfter.Before(now.Add(soon)) {
		e.err = fmt.Errorf("%w: it ends on %s: renew it", lifecycle.Invalid, certificate.NotAfter.Format(time.DateOnly))
	}
	return e
}

// list looks at a published list: whether it is past its end and, of a CA whose
// workers sign one each day, whether they do.
func list(w *world, h *house.House, a issuance.Authority, shard int) examination {
	e := examination{what: fmt.Sprintf("CRL %s/%d", a.ID, shard)}
	newest, err := h.Service.NewestCRL(w.ctx, a.ID, shard)
	if err != nil {
		e.err = err
		return e
	}
	thisUpdate, nextUpdate, err := ca.CRLWindow(newest.Full)
	if err != nil {
		e.err = err
		return e
	}
	e.found = fmt.Sprintf("number %d, good until %s", newest.Number, nextUpdate.Format(time.RFC3339))
	const missed = 2 // lists in a row
	switch now := w.now(); {
	case nextUpdate.Before(now):
		e.err = fmt.Errorf("%w: number %d ended at %s: are workers running?", lifecycle.Invalid, newest.Number, nextUpdate.Format(time.RFC3339))
	case a.Online && thisUpdate.Add(missed*h.Service.Policy().CRLInterval).Before(now):
		e.err = fmt.Errorf("%w: number %d is of %s: are workers running?", lifecycle.Invalid, newest.Number, thisUpdate.Format(time.RFC3339))
	case !a.Online && nextUpdate.Before(now.Add(soonRoot)):
		e.err = fmt.Errorf("%w: number %d ends at %s: hold a ceremony for the next", lifecycle.Invalid, newest.Number, nextUpdate.Format(time.RFC3339))
	}
	return e
}
