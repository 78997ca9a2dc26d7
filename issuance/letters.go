package issuance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
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
	Large    bool // in large print
}

// CardLetterPlan is a card letter that a worker sets.
type CardLetterPlan struct {
	Letter     lifecycle.CardLetterID
	To         Addressee
	ClientID   string
	UserNumber string
	Last4      string // of the card number
	Expiry     time.Time
	Product    string
	PickUp     string // branch where the card waits; "" when it goes home
	Date       time.Time
}

// CardRunPlan is a run of card letters that a worker renders.
type CardRunPlan struct {
	Run      lifecycle.PrintRunID
	Fence    int32
	Language party.Language
	Created  time.Time
	Template Edition
	Letters  []CardLetterPlan
}

// PINLetterPlan is a PIN letter that the PIN worker sets. It knows nothing of
// the card but its identifier.
type PINLetterPlan struct {
	Letter     lifecycle.PINLetterID
	Card       lifecycle.CardID
	PINVersion int
	To         Addressee
	Date       time.Time
}

// PINSection is part of a run of PIN letters, encrypted and stored before the
// next one is begun. Of one that is stored only the PINs are still to be closed.
type PINSection struct {
	Number  int
	Stored  bool
	Letters []PINLetterPlan
}

// PINRunPlan is a run of PIN letters that the PIN worker renders.
type PINRunPlan struct {
	Run      lifecycle.PrintRunID
	Fence    int32
	Language party.Language
	Created  time.Time
	Template Edition
	Sections []PINSection
}

// LetterFailure is a letter that a worker could not set, and why.
type LetterFailure struct{ Letter, Why string }

// newCardLettersTx makes the letters of cards that are made; the next run takes
// them.
func (s *Service) newCardLettersTx(ctx context.Context, tx store.Tx, cards []db.Card) error {
	ids := s.newIDs(lifecycle.PrefixCardLetter, len(cards))
	err := tx.InsertCardLetters(ctx, db.InsertCardLettersParams{
		State: lifecycle.LetterRequested, CreatedAt: s.now(), IDs: ids, Cards: texts(cards, cardID),
	})
	if err != nil {
		return fmt.Errorf("letters of %d cards: %w", len(cards), err)
	}
	return s.bornMany(ctx, tx, "card letter", ids, string(lifecycle.LetterRequested), lifecycle.System("card-letter"), func(n int) map[string]string {
		return map[string]string{"card": string(cards[n].ID)}
	})
}

// BeginCardRun records the intent to render a run. Letters stopped since they
// were gathered are left out.
func (s *Service) BeginCardRun(ctx context.Context, id lifecycle.PrintRunID) (CardRunPlan, error) {
	var plan CardRunPlan
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		r, err := s.beginRunTx(ctx, tx, id, lifecycle.PrintCard)
		if err != nil {
			return err
		}
		plan = CardRunPlan{Run: id, Fence: r.Fence, Language: party.Language(r.Language), Created: r.CreatedAt}
		if plan.Template, err = s.templateOfRunTx(ctx, tx, &r); err != nil {
			return err
		}
		rows, err := tx.CardRunLetters(ctx, id)
		if err != nil {
			return fmt.Errorf("card letter run %s: %w", id, err)
		}
		for _, f := range rows {
			l := CardLetterPlan{
				Letter: f.ID, ClientID: f.ClientID, UserNumber: f.UserNumber, Expiry: f.Expiry, Product: f.Product,
				Date: f.CreatedAt, Last4: f.Last4,
				To: addressee(f.GivenName, f.Surname, f.Language, f.LargePrint, party.Address{
					Organisation: f.Company, Complement: f.Complement, Street: f.Street, Postcode: f.Postcode, City: f.City, Country: f.Country,
				}),
			}
			if f.Delivery == lifecycle.DeliverBranch {
				l.PickUp = fmt.Sprintf("%s, %s, %s %s", f.BranchName, f.BranchStreet, f.BranchPostcode, f.BranchCity)
			}
			plan.Letters = append(plan.Letters, l)
		}
		return nil
	})
	return plan, err
}

