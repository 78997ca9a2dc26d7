package house

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"sceau/ca"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/letter"
	"sceau/lifecycle"
	"sceau/party"
)

// Bank is a bank's file: who sends the letters, where cards are collected, who
// works there, what things cost, and what there is in stock.
type Bank struct {
	Bank struct {
		Name           string            `yaml:"name"`
		LegalName      string            `yaml:"legal_name"`
		RegistryNumber string            `yaml:"registry_number"`
		ReturnAddress  string            `yaml:"return_address"`
		Country        string            `yaml:"country"`
		Website        string            `yaml:"website"`
		Colour         string            `yaml:"colour"` // #RRGGBB
		Phones         map[string]string `yaml:"phones"` // by the holder's country
		IIN            string            `yaml:"iin"`
		CardProduct    string            `yaml:"card_product"`
		BatchSize      int               `yaml:"batch_size"` // cards in a bureau's batch, 100 if left out, at most 500
	} `yaml:"bank"`
	Branches []struct {
		Code     string `yaml:"code"`
		Name     string `yaml:"name"`
		Street   string `yaml:"street"`
		Postcode string `yaml:"postcode"`
		City     string `yaml:"city"`
		Country  string `yaml:"country"`
		Phone    string `yaml:"phone"`
	} `yaml:"branches"`
	Staff []struct {
		Login    string           `yaml:"login"`
		Name     string           `yaml:"name"`
		Roles    []lifecycle.Role `yaml:"roles"`
		Branch   string           `yaml:"branch"`
		Language string           `yaml:"language"`
	} `yaml:"staff"`
	Tariff []struct {
		Product     string `yaml:"product"`
		Reason      string `yaml:"reason"`
		AmountCents int64  `yaml:"amount_cents"`
		Currency    string `yaml:"currency"`
	} `yaml:"tariff"`
	// Bureaux are those beside the one that flags of sceau work describe.
	Bureaux []struct {
		Name         string `yaml:"name"`
		TransportKey string `yaml:"transport_key"` // by its name in the engine
		Certificate  string `yaml:"certificate"`   // file
	} `yaml:"bureaux"`
	Products []struct {
		Code       string                `yaml:"code"`
		ValidFrom  time.Time             `yaml:"valid_from"` // left out: from the day the file is read
		Kind       lifecycle.ProductKind `yaml:"kind"`
		Name       string                `yaml:"name"`
		Tariff     string                `yaml:"tariff"`
		CAPProfile string                `yaml:"cap_profile"`
		IPB        string                `yaml:"ipb"`
		PINLength  int                   `yaml:"pin_length"`
		PINTries   int                   `yaml:"pin_tries"`
		Validity   int                   `yaml:"validity_months"`
		Bureau     string                `yaml:"bureau"`
		InHouse    bool                  `yaml:"in_house"`
		Plastic    string                `yaml:"plastic"`
		Reader     string                `yaml:"reader"`
		Deliveries []lifecycle.Delivery  `yaml:"deliveries"`
		PINDelay   int                   `yaml:"pin_delay_days"`
		OldCard    int                   `yaml:"old_card_days"`
	} `yaml:"products"`
	Stock bankStock `yaml:"stock"`
}

const maxBankFile = 1 << 20

// ReadBank reads a bank's file; an unknown key is an error.
func ReadBank(path string) (*Bank, error) {
	f, err := os.Open(path) //nolint:gosec // named by the configuration
	if err != nil {
		return nil, fmt.Errorf("%w: open the bank's file: %w", lifecycle.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxBankFile))
	if err != nil {
		return nil, fmt.Errorf("read the bank's file: %w", err)
	}
	var b Bank
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&b); err != nil {
		return nil, fmt.Errorf("%w: the bank's file %s: %w", lifecycle.Invalid, path, err)
	}
	if b.Bank.Name == "" || b.Bank.Country == "" || b.Bank.Phones[b.Bank.Country] == "" {
		return nil, fmt.Errorf("%w: the bank's file %s: bank.name, bank.country and a phone of that country are needed", lifecycle.Invalid, path)
	}
	return &b, nil
}

