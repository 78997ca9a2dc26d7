package issuance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// RunCampaign orders the next cards of a campaign, at most some hundreds, seals
// them into batches and asks for those after them, in one transaction with done:
// done and undone are told apart by the rows alone. It answers how long to wait
// when the next cards are not due; a campaign that is not running is left alone.
func (s *Service) RunCampaign(ctx context.Context, id lifecycle.CampaignID, done Done) (wait time.Duration, err error) {
	err = s.withCampaign(ctx, id, func(tx store.Tx, c *db.Campaign) error {
		if c.State != lifecycle.CampaignPiloting && c.State != lifecycle.CampaignRunning {
			return done.run(tx)
		}
		if wait = s.untilDue(*c); wait > 0 {
			return nil
		}
		n, err := chunkTx(ctx, tx, *c)
		if err != nil {
			return err
		}
		var rows []db.LockWaitingCardsRow
		if n > 0 {
			if rows, err = tx.LockWaitingCards(ctx, id, lifecycle.CardID(c.Reached), n); err != nil {
				return fmt.Errorf("next cards of campaign %s: %w", id, err)
			}
		}
		if err := s.orderChunkTx(ctx, tx, *c, rows); err != nil {
			return err
		}
		return s.afterChunkTx(ctx, tx, c, rows, n, done)
	})
	return wait, err
}

// untilDue is how long a campaign waits for its next cards, for as many an hour as
// were allowed. A clock that was set back makes it no longer than that.
func (s *Service) untilDue(c db.Campaign) time.Duration {
	if c.NextAt == nil || c.Hourly == 0 || c.State == lifecycle.CampaignPiloting {
		return 0
	}
	wait := c.NextAt.Sub(s.now())
	if longest := pause(min(bulkSize, int(c.Hourly)), c.Hourly); wait > longest+time.Second {
		return 0
	}
	return max(wait, 0)
}

// pause is the time that n cards take at so many an hour.
func pause(n int, hourly int32) time.Duration {
	return time.Duration(n) * time.Hour / time.Duration(hourly)
}

// chunkTx is how many cards come next: of a pilot what it lacks.
func chunkTx(ctx context.Context, tx store.Tx, c db.Campaign) (int32, error) {
	n := int32(bulkSize)
	if c.State == lifecycle.CampaignPiloting {
		counts, err := tx.CountCampaignCards(ctx, c.ID)
		if err != nil {
			return 0, fmt.Errorf("progress of campaign %s: %w", c.ID, err)
		}
		left := c.Pilot
		for _, state := range counts {
			if state.State != waiting {
				left -= int32(state.N) //nolint:gosec // no more than its cards
			}
		}
		return max(min(n, left), 0), nil
	}
	if c.Hourly > 0 {
		n = min(n, c.Hourly)
	}
	return n, nil
}

// The states of a campaign's card; an ordered one is where its new card is.
const (
	waiting = "waiting"
	taken   = "ordered"
	failed  = "failed"
)

// afterChunkTx ends pilot or campaign when nothing is left to do, else asks for
// the next cards. The caller's job ends first: there is one a campaign.
func (s *Service) afterChunkTx(ctx context.Context, tx store.Tx, c *db.Campaign, rows []db.LockWaitingCardsRow, asked int32, done Done) error {
	if err := done.run(tx); err != nil {
		return err
	}
	if len(rows) > 0 {
		next := c.NextAt
		if c.Hourly > 0 {
			next = new(s.now().Add(pause(len(rows), c.Hourly)))
		}
		if err := tx.SetCampaignReached(ctx, next, string(rows[len(rows)-1].ID), c.ID); err != nil {
			return fmt.Errorf("campaign %s: %w", c.ID, err)
		}
	}
	system := lifecycle.System("campaign")
	if len(rows) < int(asked) || asked == 0 {
		if c.State == lifecycle.CampaignPiloting {
			return s.moveCampaign(ctx, tx, c, lifecycle.EndPilot, system, nil)
		}
		return s.moveCampaign(ctx, tx, c, lifecycle.Complete, system, nil)
	}
	return s.queue.EnqueueTx(ctx, tx.Pgx(), CampaignArgs{Campaign: c.ID})
}

