package issuance

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Opposition is the dated proof that a card was reported: the holder answers for
// no use after At.
type Opposition struct {
	Card    lifecycle.CardID
	Reason  lifecycle.CardReason
	Receipt string
	At      time.Time
	State   lifecycle.CardState
}

// Oppose stops a card for ever: lost, stolen, fraud. What waits to be posted for
// it is cancelled, its PIN is destroyed, its order fails. Reporting it again
// answers the first receipt. A holder opposes their own card, for what can happen
// to it; of a death or the end of the contract the bank decides.
func (s *Service) Oppose(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID, reason lifecycle.CardReason) (Opposition, error) {
	if !slices.Contains(lifecycle.OppositionReasons(), reason) {
		return Opposition{}, &lifecycle.FieldError{Field: "reason", Why: "use lost, stolen, fraud, not_received, death or end_of_contract"}
	}
	if by.Role == lifecycle.RoleHolder && !slices.Contains(lifecycle.HolderReasons(), reason) {
		return Opposition{}, fmt.Errorf("card %s: %w: the bank records %s", id, lifecycle.Forbidden, reason)
	}
	var o Opposition
	err := s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		if err := ownCard(by, card); err != nil {
			return err
		}
		var err error
		o, err = s.opposeTx(ctx, tx, by, card, reason)
		return err
	})
	return o, err
}

func (s *Service) opposeTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, card *db.Card, reason lifecycle.CardReason) (Opposition, error) {
	if card.State == lifecycle.CardOpposed {
		return Opposition{
			Card: card.ID, Reason: lifecycle.CardReason(card.EndReason), Receipt: card.Receipt, At: card.UpdatedAt.UTC(), State: card.State,
		}, nil
	}
	receipt := s.newID("OPP")
	detail := map[string]string{"reason": string(reason), "receipt": receipt}
	if err := s.moveCard(ctx, tx, card, lifecycle.Oppose, by, "", detail); err != nil {
		return Opposition{}, err
	}
	if err := tx.SetCardEnd(ctx, string(reason), receipt, card.ID); err != nil {
		return Opposition{}, fmt.Errorf("card %s: %w", card.ID, err)
	}
	if err := s.cancelLettersTx(ctx, tx, by, *card); err != nil {
		return Opposition{}, err
	}
	if err := s.failOrderTx(ctx, tx, card.OrderID, lifecycle.System("opposition"), "its card was opposed: "+string(reason)); err != nil {
		return Opposition{}, err
	}
	return Opposition{Card: card.ID, Reason: reason, Receipt: receipt, At: s.now(), State: card.State}, nil
}

// failOrderTx ends the order of what was stopped on its way.
func (s *Service) failOrderTx(ctx context.Context, tx store.Tx, id lifecycle.OrderID, by lifecycle.Actor, failure string) error {
	order, err := tx.LockOrder(ctx, id)
	if err != nil {
		return fmt.Errorf("order %s: %w", id, err)
	}
	if order.State == lifecycle.OrderApproved { // its card waited for a branch terminal
		if err := s.moveOrder(ctx, tx, &order, lifecycle.Start, by, nil); err != nil {
			return err
		}
	}
	if order.State != lifecycle.OrderInProgress {
		return nil
	}
	return s.moveOrder(ctx, tx, &order, lifecycle.Fail, by, map[string]string{"failure": failure})
}

// Suspend stops a card for a while. The bank may suspend again a card that its
// holder has: from then on the holder cannot lift it.
func (s *Service) Suspend(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		if card.State == lifecycle.CardSuspended && weight(by.Role) < weight(lifecycle.Role(card.SuspendedBy)) {
			return nil // stopped already, by who has more to say
		}
		return s.moveCard(ctx, tx, card, lifecycle.Suspend, by, "", nil)
	})
}

// Resume ends a suspension, for who has at least as much to say as who began it.
func (s *Service) Resume(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		if card.State == lifecycle.CardSuspended && weight(by.Role) < weight(lifecycle.Role(card.SuspendedBy)) {
			return fmt.Errorf("card %s: %w: the bank suspended it, and lifts it", id, lifecycle.Forbidden)
		}
		return s.moveCard(ctx, tx, card, lifecycle.Resume, by, "", nil)
	})
}

// weight orders who suspends: holders, services that speak for them, the bank.
func weight(r lifecycle.Role) int {
	switch r {
	case lifecycle.RoleHolder:
		return 1
	case lifecycle.RoleRelyingService:
		return 2
	case lifecycle.RoleAccountManager, lifecycle.RoleApprover, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer, lifecycle.RoleAuditor,
		lifecycle.RoleSystem:
	}
	return 3
}

