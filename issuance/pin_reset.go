package issuance

import (
	"context"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// PINResetPlan is what the engine needs to make the issuer script that resets a
// card's PIN try counter (EMV Book 3 §6.5.10).
type PINResetPlan struct {
	Order   lifecycle.OrderID
	Card    lifecycle.CardID
	PAN     lifecycle.PAN
	PSN     int
	Profile string
	Scripts []int // script counters that the card may show
}

const (
	scriptCounters = 16 // values of the CVR's script counter
	// scriptsPerOrder bounds what one approval gives away: each script is three
	// more tries of the PIN, for whoever holds card and terminal. The terminal may
	// lose one or two.
	scriptsPerOrder = 3
)

// PlanPINReset reads what a branch terminal's request needs: an approved order
// for a PIN-counter reset. It changes nothing.
func (s *Service) PlanPINReset(ctx context.Context, id lifecycle.OrderID) (PINResetPlan, error) {
	var plan PINResetPlan
	err := s.withPINReset(ctx, id, func(tx store.Tx, o *db.Order, card *db.Card) error {
		if err := scriptLeftTx(ctx, tx, o, card); err != nil {
			return err
		}
		pan, err := s.safe.OpenPAN(card.ID, card.PANSealed)
		if err != nil {
			return err
		}
		plan = PINResetPlan{Order: o.ID, Card: card.ID, PAN: pan, PSN: int(card.PSN), Profile: card.Profile}
		for _, n := range card.Scripts {
			plan.Scripts = append(plan.Scripts, int(n))
		}
		return nil
	})
	return plan, err
}

// IssuePINReset records that a script was made for the card's transaction atc,
// before the terminal is given it. A transaction counter that the bank has seen
// is refused: a recorded cryptogram gets no second script. From now on the card
// may count one script more, or not, if the terminal loses it.
func (s *Service) IssuePINReset(ctx context.Context, by lifecycle.Actor, plan PINResetPlan, atc int) error {
	return s.withPINReset(ctx, plan.Order, func(tx store.Tx, o *db.Order, card *db.Card) error {
		if err := scriptLeftTx(ctx, tx, o, card); err != nil {
			return err
		}
		n, err := tx.BurnATC(ctx, db.BurnATCParams{
			ATC: int32(atc), Scripts: withNextScript(card.Scripts), ID: card.ID, PSN: int32(plan.PSN), //nolint:gosec // the engine takes 16 bits
			States: []string{string(card.State)},
		})
		if err != nil {
			return fmt.Errorf("card %s: %w", card.ID, err)
		}
		if n != 1 {
			return fmt.Errorf("card %s: %w: this card transaction was used already: start again at the terminal", card.ID, lifecycle.Conflict)
		}
		change := change{id: string(card.ID), on: lifecycle.IssueScript, by: by, detail: map[string]string{"order": string(o.ID)}}
		if err := s.audit(ctx, tx, "card", change, string(card.State), string(card.State)); err != nil {
			return err
		}
		if o.State == lifecycle.OrderInProgress {
			return nil
		}
		return s.moveOrder(ctx, tx, o, lifecycle.Start, lifecycle.System("pin-reset"), nil)
	})
}

// scriptLeftTx is [lifecycle.Locked] once the order has given all its scripts.
func scriptLeftTx(ctx context.Context, tx store.Tx, o *db.Order, card *db.Card) error {
	given, err := tx.CountScripts(ctx, string(card.ID), string(o.ID))
	if err != nil {
		return fmt.Errorf("scripts of order %s: %w", o.ID, err)
	}
	if given >= scriptsPerOrder {
		return fmt.Errorf("order %s: %w: it has given %d scripts, a second person must approve another", o.ID, lifecycle.Locked, given)
	}
	return nil
}

// FinishPINReset records the terminal's word that the card took the script.
func (s *Service) FinishPINReset(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID) error {
	return s.withPINReset(ctx, id, func(tx store.Tx, o *db.Order, card *db.Card) error {
		if o.State != lifecycle.OrderInProgress {
			return fmt.Errorf("order %s: %w: no script was given for it yet", id, lifecycle.Illegal)
		}
		system := lifecycle.System("pin-reset")
		if err := s.moveCard(ctx, tx, card, lifecycle.ResetPIN, system, "", map[string]string{"order": string(id), "terminal": by.ID}); err != nil {
			return err
		}
		return s.moveOrder(ctx, tx, o, lifecycle.Complete, system, nil)
	})
}

// withPINReset works on a locked reset order and its card. The order must be
// approved or under way, and the card still one whose counter can be reset: a
// card stopped since the approval gets no script.
func (s *Service) withPINReset(ctx context.Context, id lifecycle.OrderID, work func(tx store.Tx, o *db.Order, card *db.Card) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixOrder, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		o, err := tx.LockOrder(ctx, id)
		if err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
		if o.Kind != lifecycle.OrderPINReset || o.TargetCard == nil {
			return fmt.Errorf("order %s: %w: it is a %s, not a PIN-counter reset", id, lifecycle.Illegal, o.Kind)
		}
		if o.State != lifecycle.OrderApproved && o.State != lifecycle.OrderInProgress {
			return fmt.Errorf("order %s: %w: it is %s, a second person must approve it first", id, lifecycle.Illegal, o.State)
		}
		card, err := tx.LockCard(ctx, *o.TargetCard)
		if err != nil {
			return fmt.Errorf("card %s: %w", *o.TargetCard, err)
		}
		if !lifecycle.Cards.Can(card.State, lifecycle.ResetPIN) {
			return fmt.Errorf("card %s: %w: it is %s", card.ID, lifecycle.Illegal, card.State)
		}
		return work(tx, &o, &card)
	})
}

// withNextScript adds to each counter its successor.
func withNextScript(counters []int32) []int32 {
	all := slices.Clone(counters)
	for _, n := range counters {
		if next := (n + 1) % scriptCounters; !slices.Contains(all, next) {
			all = append(all, next)
		}
	}
	slices.Sort(all)
	return all
}
