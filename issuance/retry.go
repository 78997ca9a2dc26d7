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

// failCardLetterTx has staff look at a letter that cannot be set, for a reason
// that no retry mends: an address that does not fit its window, say. The order
// fails and waits for staff, who mend what is wrong and retry. A letter that was
// stopped meanwhile stays so.
func (s *Service) failCardLetterTx(ctx context.Context, tx store.Tx, f LetterFailure) error {
	of, err := tx.CardOfLetter(ctx, f.Letter)
	if err != nil {
		return fmt.Errorf("card letter %s: %w", f.Letter, err)
	}
	card, err := tx.LockCard(ctx, of)
	if err != nil {
		return fmt.Errorf("card %s: %w", of, err)
	}
	l, err := tx.LockCardLetter(ctx, lifecycle.CardLetterID(f.Letter))
	if err != nil {
		return fmt.Errorf("card letter %s: %w", f.Letter, err)
	}
	if l.State == lifecycle.LetterCancelled {
		return nil
	}
	system := lifecycle.System("card-letter")
	if err := s.moveCardLetter(ctx, tx, &l, lifecycle.Fail, system); err != nil {
		return err
	}
	if err := tx.FailCardLetter(ctx, f.Why, l.ID); err != nil {
		return fmt.Errorf("card letter %s: %w", f.Letter, err)
	}
	return s.failOrderTx(ctx, tx, card.OrderID, system, "its card letter cannot be written: "+f.Why)
}

// RetryLetter has a letter that could not be set tried again, in the next run;
// with a card letter its order goes on.
func (s *Service) RetryLetter(ctx context.Context, by lifecycle.Actor, id string) error {
	if lifecycle.CheckID(lifecycle.PrefixCardLetter, id) == nil {
		of, err := s.store.CardOfLetter(ctx, id)
		if err != nil {
			return fmt.Errorf("card letter %s: %w", id, err)
		}
		card, err := s.store.Card(ctx, of)
		if err != nil {
			return fmt.Errorf("card %s: %w", of, err)
		}
		return s.Retry(ctx, by, card.OrderID)
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		return s.eachKind(ctx, tx, id,
			func(*db.CardLetter) error { return nil },
			func(l *db.PINLetter) error {
				return s.movePINLetter(ctx, tx, l, lifecycle.Retry, by)
			})
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
		l, err := tx.LockCardLetterOfCard(ctx, its.card.ID, its.card.PSN)
		if err != nil {
			return fmt.Errorf("letter of card %s: %w", its.card.ID, err)
		}
		return s.moveCardLetter(ctx, tx, &l, lifecycle.Retry, by)
	})
}