// Receive records that the holder says that the post has brought the card.
func (s *Service) Receive(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.cardEvent(ctx, by, id, lifecycle.Receive)
}

// Identity is the document that a holder showed.
type Identity struct {
	Document string // one of lifecycle.IdentityDocuments
	Number   string // kept as a mark only, to be compared, never read
}

func (i Identity) check() error {
	var errs lifecycle.FieldErrors
	if !slices.Contains(lifecycle.IdentityDocuments(), i.Document) {
		errs.Add("document", "use identity_card, passport, residence_permit or driving_licence")
	}
	if i.Number == "" || len(i.Number) > 32 {
		errs.Add("number", "type the document's number, of at most 32 characters")
	}
	return errs.Err()
}

// Collect records that the holder took the card at the branch and showed who
// they are; a reader that was ordered with it is handed out too. Of the
// document's number a keyed mark is kept.
func (s *Service) Collect(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID, shown Identity) error {
	if err := shown.check(); err != nil {
		return err
	}
	mark, err := s.safe.Mark(shown.Document, strings.ToUpper(strings.ReplaceAll(shown.Number, " ", "")))
	if err != nil {
		return err
	}
	return s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		detail := map[string]string{"document": shown.Document, "number_mark": hex.EncodeToString(mark)}
		order, err := tx.Order(ctx, card.OrderID)
		if err != nil {
			return fmt.Errorf("order %s: %w", card.OrderID, err)
		}
		if order.WithReader {
			product, err := s.productTx(ctx, tx.Queries, card.Product)
			if err != nil {
				return err
			}
			detail["reader"] = product.Reader
		}
		if err := s.moveCard(ctx, tx, card, lifecycle.Collect, by, "", detail); err != nil || !order.WithReader {
			return err
		}
		branch, err := tx.Branch(ctx, deref(card.BranchID))
		if err != nil {
			return fmt.Errorf("branch of card %s: %w", id, err)
		}
		return s.useReaderTx(ctx, tx, by, detail["reader"], branch.Code, card.ID)
	})
}

// BlockPIN records that the card refuses its PIN after three wrong ones.
func (s *Service) BlockPIN(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.cardEvent(ctx, by, id, lifecycle.BlockPIN)
}

// Destroy records that an opposed or expired card was cut.
func (s *Service) Destroy(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.cardEvent(ctx, by, id, lifecycle.Destroy)
}

// Activate makes a card usable after its first right code, which authn has
// checked. An old card in its place stays usable for the product's days, then
// expires by itself. A second activation changes nothing.
func (s *Service) Activate(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCard, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		seen, err := tx.Card(ctx, id)
		if err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		// The old card before the new one, as everybody does.
		if _, err := tx.LockPlace(ctx, seen.Place); err != nil {
			return fmt.Errorf("place of card %s: %w", id, err)
		}
		locked, err := tx.LockCard(ctx, id)
		if err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		card := &locked
		if err := ownCard(by, card); err != nil || card.State == lifecycle.CardActive {
			return err
		}
		product, err := s.productTx(ctx, tx.Queries, card.Product)
		if err != nil {
			return err
		}
		// First: in one place one card is in use.
		until := s.now().AddDate(0, 0, product.OldCard)
		if err := tx.CountDaysOfOldCards(ctx, &until, card.Place, card.ID); err != nil {
			return fmt.Errorf("cards replaced by %s: %w", id, err)
		}
		return s.moveCard(ctx, tx, card, lifecycle.Activate, by, "", nil)
	})
}

// ownCard keeps a holder to their own cards.
func ownCard(by lifecycle.Actor, card *db.Card) error {
	if by.Role == lifecycle.RoleHolder && by.ID != string(card.HolderID) {
		return fmt.Errorf("card %s: %w: it is another holder's", card.ID, lifecycle.Forbidden)
	}
	return nil
}

func (s *Service) cardEvent(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID, on lifecycle.Event) error {
	return s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		return s.moveCard(ctx, tx, card, on, by, "", nil)
	})
}

// withCard works on a locked card in one transaction.
func (s *Service) withCard(ctx context.Context, id lifecycle.CardID, work func(tx store.Tx, card *db.Card) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCard, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		card, err := tx.LockCard(ctx, id)
		if err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		return work(tx, &card)
	})
}
