package issuance

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// renewals are the cards of a chunk that can be renewed, as columns.
type renewals struct {
	orders   db.InsertRenewalsParams
	cards    db.InsertRenewedCardsParams
	products []string
	result   db.SetCampaignCardsParams
}

// orderChunkTx orders, approves and seals the cards that can be renewed, and notes
// of the others why not.
func (s *Service) orderChunkTx(ctx context.Context, tx store.Tx, c db.Campaign, rows []db.LockWaitingCardsRow) error {
	if len(rows) == 0 {
		return nil
	}
	r, err := s.renewalsTx(ctx, tx, c, rows)
	if err != nil {
		return err
	}
	if len(r.orders.IDs) > 0 {
		if err := s.renewTx(ctx, tx, c, r); err != nil {
			return err
		}
	}
	if err := tx.SetCampaignCards(ctx, r.result); err != nil {
		return fmt.Errorf("cards of campaign %s: %w", c.ID, err)
	}
	return nil
}

// renewalsTx judges each card, and draws numbers and identifiers for the new ones.
func (s *Service) renewalsTx(ctx context.Context, tx store.Tx, c db.Campaign, rows []db.LockWaitingCardsRow) (renewals, error) {
	now := s.now()
	r := renewals{
		orders: db.InsertRenewalsParams{
			State: lifecycle.OrderInProgress, Reason: string(lifecycle.CardRenewed), RequestedBy: c.RequestedBy, CreatedAt: now,
		},
		cards:  db.InsertRenewedCardsParams{State: lifecycle.CardPersonalising, CreatedAt: now},
		result: db.SetCampaignCardsParams{CampaignID: c.ID},
	}
	numbers, err := tx.NextPANNumbers(ctx, int32(len(rows))) //nolint:gosec // at most bulkSize
	if err != nil {
		return r, fmt.Errorf("draw card numbers: %w", err)
	}
	orderIDs, cardIDs := s.newIDs(lifecycle.PrefixOrder, len(rows)), s.newIDs(lifecycle.PrefixCard, len(rows))
	offers := map[string]offer{}
	places := map[lifecycle.CardID]bool{} // of which this chunk renews a card
	for i, row := range rows {
		o, known := offers[row.Product]
		if !known {
			if o, err = s.offerTx(ctx, tx, c, row.Product); err != nil {
				return r, err
			}
			offers[row.Product] = o
		}
		why := s.whyNot(c, row, o)
		if why == "" && places[row.Place] {
			why = anotherOnItsWay
		}
		state, order := hasFailed, ""
		if why == "" {
			state, order, places[row.Place] = isOrdered, orderIDs[i], true
			if err := s.addRenewal(&r, row, o, order, cardIDs[i], numbers[i]); err != nil {
				return r, err
			}
		}
		r.result.Cards, r.result.States = append(r.result.Cards, string(row.ID)), append(r.result.States, state)
		r.result.OrderIDs, r.result.Failures = append(r.result.OrderIDs, order), append(r.result.Failures, why)
	}
	return r, nil
}

// offer is what a product's renewed cards are and cost today.
type offer struct {
	product Product
	fee     db.InsertOrderParams
	why     string // nothing of it can be ordered
}

func (s *Service) offerTx(ctx context.Context, tx store.Tx, c db.Campaign, code string) (offer, error) {
	product, err := s.productTx(ctx, tx.Queries, code)
	if isNotFound(err) {
		return offer{why: fmt.Sprintf("there is no product %s any more", code)}, nil
	}
	if err != nil {
		return offer{}, err
	}
	if product.Kind != lifecycle.AuthenticationCard {
		return offer{why: fmt.Sprintf("%s is a %s: the bank's card system makes it", code, product.Kind)}, nil
	}
	o := offer{product: product, fee: db.InsertOrderParams{Kind: lifecycle.OrderRenewal, Reason: string(lifecycle.CardRenewed)}}
	if err := s.chargeTx(ctx, tx, &o.fee, product.Tariff); err != nil {
		return o, err
	}
	if o.fee.FeeCents > 0 {
		o.fee.Waiver = c.Waiver
	}
	return o, nil
}

