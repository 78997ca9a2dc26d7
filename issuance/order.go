package issuance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// OrderRequest asks for a card, a certificate, a reset of the PIN try counter,
// or to take in a card that the bank's card system made.
type OrderRequest struct {
	Kind       lifecycle.OrderKind
	Holder     lifecycle.HolderID
	Product    string           // of a new or registered card; "" for the policy's
	TargetCard lifecycle.CardID // of what is replaced, or gets a script; of a registration, optional
	Reason     lifecycle.CardReason
	Delivery   lifecycle.Delivery // of cards that are made
	BranchCode string             // delivery to a branch; the branch where a script is given
	InHouse    bool               // made at that branch's terminal, not by a bureau
	Identity   string             // document that proved the holder's identity: PIN-counter reset, PIN change
	WithReader bool
	Waiver     string // why the fee is waived: the approver approves that too
	Registers  *RegisteredCard
	Profile    string // of a certificate; "" for the policy's
	Service    string // of a system's certificate: its name; the holder answers for it
	Urgent     bool   // it goes to the bureau before others
	Reference  string // the caller's own, unique; "" for none
	importID   lifecycle.ImportID
}

// Submit records an order and the card or certificate it will make, waiting
// for approval. A replacement for a card that may be in wrong hands opposes
// that card at once.
func (s *Service) Submit(ctx context.Context, by lifecycle.Actor, r OrderRequest) (lifecycle.OrderID, error) {
	var id lifecycle.OrderID
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		var err error
		id, err = s.submitTx(ctx, tx, by, r)
		return err
	})
	return id, err
}

func (s *Service) submitTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, r OrderRequest) (lifecycle.OrderID, error) {
	if err := mayOrder(by); err != nil {
		return "", err
	}
	if r.Kind == lifecycle.OrderNewCertificate && r.Profile == "" {
		r.Profile = s.policy.CertProfile
	}
	o, err := s.draftOrder(ctx, tx, by, r)
	if err != nil {
		return "", err
	}
	if err := tx.InsertOrder(ctx, o); err != nil {
		if errors.Is(err, lifecycle.Conflict) {
			return "", &lifecycle.FieldError{Field: "reference", Why: "an order with this reference exists: give each order its own"}
		}
		return "", fmt.Errorf("insert order: %w", err)
	}
	if r.Identity != "" {
		if err := tx.InsertIdentityProof(ctx, o.ID, r.Identity); err != nil {
			return "", fmt.Errorf("order %s: %w", o.ID, err)
		}
	}
	detail := map[string]string{"kind": string(o.Kind), "holder": string(o.HolderID)}
	if err := s.born(ctx, tx, "order", string(o.ID), string(o.State), by, detail); err != nil {
		return "", err
	}
	switch {
	case o.Kind.MakesCard():
		err = s.newCardTx(ctx, tx, by, o)
	case o.Kind == lifecycle.OrderRegistration:
		err = s.registeredCardTx(ctx, tx, by, o, r.Registers)
	case o.Kind == lifecycle.OrderNewCertificate:
		err = s.newCertificateTx(ctx, tx, by, o, r)
	}
	return o.ID, err
}

func mayOrder(by lifecycle.Actor) error {
	if lifecycle.Orders.Can(lifecycle.OrderSubmitted, lifecycle.Edit) {
		if _, err := lifecycle.Orders.Next(lifecycle.OrderSubmitted, lifecycle.Edit, by.Role); err != nil {
			return fmt.Errorf("%w: %s may not order", lifecycle.Forbidden, by.Role)
		}
	}
	return nil
}

