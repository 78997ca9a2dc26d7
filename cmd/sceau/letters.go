package main

import (
	"fmt"
	"os"
	"path/filepath"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// lettersCmd is the print room's and the post room's.
type lettersCmd struct {
	Gather      gatherCmd      `cmd:"" help:"Make print runs of the letters that wait; workers render them."`
	Runs        runsCmd        `cmd:"" help:"List the print runs in a state."`
	Print       printCmd       `cmd:"" help:"Take a run to a printer, or on with one that was interrupted: its files and the letters to print."`
	Interrupted interruptedCmd `cmd:"" help:"Record how far a printer came."`
	Printed     printedCmd     `cmd:"" help:"Record that a run is printed to its last sheet."`
	Spoiled     spoiledCmd     `cmd:"" help:"Record a printed letter that cannot be posted: a card letter is printed again, a PIN is void."`
	Returned    returnedCmd    `cmd:"" help:"Take letters that the post brought back: their cards are stopped, and staff look at each."`
	Destroyed   destroyedCmd   `cmd:"" help:"Record that letters were destroyed: spoiled, stopped or returned ones."`
	Failed      failedCmd      `cmd:"" help:"List the letters that cannot be set, and why."`
	Retry       retryCmd       `cmd:"" help:"Have letters that could not be set tried again in the next run."`

	templateCmds
}

// asOperator is what every command of the print room takes.
type asOperator struct {
	databaseFlags

	As string `help:"Login of the operator." required:""`
}

func (c asOperator) do(w *world, work func(h *house.House, by lifecycle.Actor) error) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	return work(h, by)
}

// say writes lines until one cannot be written.
func say(w *world, format string, args ...any) error {
	_, err := fmt.Fprintf(w.out, format+"\n", args...)
	return err
}

type gatherCmd struct{ asOperator }

// Run makes print runs.
func (c gatherCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		runs, err := h.Service.GatherLetters(w.ctx, by)
		if err != nil {
			return err
		}
		for _, id := range runs {
			if err := say(w, "%s", id); err != nil {
				return err
			}
		}
		return nil
	})
}

type runsCmd struct {
	asOperator

	State lifecycle.PrintRunState `help:"requested, rendered, printing, interrupted, printed or cancelled." enum:"requested,rendered,printing,interrupted,printed,cancelled" default:"rendered"`
}

// Run lists runs.
func (c runsCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, _ lifecycle.Actor) error {
		runs, err := h.Service.PrintRuns(w.ctx, c.State)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if err := say(w, "%s  %s letters, %s, %s, %d sheets used, %d waste, printer %q", r.ID, r.Kind, r.Language, r.State, r.Used, r.Waste, r.Printer); err != nil {
				return err
			}
		}
		return nil
	})
}

type printCmd struct {
	asOperator

	RunID   lifecycle.PrintRunID `arg:"" name:"run" help:"The run."`
	Printer string               `help:"The printer's name or inventory number." required:""`
	Counter int64                `help:"Its sheet counter now." required:""`
	Out     string               `help:"Folder for the run's files, encrypted for the print room." required:"" type:"existingdir"`
}

// Run writes the files and tells the sheets.
func (c printCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		job, err := h.Service.StartPrinting(w.ctx, by, c.RunID, issuance.Printer{Name: c.Printer, Counter: c.Counter})
		if err != nil {
			return err
		}
		section := 0
		for _, s := range job.Sheets {
			name := issuance.RunDocument(job.Run, s.Section) + ".p7m"
			if s.Section != section {
				section = s.Section
				content, err := h.Service.Document(w.ctx, issuance.RunDocument(job.Run, section))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(c.Out, name), content, 0o600); err != nil {
					return fmt.Errorf("write %s: %w", name, err)
				}
			}
			pages := fmt.Sprintf("page %d", s.Page)
			if s.Sheets > 1 {
				pages = fmt.Sprintf("pages %d to %d", s.Page, s.Page+s.Sheets-1)
			}
			if err := say(w, "letter %d  %s of %s  %s", s.Position, pages, name, s.Letter); err != nil {
				return err
			}
		}
		return say(w, "%d letters to print, %d sheets", len(job.Sheets), job.Paper())
	})
}

