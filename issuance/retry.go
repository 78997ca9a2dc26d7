package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Cancel withdraws an order that is not under way, or with an approver's word one
// that failed: what was made for it is worthless from then on. The reason stays
// with the order.
func (s *Service) Cancel(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		o, its, err := lockOrderTx(ctx, tx, id)
		if err != nil {
			return err
		}
		failed := o.State == lifecycle.OrderFailed
		if err := s.moveOrder(ctx, tx, &o, lifecycle.Cancel, by, map[string]string{"failure": why}); err != nil {
			return err
		}
		switch {
		case its.card != nil && !failed:
			return s.moveCard(ctx, tx, its.card, lifecycle.Cancel, by, "", nil)
		case its.card != nil && lifecycle.Cards.Can(its.card.State, lifecycle.Oppose):
			_, err = s.opposeTx(ctx, tx, lifecycle.System("cancel"), its.card, lifecycle.CardOrderEnded)
			return err
		case its.certificate != nil && !failed: // a failed one's certificate has its end
			return s.moveCertificate(ctx, tx, its.certificate, lifecycle.Cancel, by, "", nil)
		}
		return nil
	})
}

// StopCardLetter fails the order of a card whose letter cannot be written, for a
// reason that no retry mends: an address that does not fit its window, say. Staff
// find it among the failed orders, mend what is wrong and retry. A letter that was
// written meanwhile stands; a worker that still writes one loses on the fence.
func (s *Service) StopCardLetter(ctx context.Context, id lifecycle.CardID, why string, done Done) error {
	return s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		l, err := tx.LockCardLetterOfCard(ctx, id, card.PSN)
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("letter of card %s: %w", id, err)
		}
		if card.State != lifecycle.CardMade || err == nil && l.State != lifecycle.LetterRequested {
			return done.run(tx)
		}
		if err == nil {
			if _, err := tx.FenceCardLetter(ctx, l.ID); err != nil {
				return fmt.Errorf("card letter %s: %w", l.ID, err)
			}
		}
		if err := s.failOrderTx(ctx, tx, card.OrderID, lifecycle.System("card-letter"), "its card letter cannot be written: "+why); err != nil {
			return err
		}
		return done.run(tx)
	})
}

// Retry takes a failed order up again where it stopped. One whose card or
// certificate has ended cannot be helped: order another.
func (s *Service) Retry(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		o, its, err := lockOrderTx(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.moveOrder(ctx, tx, &o, lifecycle.Retry, by, nil); err != nil {
			return err
		}
		if !o.Kind.MakesCard() {
			return fmt.Errorf("order %s: %w: nothing of a failed %s goes on: order again", id, lifecycle.Illegal, o.Kind)
		}
		if its.card.State != lifecycle.CardMade { // the one stop that leaves the card as it is
			return fmt.Errorf("order %s: %w: its card is %s: order another", id, lifecycle.Illegal, its.card.State)
		}
		return s.queue.EnqueueTx(ctx, tx.Pgx(), CardLetterArgs{Card: its.card.ID})
	})
}
