package issuance

import (
	"context"
	"fmt"
	"strings"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// use is what the main job takes out of good stock.
type use struct {
	item, place string
	becomes     lifecycle.StockCondition // used, or rejected
	goods       Goods                    // numbered ones without serials: the lowest there
	reference   string
}

// useTx takes goods out of the books that somebody has used already. What the
// books do not have there is a shortfall for staff to look at, and stops nobody.
// The bank need not keep books of an item.
func (s *Service) useTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, u use) error {
	if u.item == "" || u.goods.Quantity == 0 {
		return nil
	}
	item, err := tx.LockStockItem(ctx, u.item)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stock item %s: %w", u.item, err)
	}
	there, err := s.atTx(ctx, tx, item, spot{u.place, lifecycle.StockGood}, u.goods)
	if err != nil {
		return err
	}
	if there.Quantity > 0 {
		if _, err := s.transferTx(ctx, tx, by, item, u.transfer(there)); err != nil {
			return err
		}
	}
	if short := u.goods.minus(there); short.Quantity > 0 {
		return s.shortTx(ctx, tx, item, u, short, "the books do not have it there")
	}
	return nil
}

func (u use) transfer(goods Goods) transfer {
	return transfer{
		on: lifecycle.Use, from: spot{u.place, lifecycle.StockGood}, to: spot{u.place, u.becomes}, goods: goods, reference: u.reference,
	}
}

// atTx is the part of goods that the books have at a spot.
func (s *Service) atTx(ctx context.Context, tx store.Tx, item db.StockItem, at spot, goods Goods) (Goods, error) {
	balance, err := tx.StockBalance(ctx, item.Code, at.place, at.condition)
	if err != nil {
		return Goods{}, fmt.Errorf("stock of %s at %s: %w", item.Code, at, err)
	}
	if len(goods.Serials) == 0 {
		return Goods{Quantity: min(goods.Quantity, balance)}, nil
	}
	var there []SerialRange
	for _, r := range goods.Serials {
		found, err := tx.RangesOver(ctx, item.Number, r.First, r.Last)
		if err != nil {
			return Goods{}, fmt.Errorf("serial numbers of %s: %w", item.Code, err)
		}
		for _, f := range found {
			if (spot{f.Place, f.Condition}) == at {
				there = append(there, SerialRange{max(f.FirstSerial, r.First), min(f.LastSerial, r.Last)})
			}
		}
	}
	return Goods{Quantity: quantityOf(there), Serials: there}, nil
}

// shortTx opens a shortfall.
func (s *Service) shortTx(ctx context.Context, tx store.Tx, item db.StockItem, u use, goods Goods, why string) error {
	row := db.InsertShortfallParams{
		ID: lifecycle.ShortfallID(s.newID(lifecycle.PrefixShortfall)), State: lifecycle.ShortfallOpen, Item: item.Code, Place: u.place,
		Condition: u.becomes, Goods: pack(goods), Reference: u.reference, Why: why, At: s.now(),
	}
	if err := tx.InsertShortfall(ctx, row); err != nil {
		return fmt.Errorf("shortfall of %s at %s: %w", item.Code, u.place, err)
	}
	return s.born(ctx, tx, lifecycle.Shortfalls.Thing, string(row.ID), string(row.State), lifecycle.System("stock"), map[string]string{
		"item": item.Code, "place": u.place, "goods": stockItemOf(item).Text(goods), "reference": u.reference, "why": why,
	})
}

const shortfallPage = 100

