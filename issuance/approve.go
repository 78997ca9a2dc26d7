package issuance

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Approve lets a second person approve what they were shown. It fails with
// [lifecycle.Forbidden] for who requested, imported or edited it and with [lifecycle.Conflict] when
// the order, its holder or its company has changed since, or when somebody
// else was first.
func (s *Service) Approve(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID, shown [32]byte) error {
	return s.decide(ctx, by, id, shown, lifecycle.Approve, "")
}

// Refuse lets a second person refuse what they were shown, with a note for the
// requester.
func (s *Service) Refuse(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID, shown [32]byte, note string) error {
	if note == "" || len(note) > 500 {
		return &lifecycle.FieldError{Field: "note", Why: "say why, in at most 500 characters: the requester reads it"}
	}
	return s.decide(ctx, by, id, shown, lifecycle.Refuse, note)
}

func (s *Service) decide(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID, shown [32]byte, on lifecycle.Event, note string) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		o, err := tx.LockOrder(ctx, id)
		if err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
		if err := s.sameAsShownTx(ctx, tx, o, shown); err != nil {
			return err
		}
		if o.State != lifecycle.OrderSubmitted {
			return fmt.Errorf("order %s: %w: it is %s already", id, lifecycle.Conflict, o.State)
		}
		if err := s.moveOrder(ctx, tx, &o, on, by, map[string]string{"revision": strconv.Itoa(int(o.Revision))}); err != nil {
			return err
		}
		if err := noHandInItTx(ctx, tx, by, o.ID); err != nil {
			return err
		}
		decision := "approved"
		if on == lifecycle.Refuse {
			decision = "refused"
		}
		err = tx.InsertApproval(ctx, db.InsertApprovalParams{
			OrderID: o.ID, Revision: o.Revision, Decision: decision, RequestedBy: o.RequestedBy, DecidedBy: by.ID,
			ContentHash: shown[:], Note: note, DecidedAt: s.now(),
		})
		if err != nil {
			return fmt.Errorf("order %s: record decision: %w", id, err)
		}
		return s.followDecisionTx(ctx, tx, o, on, by)
	})
}

// noHandInItTx keeps four eyes also where the order names another requester: who
// imported it, asked for it first or edited it since may not decide on it.
func noHandInItTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, id lifecycle.OrderID) error {
	had, err := tx.HadAHand(ctx, string(id), by.ID)
	if err != nil {
		return fmt.Errorf("order %s: who brought it about: %w", id, err)
	}
	if had {
		return fmt.Errorf("order %s: %w: %s had a hand in it, somebody else must decide", id, lifecycle.Forbidden, by.ID)
	}
	return nil
}

// sameAsShownTx compares with what the approver saw, under locks that keep it so
// until the decision is committed.
func (s *Service) sameAsShownTx(ctx context.Context, tx store.Tx, o db.Order, shown [32]byte) error {
	h, err := tx.LockHolderForShare(ctx, o.HolderID)
	if err != nil {
		return fmt.Errorf("holder of order %s: %w", o.ID, err)
	}
	content, err := s.contentOf(ctx, tx.Queries, o, h)
	if err != nil {
		return err
	}
	now := content.Hash()
	if subtle.ConstantTimeCompare(now[:], shown[:]) != 1 {
		return fmt.Errorf("order %s: %w: it is not what was shown; look at it again", o.ID, lifecycle.Conflict)
	}
	return nil
}

