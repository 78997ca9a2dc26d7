package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// Branch is a place of the bank where cards are collected.
type Branch struct {
	Code, Name, Street, Postcode, City, Country, Phone string
}

// Staff is a member of the bank's staff.
type Staff struct {
	Login, Name string
	Roles       []lifecycle.Role
	BranchCode  string
	Language    party.Language
}

// Tariff is a fee from a date on.
type Tariff struct {
	Product, Reason string
	AmountCents     int64
	Currency        string
	ValidFrom       time.Time
}

// Bank is what a bank is set up with. Setting it up twice changes nothing.
type Bank struct {
	Branches []Branch
	Staff    []Staff
	Tariffs  []Tariff
	Products []Product // none: [DefaultProducts]
	Stock    StockSetup
}

// SetUpBank records what is not there yet of branches, staff, tariff, products and
// stock.
func (s *Service) SetUpBank(ctx context.Context, by lifecycle.Actor, bank Bank) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		now := s.now()
		for _, b := range bank.Branches {
			err := tx.InsertBranch(ctx, db.InsertBranchParams{
				ID: lifecycle.BranchID(s.newID(lifecycle.PrefixBranch)), Code: b.Code, Name: b.Name, Street: b.Street,
				Postcode: b.Postcode, City: b.City, Country: b.Country, Phone: b.Phone, CreatedAt: now,
			})
			if err != nil {
				return fmt.Errorf("branch %s: %w", b.Code, err)
			}
		}
		for _, p := range bank.Staff {
			if err := s.addStaffTx(ctx, tx, by, p); err != nil {
				return err
			}
		}
		products := bank.Products
		if len(products) == 0 {
			products = DefaultProducts()
		}
		for _, p := range products {
			if err := s.addProductTx(ctx, tx, by, p); err != nil {
				return err
			}
		}
		for _, t := range bank.Tariffs {
			known, err := tx.TariffFor(ctx, t.Product, t.Reason, t.ValidFrom)
			if err != nil && !isNotFound(err) {
				return fmt.Errorf("tariff %s %s: %w", t.Product, t.Reason, err)
			}
			if err == nil && known.AmountCents == t.AmountCents && known.Currency == t.Currency {
				continue
			}
			err = tx.InsertTariff(ctx, db.InsertTariffParams{
				Product: t.Product, Reason: t.Reason, AmountCents: t.AmountCents, Currency: t.Currency, ValidFrom: t.ValidFrom,
			})
			if err != nil {
				return fmt.Errorf("tariff %s %s: %w", t.Product, t.Reason, err)
			}
		}
		return s.setUpStockTx(ctx, tx, by, bank)
	})
}

func (s *Service) addStaffTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, p Staff) error {
	roles := make([]string, len(p.Roles))
	for i, r := range p.Roles {
		if !slices.Contains(lifecycle.StaffRoles(), r) {
			return &lifecycle.FieldError{Field: "roles", Why: fmt.Sprintf("%q is not a role of staff", r)}
		}
		roles[i] = string(r)
	}
	if _, err := tx.StaffByLogin(ctx, p.Login); !isNotFound(err) {
		return err // known already, or the database is away
	}
	branch, err := tx.BranchByCode(ctx, p.BranchCode)
	if err != nil {
		return fmt.Errorf("staff %s: branch %s: %w", p.Login, p.BranchCode, err)
	}
	id := s.newID(lifecycle.PrefixStaff)
	err = tx.InsertStaff(ctx, db.InsertStaffParams{
		ID: lifecycle.StaffID(id), Login: p.Login, Name: p.Name, Roles: roles, BranchID: branch.ID,
		Language: string(p.Language), CreatedAt: s.now(),
	})
	if err != nil {
		return fmt.Errorf("staff %s: %w", p.Login, err)
	}
	return s.born(ctx, tx, "staff", p.Login, "active", by, nil)
}

// StaffActor is a member of staff acting in one of their roles.
func (s *Service) StaffActor(ctx context.Context, login string, role lifecycle.Role) (lifecycle.Actor, error) {
	p, err := s.store.StaffByLogin(ctx, login)
	if err != nil {
		return lifecycle.Actor{}, fmt.Errorf("staff %q: %w", login, err)
	}
	if !p.Active || !slices.Contains(p.Roles, string(role)) {
		return lifecycle.Actor{}, fmt.Errorf("%w: %s does not hold the role %s", lifecycle.Forbidden, login, role)
	}
	return lifecycle.Actor{ID: p.Login, Role: role}, nil
}

// Company is a subscription.
type Company struct {
	ClientID, Name, Country, RegistryNumber, BranchCode string
}

// Holder is a named user of a company.
type Holder struct {
	UserNumber, GivenName, Surname string
	Language                       string
	Email                          string
	Complement, Street             string
	Postcode, City, Country        string
	LargePrint                     *bool // letters in large print; nil: as it is

	written map[string]string // names that were transliterated, as they came
}

// check validates a company by itself.
func (c *Company) check(errs *lifecycle.FieldErrors) {
	if !digits(c.ClientID, 8) {
		errs.Add("client_id", "a client ID has 8 digits")
	}
	errs.AddError("company", party.CheckOrganisation("company", c.Name))
	normal, err := party.CheckRegistry(c.Country, c.RegistryNumber)
	errs.AddError("registry_number", err)
	if err == nil {
		c.RegistryNumber = normal
	}
}