// reported is what the print room reports.
type reported struct {
	asOperator

	RunID   lifecycle.PrintRunID `arg:"" name:"run" help:"The run."`
	Last    int                  `help:"Number of the last letter that came out whole; 0 for none." required:""`
	Spoiled []int                `help:"Numbers of letters that came out and cannot be posted." placeholder:"LETTER"`
	Waste   int                  `help:"Sheets of no letter: blank, test, jammed, of one that did not come out whole."`
	Counter int64                `help:"The printer's sheet counter now." required:""`
}

func (c reported) report() issuance.PrintReport {
	return issuance.PrintReport{Last: c.Last, Spoiled: c.Spoiled, Waste: c.Waste, Counter: c.Counter}
}

type interruptedCmd struct{ reported }

// Run records how far a printer came.
func (c interruptedCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		return h.Service.InterruptPrinting(w.ctx, by, c.RunID, c.report())
	})
}

type printedCmd struct{ reported }

// Run records that a run is printed.
func (c printedCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		return h.Service.EndPrinting(w.ctx, by, c.RunID, c.report())
	})
}

// letterList is letters by their identifiers.
type letterList struct {
	asOperator

	Letters []string `arg:"" name:"letter" help:"Identifiers, as at the foot of the page: L-… or P-…"`
}

// each goes through the letters; the first that is refused ends it.
func (c letterList) each(w *world, work func(h *house.House, by lifecycle.Actor, id string) error) error {
	return c.do(w, func(h *house.House, by lifecycle.Actor) error {
		for _, id := range c.Letters {
			if err := work(h, by, id); err != nil {
				return err
			}
		}
		return nil
	})
}

type spoiledCmd struct{ letterList }

// Run records spoiled letters.
func (c spoiledCmd) Run(w *world) error {
	return c.each(w, func(h *house.House, by lifecycle.Actor, id string) error { return h.Service.SpoilLetter(w.ctx, by, id) })
}

type destroyedCmd struct{ letterList }

// Run records destroyed letters.
func (c destroyedCmd) Run(w *world) error {
	return c.each(w, func(h *house.House, by lifecycle.Actor, id string) error {
		return h.Service.DestroyLetter(w.ctx, by, id)
	})
}

type retryCmd struct{ letterList }

// Run has letters tried again.
func (c retryCmd) Run(w *world) error {
	return c.each(w, func(h *house.House, by lifecycle.Actor, id string) error { return h.Service.RetryLetter(w.ctx, by, id) })
}

type returnedCmd struct {
	letterList

	Reason lifecycle.MailReason `help:"unknown, address, unclaimed or refused, as the post's label says." enum:"unknown,address,unclaimed,refused" required:""`
}

// Run takes returned letters, as a scanner reads them.
func (c returnedCmd) Run(w *world) error {
	return c.each(w, func(h *house.House, by lifecycle.Actor, scanned string) error {
		mail, err := h.Service.TakeReturnedMail(w.ctx, by, scanned, c.Reason)
		if err != nil {
			return err
		}
		return say(w, "%s: card %s, receipt %q; to look at: %s", mail.Letter, mail.Card, mail.Receipt, mail.Work)
	})
}

type failedCmd struct{ asOperator }

// Run lists failed letters.
func (c failedCmd) Run(w *world) error {
	return c.do(w, func(h *house.House, _ lifecycle.Actor) error {
		failed, err := h.Service.FailedLetters(w.ctx)
		if err != nil {
			return err
		}
		for _, f := range failed {
			if err := say(w, "%s  card %s: %s", f.ID, f.Card, f.Why); err != nil {
				return err
			}
		}
		return nil
	})
}
