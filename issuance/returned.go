package issuance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

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
