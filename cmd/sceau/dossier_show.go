package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/evidence"
	"sceau/issuance"
	"sceau/lifecycle"
)

type dossierScanCmds struct {
	Add  dossierScanAddCmd  `cmd:"" help:"Keep a scan, sealed: a PDF, JPEG or PNG, told by its content."`
	Show dossierScanShowCmd `cmd:"" help:"Open a scan into a new file; the audit trail keeps who, when and why."`
}

type dossierScanAddCmd struct {
	sealing

	Kind evidence.ScanKind `arg:"" help:"identity, mandate, extract or terms." enum:"identity,mandate,extract,terms"`
	File string            `arg:"" help:"The scan." type:"existingfile"`
}

// Run adds.
func (c dossierScanAddCmd) Run(w *world) error {
	content, err := readLimited(c.File, evidence.MaxScan)
	if err != nil {
		return err
	}
	return c.add(w, issuance.Paperwork{Scans: []issuance.ScanFile{{Kind: c.Kind, Content: content}}})
}

type dossierScanShowCmd struct {
	asStaff
	vaultFlags

	Scan lifecycle.ScanID `arg:"" help:"The scan, as sceau dossier show names it."`
	Out  string           `help:"The file to write; it may not be there yet." required:"" placeholder:"FILE"`
	Why  string           `help:"Why; it is kept." required:""`
}

// Run opens the file first: nothing is shown that cannot be kept.
func (c dossierScanShowCmd) Run(w *world) error {
	return withVault(w, c.asStaff, c.vaultFlags, lifecycle.SeesScans(), func(h *house.House, by lifecycle.Actor) error {
		file, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // named on the command line
		if err != nil {
			return fmt.Errorf("%w: %w", lifecycle.Invalid, err)
		}
		content, kind, err := h.Service.ShowScan(w.ctx, by, c.Scan, c.Why)
		if err == nil {
			_, err = file.Write(content)
		}
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			_ = os.Remove(c.Out)
			return err
		}
		return say(w, "%s is in %s", kind, c.Out)
	})
}

type dossierNumberCmd struct {
	oneDossier
	vaultFlags

	Why string `help:"Why; it is kept." required:""`
}

// Run opens the number and shows it.
func (c dossierNumberCmd) Run(w *world) error {
	return withVault(w, c.asStaff, c.vaultFlags, lifecycle.HoldsDossiers(), func(h *house.House, by lifecycle.Actor) error {
		number, err := h.Service.ShowDocumentNumber(w.ctx, by, c.Dossier, c.Why)
		if err != nil {
			return err
		}
		return say(w, "%s", number.Reveal())
	})
}

type dossierShowCmd struct {
	oneDossier

	Profile string `help:"The certificate profile for which something may be missing; left out, nominative-authentication." placeholder:"NAME"`
}

// Run shows.
func (c dossierShowCmd) Run(w *world) error {
	return c.do(w, lifecycle.SeesDossiers(), func(h *house.House, by lifecycle.Actor) error {
		d, err := h.Service.Dossier(w.ctx, by, c.Dossier, c.Profile)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		for _, row := range dossierRows(d) {
			if row[1] != "" {
				_, _ = fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
			}
		}
		return table.Flush()
	})
}

func dossierRows(d issuance.DossierView) [][2]string {
	completed := ""
	if !d.Completed.IsZero() {
		completed = fmt.Sprintf("%s, sha256 %s, kept for %d years behind the certificates", d.Completed.Format(time.RFC3339), d.Kept, d.Retention)
	}
	rows := [][2]string{
		{"dossier", string(d.ID)},
		{"holder", string(d.Holder)},
		{"state", string(d.State)},
		{"opened", fmt.Sprintf("%s by %s", d.Opened.Format(time.RFC3339), d.OpenedBy)},
		{"relied on", completed},
		{"HELD", d.Held},
		{"document", d.Document},
		{"seen", d.Seen},
		{"mandate", d.Mandate},
		{"extract", d.Extract},
		{"terms", d.Terms},
	}
	for _, s := range d.Scans {
		size := fmt.Sprintf("%d octets", s.Size)
		if s.Erased {
			size = "erased"
		}
		rows = append(rows, [2]string{"scan", fmt.Sprintf("%s %s, %s, %s, sha256 %s, by %s on %s", s.ID, s.Kind, s.Type, size, s.SHA256, s.AddedBy, s.Added.Format(time.DateOnly))})
	}
	return append(rows, missingRows(d.DossierContent)...)
}

func missingRows(d issuance.DossierContent) [][2]string {
	rows := make([][2]string, len(d.Missing))
	for i, m := range d.Missing {
		rows[i] = [2]string{"MISSING", m.Field + ": " + m.Why}
	}
	return rows
}

type dossierListCmd struct {
	asStaff

	State lifecycle.DossierState `help:"open, complete, archived or erased; left out, all." enum:"open,complete,archived,erased," default:"" placeholder:"STATE"`
}

// Run lists.
func (c dossierListCmd) Run(w *world) error {
	return c.do(w, lifecycle.SeesDossiers(), func(h *house.House, by lifecycle.Actor) error {
		table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		for after := lifecycle.DossierID(""); ; {
			page, err := h.Service.DossierLines(w.ctx, by, c.State, after)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				return table.Flush()
			}
			for _, d := range page {
				held := ""
				if d.Held {
					held = "held"
				}
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\t%s\n", d.ID, d.State, d.ClientID, d.UserNumber, d.Opened.Format(time.DateOnly), held)
				after = d.ID
			}
		}
	})
}
