package issuance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Posted counts what PostLetters posted.
type Posted struct{ CardLetters, PINLetters int }

// PostLetters posts every printed card letter, and every printed PIN letter
// whose delay after the card's post has passed: never both of a card in one run.
// A letter that cannot be posted stops no other.
func (s *Service) PostLetters(ctx context.Context) (Posted, error) {
	var posted Posted
	var lastPIN lifecycle.PINLetterID
	var last lifecycle.CardLetterID
	var failed error
	for {
		due, err := s.store.PINLettersDue(ctx, s.now(), lastPIN, printRunSize)
		if err != nil {
			return posted, errors.Join(failed, fmt.Errorf("PIN letters due: %w", err))
		}
		if len(due) == 0 {
			break
		}
		n, err := inChunks(ctx, due, func(some []lifecycle.PINLetterID) (int, error) { return s.postPINLetters(ctx, some) })
		posted.PINLetters, failed, lastPIN = posted.PINLetters+n, errors.Join(failed, err), due[len(due)-1]
	}
	for {
		printed, err := s.store.CardLettersPrinted(ctx, last, printRunSize)
		if err != nil {
			return posted, errors.Join(failed, fmt.Errorf("card letters to post: %w", err))
		}
		if len(printed) == 0 {
			return posted, failed
		}
		n, err := inChunks(ctx, printed, func(some []db.CardLettersPrintedRow) (int, error) { return s.postCardLetters(ctx, some) })
		posted.CardLetters, failed, last = posted.CardLetters+n, errors.Join(failed, err), printed[len(printed)-1].ID
	}
}

// postCardLetters posts cards with their letters, home or to the branch, and has
// their PIN letters made in a later run, to be posted later. One that was stopped
// since it was listed stays. Cards are locked first, as an opposition does.
func (s *Service) postCardLetters(ctx context.Context, listed []db.CardLettersPrintedRow) (gone int, err error) {
	system := lifecycle.System("post")
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		cards, err := tx.LockCards(ctx, texts(listed, func(r db.CardLettersPrintedRow) lifecycle.CardID { return r.CardID }))
		if err != nil {
			return fmt.Errorf("cards to post: %w", err)
		}
		letters, err := tx.LockCardLetters(ctx, texts(listed, func(r db.CardLettersPrintedRow) lifecycle.CardLetterID { return r.ID }))
		if err != nil {
			return fmt.Errorf("letters to post: %w", err)
		}
		letters = slices.DeleteFunc(letters, func(l db.CardLetter) bool { return l.State != lifecycle.LetterPrinted })
		if err := s.moveCardLetters(ctx, tx, letters, severalCardLetters{on: lifecycle.Post, by: system}); err != nil {
			return err
		}
		if err := tx.SetCardLettersPosted(ctx, new(s.now()), texts(letters, func(l db.CardLetter) lifecycle.CardLetterID { return l.ID })); err != nil {
			return fmt.Errorf("post %d letters: %w", len(letters), err)
		}
		going := make(map[lifecycle.CardID]bool, len(letters))
		for _, l := range letters {
			going[l.CardID] = true
		}
		gone = len(letters)
		return s.postCardsTx(ctx, tx, system, slices.DeleteFunc(cards, func(c db.Card) bool { return !going[c.ID] }))
	})
	if err != nil {
		return 0, fmt.Errorf("post card letters from %s: %w", listed[0].ID, err)
	}
	return gone, nil
}

