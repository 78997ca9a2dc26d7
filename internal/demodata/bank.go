package demodata

import (
	"fmt"

	"gopkg.in/yaml.v3"

	"sceau/lifecycle"
)

// Setup is bank.yaml.
type Setup struct {
	Bank     Bank      `yaml:"bank"`
	Branches []Branch  `yaml:"branches"`
	Staff    []Staff   `yaml:"staff"`
	Tariff   []Price   `yaml:"tariff"`
	Products []Product `yaml:"products"`
	Stock    Stock     `yaml:"stock"`
}

// Bank is the sender of letters and the issuer of cards.
type Bank struct {
	Name           string            `yaml:"name"`
	LegalName      string            `yaml:"legal_name"`
	RegistryNumber string            `yaml:"registry_number"`
	ReturnAddress  string            `yaml:"return_address"`
	Country        string            `yaml:"country"`
	Website        string            `yaml:"website"`
	Colour         string            `yaml:"colour"` // #RRGGBB
	Phones         map[string]string `yaml:"phones"` // by the holder's country
	IIN            string            `yaml:"iin"`    // first digits of its cards' numbers
	CardProduct    string            `yaml:"card_product"`
}

// Branch is where holders collect cards.
type Branch struct {
	Code     string `yaml:"code"`
	Name     string `yaml:"name"`
	Street   string `yaml:"street"`
	Postcode string `yaml:"postcode"`
	City     string `yaml:"city"`
	Country  string `yaml:"country"`
	Phone    string `yaml:"phone"`
}

// Staff is a person of the back office.
type Staff struct {
	Login    string           `yaml:"login"`
	Name     string           `yaml:"name"`
	Roles    []lifecycle.Role `yaml:"roles"`
	Branch   string           `yaml:"branch"`
	Language string           `yaml:"language"`
}

// Price is one row of the tariff. The reason is new, a reason for replacement
// or, for pin_counter_reset, pin_blocked.
type Price struct {
	Product     string `yaml:"product"`
	Reason      string `yaml:"reason"`
	AmountCents int    `yaml:"amount_cents"`
	Currency    string `yaml:"currency"`
}

// Product is a kind of card that the bank has.
type Product struct {
	Code           string                `yaml:"code"`
	Kind           lifecycle.ProductKind `yaml:"kind"`
	Name           string                `yaml:"name"`
	Tariff         string                `yaml:"tariff"`
	CAPProfile     string                `yaml:"cap_profile"`
	IPB            string                `yaml:"ipb"`
	PINLength      int                   `yaml:"pin_length"`
	PINTries       int                   `yaml:"pin_tries"`
	ValidityMonths int                   `yaml:"validity_months"`
	Bureau         string                `yaml:"bureau,omitempty"`
	InHouse        bool                  `yaml:"in_house,omitempty"`
	Plastic        string                `yaml:"plastic,omitempty"`
	Reader         string                `yaml:"reader"`
	Deliveries     []lifecycle.Delivery  `yaml:"deliveries,omitempty"`
	PINDelayDays   int                   `yaml:"pin_delay_days,omitempty"`
	OldCardDays    int                   `yaml:"old_card_days"`
}

// OrdersAndApproves is the login of the one person who both orders and
// approves: his own orders wait for another approver.
const OrdersAndApproves = "c.verdoyer"

func accountManagers() []string {
	return []string{"a.clairvallon", "s.meidoorn", "k.lindenhoefer", "r.willowmere"}
}

// BankFile is bank.yaml.
func BankFile() ([]byte, error) {
	body, err := yaml.Marshal(setup())
	if err != nil {
		return nil, fmt.Errorf("write the bank's set-up: %w", err)
	}
	return append([]byte("# The sample bank. Made by tools/demodata: change internal/demodata, then go generate.\n"), body...), nil
}

