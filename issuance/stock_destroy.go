package issuance

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// DestructionView is a destruction, as its certificate tells it.
type DestructionView struct {
	ID                      lifecycle.DestructionID
	State                   lifecycle.DestructionState
	Item                    StockItem
	Place                   string
	PlaceName               string
	Goods                   Goods
	Method, Reason          string
	ProposedBy, DestroyedBy string // names of staff, of their logins where they have none
	Proposed, Destroyed     time.Time
}

// ProposeDestruction lists rejected goods that are to be destroyed, how and why.
// Nothing is destroyed before somebody else has looked at the same list.
func (s *Service) ProposeDestruction(ctx context.Context, by lifecycle.Actor, at StockAt, goods Goods, method, reason string) (lifecycle.DestructionID, error) {
	id := lifecycle.DestructionID(s.newID(lifecycle.PrefixDestruction))
	if err := checkCertified(map[string]string{"method": method, "why": reason}); err != nil {
		return "", err
	}
	err := s.withStock(ctx, by, at, func(tx store.Tx, row db.StockItem) error {
		item := stockItemOf(row)
		goods, err := item.named(goods)
		if err != nil {
			return err
		}
		// To find a wrong list now: the goods stay where they are.
		there, err := s.atTx(ctx, tx, row, spot{at.Place, lifecycle.StockRejected}, goods)
		if err != nil {
			return err
		}
		if short := goods.minus(there); short.Quantity > 0 {
			return &lifecycle.FieldError{Field: "goods", Why: fmt.Sprintf("%s is not among what is rejected at %s: reject it first", item.Text(short), at.Place)}
		}
		err = tx.InsertDestruction(ctx, db.InsertDestructionParams{
			ID: id, State: lifecycle.DestructionProposed, Item: row.Code, Place: at.Place, Goods: pack(goods), Reason: reason, Method: method,
			ProposedBy: by.ID, ProposedAt: s.now(),
		})
		if err != nil {
			return fmt.Errorf("destruction %s: %w", id, err)
		}
		return s.born(ctx, tx, lifecycle.Destructions.Thing, string(id), string(lifecycle.DestructionProposed), by, map[string]string{
			"item": row.Code, "place": at.Place, "goods": item.Text(goods), "method": method, "reason": reason,
		})
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// ConfirmDestruction records that a second person saw the goods destroyed. The
// certificate tells it.
func (s *Service) ConfirmDestruction(ctx context.Context, by lifecycle.Actor, id lifecycle.DestructionID) error {
	return s.withDestruction(ctx, id, func(tx store.Tx, d *db.StockDestruction) error {
		if d.ProposedBy == by.ID {
			return fmt.Errorf("destruction %s: %w: %s proposed it, somebody else must see it done", id, lifecycle.Forbidden, by.ID)
		}
		d.DestroyedBy, d.DestroyedAt = by.ID, new(s.now())
		if err := s.moveDestruction(ctx, tx, d, lifecycle.Destroy, by); err != nil {
			return err
		}
		goods, err := unpack[Goods](d.Goods)
		if err != nil {
			return err
		}
		item, err := lockItemTx(ctx, tx, d.Item)
		if err != nil {
			return err
		}
		_, err = s.transferTx(ctx, tx, by, item, transfer{
			on: lifecycle.Destroy, from: spot{d.Place, lifecycle.StockRejected}, to: spot{d.Place, lifecycle.StockDestroyed}, goods: goods,
			reference: string(id), reason: d.Reason,
		})
		return err
	})
}

// CancelDestruction withdraws a destruction that was only proposed.
func (s *Service) CancelDestruction(ctx context.Context, by lifecycle.Actor, id lifecycle.DestructionID) error {
	return s.withDestruction(ctx, id, func(tx store.Tx, d *db.StockDestruction) error {
		return s.moveDestruction(ctx, tx, d, lifecycle.Cancel, by)
	})
}

// Destruction reads a destruction with all that its certificate tells.
func (s *Service) Destruction(ctx context.Context, id lifecycle.DestructionID) (DestructionView, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixDestruction, string(id)); err != nil {
		return DestructionView{}, err
	}
	d, err := s.store.Destruction(ctx, id)
	if err != nil {
		return DestructionView{}, fmt.Errorf("destruction %s: %w", id, err)
	}
	item, err := s.store.StockItem(ctx, d.Item)
	if err != nil {
		return DestructionView{}, fmt.Errorf("stock item %s: %w", d.Item, err)
	}
	place, err := s.store.StockPlace(ctx, d.Place)
	if err != nil {
		return DestructionView{}, fmt.Errorf("place %s: %w", d.Place, err)
	}
	goods, err := unpack[Goods](d.Goods)
	if err != nil {
		return DestructionView{}, err
	}
	view := DestructionView{
		ID: d.ID, State: d.State, Item: stockItemOf(item), Place: d.Place, PlaceName: place.Name, Goods: goods, Method: d.Method, Reason: d.Reason,
		Proposed: d.ProposedAt, Destroyed: deref(d.DestroyedAt),
	}
	for login, name := range map[string]*string{d.ProposedBy: &view.ProposedBy, d.DestroyedBy: &view.DestroyedBy} {
		if *name = login; login == "" {
			continue
		}
		person, err := s.store.StaffByLogin(ctx, login)
		if err != nil && !isNotFound(err) {
			return DestructionView{}, fmt.Errorf("staff %s: %w", login, err)
		}
		if err == nil {
			*name = person.Name
		}
	}
	return view, nil
}

func (s *Service) withDestruction(ctx context.Context, id lifecycle.DestructionID, work func(tx store.Tx, d *db.StockDestruction) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixDestruction, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		d, err := tx.LockDestruction(ctx, id)
		if err != nil {
			return fmt.Errorf("destruction %s: %w", id, err)
		}
		return work(tx, &d)
	})
}

func (s *Service) moveDestruction(ctx context.Context, tx store.Tx, d *db.StockDestruction, on lifecycle.Event, by lifecycle.Actor) error {
	to, err := apply(ctx, s, tx, lifecycle.Destructions, d.State, change{id: string(d.ID), on: on, by: by},
		func(to lifecycle.DestructionState) (int64, error) {
			return tx.SetDestruction(ctx, db.SetDestructionParams{
				ToState: to, DestroyedBy: d.DestroyedBy, DestroyedAt: d.DestroyedAt, ID: d.ID, FromState: d.State,
			})
		}, noJob)
	d.State = to
	return err
}

// checkCertified bounds texts that a certificate shows, in its letters.
func checkCertified(texts map[string]string) error {
	const most, latin = 200, 0x17F // the last of Latin Extended-A
	var errs lifecycle.FieldErrors
	for field, text := range texts {
		strange := strings.ContainsFunc(text, func(r rune) bool { return r > latin || !unicode.IsPrint(r) })
		if text == "" || len(text) > most || strange {
			errs.Add(field, fmt.Sprintf("write at most %d Latin letters on one line: the certificate shows it", most))
		}
	}
	return errs.Err()
}
