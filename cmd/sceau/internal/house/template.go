package house

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"
	"unicode/utf8"

	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
	"sceau/party"
)

// ReadTemplate reads the file of a letter template, with a picture for its logo
// if one is given, and tries it with the bank's own names and the longest of
// everybody else's.
func ReadTemplate(bank *Bank, file, logo []byte) (*letter.Template, error) {
	if len(logo) > 0 {
		file = fmt.Appendf(file, "\nlogo: %s\n", base64.StdEncoding.EncodeToString(logo))
	}
	t, err := letter.ParseTemplate(file)
	if err != nil {
		return nil, err
	}
	sender := bank.Sender()
	for _, phone := range bank.Bank.Phones {
		if utf8.RuneCountInString(phone) > utf8.RuneCountInString(sender.Phone) {
			sender.Phone = phone
		}
	}
	return t, t.Try(sender, bank.Bank.CardProduct)
}

// ProposeTemplate reads, tries and records a template that an approver looks at.
func (h *House) ProposeTemplate(ctx context.Context, by lifecycle.Actor, bank *Bank, file, logo []byte) (*letter.Template, int, error) {
	t, err := ReadTemplate(bank, file, logo)
	if err != nil {
		return nil, 0, err
	}
	version, err := h.Service.ProposeTemplate(ctx, by, t.Kind(), t.Canonical())
	return t, version, err
}

// Template reads a version that is on record; 0 is the built-in one.
func (h *House) Template(ctx context.Context, kind lifecycle.PrintKind, version int) (*letter.Template, issuance.Edition, error) {
	kept, err := h.Service.Template(ctx, kind, version)
	if err != nil {
		return nil, kept, err
	}
	if kept.Version == issuance.BuiltIn {
		t, err := letter.BuiltIn(kind)
		if err == nil {
			kept.Content, kept.SHA256 = t.Canonical(), t.Sum()
		}
		return t, kept, err
	}
	t, err := letter.ParseTemplate(kept.Content)
	return t, kept, err
}

// TemplatePreview says which letter a preview shows.
type TemplatePreview struct {
	Language string
	Country  string // of the window; "" is the bank's
	Large    bool
	Branch   bool
	Date     time.Time
}

// Preview sets the letter of nobody.
func Preview(bank *Bank, t *letter.Template, o TemplatePreview) ([]byte, error) {
	language, err := party.ParseLanguage(o.Language)
	if err != nil {
		return nil, err
	}
	if o.Country == "" {
		o.Country = bank.Bank.Country
	}
	sender := bank.Sender()
	if phone, ok := bank.Bank.Phones[o.Country]; ok {
		sender.Phone = phone
	}
	return t.Preview(letter.Specimen{
		Bank: sender, Product: bank.Bank.CardProduct, Language: language, WindowCountry: o.Country, Large: o.Large, Branch: o.Branch, Date: o.Date,
	})
}
