package issuance

import (
	"context"
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// BulkResult is one row of a bulk decision.
type BulkResult struct {
	Order lifecycle.OrderID
	Err   error
}

// ApproveMany approves each order as it was shown and answers row by row, in the
// order of their identifiers: a row that fails stops no other. Orders that have a
// card share their statements, some hundreds a transaction; where such a
// transaction fails as a whole, and for other kinds, each has its own.
func (s *Service) ApproveMany(ctx context.Context, by lifecycle.Actor, shown map[lifecycle.OrderID][32]byte) []BulkResult {
	results := make([]BulkResult, 0, len(shown))
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(shown)), bulkSize) {
		verdicts, err := s.approveTogether(ctx, by, ids, shown)
		for _, id := range ids {
			verdict, judged := verdicts[id]
			if err != nil || !judged {
				if ctx.Err() != nil {
					return results
				}
				verdict = s.Approve(ctx, by, id, shown[id])
			}
			results = append(results, BulkResult{Order: id, Err: verdict})
		}
	}
	return results
}

// approveTogether judges orders each by itself and approves those that stand the
// test, in one transaction. What it does not judge is left to [Service.Approve].
func (s *Service) approveTogether(ctx context.Context, by lifecycle.Actor, ids []lifecycle.OrderID, shown map[lifecycle.OrderID][32]byte) (map[lifecycle.OrderID]error, error) {
	verdicts := make(map[lifecycle.OrderID]error, len(ids))
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		d, err := s.toDecideTx(ctx, tx, by, ids)
		if err != nil {
			return err
		}
		var orders []db.Order
		var cards []db.Card
		approvals := db.InsertApprovalsParams{DecidedBy: by.ID, DecidedAt: s.now()}
		for _, o := range d.orders {
			card, ok := d.cards[o.ID]
			if !ok {
				continue
			}
			hash := shown[o.ID]
			if verdicts[o.ID] = d.verdict(o, card, by, hash); verdicts[o.ID] != nil {
				continue
			}
			orders, cards = append(orders, o), append(cards, card)
			approvals.IDs, approvals.ContentHashes = append(approvals.IDs, string(o.ID)), append(approvals.ContentHashes, hash[:])
		}
		if len(orders) == 0 {
			return nil
		}
		revision := func(o db.Order) map[string]string {
			return map[string]string{"revision": strconv.Itoa(int(o.Revision))}
		}
		if err := s.moveOrders(ctx, tx, orders, severalOrders{on: lifecycle.Approve, by: by, detail: revision}); err != nil {
			return err
		}
		if err := tx.InsertApprovals(ctx, approvals); err != nil {
			return fmt.Errorf("record %d decisions: %w", len(orders), err)
		}
		return s.followTogetherTx(ctx, tx, orders, cards, by)
	})
	return verdicts, err
}

