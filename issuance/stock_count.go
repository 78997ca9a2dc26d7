package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// figure is what one person found, beside the books of that moment: stock may move
// between the two counts, the difference stays.
type figure struct {
	Found   Goods `json:"found"`
	Missing Goods `json:"missing"` // in the books, not found
	Surplus Goods `json:"surplus"` // found, not in the books there
}

func (f figure) differs() bool { return f.Missing.Quantity > 0 || f.Surplus.Quantity > 0 }

func (f figure) same(other figure) bool {
	return f.Missing.equal(other.Missing) && f.Surplus.equal(other.Surplus)
}

func (f figure) text(i StockItem) string {
	return fmt.Sprintf("found %s, missing %s, surplus %s", i.Text(f.Found), i.Text(f.Missing), i.Text(f.Surplus))
}

// Counted is what became of a count. Nothing tells the first figure before the
// second is in, nor whether it was right.
type Counted struct {
	ID    lifecycle.CountID
	State lifecycle.CountState
}

// CountStock takes what somebody counted of the good stock of an item at a place:
// a quantity, or all serial numbers there; nothing at all is zero Goods. The
// second, somebody else, must not have been told the first figure. When the two
// find the books right the count ends; what differs waits for an approver.
func (s *Service) CountStock(ctx context.Context, by lifecycle.Actor, at StockAt, found Goods) (Counted, error) {
	var counted Counted
	if err := keeper(by); err != nil {
		return counted, err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		if err := placeTx(ctx, tx, "place", at.Place); err != nil {
			return err
		}
		open, openErr := tx.LockOpenCount(ctx, at.Item, at.Place)
		if openErr != nil && !isNotFound(openErr) {
			return fmt.Errorf("count of %s at %s: %w", at.Item, at.Place, openErr)
		}
		item, err := lockItemTx(ctx, tx, at.Item)
		if err != nil {
			return err
		}
		f, err := s.figureTx(ctx, tx, item, at.Place, found)
		if err != nil {
			return err
		}
		if isNotFound(openErr) {
			counted, err = s.countFirstTx(ctx, tx, by, at, f)
			return err
		}
		counted, err = s.countSecondTx(ctx, tx, by, stockItemOf(item), &open, f)
		return err
	})
	return counted, err
}

func (s *Service) countFirstTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, at StockAt, f figure) (Counted, error) {
	row := db.InsertCountParams{
		ID: lifecycle.CountID(s.newID(lifecycle.PrefixCount)), State: lifecycle.CountOnce, Item: at.Item, Place: at.Place,
		FirstBy: by.ID, FirstAt: s.now(), FirstFound: pack(f),
	}
	if err := tx.InsertCount(ctx, row); err != nil {
		return Counted{}, fmt.Errorf("count of %s at %s: %w", at.Item, at.Place, err)
	}
	detail := map[string]string{"item": at.Item, "place": at.Place} // the figure stays hidden
	return Counted{row.ID, row.State}, s.born(ctx, tx, lifecycle.Counts.Thing, string(row.ID), string(row.State), by, detail)
}

func (s *Service) countSecondTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, item StockItem, c *db.StockCount, f figure) (Counted, error) {
	if c.State != lifecycle.CountOnce {
		return Counted{}, fmt.Errorf("count %s: %w: it is %s, and waits for an approver", c.ID, lifecycle.Conflict, c.State)
	}
	if c.FirstBy == by.ID {
		return Counted{}, fmt.Errorf("count %s: %w: %s counted first, somebody else must count second", c.ID, lifecycle.Forbidden, by.ID)
	}
	first, err := unpack[figure](c.FirstFound)
	if err != nil {
		return Counted{}, err
	}
	on := lifecycle.Agree
	if first.differs() || f.differs() {
		on = lifecycle.Differ
	}
	c.SecondBy, c.SecondFound = by.ID, pack(f)
	err = s.moveCount(ctx, tx, c, on, by, map[string]string{"first": first.text(item), "second": f.text(item)})
	return Counted{c.ID, c.State}, err
}

// figureTx compares what was found with the books.
func (s *Service) figureTx(ctx context.Context, tx store.Tx, row db.StockItem, place string, found Goods) (figure, error) {
	item := stockItemOf(row)
	if found.Quantity != 0 || len(found.Serials) > 0 {
		var err error
		if found, err = item.named(found); err != nil {
			return figure{}, err
		}
	}
	balance, err := tx.StockBalance(ctx, row.Code, place, lifecycle.StockGood)
	if err != nil {
		return figure{}, fmt.Errorf("stock of %s at %s: %w", row.Code, place, err)
	}
	book := Goods{Quantity: balance}
	if item.Numbered() {
		if book.Serials, err = lowestTx(ctx, tx, row, spot{place, lifecycle.StockGood}, balance); err != nil {
			return figure{}, err
		}
		if quantityOf(book.Serials) < balance {
			return figure{}, fmt.Errorf("%w: %s at %s lies in more than %d ranges: move some of it first", lifecycle.Illegal, row.Code, place, maxRanges)
		}
	}
	return figure{Found: found, Missing: difference(book, found), Surplus: difference(found, book)}, nil
}

// difference is what of goods is not among others, of which there may be none.
func difference(goods, others Goods) Goods {
	if goods.Quantity == 0 {
		return Goods{}
	}
	return goods.minus(others)
}