// beginRunTx locks a run that is to be rendered and lets its newest worker win.
func (s *Service) beginRunTx(ctx context.Context, tx store.Tx, id lifecycle.PrintRunID, kind lifecycle.PrintKind) (db.PrintRun, error) {
	r, err := tx.LockPrintRun(ctx, id)
	if err != nil {
		return r, fmt.Errorf("print run %s: %w", id, err)
	}
	if r.Kind != kind {
		return r, fmt.Errorf("%w: print run %s is of %s letters", lifecycle.Illegal, id, r.Kind)
	}
	if _, err := runTable(kind).Next(r.State, lifecycle.Render, lifecycle.RoleSystem); err != nil {
		return r, fmt.Errorf("print run %s: %w", id, err)
	}
	if r.Fence, err = tx.FencePrintRun(ctx, id); err != nil {
		return r, fmt.Errorf("print run %s: %w", id, err)
	}
	return r, nil
}

func addressee(given, surname, language string, large bool, address party.Address) Addressee {
	address.Recipient = given + " " + surname
	return Addressee{Name: address.Recipient, Language: party.Language(language), Address: address, Large: large}
}

// fencedRunTx locks a run and refuses a worker that is no longer the newest.
func (s *Service) fencedRunTx(ctx context.Context, tx store.Tx, id lifecycle.PrintRunID, fence int32) (db.PrintRun, error) {
	r, err := tx.LockPrintRun(ctx, id)
	if err != nil {
		return r, fmt.Errorf("print run %s: %w", id, err)
	}
	if r.Fence != fence {
		return r, fmt.Errorf("print run %s: %w: another worker took over", id, lifecycle.Conflict)
	}
	return r, nil
}

// FinishCardRun records the run's file, encrypted for the print room, with the
// letter on each of its pages, in order, and those that could not be set. A
// letter of two pages stands there twice; one that was stopped meanwhile keeps
// its pages, which are never printed.
func (s *Service) FinishCardRun(ctx context.Context, plan CardRunPlan, sealed []byte, pages []lifecycle.CardLetterID, failed []LetterFailure, done Done) error {
	system := lifecycle.System("card-letter")
	return s.store.InTx(ctx, func(tx store.Tx) error {
		r, err := s.fencedRunTx(ctx, tx, plan.Run, plan.Fence)
		if err != nil {
			return err
		}
		for _, f := range failed { // cards before letters
			if err := s.failCardLetterTx(ctx, tx, f); err != nil {
				return err
			}
		}
		set := texts(pages, func(id lifecycle.CardLetterID) lifecycle.CardLetterID { return id })
		letters, err := tx.LockCardLetters(ctx, set)
		if err != nil {
			return fmt.Errorf("letters of run %s: %w", plan.Run, err)
		}
		letters = slices.DeleteFunc(letters, func(l db.CardLetter) bool { return l.State == lifecycle.LetterCancelled })
		if err := s.moveCardLetters(ctx, tx, letters, severalCardLetters{on: lifecycle.Render, by: system}); err != nil {
			return err
		}
		if err := storeSectionTx(ctx, s, tx, plan.Run, 1, sealed, pages); err != nil {
			return err
		}
		return s.renderedTx(ctx, tx, &r, system, done)
	})
}

// storeSectionTx keeps the file of a section, and where in it each letter begins
// and on how many pages it is: as many sheets of paper.
func storeSectionTx[ID ~string](ctx context.Context, s *Service, tx store.Tx, run lifecycle.PrintRunID, section int, sealed []byte, pages []ID) error {
	if len(pages) == 0 {
		return nil
	}
	set := db.SetSheetPagesParams{RunID: run}
	for i, letter := range pages {
		if i > 0 && letter == pages[i-1] {
			set.Sheets[len(set.Sheets)-1]++
			continue
		}
		set.Letters, set.Sheets = append(set.Letters, string(letter)), append(set.Sheets, 1)
		set.Pages = append(set.Pages, int32(i+1)) //nolint:gosec // at most some thousands
	}
	if err := tx.SetSheetPages(ctx, set); err != nil {
		return fmt.Errorf("print run %s: %w", run, err)
	}
	return s.putDocumentTx(ctx, tx, RunDocument(run, section), "application/pkcs7-mime", sealed)
}

// renderedTx ends the rendering of a run. Letters without a page leave it; a run
// of which none is left ends here.
func (s *Service) renderedTx(ctx context.Context, tx store.Tx, r *db.PrintRun, by lifecycle.Actor, done Done) error {
	if err := tx.DropUnsetSheets(ctx, r.ID); err != nil {
		return fmt.Errorf("print run %s: %w", r.ID, err)
	}
	sheets, err := tx.CountSheets(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("print run %s: %w", r.ID, err)
	}
	event := lifecycle.Render
	if sheets == 0 {
		event = lifecycle.Cancel
	}
	if err := s.moveRun(ctx, tx, r, event, by, map[string]string{"sheets": fmt.Sprint(sheets)}); err != nil {
		return err
	}
	if err := tx.SetPrintRunRendered(ctx, new(s.now()), r.ID); err != nil {
		return fmt.Errorf("print run %s: %w", r.ID, err)
	}
	return done.run(tx)
}