// postCardsTx has cards leave the house: the PIN letter of each is made in another
// run than its card's, and not before that has gone.
func (s *Service) postCardsTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cards []db.Card) error {
	parcels, err := s.parcelsTx(ctx, tx, cards)
	if err != nil {
		return err
	}
	after := func(c db.Card) time.Time { return afterBusinessDays(s.now(), parcels[c.ID].delay) }
	if err := s.newPINLettersTx(ctx, tx, cards, after); err != nil {
		return err
	}
	reader := func(c db.Card) map[string]string {
		if item := parcels[c.ID].reader; item != "" {
			return map[string]string{"reader": item}
		}
		return nil
	}
	ways := map[lifecycle.Event][]db.Card{}
	for _, c := range cards {
		way := lifecycle.Post
		if c.Delivery == lifecycle.DeliverBranch {
			way = lifecycle.ToBranch
		}
		ways[way] = append(ways[way], c)
	}
	for way, some := range ways {
		if err := s.moveCards(ctx, tx, some, severalCards{on: way, by: by, detail: reader}); err != nil {
			return err
		}
	}
	for _, c := range cards {
		if err := s.useReaderTx(ctx, tx, by, parcels[c.ID].reader, s.policy.PrintRoom, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// newPINLettersTx asks for the letters of cards' PINs, none to be posted before its
// time.
func (s *Service) newPINLettersTx(ctx context.Context, tx store.Tx, cards []db.Card, after func(db.Card) time.Time) error {
	p := db.InsertPINLettersParams{
		State: lifecycle.LetterRequested, CreatedAt: s.now(), IDs: s.newIDs(lifecycle.PrefixPINLetter, len(cards)), Cards: texts(cards, cardID),
	}
	for _, c := range cards {
		p.PINVersions, p.PostAfter = append(p.PINVersions, c.PINVersion), append(p.PostAfter, after(c))
	}
	if err := tx.InsertPINLetters(ctx, p); err != nil {
		return fmt.Errorf("PIN letters of %d cards: %w", len(cards), err)
	}
	return s.bornMany(ctx, tx, "PIN letter", p.IDs, string(p.State), lifecycle.System("post"), func(n int) map[string]string {
		return map[string]string{"card": string(cards[n].ID)}
	})
}

// newPINLetterTx asks for the letter of one card's PIN.
func (s *Service) newPINLetterTx(ctx context.Context, tx store.Tx, card *db.Card, after time.Time) error {
	return s.newPINLettersTx(ctx, tx, []db.Card{*card}, func(db.Card) time.Time { return after })
}

// postPINLetters posts PIN letters, with which orders are fulfilled. One that was
// stopped since it was listed, or is no longer due because the clock was set back,
// stays.
func (s *Service) postPINLetters(ctx context.Context, ids []lifecycle.PINLetterID) (gone int, err error) {
	system := lifecycle.System("post")
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		letters, err := tx.LockPINLetters(ctx, texts(ids, func(id lifecycle.PINLetterID) lifecycle.PINLetterID { return id }))
		if err != nil {
			return fmt.Errorf("letters to post: %w", err)
		}
		now := s.now()
		letters = slices.DeleteFunc(letters, func(l db.PINLetter) bool { return l.State != lifecycle.LetterPrinted || l.PostAfter.After(now) })
		gone = len(letters)
		if err := s.movePINLetters(ctx, tx, letters, severalPINLetters{on: lifecycle.Post, by: system}); err != nil {
			return err
		}
		if err := tx.SetPINLettersPosted(ctx, &now, texts(letters, func(l db.PINLetter) lifecycle.PINLetterID { return l.ID })); err != nil {
			return fmt.Errorf("post %d letters: %w", len(letters), err)
		}
		orders, err := tx.LockOrdersOfCards(ctx, texts(letters, func(l db.PINLetter) lifecycle.CardID { return l.CardID }))
		if err != nil {
			return fmt.Errorf("orders of the letters: %w", err)
		}
		orders = slices.DeleteFunc(orders, func(o db.Order) bool { return o.State != lifecycle.OrderInProgress })
		return s.moveOrders(ctx, tx, orders, severalOrders{on: lifecycle.Complete, by: system})
	})
	if err != nil {
		return 0, fmt.Errorf("post PIN letters from %s: %w", ids[0], err)
	}
	return gone, nil
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
	}
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("PIN letter of %s: %w", card.ID, err)
	}
	return nil
}
