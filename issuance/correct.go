package issuance

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// Address is where a holder lives.
type Address struct {
	Complement, Street, Postcode, City, Country string
}

// HolderCorrection is what is wrong of a holder; what is nil stays as it is. Names
// stand on cards and in certificates: they take two people. Language, e-mail and
// postal address are corrected at once.
type HolderCorrection struct {
	GivenName, Surname *string
	Language, Email    *string
	Address            *Address
	Why                string
}

// CompanyCorrection is what is wrong of a company; what is empty stays as it is.
// All of it takes two people.
type CompanyCorrection struct {
	Name, Country, RegistryNumber string
	Why                           string
}

// Corrected is what a correction changes, and what carries what was wrong.
type Corrected struct {
	Agreement

	Changes      map[string]string // by field, "before → after"
	Void         []lifecycle.OrderID
	Cards        []lifecycle.CardID
	Certificates []lifecycle.CertificateID
	Work         lifecycle.WorkItemID // "": nothing carries a wrong name
}

// diff notes a field that changes, and which of the corrections it is.
func (c *Corrected) diff(kinds *lifecycle.Corrections, kind lifecycle.Corrections, field, before, after string) {
	if before != after {
		*kinds |= kind
		c.Changes[field] = fmt.Sprintf("%s → %s", before, after)
	}
}

// lines are the changes in one order.
func (c *Corrected) lines() []string {
	var all []string
	for field, change := range c.Changes {
		all = append(all, field+": "+change)
	}
	slices.Sort(all)
	return all
}

// CorrectHolder corrects what is on record of a holder. A name is proposed first,
// and corrected when an approver gives the same command within a day. Orders that
// were approved with what was wrong lose their approval; the holder is told by
// e-mail, at the address that was wrong too.
func (s *Service) CorrectHolder(ctx context.Context, by lifecycle.Actor, id lifecycle.HolderID, c HolderCorrection) (Corrected, error) {
	if err := mayCorrect(by, c.Why); err != nil {
		return Corrected{}, err
	}
	known, err := s.store.Holder(ctx, id)
	if err != nil {
		return Corrected{}, fmt.Errorf("holder %s: %w", id, err)
	}
	return s.correct(ctx, by, known.CompanyID, []lifecycle.HolderID{id}, func(tx store.Tx, company db.Company, made *Corrected) (correction, error) {
		h, err := tx.Holder(ctx, id) // locked already
		if err != nil {
			return correction{}, fmt.Errorf("holder %s: %w", id, err)
		}
		now := c.on(h)
		var errs lifecycle.FieldErrors
		now.check(company.Name, &errs)
		if err := errs.Err(); err != nil {
			return correction{}, err
		}
		n := correction{thing: "holder", id: string(id), state: "enrolled", subject: "correct holder " + string(id), why: c.Why}
		for _, f := range []struct {
			kind                 lifecycle.Corrections
			field, before, after string
		}{
			{lifecycle.CorrectedName, "given_name", h.GivenName, now.GivenName},
			{lifecycle.CorrectedName, "surname", h.Surname, now.Surname},
			{lifecycle.CorrectedLanguage, "language", h.Language, now.Language},
			{lifecycle.CorrectedEmail, "email", h.Email, now.Email},
			{lifecycle.CorrectedAddress, "complement", h.Complement, now.Complement},
			{lifecycle.CorrectedAddress, "street", h.Street, now.Street},
			{lifecycle.CorrectedAddress, "postcode", h.Postcode, now.Postcode},
			{lifecycle.CorrectedAddress, "city", h.City, now.City},
			{lifecycle.CorrectedAddress, "address_country", h.Country, now.Country},
		} {
			made.diff(&n.kinds, f.kind, f.field, f.before, f.after)
		}
		if n.kinds&lifecycle.CorrectedName != 0 && n.kinds != lifecycle.CorrectedName {
			return n, &lifecycle.FieldError{Field: "surname", Why: "a name takes two people: correct it by itself, and the rest by another command"}
		}
		if n.kinds&lifecycle.CorrectedEmail != 0 {
			n.former = &h.Email
		}
		n.write = func() error { return s.writeHolderTx(ctx, tx, id, n.kinds, now) }
		return n, nil
	})
}

