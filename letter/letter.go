// Package letter sets what a bank prints: the two letters of an authentication
// card, the card letter that carries the card and the PIN letter that follows on
// another day; and the minutes of a key ceremony and the certificate of a
// destruction, which have no secret.
//
// Values go in and PDF bytes come out. It never touches a file, the network or
// a clock, and no function takes both the card and the PIN: the two letters
// share no number by which somebody who holds one could find the other. A PIN
// is in clear in the bytes that PINLetter returns, which the caller encrypts
// at once; letter keeps none and puts none in an error.
package letter

import (
	"fmt"
	"time"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/party"
)

// Bank is what the letters say of their sender.
type Bank struct {
	Name          string // on top of the letter
	LegalName     string // in the footer, with the form of company
	ReturnAddress string // one line, without the bank's name: street, postcode, town
	Phone         string // for the holder's country
	Website       string // without a scheme
	Colour        Colour // of the name and the headings; dark enough to read on white
}

// Colour is a colour of the screen and of the printer, each part 0 to 255.
type Colour struct{ R, G, B uint8 }

// Common is what both letters take.
type Common struct {
	Bank     Bank
	Language party.Language
	// AddressLines are as party.Address.Lines gives them.
	AddressLines []string
	// WindowCountry says where the envelope's window is: FR on the right, BE,
	// NL, DE and LU on the left.
	WindowCountry  string
	Date           time.Time // of the letter, and of the file
	SalutationName string    // given name and surname
}

// CardLetterData is a card letter.
type CardLetterData struct {
	Common
	Letter       lifecycle.CardLetterID
	ClientID     string    // 8 digits
	UserNumber   string    // 4 digits
	Last4        string    // of the card number
	Expiry       time.Time // the card works until the end of this month
	Product      string    // the card's commercial name
	PickUpBranch string    // where the card waits; "" when it is in this letter
}

// PINLetterData is a PIN letter. It has nothing of the card, of the client
// number or of the service.
type PINLetterData struct {
	Common
	Letter lifecycle.PINLetterID
	PIN    lifecycle.PIN
}

// CardLetter sets a card letter on one A4 page. The error is
// [lifecycle.Invalid] when a value is missing, does not fit or has a character
// that the letters' font lacks; nothing is ever cut or shown as a box.
func CardLetter(d CardLetterData) ([]byte, error) {
	t, err := loadTypeface()
	if err != nil {
		return nil, err
	}
	doc := newDocument(t)
	if err := doc.cardPage(d); err != nil {
		return nil, err
	}
	return doc.bytes(d.metadata(d.words().card.subject))
}

// PINLetter sets a PIN letter on one A4 page, with the PIN alone on its line.
// Errors are as those of [CardLetter]; none holds the PIN. The caller encrypts
// the bytes before anything is stored, and clears them.
func PINLetter(d PINLetterData) ([]byte, error) {
	t, err := loadTypeface()
	if err != nil {
		return nil, err
	}
	doc := newDocument(t)
	defer doc.forget()
	if err := doc.pinPage(d); err != nil {
		return nil, err
	}
	return doc.bytes(d.metadata(d.words().pin.subject))
}

// CheckPINLetter tells whether a PIN letter can be set, before its PIN is asked
// for: a PIN is given for a letter that will be printed. Errors are as those of
// [PINLetter].
func CheckPINLetter(letter lifecycle.PINLetterID, c Common) error {
	t, err := loadTypeface()
	if err != nil {
		return err
	}
	specimen, err := lifecycle.NewPIN("000000000000")
	if err != nil {
		return err
	}
	return newDocument(t).pinPage(PINLetterData{Common: c, Letter: letter, PIN: specimen})
}

