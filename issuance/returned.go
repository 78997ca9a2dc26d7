package issuance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// ReturnedMail is a letter that the post brought back, and what was done.
type ReturnedMail struct {
	Letter  string
	Card    lifecycle.CardID
	Receipt string // of the card's opposition; "" when it could not be used any more
	Work    lifecycle.WorkItemID
}

// TakeReturnedMail takes a letter that the post brought back, by what its Data
// Matrix says. The card is stopped for ever, whichever of its letters it was:
// nobody knows who had the other in hand. A work item asks staff to find out
// where the holder is; the letter waits to be destroyed. Scanned again it is
// refused and nothing happens twice.
func (s *Service) TakeReturnedMail(ctx context.Context, by lifecycle.Actor, scanned string, reason lifecycle.MailReason) (ReturnedMail, error) {
	var mail ReturnedMail
	if !slices.Contains(lifecycle.MailReasons(), reason) {
		return mail, &lifecycle.FieldError{Field: "reason", Why: "use unknown, address, unclaimed or refused"}
	}
	id, err := scannedLetter(scanned)
	if err != nil {
		return mail, err
	}
	card, err := s.store.CardOfLetter(ctx, id)
	if err != nil {
		return mail, fmt.Errorf("letter %s: %w", id, err)
	}
	mail = ReturnedMail{Letter: id, Card: card}
	err = s.withCard(ctx, card, func(tx store.Tx, card *db.Card) error {
		thing, err := s.returnTx(ctx, tx, by, id, reason)
		if err != nil {
			return err
		}
		if lifecycle.Cards.Can(card.State, lifecycle.Oppose) {
			stopped, err := s.opposeTx(ctx, tx, by, card, lifecycle.CardNotReceived)
			if err != nil {
				return err
			}
			mail.Receipt = stopped.Receipt
		}
		mail.Work, err = s.openWorkTx(ctx, tx, by, thing, id, &card.ID, "came back by post: "+string(reason))
		return err
	})
	return mail, err
}

// pageOf is which of how many pages was scanned: any of a letter's will do.
var pageOf = regexp.MustCompile(`^(1/1|[12]/2|[123]/3)$`)

// scannedLetter reads what a letter's Data Matrix says: its identifier, then
// which of how many pages.
func scannedLetter(scanned string) (string, error) {
	const longest = 64
	wrong := &lifecycle.FieldError{Field: "letter", Why: "is not what a letter's Data Matrix says, as in L-06EX0ABCDE7K2M4N 1/1: scan it again, or type the identifier at the foot of the page"}
	if len(scanned) > longest {
		return "", wrong
	}
	fields := strings.Fields(scanned)
	if len(fields) == 0 || len(fields) > 2 || len(fields) == 2 && !pageOf.MatchString(fields[1]) {
		return "", wrong
	}
	if lifecycle.CheckID(lifecycle.PrefixCardLetter, fields[0]) != nil && lifecycle.CheckID(lifecycle.PrefixPINLetter, fields[0]) != nil {
		return "", wrong
	}
	return fields[0], nil
}

func (s *Service) returnTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, id string, reason lifecycle.MailReason) (thing string, err error) {
	err = s.eachKind(ctx, tx, id,
		func(l *db.CardLetter) error {
			thing = lifecycle.CardLetters.Thing
			if err := s.moveCardLetter(ctx, tx, l, lifecycle.ReturnMail, by); err != nil {
				return err
			}
			return tx.SetCardLetterReturned(ctx, string(reason), l.ID)
		},
		func(l *db.PINLetter) error {
			thing = lifecycle.PINLetters.Thing
			if err := s.movePINLetter(ctx, tx, l, lifecycle.ReturnMail, by); err != nil {
				return err
			}
			return tx.SetPINLetterReturned(ctx, string(reason), l.ID)
		})
	return thing, err
}

// WorkItem is what a member of staff has to look at.
type WorkItem struct {
	ID     lifecycle.WorkItemID
	Thing  string // "card letter"
	On     string // its identifier
	Card   lifecycle.CardID
	Why    string
	Opened time.Time
}

func (s *Service) openWorkTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, thing, on string, card *lifecycle.CardID, why string) (lifecycle.WorkItemID, error) {
	id := lifecycle.WorkItemID(s.newID(lifecycle.PrefixWorkItem))
	err := tx.InsertWorkItem(ctx, db.InsertWorkItemParams{
		ID: id, State: lifecycle.WorkOpen, Thing: thing, ThingID: on, CardID: card, Why: why, OpenedAt: s.now(),
	})
	if err != nil {
		return id, fmt.Errorf("work item on %s: %w", on, err)
	}
	return id, s.born(ctx, tx, lifecycle.WorkItems.Thing, string(id), string(lifecycle.WorkOpen), by, map[string]string{"on": on})
}

// WorkItems pages through what is open, oldest first, after the given one.
func (s *Service) WorkItems(ctx context.Context, after lifecycle.WorkItemID) ([]WorkItem, error) {
	rows, err := s.store.OpenWorkItems(ctx, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("work items: %w", err)
	}
	items := make([]WorkItem, len(rows))
	for i, r := range rows {
		items[i] = WorkItem{ID: r.ID, Thing: r.Thing, On: r.ThingID, Card: deref(r.CardID), Why: r.Why, Opened: r.OpenedAt}
	}
	return items, nil
}

// CloseWorkItem records what came of a work item.
func (s *Service) CloseWorkItem(ctx context.Context, by lifecycle.Actor, id lifecycle.WorkItemID, outcome string) error {
	const longest = 400
	if n := utf8.RuneCountInString(outcome); n == 0 || n > longest || !utf8.ValidString(outcome) {
		return &lifecycle.FieldError{Field: "outcome", Why: fmt.Sprintf("has 1 to %d characters: say what was done", longest)}
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		w, err := tx.LockWorkItem(ctx, id)
		if err != nil {
			return fmt.Errorf("work item %s: %w", id, err)
		}
		return s.closeWorkTx(ctx, tx, by, w, outcome)
	})
}

func (s *Service) closeWorkTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, w db.WorkItem, outcome string) error {
	_, err := apply(ctx, s, tx, lifecycle.WorkItems, w.State, change{id: string(w.ID), on: lifecycle.Complete, by: by},
		func(to lifecycle.WorkState) (int64, error) { return tx.SetWorkState(ctx, to, w.ID, w.State) }, noJob)
	if err != nil {
		return err
	}
	return tx.SetWorkDone(ctx, new(s.now()), outcome, w.ID)
}
