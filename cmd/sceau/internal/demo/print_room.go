package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"sceau/cms"
	"sceau/issuance"
	"sceau/lifecycle"
)

// printAll has all letters that wait gathered into runs, and plays the print room
// until nothing of a kind is left: a spoiled card letter comes again in a run
// of its own.
func (d *demonstration) printAll(ctx context.Context, operator lifecycle.Actor, kind lifecycle.PrintKind) error {
	for {
		if _, err := d.house.Service.GatherLetters(ctx, operator); err != nil {
			return err
		}
		if err := d.settle(ctx, "print runs"); err != nil {
			return err
		}
		runs, err := d.house.Service.PrintRuns(ctx, lifecycle.PrintRunRendered)
		runs = slices.DeleteFunc(runs, func(r issuance.PrintRun) bool { return r.Kind != kind })
		if err != nil || len(runs) == 0 {
			return err
		}
		for _, run := range runs {
			if err := d.print(ctx, operator, run); err != nil {
				return fmt.Errorf("print run %s: %w", run.ID, err)
			}
		}
	}
}

// print plays the print room for one run. The first long run of card letters is
// interrupted when paper runs out, after one of its sheets jammed.
func (d *demonstration) print(ctx context.Context, operator lifecycle.Actor, run issuance.PrintRun) error {
	room := &d.printRoom
	begun, err := d.house.Service.StartPrinting(ctx, operator, run.ID, room.at())
	if err != nil {
		return err
	}
	if err := d.openRun(ctx, begun); err != nil {
		return err
	}
	rest := begun
	if n := len(begun.Sheets) / 3; room.clumsy && run.Kind == lifecycle.PrintCard && n > 1 {
		room.clumsy = false
		jammed := begun.Sheets[n-2].Position
		room.counter += int64(n + 1) // and a test page
		report := issuance.PrintReport{Last: begun.Sheets[n-1].Position, Spoiled: []int{jammed}, Waste: 1, Counter: room.counter - 1}
		err := d.house.Service.InterruptPrinting(ctx, operator, run.ID, report)
		d.screen.check("a print room that cannot account for a sheet of paper is asked to count again", refused(err, lifecycle.Invalid))
		report.Counter = room.counter
		if err := d.house.Service.InterruptPrinting(ctx, operator, run.ID, report); err != nil {
			return err
		}
		if rest, err = d.house.Service.StartPrinting(ctx, operator, run.ID, room.at()); err != nil {
			return err
		}
		d.screen.note("%s run of %d letters interrupted after %d, one of them jammed; it goes on with sheet %d",
			run.Language, len(begun.Sheets), n, rest.Sheets[0].Position)
		d.screen.check("an interrupted print run goes on with the next sheet, and prints none twice",
			equal(fmt.Sprint(rest.Sheets), fmt.Sprint(begun.Sheets[n:])))
	}
	room.counter += int64(rest.Paper())
	if run.Kind == lifecycle.PrintPIN {
		room.pinPaper += rest.Paper()
	}
	last := 0
	if n := len(rest.Sheets); n > 0 {
		last = rest.Sheets[n-1].Position
	}
	return d.house.Service.EndPrinting(ctx, operator, run.ID, issuance.PrintReport{Last: last, Counter: room.counter})
}

// openRun opens the files of a run, which the print room alone can, and keeps
// each letter by itself.
func (d *demonstration) openRun(ctx context.Context, job issuance.PrintJob) error {
	bar := d.screen.bar(len(job.Sheets), string(job.Kind)+" letters at the print room")
	defer func() { _ = bar.Finish() }()
	pages := filepath.Join(d.folder, "print-room", "pages")
	if err := os.MkdirAll(pages, 0o700); err != nil {
		return fmt.Errorf("make the print room's folder: %w", err)
	}
	section := 0
	for _, sheet := range job.Sheets {
		if sheet.Section != section {
			section = sheet.Section
			if err := d.openSection(ctx, issuance.RunDocument(job.Run, section), job.Kind, pages); err != nil {
				return err
			}
		}
		path := d.cardLetter(lifecycle.CardLetterID(sheet.Letter))
		if job.Kind == lifecycle.PrintPIN {
			path = d.pinLetter(lifecycle.PINLetterID(sheet.Letter))
		}
		if err := keepLetter(ctx, pages, sheet, path); err != nil {
			return err
		}
		_ = bar.Add(1)
	}
	return os.RemoveAll(pages)
}

// keepLetter keeps the pages of a letter as one file.
func keepLetter(ctx context.Context, pages string, sheet issuance.Sheet, path string) error {
	var files []string
	for page := range sheet.Sheets {
		files = append(files, filepath.Join(pages, fmt.Sprintf("%d.pdf", sheet.Page+page)))
	}
	if len(files) == 1 {
		if err := os.Rename(files[0], path); err != nil {
			return fmt.Errorf("keep a letter: %w", err)
		}
		return nil
	}
	if err := exec.CommandContext(ctx, "pdfunite", append(files, path)...).Run(); err != nil { //nolint:gosec // files of the demonstration
		return fmt.Errorf("pdfunite: %w", err)
	}
	return nil
}

// openSection opens one file and splits it by poppler's pdfseparate.
func (d *demonstration) openSection(ctx context.Context, document string, kind lifecycle.PrintKind, pages string) error {
	sealed, err := d.house.Service.Document(ctx, document)
	if err != nil {
		return err
	}
	name := filepath.Join(d.folder, "letters", string(kind)+"-"+document+".p7m")
	if err := os.WriteFile(name, sealed, 0o600); err != nil {
		return fmt.Errorf("send the print room its file: %w", err)
	}
	pdf, err := cms.Open(sealed, d.printRoom.certificate, d.printRoom.key)
	if err != nil {
		return err
	}
	whole := filepath.Join(pages, "run.pdf")
	if err := os.WriteFile(whole, pdf, 0o600); err != nil {
		return fmt.Errorf("open a print file: %w", err)
	}
	if err := exec.CommandContext(ctx, "pdfseparate", whole, filepath.Join(pages, "%d.pdf")).Run(); err != nil { //nolint:gosec // a file of the demonstration
		return fmt.Errorf("pdfseparate %s: %w", document, err)
	}
	return nil
}

// printRoom is the print room: it opens what is sealed for it, and has a printer
// that counts its sheets.
type printRoom struct {
	correspondent

	counter  int64
	clumsy   bool // its next long run is interrupted
	pinPaper int  // sheets of it that went through the printer
}

func (r *printRoom) at() issuance.Printer {
	return issuance.Printer{Name: "Laser 2", Counter: r.counter}
}