// BeginPINRun records the intent to render a run of PIN letters. Sections stored
// already are answered as such.
func (s *Service) BeginPINRun(ctx context.Context, id lifecycle.PrintRunID) (PINRunPlan, error) {
	var plan PINRunPlan
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		r, err := s.beginRunTx(ctx, tx, id, lifecycle.PrintPIN)
		if err != nil {
			return err
		}
		plan = PINRunPlan{Run: id, Fence: r.Fence, Language: party.Language(r.Language), Created: r.CreatedAt}
		if plan.Template, err = s.templateOfRunTx(ctx, tx, &r); err != nil {
			return err
		}
		rows, err := tx.PINRunLetters(ctx, id)
		if err != nil {
			return fmt.Errorf("PIN letter run %s: %w", id, err)
		}
		for _, f := range rows {
			if n := len(plan.Sections); n == 0 || plan.Sections[n-1].Number != int(f.Section) {
				plan.Sections = append(plan.Sections, PINSection{Number: int(f.Section), Stored: f.Page > 0})
			}
			section := &plan.Sections[len(plan.Sections)-1]
			section.Letters = append(section.Letters, PINLetterPlan{
				Letter: f.ID, Card: f.CardID, PINVersion: int(f.PINVersion), Date: f.PostAfter,
				To: addressee(f.GivenName, f.Surname, f.Language, f.LargePrint, party.Address{
					Organisation: f.Company, Complement: f.Complement, Street: f.Street, Postcode: f.Postcode, City: f.City, Country: f.Country,
				}),
			})
		}
		return nil
	})
	return plan, err
}

// FinishPINSection records a section of the run as the print room's ciphertext:
// only then are its letters rendered.
func (s *Service) FinishPINSection(ctx context.Context, plan PINRunPlan, section int, sealed []byte, pages []lifecycle.PINLetterID, failed []LetterFailure) error {
	system := lifecycle.System("pin-letter")
	return s.store.InTx(ctx, func(tx store.Tx) error {
		if _, err := s.fencedRunTx(ctx, tx, plan.Run, plan.Fence); err != nil {
			return err
		}
		set := texts(pages, func(id lifecycle.PINLetterID) lifecycle.PINLetterID { return id })
		letters, err := tx.LockPINLetters(ctx, set)
		if err != nil {
			return fmt.Errorf("letters of run %s: %w", plan.Run, err)
		}
		letters = slices.DeleteFunc(letters, func(l db.PINLetter) bool { return l.State == lifecycle.LetterCancelled })
		if err := s.movePINLetters(ctx, tx, letters, severalPINLetters{on: lifecycle.Render, by: system}); err != nil {
			return err
		}
		for _, f := range failed {
			l, err := tx.LockPINLetter(ctx, lifecycle.PINLetterID(f.Letter))
			if err != nil {
				return fmt.Errorf("PIN letter %s: %w", f.Letter, err)
			}
			if l.State == lifecycle.LetterCancelled {
				continue
			}
			if err := s.movePINLetter(ctx, tx, &l, lifecycle.Fail, system); err != nil {
				return err
			}
			if err := tx.FailPINLetter(ctx, f.Why, l.ID); err != nil {
				return fmt.Errorf("PIN letter %s: %w", f.Letter, err)
			}
		}
		return storeSectionTx(ctx, s, tx, plan.Run, section, sealed, pages)
	})
}

// FinishPINRun ends a run whose sections are stored and whose PINs are closed.
func (s *Service) FinishPINRun(ctx context.Context, plan PINRunPlan, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		r, err := s.fencedRunTx(ctx, tx, plan.Run, plan.Fence)
		if err != nil {
			return err
		}
		return s.renderedTx(ctx, tx, &r, lifecycle.System("pin-letter"), done)
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

// Document reads what leaves the house as bytes: a print run's file, a bureau
// file.
func (s *Service) Document(ctx context.Context, id string) ([]byte, error) {
	d, err := s.store.Document(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("document %s: %w", id, err)
	}
	return d.Content, nil
}
