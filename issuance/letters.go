package issuance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// Addressee is whom a letter goes to.
type Addressee struct {
	Name     string
	Language party.Language
	Address  party.Address
}

// CardLetterPlan is a card letter that a worker renders.
type CardLetterPlan struct {
	Letter     lifecycle.CardLetterID
	Fence      int32
	To         Addressee
	ClientID   string
	UserNumber string
	Last4      string // of the card number
	Expiry     time.Time
	Product    string
	PickUp     string // branch where the card waits; "" when it goes home
	Date       time.Time
}

// PINLetterPlan is a PIN letter that the PIN worker renders. It knows nothing of
// the card but its identifier.
type PINLetterPlan struct {
	Letter     lifecycle.PINLetterID
	Card       lifecycle.CardID
	PINVersion int
	Fence      int32
	State      lifecycle.LetterState
	To         Addressee
	Date       time.Time
}

// BeginCardLetter records the intent to render a card's letter, making its row
// the first time. It is [lifecycle.Illegal] for a card that is not made.
func (s *Service) BeginCardLetter(ctx context.Context, id lifecycle.CardID) (CardLetterPlan, error) {
	var plan CardLetterPlan
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		card, err := tx.LockCard(ctx, id)
		if err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		if card.State != lifecycle.CardMade {
			return fmt.Errorf("%w: card %s is %s: it needs no letter", lifecycle.Illegal, id, card.State)
		}
		if order, err := tx.Order(ctx, card.OrderID); err != nil || order.State != lifecycle.OrderInProgress {
			if err == nil {
				err = fmt.Errorf("%w: order %s is %s: nothing of it goes out", lifecycle.Illegal, order.ID, order.State)
			}
			return err
		}
		l, err := tx.LockCardLetterOfCard(ctx, id, card.PSN)
		if isNotFound(err) {
			l, err = s.newCardLetterTx(ctx, tx, card)
		}
		if err != nil {
			return fmt.Errorf("letter of card %s: %w", id, err)
		}
		if !lifecycle.CardLetters.Can(l.State, lifecycle.Render) {
			return fmt.Errorf("%w: card letter %s is %s", lifecycle.Illegal, l.ID, l.State)
		}
		if plan.Fence, err = tx.FenceCardLetter(ctx, l.ID); err != nil {
			return fmt.Errorf("card letter %s: %w", l.ID, err)
		}
		f, err := tx.LetterFacts(ctx, id)
		if err != nil {
			return fmt.Errorf("card letter %s: %w", l.ID, err)
		}
		plan.Letter, plan.Date, plan.To = l.ID, l.CreatedAt, addressee(f)
		plan.ClientID, plan.UserNumber, plan.Expiry, plan.Product = f.ClientID, f.UserNumber, f.Expiry, f.Product
		if f.Delivery == lifecycle.DeliverBranch {
			plan.PickUp = fmt.Sprintf("%s, %s, %s %s", f.BranchName, f.BranchStreet, f.BranchPostcode, f.BranchCity)
		}
		plan.Last4 = f.Last4
		return nil
	})
	return plan, err
}

func (s *Service) newCardLetterTx(ctx context.Context, tx store.Tx, card db.Card) (db.CardLetter, error) {
	l := db.CardLetter{
		ID: lifecycle.CardLetterID(s.newID(lifecycle.PrefixCardLetter)), CardID: card.ID, PSN: card.PSN,
		State: lifecycle.LetterRequested, CreatedAt: s.now(),
	}
	err := tx.InsertCardLetter(ctx, db.InsertCardLetterParams{ID: l.ID, CardID: l.CardID, PSN: l.PSN, State: l.State, CreatedAt: l.CreatedAt})
	if err != nil {
		return l, err
	}
	return l, s.born(ctx, tx, "card letter", string(l.ID), string(l.State), lifecycle.System("card-letter"), map[string]string{"card": string(card.ID)})
}

func addressee(f db.LetterFactsRow) Addressee {
	name := f.GivenName + " " + f.Surname
	return Addressee{
		Name: name, Language: party.Language(f.Language),
		Address: party.Address{
			Recipient: name, Organisation: f.Company, Complement: f.Complement, Street: f.Street,
			Postcode: f.Postcode, City: f.City, Country: f.Country,
		},
	}
}

// FinishCardLetter records the rendered letter.
func (s *Service) FinishCardLetter(ctx context.Context, plan CardLetterPlan, pdf []byte, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		l, err := tx.LockCardLetter(ctx, plan.Letter)
		if err != nil {
			return fmt.Errorf("card letter %s: %w", plan.Letter, err)
		}
		if l.Fence != plan.Fence {
			return fmt.Errorf("card letter %s: %w: another worker took over", plan.Letter, lifecycle.Conflict)
		}
		if l.State == lifecycle.LetterCancelled {
			return done.run(tx)
		}
		if err := s.moveCardLetter(ctx, tx, &l, lifecycle.Render, lifecycle.System("card-letter")); err != nil {
			return err
		}
		if err := s.putDocumentTx(ctx, tx, string(l.ID), "application/pdf", pdf); err != nil {
			return err
		}
		return done.run(tx)
	})
}