const anotherOnItsWay = "another card is on its way in its place"

// whyNot tells why a card cannot be renewed by a campaign; "" when it can. What
// raises a flag needs an approver who looks at that order.
func (s *Service) whyNot(c db.Campaign, row db.LockWaitingCardsRow, o offer) string {
	switch {
	case o.why != "":
		return o.why
	case !inUse(row.State):
		return fmt.Sprintf("it is %s", row.State)
	case row.UsableUntil != nil:
		return "it has been replaced"
	case row.Replaced:
		return anotherOnItsWay
	case !slices.Contains(o.product.Deliveries, row.Delivery):
		return fmt.Sprintf("%s is not delivered %s any more", row.Product, row.Delivery)
	case row.AddressChangedAt != nil && row.AddressChangedAt.After(s.now().Add(-s.policy.AddressChangeWithin)):
		return "its holder's address has changed lately: order it by itself"
	case row.SecondCard && !c.SecondCards:
		return "its holder had another card ordered lately: order it by itself"
	}
	if _, err := party.EmbossName(row.GivenName, row.Surname); err != nil {
		return err.Error()
	}
	return ""
}

func (s *Service) addRenewal(r *renewals, row db.LockWaitingCardsRow, o offer, order, card string, number int64) error {
	pan, err := s.cardNumber(number)
	if err != nil {
		return err
	}
	sealed, mark, err := s.safe.SealPAN(lifecycle.CardID(card), pan)
	if err != nil {
		return err
	}
	target := string(row.ID)
	r.orders.IDs, r.orders.Targets = append(r.orders.IDs, order), append(r.orders.Targets, target)
	r.orders.Fees, r.orders.Currencies = append(r.orders.Fees, o.fee.FeeCents), append(r.orders.Currencies, o.fee.Currency)
	r.orders.Waivers, r.products = append(r.orders.Waivers, o.fee.Waiver), append(r.products, row.Product)
	c := &r.cards
	c.IDs, c.OrderIDs, c.Targets = append(c.IDs, card), append(c.OrderIDs, order), append(c.Targets, target)
	c.Profiles, c.Last4s = append(c.Profiles, o.product.CAPProfile), append(c.Last4s, pan.Last4())
	c.PANsSealed, c.PANMarks = append(c.PANsSealed, sealed), append(c.PANMarks, mark)
	c.Expiries = append(c.Expiries, cardExpiry(s.now(), o.product.Validity))
	return nil
}

// renewTx writes orders and cards, approved by who approved the campaign and
// sealed into batches: each where it ends, with the trail of how it got there.
func (s *Service) renewTx(ctx context.Context, tx store.Tx, c db.Campaign, r renewals) error {
	orders, cards := r.rows(c)
	named := map[string]string{"campaign": string(c.ID)}
	of := func(int) map[string]string { return named }
	batches, err := s.batchesTx(ctx, tx, &r, cards)
	if err != nil {
		return err
	}
	if err := tx.InsertRenewals(ctx, r.orders); err != nil {
		return fmt.Errorf("order %d cards: %w", len(orders), err)
	}
	if err := tx.InsertRenewedCards(ctx, r.cards); err != nil {
		return fmt.Errorf("%d new cards: %w", len(cards), err)
	}
	requester := lifecycle.Actor{ID: c.RequestedBy, Role: lifecycle.Role(c.RequesterAs)}
	if err := s.bornMany(ctx, tx, "order", r.orders.IDs, string(lifecycle.OrderSubmitted), requester, of); err != nil {
		return err
	}
	if err := s.bornMany(ctx, tx, "card", r.cards.IDs, string(lifecycle.CardOrdered), requester, of); err != nil {
		return err
	}
	approver := lifecycle.Actor{ID: c.ApprovedBy, Role: lifecycle.RoleApprover}
	approved := severalOrders{
		on: lifecycle.Approve, by: approver, set: writtenAlready[lifecycle.OrderState], detail: func(db.Order) map[string]string { return named },
	}
	if err := s.moveOrders(ctx, tx, orders, approved); err != nil {
		return err
	}
	hashes := make([][]byte, len(orders))
	for i := range hashes {
		hashes[i] = c.ContentHash // of the campaign: that is what was shown
	}
	if err := tx.InsertApprovals(ctx, db.InsertApprovalsParams{
		DecidedBy: c.ApprovedBy, DecidedAt: s.now(), Note: "campaign " + string(c.ID), IDs: r.orders.IDs, ContentHashes: hashes,
	}); err != nil {
		return fmt.Errorf("record %d approvals: %w", len(hashes), err)
	}
	approvedCards := severalCards{
		on: lifecycle.Approve, by: approver, set: writtenAlready[lifecycle.CardState], requester: func(db.Card) string { return c.RequestedBy },
		detail: func(db.Card) map[string]string { return named },
	}
	if err := s.moveCards(ctx, tx, cards, approvedCards); err != nil {
		return err
	}
	for _, b := range batches {
		seal := severalCards{on: lifecycle.Seal, by: campaigns, set: writtenAlready[lifecycle.CardState], detail: intoBatch(b.Batch)}
		if err := s.moveCards(ctx, tx, b.cards, seal); err != nil {
			return err
		}
		if err := s.closeBatchTx(ctx, tx, campaigns, b.Batch, b.cards); err != nil {
			return err
		}
	}
	if err := s.moveOrders(ctx, tx, orders, severalOrders{on: lifecycle.Start, by: lifecycle.System("batch"), set: writtenAlready[lifecycle.OrderState]}); err != nil {
		return err
	}
	return arrived(orders, cards, r)
}

