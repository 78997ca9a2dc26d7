package issuance

import (
	"context"
	"crypto/subtle"
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
		o, its, err := lockOrderTx(ctx, tx, id)
		if err != nil {
			return err
		}
		content, err := s.sameAsShownTx(ctx, tx, o, shown)
		if err != nil {
			return err
		}
		if o.State != lifecycle.OrderSubmitted {
			return fmt.Errorf("order %s: %w: it is %s already", id, lifecycle.Conflict, o.State)
		}
		if err := s.moveOrder(ctx, tx, &o, on, by, map[string]string{"revision": strconv.Itoa(int(o.Revision))}); err != nil {
			return err
		}
		if err := noHandInItTx(ctx, tx, by, "order", string(o.ID)); err != nil {
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
		if its.certificate != nil && on == lifecycle.Approve {
			if err := setProfileTx(ctx, tx, its.certificate, content.ProfileVersion); err != nil {
				return err
			}
			if content.Dossier != nil {
				if err := s.relyTx(ctx, tx, by, its.certificate, content.Dossier); err != nil {
					return fmt.Errorf("order %s: %w", id, err)
				}
			}
		}
		return s.followDecisionTx(ctx, tx, o, its, on, by)
	})
}

// noHandInItTx keeps four eyes also where the order names another requester: who
// imported it, asked for it first or edited it since may not decide on it; nor who
// opened the dossier that it relies on or brought evidence there.
func noHandInItTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, thing, id string) error {
	had, err := tx.HadAHand(ctx, id, by.ID)
	if err != nil {
		return fmt.Errorf("%s %s: who brought it about: %w", thing, id, err)
	}
	if had {
		return fmt.Errorf("%s %s: %w: %s had a hand in it, somebody else must decide", thing, id, lifecycle.Forbidden, by.ID)
	}
	return nil
}

// sameAsShownTx compares with what the approver saw, under locks that keep it so
// until the decision is committed.
func (s *Service) sameAsShownTx(ctx context.Context, tx store.Tx, o db.Order, shown [32]byte) (OrderContent, error) {
	h, err := tx.LockHolderForShare(ctx, o.HolderID)
	if err != nil {
		return OrderContent{}, fmt.Errorf("holder of order %s: %w", o.ID, err)
	}
	if o.Kind == lifecycle.OrderNewCertificate { // no evidence comes or goes until the decision is committed
		if _, err := tx.LockLiveDossier(ctx, h.ID); err != nil && !isNotFound(err) {
			return OrderContent{}, fmt.Errorf("dossier of order %s: %w", o.ID, err)
		}
	}
	content, err := s.contentOf(ctx, tx.Queries, o, h)
	if err != nil {
		return content, err
	}
	now := content.Hash()
	if subtle.ConstantTimeCompare(now[:], shown[:]) != 1 {
		return content, fmt.Errorf("order %s: %w: it is not what was shown; look at it again", o.ID, lifecycle.Conflict)
	}
	return content, nil
}

// follow is a move that a decision on an order entails: of what the order makes, or
// of the order itself.
type follow struct {
	on    lifecycle.Event
	by    lifecycle.Actor
	order bool
}

// follows are the moves that a decision entails behind the order's own, one after the
// other: the same for an order by itself and among many.
func follows(o db.Order, on lifecycle.Event, by lifecycle.Actor) []follow {
	if !o.Kind.HasCard() && o.Kind != lifecycle.OrderNewCertificate {
		return nil
	}
	all := []follow{{on: on, by: by}}
	switch {
	case on != lifecycle.Approve:
	case o.InHouse: // no batch finds it among the approved
		all = append(all, follow{on: lifecycle.KeepInHouse, by: lifecycle.System("in-house")})
	case o.Kind == lifecycle.OrderRegistration: // its holder has the card: the first right code activates it
		system := lifecycle.System("registration")
		all = append(all, follow{lifecycle.Start, system, true}, follow{on: lifecycle.Register, by: system}, follow{lifecycle.Complete, system, true})
	case o.Kind == lifecycle.OrderNewCertificate:
		system := lifecycle.System("invitation")
		all = append(all, follow{on: lifecycle.Invite, by: system}, follow{lifecycle.Start, system, true})
	}
	return all
}

