package issuance_test

import (
	"context"
	"fmt"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// further are actions that do what is due next, so that a random walk also gets
// far. They are many, to be drawn often.
func (w *world) further() map[string]action {
	all := map[string]action{}
	for i := range 8 {
		all[fmt.Sprintf("further card %d", i)] = w.furtherCard
		all[fmt.Sprintf("further certificate %d", i)] = w.furtherCertificate
	}
	return all
}

func (w *world) furtherCard(ctx context.Context, d dice) error {
	id, err := pick(w, d, "card", &w.cards)
	if err != nil {
		return err
	}
	card, err := w.store.Card(ctx, id)
	if err != nil {
		return err
	}
	switch card.State {
	case lifecycle.CardOrdered:
		return w.approveAsItStands(ctx, card.OrderID)
	case lifecycle.CardApproved:
		id, n, err := w.SealBatch(ctx, leonie)
		if err == nil && n > 0 {
			add(w, &w.ids, id)
		}
		return err
	case lifecycle.CardInHouse, lifecycle.CardWriting:
		return w.furtherChip(ctx, d, card.OrderID)
	case lifecycle.CardPersonalising:
		plan, err := w.BeginPersonalise(ctx, deref(card.BatchID))
		if err != nil {
			return err
		}
		return w.FinishPersonalise(ctx, plan, answered(plan), nil)
	case lifecycle.CardPersonalised:
		plan, err := w.BeginBureauFile(ctx, deref(card.BatchID))
		if err != nil {
			return err
		}
		return w.FinishBureauFile(ctx, plan, []byte("sealed"), nil)
	case lifecycle.CardWithBureau:
		return w.returned(ctx, d, deref(card.BatchID), []issuance.BureauAnswer{plasticOf(id, int(card.PSN))})
	case lifecycle.CardMade:
		return w.furtherCardLetter(ctx, id)
	case lifecycle.CardPosted, lifecycle.CardAtBranch, lifecycle.CardReceived:
		return w.furtherPIN(ctx, id)
	case lifecycle.CardActive, lifecycle.CardSuspended, lifecycle.CardPINLocked, lifecycle.CardOpposed, lifecycle.CardExpired,
		lifecycle.CardCancelled, lifecycle.CardDestroyed:
	}
	return errNothing
}

// bringEvidence completes the dossier that a certificate's order waits for, or opens
// another one.
func (w *world) bringEvidence(ctx context.Context, d dice, cert db.Certificate) error {
	content, err := w.ShowOrder(ctx, cert.OrderID)
	if err != nil || content.Dossier == nil || len(content.Dossier.Missing) == 0 {
		return err
	}
	papers, err := w.papersOf(ctx, cert.HolderID)
	if err != nil {
		return err
	}
	by := someone(d, stijn, come, leonie)
	if id := content.Dossier.ID; id != "" && w.AddEvidence(ctx, by, id, papers) == nil {
		return nil
	}
	_, err = w.OpenDossier(ctx, by, cert.HolderID, papers)
	return err
}

func (w *world) approveAsItStands(ctx context.Context, id lifecycle.OrderID) error {
	content, err := w.ShowOrder(ctx, id)
	if err != nil {
		return err
	}
	return w.Approve(ctx, irene, id, content.Hash())
}

func (w *world) furtherCardLetter(ctx context.Context, _ lifecycle.CardID) error {
	if err := w.furtherRuns(ctx); err != nil {
		return err
	}
	_, err := w.PostLetters(ctx)
	return err
}

// furtherRuns gathers, renders and prints what waits.
func (w *world) furtherRuns(ctx context.Context) error {
	if err := w.house.press().gather(ctx); err != nil {
		return err
	}
	_, err := w.house.press().print(ctx)
	return err
}

func (w *world) furtherPIN(ctx context.Context, id lifecycle.CardID) error {
	if err := w.furtherRuns(ctx); err != nil {
		return err
	}
	if _, err := w.PostLetters(ctx); err != nil {
		return err
	}
	return w.Activate(ctx, online, id)
}

func (w *world) furtherCertificate(ctx context.Context, d dice) error {
	id, err := pick(w, d, "certificate", &w.certs)
	if err != nil {
		return err
	}
	cert, err := w.store.Certificate(ctx, id)
	if err != nil {
		return err
	}
	switch cert.State {
	case lifecycle.CertOrdered:
		if err := w.bringEvidence(ctx, d, cert); err != nil {
			return err
		}
		return w.approveAsItStands(ctx, cert.OrderID)
	case lifecycle.CertAwaitingKey:
		return w.TakeKey(ctx, helene, id, w.keys[d.roll("key", len(w.keys))])
	case lifecycle.CertIssuing:
		plan, err := w.BeginIssue(ctx, id)
		if err != nil {
			return err
		}
		if plan.TBS == nil && d.roll("lint", 4) == 0 {
			return w.StopIssue(ctx, plan, "it breaks a rule", nil)
		}
		if plan.TBS == nil {
			if err := w.RecordDraft(ctx, plan, draftOf(plan, "draft")); err != nil {
				return err
			}
		}
		return w.FinishIssue(ctx, plan, []byte("signed"), nil)
	case lifecycle.CertStopped:
		return w.RetryWork(ctx, leonie, string(id))
	case lifecycle.CertIssued:
		return w.Accept(ctx, helene, id)
	case lifecycle.CertActive:
		return w.Hold(ctx, helene, id)
	case lifecycle.CertHeld:
		return w.Release(ctx, maxence, id)
	case lifecycle.CertApproved, lifecycle.CertRevoked, lifecycle.CertExpired, lifecycle.CertCancelled:
	}
	return errNothing
}
