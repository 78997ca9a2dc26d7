package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/evidence"
	"sceau/issuance"
	"sceau/lifecycle"
)

// dossierCmd is about the evidence that holders are who their certificates say.
type dossierCmd struct {
	Open        dossierOpenCmd     `cmd:"" help:"Open a holder's dossier; one that is complete is archived by it."`
	AddIdentity dossierIdentityCmd `cmd:"" name:"add-identity" help:"Record an identity document that was seen, from a YAML file or standard input: its number is on no command line."`
	AddMandate  dossierMandateCmd  `cmd:"" name:"add-mandate" help:"Record the mandate by which the company names the holder."`
	AddExtract  dossierExtractCmd  `cmd:"" name:"add-extract" help:"Record an extract from the register of companies."`
	AcceptTerms dossierTermsCmd    `cmd:"" name:"accept-terms" help:"Record that the holder accepted the general terms."`
	Scan        dossierScanCmds    `cmd:"" help:"Scans: add one, open one."`
	Show        dossierShowCmd     `cmd:"" help:"Show a dossier, and what is missing for a profile."`
	List        dossierListCmd     `cmd:"" help:"List dossiers."`
	Number      dossierNumberCmd   `cmd:"" help:"Show a document's whole number; the audit trail keeps who, when and why."`
	Close       dossierCloseCmd    `cmd:"" help:"Archive a dossier on which nothing is to rely any more."`
	Hold        dossierHoldCmd     `cmd:"" help:"Keep a dossier that is disputed from being erased."`
	Release     dossierReleaseCmd  `cmd:"" help:"End that."`
	Due         dossierDueCmd      `cmd:"" help:"List the dossiers that are to be erased soon; the workers erase them."`
	Agent       dossierAgentCmds   `cmd:"" help:"A company's certification agents, who sign mandates too: enrol, end."`
}

// oneDossier is what the commands about one dossier take.
type oneDossier struct {
	asStaff

	Dossier lifecycle.DossierID `arg:"" help:"The dossier."`
}

// sealing are the commands that seal something, by Vault.
type sealing struct {
	oneDossier
	vaultFlags
}

func (c sealing) add(w *world, p issuance.Paperwork) error {
	return withVault(w, c.asStaff, c.vaultFlags, lifecycle.KeepsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.AddEvidence(w.ctx, by, c.Dossier, p); err != nil {
			return err
		}
		return sayMissing(w, h, by, c.Dossier)
	})
}

// withVault opens the house with its safe, for a member of staff.
func withVault(w *world, who asStaff, flags vaultFlags, roles []lifecycle.Role, work func(h *house.House, by lifecycle.Actor) error) error {
	vault, err := flags.open(w.ctx)
	if err != nil {
		return err
	}
	defer vault.Close()
	h, err := openHouseWith(w, who.databaseFlags, vault, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, who.As, roles...)
	if err != nil {
		return err
	}
	return work(h, by)
}

// addPlain adds what takes no safe.
func (c oneDossier) addPlain(w *world, p issuance.Paperwork) error {
	return c.do(w, lifecycle.KeepsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.AddEvidence(w.ctx, by, c.Dossier, p); err != nil {
			return err
		}
		return sayMissing(w, h, by, c.Dossier)
	})
}

// sayMissing tells what is missing for the usual profile.
func sayMissing(w *world, h *house.House, by lifecycle.Actor, id lifecycle.DossierID) error {
	d, err := h.Service.Dossier(w.ctx, by, id, "")
	if err != nil {
		return err
	}
	if len(d.Missing) == 0 {
		return say(w, "%s: nothing is missing", id)
	}
	for _, m := range d.Missing {
		if err := say(w, "%s: %s %s", id, m.Field, m.Why); err != nil {
			return err
		}
	}
	return nil
}

// ofHolder names a holder as people do.
type ofHolder struct {
	ClientID string `name:"client-id" help:"The company." required:"" placeholder:"ID"`
	User     string `help:"The holder's user number." required:"" placeholder:"NUMBER"`
}

type dossierOpenCmd struct {
	asStaff
	ofHolder
}

// Run opens.
func (c dossierOpenCmd) Run(w *world) error {
	return c.do(w, lifecycle.KeepsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		holder, err := h.Service.HolderByUser(w.ctx, c.ClientID, c.User)
		if err != nil {
			return err
		}
		id, err := h.Service.OpenDossier(w.ctx, by, holder, issuance.Paperwork{})
		if err != nil {
			return err
		}
		return sayMissing(w, h, by, id)
	})
}

type dossierIdentityCmd struct {
	sealing

	File string `arg:"" help:"The file, or - for standard input: document, country, number, expires, given_name, surname, how, where, seen_on, and if need be seen_by, signed_with." placeholder:"FILE"`
}

// Run adds.
func (c dossierIdentityCmd) Run(w *world) error {
	file, err := fileOrInput(c.File, evidence.MaxFile)
	if err != nil {
		return err
	}
	i, err := evidence.ParseIdentity(file)
	clear(file)
	if err != nil {
		return err
	}
	return c.add(w, issuance.Paperwork{Identity: &i})
}