// check validates a holder by themself.
func (h *Holder) check(company string, errs *lifecycle.FieldErrors) {
	if !digits(h.UserNumber, 4) {
		errs.Add("user_number", "a user number has 4 digits")
	}
	h.transliterate()
	errs.AddError("given_name", party.CheckName("given_name", h.GivenName))
	errs.AddError("surname", party.CheckName("surname", h.Surname))
	_, err := party.ParseLanguage(h.Language)
	errs.AddError("language", err)
	errs.AddError("email", party.CheckEmail(h.Email))
	mergeAddress(errs, h.address(company).Check())
}

// transliterate writes names as passports do, and remembers how they came: the trail
// keeps that (EN 319 412-2 NAT-4.2.4-12).
func (h *Holder) transliterate() {
	h.written = map[string]string{}
	for field, name := range map[string]*string{"given_name": &h.GivenName, "surname": &h.Surname} {
		if latin := party.Transliterate(*name); latin != *name {
			h.written[field+"_transliterated"] = *name + " as " + latin
			*name = latin
		}
	}
}

// mergeAddress says what is wrong with an address once, by the columns that its
// lines are made of.
func mergeAddress(errs *lifecycle.FieldErrors, err error) {
	columns := map[string][]string{"recipient": {"surname", "given_name"}, "organisation": {"company"}}
	var address lifecycle.FieldErrors
	address.Merge(err)
	for _, e := range address {
		from, ok := columns[e.Field]
		if !ok {
			from = []string{e.Field}
		}
		told := func(said *lifecycle.FieldError) bool { return slices.Contains(from, said.Field) }
		if !slices.ContainsFunc(*errs, told) {
			errs.Add(from[0], e.Why)
		}
	}
}

func (h *Holder) address(company string) party.Address {
	return party.Address{
		Recipient: h.GivenName + " " + h.Surname, Organisation: company, Complement: h.Complement,
		Street: h.Street, Postcode: h.Postcode, City: h.City, Country: h.Country,
	}
}

func digits(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// subscribeTx finds the company, or subscribes it. A client ID that names
// another company is an error, never an overwrite.
func (s *Service) subscribeTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, c Company) (db.Company, error) {
	known, err := tx.CompanyByClientID(ctx, c.ClientID)
	if err == nil {
		if known.Country != c.Country || known.RegistryNumber != c.RegistryNumber || known.Name != c.Name {
			return db.Company{}, &lifecycle.FieldError{Field: "client_id", Why: "this client ID belongs to another company: check name and registry number"}
		}
		return known, nil
	}
	if !isNotFound(err) {
		return db.Company{}, fmt.Errorf("company %s: %w", c.ClientID, err)
	}
	branch, err := tx.BranchByCode(ctx, c.BranchCode)
	if err != nil {
		return db.Company{}, noBranch(err)
	}
	id := lifecycle.CompanyID(s.newID(lifecycle.PrefixCompany))
	err = tx.InsertCompany(ctx, db.InsertCompanyParams{
		ID: id, ClientID: c.ClientID, Name: c.Name, Country: c.Country, RegistryNumber: c.RegistryNumber,
		BranchID: branch.ID, CreatedAt: s.now(),
	})
	if err != nil {
		return db.Company{}, fmt.Errorf("company %s: %w", c.ClientID, err)
	}
	if err := s.born(ctx, tx, "company", string(id), "subscribed", by, nil); err != nil {
		return db.Company{}, err
	}
	return tx.Company(ctx, id)
}

// enrolTx finds the holder, or enrols them. A user number that names another
// person is an error, never an overwrite.
func (s *Service) enrolTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, company db.Company, h Holder) (db.Holder, error) {
	known, err := tx.HolderByUser(ctx, company.ClientID, h.UserNumber)
	if err == nil {
		if known.GivenName != h.GivenName || known.Surname != h.Surname {
			return db.Holder{}, &lifecycle.FieldError{Field: "user_number", Why: "this user number belongs to another person of the company"}
		}
		if h.LargePrint == nil {
			return known, nil
		}
		return known, s.setLargePrintTx(ctx, tx, by, known, *h.LargePrint)
	}
	if !isNotFound(err) {
		return db.Holder{}, fmt.Errorf("holder %s/%s: %w", company.ClientID, h.UserNumber, err)
	}
	id := lifecycle.HolderID(s.newID(lifecycle.PrefixHolder))
	err = tx.InsertHolder(ctx, db.InsertHolderParams{
		ID: id, CompanyID: company.ID, UserNumber: h.UserNumber, GivenName: h.GivenName, Surname: h.Surname,
		Language: h.Language, Email: h.Email, Complement: h.Complement, Street: h.Street, Postcode: h.Postcode,
		City: h.City, Country: h.Country, LargePrint: deref(h.LargePrint), CreatedAt: s.now(),
	})
	if err != nil {
		return db.Holder{}, fmt.Errorf("holder %s/%s: %w", company.ClientID, h.UserNumber, err)
	}
	if err := s.born(ctx, tx, "holder", string(id), "enrolled", by, h.written); err != nil {
		return db.Holder{}, err
	}
	return tx.Holder(ctx, id)
}