// followDecisionTx moves the card or certificate along with its order.
func (s *Service) followDecisionTx(ctx context.Context, tx store.Tx, o db.Order, its ordered, on lifecycle.Event, by lifecycle.Actor) error {
	for _, f := range follows(o, on, by) {
		var err error
		switch {
		case f.order:
			err = s.moveOrder(ctx, tx, &o, f.on, f.by, nil)
		case its.card != nil:
			err = s.moveCard(ctx, tx, its.card, f.on, f.by, o.RequestedBy, nil)
		default:
			err = s.moveCertificate(ctx, tx, its.certificate, f.on, f.by, o.RequestedBy, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ordered is the card or certificate of an order, and the card that it replaces; one
// that is about a card made before has neither.
type ordered struct {
	card, replaced *db.Card
	certificate    *db.Certificate
}

// lockOrderTx locks an order behind what it makes and replaces. Whoever locks
// several rows takes campaign, batch, cards or certificate, letters, orders, holders
// and dossiers one after the other, of each kind the lowest identifier first: so no two
// wait for each other.
func lockOrderTx(ctx context.Context, tx store.Tx, id lifecycle.OrderID) (o db.Order, its ordered, err error) {
	if o, err = tx.Order(ctx, id); err != nil {
		return o, its, fmt.Errorf("order %s: %w", id, err)
	}
	switch { // which card or certificate it is never changes
	case o.Kind.HasCard():
		if its.card, its.replaced, err = lockCardsTx(ctx, tx, o); err != nil {
			return o, its, fmt.Errorf("cards of order %s: %w", id, err)
		}
	case o.Kind == lifecycle.OrderNewCertificate:
		cert, err := tx.CertificateByOrder(ctx, id)
		if err == nil {
			cert, err = tx.LockCertificate(ctx, cert.ID)
		}
		if err != nil {
			return o, its, fmt.Errorf("certificate of order %s: %w", id, err)
		}
		its.certificate = &cert
	}
	if o, err = tx.LockOrder(ctx, id); err != nil {
		return o, its, fmt.Errorf("order %s: %w", id, err)
	}
	return o, its, nil
}

// lockCardsTx locks the card of an order, and the one that it replaces.
func lockCardsTx(ctx context.Context, tx store.Tx, o db.Order) (card, replaced *db.Card, err error) {
	made, err := tx.CardByOrder(ctx, o.ID)
	if err != nil {
		return nil, nil, err
	}
	locked, err := tx.LockCards(ctx, []string{string(made.ID), string(deref(o.TargetCard))})
	for i := range locked {
		if locked[i].ID == made.ID {
			card = &locked[i]
		} else {
			replaced = &locked[i]
		}
	}
	return card, replaced, err
}

// OrderEdit changes where a card goes, why it is ordered, what comes with it and
// what is charged.
type OrderEdit struct {
	Revision   int32 // the one that was edited
	Delivery   lifecycle.Delivery
	BranchCode string
	InHouse    bool                 // made at that branch
	Reason     lifecycle.CardReason // of a replacement
	WithReader bool
	Waiver     string
}

// Edit changes an order that is not under way. An approval given before is void:
// whoever edited last has requested the order.
func (s *Service) Edit(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID, e OrderEdit) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		o, its, err := lockOrderTx(ctx, tx, id)
		if err != nil {
			return err
		}
		if !o.Kind.MakesCard() {
			return fmt.Errorf("order %s: %w: nothing of a %s can be edited", id, lifecycle.Illegal, o.Kind)
		}
		was := o.State
		if err := s.moveOrder(ctx, tx, &o, lifecycle.Edit, by, map[string]string{"revision": strconv.Itoa(int(e.Revision))}); err != nil {
			return err
		}
		if was == lifecycle.OrderApproved {
			if err := s.moveCard(ctx, tx, its.card, lifecycle.Edit, by, "", nil); err != nil {
				return err
			}
		}
		return s.editTx(ctx, tx, by, o, its, e)
	})
}

func (s *Service) editTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o db.Order, its ordered, e OrderEdit) error {
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
	inHouse, err := product.madeInHouse(e.InHouse, e.Delivery)
	if err != nil {
		return err
	}
	if o.Kind == lifecycle.OrderReplacementCard {
		if err := s.replaceTx(ctx, tx, by, its.replaced, o.Kind, e.Reason); err != nil {
			return err
		}
	}
	edited := db.InsertOrderParams{Kind: o.Kind, Reason: string(r.Reason), WithReader: e.WithReader, Waiver: e.Waiver}
	if err := s.chargeTx(ctx, tx, &edited, product.Tariff); err != nil {
		return err
	}
	n, err := tx.EditOrder(ctx, db.EditOrderParams{
		Delivery: delivery, BranchID: branch, InHouse: inHouse, Reason: edited.Reason, FeeCents: edited.FeeCents, Currency: edited.Currency,
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
