package settings

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"sceau/lifecycle"
)

// Kind is a sort of operation on which to decide.
type Kind string

// The kinds.
const (
	Transfer       Kind = "transfer"
	Batch          Kind = "batch"
	DirectDebit    Kind = "direct_debit"
	CardPayment    Kind = "card"
	AddBeneficiary Kind = "add_beneficiary"
	Chequebook     Kind = "order_chequebook"
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{Transfer, Batch, DirectDebit, CardPayment, AddBeneficiary, Chequebook}
}

// Facts are what a relying service says of an operation.
type Facts struct {
	Kind      Kind
	Account   string // of the customer
	Amount    int64  // cents
	Currency  string
	AmountEUR int64 // cents; of an amount in euros it is left out

	Payee      string // account
	Countries  []string
	Channel    string
	Instant    bool
	OwnAccount bool      // the payee is an account of the same customer at the same bank
	PayeeSince time.Time // since when the customer has the payee in their register; zero is not
	Count      int       // of a batch
	SHA256     string

	Creditor, Mandate string // of a direct debit
	Internet          bool   // of a card
	Contactless       bool

	// Kept by the house, not said by the caller.
	Home        string   // the customer's country
	Signers     []string // users whose accepted authentication is over exactly these facts
	MandateUses int      // debits of the mandate this year
	At          time.Time
}

var (
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
	sumForm      = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

const maxCountries = 60

// Check names every wrong fact.
func (f *Facts) Check() error {
	var errs lifecycle.FieldErrors
	need := func(ok bool, field, why string) {
		if !ok {
			errs.Add(field, why)
		}
	}
	need(slices.Contains(Kinds(), f.Kind), "kind", fmt.Sprintf("use one of %v", Kinds()))
	need(accountForm.MatchString(f.Account), "account", "is an account number without spaces")
	money := f.Kind != AddBeneficiary && f.Kind != Chequebook
	if money {
		need(currencyForm.MatchString(f.Currency), "currency", "is an ISO 4217 code of three capitals")
		need(f.Amount > 0 && f.Amount <= maxCents, "amount", "is in cents, 1 to 999999999999")
		if f.Currency == "EUR" {
			need(f.AmountEUR == 0 || f.AmountEUR == f.Amount, "amount_eur", "is for other currencies")
			f.AmountEUR = f.Amount
		}
		need(f.AmountEUR > 0 && f.AmountEUR <= maxCents, "amount_eur", "is what the amount is worth, in cents of EUR")
	}
	if f.Kind == Transfer || f.Kind == AddBeneficiary {
		need(accountForm.MatchString(f.Payee), "payee_account", "is an account number without spaces")
	}
	if f.Kind == Transfer || f.Kind == Batch {
		need(slices.Contains(Channels(), f.Channel), "channel", fmt.Sprintf("use one of %v", Channels()))
	}
	if f.Kind == Batch {
		need(f.Count > 0 && f.Count < 1_000_000, "count", "is the number of payments")
		need(sumForm.MatchString(f.SHA256), "sha256", "is the SHA-256 of the file in small hexadecimal digits")
		need(!f.OwnAccount, "own_account", "is of a single transfer")
	}
	if f.Kind == Transfer || f.Kind == Batch || f.Kind == CardPayment {
		bad := slices.ContainsFunc(f.Countries, func(c string) bool { return !countryForm.MatchString(c) })
		need(!bad && len(f.Countries) > 0 && len(f.Countries) <= maxCountries, "payee_countries", "names the countries of the payees, two capitals each")
	}
	if f.Kind == DirectDebit {
		need(CreditorKey(f.Creditor) != "", "creditor", "is a creditor identifier with right check digits")
		need(mandateForm.MatchString(f.Mandate), "mandate", "is the mandate's reference of 1 to 35 characters")
	}
	return errs.Err()
}

// Initiated tells whether a user asks for it, who must be entitled.
func (k Kind) Initiated() bool { return k != DirectDebit && k != CardPayment }

// counted tells whether limits are of it.
func (k Kind) counted() bool { return k == Transfer || k == Batch }

// Totals are what went out at a level: today, this week, unsigned this week, and of
// low value since the last signature. Days are those of UTC, weeks begin on Monday.
type Totals struct {
	Day      string           `json:"day"`
	Week     string           `json:"week"`
	ByDay    map[string]int64 `json:"d,omitempty"`
	ByWeek   map[string]int64 `json:"w,omitempty"`
	Unsigned int64            `json:"u,omitempty"`
	Low      int64            `json:"l,omitempty"`
	LowCount int              `json:"n,omitempty"`
}

// Roll begins the day and the week of a moment.
func (t *Totals) Roll(at time.Time) {
	day := at.UTC().Format(time.DateOnly)
	monday := at.UTC().AddDate(0, 0, -(int(at.UTC().Weekday())+6)%7).Format(time.DateOnly)
	if t.Day < day { // a clock that goes back forgets nothing
		t.Day, t.ByDay = day, nil
	}
	if t.Week < monday {
		t.Week, t.ByWeek, t.Unsigned = monday, nil, 0
	}
}

// counts are the counts that a payment is part of.
func (f *Facts) counts() []string {
	keys := []string{countKey("", false), countKey(f.Channel, false)}
	if f.Instant {
		keys = append(keys, countKey("", true), countKey(f.Channel, true))
	}
	return keys
}

// Count adds what was allowed.
func (t *Totals) Count(f *Facts, v Verdict) {
	if v.Result != Allow || !f.Kind.Initiated() {
		return
	}
	if len(f.Signers) > 0 {
		t.Low, t.LowCount = 0, 0
	}
	if !f.Kind.counted() {
		return
	}
	if t.ByDay == nil {
		t.ByDay = map[string]int64{}
	}
	if t.ByWeek == nil {
		t.ByWeek = map[string]int64{}
	}
	for _, key := range f.counts() {
		t.ByDay[key] += f.AmountEUR
		t.ByWeek[key] += f.AmountEUR
	}
	switch v.Rule {
	case RuleTrusted:
		t.Unsigned += f.AmountEUR
	case RuleLowValue:
		t.Low += f.AmountEUR
		t.LowCount++
	}
}
