package issuance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// Printer is where a run is printed, and its sheet counter at the beginning of
// a sitting.
type Printer struct {
	Name    string
	Counter int64
}

// Sheet is a letter of a run that is still to be printed: one sheet of paper, in
// large print some more.
type Sheet struct {
	Position int // in the run, from 1
	Section  int // whose file it is in
	Page     int // of that file, its first
	Sheets   int // of paper, a page each
	Letter   string
}

// PrintJob is what an operator takes to the printer: the sheets that are still
// to be printed, in order.
type PrintJob struct {
	Run      lifecycle.PrintRunID
	Kind     lifecycle.PrintKind
	Language party.Language
	Sheets   []Sheet
}

// Paper is how many sheets of paper they are.
func (j PrintJob) Paper() int {
	n := 0
	for _, s := range j.Sheets {
		n += s.Sheets
	}
	return n
}

// PrintReport is what an operator says of a sitting.
type PrintReport struct {
	Last    int   // position of the last letter that came out whole; 0 for none
	Spoiled []int // positions of letters that came out and cannot be posted
	Waste   int   // sheets that are of no letter: blank, test, jammed, of one that did not come out whole
	Counter int64 // of the printer, at the end
}

// StartPrinting takes a run to a printer, or on with one that was interrupted:
// what came out before is not printed again. Letters that were stopped meanwhile
// are withdrawn.
func (s *Service) StartPrinting(ctx context.Context, by lifecycle.Actor, id lifecycle.PrintRunID, on Printer) (PrintJob, error) {
	job := PrintJob{Run: id}
	if n := utf8.RuneCountInString(on.Name); n == 0 || n > 64 || strings.ContainsFunc(on.Name, func(r rune) bool { return r < ' ' }) {
		return job, &lifecycle.FieldError{Field: "printer", Why: "has 1 to 64 characters of text: the printer's name or inventory number"}
	}
	if on.Counter < 0 {
		return job, &lifecycle.FieldError{Field: "counter", Why: "is below zero: read it from the printer"}
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		r, err := tx.LockPrintRun(ctx, id)
		if err != nil {
			return fmt.Errorf("print run %s: %w", id, err)
		}
		job.Kind, job.Language = r.Kind, party.Language(r.Language)
		detail := map[string]string{"printer": on.Name, "counter": fmt.Sprint(on.Counter)}
		if err := s.moveRun(ctx, tx, &r, lifecycle.Print, by, detail); err != nil {
			return err
		}
		rows, err := tx.PrintSheets(ctx, id)
		if err != nil {
			return fmt.Errorf("print run %s: %w", id, err)
		}
		for _, row := range rows {
			switch {
			case row.Result != "":
			case row.LetterState != lifecycle.LetterRendered:
				if err := tx.SetSheetResult(ctx, "withdrawn", id, row.Position); err != nil {
					return fmt.Errorf("print run %s: %w", id, err)
				}
			default:
				job.Sheets = append(job.Sheets, Sheet{int(row.Position), int(row.Section), int(row.Page), int(row.Sheets), row.LetterID})
			}
		}
		return tx.BeginSitting(ctx, db.BeginSittingParams{Operator: by.ID, Printer: on.Name, Counter: on.Counter, ID: id})
	})
	return job, err
}

// InterruptPrinting records how far a sitting came. The run goes on with
// [Service.StartPrinting], on this printer or another.
func (s *Service) InterruptPrinting(ctx context.Context, by lifecycle.Actor, id lifecycle.PrintRunID, report PrintReport) error {
	return s.endSitting(ctx, by, id, lifecycle.Interrupt, report)
}

// EndPrinting records that the last sheet came out. The file of a run of PIN
// letters is erased: nobody prints it again.
func (s *Service) EndPrinting(ctx context.Context, by lifecycle.Actor, id lifecycle.PrintRunID, report PrintReport) error {
	return s.endSitting(ctx, by, id, lifecycle.Complete, report)
}

