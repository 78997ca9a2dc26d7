package issuance

import (
	"context"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// StockAt names an item at a place.
type StockAt struct{ Item, Place string }

// ReceiveStock takes a delivery from outside into good stock. The reference is its
// delivery note.
func (s *Service) ReceiveStock(ctx context.Context, by lifecycle.Actor, at StockAt, goods Goods, reference string) error {
	if err := checkDeliveryNote(reference); err != nil {
		return err
	}
	return s.withStock(ctx, by, at, func(tx store.Tx, item db.StockItem) error {
		return s.receiveTx(ctx, tx, by, item, at.Place, goods, reference)
	})
}

func (s *Service) receiveTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, item db.StockItem, place string, goods Goods, reference string) error {
	goods, err := stockItemOf(item).named(goods)
	if err != nil {
		return err
	}
	_, err = s.transferTx(ctx, tx, by, item, transfer{
		on: lifecycle.Receive, to: spot{place, lifecycle.StockGood}, goods: goods, reference: reference,
	})
	return err
}

// RejectStock takes goods that are unfit out of good stock: they wait at their
// place for their destruction.
func (s *Service) RejectStock(ctx context.Context, by lifecycle.Actor, at StockAt, goods Goods, reason string) error {
	if err := checkNote("why", reason); err != nil {
		return err
	}
	return s.withStock(ctx, by, at, func(tx store.Tx, item db.StockItem) error {
		goods, err := stockItemOf(item).named(goods)
		if err != nil {
			return err
		}
		_, err = s.transferTx(ctx, tx, by, item, transfer{
			on: lifecycle.Reject, from: spot{at.Place, lifecycle.StockGood}, to: spot{at.Place, lifecycle.StockRejected}, goods: goods,
			reference: "rejected", reason: reason,
		})
		return err
	})
}

// withStock works for a keeper on a locked item at a known place.
func (s *Service) withStock(ctx context.Context, by lifecycle.Actor, at StockAt, work func(tx store.Tx, item db.StockItem) error) error {
	if err := keeper(by); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		if err := placeTx(ctx, tx, "place", at.Place); err != nil {
			return err
		}
		item, err := lockItemTx(ctx, tx, at.Item)
		if err != nil {
			return err
		}
		return work(tx, item)
	})
}

func checkDeliveryNote(reference string) error {
	if reference == "" {
		return &lifecycle.FieldError{Field: "reference", Why: "give the delivery note"}
	}
	return checkReference(reference)
}
