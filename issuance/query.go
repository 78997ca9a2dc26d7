package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// OrderView is an order as a relying service or a member of staff follows it.
type OrderView struct {
	OrderContent

	State       lifecycle.OrderState
	Failure     string
	Reference   string
	Card        *CardView        // of a card order
	Certificate *CertificateView // of a certificate order
	Created     time.Time
	Updated     time.Time
}

// CardView is a card without its number.
type CardView struct {
	ID         lifecycle.CardID
	Order      lifecycle.OrderID
	Holder     lifecycle.HolderID
	State      lifecycle.CardState
	Last4      string
	PSN        int
	Expiry     time.Time
	CardLetter lifecycle.CardLetterID
	PINLetter  lifecycle.PINLetterID
	Replaces   lifecycle.CardID
	Receipt    string
}

// CertificateView is a certificate as its holder sees it.
type CertificateView struct {
	ID        lifecycle.CertificateID
	Holder    lifecycle.HolderID
	State     lifecycle.CertificateState
	Serial    string // lower-case hexadecimal; "" before it is reserved
	Rejection string // why the last request was given back
	DER       []byte
}

// Order follows an order.
func (s *Service) Order(ctx context.Context, id lifecycle.OrderID) (OrderView, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixOrder, string(id)); err != nil {
		return OrderView{}, err
	}
	content, err := s.ShowOrder(ctx, id)
	if err != nil {
		return OrderView{}, err
	}
	o, err := s.store.Order(ctx, id)
	if err != nil {
		return OrderView{}, fmt.Errorf("order %s: %w", id, err)
	}
	view := OrderView{
		OrderContent: content, State: o.State, Failure: o.Failure, Reference: deref(o.Reference), Created: o.CreatedAt,
		Updated: o.UpdatedAt,
	}
	switch {
	case o.Kind.HasCard():
		card, err := s.store.CardByOrder(ctx, id)
		if err != nil {
			return view, fmt.Errorf("card of order %s: %w", id, err)
		}
		v, err := s.cardView(ctx, card)
		view.Card = &v
		return view, err
	case o.Kind == lifecycle.OrderNewCertificate:
		cert, err := s.store.CertificateByOrder(ctx, id)
		if err != nil {
			return view, fmt.Errorf("certificate of order %s: %w", id, err)
		}
		v := certificateView(cert)
		view.Certificate = &v
	}
	return view, nil
}

// OrderByReference finds an order by the caller's own reference.
func (s *Service) OrderByReference(ctx context.Context, reference string) (lifecycle.OrderID, error) {
	o, err := s.store.OrderByReference(ctx, &reference)
	if err != nil {
		return "", fmt.Errorf("order %q: %w", reference, err)
	}
	return o.ID, nil
}

const pageSize = 500

// OrdersInState pages through the orders in a state, oldest first, after the
// given one.
func (s *Service) OrdersInState(ctx context.Context, state lifecycle.OrderState, after lifecycle.OrderID) ([]lifecycle.OrderID, error) {
	lines, err := s.OrderLines(ctx, state, after)
	ids := make([]lifecycle.OrderID, len(lines))
	for i, r := range lines {
		ids[i] = r.ID
	}
	return ids, err
}

// OrderLine is an order in a list.
type OrderLine struct {
	ID          lifecycle.OrderID
	Kind        lifecycle.OrderKind
	RequestedBy string
	Failure     string
	Created     time.Time
}

// OrderLines pages through the orders in a state, as [Service.OrdersInState] does.
func (s *Service) OrderLines(ctx context.Context, state lifecycle.OrderState, after lifecycle.OrderID) ([]OrderLine, error) {
	rows, err := s.store.OrdersInState(ctx, state, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("orders that are %s: %w", state, err)
	}
	lines := make([]OrderLine, len(rows))
	for i, r := range rows {
		lines[i] = OrderLine{ID: r.ID, Kind: r.Kind, RequestedBy: r.RequestedBy, Failure: r.Failure, Created: r.CreatedAt.UTC()}
	}
	return lines, nil
}

// BranchCode is the code of a branch that an order names.
func (s *Service) BranchCode(ctx context.Context, id lifecycle.BranchID) (string, error) {
	b, err := s.store.Branch(ctx, id)
	if err != nil {
		return "", fmt.Errorf("branch %s: %w", id, err)
	}
	return b.Code, nil
}

// Card reads a card.
func (s *Service) Card(ctx context.Context, id lifecycle.CardID) (CardView, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixCard, string(id)); err != nil {
		return CardView{}, err
	}
	card, err := s.store.Card(ctx, id)
	if err != nil {
		return CardView{}, fmt.Errorf("card %s: %w", id, err)
	}
	return s.cardView(ctx, card)
}