// draftOrder validates a request against what is known and fills the fee.
func (s *Service) draftOrder(ctx context.Context, tx store.Tx, by lifecycle.Actor, r OrderRequest) (db.InsertOrderParams, error) {
	var none db.InsertOrderParams
	if err := r.check(); err != nil {
		return none, err
	}
	o := db.InsertOrderParams{
		ID: lifecycle.OrderID(s.newID(lifecycle.PrefixOrder)), Kind: r.Kind, State: lifecycle.OrderSubmitted, HolderID: r.Holder,
		Product: r.Product, Reason: string(r.Reason), Currency: "EUR", RequestedBy: by.ID, WithReader: r.WithReader, Waiver: r.Waiver,
		Urgency: lifecycle.Standard, CreatedAt: s.now(),
	}
	if r.Urgent {
		o.Urgency = lifecycle.Urgent
	}
	if r.Reference != "" {
		o.Reference = &r.Reference
	}
	if r.importID != "" {
		o.ImportID = &r.importID
	}
	if _, script := scriptEvent(r.Kind); script || r.TargetCard != "" || r.Kind.Replaces() {
		if err := s.targetTx(ctx, tx, by, r, &o); err != nil {
			return none, err
		}
	}
	holder, err := tx.Holder(ctx, o.HolderID)
	if err != nil {
		return none, fmt.Errorf("holder %s: %w", o.HolderID, err)
	}
	if !r.Kind.HasCard() {
		if _, script := scriptEvent(r.Kind); script && r.BranchCode != "" { // whose terminal gives it
			branch, err := tx.BranchByCode(ctx, r.BranchCode)
			if err != nil {
				return none, noBranch(err)
			}
			o.BranchID = &branch.ID
		}
		if r.Kind == lifecycle.OrderNewCertificate {
			if err := checkProfileTx(ctx, tx, r); err != nil {
				return none, err
			}
		}
		o.Product = ""
		return o, s.chargeTx(ctx, tx, &o, "")
	}
	if o.Product == "" {
		o.Product = s.policy.Product
	}
	product, err := s.productTx(ctx, tx.Queries, o.Product)
	if err != nil {
		return none, err
	}
	if r.Kind.MakesCard() {
		// Said now, to whoever can choose a short form, not when its batch is at
		// the bureau's door.
		if _, err := party.EmbossName(holder.GivenName, holder.Surname); err != nil {
			return none, err
		}
		if o.Delivery, o.BranchID, err = deliveryTx(ctx, tx, product, r.Delivery, r.BranchCode); err != nil {
			return none, err
		}
		if o.InHouse, err = product.madeInHouse(r.InHouse, r.Delivery); err != nil {
			return none, err
		}
	}
	if made := product.Kind == lifecycle.AuthenticationCard; made != r.Kind.MakesCard() {
		return none, &lifecycle.FieldError{Field: "card_product", Why: fmt.Sprintf("%s is a %s: it is registered when the bank's card system makes it, ordered when this house does", product.Code, product.Kind)}
	}
	return o, s.chargeTx(ctx, tx, &o, product.Tariff)
}

// check says what is wrong with a request by itself.
func (r *OrderRequest) check() error {
	if !slices.Contains(lifecycle.OrderKinds(), r.Kind) {
		return &lifecycle.FieldError{Field: "kind", Why: "use new_card, replacement_card, renewal, pin_reissue, card_registration, pin_counter_reset, pin_change or new_certificate"}
	}
	if err := errors.Join(checkReference(r.Reference), checkIdentity(*r)); err != nil {
		return err
	}
	if len(r.Waiver) > maxNote {
		return &lifecycle.FieldError{Field: "waiver", Why: "say why in at most 500 characters"}
	}
	if r.WithReader && !r.Kind.HasCard() {
		return &lifecycle.FieldError{Field: "with_reader", Why: "a reader comes with a card"}
	}
	if r.InHouse && !r.Kind.MakesCard() {
		return &lifecycle.FieldError{Field: "in_house", Why: "only a card that is made is made at a branch"}
	}
	if r.Kind != lifecycle.OrderNewCertificate && (r.Profile != "" || r.Service != "") {
		return &lifecycle.FieldError{Field: "profile", Why: "only certificates have a profile, and name a service"}
	}
	if (r.Kind == lifecycle.OrderRegistration) != (r.Registers != nil) {
		return &lifecycle.FieldError{Field: "pan", Why: "a registration, and nothing else, names a card that is made already"}
	}
	switch r.Kind { // their reason is their kind's, whatever was asked
	case lifecycle.OrderRenewal:
		r.Reason = lifecycle.CardRenewed
	case lifecycle.OrderPINReissue:
		r.Reason = lifecycle.CardPINForgotten
	case lifecycle.OrderNewCard, lifecycle.OrderReplacementCard, lifecycle.OrderPINReset, lifecycle.OrderPINChange, lifecycle.OrderNewCertificate, lifecycle.OrderRegistration:
	}
	return nil
}

