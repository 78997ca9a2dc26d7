package main

import (
	"encoding/hex"
	"fmt"
	"os"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
)

// templateCmds are about what letters say, under `sceau letters`.
type templateCmds struct {
	Templates  templatesCmd  `cmd:"" help:"List the versions of the letter templates."`
	Export     exportCmd     `cmd:"" help:"Write a template as YAML, to start another from: the live one, or --version (0: the built-in one)."`
	Preview    previewCmd    `cmd:"" help:"Set the letter of nobody by a template, proposed or in a file, and show its hash."`
	Propose    proposeCmd    `cmd:"" help:"Propose a letter template; it is tried with the longest names first."`
	Approve    approveCmd    `cmd:"" help:"Make a proposed template the live one: somebody else than its author, by the hash of what they saw."`
	Refuse     refuseCmd     `cmd:"" help:"Turn a proposed template down."`
	LargePrint largePrintCmd `cmd:"" help:"Record that a holder wants letters in large print, or no more."`
}

const maxTemplateFile = 512 << 10

// kindArg is the kind of letter that a template is for.
type kindArg struct {
	Kind    lifecycle.PrintKind `arg:"" help:"card or pin." enum:"card,pin"`
	Version int                 `arg:"" help:"The version."`
}

type templatesCmd struct{ databaseFlags }

// Run lists versions.
func (c templatesCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	list, err := h.Service.Templates(w.ctx)
	if err != nil {
		return err
	}
	for _, t := range list {
		decided := ""
		if t.DecidedBy != "" {
			decided = ", decided by " + t.DecidedBy
		}
		if t.Refusal != "" {
			decided += ": " + t.Refusal
		}
		err := say(w, "%s %d  %s  %x  proposed by %s on %s%s", t.Name, t.Version, t.State, t.SHA256, t.ProposedBy,
			t.ProposedAt.UTC().Format("2006-01-02"), decided)
		if err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return say(w, "no template of the bank's own: letters are made with the built-in ones (sceau letters export card --out card.yaml)")
	}
	return nil
}

// versionFlags name a version on record.
type versionFlags struct {
	databaseFlags

	Version *int `help:"A version on record; 0 is the built-in one."`
}

// template reads the version of a kind, or the live one.
func (f versionFlags) template(w *world, kind lifecycle.PrintKind) (*letter.Template, issuance.Edition, error) {
	var kept issuance.Edition
	if f.Version != nil && *f.Version == issuance.BuiltIn { // no database needed
		t, err := letter.BuiltIn(kind)
		return t, kept, err
	}
	h, err := openHouse(w, f.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return nil, kept, err
	}
	defer h.Close()
	version := 0
	if f.Version != nil {
		version = *f.Version
	} else {
		if kept, err = h.Service.LiveTemplate(w.ctx, kind); err != nil {
			return nil, kept, err
		}
		version = kept.Version
	}
	return h.Template(w.ctx, kind, version)
}

type exportCmd struct {
	versionFlags

	Kind lifecycle.PrintKind `arg:"" help:"card or pin." enum:"card,pin"`
	Out  string              `help:"File to write." required:"" placeholder:"FILE"`
}

// Run writes the file.
func (c exportCmd) Run(w *world) error {
	t, kept, err := c.template(w, c.Kind)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, t.Canonical(), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", c.Out, err)
	}
	return say(w, "%s template, version %d, in %s", c.Kind, kept.Version, c.Out)
}

type previewCmd struct {
	versionFlags
	bankFlags

	Template string              `help:"A template's file, instead of --version." type:"existingfile" placeholder:"FILE"`
	Logo     string              `help:"With --template: PNG or JPEG." type:"existingfile" placeholder:"FILE"`
	Kind     lifecycle.PrintKind `help:"With --version: card or pin." enum:"card,pin" default:"card"`
	Language string              `help:"fr, nl, de or en." enum:"fr,nl,de,en" default:"fr"`
	Country  string              `help:"Country of the envelope's window; left out: the bank's." placeholder:"BE"`
	Large    bool                `help:"In large print."`
	Branch   bool                `help:"A card letter whose card waits at a branch."`
	Out      string              `help:"PDF file to write." required:"" placeholder:"FILE"`
}

