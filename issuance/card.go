package issuance

import (
	"context"
	"fmt"
	"slices"

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
	State   lifecycle.CardState
}

// Oppose stops a card for ever: lost, stolen, fraud. What waits to be posted for
// it is cancelled, its PIN is destroyed, its order fails. Reporting it again
// answers the first receipt.
func (s *Service) Oppose(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID, reason lifecycle.CardReason) (Opposition, error) {
	if !slices.Contains(lifecycle.OppositionReasons(), reason) {
		return Opposition{}, &lifecycle.FieldError{Field: "reason", Why: "use lost, stolen, fraud, not_received, death or end_of_contract"}
	}
	var o Opposition
	err := s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		var err error
		o, err = s.opposeTx(ctx, tx, by, card, reason)
		return err
	})
	return o, err
}

func (s *Service) opposeTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, card *db.Card, reason lifecycle.CardReason) (Opposition, error) {
	if card.State == lifecycle.CardOpposed {
		return Opposition{Card: card.ID, Reason: lifecycle.CardReason(card.EndReason), Receipt: card.Receipt, State: card.State}, nil
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
	return Opposition{Card: card.ID, Reason: reason, Receipt: receipt, State: card.State}, nil
}

// failOrderTx ends the order of what was stopped on its way.
func (s *Service) failOrderTx(ctx context.Context, tx store.Tx, id lifecycle.OrderID, by lifecycle.Actor, failure string) error {
	order, err := tx.LockOrder(ctx, id)
	if err != nil {
		return fmt.Errorf("order %s: %w", id, err)
	}
	if order.State != lifecycle.OrderInProgress {
		return nil
	}
	return s.moveOrder(ctx, tx, &order, lifecycle.Fail, by, map[string]string{"failure": failure})
}

// Suspend stops a card for a while.
func (s *Service) Suspend(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.cardEvent(ctx, by, id, lifecycle.Suspend)
}

// Resume ends a suspension.
func (s *Service) Resume(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.cardEvent(ctx, by, id, lifecycle.Resume)
}

// Receive records that the holder has the card: collected at the branch with an
// identity check, or reported by the holder.
func (s *Service) Receive(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.cardEvent(ctx, by, id, lifecycle.Receive)
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
// checked. A card that it replaces stays usable for the policy's grace. A
// second activation changes nothing.
func (s *Service) Activate(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		if card.State == lifecycle.CardActive {
			return nil
		}
		if err := s.moveCard(ctx, tx, card, lifecycle.Activate, by, "", nil); err != nil {
			return err
		}
		if card.Replaces == nil {
			return nil
		}
		until := s.now().Add(s.policy.OldCardGrace)
		if err := tx.SetCardUsableUntil(ctx, &until, *card.Replaces); err != nil {
			return fmt.Errorf("card %s, replaced by %s: %w", *card.Replaces, id, err)
		}
		return nil
	})
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
