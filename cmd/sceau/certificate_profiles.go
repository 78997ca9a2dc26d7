package main

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"text/tabwriter"

	"sceau/ca"
	"sceau/certprofile"
	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// profilesCmd is about what certificates are like.
type profilesCmd struct {
	List    profileListCmd    `cmd:"" help:"List the certificate profiles: versions on record, those built in, those of ceremonies."`
	Show    profileShowCmd    `cmd:"" help:"Show what a profile says, its hash, and a sample certificate signed with a throwaway key."`
	Propose profileProposeCmd `cmd:"" help:"Propose a profile from a YAML file; its sample is linted first."`
	Approve profileApproveCmd `cmd:"" help:"Make a proposed profile the live one: somebody else than its author, by the hash of what they saw."`
	Refuse  profileRefuseCmd  `cmd:"" help:"Turn a proposed profile down."`
}

type profileListCmd struct{ databaseFlags }

// Run lists.
func (c profileListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	kept, err := h.Service.Profiles(w.ctx)
	if err != nil {
		return err
	}
	live := map[string]bool{}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, e := range kept {
		live[e.Name] = live[e.Name] || e.State == lifecycle.EditionLive
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%x\t%s %s\t%s\t%s\n", e.Name, e.Version, e.State, e.SHA256, e.ProposedBy,
			e.ProposedAt.UTC().Format("2006-01-02"), orNobody(e.DecidedBy), e.Refusal)
	}
	for _, p := range certprofile.BuiltIns() {
		state := lifecycle.EditionLive
		if live[p.Name] {
			state = lifecycle.EditionRetired
		}
		_, _ = fmt.Fprintf(table, "%s\t0\t%s\t%x\tbuilt in\t-\t\n", p.Name, state, p.Sum())
	}
	for _, p := range ca.CeremonyProfiles() {
		_, _ = fmt.Fprintf(table, "%s\t-\tfixed\t-\tfor ceremonies\t-\t\n", p.Name)
	}
	return table.Flush()
}

type profileShowCmd struct {
	databaseFlags

	Name    string `arg:"" optional:"" help:"The profile, as the list names it."`
	Version *int   `help:"A version on record; 0 is the built-in one; left out, the live one."`
	File    string `help:"An author's file, instead of a name." type:"existingfile" placeholder:"FILE"`
	Out     string `help:"File for the sample, in PEM; left out, it is printed." placeholder:"FILE"`
}

// Run shows.
func (c profileShowCmd) Run(w *world) error {
	if (c.Name == "") == (c.File == "") {
		return &lifecycle.FieldError{Field: "name", Why: "give a profile's name, or a file by --file"}
	}
	if fixed, ok := house.CeremonyProfile(c.Name); ok {
		if err := say(w, "%s is fixed: certificates that ceremonies make have it", c.Name); err != nil {
			return err
		}
		sample, err := ca.Sample(fixed, w.now())
		if err != nil {
			return err
		}
		return c.sample(w, sample)
	}
	p, about, err := c.profile(w)
	if err != nil {
		return err
	}
	sample, err := ca.Sample(ca.ProfileOf(p), w.now())
	if err != nil {
		return fmt.Errorf("the sample of %s: %w", p.Name, err)
	}
	if err := say(w, "# %s\n%ssha256 %x", about, p.YAML(), p.Sum()); err != nil {
		return err
	}
	return c.sample(w, sample)
}

// profile reads the one that is asked for.
func (c profileShowCmd) profile(w *world) (certprofile.Profile, string, error) {
	if c.File != "" {
		file, err := readLimited(c.File, certprofile.MaxFile)
		if err != nil {
			return certprofile.Profile{}, "", err
		}
		p, err := certprofile.Parse(file)
		return p, "in " + c.File, err
	}
	if p, ok := certprofile.BuiltIn(c.Name); ok && c.Version != nil && *c.Version == issuance.BuiltIn { // no database needed
		return p, "version 0, built in", nil
	}
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return certprofile.Profile{}, "", err
	}
	defer h.Close()
	var kept issuance.CertificateProfile
	if c.Version != nil {
		kept, err = h.Service.Profile(w.ctx, c.Name, *c.Version)
	} else {
		kept, err = h.Service.LiveProfile(w.ctx, c.Name)
	}
	return kept.Profile, fmt.Sprintf("version %d, %s", kept.Version, kept.State), err
}

// sample lints the sample aloud and hands it over, for openssl x509 -text.
func (c profileShowCmd) sample(w *world, sample *x509.Certificate) error {
	findings, err := ca.Lint(sample.Raw)
	if err != nil {
		return err
	}
	for _, f := range findings {
		if err := say(w, "%s: %s: %s (%s)", f.Severity, f.Rule, f.Text, f.Source); err != nil {
			return err
		}
	}
	if len(findings) == 0 {
		if err := say(w, "the linter has nothing to object to the sample"); err != nil {
			return err
		}
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sample.Raw})
	if c.Out == "" {
		_, err := w.out.Write(text)
		return err
	}
	if err := os.WriteFile(c.Out, text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", c.Out, err)
	}
	return say(w, "sample in %s", c.Out)
}

type profileProposeCmd struct {
	asStaff

	File string `arg:"" help:"The profile's file." type:"existingfile"`
}

// Run proposes.
func (c profileProposeCmd) Run(w *world) error {
	file, err := readLimited(c.File, certprofile.MaxFile)
	if err != nil {
		return err
	}
	return c.do(w, lifecycle.ProfileAuthors(), func(h *house.House, by lifecycle.Actor) error {
		p, version, err := h.ProposeProfile(w.ctx, by, file)
		if err != nil {
			return err
		}
		return say(w, "%s, version %d, is proposed\nsha256 %x\nan approver looks at it: sceau certificate-profiles show %s --version %d",
			p.Name, version, p.Sum(), p.Name, version)
	})
}

// profileVersion is what an approver decides on.
type profileVersion struct {
	asStaff

	Name    string `arg:"" help:"The profile."`
	Version int    `arg:"" help:"The version."`
}

type profileApproveCmd struct {
	profileVersion

	SHA256 string `name:"sha256" help:"The hash that was shown." required:"" placeholder:"HEX"`
}

// Run approves.
func (c profileApproveCmd) Run(w *world) error {
	seen, err := hex.DecodeString(c.SHA256)
	if err != nil || len(seen) != 32 {
		return &lifecycle.FieldError{Field: "sha256", Why: "is not 64 hexadecimal digits, as sceau certificate-profiles show gives them"}
	}
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ApproveProfile(w.ctx, by, c.Name, c.Version, [32]byte(seen)); err != nil {
			return err
		}
		return say(w, "%s, version %d, is live", c.Name, c.Version)
	})
}

type profileRefuseCmd struct {
	profileVersion

	Why string `help:"The reason; it is kept." required:""`
}

// Run refuses.
func (c profileRefuseCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		return h.Service.RefuseProfile(w.ctx, by, c.Name, c.Version, c.Why)
	})
}
