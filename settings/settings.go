// Package settings is what a holder, a company or the bank sets about security, as
// data: which settings there are, what a value looks like, whether a change tightens
// or loosens, and what the settings in force say to an operation.
//
// It never does I/O, reads a clock, or knows who may change what: issuance does, and
// decision keeps the counters. Data runs in as a value that somebody wants or as the
// facts of an operation, and out as checked values and verdicts.
package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"unicode/utf8"

	"sceau/lifecycle"
)

// Name is a setting's.
type Name string

// The settings.
const (
	ForeignTransfers Name = "foreign_transfers"
	CardUse          Name = "card_use"
	DirectDebits     Name = "direct_debits"
	UnsignedPayments Name = "unsigned_payments"
	Limits           Name = "limits"
	NewBeneficiary   Name = "new_beneficiary"
	Alerts           Name = "alerts"
	DualSignature    Name = "dual_signature"
)

// Names lists them.
func Names() []Name {
	return []Name{ForeignTransfers, CardUse, DirectDebits, UnsignedPayments, Limits, NewBeneficiary, Alerts, DualSignature}
}

// Number is the setting's place in the list, from 1; 0 is none.
func (n Name) Number() int { return slices.Index(Names(), n) + 1 }

// Level is what a setting is of. All that are set hold together: each can only forbid
// more. Where none is set the bank's own value holds.
type Level string

// The levels.
const (
	OfCompany Level = "company"
	OfUser    Level = "user"
	OfAccount Level = "account"
)

// Levels are those at which the setting can be set.
func (n Name) Levels() []Level {
	switch n {
	case CardUse, Alerts:
		return []Level{OfCompany, OfUser}
	case DirectDebits, DualSignature:
		return []Level{OfCompany, OfAccount}
	case ForeignTransfers, UnsignedPayments, Limits, NewBeneficiary:
		return []Level{OfCompany, OfUser, OfAccount}
	}
	return nil
}

// Value is one of the setting's. One that [Parse] gave is valid and in order.
type Value interface {
	check(*lifecycle.FieldErrors, Bank)
	// within tells whether the other, of the same setting, allows all that this one
	// allows. In doubt it does not.
	within(Value) bool
}

// Bank is what the bank lets its customers choose from.
type Bank struct {
	WeeklyUnsigned int64 // cents to trusted payees without a signature; RTS article 13 is the bank's option
	LowValue       bool  // whether article 16 can be used
}

// DefaultBank lets 2 500 euros a week go unsigned to trusted payees.
func DefaultBank() Bank { return Bank{WeeklyUnsigned: 250_000, LowValue: true} }

// maxEntries bounds each list of a value, and maxText its canonical form: a holder
// signs all of it.
const (
	maxEntries = 100
	maxText    = 3900
)

// Default is the bank's value, where nothing is set: payees in the whole of SEPA can
// be paid (Regulation 260/2012 article 9), cards work in Europe, whatever moves money
// is signed.
func Default(n Name) Value {
	switch n {
	case ForeignTransfers:
		return &Transfers{Scope: ScopeSEPA}
	case CardUse:
		return &Card{Scope: CardEurope, Internet: true, Contactless: true}
	case DirectDebits:
		return &Debits{Mode: DebitsOpen}
	case UnsignedPayments:
		return &Unsigned{}
	case Limits:
		return &Bounds{Limits: []Limit{}}
	case NewBeneficiary:
		return &Beneficiary{}
	case Alerts:
		return defaultAlerts()
	case DualSignature:
		return &Dual{Bands: []Band{}}
	}
	return nil
}

// Parse reads a value as somebody wants it. The error is [lifecycle.Invalid] and names
// what is wrong.
func Parse(b Bank, n Name, text []byte) (Value, error) {
	v := Default(n)
	if v == nil {
		return nil, &lifecycle.FieldError{Field: "setting", Why: fmt.Sprintf("use one of %v", Names())}
	}
	v = fresh(v)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	if err == nil {
		var more json.RawMessage
		if err = decoder.Decode(&more); errors.Is(err, io.EOF) {
			err = nil
		} else {
			err = errors.New("there is more than one value")
		}
	}
	if err != nil || !utf8.Valid(text) {
		return nil, &lifecycle.FieldError{Field: "value", Why: "is no value of " + string(n) + ": " + short(err)}
	}
	var errs lifecycle.FieldErrors
	v.check(&errs, b)
	if len(errs) == 0 && len(Canonical(v)) > maxText {
		errs.Add("value", fmt.Sprintf("is longer than %d characters: the holder signs all of it", maxText))
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return v, nil
}

// fresh is an empty value of the same setting.
func fresh(v Value) Value {
	switch v.(type) {
	case *Transfers:
		return &Transfers{}
	case *Card:
		return &Card{}
	case *Debits:
		return &Debits{}
	case *Unsigned:
		return &Unsigned{}
	case *Bounds:
		return &Bounds{}
	case *Beneficiary:
		return &Beneficiary{}
	case *Notify:
		return &Notify{}
	}
	return &Dual{}
}

func short(err error) string {
	if err == nil {
		return "it is no UTF-8"
	}
	const most = 120
	why := []rune(err.Error())
	return string(why[:min(most, len(why))])
}

// Canonical is the one form in which a value is kept, shown and signed.
func Canonical(v Value) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // texts and numbers only: cannot happen
	}
	return string(text)
}

// Read reads a value that is on record. The bank may offer less by now.
func Read(n Name, kept string) (Value, error) {
	v, err := Parse(Bank{WeeklyUnsigned: maxCents, LowValue: true}, n, []byte(kept))
	if err != nil {
		return nil, fmt.Errorf("setting %s on record: %w", n, err)
	}
	return v, nil
}

// Loosens tells whether a change lets anything through that was not before, whatever
// else it forbids.
func Loosens(before, after Value) bool { return !after.within(before) }

// ReachesSEPA tells whether a value leaves every payee in SEPA reachable. Only the
// payer may ask for less.
func ReachesSEPA(v Value) bool {
	t, ok := v.(*Transfers)
	return !ok || (&Transfers{Scope: ScopeSEPA}).within(t)
}

const maxCents = 999_999_999_999

var (
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
	accountForm = regexp.MustCompile(`^[A-Z0-9]{4,34}$`)
	userForm    = regexp.MustCompile(`^[0-9]{4}$`)
)

// IsAccount tells whether a text is an account's number.
func IsAccount(s string) bool { return accountForm.MatchString(s) }

// list puts a list in order, and says what is wrong with it.
func list(errs *lifecycle.FieldErrors, field string, items *[]string, form *regexp.Regexp, why string) {
	slices.Sort(*items)
	if len(*items) > maxEntries {
		errs.Add("value."+field, fmt.Sprintf("has more than %d entries", maxEntries))
		return
	}
	for i, item := range *items {
		if !form.MatchString(item) || i > 0 && (*items)[i-1] == item {
			errs.Add("value."+field, why+", each once")
			return
		}
	}
}

func cents(errs *lifecycle.FieldErrors, field string, n int64) {
	if n < 0 || n > maxCents {
		errs.Add("value."+field, "is an amount in cents of EUR, 0 to 999999999999")
	}
}

// subset tells whether each of some stands among others.
func subset(some, others []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(others, s) })
}
