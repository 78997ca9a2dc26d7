package issuance

import (
	"context"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// thingStock is what audit entries of movements are about.
const thingStock = "stock"

// spot is where goods are and how they stand there. The zero spot is outside.
type spot struct {
	place     string
	condition lifecycle.StockCondition
}

func (p spot) String() string {
	if p.place == "" {
		return "outside"
	}
	return p.place + ", " + string(p.condition)
}

// transfer is goods that go from one spot to another.
type transfer struct {
	on                lifecycle.Event
	from, to          spot
	goods             Goods // numbered ones without serials: the lowest there
	reference, reason string
}

// lockItemTx locks an item: whoever changes its stock does so alone, and takes
// this lock last.
func lockItemTx(ctx context.Context, tx store.Tx, code string) (db.StockItem, error) {
	item, err := tx.LockStockItem(ctx, code)
	if isNotFound(err) {
		return item, &lifecycle.FieldError{Field: "item", Why: fmt.Sprintf("the bank keeps no stock of %q: see sceau stock list", shortened(code))}
	}
	if err != nil {
		return item, fmt.Errorf("stock item %s: %w", code, err)
	}
	return item, nil
}

func placeTx(ctx context.Context, tx store.Tx, field, code string) error {
	_, err := tx.StockPlace(ctx, code)
	if isNotFound(err) {
		return &lifecycle.FieldError{Field: field, Why: fmt.Sprintf("%q is no place of stock: use a branch's code or a place of the bank's file", shortened(code))}
	}
	if err != nil {
		return fmt.Errorf("place %s: %w", code, err)
	}
	return nil
}

// keeper refuses who may not touch stock.
func keeper(by lifecycle.Actor) error {
	if !slices.Contains(lifecycle.StockKeepers(), by.Role) {
		return fmt.Errorf("%w: stock is for operators and security officers, not for %s", lifecycle.Forbidden, by)
	}
	return nil
}

// transferTx is the ledger's one door: movement, sums, where each serial number is
// and audit entry change together, or nothing does. The caller has locked the item
// and checked the goods. What comes into good stock makes up for shortfalls there.
func (s *Service) transferTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, item db.StockItem, t transfer) (Goods, error) {
	goods, err := s.takeTx(ctx, tx, item, t)
	if err != nil {
		return goods, err
	}
	if t.from.place != "" {
		n, err := tx.TakeFromBalance(ctx, db.TakeFromBalanceParams{
			Quantity: goods.Quantity, Item: item.Code, Place: t.from.place, Condition: t.from.condition,
		})
		if err != nil {
			return goods, fmt.Errorf("stock of %s at %s: %w", item.Code, t.from, err)
		}
		if n != 1 {
			return goods, s.tooFewTx(ctx, tx, item, t)
		}
	}
	if err := tx.AddToBalance(ctx, db.AddToBalanceParams{
		Item: item.Code, Place: t.to.place, Condition: t.to.condition, Quantity: goods.Quantity,
	}); err != nil {
		return goods, fmt.Errorf("stock of %s at %s: %w", item.Code, t.to, err)
	}
	for _, r := range goods.Serials {
		if err := putRangeTx(ctx, tx, item, t.to, r); err != nil {
			return goods, err
		}
	}
	if err := s.recordTransferTx(ctx, tx, by, item, t, goods); err != nil {
		return goods, err
	}
	if t.to.condition == lifecycle.StockGood {
		return goods, s.bookShortfallsTx(ctx, tx, item, t.to.place)
	}
	return goods, nil
}

// takeTx finds numbered goods where they are, and takes them out of there.
func (s *Service) takeTx(ctx context.Context, tx store.Tx, item db.StockItem, t transfer) (Goods, error) {
	goods := t.goods
	if item.SerialDigits == 0 {
		return goods, nil
	}
	if len(goods.Serials) == 0 {
		lowest, err := lowestTx(ctx, tx, item, t.from, goods.Quantity)
		if err != nil {
			return goods, err
		}
		if quantityOf(lowest) < goods.Quantity {
			return goods, s.tooFewTx(ctx, tx, item, t)
		}
		goods.Serials = lowest
	}
	for _, r := range goods.Serials {
		if err := cutRangeTx(ctx, tx, item, t.from, r); err != nil {
			return goods, err
		}
	}
	return goods, nil
}

func (s *Service) tooFewTx(ctx context.Context, tx store.Tx, item db.StockItem, t transfer) error {
	there, err := tx.StockBalance(ctx, item.Code, t.from.place, t.from.condition)
	if err != nil {
		return fmt.Errorf("stock of %s at %s: %w", item.Code, t.from, err)
	}
	return &lifecycle.FieldError{Field: "quantity", Why: fmt.Sprintf("%d of %s are at %s, not %d", there, item.Code, t.from, t.goods.Quantity)}
}

// lowestTx are the lowest serial numbers at a spot: bundles go out lowest first.
// There may be fewer than were asked for.
func lowestTx(ctx context.Context, tx store.Tx, item db.StockItem, at spot, quantity int64) ([]SerialRange, error) {
	rows, err := tx.RangesFrom(ctx, db.RangesFromParams{
		ItemNumber: item.Number, Place: at.place, Condition: at.condition, MaxRows: maxRanges,
	})
	if err != nil {
		return nil, fmt.Errorf("serial numbers of %s at %s: %w", item.Code, at, err)
	}
	var lowest []SerialRange
	for _, r := range rows {
		if quantity == 0 {
			break
		}
		took := SerialRange{r.FirstSerial, min(r.LastSerial, r.FirstSerial+quantity-1)}
		quantity -= took.quantity()
		lowest = append(lowest, took)
	}
	return lowest, nil
}