// checkReference bounds the caller's own reference, which is shown, exported and
// logged as it came.
func checkReference(r string) error {
	hidden := func(c rune) bool { return !unicode.IsPrint(c) || c == utf8.RuneError }
	switch {
	case len(r) > 64:
		return &lifecycle.FieldError{Field: "reference", Why: "a reference has at most 64 characters"}
	case strings.ContainsFunc(r, hidden):
		return &lifecycle.FieldError{Field: "reference", Why: "a reference has only characters that print"}
	case r != "" && strings.ContainsRune("=+-@", rune(r[0])): // a spreadsheet would compute it
		return &lifecycle.FieldError{Field: "reference", Why: "a reference begins with none of = + - @"}
	}
	return nil
}

// targetTx checks the card that a replacement or a reset is about.
func (s *Service) targetTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, r OrderRequest, o *db.InsertOrderParams) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCard, string(r.TargetCard)); err != nil {
		return &lifecycle.FieldError{Field: "card", Why: err.Error()}
	}
	card, err := tx.LockCard(ctx, r.TargetCard)
	if err != nil {
		return fmt.Errorf("card %s: %w", r.TargetCard, err)
	}
	if o.HolderID != "" && o.HolderID != card.HolderID {
		return &lifecycle.FieldError{Field: "card", Why: "this card belongs to another holder"}
	}
	o.HolderID, o.TargetCard = card.HolderID, &card.ID
	if event, script := scriptEvent(r.Kind); script {
		if !lifecycle.Cards.Can(card.State, event) {
			return fmt.Errorf("%w: cannot %s a card that is %s", lifecycle.Illegal, event, card.State)
		}
		return nil
	}
	if !r.Kind.Replaces() && r.Kind != lifecycle.OrderRegistration {
		return &lifecycle.FieldError{Field: "card", Why: "a " + string(r.Kind) + " is about no card that is there"}
	}
	if o.Product == "" {
		o.Product = card.Product
	}
	return s.replaceTx(ctx, tx, by, &card, r.Kind, r.Reason)
}

// replaceTx judges whether and why a card is replaced, and stops at once one that
// may be in wrong hands, or that nobody has used yet: of two on their way to
// one holder, one is worthless.
func (s *Service) replaceTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, card *db.Card, kind lifecycle.OrderKind, reason lifecycle.CardReason) error {
	if kind == lifecycle.OrderReplacementCard && !slices.Contains(lifecycle.ReplacementReasons(), reason) {
		return &lifecycle.FieldError{Field: "reason", Why: "use lost, stolen, fraud, damaged, pin_blocked, name_change or not_received"}
	}
	switch card.State {
	case lifecycle.CardOpposed:
		if kind == lifecycle.OrderReplacementCard || kind == lifecycle.OrderRegistration {
			return nil
		}
	case lifecycle.CardActive, lifecycle.CardSuspended, lifecycle.CardPINLocked:
		if !wrongHands(reason) {
			return nil
		}
		_, err := s.opposeTx(ctx, tx, by, card, reason)
		return err
	case lifecycle.CardPosted, lifecycle.CardAtBranch, lifecycle.CardReceived:
		if kind != lifecycle.OrderRenewal {
			_, err := s.opposeTx(ctx, tx, by, card, reason)
			return err
		}
	case lifecycle.CardPersonalising, lifecycle.CardPersonalised, lifecycle.CardWithBureau, lifecycle.CardWriting, lifecycle.CardMade:
		if wrongHands(reason) {
			_, err := s.opposeTx(ctx, tx, by, card, reason)
			return err
		}
	case lifecycle.CardOrdered, lifecycle.CardApproved, lifecycle.CardInHouse, lifecycle.CardExpired, lifecycle.CardCancelled, lifecycle.CardDestroyed:
	}
	return fmt.Errorf("%w: a card that is %s gets no %s", lifecycle.Illegal, card.State, kind)
}

// wrongHands tells whether a card lost for this reason may be used by somebody
// else.
func wrongHands(r lifecycle.CardReason) bool {
	switch r {
	case lifecycle.CardLost, lifecycle.CardStolen, lifecycle.CardFraud, lifecycle.CardNotReceived, lifecycle.CardDeath:
		return true
	case lifecycle.CardDamaged, lifecycle.CardPINBlocked, lifecycle.CardNameChange, lifecycle.CardEndOfService, lifecycle.CardPINForgotten,
		lifecycle.CardRenewed, lifecycle.CardOrderEnded:
	}
	return false
}