// on is the holder as they are after the correction.
func (c HolderCorrection) on(h db.Holder) Holder {
	or := func(corrected *string, known string) string {
		if corrected != nil {
			return *corrected
		}
		return known
	}
	now := Holder{
		UserNumber: h.UserNumber, GivenName: or(c.GivenName, h.GivenName), Surname: or(c.Surname, h.Surname), Language: or(c.Language, h.Language),
		Email: or(c.Email, h.Email), Complement: h.Complement, Street: h.Street, Postcode: h.Postcode, City: h.City, Country: h.Country,
	}
	if a := c.Address; a != nil {
		now.Complement, now.Street, now.Postcode, now.City, now.Country = a.Complement, a.Street, a.Postcode, a.City, a.Country
	}
	return now
}

func (s *Service) writeHolderTx(ctx context.Context, tx store.Tx, id lifecycle.HolderID, kinds lifecycle.Corrections, h Holder) error {
	err := tx.CorrectHolder(ctx, db.CorrectHolderParams{
		GivenName: h.GivenName, Surname: h.Surname, Language: h.Language, Email: h.Email, UpdatedAt: s.now(), ID: id,
	})
	if err == nil && kinds&lifecycle.CorrectedAddress != 0 { // card orders of the next weeks raise a flag
		err = tx.UpdateHolderAddress(ctx, db.UpdateHolderAddressParams{
			Complement: h.Complement, Street: h.Street, Postcode: h.Postcode, City: h.City, Country: h.Country, UpdatedAt: s.now(), ID: id,
		})
	}
	if err != nil {
		return fmt.Errorf("holder %s: %w", id, err)
	}
	return nil
}

// CorrectCompany corrects a company's name or registry data, once an approver gives
// the same command as who proposed it.
func (s *Service) CorrectCompany(ctx context.Context, by lifecycle.Actor, clientID string, c CompanyCorrection) (Corrected, error) {
	if err := mayCorrect(by, c.Why); err != nil {
		return Corrected{}, err
	}
	known, err := s.store.CompanyByClientID(ctx, clientID)
	if err != nil {
		return Corrected{}, fmt.Errorf("company %s: %w", clientID, err)
	}
	return s.correct(ctx, by, known.ID, nil, func(tx store.Tx, company db.Company, made *Corrected) (correction, error) {
		now := Company{ClientID: clientID, Name: c.Name, Country: c.Country, RegistryNumber: c.RegistryNumber}
		for to, was := range map[*string]string{&now.Name: company.Name, &now.Country: company.Country, &now.RegistryNumber: company.RegistryNumber} {
			if *to == "" {
				*to = was
			}
		}
		var errs lifecycle.FieldErrors
		now.check(&errs)
		if err := errs.Err(); err != nil {
			return correction{}, err
		}
		n := correction{thing: "company", id: string(company.ID), state: "subscribed", subject: "correct company " + clientID, why: c.Why}
		made.diff(&n.kinds, lifecycle.CorrectedCompany, "company", company.Name, now.Name)
		made.diff(&n.kinds, lifecycle.CorrectedCompany, "country", company.Country, now.Country)
		made.diff(&n.kinds, lifecycle.CorrectedCompany, "registry_number", company.RegistryNumber, now.RegistryNumber)
		n.write = func() error {
			err := tx.CorrectCompany(ctx, db.CorrectCompanyParams{Name: now.Name, Country: now.Country, RegistryNumber: now.RegistryNumber, ID: company.ID})
			if errors.Is(err, lifecycle.Conflict) {
				return &lifecycle.FieldError{Field: "registry_number", Why: "another company on record has it: is it the same one, subscribed twice?"}
			}
			if err != nil {
				return fmt.Errorf("company %s: %w", clientID, err)
			}
			return nil
		}
		return n, nil
	})
}

