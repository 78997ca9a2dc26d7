package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/cms"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
)

// gatherLetters makes print runs of the letters that wait.
func (t Tools) gatherLetters(ctx context.Context, _ issuance.GatherLettersArgs, done issuance.Done) error {
	if _, err := t.Service.GatherLetters(ctx, lifecycle.System("gather")); err != nil {
		return err
	}
	return t.Service.Complete(ctx, done)
}

// cardRun renders a run of card letters as one document and seals it for the
// print room. A letter that cannot be set is left out, for staff to look at.
func (t Tools) cardRun(ctx context.Context, args issuance.CardRunArgs, done issuance.Done) error {
	plan, err := t.Service.BeginCardRun(ctx, args.Run)
	if err != nil {
		return err
	}
	run, err := letter.NewCardRun(letter.RunInfo{Reference: string(plan.Run), Bank: t.Bank.Name, Language: plan.Language, Date: plan.Created})
	if err != nil {
		return err
	}
	template, err := templateOf(plan.Template)
	if err != nil {
		return err
	}
	var pages []lifecycle.CardLetterID
	var failed []issuance.LetterFailure
	for _, l := range plan.Letters {
		before := run.Pages()
		common, err := t.common(template, l.To, l.Date)
		if err == nil {
			err = run.Add(letter.CardLetterData{
				Common: common, Letter: l.Letter, ClientID: l.ClientID, UserNumber: l.UserNumber, Company: l.To.Address.Organisation,
				Last4: l.Last4, Expiry: l.Expiry, Product: t.CardName, PickUpBranch: l.PickUp,
			})
		}
		switch {
		case errors.Is(err, lifecycle.Invalid):
			failed = append(failed, issuance.LetterFailure{Letter: string(l.Letter), Why: err.Error()})
		case err != nil:
			return err
		default:
			pages = append(pages, slices.Repeat([]lifecycle.CardLetterID{l.Letter}, run.Pages()-before)...)
		}
	}
	var sealed []byte
	if len(pages) > 0 {
		pdf, err := run.PDF()
		if err != nil {
			return err
		}
		if sealed, err = cms.Seal(pdf, t.PrintRoomCert); err != nil {
			return err
		}
	}
	return t.Service.FinishCardRun(ctx, plan, sealed, pages, failed, done)
}

// pinRun renders a run of PIN letters, section by section: a section is sealed
// for the print room and stored before the next one's PINs are asked for. Here
// alone, outside Vault, PINs are in clear, those of one section, for as long as
// its pages take. The engine gives a PIN for its letter only, so that a worker
// killed at any line can be followed by another: what was given and not stored
// was in the dead worker's memory and nowhere else. Once the ciphertext is
// stored, the PINs are closed, and nobody is given them again.
func (t Tools) pinRun(ctx context.Context, args issuance.PINRunArgs, done issuance.Done) error {
	plan, err := t.Service.BeginPINRun(ctx, args.Run)
	if err != nil {
		return err
	}
	template, err := templateOf(plan.Template)
	if err != nil {
		return err
	}
	for i, section := range plan.Sections {
		letters := section.Letters
		switch {
		case !section.Stored:
			if letters, err = t.pinSection(ctx, plan, template, section); err != nil {
				return err
			}
		case i+1 < len(plan.Sections) && plan.Sections[i+1].Stored:
			continue // closed before the next one was begun
		}
		for _, l := range letters {
			if err := t.PINs.ClosePIN(ctx, releaseOf(l)); err != nil && !gone(err) {
				return err
			}
		}
	}
	return t.Service.FinishPINRun(ctx, plan, done)
}

// pinSection renders, seals and stores a section, and answers the letters that
// are in it. A letter that cannot be set is found before its PIN is asked for;
// one whose PIN is not given any more needs a new card.
func (t Tools) pinSection(ctx context.Context, plan issuance.PINRunPlan, template *letter.Template, section issuance.PINSection) ([]issuance.PINLetterPlan, error) {
	run, err := letter.NewPINRun(letter.RunInfo{
		Reference: issuance.RunDocument(plan.Run, section.Number), Bank: t.Bank.Name, Language: plan.Language, Date: plan.Created,
	})
	if err != nil {
		return nil, err
	}
	defer run.Forget()
	var set []issuance.PINLetterPlan
	var pages []lifecycle.PINLetterID
	var failed []issuance.LetterFailure
	for _, l := range section.Letters {
		common, err := t.common(template, l.To, l.Date)
		if err == nil {
			err = letter.CheckPINLetter(l.Letter, common)
		}
		if errors.Is(err, lifecycle.Invalid) {
			failed = append(failed, issuance.LetterFailure{Letter: string(l.Letter), Why: err.Error()})
			continue
		}
		if err != nil {
			return nil, err
		}
		pin, err := t.PINs.ReleasePIN(ctx, releaseOf(l))
		if err != nil && gone(err) {
			failed = append(failed, issuance.LetterFailure{Letter: string(l.Letter), Why: "the engine gives its PIN no more: order a new card"})
			continue
		}
		if err != nil {
			return nil, err
		}
		before := run.Pages()
		if err := run.Add(letter.PINLetterData{Common: common, Letter: l.Letter, PIN: pin}); err != nil {
			return nil, err
		}
		set, pages = append(set, l), append(pages, slices.Repeat([]lifecycle.PINLetterID{l.Letter}, run.Pages()-before)...)
	}
	var sealed []byte
	if len(pages) > 0 {
		pdf, err := run.PDF()
		if err != nil {
			return nil, err
		}
		defer clear(pdf)
		if sealed, err = cms.Seal(pdf, t.PrintRoomCert); err != nil {
			return nil, err
		}
	}
	return set, t.Service.FinishPINSection(ctx, plan, section.Number, sealed, pages, failed)
}

func releaseOf(l issuance.PINLetterPlan) hsm.PINRelease {
	return hsm.PINRelease{Card: l.Card, PINVersion: l.PINVersion, Letter: l.Letter}
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

// templateOf is what a run's letters say: nil is the letters' own.
func templateOf(t issuance.Edition) (*letter.Template, error) {
	if t.Version == issuance.BuiltIn {
		return nil, nil //nolint:nilnil // as letter.Common has it
	}
	template, err := letter.ParseTemplate(t.Content)
	if err != nil {
		return nil, fmt.Errorf("version %d of the %s letter template: %w", t.Version, t.Name, err)
	}
	if string(template.Kind()) != t.Name || sha256.Sum256(t.Content) != t.SHA256 {
		return nil, fmt.Errorf("%w: version %d of the %s letter template is not what was approved", lifecycle.Illegal, t.Version, t.Name)
	}
	return template, nil
}

func (t Tools) common(template *letter.Template, to issuance.Addressee, date time.Time) (letter.Common, error) {
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
		SalutationName: to.Name, Large: to.Large, Template: template,
	}, nil
}

// postLetters hands to the post what is printed and due.
func (t Tools) postLetters(ctx context.Context, _ issuance.PostLettersArgs, done issuance.Done) error {
	if _, err := t.Service.PostLetters(ctx); err != nil {
		return err
	}
	return t.Service.Complete(ctx, done)
}

// forgetFiles erases print files that are too old.
func (t Tools) forgetFiles(ctx context.Context, _ issuance.ForgetFilesArgs, done issuance.Done) error {
	if _, _, err := t.Service.ForgetRunFiles(ctx); err != nil {
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
