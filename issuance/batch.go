package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// SealedBatch is a batch that was sent on its way.
type SealedBatch struct {
	Batch lifecycle.BatchID
	Cards int
}

// SealBatch gathers approved cards of one product and urgency into a batch for
// their bureau, the urgent first, then the oldest, and sends it on its way. It
// answers an empty ID when no card waits.
func (s *Service) SealBatch(ctx context.Context, by lifecycle.Actor) (lifecycle.BatchID, int, error) {
	groups, err := s.store.GroupsWaiting(ctx)
	if err != nil {
		return "", 0, fmt.Errorf("cards that wait: %w", err)
	}
	for _, g := range groups {
		sealed, err := s.sealGroup(ctx, by, g)
		if err != nil || sealed.Cards > 0 {
			return sealed.Batch, sealed.Cards, err
		}
	}
	return "", 0, nil
}

// SealBatches seals batches until no card waits, a transaction each, and gives
// those that were sealed also when one fails.
func (s *Service) SealBatches(ctx context.Context, by lifecycle.Actor) ([]SealedBatch, error) {
	groups, err := s.store.GroupsWaiting(ctx)
	if err != nil {
		return nil, fmt.Errorf("cards that wait: %w", err)
	}
	var all []SealedBatch
	for _, g := range groups {
		for {
			sealed, err := s.sealGroup(ctx, by, g)
			if err != nil {
				return all, err
			}
			if sealed.Cards == 0 {
				break
			}
			all = append(all, sealed)
		}
	}
	return all, nil
}

func (s *Service) sealGroup(ctx context.Context, by lifecycle.Actor, g db.GroupsWaitingRow) (SealedBatch, error) {
	var sealed SealedBatch
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		cards, err := tx.ApprovedCards(ctx, db.ApprovedCardsParams{
			Product: g.Product, Profile: g.Profile, Urgency: g.Urgency, MaxRows: int32(s.policy.BatchSize), //nolint:gosec // at most 500
		})
		if err != nil || len(cards) == 0 {
			return err
		}
		sealed, err = s.sealTx(ctx, tx, by, g.Urgency, cards)
		return err
	})
	return sealed, err
}

// sealTx makes a batch of approved cards of one product and profile, which are
// locked, and moves their orders along.
func (s *Service) sealTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, urgency lifecycle.Urgency, cards []db.Card) (SealedBatch, error) {
	none := SealedBatch{}
	batch, err := s.openBatchTx(ctx, tx, by, cards[0].Product, urgency)
	if err != nil {
		return none, err
	}
	seal := severalCards{on: lifecycle.Seal, by: by, detail: intoBatch(batch), set: func(ids []string, from, to lifecycle.CardState) (int64, error) {
		return tx.SetCardsSealed(ctx, db.SetCardsSealedParams{ToState: to, BatchID: &batch.ID, At: s.now(), IDs: ids, FromState: from})
	}}
	if err := s.moveCards(ctx, tx, cards, seal); err != nil {
		return none, err
	}
	orders, err := tx.LockOrders(ctx, texts(cards, func(c db.Card) lifecycle.OrderID { return c.OrderID }))
	if err != nil {
		return none, fmt.Errorf("orders of batch %s: %w", batch.ID, err)
	}
	// The order of a card that is made again is under way.
	orders = slices.DeleteFunc(orders, func(o db.Order) bool { return o.State != lifecycle.OrderApproved })
	if err := s.moveOrders(ctx, tx, orders, severalOrders{on: lifecycle.Start, by: lifecycle.System("batch")}); err != nil {
		return none, err
	}
	return SealedBatch{batch.ID, len(cards)}, s.closeBatchTx(ctx, tx, by, batch, cards)
}

// intoBatch is what the trail of a card says when it is sealed.
func intoBatch(b db.Batch) func(db.Card) map[string]string {
	detail := map[string]string{"batch": string(b.ID)}
	return func(db.Card) map[string]string { return detail }
}