func (s *Service) endSitting(ctx context.Context, by lifecycle.Actor, id lifecycle.PrintRunID, on lifecycle.Event, report PrintReport) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		r, err := tx.LockPrintRun(ctx, id)
		if err != nil {
			return fmt.Errorf("print run %s: %w", id, err)
		}
		if _, err := runTable(r.Kind).Next(r.State, on, by.Role); err != nil {
			return fmt.Errorf("print run %s: %w", id, err)
		}
		rows, err := tx.PrintSheets(ctx, id)
		if err != nil {
			return fmt.Errorf("print run %s: %w", id, err)
		}
		open := slices.DeleteFunc(rows, func(row db.PrintSheetsRow) bool { return row.Result != "" })
		out, err := report.sheets(open, r.Counter, on == lifecycle.Complete)
		if err != nil {
			return err
		}
		if err := s.cameOutTx(ctx, tx, by, &r, out, report.Spoiled); err != nil {
			return err
		}
		used := int32(paperOf(out) + report.Waste) //nolint:gosec // equals a difference of counters that was checked
		if err := tx.EndSitting(ctx, used, int32(report.Waste), id); err != nil {
			return fmt.Errorf("print run %s: %w", id, err)
		}
		if err := s.usePaperTx(ctx, tx, by, &r, int64(used)); err != nil {
			return err
		}
		detail := map[string]string{
			"printer": r.Printer, "last": fmt.Sprint(report.Last), "sheets": fmt.Sprint(paperOf(out)), "spoiled": fmt.Sprint(len(report.Spoiled)),
			"waste": fmt.Sprint(report.Waste), "counter": fmt.Sprint(report.Counter),
		}
		if err := s.moveRun(ctx, tx, &r, on, by, detail); err != nil || on != lifecycle.Complete {
			return err
		}
		if err := tx.SetPrintRunPrinted(ctx, new(s.now()), id); err != nil {
			return fmt.Errorf("print run %s: %w", id, err)
		}
		if r.Kind == lifecycle.PrintPIN {
			if _, err := tx.DeleteRunDocuments(ctx, id); err != nil {
				return fmt.Errorf("print run %s: %w", id, err)
			}
		}
		return nil
	})
}

// paperOf is how many sheets of paper the letters take.
func paperOf(rows []db.PrintSheetsRow) int {
	n := 0
	for _, row := range rows {
		n += int(row.Sheets)
	}
	return n
}

// maxWaste bounds what an operator may call waste in one sitting.
const maxWaste = 10_000

// sheets are those that came out, after the report was compared with the run and
// with the printer's counter: no sheet of paper is unaccounted for.
func (p PrintReport) sheets(open []db.PrintSheetsRow, counter int64, whole bool) ([]db.PrintSheetsRow, error) {
	n := 0
	for n < len(open) && int(open[n].Position) <= p.Last {
		n++
	}
	out := open[:n]
	at := func(position int) bool {
		return slices.ContainsFunc(out, func(row db.PrintSheetsRow) bool { return int(row.Position) == position })
	}
	var wrongs lifecycle.FieldErrors
	if p.Last != 0 && !at(p.Last) {
		wrongs.Add("last", fmt.Sprintf("letter %d is not one of those that were to be printed", p.Last))
	}
	if whole && n < len(open) {
		wrongs.Add("last", fmt.Sprintf("%d letters are still to be printed: interrupt the run, or print them", len(open)-n))
	}
	for i, position := range p.Spoiled {
		if !at(position) || slices.Contains(p.Spoiled[:i], position) {
			wrongs.Add("spoiled", fmt.Sprintf("letter %d did not come out in this sitting, or stands there twice", position))
		}
	}
	if p.Waste < 0 || p.Waste > maxWaste {
		wrongs.Add("waste", fmt.Sprintf("is 0 to %d sheets", maxWaste))
	} else if used, paper := p.Counter-counter, paperOf(out); used != int64(paper+p.Waste) {
		wrongs.Add("counter", fmt.Sprintf("the printer counted %d sheets, %d of letters and %d of waste are reported: count again",
			used, paper, p.Waste))
	}
	return out, wrongs.Err()
}

