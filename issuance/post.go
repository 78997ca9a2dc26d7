package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Posted counts what PostLetters posted.
type Posted struct{ CardLetters, PINLetters int }

// PostLetters posts every printed card letter, and every printed PIN letter
// whose delay after the card's post has passed: never both of a card in one run.
func (s *Service) PostLetters(ctx context.Context) (Posted, error) {
	var posted Posted
	due, err := s.store.PINLettersDue(ctx, s.now(), printRunSize)
	if err != nil {
		return posted, fmt.Errorf("PIN letters due: %w", err)
	}
	for _, l := range due {
		gone, err := s.postPINLetter(ctx, l.ID)
		if err != nil {
			return posted, fmt.Errorf("post PIN letter %s: %w", l.ID, err)
		}
		if gone {
			posted.PINLetters++
		}
	}
	printed, err := s.store.CardLettersInState(ctx, lifecycle.LetterPrinted, printRunSize)
	if err != nil {
		return posted, fmt.Errorf("card letters to post: %w", err)
	}
	for _, l := range printed {
		gone, err := s.postCardLetter(ctx, l)
		if err != nil {
			return posted, fmt.Errorf("post card letter %s: %w", l.ID, err)
		}
		if gone {
			posted.CardLetters++
		}
	}
	return posted, nil
}

// postCardLetter posts a card with its letter, home or to the branch, and asks
// for its PIN letter, to be posted later. One that was stopped since it was
// listed stays. The card is locked first, as an opposition does.
func (s *Service) postCardLetter(ctx context.Context, listed db.CardLetter) (gone bool, err error) {
	system := lifecycle.System("post")
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		card, err := tx.LockCard(ctx, listed.CardID)
		if err != nil {
			return fmt.Errorf("card %s: %w", listed.CardID, err)
		}
		l, err := tx.LockCardLetter(ctx, listed.ID)
		if err != nil || l.State != lifecycle.LetterPrinted {
			return err
		}
		gone = true
		if err := s.moveCardLetter(ctx, tx, &l, lifecycle.Post, system); err != nil {
			return err
		}
		if err := tx.SetCardLetterPosted(ctx, new(s.now()), l.ID); err != nil {
			return err
		}
		product, detail, err := s.parcelTx(ctx, tx, card)
		if err != nil {
			return err
		}
		event := lifecycle.Post
		if card.Delivery == lifecycle.DeliverBranch {
			event = lifecycle.ToBranch
		}
		// Before the move that enqueues its rendering, so that the worker finds it.
		if err := s.newPINLetterTx(ctx, tx, &card, afterBusinessDays(s.now(), product.PINDelay)); err != nil {
			return err
		}
		return s.moveCard(ctx, tx, &card, event, system, "", detail)
	})
	return gone && err == nil, err
}

// newPINLetterTx asks for the letter of a card's PIN, not to be posted before.
func (s *Service) newPINLetterTx(ctx context.Context, tx store.Tx, card *db.Card, postAfter time.Time) error {
	pin := db.InsertPINLetterParams{
		ID: lifecycle.PINLetterID(s.newID(lifecycle.PrefixPINLetter)), CardID: card.ID, PINVersion: card.PINVersion,
		State: lifecycle.LetterRequested, PostAfter: postAfter, CreatedAt: s.now(),
	}
	if err := tx.InsertPINLetter(ctx, pin); err != nil {
		return fmt.Errorf("PIN letter of card %s: %w", card.ID, err)
	}
	return s.born(ctx, tx, "PIN letter", string(pin.ID), string(pin.State), lifecycle.System("post"), map[string]string{"card": string(card.ID)})
}

func (s *Service) postPINLetter(ctx context.Context, id lifecycle.PINLetterID) (gone bool, err error) {
	system := lifecycle.System("post")
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		l, err := tx.LockPINLetter(ctx, id)
		if err != nil || l.State != lifecycle.LetterPrinted {
			return err
		}
		gone = true
		if l.PostAfter.After(s.now()) {
			return fmt.Errorf("%w: it may not be posted before %s", lifecycle.Illegal, l.PostAfter.Format(time.DateOnly))
		}
		if err := s.movePINLetter(ctx, tx, &l, lifecycle.Post, system); err != nil {
			return err
		}
		if err := tx.SetPINLetterPosted(ctx, new(s.now()), id); err != nil {
			return err
		}
		if err := tx.DeleteDocument(ctx, string(id)); err != nil { // the print room has done with it
			return err
		}
		card, err := tx.Card(ctx, l.CardID)
		if err != nil {
			return fmt.Errorf("card %s: %w", l.CardID, err)
		}
		order, err := tx.LockOrder(ctx, card.OrderID)
		if err != nil {
			return fmt.Errorf("order %s: %w", card.OrderID, err)
		}
		if order.State != lifecycle.OrderInProgress {
			return nil
		}
		return s.moveOrder(ctx, tx, &order, lifecycle.Complete, system, nil)
	})
	return gone && err == nil, err
}

// afterBusinessDays adds days that are neither Saturday nor Sunday.
func afterBusinessDays(t time.Time, days int) time.Time {
	for days > 0 {
		t = t.AddDate(0, 0, 1)
		if d := t.Weekday(); d != time.Saturday && d != time.Sunday {
			days--
		}
	}
	return t
}

// cancelLettersTx stops the letters of a card that must not go out.
func (s *Service) cancelLettersTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, card db.Card) error {
	cl, err := tx.LockCardLetterOfCard(ctx, card.ID, card.PSN)
	if err == nil && lifecycle.CardLetters.Can(cl.State, lifecycle.Cancel) {
		err = s.moveCardLetter(ctx, tx, &cl, lifecycle.Cancel, by)
	}
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("card letter of %s: %w", card.ID, err)
	}
	pl, err := tx.LockPINLetterOfCard(ctx, card.ID, card.PINVersion)
	if err == nil && lifecycle.PINLetters.Can(pl.State, lifecycle.Cancel) {
		err = s.movePINLetter(ctx, tx, &pl, lifecycle.Cancel, by)
		if err == nil {
			err = tx.DeleteDocument(ctx, string(pl.ID))
		}
	}
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("PIN letter of %s: %w", card.ID, err)
	}
	return nil
}
