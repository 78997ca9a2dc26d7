package issuance_test

import (
	"context"
	"slices"

	"sceau/issuance"
	"sceau/lifecycle"
)

// press plays the workers that render print runs, and the print room.
type press struct {
	app, pins *issuance.Service // as doors and workers; as the PIN-letter worker
	operator  lifecycle.Actor
}

// gather makes runs of the letters that wait and renders all runs.
func (p press) gather(ctx context.Context) error {
	if _, err := p.app.GatherLetters(ctx, p.operator); err != nil {
		return err
	}
	return p.render(ctx)
}

func (p press) render(ctx context.Context) error {
	runs, err := p.app.PrintRuns(ctx, lifecycle.PrintRunRequested)
	if err != nil {
		return err
	}
	for _, run := range runs {
		render := p.cards
		if run.Kind == lifecycle.PrintPIN {
			render = p.pinLetters
		}
		if err := render(ctx, run.ID); err != nil {
			return err
		}
	}
	return nil
}

func (p press) cards(ctx context.Context, run lifecycle.PrintRunID) error {
	plan, err := p.app.BeginCardRun(ctx, run)
	if err != nil {
		return err
	}
	return p.app.FinishCardRun(ctx, plan, []byte("sealed "+run), cardPages(plan), nil, nil)
}

func cardPages(plan issuance.CardRunPlan) []lifecycle.CardLetterID {
	var pages []lifecycle.CardLetterID
	for _, l := range plan.Letters {
		pages = append(pages, l.Letter)
	}
	return pages
}

func (p press) pinLetters(ctx context.Context, run lifecycle.PrintRunID) error {
	plan, err := p.pins.BeginPINRun(ctx, run)
	if err != nil {
		return err
	}
	for _, section := range plan.Sections {
		if section.Stored {
			continue
		}
		if err := p.pins.FinishPINSection(ctx, plan, section.Number, []byte("sealed "+run), pinPages(section), nil); err != nil {
			return err
		}
	}
	return p.pins.FinishPINRun(ctx, plan, nil)
}

func pinPages(section issuance.PINSection) []lifecycle.PINLetterID {
	var pages []lifecycle.PINLetterID
	for _, l := range section.Letters {
		pages = append(pages, l.Letter)
	}
	return pages
}

// print prints every rendered run to the end, and gives the letters that came
// out.
func (p press) print(ctx context.Context) ([]string, error) {
	runs, err := p.app.PrintRuns(ctx, lifecycle.PrintRunRendered)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, run := range runs {
		job, err := p.app.StartPrinting(ctx, p.operator, run.ID, issuance.Printer{Name: "Laser 1", Counter: 100})
		if err != nil {
			return out, err
		}
		if err := p.app.EndPrinting(ctx, p.operator, run.ID, came(job, len(job.Sheets))); err != nil {
			return out, err
		}
		out = slices.Concat(out, lettersOf(job.Sheets))
	}
	return out, nil
}

// came reports that the first n sheets of a job came out of a printer whose
// counter stood at 100.
func came(job issuance.PrintJob, n int) issuance.PrintReport {
	report := issuance.PrintReport{Counter: 100 + int64(n)}
	if n > 0 {
		report.Last = job.Sheets[n-1].Position
	}
	return report
}

func lettersOf(sheets []issuance.Sheet) []string {
	var letters []string
	for _, s := range sheets {
		letters = append(letters, s.Letter)
	}
	return letters
}

func (h *house) press() press { return press{h.Service, h.pins, leonie} }

func (d *desk) press() press { return press{d.Service, d.Service, olga} }
