package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// Flag is something that an approver should think about.
type Flag string

// The flags.
const (
	SecondCard     Flag = "second_card"     // the holder had another card ordered shortly before
	AddressChanged Flag = "address_changed" // the holder's address changed shortly before
)

// OrderContent is what an approver decides on: everything that will be made,
// sent and charged, and what speaks against it. Its hash is what an approval
// covers.
type OrderContent struct {
	ID             lifecycle.OrderID    `json:"id"`
	Kind           lifecycle.OrderKind  `json:"kind"`
	Revision       int32                `json:"revision"`
	RequestedBy    string               `json:"requested_by"`
	Product        string               `json:"product,omitempty"`
	Reason         string               `json:"reason,omitempty"`
	TargetCard     lifecycle.CardID     `json:"target_card,omitempty"`
	Registers      string               `json:"registers,omitempty"` // end, sequence number and month of the card's
	Profile        string               `json:"profile,omitempty"`   // of a certificate
	ProfileVersion int                  `json:"profile_version,omitempty"`
	ProfileSHA256  string               `json:"profile_sha256,omitempty"` // of what the profile says
	Service        string               `json:"service,omitempty"`        // the system whose certificate it is
	Identity       string               `json:"identity,omitempty"`       // what proved the holder's
	Dossier        *DossierContent      `json:"dossier,omitempty"`        // the evidence, of a certificate
	Delivery       lifecycle.Delivery   `json:"delivery,omitempty"`
	Branch         lifecycle.BranchID   `json:"branch,omitempty"`
	InHouse        bool                 `json:"in_house,omitempty"` // made at that branch
	WithReader     bool                 `json:"with_reader,omitempty"`
	FeeCents       int64                `json:"fee_cents"` // by the tariff, also when it is waived
	ReaderFeeCents int64                `json:"reader_fee_cents,omitempty"`
	Currency       string               `json:"currency"`
	Waiver         string               `json:"waiver,omitempty"`  // why nothing is charged
	Urgency        lifecycle.Urgency    `json:"urgency,omitempty"` // unless it is as urgent as any
	Flags          []Flag               `json:"flags,omitempty"`
	ClientID       string               `json:"client_id"`
	Company        string               `json:"company"`
	UserNumber     string               `json:"user_number"`
	GivenName      string               `json:"given_name"`
	Surname        string               `json:"surname"`
	Language       string               `json:"language"`
	LargePrint     bool                 `json:"large_print,omitempty"`
	Email          string               `json:"email"`
	Address        [5]string            `json:"address"`
	State          lifecycle.OrderState `json:"-"` // moves on its own; not part of what is approved
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
	return s.contentOf(ctx, s.store.Queries, o, h)
}

func (s *Service) contentOf(ctx context.Context, q *db.Queries, o db.Order, h db.Holder) (OrderContent, error) {
	c, err := q.Company(ctx, h.CompanyID)
	if err != nil {
		return OrderContent{}, fmt.Errorf("company of order %s: %w", o.ID, err)
	}
	content := plainContent(o, h, c)
	if _, script := scriptEvent(o.Kind); script {
		if content.Identity, err = q.IdentityProof(ctx, string(o.ID)); err != nil {
			return content, fmt.Errorf("order %s: %w", o.ID, err)
		}
	}
	if o.Kind == lifecycle.OrderRegistration {
		card, err := q.CardByOrder(ctx, o.ID)
		if err != nil {
			return content, fmt.Errorf("card of order %s: %w", o.ID, err)
		}
		content.Registers = registers(card)
	}
	if o.Kind == lifecycle.OrderNewCertificate {
		cert, err := q.CertificateByOrder(ctx, o.ID)
		if err != nil {
			return content, fmt.Errorf("certificate of order %s: %w", o.ID, err)
		}
		profile, err := profileOf(ctx, q, cert)
		if err != nil {
			return content, err
		}
		content.Profile, content.Service = profile.Name, cert.Service
		content.ProfileVersion, content.ProfileSHA256 = profile.Version, hex.EncodeToString(profile.SHA256[:])
		if content.Dossier, content.Flags, err = s.dossierContent(ctx, q, cert, h, profile.Profile); err != nil {
			return content, err
		}
	}
	if o.Kind.MakesCard() {
		content.Flags, err = s.flags(ctx, q, o.ID)
	}
	return content, err
}

// registers is what an approver is told of a card that is taken in.
func registers(c db.Card) string {
	return fmt.Sprintf("%s/%02d %s", c.Last4, c.PSN, c.Expiry.Format("2006-01"))
}

// plainContent is what order, holder and company say.
func plainContent(o db.Order, h db.Holder, c db.Company) OrderContent {
	content := OrderContent{
		ID: o.ID, Kind: o.Kind, Revision: o.Revision, RequestedBy: o.RequestedBy, Product: o.Product, Reason: o.Reason,
		TargetCard: deref(o.TargetCard), Delivery: deref(o.Delivery), Branch: deref(o.BranchID), InHouse: o.InHouse, WithReader: o.WithReader,
		FeeCents: o.FeeCents, ReaderFeeCents: o.ReaderFeeCents, Currency: o.Currency, Waiver: o.Waiver, ClientID: c.ClientID,
		Company: c.Name, UserNumber: h.UserNumber, GivenName: h.GivenName, Surname: h.Surname, Language: h.Language, LargePrint: h.LargePrint, Email: h.Email,
		Address: [5]string{h.Complement, h.Street, h.Postcode, h.City, h.Country}, State: o.State,
	}
	if o.Urgency != lifecycle.Standard {
		content.Urgency = o.Urgency
	}
	return content
}

// flags follow from the order's date, not from today's: they change only with
// what they speak of, and then the hash changes too.
func (s *Service) flags(ctx context.Context, q *db.Queries, id lifecycle.OrderID) ([]Flag, error) {
	row, err := q.OrderFlags(ctx, days(s.policy.SecondCardWithin), days(s.policy.AddressChangeWithin), id)
	if err != nil {
		return nil, fmt.Errorf("flags of order %s: %w", id, err)
	}
	return flagsOf(row.SecondCard, row.AddressChanged), nil
}

func flagsOf(secondCard, addressChanged bool) []Flag {
	var flags []Flag
	if secondCard {
		flags = append(flags, SecondCard)
	}
	if addressChanged {
		flags = append(flags, AddressChanged)
	}
	return flags
}

func days(d time.Duration) int32 { return int32(d / (24 * time.Hour)) } //nolint:gosec // the policy's months
