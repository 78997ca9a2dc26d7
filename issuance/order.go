package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/json"
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

// OrderRequest asks for a card, a certificate, a replacement or a reset of the
// PIN try counter.
type OrderRequest struct {
	Kind       lifecycle.OrderKind
	Holder     lifecycle.HolderID
	TargetCard lifecycle.CardID // replacement, PIN-counter reset, PIN change
	Reason     lifecycle.CardReason
	Delivery   lifecycle.Delivery // cards
	BranchCode string             // delivery to a branch
	Identity   string             // document that proved the holder's identity: PIN-counter reset, PIN change
	Reference  string             // the caller's own, unique; "" for none
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
	switch o.Kind {
	case lifecycle.OrderNewCard, lifecycle.OrderReplacementCard:
		err = s.newCardTx(ctx, tx, by, o)
	case lifecycle.OrderNewCertificate:
		err = s.newCertificateTx(ctx, tx, by, o)
	case lifecycle.OrderPINReset, lifecycle.OrderPINChange:
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
	if !slices.Contains(lifecycle.OrderKinds(), r.Kind) {
		return none, &lifecycle.FieldError{Field: "kind", Why: "use new_card, replacement_card, pin_counter_reset, pin_change or new_certificate"}
	}
	if err := errors.Join(checkReference(r.Reference), checkIdentity(r)); err != nil {
		return none, err
	}
	o := db.InsertOrderParams{
		ID: lifecycle.OrderID(s.newID(lifecycle.PrefixOrder)), Kind: r.Kind, State: lifecycle.OrderSubmitted,
		HolderID: r.Holder, Reason: string(r.Reason), Currency: "EUR", RequestedBy: by.ID, CreatedAt: s.now(),
	}
	if r.Reference != "" {
		o.Reference = &r.Reference
	}
	if r.importID != "" {
		o.ImportID = &r.importID
	}
	var err error
	if _, script := scriptEvent(r.Kind); script || r.Kind == lifecycle.OrderReplacementCard {
		if o.TargetCard, err = s.targetCardTx(ctx, tx, by, r, &o.HolderID); err != nil {
			return none, err
		}
	}
	holder, err := tx.Holder(ctx, o.HolderID)
	if err != nil {
		return none, fmt.Errorf("holder %s: %w", o.HolderID, err)
	}
	if r.Kind == lifecycle.OrderNewCard || r.Kind == lifecycle.OrderReplacementCard {
		// Said now, to whoever can choose a short form, not when its batch is at
		// the bureau's door.
		if _, err := party.EmbossName(holder.GivenName, holder.Surname); err != nil {
			return none, err
		}
		if o.Delivery, o.BranchID, err = deliveryTx(ctx, tx, r.Delivery, r.BranchCode); err != nil {
			return none, err
		}
	}
	o.FeeCents, o.Currency, err = s.feeTx(ctx, tx, r.Kind, r.Reason)
	return o, err
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

// targetCardTx checks the card that a replacement or a reset is about.
func (s *Service) targetCardTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, r OrderRequest, holder *lifecycle.HolderID) (*lifecycle.CardID, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixCard, string(r.TargetCard)); err != nil {
		return nil, &lifecycle.FieldError{Field: "card", Why: err.Error()}
	}
	card, err := tx.LockCard(ctx, r.TargetCard)
	if err != nil {
		return nil, fmt.Errorf("card %s: %w", r.TargetCard, err)
	}
	if *holder != "" && *holder != card.HolderID {
		return nil, &lifecycle.FieldError{Field: "card", Why: "this card belongs to another holder"}
	}
	*holder = card.HolderID
	if event, script := scriptEvent(r.Kind); script {
		if !lifecycle.Cards.Can(card.State, event) {
			return nil, fmt.Errorf("%w: cannot %s a card that is %s", lifecycle.Illegal, event, card.State)
		}
		return &card.ID, nil
	}
	return &card.ID, s.replaceTx(ctx, tx, by, &card, r.Reason)
}

