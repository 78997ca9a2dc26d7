package jobs

import (
	"context"
	"errors"
	"time"

	"sceau/cms"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
)

// cardLetter renders a card's letter.
func (t Tools) cardLetter(ctx context.Context, args issuance.CardLetterArgs, done issuance.Done) error {
	plan, err := t.Service.BeginCardLetter(ctx, args.Card)
	if err != nil {
		return err
	}
	common, err := t.common(plan.To, plan.Date)
	if errors.Is(err, lifecycle.Invalid) { // the address does not fit: staff mend it and retry
		return t.Service.StopCardLetter(ctx, args.Card, err.Error(), done)
	}
	if err != nil {
		return err
	}
	pdf, err := letter.CardLetter(letter.CardLetterData{
		Common: common, Letter: plan.Letter, ClientID: plan.ClientID, UserNumber: plan.UserNumber,
		Last4: plan.Last4, Expiry: plan.Expiry, Product: t.CardName, PickUpBranch: plan.PickUp,
	})
	if err != nil {
		return err
	}
	return t.Service.FinishCardLetter(ctx, plan, pdf, done)
}

// pinLetter renders a PIN letter and encrypts it for the print room before
// anything is stored. Here alone, outside Vault, a PIN is in clear, for as long
// as the page takes. The engine gives it for this letter only, so that a worker
// killed at any line can be followed by another; once the ciphertext is stored,
// nobody is given it again.
func (t Tools) pinLetter(ctx context.Context, args issuance.PINLetterArgs, done issuance.Done) error {
	plan, err := t.Service.BeginPINLetter(ctx, args.Card)
	if err != nil {
		return err
	}
	release := hsm.PINRelease{Card: plan.Card, PINVersion: plan.PINVersion, Letter: plan.Letter}
	if plan.State == lifecycle.LetterRequested {
		sealed, err := t.sealedPINLetter(ctx, plan, release)
		if err != nil {
			return err
		}
		if err := t.Service.FinishPINLetter(ctx, plan, sealed); err != nil {
			return err
		}
	}
	if err := t.PINs.ClosePIN(ctx, release); err != nil && !gone(err) {
		return err
	}
	return t.Service.Complete(ctx, done)
}

func (t Tools) sealedPINLetter(ctx context.Context, plan issuance.PINLetterPlan, release hsm.PINRelease) ([]byte, error) {
	common, err := t.common(plan.To, plan.Date)
	if err != nil {
		return nil, err
	}
	pin, err := t.PINs.ReleasePIN(ctx, release)
	if err != nil {
		return nil, err
	}
	pdf, err := letter.PINLetter(letter.PINLetterData{Common: common, Letter: plan.Letter, PIN: pin})
	if err != nil {
		return nil, err
	}
	defer clear(pdf)
	return cms.Seal(pdf, t.PrintRoomCert)
}

// pinDestroy erases a PIN that must never be used. One that is not there is as
// good as erased.
func (t Tools) pinDestroy(ctx context.Context, args issuance.PINDestroyArgs, done issuance.Done) error {
	if err := t.Engine.DestroyPIN(ctx, args.Card, int(args.PINVersion)); err != nil && !gone(err) {
		return err
	}
	return t.Service.Complete(ctx, done)
}

// gone tells that the engine has no such PIN any more.
func gone(err error) bool {
	return errors.Is(err, lifecycle.NotFound) || errors.Is(err, lifecycle.Conflict)
}

func (t Tools) common(to issuance.Addressee, date time.Time) (letter.Common, error) {
	lines, err := to.Address.Lines(t.BankCountry)
	if err != nil {
		return letter.Common{}, err
	}
	bank := t.Bank
	if phone, ok := t.Phones[to.Address.Country]; ok {
		bank.Phone = phone
	}
	return letter.Common{
		Bank: bank, Language: to.Language, AddressLines: lines, WindowCountry: t.BankCountry, Date: date,
		SalutationName: to.Name,
	}, nil
}

// postLetters hands to the post what is printed and due.
func (t Tools) postLetters(ctx context.Context, _ issuance.PostLettersArgs, done issuance.Done) error {
	if _, err := t.Service.PostLetters(ctx); err != nil {
		return err
	}
	return t.Service.Complete(ctx, done)
}

// expire ends what has reached its end.
func (t Tools) expire(ctx context.Context, _ issuance.ExpireArgs, done issuance.Done) error {
	if _, err := t.Service.ExpireDue(ctx); err != nil {
		return err
	}
	return t.Service.Complete(ctx, done)
}
