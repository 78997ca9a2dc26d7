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
		"begin card letter": begin(w, "card", &w.cards, &w.letters, w.BeginCardLetter),
		"end card letter": finish(w, "letter", &w.letters, func(ctx context.Context, _ dice, p issuance.CardLetterPlan) error {
			return w.FinishCardLetter(ctx, p, []byte("%PDF"), nil)
		}),
		"begin PIN letter": begin(w, "card", &w.cards, &w.pins, w.BeginPINLetter),
		"end PIN letter": finish(w, "PIN letter", &w.pins, func(ctx context.Context, _ dice, p issuance.PINLetterPlan) error {
			return w.FinishPINLetter(ctx, p, []byte("sealed"))
		}),
		"print": func(ctx context.Context, d dice) error {
			if _, err := w.PrintCardLetters(ctx, someone(d, leonie)); err != nil {
				return err
			}
			_, err := w.PrintPINLetters(ctx, leonie)
			return err
		},
		"post": func(ctx context.Context, _ dice) error {
			_, err := w.PostLetters(ctx)
			return err
		},
	}
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
			return w.RecordTBS(ctx, p, []byte("draft"), p.ReservedAt, p.ReservedAt.Add(certificateLife))
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
			plan, err := w.BeginCRL(ctx, w.Policy().CertIssuer, d.roll("shard", 2), d.roll("scheduled", 2) == 0)
			if err == nil && !plan.Nothing && !plan.UnderWay {
				add(w, &w.lists, plan)
			}
			return err
		},
		"end list": finish(w, "list", &w.lists, func(ctx context.Context, _ dice, p issuance.CRLPlan) error {
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
			return w.PutOCSP(ctx, plan, []byte("answer"), w.clock.now(), w.clock.now().Add(time.Hour))
		},
	}
}