// bookShortfallsTx books what was used before the books had it, oldest first, as
// far as the new stock goes.
func (s *Service) bookShortfallsTx(ctx context.Context, tx store.Tx, item db.StockItem, place string) error {
	open, err := tx.LockShortfallsOf(ctx, item.Code, place, shortfallPage)
	if err != nil {
		return fmt.Errorf("shortfalls of %s at %s: %w", item.Code, place, err)
	}
	system := lifecycle.System("stock")
	for _, f := range open {
		goods, err := unpack[Goods](f.Goods)
		if err != nil {
			return err
		}
		u := use{item: f.Item, place: f.Place, becomes: f.Condition, goods: goods, reference: f.Reference}
		if len(goods.Serials) == 0 && item.SerialDigits > 0 && strings.HasPrefix(f.Reference, lifecycle.PrefixReturnFile+"-") {
			continue // nobody knows which the bureau took
		}
		there, err := s.atTx(ctx, tx, item, spot{u.place, lifecycle.StockGood}, goods)
		if err != nil {
			return err
		}
		if there.Quantity < goods.Quantity {
			continue
		}
		if _, err := s.transferTx(ctx, tx, system, item, u.transfer(goods)); err != nil {
			return err
		}
		if err := s.moveShortfall(ctx, tx, &f, lifecycle.Book, system, ""); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) moveShortfall(ctx context.Context, tx store.Tx, f *db.StockShortfall, on lifecycle.Event, by lifecycle.Actor, reason string) error {
	settledBy := ""
	if on == lifecycle.Approve {
		settledBy = by.ID
	}
	to, err := apply(ctx, s, tx, lifecycle.Shortfalls, f.State, change{id: string(f.ID), on: on, by: by, detail: reasonOf(reason)},
		func(to lifecycle.ShortfallState) (int64, error) {
			return tx.SetShortfall(ctx, db.SetShortfallParams{ToState: to, SettledBy: settledBy, Reason: reason, ID: f.ID, FromState: f.State})
		}, noJob)
	f.State = to
	return err
}

func reasonOf(reason string) map[string]string {
	if reason == "" {
		return nil
	}
	return map[string]string{"reason": reason}
}

// usePlasticsTx takes what a return file tells out of the bureau's stock: a card
// made has used up its plastic; a spoiled one waits there, with its serial number
// as evidence, to be destroyed.
func (s *Service) usePlasticsTx(ctx context.Context, tx store.Tx, b db.Batch, file lifecycle.ReturnFileID, answers []BureauAnswer) error {
	product, err := s.productTx(ctx, tx.Queries, b.Product)
	if err != nil {
		return err
	}
	row, err := tx.StockItem(ctx, product.Plastic)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stock item %s: %w", product.Plastic, err)
	}
	item, system := stockItemOf(row), lifecycle.System("bureau-return")
	made := use{item: item.Code, place: b.Bureau, becomes: lifecycle.StockUsed, reference: string(file)}
	spoiled := made
	spoiled.becomes = lifecycle.StockRejected
	for _, a := range answers {
		u := &made
		switch a.Result {
		case lifecycle.BureauMissing:
			continue
		case lifecycle.BureauSpoiled:
			u = &spoiled
		case lifecycle.BureauMade:
		}
		if !item.Numbered() {
			u.goods.Quantity++
			continue
		}
		n, err := item.ParseSerial(a.PlasticSerial)
		if err != nil {
			why := fmt.Sprintf("the plastic of card %s: %q is no serial number of it", a.Card, shortened(a.PlasticSerial))
			if err := s.shortTx(ctx, tx, row, *u, Goods{Quantity: 1}, why); err != nil {
				return err
			}
			continue
		}
		u.goods.Serials = append(u.goods.Serials, SerialRange{n, n})
	}
	for _, u := range []use{made, spoiled} {
		if item.Numbered() {
			u.goods.Serials = joined(sortedRanges(u.goods.Serials))
			u.goods.Quantity = quantityOf(u.goods.Serials)
		}
		if err := s.useTx(ctx, tx, system, u); err != nil {
			return err
		}
	}
	return nil
}

// useReaderTx takes a reader that goes with a card out of the stock of the place
// that posts it or hands it out.
func (s *Service) useReaderTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, reader, place string, card lifecycle.CardID) error {
	return s.useTx(ctx, tx, by, use{
		item: reader, place: place, becomes: lifecycle.StockUsed, goods: Goods{Quantity: 1}, reference: string(card),
	})
}

// useChipTx takes the plastic of a chip that was given a card's data out of its
// branch's stock. The chip has a number of its own (table chip); that of the
// plastic is the lowest there.
func (s *Service) useChipTx(ctx context.Context, tx store.Tx, card *db.Card, chip *db.Chip, becomes lifecycle.StockCondition) error {
	if chip.Serial == nil { // it is blank still
		return nil
	}
	product, err := s.productTx(ctx, tx.Queries, card.Product)
	if err != nil {
		return err
	}
	branch, err := tx.Branch(ctx, deref(card.BranchID))
	if err != nil {
		return fmt.Errorf("branch of card %s: %w", card.ID, err)
	}
	return s.useTx(ctx, tx, lifecycle.System("terminal"), use{
		item: product.Plastic, place: branch.Code, becomes: becomes, goods: Goods{Quantity: 1}, reference: string(chip.AttemptID),
	})
}

// usePaperTx takes the sheets that left the paper tray, waste among them, out of
// the print room's stock. The paper of card letters is nobody's secret: no books
// are kept of it.
func (s *Service) usePaperTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, run *db.PrintRun, sheets int64) error {
	if run.Kind != lifecycle.PrintPIN {
		return nil
	}
	return s.useTx(ctx, tx, by, use{
		item: s.policy.PINPaper, place: s.policy.PrintRoom, becomes: lifecycle.StockUsed, goods: Goods{Quantity: sheets}, reference: string(run.ID),
	})
}
