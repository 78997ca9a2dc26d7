package main

import (
	"encoding/hex"
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// crlCmd is about certificates of the house and the lists that tell of them.
type crlCmd struct {
	Certificates crlCertificatesCmd `cmd:"" help:"Show the certificates of CAs and delegates, and serials that were lost with a restored database."`
	Revoke       crlRevokeCmd       `cmd:"" help:"Revoke one. A CA's stands on the root's list, which is signed at a ceremony: hold one at once."`
}

type crlCertificatesCmd struct{ databaseFlags }

// Run shows them.
func (c crlCertificatesCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	all, err := h.Service.HouseCertificates(w.ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "serial\tissuer\tkind\tuntil\trevoked\tsubject")
	for _, r := range all {
		until, revoked := "unknown", ""
		if !r.NotAfter.IsZero() {
			until = r.NotAfter.Format(time.DateOnly)
		}
		if r.Revoked != nil {
			revoked = r.Revoked.At.Format(time.RFC3339) + " " + r.Revoked.Reason.String()
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Serial, r.Issuer, r.Kind, until, revoked, r.Subject)
	}
	return table.Flush()
}

type crlRevokeCmd struct {
	databaseFlags

	Serial string `arg:"" help:"Its serial number, 32 hexadecimal digits."`
	Reason string `help:"keyCompromise, cACompromise, superseded, cessationOfOperation…" required:""`
	As     string `help:"Login of the security officer." required:""`
}

// Run revokes it.
func (c crlRevokeCmd) Run(w *world) error {
	octets, err := hex.DecodeString(c.Serial)
	if err != nil || len(octets) != len(lifecycle.Serial{}) {
		return fmt.Errorf("%w: a serial has 32 hexadecimal digits", errUsage)
	}
	r := issuance.Revocation{Reason: lifecycle.ReasonCACompromise}
	if c.Reason != r.Reason.String() {
		if r.Reason, err = lifecycle.ParseRevocationReason(c.Reason); err != nil {
			return err
		}
	}
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	if err := h.Service.RevokeHouseCertificate(w.ctx, by, lifecycle.Serial(octets), r); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.out, "revoked:", c.Serial)
	return err
}