// Run writes the preview.
func (c previewCmd) Run(w *world) error {
	bank, err := c.bankFlags.read()
	if err != nil {
		return err
	}
	var t *letter.Template
	var kept issuance.Edition
	if c.Template == "" {
		t, kept, err = c.template(w, c.Kind)
	} else {
		var file, logo []byte
		if file, logo, err = readTemplateFiles(c.Template, c.Logo); err != nil {
			return err
		}
		t, err = house.ReadTemplate(bank, file, logo)
	}
	if err != nil {
		return err
	}
	pdf, err := house.Preview(bank, t, house.TemplatePreview{
		Language: c.Language, Country: c.Country, Large: c.Large, Branch: c.Branch, Date: w.now(),
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, pdf, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", c.Out, err)
	}
	sum := t.Sum()
	if kept.Content != nil {
		sum = kept.SHA256
	}
	return say(w, "%s letter in %s, in %s\nsha256 %x", t.Kind(), c.Language, c.Out, sum)
}

func readTemplateFiles(template, picture string) (file, logo []byte, err error) {
	if file, err = readLimited(template, maxTemplateFile); err != nil || picture == "" {
		return file, nil, err
	}
	logo, err = readLimited(picture, maxTemplateFile)
	return file, logo, err
}

type proposeCmd struct {
	databaseFlags
	bankFlags

	File string `arg:"" help:"The template's file." type:"existingfile"`
	Logo string `help:"PNG or JPEG for the head of the letter." type:"existingfile" placeholder:"FILE"`
	As   string `help:"Login of the operator or security officer." required:""`
}

// Run proposes.
func (c proposeCmd) Run(w *world) error {
	bank, err := c.bankFlags.read()
	if err != nil {
		return err
	}
	file, logo, err := readTemplateFiles(c.File, c.Logo)
	if err != nil {
		return err
	}
	h, err := openHouse(w, c.databaseFlags, bank.Policy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.TemplateAuthors()...)
	if err != nil {
		return err
	}
	t, version, err := h.ProposeTemplate(w.ctx, by, bank, file, logo)
	if err != nil {
		return err
	}
	return say(w, "%s template, version %d, is proposed\nsha256 %x\nan approver looks at it: sceau letters preview --kind %s --version %d",
		t.Kind(), version, t.Sum(), t.Kind(), version)
}

// deciding is what an approver's commands take.
type deciding struct {
	databaseFlags
	kindArg

	As string `help:"Login of the approver." required:""`
}

func (c deciding) do(w *world, work func(h *house.House, by lifecycle.Actor) error) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	return work(h, by)
}

type approveCmd struct {
	deciding

	SHA256 string `name:"sha256" help:"The hash that the preview showed." required:"" placeholder:"HEX"`
}

// Run approves.
func (c approveCmd) Run(w *world) error {
	seen, err := hex.DecodeString(c.SHA256)
	if err != nil || len(seen) != 32 {
		return &lifecycle.FieldError{Field: "sha256", Why: "is not 64 hexadecimal digits, as the preview shows them"}
	}
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		return h.Service.ApproveTemplate(w.ctx, by, c.Kind, c.Version, [32]byte(seen))
	})
}

type refuseCmd struct {
	deciding

	Why string `help:"The reason; it is kept." required:""`
}

// Run refuses.
func (c refuseCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		return h.Service.RefuseTemplate(w.ctx, by, c.Kind, c.Version, c.Why)
	})
}

type largePrintCmd struct {
	databaseFlags

	Holder lifecycle.HolderID `arg:"" help:"The holder."`
	Off    bool               `help:"Letters in the usual print again."`
	As     string             `help:"Login of the account manager." required:""`
}

// Run records it.
func (c largePrintCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	return h.Service.SetLargePrint(w.ctx, by, c.Holder, !c.Off)
}
