package main

import (
	"encoding/hex"
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/authn"
	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/trust"
)

// trustCmd is about other CAs that the bank accepts.
type trustCmd struct {
	List     trustListCmd     `cmd:"" help:"List the entries: every version, and the state of the lists of those that are live."`
	Show     trustShowCmd     `cmd:"" help:"Show what an entry says, its hash, its CAs and its lists."`
	Propose  trustProposeCmd  `cmd:"" help:"Propose a CA from a YAML file, with its certificates in it or beside it."`
	Approve  trustApproveCmd  `cmd:"" help:"Accept a proposed CA: somebody else than who proposed it, by the hash of what they saw."`
	Refuse   trustRefuseCmd   `cmd:"" help:"Turn a proposed CA down."`
	Withdraw trustWithdrawCmd `cmd:"" help:"Accept a CA no more, at once: one person does it, two bring it back."`
	Check    trustCheckCmd    `cmd:"" help:"Tell whether a certificate would be accepted, and why not."`
}

type trustListCmd struct{ databaseFlags }

// Run lists.
func (c trustListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	kept, err := h.Service.TrustList(w.ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, e := range kept {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%x\t%s %s\t%s\t%s\n", e.Name, e.Version, e.State, e.SHA256, e.ProposedBy,
			e.ProposedAt.UTC().Format("2006-01-02"), orNobody(e.DecidedBy), e.Refusal)
	}
	return table.Flush()
}

type trustShowCmd struct {
	databaseFlags

	Name    string `arg:"" help:"The entry, as the list names it."`
	Version int    `help:"A version on record; left out, the live one."`
}

// Run shows.
func (c trustShowCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	kept, err := h.Service.Trusted(w.ctx, c.Name, c.Version)
	if err != nil {
		return err
	}
	if err := say(w, "# version %d, %s\n%ssha256 %x", kept.Version, kept.State, kept.Entry.YAML(), kept.SHA256); err != nil {
		return err
	}
	for _, a := range kept.Entry.CAs() {
		kind := "below"
		if trust.SelfSigned(a) {
			kind = "root "
		}
		if err := say(w, "%s  %s, until %s", kind, trust.Subject(a), a.NotAfter.Format(time.DateOnly)); err != nil {
			return err
		}
	}
	sources, err := h.Service.ForeignSources(w.ctx, c.Name)
	if err != nil {
		return err
	}
	for _, s := range sources {
		found := "none yet"
		if s.Number != nil {
			found = fmt.Sprintf("of %s until %s, %d entries", s.ThisUpdate.Format(time.RFC3339), s.NextUpdate.Format(time.RFC3339), s.Entries)
		}
		if s.Failure != "" {
			found += "; last try at " + s.Tried.Format(time.RFC3339) + ": " + s.Failure
		}
		if err := say(w, "list   %s: %s", s.Address, found); err != nil {
			return err
		}
	}
	return nil
}

type trustProposeCmd struct {
	asStaff

	File string   `arg:"" help:"The entry's file." type:"existingfile"`
	CA   []string `name:"ca" help:"Certificates of its CAs, PEM or DER, besides those in the file." placeholder:"FILE" sep:"none"`
}

// Run proposes.
func (c trustProposeCmd) Run(w *world) error {
	file, err := readLimited(c.File, trust.MaxFile)
	if err != nil {
		return err
	}
	var more [][]byte
	for _, path := range c.CA {
		text, err := readLimited(path, trust.MaxFile)
		if err != nil {
			return err
		}
		more = append(more, text)
	}
	e, err := trust.Parse(file, more...)
	if err != nil {
		return err
	}
	return c.do(w, lifecycle.TrustAuthors(), func(h *house.House, by lifecycle.Actor) error {
		version, err := h.Service.ProposeTrust(w.ctx, by, e)
		if err != nil {
			return err
		}
		return say(w, "%s, version %d, is proposed\nsha256 %x\nan approver looks at it: sceau trust show %s --version %d", e.Name, version, e.Sum(), e.Name, version)
	})
}

// hashFlag is the hash of what an approver saw.
type hashFlag struct {
	SHA256 string `name:"sha256" help:"The hash that was shown." required:"" placeholder:"HEX"`
}

