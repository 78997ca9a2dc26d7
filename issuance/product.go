package issuance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Product is a kind of card from a day on. How its cards compute is the engine's
// profile of the name CAPProfile; the bitmap, PIN length and tries stand here
// for who orders and answers questions, and must say the same.
type Product struct {
	Code       string
	ValidFrom  time.Time
	Kind       lifecycle.ProductKind
	Name       string // as letters and screens say
	Tariff     string // whose rows of the tariff it is charged by
	CAPProfile string
	IPB        string // issuer proprietary bitmap, hexadecimal
	PINLength  int
	PINTries   int
	Validity   int    // months
	Bureau     string // who makes it
	InHouse    bool   // may be personalised at a branch terminal
	Plastic    string // stock item
	Reader     string // stock item
	Deliveries []lifecycle.Delivery
	PINDelay   int // business days between the card's post and the PIN letter's
	OldCard    int // days of an old card's life after the new one's first use
}

// DefaultBitmap shows 26 bits: one of the CID, 8 of the counter, 17 of the
// cryptogram.
const DefaultBitmap = "8000FF000000000001FFFF"

// DefaultProducts are those of a bank that keeps the advice of cards.md: its
// authentication card, and bank cards that its card system makes.
func DefaultProducts() []Product {
	return []Product{
		{
			Code: "securaccess", Kind: lifecycle.AuthenticationCard, Name: "Sécur@ccès", Tariff: "card", CAPProfile: "securaccess",
			IPB: DefaultBitmap, PINLength: 4, PINTries: 3, Validity: 36, Bureau: "bureau-1", InHouse: true, Plastic: "plastic-securaccess",
			Reader: "reader-cap", Deliveries: []lifecycle.Delivery{lifecycle.DeliverHome, lifecycle.DeliverBranch}, PINDelay: 2, OldCard: 30,
		},
		{
			Code: "bank-card", Kind: lifecycle.BankCard, Name: "Carte professionnelle", Tariff: "bank_card", CAPProfile: "securaccess",
			IPB: DefaultBitmap, PINLength: 4, PINTries: 3, Validity: 36, Reader: "reader-cap", OldCard: 30,
		},
	}
}

var (
	productCode = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)
	bitmap      = regexp.MustCompile(`^([0-9A-F]{2}){8,64}$`)
)

// check says all that is wrong with a product.
func (p Product) check() error {
	var errs lifecycle.FieldErrors
	within := func(field string, n, least, most int) {
		if n < least || n > most {
			errs.Add(field, fmt.Sprintf("use %d to %d", least, most))
		}
	}
	if !productCode.MatchString(p.Code) {
		errs.Add("code", "use 1 to 32 of a-z, 0-9, - and _")
	}
	for field, text := range map[string]string{"name": p.Name, "tariff": p.Tariff, "cap_profile": p.CAPProfile} {
		if text == "" || len(text) > 64 {
			errs.Add(field, "use 1 to 64 characters")
		}
	}
	if !bitmap.MatchString(p.IPB) {
		errs.Add("ipb", "a bitmap has 8 to 64 octets in hexadecimal, capitals")
	}
	within("pin_length", p.PINLength, 4, 12)
	within("pin_tries", p.PINTries, 1, 15)
	within("validity_months", p.Validity, 1, 120)
	within("pin_delay_days", p.PINDelay, 0, 30)
	within("old_card_days", p.OldCard, 0, 90)
	switch p.Kind {
	case lifecycle.AuthenticationCard:
		if p.Bureau == "" && !p.InHouse || len(p.Deliveries) == 0 {
			errs.Add("kind", "a card that this house makes needs a bureau or in_house, and a delivery")
		}
		for _, d := range p.Deliveries {
			if d != lifecycle.DeliverHome && d != lifecycle.DeliverBranch {
				errs.Add("deliveries", "use home and branch")
			}
		}
	case lifecycle.BankCard:
		if p.Bureau != "" || p.InHouse || p.Plastic != "" || len(p.Deliveries) > 0 {
			errs.Add("kind", "a bank card is neither made nor sent here: leave out bureau, in_house, plastic and deliveries")
		}
	default:
		errs.Add("kind", "use authentication_card or bank_card")
	}
	return errs.Err()
}

// madeInHouse tells whether an order's card is made at its branch: as it was
// asked, or because no bureau makes it.
func (p Product) madeInHouse(asked bool, d lifecycle.Delivery) (bool, error) {
	inHouse := asked || p.Bureau == ""
	switch {
	case !inHouse:
		return false, nil
	case !p.InHouse:
		return false, &lifecycle.FieldError{Field: "in_house", Why: p.Code + " is not made at branches: leave it to the bureau"}
	case d != lifecycle.DeliverBranch:
		return false, &lifecycle.FieldError{Field: "in_house", Why: "a card that is made at a branch is collected there: use delivery branch"}
	}
	return true, nil
}