// replaceTx judges why a card is replaced, and stops at once one that may be in
// wrong hands.
func (s *Service) replaceTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, card *db.Card, reason lifecycle.CardReason) error {
	if !slices.Contains(lifecycle.ReplacementReasons(), reason) {
		return &lifecycle.FieldError{Field: "reason", Why: "use lost, stolen, fraud, damaged, pin_blocked, name_change or not_received"}
	}
	if !wrongHands(reason) || card.State == lifecycle.CardOpposed {
		return nil
	}
	_, err := s.opposeTx(ctx, tx, by, card, reason)
	return err
}

// wrongHands tells whether a card lost for this reason may be used by somebody
// else.
func wrongHands(r lifecycle.CardReason) bool {
	switch r {
	case lifecycle.CardLost, lifecycle.CardStolen, lifecycle.CardFraud, lifecycle.CardNotReceived, lifecycle.CardDeath:
		return true
	case lifecycle.CardDamaged, lifecycle.CardPINBlocked, lifecycle.CardNameChange, lifecycle.CardEndOfService:
	}
	return false
}

func deliveryTx(ctx context.Context, tx store.Tx, d lifecycle.Delivery, branchCode string) (*lifecycle.Delivery, *lifecycle.BranchID, error) {
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

// feeTx is the fee by the tariff, whose rows are a product and a reason: "new"
// for what is ordered for the first time.
func (s *Service) feeTx(ctx context.Context, tx store.Tx, kind lifecycle.OrderKind, reason lifecycle.CardReason) (int64, string, error) {
	product, why := "card", "new"
	switch kind {
	case lifecycle.OrderReplacementCard:
		why = string(reason)
	case lifecycle.OrderPINReset:
		product, why = string(kind), string(lifecycle.CardPINBlocked)
	case lifecycle.OrderPINChange:
		product = string(kind)
	case lifecycle.OrderNewCertificate:
		product = "certificate"
	case lifecycle.OrderNewCard:
	}
	fee, err := tx.TariffFor(ctx, product, why, s.now())
	if isNotFound(err) {
		return 0, "EUR", nil // no row in the tariff: free
	}
	if err != nil {
		return 0, "", fmt.Errorf("tariff %s %s: %w", product, why, err)
	}
	return fee.AmountCents, fee.Currency, nil
}

func (s *Service) newCardTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o db.InsertOrderParams) error {
	n, err := tx.NextPANNumber(ctx)
	if err != nil {
		return fmt.Errorf("draw card number: %w", err)
	}
	body := fmt.Sprintf("%s%0*d", s.policy.IIN, 15-len(s.policy.IIN), n)
	if len(body) != 15 {
		return fmt.Errorf("card numbers under %s are used up: take another IIN", s.policy.IIN)
	}
	pan, err := lifecycle.NewPAN(body + string(lifecycle.LuhnDigit(body)))
	if err != nil {
		return fmt.Errorf("draw card number: %w", err)
	}
	id := lifecycle.CardID(s.newID(lifecycle.PrefixCard))
	sealed, mark, err := s.safe.SealPAN(id, pan)
	if err != nil {
		return err
	}
	err = tx.InsertCard(ctx, db.InsertCardParams{
		ID: id, OrderID: o.ID, HolderID: o.HolderID, State: lifecycle.CardOrdered, Product: s.policy.Product,
		Profile: s.policy.CAPProfile, PANSealed: sealed, PANMark: mark, Last4: pan.Last4(), PSN: 1,
		Expiry: cardExpiry(s.now(), s.policy.CardValidity), Delivery: deref(o.Delivery), BranchID: o.BranchID,
		Replaces: replaced(o), CreatedAt: s.now(),
	})
	if err != nil {
		return fmt.Errorf("insert card: %w", err)
	}
	return s.born(ctx, tx, "card", string(id), string(lifecycle.CardOrdered), by, nil)
}

func replaced(o db.InsertOrderParams) *lifecycle.CardID {
	if o.Kind == lifecycle.OrderReplacementCard {
		return o.TargetCard
	}
	return nil
}