// adjustCount brings the books to what two people found.
func (s *Service) adjustCount(ctx context.Context, by lifecycle.Actor, id lifecycle.CountID, reason string) error {
	return s.withCount(ctx, id, func(tx store.Tx, c *db.StockCount) error {
		if err := s.decideCount(ctx, tx, c, lifecycle.Approve, by, reason); err != nil {
			return err
		}
		first, err := unpack[figure](c.FirstFound)
		if err != nil {
			return err
		}
		second, err := unpack[figure](c.SecondFound)
		if err != nil {
			return err
		}
		if !first.same(second) {
			return fmt.Errorf("count %s: %w: the two found different things: refuse it, and have it counted again", id, lifecycle.Illegal)
		}
		item, err := lockItemTx(ctx, tx, c.Item)
		if err != nil {
			return err
		}
		good := spot{c.Place, lifecycle.StockGood}
		move := func(goods Goods, from, to spot) error {
			if goods.Quantity == 0 {
				return nil
			}
			_, err := s.transferTx(ctx, tx, by, item, transfer{
				on: lifecycle.Adjust, from: from, to: to, goods: goods, reference: string(id), reason: reason,
			})
			return err
		}
		if err := move(second.Missing, good, spot{c.Place, lifecycle.StockMissing}); err != nil {
			return err
		}
		return s.foundTx(ctx, tx, item, second.Surplus, good, move)
	})
}

// foundTx books what was found: pieces whose serial numbers were written off or
// are booked at another place come from there, others from outside. What was used
// or destroyed by the books is no matter of counting.
func (s *Service) foundTx(ctx context.Context, tx store.Tx, item db.StockItem, surplus Goods, good spot, move func(goods Goods, from, to spot) error) error {
	if len(surplus.Serials) == 0 {
		return move(surplus, spot{}, good)
	}
	unknown := surplus.Serials
	for _, r := range surplus.Serials {
		booked, err := tx.RangesOver(ctx, item.Number, r.First, r.Last)
		if err != nil {
			return fmt.Errorf("serial numbers of %s: %w", item.Code, err)
		}
		for _, b := range booked {
			part := SerialRange{max(b.FirstSerial, r.First), min(b.LastSerial, r.Last)}
			at := spot{b.Place, b.Condition}
			switch b.Condition {
			case lifecycle.StockGood, lifecycle.StockMissing, lifecycle.StockRejected:
			case lifecycle.StockInTransit, lifecycle.StockUsed, lifecycle.StockDestroyed:
				return fmt.Errorf("%w: %s was found, but by the books it is at %s: clear that up first", lifecycle.Illegal, stockItemOf(item).Serial(part.First), at)
			}
			if err := move(Goods{Quantity: part.quantity(), Serials: []SerialRange{part}}, at, good); err != nil {
				return err
			}
			unknown = without(unknown, []SerialRange{part})
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return move(Goods{Quantity: quantityOf(unknown), Serials: unknown}, spot{}, good)
}

// DiscardCount refuses a count that differs: it is counted again.
func (s *Service) DiscardCount(ctx context.Context, by lifecycle.Actor, id lifecycle.CountID, reason string) error {
	if err := checkNote("why", reason); err != nil {
		return err
	}
	return s.withCount(ctx, id, func(tx store.Tx, c *db.StockCount) error {
		return s.decideCount(ctx, tx, c, lifecycle.Refuse, by, reason)
	})
}

// CancelCount ends a count that nobody counts a second time.
func (s *Service) CancelCount(ctx context.Context, by lifecycle.Actor, id lifecycle.CountID) error {
	return s.withCount(ctx, id, func(tx store.Tx, c *db.StockCount) error {
		return s.moveCount(ctx, tx, c, lifecycle.Cancel, by, nil)
	})
}

func (s *Service) decideCount(ctx context.Context, tx store.Tx, c *db.StockCount, on lifecycle.Event, by lifecycle.Actor, reason string) error {
	if c.FirstBy == by.ID {
		return fmt.Errorf("count %s: %w: %s counted, somebody else must decide", c.ID, lifecycle.Forbidden, by.ID)
	}
	c.DecidedBy, c.Reason = by.ID, reason
	return s.moveCount(ctx, tx, c, on, by, reasonOf(reason))
}

func (s *Service) withCount(ctx context.Context, id lifecycle.CountID, work func(tx store.Tx, c *db.StockCount) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCount, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		c, err := tx.LockCount(ctx, id)
		if err != nil {
			return fmt.Errorf("count %s: %w", id, err)
		}
		return work(tx, &c)
	})
}

func (s *Service) moveCount(ctx context.Context, tx store.Tx, c *db.StockCount, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	to, err := apply(ctx, s, tx, lifecycle.Counts, c.State, change{id: string(c.ID), on: on, by: by, requester: c.SecondBy, detail: detail},
		func(to lifecycle.CountState) (int64, error) {
			return tx.SetCount(ctx, db.SetCountParams{
				ToState: to, SecondBy: c.SecondBy, SecondFound: c.SecondFound, DecidedBy: c.DecidedBy, Reason: c.Reason, ID: c.ID, FromState: c.State,
			})
		}, noJob)
	c.State = to
	return err
}