// Policy is the default policy with what the bank's file says.
func (b *Bank) Policy() issuance.Policy {
	p := issuance.DefaultPolicy()
	if b.Bank.IIN != "" {
		p.IIN = b.Bank.IIN
	}
	if b.Bank.BatchSize != 0 {
		p.BatchSize = b.Bank.BatchSize
	}
	return p
}

// ReadBureaux reads what is agreed with the file's bureaux.
func (b *Bank) ReadBureaux() (map[string]jobs.Bureau, error) {
	bureaux := make(map[string]jobs.Bureau, len(b.Bureaux)+1)
	for _, r := range b.Bureaux {
		certificate, err := ReadCertificate(r.Certificate)
		if err != nil {
			return nil, fmt.Errorf("bureau %s: %w", r.Name, err)
		}
		if _, twice := bureaux[r.Name]; twice || r.Name == "" {
			return nil, fmt.Errorf("%w: the bank's file: each bureau has a name of its own", lifecycle.Invalid)
		}
		bureaux[r.Name] = jobs.Bureau{TransportKey: r.TransportKey, Certificate: certificate}
	}
	return bureaux, nil
}

// Sender is the bank as its letters name it.
func (b *Bank) Sender() letter.Bank {
	sender := letter.Bank{
		Name: b.Bank.Name, LegalName: b.Bank.LegalName, ReturnAddress: b.Bank.ReturnAddress,
		Phone: b.Bank.Phones[b.Bank.Country], Website: b.Bank.Website, Colour: letter.Colour{R: 0x20, G: 0x30, B: 0x50},
	}
	if rgb, err := strconv.ParseUint(b.Bank.Colour[min(1, len(b.Bank.Colour)):], 16, 24); err == nil {
		sender.Colour = letter.Colour{R: uint8(rgb >> 16), G: uint8(rgb >> 8 & 0xFF), B: uint8(rgb & 0xFF)}
	}
	return sender
}

// CAName is the bank as its certification authorities name it.
func (b *Bank) CAName(what string) ca.Name {
	n := ca.Name{CommonName: b.Bank.Name + " " + what, Organization: b.Bank.LegalName, Country: b.Bank.Country}
	if b.Bank.RegistryNumber != "" {
		n.RegistryNumber = b.Bank.RegistryNumber
		if id, err := party.OrganizationIdentifier(b.Bank.Country, b.Bank.RegistryNumber); err == nil {
			n.OrganizationID = id
		}
	}
	return n
}

// SetUp records branches, staff, tariff, products and stock. A second time changes
// nothing; what the file says anew is so from then on.
func (h *House) SetUp(ctx context.Context, b *Bank, since time.Time) error {
	setup := issuance.Bank{Stock: b.Stock.setup()}
	for _, r := range b.Branches {
		setup.Branches = append(setup.Branches, issuance.Branch(r))
	}
	for _, s := range b.Staff {
		language, err := party.ParseLanguage(s.Language)
		if err != nil {
			return fmt.Errorf("staff %s: %w", s.Login, err)
		}
		setup.Staff = append(setup.Staff, issuance.Staff{
			Login: s.Login, Name: s.Name, Roles: s.Roles, BranchCode: s.Branch, Language: language,
		})
	}
	for _, p := range b.Products {
		product := issuance.Product(p)
		if product.ValidFrom.IsZero() {
			product.ValidFrom = since
		}
		setup.Products = append(setup.Products, product)
	}
	for _, t := range b.Tariff {
		setup.Tariffs = append(setup.Tariffs, issuance.Tariff{
			Product: t.Product, Reason: t.Reason, AmountCents: t.AmountCents, Currency: t.Currency, ValidFrom: since,
		})
	}
	return h.Service.SetUpBank(ctx, lifecycle.System("set-up"), setup)
}