// cutRangeTx takes a range out of a spot; what is left beside it stays. Outside,
// it must be nowhere in the books.
func cutRangeTx(ctx context.Context, tx store.Tx, item db.StockItem, from spot, r SerialRange) error {
	found, err := tx.RangesOver(ctx, item.Number, r.First, r.Last)
	if err != nil {
		return fmt.Errorf("serial numbers of %s: %w", item.Code, err)
	}
	next := r.First // the serial number to be found next
	for _, f := range found {
		at := spot{f.Place, f.Condition}
		if at != from {
			why := fmt.Sprintf("%s is in the books already: %s", stockItemOf(item).Serial(max(f.FirstSerial, r.First)), at)
			if from.place != "" {
				why = fmt.Sprintf("%s is not at %s, but at %s", stockItemOf(item).Serial(max(f.FirstSerial, r.First)), from, at)
			}
			return &lifecycle.FieldError{Field: "serials", Why: why}
		}
		if f.FirstSerial > next {
			break
		}
		n, err := tx.DeleteRange(ctx, db.DeleteRangeParams{
			ItemNumber: item.Number, FirstSerial: f.FirstSerial, Place: f.Place, Condition: f.Condition,
		})
		if err != nil || n != 1 {
			return fmt.Errorf("serial numbers of %s: take %d out: %d rows, %w", item.Code, f.FirstSerial, n, err)
		}
		for _, left := range without([]SerialRange{{f.FirstSerial, f.LastSerial}}, []SerialRange{r}) {
			if err := insertRangeTx(ctx, tx, item, at, left); err != nil {
				return err
			}
		}
		next = f.LastSerial + 1
	}
	if from.place != "" && next <= r.Last {
		return &lifecycle.FieldError{Field: "serials", Why: fmt.Sprintf("%s is not in the books at %s", stockItemOf(item).Serial(next), from)}
	}
	return nil
}

// putRangeTx puts a range that is nowhere at a spot, joined with its neighbours
// there.
func putRangeTx(ctx context.Context, tx store.Tx, item db.StockItem, to spot, r SerialRange) error {
	beside, err := tx.RangesOver(ctx, item.Number, max(r.First-1, 0), r.Last+1)
	if err != nil {
		return fmt.Errorf("serial numbers of %s: %w", item.Code, err)
	}
	for _, b := range beside {
		if (spot{b.Place, b.Condition}) != to {
			continue
		}
		if _, err := tx.DeleteRange(ctx, db.DeleteRangeParams{
			ItemNumber: item.Number, FirstSerial: b.FirstSerial, Place: b.Place, Condition: b.Condition,
		}); err != nil {
			return fmt.Errorf("serial numbers of %s: %w", item.Code, err)
		}
		r = SerialRange{min(r.First, b.FirstSerial), max(r.Last, b.LastSerial)}
	}
	return insertRangeTx(ctx, tx, item, to, r)
}

func insertRangeTx(ctx context.Context, tx store.Tx, item db.StockItem, at spot, r SerialRange) error {
	err := tx.InsertRange(ctx, db.InsertRangeParams{
		ItemNumber: item.Number, Place: at.place, Condition: at.condition, FirstSerial: r.First, LastSerial: r.Last,
	})
	if err != nil {
		return fmt.Errorf("serial numbers of %s: %w", item.Code, err)
	}
	return nil
}

// recordTransferTx writes the ledger, a line a range, and the audit trail.
func (s *Service) recordTransferTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, item db.StockItem, t transfer, goods Goods) error {
	row := db.InsertStockMovementParams{
		At: s.now(), Actor: by.ID, Role: string(by.Role), Event: string(t.on), Item: item.Code, Quantity: goods.Quantity,
		ToPlace: t.to.place, ToCondition: t.to.condition, Reference: t.reference, Reason: t.reason,
	}
	if t.from.place != "" {
		row.FromPlace, row.FromCondition = &t.from.place, &t.from.condition
	}
	rows := []db.InsertStockMovementParams{row}
	if len(goods.Serials) > 0 {
		rows = rows[:0]
		for _, r := range goods.Serials {
			row.Quantity, row.FirstSerial, row.LastSerial = r.quantity(), &r.First, &r.Last
			rows = append(rows, row)
		}
	}
	for _, row := range rows {
		if err := tx.InsertStockMovement(ctx, row); err != nil {
			return fmt.Errorf("ledger of %s: %w", item.Code, err)
		}
	}
	c := change{id: item.Code, on: t.on, by: by, detail: map[string]string{
		"goods": stockItemOf(item).Text(goods), "from": t.from.place, "to": t.to.place, "reference": t.reference,
	}}
	if t.reason != "" {
		c.detail["reason"] = t.reason
	}
	return s.audit(ctx, tx, thingStock, c, string(t.from.condition), string(t.to.condition))
}