func (s *Service) cardView(ctx context.Context, c db.Card) (CardView, error) {
	v := CardView{
		ID: c.ID, Order: c.OrderID, Holder: c.HolderID, State: c.State, PSN: int(c.PSN), Expiry: c.Expiry,
		Last4: c.Last4, Replaces: deref(c.Replaces), Receipt: c.Receipt,
	}
	letter, err := s.store.CardLetterOfCard(ctx, c.ID, c.PSN)
	if err != nil && !isNotFound(err) {
		return v, fmt.Errorf("letter of card %s: %w", c.ID, err)
	}
	pin, err := s.store.PINLetterOfCard(ctx, c.ID, c.PINVersion)
	if err != nil && !isNotFound(err) {
		return v, fmt.Errorf("PIN letter of card %s: %w", c.ID, err)
	}
	v.CardLetter, v.PINLetter = letter.ID, pin.ID
	return v, nil
}

// Cards pages through all cards, after the given one.
func (s *Service) Cards(ctx context.Context, after lifecycle.CardID) ([]CardView, error) {
	rows, err := s.store.AllCards(ctx, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("cards: %w", err)
	}
	views := make([]CardView, len(rows))
	for i, c := range rows {
		if views[i], err = s.cardView(ctx, c); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// Certificate reads a certificate.
func (s *Service) Certificate(ctx context.Context, id lifecycle.CertificateID) (CertificateView, error) {
	cert, err := s.store.Certificate(ctx, id)
	if err != nil {
		return CertificateView{}, fmt.Errorf("certificate %s: %w", id, err)
	}
	return certificateView(cert), nil
}

func certificateView(c db.Certificate) CertificateView {
	v := CertificateView{ID: c.ID, Holder: c.HolderID, State: c.State, Rejection: c.Rejection, DER: c.DER}
	if len(c.Serial) == len(lifecycle.Serial{}) {
		v.Serial = lifecycle.Serial(c.Serial).String()
	}
	return v
}

// Certificates pages through all certificates, after the given one.
func (s *Service) Certificates(ctx context.Context, after lifecycle.CertificateID) ([]CertificateView, error) {
	rows, err := s.store.AllCertificates(ctx, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	views := make([]CertificateView, len(rows))
	for i, r := range rows {
		views[i] = certificateView(db.Certificate{ID: r.ID, HolderID: r.HolderID, State: r.State, Serial: r.Serial, DER: r.DER})
	}
	return views, nil
}

// HolderView names a holder as they sign in.
type HolderView struct {
	ID                 lifecycle.HolderID
	ClientID           string
	UserNumber         string
	Language           string
	GivenName, Surname string
}

const maxHolders = 10_000

// Holders lists holders by client ID and user number, at most ten thousand.
func (s *Service) Holders(ctx context.Context) ([]HolderView, error) {
	rows, err := s.store.Holders(ctx, maxHolders)
	if err != nil {
		return nil, fmt.Errorf("holders: %w", err)
	}
	views := make([]HolderView, len(rows))
	for i, r := range rows {
		views[i] = HolderView(r)
	}
	return views, nil
}

// BatchView is a personalisation batch.
type BatchView struct {
	ID       lifecycle.BatchID
	Sequence int64
	State    lifecycle.BatchState
}

// Batches lists the batches, oldest first.
func (s *Service) Batches(ctx context.Context) ([]BatchView, error) {
	rows, err := s.store.Batches(ctx)
	if err != nil {
		return nil, fmt.Errorf("batches: %w", err)
	}
	views := make([]BatchView, len(rows))
	for i, r := range rows {
		views[i] = BatchView{ID: r.ID, Sequence: r.Sequence, State: r.State}
	}
	return views, nil
}

// AuditOf reads what happened to a thing, oldest first.
func (s *Service) AuditOf(ctx context.Context, id string) ([]db.AuditEntry, error) {
	entries, err := s.store.AuditOf(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("audit of %s: %w", id, err)
	}
	return entries, nil
}

// HolderByUser finds a holder by what they sign in with.
func (s *Service) HolderByUser(ctx context.Context, clientID, userNumber string) (lifecycle.HolderID, error) {
	h, err := s.store.HolderByUser(ctx, clientID, userNumber)
	if err != nil {
		return "", fmt.Errorf("user %s/%s: %w", clientID, userNumber, err)
	}
	return h.ID, nil
}
