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
	Revoke       crlRevokeCmd       `cmd:"" help:"Revoke one of a delegate, for instance an OCSP responder's, or a cross-certificate, which the root's list tells after the next ceremony."`
	RevokeCA     crlRevokeCACmd     `cmd:"" name:"revoke-ca" help:"Revoke an issuing CA and all that it signed: two officers give the command. Then hold a ceremony at once: the root's list tells it."`
	Concerned    crlConcernedCmd    `cmd:"" help:"List those whose certificates were revoked with a CA, as CSV: they are to be told."`
	Publish      crlPublishCmd      `cmd:"" help:"Have the workers publish the lists that are due now."`
	Last         crlLastCmd         `cmd:"" help:"End a CA whose certificates have all expired or are revoked: its last lists never end. Two officers give the command."`
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
	reason, err := houseReason(c.Reason)
	if err != nil {
		return err
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
	if err := h.Service.RevokeHouseCertificate(w.ctx, by, lifecycle.Serial(octets), issuance.Revocation{Reason: reason}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.out, "revoked:", c.Serial)
	return err
}
