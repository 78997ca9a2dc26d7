package main

import (
	"crypto/x509"
	"fmt"
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
}

const (
	clockTolerance = 2 * time.Second
	soon           = 7 * 24 * time.Hour
)

// examination is one line of the doctor's table.
type examination struct {
	what, found string
	err         error
}

// Run examines, shows a table, and fails when something is wrong.
func (c doctorCmd) Run(w *world) error {
	var table []examination
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	table = append(table, examination{"database", "answers", err})
	if err == nil {
		defer h.Close()
		table = append(table, clock(w, h))
		table = append(table, authorities(w, h)...)
	}
	vault, err := c.vaultFlags.open(w.ctx)
	if err == nil {
		defer vault.Close()
		err = vault.Ping(w.ctx)
	}
	table = append(table, examination{"vault", "unsealed, the token is good", err})
	return show(w, table)
}

func show(w *world, table []examination) error {
	out := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	wrong := 0
	for _, e := range table {
		state, found := "ok", e.found
		if e.err != nil {
			state, found = "WRONG", e.err.Error()
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
		return []examination{{"certification authorities", "", err}}
	}
	var table []examination
	for _, a := range all {
		table = append(table, ends("CA "+a.ID, a.Certificate, w.now()))
		for shard := range a.Shards {
			table = append(table, list(w, h, a.ID, shard))
		}
		if !a.Online {
			continue
		}
		table = append(table,
			delegate(w, h, a.ID, issuance.DelegateOCSP, "OCSP responder of "),
			delegate(w, h, a.ID, issuance.DelegateBureau, "signer of bureau files of "))
	}
	return table
}

func delegate(w *world, h *house.House, issuer string, purpose issuance.Delegation, what string) examination {
	newest, err := h.Service.NewestDelegate(w.ctx, issuer, purpose)
	if err != nil {
		return examination{what + issuer, "", err}
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

func list(w *world, h *house.House, issuer string, shard int) examination {
	e := examination{what: fmt.Sprintf("CRL %s/%d", issuer, shard)}
	newest, err := h.Service.NewestCRL(w.ctx, issuer, shard)
	if err != nil {
		e.err = err
		return e
	}
	_, nextUpdate, err := ca.CRLWindow(newest.Full)
	if err != nil {
		e.err = err
		return e
	}
	e.found = fmt.Sprintf("number %d, good until %s", newest.Number, nextUpdate.Format(time.RFC3339))
	if nextUpdate.Before(w.now()) {
		e.err = fmt.Errorf("%w: number %d ended at %s: are workers running?", lifecycle.Invalid, newest.Number, nextUpdate.Format(time.RFC3339))
	}
	return e
}