// fileOrInput reads a file, or standard input for -.
func fileOrInput(path string, limit int64) ([]byte, error) {
	if path != "-" {
		return readLimited(path, limit)
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%w: standard input is longer than %d bytes", lifecycle.Invalid, limit)
	}
	return text, nil
}

type dossierMandateCmd struct {
	oneDossier

	SignedBy   string `help:"The legal representative." required:"" placeholder:"NAME"`
	SignedOn   string `help:"The day of the signature." required:"" placeholder:"YYYY-MM-DD"`
	AcceptedOn string `help:"The day on which the holder accepted it." required:"" placeholder:"YYYY-MM-DD"`
	Agent      string `help:"User number of the company's certification agent who signed too." placeholder:"NUMBER"`
}

// Run adds.
func (c dossierMandateCmd) Run(w *world) error {
	m := evidence.Mandate{SignedBy: c.SignedBy, Agent: c.Agent}
	var err error
	if m.SignedOn, err = evidence.ParseDay("signed_on", c.SignedOn); err != nil {
		return err
	}
	if m.AcceptedOn, err = evidence.ParseDay("accepted_on", c.AcceptedOn); err != nil {
		return err
	}
	return c.addPlain(w, issuance.Paperwork{Mandate: &m})
}

type dossierExtractCmd struct {
	oneDossier

	Number   string `help:"The registry number on the extract: the company's." required:""`
	IssuedOn string `help:"The day of the extract." required:"" placeholder:"YYYY-MM-DD"`
}

// Run adds.
func (c dossierExtractCmd) Run(w *world) error {
	day, err := evidence.ParseDay("issued_on", c.IssuedOn)
	if err != nil {
		return err
	}
	return c.addPlain(w, issuance.Paperwork{Extract: &evidence.Extract{RegistryNumber: c.Number, IssuedOn: day}})
}

type dossierTermsCmd struct {
	oneDossier

	Terms string `help:"The version that was accepted, as 2026-01." required:"" placeholder:"VERSION"`
	On    string `help:"The day." required:"" placeholder:"YYYY-MM-DD"`
}

// Run adds.
func (c dossierTermsCmd) Run(w *world) error {
	day, err := evidence.ParseDay("accepted_on", c.On)
	if err != nil {
		return err
	}
	return c.addPlain(w, issuance.Paperwork{Terms: &evidence.Terms{Version: c.Terms, AcceptedOn: day}})
}

type dossierCloseCmd struct {
	oneDossier

	Why string `help:"Why; it is kept." required:""`
}

// Run closes.
func (c dossierCloseCmd) Run(w *world) error {
	return c.do(w, lifecycle.KeepsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		return h.Service.CloseDossier(w.ctx, by, c.Dossier, c.Why)
	})
}

// dispute is what holding and releasing take.
type dispute struct {
	oneDossier

	Why string `help:"Why; it is kept." required:""`
}

type dossierHoldCmd struct{ dispute }

// Run holds.
func (c dossierHoldCmd) Run(w *world) error {
	return c.do(w, lifecycle.HoldsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		return h.Service.HoldDossier(w.ctx, by, c.Dossier, c.Why)
	})
}

type dossierReleaseCmd struct{ dispute }

// Run releases.
func (c dossierReleaseCmd) Run(w *world) error {
	return c.do(w, lifecycle.HoldsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		return h.Service.ReleaseDossier(w.ctx, by, c.Dossier, c.Why)
	})
}

type dossierDueCmd struct {
	asStaff

	Within time.Duration `help:"From now on." default:"2160h"`
}

// Run lists.
func (c dossierDueCmd) Run(w *world) error {
	return c.do(w, lifecycle.SeesDossiers(), func(h *house.House, _ lifecycle.Actor) error {
		due, err := h.Service.DossiersDue(w.ctx, w.now().Add(c.Within))
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		for _, d := range due {
			held := ""
			if d.Held != "" {
				held = "held: " + d.Held
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.ID, d.State, d.At.Format(time.DateOnly), held)
		}
		return table.Flush()
	})
}

type dossierAgentCmds struct {
	Enrol dossierAgentEnrolCmd `cmd:"" help:"Record that a company has named one of its users."`
	End   dossierAgentEndCmd   `cmd:"" help:"End that; what the agent signed stays signed."`
}

type dossierAgentEnrolCmd struct {
	asStaff
	ofHolder

	MandateOn string `help:"The day on which the company named them." required:"" placeholder:"YYYY-MM-DD"`
}

// Run enrols.
func (c dossierAgentEnrolCmd) Run(w *world) error {
	day, err := evidence.ParseDay("mandate_on", c.MandateOn)
	if err != nil {
		return err
	}
	return c.do(w, lifecycle.KeepsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		holder, err := h.Service.HolderByUser(w.ctx, c.ClientID, c.User)
		if err != nil {
			return err
		}
		return h.Service.EnrolAgent(w.ctx, by, holder, day)
	})
}

type dossierAgentEndCmd struct {
	asStaff
	ofHolder
}

// Run ends it.
func (c dossierAgentEndCmd) Run(w *world) error {
	return c.do(w, lifecycle.KeepsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		holder, err := h.Service.HolderByUser(w.ctx, c.ClientID, c.User)
		if err != nil {
			return err
		}
		return h.Service.EndAgent(w.ctx, by, holder)
	})
}
