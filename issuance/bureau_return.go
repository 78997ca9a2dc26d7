package issuance

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

const maxReturnBytes = 8 << 20

// TakeReturnFile takes a bureau's return file for a batch, once: the same bytes
// again are a [lifecycle.Conflict]. The caller has parsed it; the reconciliation
// follows as a job.
func (s *Service) TakeReturnFile(ctx context.Context, by lifecycle.Actor, batch lifecycle.BatchID, content []byte) (lifecycle.ReturnFileID, error) {
	if len(content) == 0 || len(content) > maxReturnBytes {
		return "", &lifecycle.FieldError{Field: "file", Why: "a return file has 1 byte to 8 MiB"}
	}
	id := lifecycle.ReturnFileID(s.newID(lifecycle.PrefixReturnFile))
	digest := sha256.Sum256(content)
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		b, err := tx.LockBatch(ctx, batch)
		if err != nil {
			return fmt.Errorf("batch %s: %w", batch, err)
		}
		if !lifecycle.Batches.Can(b.State, lifecycle.ReturnPart) && b.State != lifecycle.BatchReconciled {
			return fmt.Errorf("%w: batch %s is %s: nothing was sent", lifecycle.Illegal, batch, b.State)
		}
		err = tx.InsertReturnFile(ctx, db.InsertReturnFileParams{
			ID: id, BatchID: batch, SHA256: digest[:], Content: content, TakenBy: by.ID, TakenAt: s.now(),
		})
		if errors.Is(err, lifecycle.Conflict) {
			return fmt.Errorf("batch %s: %w: this return file has been taken already", batch, lifecycle.Conflict)
		}
		if err != nil {
			return fmt.Errorf("batch %s: record return file: %w", batch, err)
		}
		if err := s.born(ctx, tx, "return file", string(id), "taken", by, map[string]string{"batch": string(batch)}); err != nil {
			return err
		}
		return s.queue.EnqueueTx(ctx, tx.Pgx(), BureauReturnArgs{File: id})
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// ReturnFile reads a return file that waits to be reconciled.
func (s *Service) ReturnFile(ctx context.Context, id lifecycle.ReturnFileID) ([]byte, lifecycle.BatchID, error) {
	f, err := s.store.ReturnFile(ctx, id)
	if err != nil {
		return nil, "", fmt.Errorf("return file %s: %w", id, err)
	}
	return f.Content, f.BatchID, nil
}

// BureauAnswer is the bureau's word on one card.
type BureauAnswer struct {
	Card          lifecycle.CardID
	Result        lifecycle.BureauResult
	PlasticSerial string // made or spoiled
	Reason        string
}

// ApplyReturn reconciles a return file, whole or not at all: made cards go on to
// their letters, spoiled ones are made again under a new sequence number and
// PIN, missing ones stay with the bureau until a later file or a member of staff
// says what became of them. The plastics leave the bureau's stock. Applying it again changes nothing. An answer that
// cannot be true is [lifecycle.Invalid]: no retry makes it so, and a work item has
// staff ask the bureau.
func (s *Service) ApplyReturn(ctx context.Context, id lifecycle.ReturnFileID, answers []BureauAnswer, done Done) error {
	err := s.applyReturn(ctx, id, answers, done)
	if errors.Is(err, lifecycle.Invalid) {
		return errors.Join(err, s.returnIsWrong(ctx, id, err.Error()))
	}
	return err
}

// returnIsWrong opens a work item on a return file, one however often it is tried.
func (s *Service) returnIsWrong(ctx context.Context, id lifecycle.ReturnFileID, why string) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		if _, err := tx.LockReturnFile(ctx, id); err != nil {
			return fmt.Errorf("return file %s: %w", id, err)
		}
		n, err := tx.WorkItemsOn(ctx, string(id))
		if err != nil || n > 0 {
			return err
		}
		_, err = s.openWorkTx(ctx, tx, lifecycle.System("bureau-return"), "return file", string(id), nil, why)
		return err
	})
}

func (s *Service) applyReturn(ctx context.Context, id lifecycle.ReturnFileID, answers []BureauAnswer, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		f, err := tx.LockReturnFile(ctx, id)
		if err != nil {
			return fmt.Errorf("return file %s: %w", id, err)
		}
		if f.AppliedAt != nil {
			return done.run(tx)
		}
		b, err := tx.LockBatch(ctx, f.BatchID)
		if err != nil {
			return fmt.Errorf("batch %s: %w", f.BatchID, err)
		}
		if err := s.answersTx(ctx, tx, b.ID, answers); err != nil {
			return fmt.Errorf("return file %s: %w", id, err)
		}
		if err := s.usePlasticsTx(ctx, tx, b, id, answers); err != nil {
			return fmt.Errorf("return file %s: %w", id, err)
		}
		if err := tx.SetReturnFileApplied(ctx, new(s.now()), id); err != nil {
			return fmt.Errorf("return file %s: %w", id, err)
		}
		if b.State == lifecycle.BatchReconciled { // late, for a card made again since: kept, nothing is awaited
			return done.run(tx)
		}
		open, err := tx.CountUnanswered(ctx, b.ID)
		if err != nil {
			return fmt.Errorf("batch %s: %w", b.ID, err)
		}
		event := lifecycle.Reconcile
		if open > 0 {
			event = lifecycle.ReturnPart
		}
		if err := s.moveBatch(ctx, tx, &b, event, lifecycle.System("bureau-return"), map[string]string{"return_file": string(id)}); err != nil {
			return err
		}
		return done.run(tx)
	})
}

