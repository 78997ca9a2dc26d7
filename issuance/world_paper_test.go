package issuance_test

import (
	"context"
	"fmt"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// begin keeps the plan of a worker that may come back late, or never.
func begin[I, P any](w *world, what string, from *[]I, plans *[]P, do func(ctx context.Context, id I) (P, error)) action {
	return func(ctx context.Context, d dice) error {
		id, err := pick(w, d, what, from)
		if err != nil {
			return err
		}
		plan, err := do(ctx, id)
		if err == nil {
			add(w, plans, plan)
		}
		return err
	}
}

// finish lets some worker come back.
func finish[P any](w *world, what string, plans *[]P, do func(ctx context.Context, d dice, plan P) error) action {
	return func(ctx context.Context, d dice) error {
		plan, err := pick(w, d, what, plans)
		if err != nil {
			return err
		}
		return do(ctx, d, plan)
	}
}

func (w *world) bureauActions() map[string]action {
	return map[string]action{
		"seal": func(ctx context.Context, d dice) error {
			id, n, err := w.SealBatch(ctx, someone(d, leonie))
			if err == nil && n > 0 {
				add(w, &w.ids, id)
			}
			return err
		},
		"begin keys": begin(w, "batch", &w.ids, &w.batches, w.BeginPersonalise),
		"end keys": finish(w, "keys", &w.batches, func(ctx context.Context, _ dice, p issuance.BatchPlan) error {
			return w.FinishPersonalise(ctx, p, answered(p), nil)
		}),
		"begin file": begin(w, "batch", &w.ids, &w.files, w.BeginBureauFile),
		"end file": finish(w, "file", &w.files, func(ctx context.Context, _ dice, p issuance.BatchPlan) error {
			return w.FinishBureauFile(ctx, p, []byte("sealed"), nil)
		}),
		"bureau answers": w.bureauAnswers,
		"bureau makes all": finish(w, "file", &w.files, func(ctx context.Context, d dice, p issuance.BatchPlan) error {
			var answers []issuance.BureauAnswer
			for _, c := range p.Cards {
				answers = append(answers, plasticOf(c.Card, c.PSN))
			}
			return w.returned(ctx, d, p.Batch, answers)
		}),
	}
}

func plasticOf(id lifecycle.CardID, psn int) issuance.BureauAnswer {
	return issuance.BureauAnswer{Card: id, Result: lifecycle.BureauMade, PlasticSerial: fmt.Sprintf("PL-%s-%d", id, psn)}
}

// bureauAnswers says something of some cards, of the batch or not.
func (w *world) bureauAnswers(ctx context.Context, d dice) error {
	batch, err := pick(w, d, "batch", &w.ids)
	if err != nil {
		return err
	}
	var answers []issuance.BureauAnswer
	for range 1 + d.roll("answers", 2) {
		id, err := pick(w, d, "card", &w.cards)
		if err != nil {
			return err
		}
		answers = append(answers, []issuance.BureauAnswer{plasticOf(id, 1), spoiled(id), missing(id)}[d.roll("answer", 3)])
	}
	return w.returned(ctx, d, batch, answers)
}

func (w *world) returned(ctx context.Context, d dice, batch lifecycle.BatchID, answers []issuance.BureauAnswer) error {
	content := fmt.Appendf(nil, "%v %s %d", answers, w.clock.now(), d.roll("bytes", 1000))
	file, err := w.TakeReturnFile(ctx, leonie, batch, content)
	if err != nil {
		return err
	}
	return w.ApplyReturn(ctx, file, answers, nil)
}

func (w *world) letterActions() map[string]action {
	return map[string]action{
		"gather": func(ctx context.Context, d dice) error {
			runs, err := w.GatherLetters(ctx, someone(d, leonie))
			for _, r := range runs {
				add(w, &w.runs, r)
			}
			return err
		},
		"begin card run": begin(w, "run", &w.runs, &w.cardRun, w.BeginCardRun),
		"end card run": finish(w, "card run", &w.cardRun, func(ctx context.Context, d dice, p issuance.CardRunPlan) error {
			pages, failed := cardPages(p), []issuance.LetterFailure(nil)
			if len(pages) > 0 && d.roll("fails", 4) == 0 {
				pages, failed = pages[1:], []issuance.LetterFailure{{Letter: string(pages[0]), Why: "too wide"}}
			}
			return w.FinishCardRun(ctx, p, []byte("sealed"), pages, failed, nil)
		}),
		"begin PIN run": begin(w, "run", &w.runs, &w.pinRun, w.house.pins.BeginPINRun),
		"end PIN section": finish(w, "PIN run", &w.pinRun, func(ctx context.Context, _ dice, p issuance.PINRunPlan) error {
			for _, section := range p.Sections {
				if !section.Stored {
					return w.house.pins.FinishPINSection(ctx, p, section.Number, []byte("sealed"), pinPages(section), nil)
				}
			}
			return errNothing
		}),
		"end PIN run": finish(w, "PIN run", &w.pinRun, func(ctx context.Context, _ dice, p issuance.PINRunPlan) error {
			return w.house.pins.FinishPINRun(ctx, p, nil)
		}),
		"print": w.printSome,
		"spoil": func(ctx context.Context, d dice) error {
			id, err := w.someLetter(ctx, d)
			if err != nil || d.roll("really", 4) > 0 {
				return errNothing
			}
			return w.SpoilLetter(ctx, someone(d, leonie), id)
		},
		"try a letter again": func(ctx context.Context, d dice) error {
			id, err := w.someLetter(ctx, d)
			if err != nil {
				return err
			}
			return w.RetryLetter(ctx, someone(d, leonie), id)
		},
		"post": func(ctx context.Context, _ dice) error {
			_, err := w.PostLetters(ctx)
			return err
		},
	}
}

// someLetter is a letter of some card.
func (w *world) someLetter(ctx context.Context, d dice) (string, error) {
	id, err := pick(w, d, "card", &w.cards)
	if err != nil {
		return "", err
	}
	view, err := w.Card(ctx, id)
	if err != nil {
		return "", err
	}
	letter := string(view.CardLetter)
	if d.roll("which", 2) == 0 {
		letter = string(view.PINLetter)
	}
	if letter == "" {
		return "", errNothing
	}
	return letter, nil
}

// printSome prints a run, or part of it.
func (w *world) printSome(ctx context.Context, d dice) error {
	id, err := pick(w, d, "run", &w.runs)
	if err != nil {
		return err
	}
	by := someone(d, leonie)
	job, err := w.StartPrinting(ctx, by, id, issuance.Printer{Name: "Laser 1", Counter: 100})
	if err != nil {
		return err
	}
	if d.roll("all", 3) > 0 {
		return w.EndPrinting(ctx, by, id, came(job, len(job.Sheets)))
	}
	report := came(job, d.roll("sheets", len(job.Sheets)+1))
	if report.Last > 0 && d.roll("spoils", 3) == 0 {
		report.Spoiled = []int{report.Last}
	}
	return w.InterruptPrinting(ctx, by, id, report)
}

func (w *world) certificateActions() map[string]action {
	on := func(do func(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error, likely ...lifecycle.Actor) action {
		return func(ctx context.Context, d dice) error {
			id, err := pick(w, d, "certificate", &w.certs)
			if err != nil {
				return err
			}
			return do(ctx, someone(d, likely...), id)
		}
	}
	return map[string]action{
		"take key": func(ctx context.Context, d dice) error {
			id, err := pick(w, d, "certificate", &w.certs)
			if err != nil {
				return err
			}
			return w.TakeKey(ctx, someone(d, helene, alix), id, w.keys[d.roll("key", len(w.keys))])
		},
		"begin signing": begin(w, "certificate", &w.certs, &w.issues, w.BeginIssue),
		"store draft": finish(w, "signing", &w.issues, func(ctx context.Context, _ dice, p issuance.CertificatePlan) error {
			return w.RecordDraft(ctx, p, draftOf(p, "draft"))
		}),
		"end signing": finish(w, "signing", &w.issues, func(ctx context.Context, _ dice, p issuance.CertificatePlan) error {
			return w.FinishIssue(ctx, p, []byte("signed"), nil)
		}),
		"give key back": finish(w, "signing", &w.issues, func(ctx context.Context, d dice, p issuance.CertificatePlan) error {
			if d.roll("really", 4) > 0 {
				return errNothing
			}
			return w.RejectKey(ctx, p, "why", nil)
		}),
		"accept":  on(w.Accept, helene),
		"hold":    on(w.Hold, helene, online),
		"release": on(w.Release, maxence),
		"revoke": on(func(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error {
			return w.Revoke(ctx, by, id, issuance.Revocation{Reason: lifecycle.ReasonSuperseded})
		}, maxence, helene),
	}
}

func (w *world) listActions() map[string]action {
	return map[string]action{
		"begin list": func(ctx context.Context, d dice) error {
			plan, err := w.BeginCRL(ctx, "issuing-1", d.roll("shard", 2), d.roll("scheduled", 2) == 0, issuance.Mark{})
			if err == nil && !plan.Nothing && !plan.UnderWay {
				add(w, &w.lists, plan)
			}
			return err
		},
		"end list": finish(w, "list", &w.lists, func(ctx context.Context, _ dice, p issuance.CRLPlan) error {
			if err := w.ReadCRL(ctx, &p, nothing); err != nil {
				return err
			}
			return w.FinishCRL(ctx, p, []byte("list"), nil, 0, nil)
		}),
		"answer ahead": func(ctx context.Context, d dice) error {
			id, err := pick(w, d, "certificate", &w.certs)
			if err != nil {
				return err
			}
			plan, err := w.PlanOCSP(ctx, id)
			if err != nil {
				return err
			}
			return w.PutOCSP(ctx, []issuance.OCSPAnswer{{
				Serial: plan.Serial, Version: plan.Version, DER: []byte("answer"), ThisUpdate: w.clock.now(), NextUpdate: w.clock.now().Add(time.Hour),
			}})
		},
	}
}