// openBatchTx opens a batch for the bureau of a product.
func (s *Service) openBatchTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, code string, urgency lifecycle.Urgency) (db.Batch, error) {
	product, err := s.productTx(ctx, tx.Queries, code)
	if err != nil {
		return db.Batch{}, err
	}
	batch := db.Batch{
		ID: lifecycle.BatchID(s.newID(lifecycle.PrefixBatch)), Product: product.Code, Bureau: product.Bureau, Urgency: urgency,
		State: lifecycle.BatchOpen, AttemptID: lifecycle.AttemptID(s.newID(lifecycle.PrefixAttempt)), CreatedAt: s.now(),
	}
	if batch.Sequence, err = tx.InsertBatch(ctx, db.InsertBatchParams{
		ID: batch.ID, Product: batch.Product, Bureau: batch.Bureau, Urgency: urgency, State: batch.State, AttemptID: batch.AttemptID,
		CreatedAt: batch.CreatedAt,
	}); err != nil {
		return batch, fmt.Errorf("open batch: %w", err)
	}
	return batch, s.born(ctx, tx, "batch", string(batch.ID), string(batch.State), by, nil)
}

// closeBatchTx notes which cards a batch has, and sends it on its way.
func (s *Service) closeBatchTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, batch db.Batch, cards []db.Card) error {
	if err := tx.InsertBatchCards(ctx, batch.ID, texts(cards, cardID)); err != nil {
		return fmt.Errorf("batch %s: %w", batch.ID, err)
	}
	return s.moveBatch(ctx, tx, &batch, lifecycle.Seal, by, nil)
}

// CardToPersonalise is a card's part of a batch.
type CardToPersonalise struct {
	Card       lifecycle.CardID
	PINVersion int
	PAN        lifecycle.PAN
	PSN        int
	Expiry     time.Time
	Product    string
	GivenName  string
	Surname    string
	Company    string
	DGIs       []byte // once personalised; keys and PIN enciphered under the transport key
}

// BatchPlan is a batch that a worker acts on. The attempt ID stays the same
// however often the act is tried; the fence rises with each try, and only the
// newest may finish.
type BatchPlan struct {
	Batch    lifecycle.BatchID
	Sequence int64
	Attempt  lifecycle.AttemptID
	Fence    int32
	Bureau   string
	Urgency  lifecycle.Urgency
	Profile  string
	Created  time.Time
	// TransportKCV is the check value of the key that enciphers keys and PINs;
	// "" before they are made.
	TransportKCV string
	Cards        []CardToPersonalise
}

// BeginPersonalise records the intent to personalise a batch.
func (s *Service) BeginPersonalise(ctx context.Context, id lifecycle.BatchID) (BatchPlan, error) {
	return s.beginBatch(ctx, id, lifecycle.Personalise, lifecycle.CardPersonalising)
}

// BeginBureauFile records the intent to write a batch's file.
func (s *Service) BeginBureauFile(ctx context.Context, id lifecycle.BatchID) (BatchPlan, error) {
	return s.beginBatch(ctx, id, lifecycle.Send, lifecycle.CardPersonalised)
}

// beginBatch fences a batch and reads those of its cards that are in the state;
// cards stopped since are left out.
func (s *Service) beginBatch(ctx context.Context, id lifecycle.BatchID, next lifecycle.Event, state lifecycle.CardState) (BatchPlan, error) {
	var plan BatchPlan
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		b, err := tx.LockBatch(ctx, id)
		if err != nil {
			return fmt.Errorf("batch %s: %w", id, err)
		}
		if _, err := lifecycle.Batches.Next(b.State, next, lifecycle.RoleSystem); err != nil {
			return fmt.Errorf("batch %s: %w", id, err)
		}
		fence, err := tx.FenceBatch(ctx, id)
		if err != nil {
			return fmt.Errorf("batch %s: %w", id, err)
		}
		plan = BatchPlan{
			Batch: b.ID, Sequence: b.Sequence, Attempt: b.AttemptID, Fence: fence, Bureau: b.Bureau, Urgency: b.Urgency,
			Created: b.CreatedAt.Truncate(time.Second), TransportKCV: b.TransportKCV,
		}
		rows, err := tx.BatchCards(ctx, id)
		if err != nil {
			return fmt.Errorf("batch %s: %w", id, err)
		}
		for _, r := range rows {
			plan.Profile = r.Profile // one for all
			if r.State != state || deref(r.CurrentBatch) != id {
				continue
			}
			pan, err := s.safe.OpenPAN(r.CardID, r.PANSealed)
			if err != nil {
				return err
			}
			dgis, err := s.openDGIs(r.CardID, r.DGIs)
			if err != nil {
				return err
			}
			plan.Cards = append(plan.Cards, CardToPersonalise{
				Card: r.CardID, PINVersion: int(r.PINVersion), PAN: pan, PSN: int(r.PSN), Expiry: r.Expiry,
				Product: r.Product, GivenName: r.GivenName, Surname: r.Surname, Company: r.Company, DGIs: dgis,
			})
		}
		return nil
	})
	return plan, err
}