// arrived proves that the trail ends where the rows were written.
func arrived(orders []db.Order, cards []db.Card, r renewals) error {
	for i := range orders {
		if orders[i].State != r.orders.State || cards[i].State != r.cards.State {
			return fmt.Errorf("order %s is %s with card %s that is %s: %w", orders[i].ID, orders[i].State, cards[i].ID, cards[i].State, lifecycle.Illegal)
		}
	}
	return nil
}

// rows are the renewals as they are born.
func (r renewals) rows(c db.Campaign) ([]db.Order, []db.Card) {
	orders, cards := make([]db.Order, len(r.orders.IDs)), make([]db.Card, len(r.orders.IDs))
	for i, id := range r.orders.IDs {
		orders[i] = db.Order{ID: lifecycle.OrderID(id), State: lifecycle.OrderSubmitted, RequestedBy: c.RequestedBy}
		cards[i] = db.Card{
			ID: lifecycle.CardID(r.cards.IDs[i]), OrderID: orders[i].ID, State: lifecycle.CardOrdered, Product: r.products[i], Profile: r.cards.Profiles[i],
		}
	}
	return orders, cards
}

// filled is a batch with its cards.
type filled struct {
	db.Batch

	cards []db.Card
}

var campaigns = lifecycle.System("campaign")

// batchesTx opens batches for the cards of a chunk, which it sorts by what may be
// in one, and notes in each card's row where it goes.
func (s *Service) batchesTx(ctx context.Context, tx store.Tx, r *renewals, cards []db.Card) ([]filled, error) {
	slices.SortStableFunc(cards, byKind)
	var batches []filled
	in := make(map[lifecycle.CardID]lifecycle.BatchID, len(cards))
	for left := cards; len(left) > 0; {
		n := 1
		for n < len(left) && n < s.policy.BatchSize && byKind(left[0], left[n]) == 0 {
			n++
		}
		batch, err := s.openBatchTx(ctx, tx, campaigns, left[0].Product, lifecycle.InBulk)
		if err != nil {
			return nil, err
		}
		for _, c := range left[:n] {
			in[c.ID] = batch.ID
		}
		batches, left = append(batches, filled{batch, left[:n]}), left[n:]
	}
	r.cards.Batches = texts(r.cards.IDs, func(id string) lifecycle.BatchID { return in[lifecycle.CardID(id)] })
	return batches, nil
}

// byKind keeps together what may be in one batch.
func byKind(a, b db.Card) int {
	return cmp.Or(cmp.Compare(a.Product, b.Product), cmp.Compare(a.Profile, b.Profile))
}