func deliveryTx(ctx context.Context, tx store.Tx, p Product, d lifecycle.Delivery, branchCode string) (*lifecycle.Delivery, *lifecycle.BranchID, error) {
	if (d == lifecycle.DeliverHome || d == lifecycle.DeliverBranch) && !slices.Contains(p.Deliveries, d) {
		return nil, nil, &lifecycle.FieldError{Field: "delivery", Why: fmt.Sprintf("%s is not delivered %s", p.Code, d)}
	}
	switch d {
	case lifecycle.DeliverHome:
		return &d, nil, nil
	case lifecycle.DeliverBranch:
		branch, err := tx.BranchByCode(ctx, branchCode)
		if err != nil {
			return nil, nil, noBranch(err)
		}
		return &d, &branch.ID, nil
	}
	return nil, nil, &lifecycle.FieldError{Field: "delivery", Why: "use home or branch"}
}

// noBranch names the field of an unknown branch; a database that is away stays
// what it is.
func noBranch(err error) error {
	if isNotFound(err) {
		return &lifecycle.FieldError{Field: "branch", Why: "no branch has this code"}
	}
	return fmt.Errorf("branch: %w", err)
}

func (s *Service) newCardTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o db.InsertOrderParams) error {
	product, err := s.productTx(ctx, tx.Queries, o.Product)
	if err != nil {
		return err
	}
	n, err := tx.NextPANNumber(ctx)
	if err != nil {
		return fmt.Errorf("draw card number: %w", err)
	}
	pan, err := s.cardNumber(n)
	if err != nil {
		return err
	}
	return s.bornCardTx(ctx, tx, by, o, product, RegisteredCard{PAN: pan, PSN: 1, Expiry: cardExpiry(s.now(), product.Validity)})
}

// cardNumber is the nth card number of the bank.
func (s *Service) cardNumber(n int64) (lifecycle.PAN, error) {
	body := fmt.Sprintf("%s%0*d", s.policy.IIN, 15-len(s.policy.IIN), n)
	if len(body) != 15 {
		return lifecycle.PAN{}, fmt.Errorf("card numbers under %s are used up: take another IIN", s.policy.IIN)
	}
	pan, err := lifecycle.NewPAN(body + string(lifecycle.LuhnDigit(body)))
	if err != nil {
		return pan, fmt.Errorf("draw card number: %w", err)
	}
	return pan, nil
}

// bornCardTx writes an order's card. One that replaces another takes its place,
// where nothing else may be on its way.
func (s *Service) bornCardTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o db.InsertOrderParams, p Product, c RegisteredCard) error {
	id := lifecycle.CardID(s.newID(lifecycle.PrefixCard))
	sealed, mark, err := s.safe.SealPAN(id, c.PAN)
	if err != nil {
		return err
	}
	row := db.InsertCardParams{
		ID: id, OrderID: o.ID, HolderID: o.HolderID, State: lifecycle.CardOrdered, Product: p.Code, Profile: p.CAPProfile,
		PANSealed: sealed, PANMark: mark, Last4: c.PAN.Last4(), PSN: int32(c.PSN), Expiry: c.Expiry, Delivery: lifecycle.DeliverHome, //nolint:gosec // 1 to 99
		BranchID: o.BranchID, Place: id, CreatedAt: s.now(),
	}
	if o.Delivery != nil {
		row.Delivery = *o.Delivery
	}
	if o.TargetCard != nil {
		old, err := tx.Card(ctx, *o.TargetCard)
		if err != nil {
			return fmt.Errorf("card %s: %w", *o.TargetCard, err)
		}
		row.Replaces, row.Place = &old.ID, old.Place
	}
	err = tx.InsertCard(ctx, row)
	if errors.Is(err, lifecycle.Conflict) {
		if o.Kind == lifecycle.OrderRegistration {
			return fmt.Errorf("%w: a card of this number and sequence, or another one in its place, is here already", lifecycle.Conflict)
		}
		return fmt.Errorf("card %s: %w: another card is on its way in its place", deref(o.TargetCard), lifecycle.Conflict)
	}
	if err != nil {
		return fmt.Errorf("insert card: %w", err)
	}
	return s.born(ctx, tx, "card", string(id), string(lifecycle.CardOrdered), by, nil)
}

// cardExpiry is the last day of the month in which the validity ends: that is
// what YYMM on a card means.
func cardExpiry(now time.Time, months int) time.Time {
	return time.Date(now.Year(), now.Month()+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC)
}

func isNotFound(err error) bool { return errors.Is(err, lifecycle.NotFound) }
