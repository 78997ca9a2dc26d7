package main

import (
	"encoding/hex"
	"fmt"
	"text/tabwriter"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
	signpolicy "sceau/signing"
)

// policyCmd is about what suffices to sign in and to sign.
type policyCmd struct {
	List    policyListCmd    `cmd:"" help:"List the versions on record, and the built-in one."`
	Show    policyShowCmd    `cmd:"" help:"Show what a version says, as its author would write it, and its hash."`
	Propose policyProposeCmd `cmd:"" help:"Propose a policy from a YAML file; functions that it leaves out keep the built-in rule."`
	Approve policyApproveCmd `cmd:"" help:"Make a proposed policy the live one: somebody else than its author, by the hash of what they saw."`
	Refuse  policyRefuseCmd  `cmd:"" help:"Turn a proposed policy down."`
}

type policyListCmd struct{ databaseFlags }

// Run lists.
func (c policyListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	kept, err := h.Service.SigningPolicies(w.ctx)
	if err != nil {
		return err
	}
	builtIn := lifecycle.EditionLive
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, e := range kept {
		if e.State == lifecycle.EditionLive {
			builtIn = lifecycle.EditionRetired
		}
		_, _ = fmt.Fprintf(table, "%d\t%s\t%x\t%s %s\t%s\t%s\n", e.Version, e.State, e.SHA256, e.ProposedBy, e.ProposedAt.UTC().Format("2006-01-02"),
			orNobody(e.DecidedBy), e.Refusal)
	}
	_, _ = fmt.Fprintf(table, "0\t%s\t%x\tbuilt in\t-\t\n", builtIn, signpolicy.BuiltIn().Sum())
	return table.Flush()
}

type policyShowCmd struct {
	databaseFlags

	Version int `arg:"" optional:"" default:"0" help:"The version; 0, the default, is the built-in one."`
}

// Run shows.
func (c policyShowCmd) Run(w *world) error {
	p := issuance.SigningPolicy{Policy: signpolicy.BuiltIn()}
	about := "version 0, built in"
	if c.Version != issuance.BuiltIn { // the built-in one needs no database
		h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
		if err != nil {
			return err
		}
		defer h.Close()
		if p, err = h.Service.SigningPolicy(w.ctx, c.Version); err != nil {
			return err
		}
		about = fmt.Sprintf("version %d, %s, proposed by %s", p.Version, p.State, p.ProposedBy)
	}
	return say(w, "# %s\n%s# sha256 %x", about, p.Policy.YAML(), p.Policy.Sum())
}

type policyProposeCmd struct {
	asStaff

	File string `arg:"" help:"The policy's file." type:"existingfile"`
}

// Run proposes.
func (c policyProposeCmd) Run(w *world) error {
	file, err := readLimited(c.File, signpolicy.MaxFile)
	if err != nil {
		return err
	}
	p, err := signpolicy.Parse(file)
	if err != nil {
		return err
	}
	return c.do(w, lifecycle.PolicyAuthors(), func(h *house.House, by lifecycle.Actor) error {
		version, err := h.Service.ProposeSigningPolicy(w.ctx, by, p)
		if err != nil {
			return err
		}
		return say(w, "version %d is proposed\nsha256 %x\nan approver looks at it: sceau signing-policy show %d", version, p.Sum(), version)
	})
}

// policyVersion is what an approver decides on.
type policyVersion struct {
	asStaff

	Version int `arg:"" help:"The version."`
}

type policyApproveCmd struct {
	policyVersion

	SHA256 string `name:"sha256" help:"The hash that was shown." required:"" placeholder:"HEX"`
}

// Run approves.
func (c policyApproveCmd) Run(w *world) error {
	seen, err := hex.DecodeString(c.SHA256)
	if err != nil || len(seen) != 32 {
		return &lifecycle.FieldError{Field: "sha256", Why: "is not 64 hexadecimal digits, as sceau signing-policy show gives them"}
	}
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ApproveSigningPolicy(w.ctx, by, c.Version, [32]byte(seen)); err != nil {
			return err
		}
		return say(w, "version %d is live: what is asked from now on goes by it", c.Version)
	})
}

type policyRefuseCmd struct {
	policyVersion

	Why string `help:"The reason; it is kept." required:""`
}

// Run refuses.
func (c policyRefuseCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		return h.Service.RefuseSigningPolicy(w.ctx, by, c.Version, c.Why)
	})
}