// dgisName is what the safe calls a card's data groupings.
const dgisName = "data groupings"

// openDGIs opens a card's data groupings; there are none before they are made.
func (s *Service) openDGIs(card lifecycle.CardID, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	return s.safe.Open(dgisName, string(card), sealed)
}

// PersonalisedCard is the engine's answer for a card.
type PersonalisedCard struct {
	Card         lifecycle.CardID
	DGIs         []byte
	TransportKCV string // check value of the key that enciphers them
	Keys         MasterKeyVersions
}

// FinishPersonalise records what the engine answered. A card stopped meanwhile
// is passed over: what was made for it is never sent.
func (s *Service) FinishPersonalise(ctx context.Context, plan BatchPlan, cards []PersonalisedCard, done Done) error {
	system := lifecycle.System("personalise")
	return s.store.InTx(ctx, func(tx store.Tx) error {
		b, err := s.fencedBatchTx(ctx, tx, plan)
		if err != nil {
			return err
		}
		if err := s.personalisedTx(ctx, tx, plan, cards, system); err != nil {
			return err
		}
		if len(cards) > 0 {
			if err := tx.SetBatchTransportKCV(ctx, cards[0].TransportKCV, b.ID); err != nil {
				return fmt.Errorf("batch %s: %w", b.ID, err)
			}
		}
		if err := s.moveBatch(ctx, tx, &b, lifecycle.Personalise, system, nil); err != nil {
			return err
		}
		return done.run(tx)
	})
}

// personalisedTx moves the cards that were made, and keeps their data until the
// bureau's file is written.
func (s *Service) personalisedTx(ctx context.Context, tx store.Tx, plan BatchPlan, made []PersonalisedCard, by lifecycle.Actor) error {
	answers := make(map[lifecycle.CardID]PersonalisedCard, len(made))
	for _, p := range made {
		answers[p.Card] = p
	}
	cards, err := tx.LockCards(ctx, texts(made, func(p PersonalisedCard) lifecycle.CardID { return p.Card }))
	if err != nil {
		return fmt.Errorf("cards of batch %s: %w", plan.Batch, err)
	}
	var going []db.Card
	var dgis [][]byte
	var keys keysOf
	for _, card := range cards {
		if card.State != lifecycle.CardPersonalising || deref(card.BatchID) != plan.Batch {
			// Stopped while its worker was at Vault: the PIN made since is erased.
			late := PINDestroyArgs{Card: card.ID, PINVersion: card.PINVersion}
			if err := s.queue.EnqueueTx(ctx, tx.Pgx(), late); err != nil {
				return fmt.Errorf("card %s: %w", card.ID, err)
			}
			continue
		}
		answer := answers[card.ID]
		sealed, err := s.safe.Seal(dgisName, string(card.ID), answer.DGIs)
		if err != nil {
			return err
		}
		going, dgis = append(going, card), append(dgis, sealed)
		keys.add(card.ID, answer.Keys)
	}
	if err := s.moveCards(ctx, tx, going, severalCards{on: lifecycle.Personalise, by: by}); err != nil {
		return err
	}
	if err := tx.SetBatchCardsDGIs(ctx, plan.Batch, keys.IDs, dgis); err != nil {
		return fmt.Errorf("batch %s: %w", plan.Batch, err)
	}
	if err := tx.SetCardsKeys(ctx, db.SetCardsKeysParams(keys)); err != nil {
		return fmt.Errorf("batch %s: %w", plan.Batch, err)
	}
	return nil
}