func setup() Setup {
	const am, ap, op = lifecycle.RoleAccountManager, lifecycle.RoleApprover, lifecycle.RoleOperator
	const so, au = lifecycle.RoleSecurityOfficer, lifecycle.RoleAuditor
	one := func(r lifecycle.Role) []lifecycle.Role { return []lifecycle.Role{r} }
	managers := accountManagers()
	s := Setup{
		Bank: Bank{
			Name: "Banque Aubépine", LegalName: "Banque Aubépine SA", RegistryNumber: "299010009", ReturnAddress: "8 quai des Tilleuls, 35000 Rennes",
			Country: "FR", Website: "www.aubepine.example", Colour: "#7A1F3D", IIN: "925000", CardProduct: "Carte Aubépine Accès",
			Phones: map[string]string{"FR": "+33 2 61 91 00 00", "BE": "+32 2 000 00 00", "NL": "+31 20 000 0000"},
		},
		Branches: []Branch{
			{"FR01", "Rennes Tilleuls", "8 quai des Tilleuls", "35000", "Rennes", "FR", "+33 2 61 91 00 10"},
			{"FR02", "Lyon Marché", "3 place du Marché", "69003", "Lyon", "FR", "+33 4 65 71 00 20"},
			{"BE01", "Liège Moulin", "Rue du Moulin 5", "4000", "Liège", "BE", "+32 4 000 00 30"},
			{"BE02", "Eupen Kirchstraße", "Kirchstraße 4", "4700", "Eupen", "BE", "+32 87 00 00 40"},
			{"BE03", "Gent Lindenlaan", "Lindenlaan 12", "9000", "Gent", "BE", "+32 9 000 00 50"},
			{"NL01", "Utrecht Molenweg", "Molenweg 21", "3511 AB", "Utrecht", "NL", "+31 30 000 0060"},
		},
		Staff: []Staff{
			{managers[0], "Alix Clairvallon", one(am), "FR01", "fr"},
			{managers[1], "Stijn Meidoorn", one(am), "NL01", "nl"},
			{managers[2], "Karin Lindenhöfer", one(am), "BE02", "de"},
			{managers[3], "Rhona Willowmere", one(am), "FR02", "en"},
			{OrdersAndApproves, "Côme Verdoyer", []lifecycle.Role{am, ap}, "FR01", "fr"},
			{"i.hautefeuille", "Irène Hautefeuille", one(ap), "FR01", "fr"},
			{"d.iepenburg", "Daan Iepenburg", one(ap), "BE03", "nl"},
			{"l.boisjoli", "Léonie Boisjoli", one(op), "FR01", "fr"},
			{"u.holunderbach", "Uwe Holunderbach", one(op), "BE02", "de"},
			{"m.rocheclaire", "Maxence Rocheclaire", one(so), "FR01", "fr"},
			{"e.vlierstra", "Elke Vlierstra", one(so), "BE03", "nl"},
			{"o.thistledown", "Owen Thistledown", one(au), "FR01", "en"},
		},
		Tariff: []Price{{"card", "new", 1500, "EUR"}},
	}
	free := map[lifecycle.CardReason]bool{lifecycle.CardStolen: true, lifecycle.CardFraud: true, lifecycle.CardNotReceived: true}
	for _, reason := range lifecycle.ReplacementReasons() {
		p := Price{"card", string(reason), 1500, "EUR"}
		if free[reason] {
			p.AmountCents = 0
		}
		s.Tariff = append(s.Tariff, p)
	}
	s.Products = products()
	s.Stock = stock()
	s.Tariff = append(s.Tariff, Price{"card", string(lifecycle.CardPINForgotten), 500, "EUR"}, Price{"bank_card", "registration", 200, "EUR"},
		Price{"reader", "new", 2500, "EUR"})
	s.Tariff = append(s.Tariff, Price{"pin_counter_reset", string(lifecycle.CardPINBlocked), 500, "EUR"}, Price{"certificate", "new", 9000, "EUR"})
	return s
}

func products() []Product {
	const bitmap = "8000FF000000000001FFFF" // 26 bits: 1 of the CID, 8 of the counter, 17 of the cryptogram
	return []Product{
		{
			Code: "securaccess", Kind: lifecycle.AuthenticationCard, Name: "Carte Aubépine Accès", Tariff: "card", CAPProfile: "securaccess",
			IPB: bitmap, PINLength: 4, PINTries: 3, ValidityMonths: 36, Bureau: "bureau-1", InHouse: true, Plastic: "plastic-securaccess",
			Reader: "reader-cap", Deliveries: []lifecycle.Delivery{lifecycle.DeliverHome, lifecycle.DeliverBranch}, PINDelayDays: 2, OldCardDays: 30,
		},
		{
			Code: "bank-card", Kind: lifecycle.BankCard, Name: "Carte Aubépine Pro", Tariff: "bank_card", CAPProfile: "securaccess", IPB: bitmap,
			PINLength: 4, PINTries: 3, ValidityMonths: 36, Reader: "reader-cap", OldCardDays: 30,
		},
	}
}