// cardExpiry is the last day of the month in which the validity ends: that is
// what YYMM on a card means.
func cardExpiry(now time.Time, months int) time.Time {
	return time.Date(now.Year(), now.Month()+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC)
}

func (s *Service) newCertificateTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o db.InsertOrderParams) error {
	id := lifecycle.CertificateID(s.newID(lifecycle.PrefixCertificate))
	err := tx.InsertCertificate(ctx, db.InsertCertificateParams{
		ID: id, OrderID: o.ID, HolderID: o.HolderID, State: lifecycle.CertOrdered, Profile: s.policy.CertProfile, CreatedAt: s.now(),
	})
	if err != nil {
		return fmt.Errorf("insert certificate: %w", err)
	}
	return s.born(ctx, tx, "certificate", string(id), string(lifecycle.CertOrdered), by, nil)
}

// OrderContent is what an approver decides on: everything that will be made,
// sent and charged. Its hash is what an approval covers.
type OrderContent struct {
	ID          lifecycle.OrderID    `json:"id"`
	Kind        lifecycle.OrderKind  `json:"kind"`
	Revision    int32                `json:"revision"`
	RequestedBy string               `json:"requested_by"`
	Reason      string               `json:"reason,omitempty"`
	TargetCard  lifecycle.CardID     `json:"target_card,omitempty"`
	Identity    string               `json:"identity,omitempty"` // what proved the holder's
	Delivery    lifecycle.Delivery   `json:"delivery,omitempty"`
	Branch      lifecycle.BranchID   `json:"branch,omitempty"`
	FeeCents    int64                `json:"fee_cents"`
	Currency    string               `json:"currency"`
	ClientID    string               `json:"client_id"`
	Company     string               `json:"company"`
	UserNumber  string               `json:"user_number"`
	GivenName   string               `json:"given_name"`
	Surname     string               `json:"surname"`
	Language    string               `json:"language"`
	Email       string               `json:"email"`
	Address     [5]string            `json:"address"`
	State       lifecycle.OrderState `json:"-"` // moves on its own; not part of what is approved
}

// Hash is the SHA-256 of the content.
func (c OrderContent) Hash() [32]byte {
	data, err := json.Marshal(c)
	if err != nil {
		return [32]byte{} // strings and integers only: cannot happen
	}
	return sha256.Sum256(data)
}

// ShowOrder reads what an approver is shown.
func (s *Service) ShowOrder(ctx context.Context, id lifecycle.OrderID) (OrderContent, error) {
	o, err := s.store.Order(ctx, id)
	if err != nil {
		return OrderContent{}, fmt.Errorf("order %s: %w", id, err)
	}
	h, err := s.store.Holder(ctx, o.HolderID)
	if err != nil {
		return OrderContent{}, fmt.Errorf("holder of order %s: %w", id, err)
	}
	c, err := s.store.Company(ctx, h.CompanyID)
	if err != nil {
		return OrderContent{}, fmt.Errorf("company of order %s: %w", id, err)
	}
	content := contentOf(o, h, c)
	content.Identity, err = s.store.IdentityProof(ctx, string(id))
	return content, err
}

func contentOf(o db.Order, h db.Holder, c db.Company) OrderContent {
	return OrderContent{
		ID: o.ID, Kind: o.Kind, Revision: o.Revision, RequestedBy: o.RequestedBy, Reason: o.Reason,
		TargetCard: deref(o.TargetCard), Delivery: deref(o.Delivery), Branch: deref(o.BranchID), FeeCents: o.FeeCents,
		Currency: o.Currency, ClientID: c.ClientID, Company: c.Name, UserNumber: h.UserNumber, GivenName: h.GivenName,
		Surname: h.Surname, Language: h.Language, Email: h.Email,
		Address: [5]string{h.Complement, h.Street, h.Postcode, h.City, h.Country}, State: o.State,
	}
}

func isNotFound(err error) bool { return errors.Is(err, lifecycle.NotFound) }
