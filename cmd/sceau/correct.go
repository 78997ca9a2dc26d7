package main

import (
	"fmt"
	"maps"
	"slices"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// companyCmd is about companies.
type companyCmd struct {
	Correct companyCorrectCmd `cmd:"" help:"Correct a company's name or registry data: proposed first, done when an approver gives the same command."`
}

// holderCmd is about holders.
type holderCmd struct {
	Correct holderCorrectCmd `cmd:"" help:"Correct a holder's data. A name is proposed first, and corrected when an approver gives the same command; language, e-mail and postal address are corrected at once."`
}

type companyCorrectCmd struct {
	asStaff

	Client         string `arg:"" help:"The company's client ID."`
	Name           string `help:"The right name."`
	Country        string `help:"The right country of the register."`
	RegistryNumber string `help:"The right registry number."`
	Why            string `help:"What shows that it is wrong: an extract, a letter; it is kept." required:""`
}

// Run proposes, or corrects.
func (c companyCorrectCmd) Run(w *world) error {
	return c.do(w, correctors(), func(h *house.House, by lifecycle.Actor) error {
		made, err := h.Service.CorrectCompany(w.ctx, by, c.Client, issuance.CompanyCorrection{
			Name: c.Name, Country: c.Country, RegistryNumber: c.RegistryNumber, Why: c.Why,
		})
		if err != nil {
			return err
		}
		return tellCorrected(w, made)
	})
}

// correctors are who proposes and agrees to what takes two people; who approves does
// so first.
func correctors() []lifecycle.Role {
	return append([]lifecycle.Role{lifecycle.RoleApprover}, lifecycle.Proposes()...)
}

type holderCorrectCmd struct {
	asStaff

	Client     string  `arg:"" help:"The company's client ID."`
	User       string  `arg:"" help:"The user number."`
	GivenName  *string `help:"The right given name."`
	Surname    *string `help:"The right surname."`
	Language   *string `help:"fr, nl, de or en."`
	Email      *string `help:"The right e-mail address; the wrong one is told too."`
	Complement string  `help:"Postal address, with --street, --postcode, --city and --address-country: a flat, a floor."`
	Street     string  `help:"Number and street, or what stands in its place." and:"address"`
	Postcode   string  `help:"Its postcode." and:"address"`
	City       string  `help:"Its city." and:"address"`
	Country    string  `name:"address-country" help:"Its country, as FR." and:"address"`
	Why        string  `help:"What shows that it is wrong: a document, a call; it is kept." required:""`
}

// Run proposes, or corrects.
func (c holderCorrectCmd) Run(w *world) error {
	roles := lifecycle.Proposes()
	if c.GivenName != nil || c.Surname != nil {
		roles = correctors()
	}
	correction := issuance.HolderCorrection{GivenName: c.GivenName, Surname: c.Surname, Language: c.Language, Email: c.Email, Why: c.Why}
	if c.Street != "" {
		correction.Address = &issuance.Address{Complement: c.Complement, Street: c.Street, Postcode: c.Postcode, City: c.City, Country: c.Country}
	}
	return c.do(w, roles, func(h *house.House, by lifecycle.Actor) error {
		id, err := h.Service.HolderByUser(w.ctx, c.Client, c.User)
		if err != nil {
			return err
		}
		made, err := h.Service.CorrectHolder(w.ctx, by, id, correction)
		if err != nil {
			return err
		}
		return tellCorrected(w, made)
	})
}

// tellCorrected says what is corrected, or would be, and what follows.
func tellCorrected(w *world, made issuance.Corrected) error {
	for _, field := range slices.Sorted(maps.Keys(made.Changes)) {
		if err := say(w, "%s: %s", field, made.Changes[field]); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		what string
		ids  []string
	}{
		{"approval is void", texts(made.Void)},
		{"card carries the old data", texts(made.Cards)},
		{"certificate carries the old data", texts(made.Certificates)},
	} {
		for _, id := range part.ids {
			if err := say(w, "%s: %s", part.what, id); err != nil {
				return err
			}
		}
	}
	if !made.Done {
		return say(w, "proposed by %s: it is corrected when an approver gives the same command within a day", made.Proposer)
	}
	if made.Work != "" {
		return say(w, "corrected; work item: %s", made.Work)
	}
	return say(w, "corrected")
}

func texts[T ~string](ids []T) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = fmt.Sprint(id)
	}
	return all
}