// renewals are the cards of a chunk that can be renewed, as columns.
type renewals struct {
	orders db.InsertRenewalsParams
	cards  db.InsertRenewedCardsParams
	result db.SetCampaignCardsParams
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
			State: lifecycle.OrderSubmitted, Reason: string(lifecycle.CardRenewed), RequestedBy: c.RequestedBy, CreatedAt: now,
		},
		cards:  db.InsertRenewedCardsParams{State: lifecycle.CardOrdered, CreatedAt: now},
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
		why := s.whyNot(row, o)
		if why == "" && places[row.Place] {
			why = anotherOnItsWay
		}
		state, order := failed, ""
		if why == "" {
			state, order, places[row.Place] = taken, orderIDs[i], true
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
func (s *Service) whyNot(row db.LockWaitingCardsRow, o offer) string {
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
	r.orders.Waivers = append(r.orders.Waivers, o.fee.Waiver)
	c := &r.cards
	c.IDs, c.OrderIDs, c.Targets = append(c.IDs, card), append(c.OrderIDs, order), append(c.Targets, target)
	c.Profiles, c.Last4s = append(c.Profiles, o.product.CAPProfile), append(c.Last4s, pan.Last4())
	c.PANsSealed, c.PANMarks = append(c.PANsSealed, sealed), append(c.PANMarks, mark)
	c.Expiries = append(c.Expiries, cardExpiry(s.now(), o.product.Validity))
	return nil
}

// renewTx writes orders and cards, has them approved by who approved the campaign,
// and seals them into batches.
func (s *Service) renewTx(ctx context.Context, tx store.Tx, c db.Campaign, r renewals) error {
	if err := tx.InsertRenewals(ctx, r.orders); err != nil {
		return fmt.Errorf("order %d cards: %w", len(r.orders.IDs), err)
	}
	if err := tx.InsertRenewedCards(ctx, r.cards); err != nil {
		return fmt.Errorf("%d new cards: %w", len(r.cards.IDs), err)
	}
	of := map[string]string{"campaign": string(c.ID)}
	requester := lifecycle.Actor{ID: c.RequestedBy, Role: lifecycle.Role(c.RequesterAs)}
	if err := s.bornMany(ctx, tx, "order", r.orders.IDs, string(r.orders.State), requester, of); err != nil {
		return err
	}
	if err := s.bornMany(ctx, tx, "card", r.cards.IDs, string(r.cards.State), requester, of); err != nil {
		return err
	}
	// What was written is read, not believed: in the order of locks.
	cards, err := tx.LockCards(ctx, r.cards.IDs)
	if err != nil {
		return fmt.Errorf("new cards: %w", err)
	}
	orders, err := tx.LockOrders(ctx, r.orders.IDs)
	if err != nil {
		return fmt.Errorf("new orders: %w", err)
	}
	approver := lifecycle.Actor{ID: c.ApprovedBy, Role: lifecycle.RoleApprover}
	detail := func(db.Order) map[string]string { return of }
	if err := s.moveOrders(ctx, tx, orders, lifecycle.Approve, approver, detail); err != nil {
		return err
	}
	hashes := make([][]byte, len(r.orders.IDs))
	for i := range hashes {
		hashes[i] = c.ContentHash // of the campaign: that is what was shown
	}
	err = tx.InsertApprovals(ctx, db.InsertApprovalsParams{
		DecidedBy: c.ApprovedBy, DecidedAt: s.now(), Note: "campaign " + string(c.ID), IDs: r.orders.IDs, ContentHashes: hashes,
	})
	if err != nil {
		return fmt.Errorf("record %d approvals: %w", len(hashes), err)
	}
	asked := func(db.Card) string { return c.RequestedBy }
	if err := s.moveCards(ctx, tx, cards, lifecycle.Approve, approver, asked, of); err != nil {
		return err
	}
	return s.sealAllTx(ctx, tx, cards)
}

// sealAllTx seals the cards of a chunk, product by product.
func (s *Service) sealAllTx(ctx context.Context, tx store.Tx, cards []db.Card) error {
	slices.SortStableFunc(cards, byKind)
	for len(cards) > 0 {
		n := 1
		for n < len(cards) && n < s.policy.BatchSize && byKind(cards[0], cards[n]) == 0 {
			n++
		}
		if _, err := s.sealTx(ctx, tx, lifecycle.System("campaign"), lifecycle.InBulk, cards[:n]); err != nil {
			return err
		}
		cards = cards[n:]
	}
	return nil
}

// byKind keeps together what may be in one batch.
func byKind(a, b db.Card) int {
	return cmp.Or(cmp.Compare(a.Product, b.Product), cmp.Compare(a.Profile, b.Profile))
}
