package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// printRunSize is how many letters a run has at most; pinSection how many PINs
// the PIN worker has in its hands at the same time, each section of a run of
// PIN letters being encrypted and stored before the next one is begun.
const (
	printRunSize = 1000
	pinSection   = 50
)

// PrintRun is a print run as staff see it.
type PrintRun struct {
	ID       lifecycle.PrintRunID
	Kind     lifecycle.PrintKind
	Language party.Language
	State    lifecycle.PrintRunState
	Operator string
	Printer  string
	Used     int // sheets that left the paper tray
	Waste    int // of them: blank, test, jammed
}

// GatherLetters makes print runs of all letters that wait, card letters and PIN
// letters apart, each in one language and of a thousand at most, and has them
// rendered. Two who gather at once share the letters between them.
func (s *Service) GatherLetters(ctx context.Context, by lifecycle.Actor) ([]lifecycle.PrintRunID, error) {
	var runs []lifecycle.PrintRunID
	for _, kind := range []lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN} {
		for _, language := range party.Languages() {
			for {
				run, n, err := s.gatherRun(ctx, by, kind, language)
				if err != nil {
					return runs, fmt.Errorf("gather %s letters in %s: %w", kind, language, err)
				}
				if n > 0 {
					runs = append(runs, run)
				}
				if n < printRunSize {
					break
				}
			}
		}
	}
	return runs, nil
}

func (s *Service) gatherRun(ctx context.Context, by lifecycle.Actor, kind lifecycle.PrintKind, language party.Language) (lifecycle.PrintRunID, int, error) {
	run := db.PrintRun{
		ID: lifecycle.PrintRunID(s.newID(lifecycle.PrefixPrintRun)), Kind: kind, Language: string(language),
		State: lifecycle.PrintRunOpen, CreatedAt: s.now(),
	}
	n := 0
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		letters, err := waiting(ctx, tx, kind, language)
		if err != nil || len(letters) == 0 {
			return err
		}
		err = tx.InsertPrintRun(ctx, db.InsertPrintRunParams{
			ID: run.ID, Kind: run.Kind, Language: run.Language, State: run.State, CreatedAt: run.CreatedAt,
		})
		if err != nil {
			return err
		}
		if err := s.born(ctx, tx, runTable(kind).Thing, string(run.ID), string(run.State), by, nil); err != nil {
			return err
		}
		sheets := db.InsertPrintSheetsParams{RunID: run.ID, Kind: kind, Letters: letters}
		for i := range int32(len(letters)) { //nolint:gosec // at most 1 000
			section := int32(1)
			if kind == lifecycle.PrintPIN {
				section += i / pinSection
			}
			sheets.Positions, sheets.Sections = append(sheets.Positions, i+1), append(sheets.Sections, section)
		}
		if err := tx.InsertPrintSheets(ctx, sheets); err != nil {
			return err
		}
		n = len(letters)
		return s.moveRun(ctx, tx, &run, lifecycle.Seal, by, map[string]string{"letters": fmt.Sprint(n)})
	})
	return run.ID, n, err
}

// waiting locks letters that are in no run, so that nobody else gathers them.
func waiting(ctx context.Context, tx store.Tx, kind lifecycle.PrintKind, language party.Language) ([]string, error) {
	var letters []string
	if kind == lifecycle.PrintPIN {
		ids, err := tx.GatherPINLetters(ctx, string(language), printRunSize)
		for _, id := range ids {
			letters = append(letters, string(id))
		}
		return letters, err
	}
	ids, err := tx.GatherCardLetters(ctx, string(language), printRunSize)
	for _, id := range ids {
		letters = append(letters, string(id))
	}
	return letters, err
}

func runTable(kind lifecycle.PrintKind) lifecycle.Table[lifecycle.PrintRunState] {
	if kind == lifecycle.PrintPIN {
		return lifecycle.PINRuns
	}
	return lifecycle.CardRuns
}

func (s *Service) moveRun(ctx context.Context, tx store.Tx, r *db.PrintRun, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	to, err := apply(ctx, s, tx, runTable(r.Kind), r.State, change{id: string(r.ID), on: on, by: by, detail: detail},
		func(to lifecycle.PrintRunState) (int64, error) {
			return tx.SetPrintRunState(ctx, to, r.ID, r.State)
		},
		func(kind lifecycle.JobKind) Job {
			switch kind {
			case lifecycle.JobCardRun:
				return CardRunArgs{Run: r.ID}
			case lifecycle.JobPINRun:
				return PINRunArgs{Run: r.ID}
			default:
				return nil
			}
		})
	r.State = to
	return err
}

// PrintRuns lists the runs in a state, oldest first.
func (s *Service) PrintRuns(ctx context.Context, state lifecycle.PrintRunState) ([]PrintRun, error) {
	rows, err := s.store.PrintRunsInState(ctx, state)
	if err != nil {
		return nil, fmt.Errorf("print runs that are %s: %w", state, err)
	}
	runs := make([]PrintRun, len(rows))
	for i, r := range rows {
		runs[i] = PrintRun{
			ID: r.ID, Kind: r.Kind, Language: party.Language(r.Language), State: r.State, Operator: r.Operator,
			Printer: r.Printer, Used: int(r.Used), Waste: int(r.Waste),
		}
	}
	return runs, nil
}

// RunDocument is the identifier of the file of a run's section, encrypted for
// the print room.
func RunDocument(run lifecycle.PrintRunID, section int) string {
	return fmt.Sprintf("%s-%d", run, section)
}

// FailedLetter is a letter that cannot be set, and why: staff correct what it
// says and have it tried again.
type FailedLetter struct {
	ID   string // of a card letter or PIN letter
	Card lifecycle.CardID
	Why  string
}

// FailedLetters are those for staff to look at, oldest first.
func (s *Service) FailedLetters(ctx context.Context) ([]FailedLetter, error) {
	rows, err := s.store.FailedLetters(ctx, pageSize)
	if err != nil {
		return nil, fmt.Errorf("letters that cannot be set: %w", err)
	}
	failed := make([]FailedLetter, len(rows))
	for i, r := range rows {
		failed[i] = FailedLetter{ID: string(r.ID), Card: r.CardID, Why: r.Failure}
	}
	return failed, nil
}

// eachKind locks a letter by its identifier, whichever kind it is, and works on
// it.
func (s *Service) eachKind(ctx context.Context, tx store.Tx, id string, card func(*db.CardLetter) error, pin func(*db.PINLetter) error) error {
	if lifecycle.CheckID(lifecycle.PrefixPINLetter, id) == nil {
		l, err := tx.LockPINLetter(ctx, lifecycle.PINLetterID(id))
		if err != nil {
			return fmt.Errorf("PIN letter %s: %w", id, err)
		}
		return pin(&l)
	}
	if err := lifecycle.CheckID(lifecycle.PrefixCardLetter, id); err != nil {
		return &lifecycle.FieldError{Field: "letter", Why: "is no letter's identifier: L-… or P-…, as printed at the foot of the page"}
	}
	l, err := tx.LockCardLetter(ctx, lifecycle.CardLetterID(id))
	if err != nil {
		return fmt.Errorf("card letter %s: %w", id, err)
	}
	return card(&l)
}