// answersTx records a bureau's answers and moves the cards that waited for them.
// Cards opposed meanwhile, or made again in another batch since, stay where they
// are: the answer is kept, nothing goes out.
func (s *Service) answersTx(ctx context.Context, tx store.Tx, batch lifecycle.BatchID, answers []BureauAnswer) error {
	if err := s.recordAnswersTx(ctx, tx, batch, answers); err != nil {
		return err
	}
	cards, err := tx.LockCards(ctx, texts(answers, func(a BureauAnswer) lifecycle.CardID { return a.Card }))
	if err != nil {
		return fmt.Errorf("cards of batch %s: %w", batch, err)
	}
	said := make(map[lifecycle.CardID]BureauAnswer, len(answers))
	for _, a := range answers {
		said[a.Card] = a
	}
	waited := make(map[lifecycle.BureauResult][]db.Card)
	for _, card := range cards {
		if card.State == lifecycle.CardWithBureau && deref(card.BatchID) == batch {
			result := said[card.ID].Result
			waited[result] = append(waited[result], card)
		}
	}
	event := severalCards{by: lifecycle.System("bureau-return"), detail: func(c db.Card) map[string]string {
		return map[string]string{"batch": string(batch), "plastic": said[c.ID].PlasticSerial}
	}}
	made, spoiled := waited[lifecycle.BureauMade], waited[lifecycle.BureauSpoiled]
	event.on = lifecycle.Spoil
	if err := s.moveCards(ctx, tx, spoiled, event); err != nil {
		return err
	}
	event.on, event.set = lifecycle.Make, func(ids []string, from, to lifecycle.CardState) (int64, error) {
		serials := texts(made, func(c db.Card) string { return said[c.ID].PlasticSerial })
		return tx.SetCardsMade(ctx, db.SetCardsMadeParams{ToState: to, At: s.now(), IDs: ids, Serials: serials, FromState: from})
	}
	if err := s.moveCards(ctx, tx, made, event); err != nil {
		return err
	}
	if err := s.newCardLettersTx(ctx, tx, made); err != nil {
		return err
	}
	for _, card := range spoiled {
		if err := tx.PrepareRemake(ctx, card.ID); err != nil {
			return fmt.Errorf("card %s: %w", card.ID, err)
		}
	}
	return nil
}

// recordAnswersTx keeps what the bureau says of each card, if it can be true: of a
// card that it was sent and has not answered for, with the serial number of a
// plastic that is no other card's.
func (s *Service) recordAnswersTx(ctx context.Context, tx store.Tx, batch lifecycle.BatchID, answers []BureauAnswer) error {
	results := []lifecycle.BureauResult{lifecycle.BureauMade, lifecycle.BureauSpoiled, lifecycle.BureauMissing}
	p := db.AnswerBatchCardsParams{BatchID: batch, At: new(s.now())}
	for _, a := range answers {
		if !slices.Contains(results, a.Result) {
			return &lifecycle.FieldError{Field: "result", Why: "use made, spoiled or missing"}
		}
		p.Cards, p.Results = append(p.Cards, string(a.Card)), append(p.Results, string(a.Result))
		p.Serials, p.Reasons = append(p.Serials, a.PlasticSerial), append(p.Reasons, a.Reason)
	}
	known, err := tx.PlasticsKnown(ctx, p.Serials)
	if err != nil {
		return fmt.Errorf("plastics of batch %s: %w", batch, err)
	}
	taken := make(map[string]bool, len(known)+len(answers))
	for _, serial := range known {
		taken[serial] = true
	}
	for _, a := range answers {
		if taken[a.PlasticSerial] {
			return &lifecycle.FieldError{Field: "plastic serial", Why: fmt.Sprintf("%s of card %s is another card's", a.PlasticSerial, a.Card)}
		}
		taken[a.PlasticSerial] = a.PlasticSerial != ""
	}
	recorded, err := tx.AnswerBatchCards(ctx, p)
	if err != nil {
		return fmt.Errorf("batch %s: %w", batch, err)
	}
	awaited := make(map[lifecycle.CardID]bool, len(recorded))
	for _, id := range recorded {
		awaited[id] = true
	}
	for _, a := range answers {
		if !awaited[a.Card] {
			return &lifecycle.FieldError{Field: "card", Why: fmt.Sprintf("%s is not of batch %s, or was answered before", a.Card, batch)}
		}
		delete(awaited, a.Card) // once more in this file is twice
	}
	return nil
}

// Remake has a card that the bureau lost made again: new sequence number, new
// PIN; what may turn up later is worthless. Its batch does not wait for it any
// more.
func (s *Service) Remake(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		seen, err := tx.Card(ctx, id)
		if err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		var b db.Batch
		if seen.BatchID != nil { // locked before its card, as a return file does
			if b, err = tx.LockBatch(ctx, *seen.BatchID); err != nil {
				return fmt.Errorf("batch %s: %w", *seen.BatchID, err)
			}
		}
		card, err := tx.LockCard(ctx, id)
		if err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		if deref(card.BatchID) != b.ID {
			return fmt.Errorf("card %s: %w: it has left batch %s", id, lifecycle.Conflict, b.ID)
		}
		if err := s.moveCard(ctx, tx, &card, lifecycle.Remake, by, "", nil); err != nil {
			return err
		}
		if err := tx.PrepareRemake(ctx, id); err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		return s.reconcileTx(ctx, tx, &b, lifecycle.System("remake"))
	})
}