// mayCorrect lets those correct who may order, and who approves.
func mayCorrect(by lifecycle.Actor, why string) error {
	if by.Role != lifecycle.RoleApprover {
		if err := mayOrder(by); err != nil {
			return err
		}
	}
	return checkNote("why", why)
}

// agreedCorrectionTx tells whether an approver agrees to what somebody else proposed.
func (s *Service) agreedCorrectionTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, n correction, made *Corrected) error {
	var err error
	sum := sha256.Sum256([]byte(strings.Join(append(made.lines(), n.why), "\n")))
	made.Done, made.Proposer, err = s.agreeTx(ctx, tx, by, n.subject, sum)
	if err == nil && made.Done && by.Role != lifecycle.RoleApprover {
		err = fmt.Errorf("%s: %w: an approver agrees to what %s proposed", n.subject, lifecycle.Forbidden, made.Proposer)
	}
	return err
}

// carriersTx finds what carries a name that was corrected, and opens work for it.
func (s *Service) carriersTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, n correction, holders []string, made *Corrected) error {
	var err error
	if n.kinds&lifecycle.CorrectedName != 0 { // a company stands on no card
		if made.Cards, err = tx.CardsOfHolders(ctx, holders); err != nil {
			return fmt.Errorf("cards of %s: %w", n.id, err)
		}
	}
	if n.certified() {
		if made.Certificates, err = tx.CertificatesOfHolders(ctx, holders); err != nil {
			return fmt.Errorf("certificates of %s: %w", n.id, err)
		}
	}
	if !n.named() || !made.Done || len(made.Cards)+len(made.Certificates) == 0 {
		return nil
	}
	const most = 10
	var some []string
	for _, id := range made.Cards[:min(most, len(made.Cards))] {
		some = append(some, string(id))
	}
	for _, id := range made.Certificates[:min(most, len(made.Certificates))] {
		some = append(some, string(id))
	}
	why := fmt.Sprintf("%d cards and %d certificates carry what was corrected (%s): %s", len(made.Cards), len(made.Certificates),
		strings.Join(made.lines(), "; "), strings.Join(some, ", "))
	if more := len(made.Cards) + len(made.Certificates) - len(some); more > 0 {
		why += fmt.Sprintf(" and %d more", more)
	}
	made.Work, err = s.openWorkTx(ctx, tx, by, "correction", n.id, nil, why)
	return err
}

// tellCorrectionTx makes the notices: to the address that the holder has, and to the
// one that they had.
func (s *Service) tellCorrectionTx(ctx context.Context, tx store.Tx, id lifecycle.HolderID, n correction) error {
	h, err := tx.Holder(ctx, id)
	if err != nil {
		return fmt.Errorf("holder %s: %w", id, err)
	}
	to := []*string{nil}
	if n.former != nil {
		to = append(to, n.former)
	}
	for _, former := range to {
		p := db.InsertCorrectionNoticeParams{
			ID: lifecycle.NoticeID(s.newID(lifecycle.PrefixNotice)), HolderID: id, Occasion: int32(n.kinds), Language: string(party.Language(h.Language)),
			FormerAddress: former, DueAt: s.now(),
		}
		if err := tx.InsertCorrectionNotice(ctx, p); err != nil {
			return fmt.Errorf("notice to holder %s: %w", id, err)
		}
		detail := map[string]string{"holder": string(id), "kind": string(lifecycle.NoticeCorrected)}
		if err := s.born(ctx, tx, lifecycle.Notices.Thing, string(p.ID), string(lifecycle.NoticeRequested), lifecycle.System("notice"), detail); err != nil {
			return err
		}
		if err := s.queue.EnqueueTx(ctx, tx.Pgx(), NoticeArgs{Notice: p.ID}); err != nil {
			return fmt.Errorf("notice to holder %s: %w", id, err)
		}
	}
	return nil
}