// cardPage adds a card letter to a document.
func (doc *document) cardPage(d CardLetterData) error {
	wrongs := d.check(doc.t)
	wrongs.AddError("letter", lifecycle.CheckID(lifecycle.PrefixCardLetter, string(d.Letter)))
	wrongs.AddError("client_id", number(d.ClientID, 8))
	wrongs.AddError("user_number", number(d.UserNumber, 4))
	wrongs.AddError("last4", number(d.Last4, 4))
	wrongs.AddError("product", printable(doc.t, d.Product, 32))
	if d.PickUpBranch != "" {
		wrongs.AddError("pick_up_branch", printable(doc.t, d.PickUpBranch, 80))
	}
	if d.Expiry.IsZero() {
		wrongs.Add("expiry", "is missing")
	}
	if err := wrongs.Err(); err != nil {
		return err
	}
	w := d.words()
	s := newSheet(doc, d.Common, w)
	if err := s.frame(string(d.Letter), d.Bank.Name+" · "+d.Bank.ReturnAddress); err != nil {
		return err
	}
	if err := s.cardBody(d, w.card); err != nil {
		return err
	}
	return doc.add(s.shared.out, s.apart.out)
}

// pinPage adds a PIN letter to a document. Only what is the page's own has the
// PIN.
func (doc *document) pinPage(d PINLetterData) error {
	wrongs := d.check(doc.t)
	wrongs.AddError("letter", lifecycle.CheckID(lifecycle.PrefixPINLetter, string(d.Letter)))
	if d.PIN.Reveal() == "" {
		wrongs.Add("pin", "is missing")
	}
	if err := wrongs.Err(); err != nil {
		return err
	}
	w := d.words()
	s := newSheet(doc, d.Common, w)
	kept := false
	defer func() {
		if !kept {
			clear(s.apart.out[:cap(s.apart.out)])
		}
	}()
	if err := s.frame(string(d.Letter), d.Bank.ReturnAddress); err != nil {
		return err
	}
	if err := s.pinBody(d, w.pin); err != nil {
		return err
	}
	kept = true
	return doc.add(s.shared.out, s.apart.out)
}

func (c Common) metadata(title string) metadata {
	return metadata{title: title, author: c.Bank.Name, language: string(c.Language), date: c.Date}
}

func (c Common) check(t *typeface) lifecycle.FieldErrors {
	var wrongs lifecycle.FieldErrors
	wrongs.AddError("bank.name", printable(t, c.Bank.Name, 48))
	wrongs.AddError("bank.legal_name", printable(t, c.Bank.LegalName, 80))
	wrongs.AddError("bank.return_address", printable(t, c.Bank.ReturnAddress, 80))
	wrongs.AddError("bank.phone", printable(t, c.Bank.Phone, 24))
	wrongs.AddError("bank.website", printable(t, c.Bank.Website, 32))
	if _, err := party.ParseLanguage(string(c.Language)); err != nil {
		wrongs.AddError("language", err)
	}
	if n := len(c.AddressLines); n == 0 || n > party.MaxLinesAbroad {
		wrongs.Add("address_lines", fmt.Sprintf("an address has 1 to %d lines", party.MaxLinesAbroad))
	}
	for i, line := range c.AddressLines[:min(len(c.AddressLines), party.MaxLinesAbroad)] {
		wrongs.AddError(fmt.Sprintf("address_lines[%d]", i), printable(t, line, party.MaxLineLength))
	}
	if _, ok := windowOf(c.WindowCountry); !ok {
		wrongs.Add("window_country", "use FR, BE, NL, DE or LU")
	}
	if y := c.Date.UTC().Year(); y < 2000 || y > 9998 {
		wrongs.Add("date", "is missing or out of range")
	}
	wrongs.AddError("salutation_name", printable(t, c.SalutationName, 130))
	return wrongs
}

// printable checks a text of at most so many characters that both faces can
// show.
func printable(t *typeface, s string, most int) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: is missing", lifecycle.Invalid)
	case len(s) > 4*most || utf8.RuneCountInString(s) > most:
		return fmt.Errorf("%w: is longer than %d characters", lifecycle.Invalid, most)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: is not UTF-8 text", lifecycle.Invalid)
	}
	for _, f := range []*face{t.regular, t.bold} {
		if r, lacking := f.lacks(s); lacking {
			return fmt.Errorf("%w: the letters' font has no character %U; write the name in Latin letters", lifecycle.Invalid, r)
		}
	}
	return nil
}

func number(s string, digits int) error {
	if len(s) != digits {
		return fmt.Errorf("%w: has %d digits", lifecycle.Invalid, digits)
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return fmt.Errorf("%w: has digits only", lifecycle.Invalid)
		}
	}
	return nil
}