// row is the product as it is stored, from a day on.
func (p Product) row(from time.Time) db.Product {
	r := db.Product{
		Code: p.Code, ValidFrom: from, Kind: string(p.Kind), Name: p.Name, Tariff: p.Tariff, CAPProfile: p.CAPProfile, IPB: p.IPB,
		PINLength: int32(p.PINLength), PINTries: int32(p.PINTries), ValidityMonths: int32(p.Validity), Bureau: p.Bureau, //nolint:gosec // check has looked
		InHouse: p.InHouse, Plastic: p.Plastic, Reader: p.Reader, Deliveries: []string{}, PINDelayDays: int32(p.PINDelay), //nolint:gosec // likewise
		OldCardDays: int32(p.OldCard), //nolint:gosec // likewise
	}
	for _, d := range p.Deliveries {
		r.Deliveries = append(r.Deliveries, string(d))
	}
	return r
}

func productOf(r db.Product) Product {
	p := Product{
		Code: r.Code, ValidFrom: r.ValidFrom, Kind: lifecycle.ProductKind(r.Kind), Name: r.Name, Tariff: r.Tariff, CAPProfile: r.CAPProfile,
		IPB: r.IPB, PINLength: int(r.PINLength), PINTries: int(r.PINTries), Validity: int(r.ValidityMonths), Bureau: r.Bureau,
		InHouse: r.InHouse, Plastic: r.Plastic, Reader: r.Reader, PINDelay: int(r.PINDelayDays), OldCard: int(r.OldCardDays),
	}
	for _, d := range r.Deliveries {
		p.Deliveries = append(p.Deliveries, lifecycle.Delivery(d))
	}
	return p
}

// addProductTx records a product that is new, or says something new, from a day
// on; earlier cards keep what they were made by.
func (s *Service) addProductTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, p Product) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("product %q: %w", p.Code, err)
	}
	from := p.ValidFrom
	if from.IsZero() {
		from = s.now()
	}
	row := p.row(from)
	known, err := tx.ProductAt(ctx, p.Code, from)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("product %s: %w", p.Code, err)
	}
	if err == nil {
		if known.Kind != row.Kind {
			return &lifecycle.FieldError{Field: "kind", Why: fmt.Sprintf("product %s is a %s: give another kind another code", p.Code, known.Kind)}
		}
		same := known
		same.ValidFrom = from
		if slices.Equal(same.Deliveries, row.Deliveries) {
			same.Deliveries, row.Deliveries = nil, nil
		}
		if fmt.Sprint(same) == fmt.Sprint(row) {
			return nil
		}
		row = p.row(from)
	}
	if err := tx.InsertProduct(ctx, db.InsertProductParams(row)); err != nil {
		return fmt.Errorf("product %s: %w", p.Code, err)
	}
	return s.born(ctx, tx, "product", p.Code, "valid", by, map[string]string{"from": from.Format(time.RFC3339)})
}

// productTx is a product as it stands today.
func (s *Service) productTx(ctx context.Context, q *db.Queries, code string) (Product, error) {
	row, err := q.ProductAt(ctx, code, s.now())
	if isNotFound(err) {
		return Product{}, &lifecycle.FieldError{Field: "card_product", Why: "the bank has no product of this code"}
	}
	if err != nil {
		return Product{}, fmt.Errorf("product %s: %w", code, err)
	}
	return productOf(row), nil
}

// Products lists what the bank has today.
func (s *Service) Products(ctx context.Context) ([]Product, error) {
	rows, err := s.store.ProductsAt(ctx, s.now())
	if err != nil {
		return nil, fmt.Errorf("products: %w", err)
	}
	all := make([]Product, len(rows))
	for i, r := range rows {
		all[i] = productOf(r)
	}
	return all, nil
}

// parcel is what is posted with a card, and how many business days before its PIN.
type parcel struct {
	reader string
	delay  int
}

// parcelsTx are the parcels of cards: a reader that was ordered with a card goes
// along to its holder's home. At the branch it is handed out with the card.
func (s *Service) parcelsTx(ctx context.Context, tx store.Tx, cards []db.Card) (map[lifecycle.CardID]parcel, error) {
	ordered, err := tx.OrdersWithReader(ctx, texts(cards, func(c db.Card) lifecycle.OrderID { return c.OrderID }))
	if err != nil {
		return nil, fmt.Errorf("readers of %d cards: %w", len(cards), err)
	}
	products, parcels := map[string]Product{}, make(map[lifecycle.CardID]parcel, len(cards))
	for _, c := range cards {
		product, known := products[c.Product]
		if !known {
			if product, err = s.productTx(ctx, tx.Queries, c.Product); err != nil {
				return nil, err
			}
			products[c.Product] = product
		}
		p := parcel{delay: product.PINDelay}
		if c.Delivery == lifecycle.DeliverHome && slices.Contains(ordered, c.OrderID) {
			p.reader = product.Reader
		}
		parcels[c.ID] = p
	}
	return parcels, nil
}
