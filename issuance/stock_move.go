package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// SendStock sends good stock from one place to another: named serial numbers, or
// so many, lowest first. Until somebody there has received them they are in
// transit.
func (s *Service) SendStock(ctx context.Context, by lifecycle.Actor, from StockAt, to string, goods Goods) (lifecycle.ConsignmentID, error) {
	id := lifecycle.ConsignmentID(s.newID(lifecycle.PrefixConsignment))
	if from.Place == to {
		return "", &lifecycle.FieldError{Field: "to", Why: "it is there already"}
	}
	err := s.withStock(ctx, by, from, func(tx store.Tx, item db.StockItem) error {
		if err := placeTx(ctx, tx, "to", to); err != nil {
			return err
		}
		goods, err := stockItemOf(item).check(goods)
		if err != nil {
			return err
		}
		goods, err = s.transferTx(ctx, tx, by, item, transfer{
			on: lifecycle.Send, from: spot{from.Place, lifecycle.StockGood}, to: spot{from.Place, lifecycle.StockInTransit}, goods: goods,
			reference: string(id),
		})
		if err != nil {
			return err
		}
		row := db.InsertConsignmentParams{
			ID: id, State: lifecycle.ConsignmentSent, Item: item.Code, FromPlace: from.Place, ToPlace: to, Sent: pack(goods), SentBy: by.ID, SentAt: s.now(),
		}
		if err := tx.InsertConsignment(ctx, row); err != nil {
			return fmt.Errorf("consignment %s: %w", id, err)
		}
		return s.born(ctx, tx, lifecycle.Consignments.Thing, string(id), string(row.State), by, map[string]string{
			"item": item.Code, "from": from.Place, "to": to, "goods": stockItemOf(item).Text(goods),
		})
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// ArriveStock records what arrived of a consignment, as somebody else than the
// sender counted it. What did not arrive stays in transit and waits for staff:
// it turns up and arrives too, or an approver writes it off.
func (s *Service) ArriveStock(ctx context.Context, by lifecycle.Actor, id lifecycle.ConsignmentID, arrived Goods) (missing Goods, err error) {
	err = s.withConsignment(ctx, id, func(tx store.Tx, c *consignment) error {
		if c.SentBy == by.ID {
			return fmt.Errorf("consignment %s: %w: %s sent it, somebody else must receive it", id, lifecycle.Forbidden, by.ID)
		}
		if arrived, err = c.item.named(arrived); err != nil {
			return err
		}
		if extra := arrived.minus(c.outstanding); extra.Quantity > 0 {
			return &lifecycle.FieldError{Field: "goods", Why: fmt.Sprintf(
				"%s was not sent with it, or has arrived: receive what was sent, and count %s for the rest", c.item.Text(extra), c.ToPlace)}
		}
		missing = c.outstanding.minus(arrived)
		on := lifecycle.Receive
		if missing.Quantity > 0 {
			on = lifecycle.Differ
		}
		c.ReceivedBy = by.ID
		detail := map[string]string{"arrived": c.item.Text(arrived), "missing": c.item.Text(missing)}
		if err := s.moveConsignment(ctx, tx, c, on, by, missing, detail); err != nil {
			return err
		}
		return s.leaveTransitTx(ctx, tx, by, c, transfer{
			on: lifecycle.Receive, to: spot{c.ToPlace, lifecycle.StockGood}, goods: arrived,
		})
	})
	return missing, err
}

// CancelConsignment takes a consignment back that never left.
func (s *Service) CancelConsignment(ctx context.Context, by lifecycle.Actor, id lifecycle.ConsignmentID) error {
	return s.withConsignment(ctx, id, func(tx store.Tx, c *consignment) error {
		back := c.outstanding
		if err := s.moveConsignment(ctx, tx, c, lifecycle.Cancel, by, Goods{}, nil); err != nil {
			return err
		}
		return s.leaveTransitTx(ctx, tx, by, c, transfer{
			on: lifecycle.Cancel, to: spot{c.FromPlace, lifecycle.StockGood}, goods: back,
		})
	})
}

// settleConsignment writes off what never arrived.
func (s *Service) settleConsignment(ctx context.Context, by lifecycle.Actor, id lifecycle.ConsignmentID, reason string) error {
	return s.withConsignment(ctx, id, func(tx store.Tx, c *consignment) error {
		if c.ReceivedBy == by.ID {
			return fmt.Errorf("consignment %s: %w: %s received it, somebody else must settle it", id, lifecycle.Forbidden, by.ID)
		}
		lost := c.outstanding
		c.SettledBy, c.Reason = by.ID, reason
		if err := s.moveConsignment(ctx, tx, c, lifecycle.Approve, by, Goods{}, reasonOf(reason)); err != nil {
			return err
		}
		return s.leaveTransitTx(ctx, tx, by, c, transfer{
			on: lifecycle.Adjust, to: spot{c.ToPlace, lifecycle.StockMissing}, goods: lost, reason: reason,
		})
	})
}

// consignment is a locked one.
type consignment struct {
	db.StockConsignment

	item        StockItem
	outstanding Goods
}

func (s *Service) withConsignment(ctx context.Context, id lifecycle.ConsignmentID, work func(tx store.Tx, c *consignment) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixConsignment, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		row, err := tx.LockConsignment(ctx, id)
		if err != nil {
			return fmt.Errorf("consignment %s: %w", id, err)
		}
		item, err := tx.StockItem(ctx, row.Item)
		if err != nil {
			return fmt.Errorf("stock item %s: %w", row.Item, err)
		}
		c := &consignment{StockConsignment: row, item: stockItemOf(item)}
		if c.outstanding, err = unpack[Goods](row.Outstanding); err != nil {
			return err
		}
		return work(tx, c)
	})
}

func (s *Service) moveConsignment(ctx context.Context, tx store.Tx, c *consignment, on lifecycle.Event, by lifecycle.Actor, outstanding Goods, detail map[string]string) error {
	to, err := apply(ctx, s, tx, lifecycle.Consignments, c.State, change{id: string(c.ID), on: on, by: by, requester: c.SentBy, detail: detail},
		func(to lifecycle.ConsignmentState) (int64, error) {
			return tx.SetConsignment(ctx, db.SetConsignmentParams{
				ToState: to, Outstanding: pack(outstanding), ReceivedBy: c.ReceivedBy, SettledBy: c.SettledBy, Reason: c.Reason, ID: c.ID, FromState: c.State,
			})
		}, noJob)
	c.State = to
	return err
}

// leaveTransitTx moves goods of a consignment out of transit.
func (s *Service) leaveTransitTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, c *consignment, t transfer) error {
	item, err := lockItemTx(ctx, tx, c.Item)
	if err != nil {
		return err
	}
	t.from, t.reference = spot{c.FromPlace, lifecycle.StockInTransit}, string(c.ID)
	_, err = s.transferTx(ctx, tx, by, item, t)
	return err
}
