package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/ca"
	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// certificateCmd is about nominative certificates.
type certificateCmd struct {
	Invite    certificateInviteCmd   `cmd:"" help:"Make the code with which its holder enrols; it is shown once, and voids the one before."`
	Show      certificateShowCmd     `cmd:"" help:"Show a certificate, where its key is said to be, and how its holder accepted it."`
	Revoke    certificateRevokeCmd   `cmd:"" help:"Revoke one, for ever; its caller answers as many questions as its profile says."`
	Hold      certificateHoldCmd     `cmd:"" help:"Suspend one, where its profile allows it."`
	Release   certificateReleaseCmd  `cmd:"" help:"End a hold."`
	Code      certificateCodeCmd     `cmd:"" name:"revocation-code" help:"Make the code with which its holder revokes without signing in; it is shown once, and voids the one before."`
	Requests  requestsCmd            `cmd:"" help:"Requests to revoke, hold and release: list, carry out now, withdraw."`
	Represent representativesCmd     `cmd:"" name:"representatives" help:"Who may call for a company: list, name, end."`
	List      certificateListCmd     `cmd:"" help:"List certificates, oldest first."`
	Renew     certificateRenewCmd    `cmd:"" help:"Order certificates in the place of ones that end soon: a new key each, one order at a time."`
	Renewals  certificateRenewalsCmd `cmd:"" help:"How far renewals are: ordered, approved, invited, key taken, issued, accepted."`
	BlockKey  certificateBlockKeyCmd `cmd:"" name:"block-key" help:"Never certify a key again; a certificate that has it is revoked for keyCompromise."`
}

type certificateInviteCmd struct {
	asStaff

	ID       lifecycle.CertificateID `arg:"" help:"The certificate."`
	Handover issuance.Handover       `help:"How its holder gets the code: face_to_face or registered_post; never by mail." enum:"face_to_face,registered_post" default:"face_to_face"`
}

// Run makes the code.
func (c certificateInviteCmd) Run(w *world) error {
	return c.do(w, lifecycle.Invites(), func(h *house.House, by lifecycle.Actor) error {
		made, err := h.Service.Invite(w.ctx, by, c.ID, c.Handover)
		if err != nil {
			return err
		}
		return say(w, "code: %s\nto be handed over with the reference %s; it is shown once, and opens the door for holders until %s",
			made.Code.Reveal(), c.ID, made.Expires.Format(time.RFC3339))
	})
}

type certificateShowCmd struct {
	databaseFlags

	ID lifecycle.CertificateID `arg:"" help:"The certificate."`
}

// Run shows it.
func (c certificateShowCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	v, err := h.Service.Certificate(w.ctx, c.ID)
	if err != nil {
		return err
	}
	e, err := h.Service.EvidenceOf(w.ctx, c.ID)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "certificate\t%s\nholder\t%s\nstate\t%s\nserial\t%s\n", v.ID, v.Holder, v.State, v.Serial)
	if len(v.DER) > 0 {
		_, _ = fmt.Fprintf(table, "fingerprint\t%s\n", issuance.Fingerprint(v.DER))
	}
	if e.Device != nil {
		_, _ = fmt.Fprintf(table, "key, as the holder's tool says\t%s %s, serial %s\n", e.Device.Manufacturer, e.Device.Model, e.Device.Serial)
	}
	if e.Statement != "" {
		_, _ = fmt.Fprintf(table, "accepted\t%s\nstatement\t%ssignature\t%x\n", e.Accepted.Format(time.RFC3339), e.Statement, e.Signature)
	}
	wrong, err := h.Service.WrongRevocationCodes(w.ctx, c.ID)
	if err != nil {
		return err
	}
	if wrong > 0 {
		_, _ = fmt.Fprintf(table, "wrong revocation codes lately\t%d\n", wrong)
	}
	told, err := h.Service.StatusChangesOf(w.ctx, c.ID)
	if err != nil {
		return err
	}
	changes(w, table, told)
	return table.Flush()
}

type certificateListCmd struct {
	databaseFlags

	State lifecycle.CertificateState `help:"In one state: active, held, revoked…" placeholder:"STATE"`
}

// Run lists.
func (c certificateListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for after := lifecycle.CertificateID(""); ; {
		page, err := h.Service.Certificates(w.ctx, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return table.Flush()
		}
		for _, v := range page {
			if c.State == "" || v.State == c.State {
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.ID, v.State, v.Holder, v.Serial)
			}
		}
		after = page[len(page)-1].ID
	}
}

type certificateBlockKeyCmd struct {
	asStaff

	File string `arg:"" help:"A certificate, a certificate request or a public key, PEM or DER." type:"existingfile"`
	Why  string `help:"How it became known; it is kept." required:""`
}

// Run blocks the key.
func (c certificateBlockKeyCmd) Run(w *world) error {
	file, err := readLimited(c.File, ca.MaxRequestSize)
	if err != nil {
		return err
	}
	spki, err := ca.PublicKeyHash(file)
	if err != nil {
		return err
	}
	return c.do(w, []lifecycle.Role{lifecycle.RoleSecurityOfficer}, func(h *house.House, by lifecycle.Actor) error {
		used, err := h.Service.BlockKey(w.ctx, by, spki, c.Why)
		if err != nil {
			return err
		}
		if used != "" {
			return say(w, "blocked: key %x; certificate %s, which has it, is revoked", spki, used)
		}
		return say(w, "blocked: key %x", spki)
	})
}
