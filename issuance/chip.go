package issuance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// ChipPlan is what the engine needs to make an order's card in a blank chip at a
// branch terminal.
type ChipPlan struct {
	Order      lifecycle.OrderID
	Card       lifecycle.CardID
	Attempt    lifecycle.AttemptID // of this PIN version: the engine makes one chip under it
	PAN        lifecycle.PAN
	PSN        int
	PINVersion int
	Expiry     time.Time
	Profile    string
	Serial     string // of the chip that was given the data; "" before
}

// ChipData is what the engine made for a chip: for the terminal, once it is
// recorded.
type ChipData struct {
	Serial   string
	Commands [][]byte
	Keys     MasterKeyVersions
}

// ChipProof is the first cryptogram of a card that was made, as the terminal got
// it: proof for the engine that the card's keys are in a live chip.
type ChipProof struct {
	ATC             int
	ARQC, Data, IAD []byte
}

// chipsPerOrder bounds what one approval may spoil.
const chipsPerOrder = 3

const chipMade, chipSpoiled = "made", "spoiled"

// PlanChip reads what a terminal's request needs, under an approved order for a
// card that is made at a branch, which is under way from then on. It names the
// attempt before the engine hears of it; until that ends, a terminal that asks
// again gets the same.
func (s *Service) PlanChip(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID) (ChipPlan, error) {
	var plan ChipPlan
	err := s.withChipOrder(ctx, id, func(tx store.Tx, o *db.Order, card *db.Card) error {
		chip, err := tx.LockChip(ctx, card.ID, card.PINVersion)
		if isNotFound(err) {
			chip, err = s.newChipTx(ctx, tx, by, card)
		}
		if err != nil {
			return fmt.Errorf("chip of card %s: %w", card.ID, err)
		}
		pan, err := s.safe.OpenPAN(card.ID, card.PANSealed)
		if err != nil {
			return err
		}
		if o.State == lifecycle.OrderApproved {
			if err := s.moveOrder(ctx, tx, o, lifecycle.Start, lifecycle.System("terminal"), nil); err != nil {
				return err
			}
		}
		plan = ChipPlan{
			Order: o.ID, Card: card.ID, Attempt: chip.AttemptID, PAN: pan, PSN: int(card.PSN), PINVersion: int(card.PINVersion),
			Expiry: card.Expiry, Profile: card.Profile, Serial: deref(chip.Serial),
		}
		return nil
	})
	return plan, err
}

func (s *Service) newChipTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, card *db.Card) (db.Chip, error) {
	chip := db.Chip{
		AttemptID: lifecycle.AttemptID(s.newID(lifecycle.PrefixAttempt)), OrderID: card.OrderID, CardID: card.ID, PSN: card.PSN,
		PINVersion: card.PINVersion, Terminal: by.ID, BegunAt: s.now(),
	}
	return chip, tx.InsertChip(ctx, db.InsertChipParams{
		AttemptID: chip.AttemptID, OrderID: chip.OrderID, CardID: chip.CardID, PSN: chip.PSN, PINVersion: chip.PINVersion,
		Terminal: chip.Terminal, BegunAt: chip.BegunAt,
	})
}

// AdmitChip looks whether a chip may be given the card's data, before the engine
// binds the card to it: a chip that was given other data would spoil this card's
// PIN too. The serial is as the chip says; [Service.GiveChip] decides.
func (s *Service) AdmitChip(ctx context.Context, plan ChipPlan, serial string) error {
	if plan.Serial != "" && plan.Serial != serial {
		return otherChip(plan.Card, plan.Serial)
	}
	attempt, err := s.store.ChipOfSerial(ctx, serial)
	switch {
	case isNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("chip %s: %w", serial, err)
	case attempt != plan.Attempt:
		return usedChip(serial)
	}
	return nil
}

func otherChip(card lifecycle.CardID, serial string) error {
	return fmt.Errorf("card %s: %w: its data went into chip %s: put that one in, or report it as spoiled", card, lifecycle.Conflict, serial)
}

func usedChip(serial string) error {
	return fmt.Errorf("chip %s: %w: it was given a card's data before: take a new one", serial, lifecycle.Conflict)
}