// FinishBureauFile records the file, encrypted for the bureau, and forgets the
// data groupings. The file is written once: its sequence number is never sent
// twice. Cards that were stopped before are no part of the batch any more; one
// of which none is left sends no file and ends here.
func (s *Service) FinishBureauFile(ctx context.Context, plan BatchPlan, sealed []byte, done Done) error {
	system := lifecycle.System("bureau-file")
	return s.store.InTx(ctx, func(tx store.Tx) error {
		b, err := s.fencedBatchTx(ctx, tx, plan)
		if err != nil {
			return err
		}
		if err := s.sendCardsTx(ctx, tx, plan, system); err != nil {
			return err
		}
		if len(plan.Cards) > 0 {
			if err := s.putDocumentTx(ctx, tx, string(plan.Batch), "application/pkcs7-mime", sealed); err != nil {
				return err
			}
		}
		if err := tx.ForgetBatchDGIs(ctx, plan.Batch); err != nil {
			return fmt.Errorf("batch %s: %w", plan.Batch, err)
		}
		if err := tx.SetBatchSent(ctx, new(s.now()), plan.Batch); err != nil {
			return fmt.Errorf("batch %s: %w", plan.Batch, err)
		}
		if err := s.moveBatch(ctx, tx, &b, lifecycle.Send, system, nil); err != nil {
			return err
		}
		if err := s.reconcileTx(ctx, tx, &b, system); err != nil {
			return err
		}
		return done.run(tx)
	})
}

// sendCardsTx moves the cards of the file, and drops from the batch those that
// were stopped before it was written: the bureau will never answer for them.
func (s *Service) sendCardsTx(ctx context.Context, tx store.Tx, plan BatchPlan, by lifecycle.Actor) error {
	sent := texts(plan.Cards, func(c CardToPersonalise) lifecycle.CardID { return c.Card })
	cards, err := tx.LockCards(ctx, sent)
	if err != nil {
		return fmt.Errorf("cards of batch %s: %w", plan.Batch, err)
	}
	// One opposed meanwhile: the bureau's answer finds it so.
	cards = slices.DeleteFunc(cards, func(c db.Card) bool { return c.State != lifecycle.CardPersonalised })
	if err := s.moveCards(ctx, tx, cards, severalCards{on: lifecycle.Send, by: by}); err != nil {
		return err
	}
	if err := tx.DropUnsentCards(ctx, plan.Batch, sent); err != nil {
		return fmt.Errorf("batch %s: %w", plan.Batch, err)
	}
	return nil
}

// reconcileTx ends a batch of which nothing is awaited any more.
func (s *Service) reconcileTx(ctx context.Context, tx store.Tx, b *db.Batch, by lifecycle.Actor) error {
	open, err := tx.CountUnanswered(ctx, b.ID)
	if err != nil {
		return fmt.Errorf("batch %s: %w", b.ID, err)
	}
	if open > 0 {
		return nil
	}
	return s.moveBatch(ctx, tx, b, lifecycle.Reconcile, by, nil)
}

// fencedBatchTx locks the batch and refuses a worker that is no longer the
// newest.
func (s *Service) fencedBatchTx(ctx context.Context, tx store.Tx, plan BatchPlan) (db.Batch, error) {
	b, err := tx.LockBatch(ctx, plan.Batch)
	if err != nil {
		return b, fmt.Errorf("batch %s: %w", plan.Batch, err)
	}
	if b.Fence != plan.Fence {
		return b, fmt.Errorf("batch %s: %w: another worker took over", plan.Batch, lifecycle.Conflict)
	}
	return b, nil
}
