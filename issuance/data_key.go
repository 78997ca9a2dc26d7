package issuance

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"sceau/lifecycle"
	"sceau/store"
)

// DataKey is a key of the safe, as staff may see it.
type DataKey struct {
	Number  int
	Created time.Time
	Retired time.Time // zero: in use
	Sealed  int64     // things sealed under it
}

// keepsSafe may have data keys made and retired.
func keepsSafe(by lifecycle.Actor) error {
	if by.Role != lifecycle.RoleSecurityOfficer {
		return fmt.Errorf("%w: %s looks after no data key, a security officer does", lifecycle.Forbidden, by.Role)
	}
	return nil
}

// DataKeys lists the safe's keys and how much is sealed under each.
func (s *Service) DataKeys(ctx context.Context) ([]DataKey, error) {
	rows, err := s.store.DataKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("data keys: %w", err)
	}
	keys := make([]DataKey, len(rows))
	for i, r := range rows {
		n, err := s.store.CountSealedUnder(ctx, numbered(int(r.Number)))
		if err != nil {
			return nil, fmt.Errorf("data key %d: %w", r.Number, err)
		}
		keys[i] = DataKey{Number: int(r.Number), Created: r.CreatedAt.UTC(), Retired: deref(r.RetiredAt).UTC(), Sealed: n}
	}
	return keys, nil
}

// numbered is what begins with what is sealed under a data key.
func numbered(key int) []byte {
	return binary.BigEndian.AppendUint16(nil, uint16(key)) //nolint:gosec // the safe has at most 65 535
}

// AddDataKey keeps a new data key, as Vault wrapped it.
func (s *Service) AddDataKey(ctx context.Context, by lifecycle.Actor, wrapped string) (number int, err error) {
	if err := keepsSafe(by); err != nil {
		return 0, err
	}
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		keys, err := tx.DataKeys(ctx)
		if err != nil {
			return fmt.Errorf("data keys: %w", err)
		}
		number = len(keys) + 1
		n, err := tx.InsertDataKey(ctx, int32(number), wrapped, s.now()) //nolint:gosec // one more than rows
		if err != nil {
			return fmt.Errorf("data key %d: %w", number, err)
		}
		if n != 1 {
			return fmt.Errorf("data key %d: %w: somebody else has just made it", number, lifecycle.Conflict)
		}
		return s.audit(ctx, tx, dataKey, change{id: dataKeyID(number), on: "make", by: by}, "", "in use")
	})
	return number, err
}

const dataKey = "data key"

func dataKeyID(number int) string { return "data-key-" + strconv.Itoa(number) }

// resealChunk is how many things are sealed again in a transaction.
const resealChunk = 500

// Reseal seals again, under the newest data key, what is sealed under others, in
// chunks of one transaction each: whoever is interrupted begins again and finds
// the rest. told learns after each chunk how much is done of how much.
func (s *Service) Reseal(ctx context.Context, by lifecycle.Actor, told func(done, of int64)) (done int64, err error) {
	if err := keepsSafe(by); err != nil {
		return 0, err
	}
	newest := numbered(s.safe.Newest())
	of, err := s.store.CountSealedElse(ctx, newest)
	if err != nil {
		return 0, fmt.Errorf("count what to seal again: %w", err)
	}
	for {
		before := done
		var after lifecycle.CardID
		for more := true; more; {
			var n int
			if n, after, err = s.resealNumbers(ctx, newest, after); err != nil {
				return done, err
			}
			if more = n > 0; more {
				done += int64(n)
				told(done, of)
			}
		}
		n, err := s.resealDGIs(ctx, newest)
		if err != nil {
			return done, err
		}
		if done += int64(n); n > 0 {
			told(done, of)
		}
		for _, more := range []func(context.Context, []byte, string) (int, string, error){s.resealDocuments, s.resealScans} {
			for after := ""; ; told(done, of) {
				if n, after, err = more(ctx, newest, after); err != nil {
					return done, err
				}
				if n == 0 {
					break
				}
				done += int64(n)
			}
		}
		if done == before { // a round that found nothing, or only what others hold
			return done, s.store.InTx(ctx, func(tx store.Tx) error {
				detail := map[string]string{"sealed_again": strconv.FormatInt(done, 10)}
				return s.audit(ctx, tx, dataKey, change{id: dataKeyID(s.safe.Newest()), on: "reseal", by: by, detail: detail}, "in use", "in use")
			})
		}
	}
}