// GiveChip records which chip is about to be given the card's data, before the
// terminal has them: from now on this chip is the card, or evidence. A chip that
// was another card's is refused; so is a card that was stopped meanwhile, whose
// new PIN is erased.
func (s *Service) GiveChip(ctx context.Context, by lifecycle.Actor, plan ChipPlan, data ChipData) error {
	err := s.withChip(ctx, plan, func(tx store.Tx, o *db.Order, card *db.Card, chip *db.Chip) error {
		if chip.Serial != nil && *chip.Serial != data.Serial {
			return otherChip(card.ID, *chip.Serial)
		}
		err := tx.GiveChip(ctx, &data.Serial, by.ID, chip.AttemptID)
		if errors.Is(err, lifecycle.Conflict) {
			return usedChip(data.Serial)
		}
		if err != nil {
			return fmt.Errorf("chip of card %s: %w", card.ID, err)
		}
		var keys keysOf
		keys.add(card.ID, data.Keys)
		if err := tx.SetCardsKeys(ctx, db.SetCardsKeysParams(keys)); err != nil {
			return fmt.Errorf("card %s: %w", card.ID, err)
		}
		return s.moveCard(ctx, tx, card, lifecycle.WriteChip, lifecycle.System("terminal"), "", chipDetail(by, o, data.Serial))
	})
	if errors.Is(err, lifecycle.Illegal) || errors.Is(err, lifecycle.Conflict) {
		return errors.Join(err, s.eraseLatePIN(ctx, plan))
	}
	return err
}

// eraseLatePIN has the PIN erased that the engine drew after its chip was given
// up, or its card was stopped. A PIN that is still its card's stays.
func (s *Service) eraseLatePIN(ctx context.Context, plan ChipPlan) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		card, err := tx.LockCard(ctx, plan.Card)
		if err != nil {
			return fmt.Errorf("card %s: %w", plan.Card, err)
		}
		if int(card.PINVersion) == plan.PINVersion && card.State != lifecycle.CardOpposed {
			return nil
		}
		return s.queue.EnqueueTx(ctx, tx.Pgx(), PINDestroyArgs{Card: card.ID, PINVersion: int32(plan.PINVersion)}) //nolint:gosec // at most 9999
	})
}

func chipDetail(by lifecycle.Actor, o *db.Order, serial string) map[string]string {
	return map[string]string{"order": string(o.ID), "terminal": by.ID, "operator": by.Operator, "chip": serial}
}

// ChipMade records that the engine has seen a cryptogram of the card in its chip:
// it waits at the branch for its holder. The PIN letter is asked for as after the
// post of another card, and posted as many days later, from the print room.
func (s *Service) ChipMade(ctx context.Context, by lifecycle.Actor, plan ChipPlan, proof ChipProof) error {
	return s.withChip(ctx, plan, func(tx store.Tx, o *db.Order, card *db.Card, chip *db.Chip) error {
		if chip.Serial == nil || card.State != lifecycle.CardWriting {
			return fmt.Errorf("card %s: %w: no chip was given its data", card.ID, lifecycle.Illegal)
		}
		n, err := tx.BurnATC(ctx, db.BurnATCParams{
			ATC: int32(proof.ATC), Scripts: card.Scripts, ID: card.ID, PSN: card.PSN, States: []string{string(card.State)}, //nolint:gosec // the engine takes 16 bits
		})
		if err != nil {
			return fmt.Errorf("card %s: %w", card.ID, err)
		}
		if n != 1 {
			return fmt.Errorf("card %s: %w: this card transaction was used already: start again at the terminal", card.ID, lifecycle.Conflict)
		}
		if err := s.endChipTx(ctx, tx, by, chip, chipMade, ""); err != nil {
			return err
		}
		if err := s.useChipTx(ctx, tx, card, chip, lifecycle.StockUsed); err != nil {
			return err
		}
		product, err := s.productTx(ctx, tx.Queries, card.Product)
		if err != nil {
			return err
		}
		// Before the move that enqueues its rendering, so that the worker finds it.
		if err := s.newPINLetterTx(ctx, tx, card, afterBusinessDays(s.now(), product.PINDelay)); err != nil {
			return err
		}
		return s.moveCard(ctx, tx, card, lifecycle.Make, lifecycle.System("terminal"), "", chipDetail(by, o, *chip.Serial))
	})
}

// ChipSpoiled gives a chip up: its serial stays as evidence, its PIN is erased,
// and the card may be made in another chip, under a new sequence number and PIN,
// so that a chip that lives in spite of it all is worthless. The order fails with
// its last chip.
func (s *Service) ChipSpoiled(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID, reason string) error {
	if err := checkNote("reason", reason); err != nil {
		return err
	}
	return s.withChipOrder(ctx, id, func(tx store.Tx, o *db.Order, card *db.Card) error {
		chip, err := tx.LockChip(ctx, card.ID, card.PINVersion)
		if isNotFound(err) {
			return fmt.Errorf("order %s: %w: no chip was begun for it", id, lifecycle.Illegal)
		}
		if err != nil {
			return fmt.Errorf("chip of card %s: %w", card.ID, err)
		}
		if err := s.endChipTx(ctx, tx, by, &chip, chipSpoiled, reason); err != nil {
			return err
		}
		if err := s.useChipTx(ctx, tx, card, &chip, lifecycle.StockRejected); err != nil {
			return err
		}
		if err := s.spoilChipTx(ctx, tx, by, o, card, deref(chip.Serial)); err != nil {
			return err
		}
		chips, err := tx.ChipsOfOrder(ctx, o.ID)
		if err != nil || len(chips) < chipsPerOrder {
			return err
		}
		return s.failOrderTx(ctx, tx, o.ID, lifecycle.System("terminal"), fmt.Sprintf("%d chips were spoiled: cancel it and order a card of the bureau", len(chips)))
	})
}