func (f hashFlag) sum() ([32]byte, error) {
	seen, err := hex.DecodeString(f.SHA256)
	if err != nil || len(seen) != 32 {
		return [32]byte{}, &lifecycle.FieldError{Field: "sha256", Why: "is not 64 hexadecimal digits, as they were shown"}
	}
	return [32]byte(seen), nil
}

// trustVersion is what an approver decides on.
type trustVersion struct {
	asStaff

	Name    string `arg:"" help:"The entry."`
	Version int    `arg:"" help:"The version."`
}

type trustApproveCmd struct {
	trustVersion
	hashFlag
}

// Run approves.
func (c trustApproveCmd) Run(w *world) error {
	seen, err := c.sum()
	if err != nil {
		return err
	}
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ApproveTrust(w.ctx, by, c.Name, c.Version, seen); err != nil {
			return err
		}
		return say(w, "%s, version %d, is live", c.Name, c.Version)
	})
}

type trustRefuseCmd struct {
	trustVersion

	Why string `help:"The reason; it is kept." required:""`
}

// Run refuses.
func (c trustRefuseCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		return h.Service.RefuseTrust(w.ctx, by, c.Name, c.Version, c.Why)
	})
}

type trustWithdrawCmd struct {
	asStaff

	Name string `arg:"" help:"The entry."`
	Why  string `help:"The reason; it is kept." required:""`
}

// Run withdraws.
func (c trustWithdrawCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleSecurityOfficer, lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.WithdrawTrust(w.ctx, by, c.Name, c.Why); err != nil {
			return err
		}
		return say(w, "%s is accepted no more", c.Name)
	})
}

type trustCheckCmd struct {
	databaseFlags

	File    string `arg:"" help:"The certificate, PEM or DER." type:"existingfile"`
	Purpose string `help:"authentication or signature." default:"authentication" enum:"authentication,signature"`
}

// Run checks. A certificate that is not accepted is a failure.
func (c trustCheckCmd) Run(w *world) error {
	der, err := readCertificateFile(c.File)
	if err != nil {
		return err
	}
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	v, err := checkCertificate(w, h, der, trust.Purpose(c.Purpose))
	if err != nil {
		return err
	}
	if v.Result() != authn.Valid {
		return fmt.Errorf("%w: the certificate is not accepted: %v", lifecycle.Invalid, v.Codes)
	}
	return nil
}

func readCertificateFile(path string) ([]byte, error) {
	file, err := readLimited(path, trust.MaxFile)
	if err != nil {
		return nil, err
	}
	ders, err := trust.Certificates(file)
	if err == nil && len(ders) == 0 {
		err = &lifecycle.FieldError{Field: "certificate", Why: path + " is empty"}
	}
	if err != nil {
		return nil, err
	}
	return ders[0], nil
}

// checkCertificate judges a certificate and says what was found.
func checkCertificate(w *world, h *house.House, der []byte, purpose trust.Purpose) (authn.CertificateVerdict, error) {
	desk, err := h.CodesDesk()
	if err != nil {
		return authn.CertificateVerdict{}, err
	}
	v, err := desk.CheckCertificate(w.ctx, der, time.Time{}, purpose)
	if err != nil {
		return v, err
	}
	if c := v.Certificate; c != nil {
		if err := say(w, "subject   %s\nissuer    %s\nserial    %x\nvalid     %s to %s", trust.Subject(c), trust.Short(c.Issuer.String()), c.SerialNumber,
			c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly)); err != nil {
			return v, err
		}
	}
	if err := say(w, "sha256    %x\naccepted  %s, CA %s, level %s\nchecked   %v", v.Fingerprint, v.Result(), orNobody(v.Source), orNobody(v.Level), v.Checks); err != nil {
		return v, err
	}
	if v.Status.Source != "" {
		if err := say(w, "status    by %s of %s", v.Status.Source, v.Status.Time.Format(time.RFC3339)); err != nil {
			return v, err
		}
	}
	if v.Means != "" {
		if err := say(w, "bound     %s", v.Means); err != nil {
			return v, err
		}
	}
	for _, code := range v.Codes {
		if err := say(w, "WRONG     %s", code); err != nil {
			return v, err
		}
	}
	if v.Why == "" {
		return v, nil
	}
	return v, say(w, "%s", v.Why)
}