// followTogetherTx makes the moves that the approval of orders entails, those that
// entail the same together. Each card is that of the order at its place.
func (s *Service) followTogetherTx(ctx context.Context, tx store.Tx, orders []db.Order, cards []db.Card, by lifecycle.Actor) error {
	type alike struct {
		orders []db.Order
		cards  []db.Card
	}
	groups := map[string]*alike{}
	asked := make(map[lifecycle.OrderID]string, len(orders))
	for i, o := range orders {
		key := fmt.Sprint(follows(o, lifecycle.Approve, by))
		if groups[key] == nil {
			groups[key] = &alike{}
		}
		g := groups[key]
		g.orders, g.cards, asked[o.ID] = append(g.orders, o), append(g.cards, cards[i]), o.RequestedBy
	}
	requester := func(c db.Card) string { return asked[c.OrderID] }
	for _, g := range groups {
		for _, f := range follows(g.orders[0], lifecycle.Approve, by) {
			var err error
			if f.order {
				err = s.moveOrders(ctx, tx, g.orders, severalOrders{on: f.on, by: f.by})
			} else {
				err = s.moveCards(ctx, tx, g.cards, severalCards{on: f.on, by: f.by, requester: requester})
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// toDecide is what a bulk decision looks at, locked as for a single one.
type toDecide struct {
	orders    []db.Order
	cards     map[lifecycle.OrderID]db.Card
	holders   map[lifecycle.HolderID]db.Holder
	companies map[lifecycle.CompanyID]db.Company
	flags     map[lifecycle.OrderID][]Flag
	hadAHand  []lifecycle.OrderID // orders that the decider brought about
}

func (s *Service) toDecideTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, ids []lifecycle.OrderID) (toDecide, error) {
	d := toDecide{
		cards: map[lifecycle.OrderID]db.Card{}, holders: map[lifecycle.HolderID]db.Holder{}, companies: map[lifecycle.CompanyID]db.Company{},
		flags: map[lifecycle.OrderID][]Flag{},
	}
	wanted := texts(ids, func(id lifecycle.OrderID) lifecycle.OrderID { return id })
	cards, err := tx.LockCardsOfOrders(ctx, wanted)
	if err == nil {
		d.orders, err = tx.LockOrders(ctx, wanted)
	}
	if err != nil {
		return d, fmt.Errorf("orders to decide: %w", err)
	}
	for _, c := range cards {
		d.cards[c.OrderID] = c
	}
	holders, err := tx.LockHoldersForShare(ctx, texts(d.orders, func(o db.Order) lifecycle.HolderID { return o.HolderID }))
	if err != nil {
		return d, fmt.Errorf("holders of the orders: %w", err)
	}
	for _, h := range holders {
		d.holders[h.ID] = h
	}
	companies, err := tx.Companies(ctx, texts(holders, func(h db.Holder) lifecycle.CompanyID { return h.CompanyID }))
	if err != nil {
		return d, fmt.Errorf("companies of the orders: %w", err)
	}
	for _, c := range companies {
		d.companies[c.ID] = c
	}
	flags, err := tx.FlagsOfOrders(ctx, days(s.policy.SecondCardWithin), days(s.policy.AddressChangeWithin), wanted)
	if err != nil {
		return d, fmt.Errorf("flags of the orders: %w", err)
	}
	for _, f := range flags {
		d.flags[f.ID] = flagsOf(f.SecondCard, f.AddressChanged)
	}
	if d.hadAHand, err = tx.HadAHandInOrders(ctx, wanted, by.ID); err != nil {
		return d, fmt.Errorf("who brought the orders about: %w", err)
	}
	return d, nil
}

// verdict tells why an order cannot be approved; nil when it can.
func (d toDecide) verdict(o db.Order, card db.Card, by lifecycle.Actor, shown [32]byte) error {
	holder := d.holders[o.HolderID]
	content := plainContent(o, holder, d.companies[holder.CompanyID])
	switch {
	case o.Kind.MakesCard():
		content.Flags = d.flags[o.ID]
	case o.Kind == lifecycle.OrderRegistration:
		content.Registers = registers(card)
	}
	now := content.Hash()
	if subtle.ConstantTimeCompare(now[:], shown[:]) != 1 {
		return fmt.Errorf("order %s: %w: it is not what was shown; look at it again", o.ID, lifecycle.Conflict)
	}
	if o.State != lifecycle.OrderSubmitted {
		return fmt.Errorf("order %s: %w: it is %s already", o.ID, lifecycle.Conflict, o.State)
	}
	c := change{id: string(o.ID), on: lifecycle.Approve, by: by, requester: o.RequestedBy}
	if _, err := allowed(lifecycle.Orders, o.State, c); err != nil {
		return err
	}
	if slices.Contains(d.hadAHand, o.ID) {
		return fmt.Errorf("order %s: %w: %s had a hand in it, somebody else must decide", o.ID, lifecycle.Forbidden, by.ID)
	}
	c.id = string(card.ID)
	_, err := allowed(lifecycle.Cards, card.State, c)
	return err
}