func (s *Service) resealNumbers(ctx context.Context, newest []byte, after lifecycle.CardID) (n int, last lifecycle.CardID, err error) {
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		rows, err := tx.LockNumbersSealedElse(ctx, newest, after, resealChunk)
		if err != nil || len(rows) == 0 {
			return err
		}
		ids, sealed := make([]string, len(rows)), make([][]byte, len(rows))
		for i, r := range rows {
			ids[i] = string(r.ID)
			if sealed[i], err = s.safe.ResealPAN(r.ID, r.PANSealed); err != nil {
				return err
			}
		}
		n, last = len(rows), rows[len(rows)-1].ID
		_, err = tx.ResealNumbers(ctx, ids, sealed)
		return err
	})
	if err != nil {
		return 0, after, fmt.Errorf("seal card numbers again: %w", err)
	}
	return n, last, nil
}

func (s *Service) resealDGIs(ctx context.Context, newest []byte) (n int, err error) {
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		rows, err := tx.LockDGIsSealedElse(ctx, newest, resealChunk)
		if err != nil || len(rows) == 0 {
			return err
		}
		batches, cards, sealed := make([]string, len(rows)), make([]string, len(rows)), make([][]byte, len(rows))
		for i, r := range rows {
			batches[i], cards[i] = string(r.BatchID), string(r.CardID)
			if sealed[i], err = s.safe.Reseal(dgisName, cards[i], r.DGIs); err != nil {
				return err
			}
		}
		n = len(rows)
		_, err = tx.ResealDGIs(ctx, batches, cards, sealed)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("seal cards' data again: %w", err)
	}
	return n, nil
}

func (s *Service) resealDocuments(ctx context.Context, newest []byte, after string) (n int, last string, err error) {
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		rows, err := tx.LockDocumentsSealedElse(ctx, newest, lifecycle.DossierID(after), resealChunk)
		if err != nil {
			return err
		}
		for _, r := range rows {
			sealed, err := s.safe.ResealDocumentNumber(r.ID, r.DocumentNumber)
			if err != nil {
				return err
			}
			if err := tx.ResealDocument(ctx, sealed, r.ID); err != nil {
				return err
			}
			n, last = n+1, string(r.ID)
		}
		return nil
	})
	if err != nil {
		return 0, after, fmt.Errorf("seal document numbers again: %w", err)
	}
	return n, last, nil
}

// resealScans takes few at a time: each is some megabytes.
func (s *Service) resealScans(ctx context.Context, newest []byte, after string) (n int, last string, err error) {
	const few = 8
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		rows, err := tx.LockScansSealedElse(ctx, newest, lifecycle.ScanID(after), few)
		if err != nil {
			return err
		}
		for _, r := range rows {
			sealed, err := s.safe.ResealScan(r.ID, r.Content)
			if err != nil {
				return err
			}
			if err := tx.ResealScan(ctx, sealed, r.ID); err != nil {
				return err
			}
			n, last = n+1, string(r.ID)
		}
		return nil
	})
	if err != nil {
		return 0, after, fmt.Errorf("seal scans again: %w", err)
	}
	return n, last, nil
}

// RetireDataKey erases the wrapped form of a data key under which nothing is sealed
// any more. The first is kept, because marks are made under it; nothing is sealed
// under it again either. A process that would is refused by the database.
func (s *Service) RetireDataKey(ctx context.Context, by lifecycle.Actor, number int) error {
	if err := keepsSafe(by); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.RetireDataKey(ctx, new(s.now()), int32(number)) //nolint:gosec // an unknown number changes nothing
		if err != nil {
			return fmt.Errorf("data key %d: %w", number, err)
		}
		if n != 1 {
			return fmt.Errorf("data key %d: %w: it is none, the newest, or retired already", number, lifecycle.Illegal)
		}
		left, err := tx.CountSealedUnder(ctx, numbered(number))
		if err != nil {
			return fmt.Errorf("data key %d: %w", number, err)
		}
		if left > 0 {
			return fmt.Errorf("data key %d: %w: %d things are sealed under it: seal them again first", number, lifecycle.Conflict, left)
		}
		return s.audit(ctx, tx, dataKey, change{id: dataKeyID(number), on: "retire", by: by}, "in use", "retired")
	})
}