// spoilChipTx prepares the card for another chip. Of an attempt that never got as far
// as its data the engine may still have drawn the PIN.
func (s *Service) spoilChipTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o *db.Order, card *db.Card, serial string) error {
	if card.State == lifecycle.CardWriting {
		if err := s.moveCard(ctx, tx, card, lifecycle.Spoil, lifecycle.System("terminal"), "", chipDetail(by, o, serial)); err != nil {
			return err
		}
	} else if err := s.queue.EnqueueTx(ctx, tx.Pgx(), PINDestroyArgs{Card: card.ID, PINVersion: card.PINVersion}); err != nil {
		return fmt.Errorf("PIN of card %s: %w", card.ID, err)
	}
	if err := tx.PrepareRemake(ctx, card.ID); err != nil {
		return fmt.Errorf("card %s: %w", card.ID, err)
	}
	return nil
}

func (s *Service) endChipTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, chip *db.Chip, result, reason string) error {
	err := tx.EndChip(ctx, db.EndChipParams{Result: &result, Reason: reason, Terminal: by.ID, EndedAt: new(s.now()), AttemptID: chip.AttemptID})
	if err != nil {
		return fmt.Errorf("chip of card %s: %w", chip.CardID, err)
	}
	if result == chipSpoiled || chip.Serial == nil {
		return nil
	}
	if err := tx.SetCardPlastic(ctx, chip.Serial, chip.CardID); err != nil {
		return fmt.Errorf("card %s: %w", chip.CardID, err)
	}
	return nil
}

// ChipView is a chip in which an order's card was made, or tried to be.
type ChipView struct {
	Serial     string // "" when it never got the card's data
	PSN        int
	PINVersion int
	Result     string // made, spoiled, "" while nobody knows
	Reason     string
	Terminal   string
}

// Chips are the chips of an order, in the order in which they were begun.
func (s *Service) Chips(ctx context.Context, id lifecycle.OrderID) ([]ChipView, error) {
	rows, err := s.store.ChipsOfOrder(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("chips of order %s: %w", id, err)
	}
	all := make([]ChipView, len(rows))
	for i, r := range rows {
		all[i] = ChipView{
			Serial: deref(r.Serial), PSN: int(r.PSN), PINVersion: int(r.PINVersion), Result: deref(r.Result), Reason: r.Reason, Terminal: r.Terminal,
		}
	}
	return all, nil
}

// withChip works on the chip of a plan that still holds: a terminal whose chip
// another has given up meanwhile is refused.
func (s *Service) withChip(ctx context.Context, plan ChipPlan, work func(tx store.Tx, o *db.Order, card *db.Card, chip *db.Chip) error) error {
	return s.withChipOrder(ctx, plan.Order, func(tx store.Tx, o *db.Order, card *db.Card) error {
		chip, err := tx.LockChip(ctx, card.ID, card.PINVersion)
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("chip of card %s: %w", card.ID, err)
		}
		if err != nil || chip.AttemptID != plan.Attempt {
			return fmt.Errorf("card %s: %w: this chip was given up: start again at the terminal", card.ID, lifecycle.Conflict)
		}
		return work(tx, o, card, &chip)
	})
}

// withChipOrder works on a locked order whose card is made at a branch, and that
// card, while a chip may be made for it.
func (s *Service) withChipOrder(ctx context.Context, id lifecycle.OrderID, work func(tx store.Tx, o *db.Order, card *db.Card) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixOrder, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		o, its, err := lockOrderTx(ctx, tx, id)
		if err != nil {
			return err
		}
		if !o.InHouse {
			return fmt.Errorf("order %s: %w: its card is not made at a branch", id, lifecycle.Illegal)
		}
		if o.State != lifecycle.OrderApproved && o.State != lifecycle.OrderInProgress {
			return fmt.Errorf("order %s: %w: it is %s", id, lifecycle.Illegal, o.State)
		}
		if !lifecycle.Cards.Can(its.card.State, lifecycle.WriteChip) {
			return fmt.Errorf("order %s: %w: its card is %s", id, lifecycle.Illegal, its.card.State)
		}
		return work(tx, &o, its.card)
	})
}
