package issuance

import (
	"context"
	"fmt"
	"regexp"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// StockSetup is what a bank keeps stock of, and where. Its branches are places
// too. A bank whose file has no items keeps no books.
type StockSetup struct {
	Places  []StockPlace
	Items   []StockItem
	Minima  []StockMinimum
	Opening []OpeningStock // taken once, with the item
}

// StockPlace is where stock is kept.
type StockPlace struct {
	Code string
	Kind lifecycle.PlaceKind
	Name string
}

// StockMinimum is what an alarm is shown below.
type StockMinimum struct {
	StockAt

	Quantity int64
}

// OpeningStock is what is there when the books begin. Serials is written as
// ParseSerials reads it.
type OpeningStock struct {
	StockAt

	Quantity int64
	Serials  string
}

var (
	placeCode    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	serialPrefix = regexp.MustCompile(`^[A-Z0-9-]{0,16}$`)
)

// setUpStockTx records what is not there yet; minima are as the bank's file says.
func (s *Service) setUpStockTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, bank Bank) error {
	if err := bank.Stock.check(); err != nil {
		return err
	}
	places := bank.Stock.Places
	for _, b := range bank.Branches {
		places = append(places[:len(places):len(places)], StockPlace{Code: b.Code, Kind: lifecycle.PlaceBranch, Name: b.Name})
	}
	for _, p := range places {
		if err := tx.InsertStockPlace(ctx, p.Code, p.Kind, p.Name); err != nil {
			return fmt.Errorf("place %s: %w", p.Code, err)
		}
	}
	for _, i := range bank.Stock.Items {
		n, err := tx.InsertStockItem(ctx, db.InsertStockItemParams{
			Code: i.Code, Kind: i.Kind, Name: i.Name, SerialPrefix: i.SerialPrefix, SerialDigits: int32(i.SerialDigits), //nolint:gosec // 0 to 15
		})
		if err != nil {
			return fmt.Errorf("stock item %s: %w", i.Code, err)
		}
		if err := s.setUpItemTx(ctx, tx, by, bank.Stock, i, n == 1); err != nil {
			return fmt.Errorf("stock item %s: %w", i.Code, err)
		}
	}
	return nil
}

func (s *Service) setUpItemTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, setup StockSetup, i StockItem, isNew bool) error {
	item, err := lockItemTx(ctx, tx, i.Code)
	if err != nil {
		return err
	}
	if stockItemOf(item).SerialPrefix != i.SerialPrefix || stockItemOf(item).SerialDigits != i.SerialDigits || item.Kind != i.Kind {
		return &lifecycle.FieldError{Field: "serials", Why: "an item keeps its kind and how its serial numbers are written: give another item another code"}
	}
	if err := tx.DeleteStockMinima(ctx, i.Code); err != nil {
		return err
	}
	for _, m := range setup.Minima {
		if m.Item != i.Code {
			continue
		}
		if err := placeTx(ctx, tx, "minimum", m.Place); err != nil {
			return err
		}
		if err := tx.InsertStockMinimum(ctx, m.Item, m.Place, m.Quantity); err != nil {
			return err
		}
		// So that an alarm is shown also where there never was any.
		if err := tx.AddToBalance(ctx, db.AddToBalanceParams{Item: m.Item, Place: m.Place, Condition: lifecycle.StockGood}); err != nil {
			return err
		}
	}
	if !isNew {
		return nil
	}
	if err := s.born(ctx, tx, thingStock, i.Code, "kept", by, nil); err != nil {
		return err
	}
	for _, o := range setup.Opening {
		if o.Item != i.Code {
			continue
		}
		if err := placeTx(ctx, tx, "opening", o.Place); err != nil {
			return err
		}
		goods := Goods{Quantity: o.Quantity}
		if o.Serials != "" {
			if goods.Serials, err = i.ParseSerials(o.Serials); err != nil {
				return err
			}
		}
		if err := s.receiveTx(ctx, tx, by, item, o.Place, goods, "opening stock"); err != nil {
			return err
		}
	}
	return nil
}

// check says all that is wrong with the file's stock.
func (b StockSetup) check() error {
	var errs lifecycle.FieldErrors
	items := map[string]bool{}
	for _, p := range b.Places {
		if !placeCode.MatchString(p.Code) || p.Name == "" || len(p.Name) > 64 {
			errs.Add("places", fmt.Sprintf("%q: a place has a code of 1 to 32 of A-Z, a-z, 0-9, - and _, and a name of at most 64 characters", shortened(p.Code)))
		}
		switch p.Kind {
		case lifecycle.PlaceBureau, lifecycle.PlacePrintRoom, lifecycle.PlaceVault:
		case lifecycle.PlaceBranch:
			errs.Add("places", p.Code+": branches are places by themselves")
		default:
			errs.Add("places", p.Code+": use the kinds bureau, print_room and vault")
		}
	}
	for _, i := range b.Items {
		items[i.Code] = true
		if !productCode.MatchString(i.Code) || i.Name == "" || len(i.Name) > 64 {
			errs.Add("items", fmt.Sprintf("%q: an item has a code of 1 to 32 of a-z, 0-9, - and _, and a name of at most 64 characters", shortened(i.Code)))
		}
		if i.Kind != lifecycle.StockPlastic && i.Kind != lifecycle.StockPaper && i.Kind != lifecycle.StockReader {
			errs.Add("items", i.Code+": use the kinds plastic, paper and reader")
		}
		if !serialPrefix.MatchString(i.SerialPrefix) || i.SerialDigits < 0 || i.SerialDigits > 15 || i.SerialDigits == 0 && i.SerialPrefix != "" {
			errs.Add("items", i.Code+": a serial number is at most 16 of A-Z, 0-9 and -, then 1 to 15 digits; none has neither")
		}
	}
	for _, m := range b.Minima {
		if !items[m.Item] || m.Quantity < 1 || m.Quantity > maxQuantity {
			errs.Add("minima", fmt.Sprintf("%s at %s: name an item of the file, and 1 to %d", m.Item, m.Place, maxQuantity))
		}
	}
	for _, o := range b.Opening {
		if !items[o.Item] {
			errs.Add("opening", o.Item+" is no item of the file")
		}
	}
	return errs.Err()
}