// cameOutTx records the sheets that came out. A letter that was stopped while it was
// printed stays stopped: its sheet is destroyed.
func (s *Service) cameOutTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, r *db.PrintRun, out []db.PrintSheetsRow, spoiled []int) error {
	positions := make([]int32, len(out))
	for i, row := range out {
		positions[i] = row.Position
	}
	if err := tx.SetSheetsPrinted(ctx, r.ID, positions); err != nil {
		return fmt.Errorf("print run %s: %w", r.ID, err)
	}
	ids := texts(out, func(row db.PrintSheetsRow) string { return row.LetterID })
	if err := s.printedTx(ctx, tx, by, r.Kind, ids); err != nil {
		return fmt.Errorf("print run %s: %w", r.ID, err)
	}
	for _, row := range out {
		if !slices.Contains(spoiled, int(row.Position)) {
			continue
		}
		if err := s.spoilTx(ctx, tx, by, row.LetterID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) printedTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, kind lifecycle.PrintKind, ids []string) error {
	if kind == lifecycle.PrintPIN {
		letters, err := tx.LockPINLetters(ctx, ids)
		if err != nil {
			return err
		}
		letters = slices.DeleteFunc(letters, func(l db.PINLetter) bool { return l.State != lifecycle.LetterRendered })
		return s.movePINLetters(ctx, tx, letters, severalPINLetters{on: lifecycle.Print, by: by})
	}
	letters, err := tx.LockCardLetters(ctx, ids)
	if err != nil {
		return err
	}
	letters = slices.DeleteFunc(letters, func(l db.CardLetter) bool { return l.State != lifecycle.LetterRendered })
	return s.moveCardLetters(ctx, tx, letters, severalCardLetters{on: lifecycle.Print, by: by})
}

// SpoilLetter records that a printed letter cannot be posted: torn in the
// inserter, smudged, seen by somebody. A card letter is printed again in
// another run. A PIN letter never is: its PIN is void, and a new one is ordered
// and approved anew.
func (s *Service) SpoilLetter(ctx context.Context, by lifecycle.Actor, id string) error {
	return s.store.InTx(ctx, func(tx store.Tx) error { return s.spoilTx(ctx, tx, by, id) })
}

func (s *Service) spoilTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, id string) error {
	err := s.eachKind(ctx, tx, id,
		func(l *db.CardLetter) error {
			if l.State == lifecycle.LetterCancelled { // stopped while it was printed
				return nil
			}
			if err := s.moveCardLetter(ctx, tx, l, lifecycle.Spoil, by); err != nil {
				return err
			}
			return s.moveCardLetter(ctx, tx, l, lifecycle.Retry, by)
		},
		func(l *db.PINLetter) error {
			if l.State == lifecycle.LetterCancelled {
				return nil
			}
			return s.movePINLetter(ctx, tx, l, lifecycle.Spoil, by)
		})
	if err != nil {
		return err
	}
	if err := tx.SpoilSheetOfLetter(ctx, id); err != nil {
		return fmt.Errorf("sheet of letter %s: %w", id, err)
	}
	return nil
}

// DestroyLetter records who destroyed a letter that was spoiled, stopped or
// returned, and when. The audit trail keeps it.
func (s *Service) DestroyLetter(ctx context.Context, by lifecycle.Actor, id string) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		return s.eachKind(ctx, tx, id,
			func(l *db.CardLetter) error { return s.moveCardLetter(ctx, tx, l, lifecycle.Destroy, by) },
			func(l *db.PINLetter) error { return s.movePINLetter(ctx, tx, l, lifecycle.Destroy, by) })
	})
}

// ForgetRunFiles erases the files of printed runs that are older than the
// policy keeps them, and ends runs as old that were never printed to the end:
// what is left of them is spoiled. It answers how many files and runs.
func (s *Service) ForgetRunFiles(ctx context.Context) (files int64, runs int, err error) {
	system := lifecycle.System("run-files")
	before := s.now().Add(-s.policy.RunFileAge)
	old, err := s.store.OldRuns(ctx, &before, printRunSize)
	if err != nil {
		return 0, 0, fmt.Errorf("old print runs: %w", err)
	}
	for _, id := range old {
		ended := false
		err := s.store.InTx(ctx, func(tx store.Tx) error {
			r, err := tx.LockPrintRun(ctx, id)
			if err != nil || !runTable(r.Kind).Can(r.State, lifecycle.Cancel) {
				return err
			}
			ended = true
			rows, err := tx.PrintSheets(ctx, id)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if row.Result != "" {
					continue
				}
				if err := tx.SetSheetResult(ctx, "withdrawn", id, row.Position); err != nil {
					return err
				}
				if row.LetterState == lifecycle.LetterRendered {
					if err := s.spoilTx(ctx, tx, system, row.LetterID); err != nil {
						return err
					}
				}
			}
			if _, err := tx.DeleteRunDocuments(ctx, id); err != nil {
				return err
			}
			return s.moveRun(ctx, tx, &r, lifecycle.Cancel, system, nil)
		})
		if err != nil {
			return files, runs, fmt.Errorf("old print run %s: %w", id, err)
		}
		if ended {
			runs++
		}
	}
	if files, err = s.store.DeleteOldRunDocuments(ctx, before); err != nil {
		return files, runs, fmt.Errorf("old print files: %w", err)
	}
	return files, runs, nil
}
