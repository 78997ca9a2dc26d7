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
	Large          bool      // in large print, for holders who asked for it: on two sheets or three
	Template       *Template // nil: the built-in one

	specimen bool // a preview, which no holder gets
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
	Company      string    // asked for by templates that name it
	PickUpBranch string    // where the card waits; "" when it is in this letter
}

// PINLetterData is a PIN letter. It has nothing of the card, of the client
// number or of the service.
type PINLetterData struct {
	Common
	Letter lifecycle.PINLetterID
	PIN    lifecycle.PIN
}

// CardLetter sets a card letter on one A4 page, in large print on more. The
// error is [lifecycle.Invalid] when a value is missing, does not fit or has a character
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
	return doc.bytes(d.metadata(lifecycle.PrintCard))
}

// PINLetter sets a PIN letter on one A4 page, with the PIN alone on its line; in
// large print what else it says goes on, without the PIN, on another. Errors are as those of [CardLetter]; none holds the PIN. The caller encrypts
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
	return doc.bytes(d.metadata(lifecycle.PrintPIN))
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
	w, err := d.words(lifecycle.PrintCard)
	if err != nil {
		return err
	}
	wrongs := d.check(doc.t)
	wrongs.AddError("letter", lifecycle.CheckID(lifecycle.PrefixCardLetter, string(d.Letter)))
	wrongs.AddError("client_id", number(d.ClientID, 8))
	wrongs.AddError("user_number", number(d.UserNumber, 4))
	wrongs.AddError("last4", number(d.Last4, 4))
	wrongs.AddError("product", printable(doc.t, d.Product, 32))
	if w.wants(theCompany) {
		wrongs.AddError("company", printable(doc.t, d.Company, 80))
	}
	if d.PickUpBranch != "" {
		wrongs.AddError("pick_up_branch", printable(doc.t, d.PickUpBranch, 80))
	}
	if d.Expiry.IsZero() {
		wrongs.Add("expiry", "is missing")
	}
	if err := wrongs.Err(); err != nil {
		return err
	}
	sender := d.Bank.Name + " · " + d.Bank.ReturnAddress
	if d.Large {
		f, err := newFlow(doc, d.Common, w, d.values(), string(d.Letter), sender)
		if err != nil {
			return err
		}
		if err := f.card(d); err != nil {
			return err
		}
		return f.finish()
	}
	s := newSheet(doc, d.Common, w)
	s.values = d.values()
	if err := s.frame(string(d.Letter), sender); err != nil {
		return err
	}
	if err := s.cardBody(d, w); err != nil {
		return err
	}
	return doc.add(s.shared.out, s.apart.out)
}

// pinPage adds a PIN letter to a document. Only what is the page's own has the
// PIN.
func (doc *document) pinPage(d PINLetterData) error {
	w, err := d.words(lifecycle.PrintPIN)
	if err != nil {
		return err
	}
	wrongs := d.check(doc.t)
	wrongs.AddError("letter", lifecycle.CheckID(lifecycle.PrefixPINLetter, string(d.Letter)))
	code := d.PIN.Reveal()
	switch {
	case d.specimen:
		code = noPIN
	case code == "":
		wrongs.Add("pin", "is missing")
	}
	if err := wrongs.Err(); err != nil {
		return err
	}
	if d.Large {
		f, err := newFlow(doc, d.Common, w, d.values(), string(d.Letter), d.Bank.ReturnAddress)
		if err != nil {
			return err
		}
		defer f.forget()
		if err := f.pin(code); err != nil {
			return err
		}
		return f.finish()
	}
	s := newSheet(doc, d.Common, w)
	s.values = d.values()
	kept := false
	defer func() {
		if !kept {
			clear(s.apart.out[:cap(s.apart.out)])
		}
	}()
	if err := s.frame(string(d.Letter), d.Bank.ReturnAddress); err != nil {
		return err
	}
	if err := s.pinBody(w, code); err != nil {
		return err
	}
	kept = true
	return doc.add(s.shared.out, s.apart.out)
}

// words are those of the letter's template in its language, if it is for letters
// of the kind.
func (c Common) words(kind lifecycle.PrintKind) (*words, error) {
	if _, err := party.ParseLanguage(string(c.Language)); err != nil {
		return nil, err
	}
	t := c.Template
	if t == nil {
		var err error
		if t, err = BuiltIn(kind); err != nil {
			return nil, err
		}
	}
	if t.kind != kind {
		return nil, &lifecycle.FieldError{Field: "template", Why: fmt.Sprintf("is of a %s letter", t.kind)}
	}
	return t.words[c.Language], nil
}

// values are what the bank and the holder fill in.
func (c Common) values() *values {
	return &values{thePhone: unbroken(c.Bank.Phone), theWebsite: c.Bank.Website, theBank: c.Bank.Name, theHolder: c.SalutationName}
}

// values are also what a card letter says of its card.
func (d CardLetterData) values() *values {
	v := d.Common.values()
	v[theCompany], v[theProduct], v[theLast4], v[theExpiry] = d.Company, d.Product, d.Last4, d.expiry()
	v[theClientID], v[theUserNumber], v[theBranch] = d.ClientID, d.UserNumber, d.PickUpBranch
	return v
}

func (d CardLetterData) expiry() string { return d.Expiry.UTC().Format("01/2006") }

// metadata is of a letter alone; of a run it is the run's.
func (c Common) metadata(kind lifecycle.PrintKind) metadata {
	title := ""
	if w, err := c.words(kind); err == nil {
		title = w.subject.fill(c.values())
	}
	if c.specimen {
		title = specimenWord + " · " + title
	}
	return metadata{title: title, author: c.Bank.Name, language: string(c.Language), date: c.Date}
}

func (c Common) check(t *typeface) lifecycle.FieldErrors {
	var wrongs lifecycle.FieldErrors
	wrongs.AddError("bank.name", printable(t, c.Bank.Name, 48))
	wrongs.AddError("bank.legal_name", printable(t, c.Bank.LegalName, 80))
	wrongs.AddError("bank.return_address", printable(t, c.Bank.ReturnAddress, 80))
	wrongs.AddError("bank.phone", printable(t, c.Bank.Phone, 24))
	wrongs.AddError("bank.website", printable(t, c.Bank.Website, 32))
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