// followDecisionTx moves the card or certificate along with its order.
func (s *Service) followDecisionTx(ctx context.Context, tx store.Tx, o db.Order, on lifecycle.Event, by lifecycle.Actor) error {
	switch {
	case o.Kind.HasCard():
		card, err := lockCardOfOrderTx(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		if err := s.moveCard(ctx, tx, &card, on, by, o.RequestedBy, nil); err != nil {
			return err
		}
		if o.Kind != lifecycle.OrderRegistration || on != lifecycle.Approve {
			return nil
		}
		return s.registerTx(ctx, tx, &o, &card)
	case o.Kind == lifecycle.OrderNewCertificate:
		cert, err := lockCertificateOfOrderTx(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		if err := s.moveCertificate(ctx, tx, &cert, on, by, o.RequestedBy, nil); err != nil {
			return err
		}
		if on != lifecycle.Approve {
			return nil
		}
		system := lifecycle.System("invitation")
		if err := s.moveCertificate(ctx, tx, &cert, lifecycle.Invite, system, "", nil); err != nil {
			return err
		}
		return s.moveOrder(ctx, tx, &o, lifecycle.Start, system, nil)
	}
	return nil
}

func lockCardOfOrderTx(ctx context.Context, tx store.Tx, id lifecycle.OrderID) (db.Card, error) {
	card, err := tx.CardByOrder(ctx, id)
	if err != nil {
		return card, fmt.Errorf("card of order %s: %w", id, err)
	}
	return tx.LockCard(ctx, card.ID)
}

func lockCertificateOfOrderTx(ctx context.Context, tx store.Tx, id lifecycle.OrderID) (db.Certificate, error) {
	cert, err := tx.CertificateByOrder(ctx, id)
	if err != nil {
		return cert, fmt.Errorf("certificate of order %s: %w", id, err)
	}
	return tx.LockCertificate(ctx, cert.ID)
}

// OrderEdit changes where a card goes, why it is ordered, what comes with it and
// what is charged.
type OrderEdit struct {
	Revision   int32 // the one that was edited
	Delivery   lifecycle.Delivery
	BranchCode string
	Reason     lifecycle.CardReason // of a replacement
	WithReader bool
	Waiver     string
}

// Edit changes an order that is not under way. An approval given before is void:
// whoever edited last has requested the order.
func (s *Service) Edit(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID, e OrderEdit) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		o, err := tx.LockOrder(ctx, id)
		if err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
		if !o.Kind.MakesCard() {
			return fmt.Errorf("order %s: %w: nothing of a %s can be edited", id, lifecycle.Illegal, o.Kind)
		}
		was := o.State
		if err := s.moveOrder(ctx, tx, &o, lifecycle.Edit, by, map[string]string{"revision": strconv.Itoa(int(e.Revision))}); err != nil {
			return err
		}
		if was == lifecycle.OrderApproved {
			card, err := lockCardOfOrderTx(ctx, tx, id)
			if err != nil {
				return err
			}
			if err := s.moveCard(ctx, tx, &card, lifecycle.Edit, by, "", nil); err != nil {
				return err
			}
		}
		return s.editTx(ctx, tx, by, o, e)
	})
}

func (s *Service) editTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o db.Order, e OrderEdit) error {
	product, err := s.productTx(ctx, tx.Queries, o.Product)
	if err != nil {
		return err
	}
	r := OrderRequest{Kind: o.Kind, Reason: e.Reason, WithReader: e.WithReader, Waiver: e.Waiver}
	if err := r.check(); err != nil {
		return err
	}
	delivery, branch, err := deliveryTx(ctx, tx, product, e.Delivery, e.BranchCode)
	if err != nil {
		return err
	}
	if o.Kind == lifecycle.OrderReplacementCard {
		card, err := tx.LockCard(ctx, deref(o.TargetCard))
		if err != nil {
			return fmt.Errorf("card %s: %w", deref(o.TargetCard), err)
		}
		if err := s.replaceTx(ctx, tx, by, &card, o.Kind, e.Reason); err != nil {
			return err
		}
	}
	edited := db.InsertOrderParams{Kind: o.Kind, Reason: string(r.Reason), WithReader: e.WithReader, Waiver: e.Waiver}
	if err := s.chargeTx(ctx, tx, &edited, product.Tariff); err != nil {
		return err
	}
	n, err := tx.EditOrder(ctx, db.EditOrderParams{
		Delivery: delivery, BranchID: branch, Reason: edited.Reason, FeeCents: edited.FeeCents, Currency: edited.Currency,
		WithReader: e.WithReader, ReaderFeeCents: edited.ReaderFeeCents, Waiver: e.Waiver, RequestedBy: by.ID, At: s.now(), ID: o.ID,
		Revision: e.Revision,
	})
	if err != nil {
		return fmt.Errorf("edit order %s: %w", o.ID, err)
	}
	if n != 1 {
		return fmt.Errorf("order %s: %w: it has been edited since revision %d", o.ID, lifecycle.Conflict, e.Revision)
	}
	return tx.SetCardDelivery(ctx, *delivery, branch, o.ID)
}

// BulkResult is one row of a bulk decision.
type BulkResult struct {
	Order lifecycle.OrderID
	Err   error
}

// ApproveMany approves each order as it was shown, one transaction a row, and
// answers row by row: a row that fails stops no other.
func (s *Service) ApproveMany(ctx context.Context, by lifecycle.Actor, shown map[lifecycle.OrderID][32]byte) []BulkResult {
	results := make([]BulkResult, 0, len(shown))
	for id, hash := range shown {
		err := s.Approve(ctx, by, id, hash)
		results = append(results, BulkResult{Order: id, Err: err})
		if errors.Is(err, context.Canceled) {
			break
		}
	}
	return results
}