// BeginPINLetter records the intent to render the PIN letter of a card that is
// on its way. A letter rendered already is answered as such: the worker then
// only closes the PIN in the engine.
func (s *Service) BeginPINLetter(ctx context.Context, id lifecycle.CardID) (PINLetterPlan, error) {
	var plan PINLetterPlan
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		card, err := tx.LockCardPIN(ctx, id)
		if err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		l, err := tx.LockPINLetterOfCard(ctx, id, card.PINVersion)
		if err != nil {
			return fmt.Errorf("PIN letter of card %s: %w", id, err)
		}
		if l.State == lifecycle.LetterCancelled {
			return fmt.Errorf("%w: PIN letter %s is cancelled", lifecycle.Illegal, l.ID)
		}
		if plan.Fence, err = tx.FencePINLetter(ctx, l.ID); err != nil {
			return fmt.Errorf("PIN letter %s: %w", l.ID, err)
		}
		f, err := tx.PINLetterFacts(ctx, id)
		if err != nil {
			return fmt.Errorf("PIN letter %s: %w", l.ID, err)
		}
		plan.Letter, plan.Card, plan.PINVersion, plan.State = l.ID, id, int(l.PINVersion), l.State
		plan.To, plan.Date = addressee(db.LetterFactsRow{
			GivenName: f.GivenName, Surname: f.Surname, Language: f.Language, Complement: f.Complement, Street: f.Street,
			Postcode: f.Postcode, City: f.City, Country: f.Country, Company: f.Company,
		}), l.PostAfter
		return nil
	})
	return plan, err
}

// FinishPINLetter records the letter as the print room's ciphertext.
func (s *Service) FinishPINLetter(ctx context.Context, plan PINLetterPlan, sealed []byte) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		l, err := tx.LockPINLetter(ctx, plan.Letter)
		if err != nil {
			return fmt.Errorf("PIN letter %s: %w", plan.Letter, err)
		}
		if l.Fence != plan.Fence {
			return fmt.Errorf("PIN letter %s: %w: another worker took over", plan.Letter, lifecycle.Conflict)
		}
		if l.State == lifecycle.LetterCancelled {
			return nil
		}
		if err := s.movePINLetter(ctx, tx, &l, lifecycle.Render, lifecycle.System("pin-letter")); err != nil {
			return err
		}
		return s.putDocumentTx(ctx, tx, string(l.ID), "application/pkcs7-mime", sealed)
	})
}

func (s *Service) putDocumentTx(ctx context.Context, tx store.Tx, id, mediaType string, content []byte) error {
	digest := sha256.Sum256(content)
	err := tx.InsertDocument(ctx, db.InsertDocumentParams{
		ID: id, MediaType: mediaType, Content: content, SHA256: digest[:], CreatedAt: s.now(),
	})
	if err != nil {
		return fmt.Errorf("document %s: %w", id, err)
	}
	return nil
}

// Document reads what leaves the house as bytes: a letter, a bureau file.
func (s *Service) Document(ctx context.Context, id string) ([]byte, error) {
	d, err := s.store.Document(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("document %s: %w", id, err)
	}
	return d.Content, nil
}

const printRunSize = 1000

// PrintCardLetters takes the rendered card letters to the printer, at most a
// thousand a run.
func (s *Service) PrintCardLetters(ctx context.Context, by lifecycle.Actor) ([]lifecycle.CardLetterID, error) {
	waiting, err := s.store.CardLettersInState(ctx, lifecycle.LetterRendered, printRunSize)
	if err != nil {
		return nil, fmt.Errorf("card letters to print: %w", err)
	}
	var printed []lifecycle.CardLetterID
	for _, w := range waiting {
		taken := false
		err := s.store.InTx(ctx, func(tx store.Tx) error {
			l, err := tx.LockCardLetter(ctx, w.ID)
			if err != nil || l.State != lifecycle.LetterRendered { // stopped since it was listed
				return err
			}
			taken = true
			return s.moveCardLetter(ctx, tx, &l, lifecycle.Print, by)
		})
		if err != nil {
			return printed, fmt.Errorf("print card letter %s: %w", w.ID, err)
		}
		if taken {
			printed = append(printed, w.ID)
		}
	}
	return printed, nil
}

// PrintPINLetters takes the sealed PIN letters to the PIN printer, in a run of
// their own.
func (s *Service) PrintPINLetters(ctx context.Context, by lifecycle.Actor) ([]lifecycle.PINLetterID, error) {
	waiting, err := s.store.PINLettersInState(ctx, lifecycle.LetterRendered, printRunSize)
	if err != nil {
		return nil, fmt.Errorf("PIN letters to print: %w", err)
	}
	var printed []lifecycle.PINLetterID
	for _, w := range waiting {
		taken := false
		err := s.store.InTx(ctx, func(tx store.Tx) error {
			l, err := tx.LockPINLetter(ctx, w.ID)
			if err != nil || l.State != lifecycle.LetterRendered { // stopped since it was listed
				return err
			}
			taken = true
			return s.movePINLetter(ctx, tx, &l, lifecycle.Print, by)
		})
		if err != nil {
			return printed, fmt.Errorf("print PIN letter %s: %w", w.ID, err)
		}
		if taken {
			printed = append(printed, w.ID)
		}
	}
	return printed, nil
}
