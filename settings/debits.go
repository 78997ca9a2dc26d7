package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sceau/lifecycle"
)

// Modes of direct debits: exclusive (Regulation 260/2012 article 5(3)(d)(iii)).
const (
	DebitsOpen      = "none" // nothing is blocked
	DebitsBlocked   = "all_blocked"
	DebitsBlacklist = "blacklist"
	DebitsWhitelist = "whitelist"
)

// Debits says which direct debits are paid, and up to what.
type Debits struct {
	Mode     string    `json:"mode"`
	Entries  []Payee   `json:"entries,omitempty"`  // of a blacklist or a whitelist
	Mandates []Mandate `json:"mandates,omitempty"` // bounds, whatever the mode
}

// Payee is a creditor, one mandate of theirs, or all creditors of a country.
type Payee struct {
	Creditor string `json:"creditor,omitempty"` // creditor identifier; its business code does not count
	Mandate  string `json:"mandate,omitempty"`  // "" is every one
	Country  string `json:"country,omitempty"`
}

// Mandate bounds what a creditor takes by one mandate, or by each.
type Mandate struct {
	Creditor string `json:"creditor"`
	Mandate  string `json:"mandate,omitempty"`
	Most     int64  `json:"most,omitempty"`     // cents each time; 0 is no bound
	PerYear  int    `json:"per_year,omitempty"` // times; 0 is no bound
}

var (
	creditorForm = regexp.MustCompile(`^[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Z0-9]{1,28}$`)
	mandateForm  = regexp.MustCompile(`^[A-Za-z0-9+?/:().,' -]{1,35}$`)
)

// CreditorKey is a creditor identifier without the business code that its owner
// chooses (AT-02), "" for what is none: its check digits are wrong.
func CreditorKey(id string) string {
	id = strings.ToUpper(strings.ReplaceAll(id, " ", ""))
	if !creditorForm.MatchString(id) {
		return ""
	}
	key := id[:4] + id[7:]
	rest := 0
	for _, r := range id[7:] + id[:4] { // ISO 7064 MOD 97-10
		if r >= 'A' {
			rest = (rest*100 + int(r-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(r-'0')) % 97
		}
	}
	if rest != 1 {
		return ""
	}
	return key
}

func (d *Debits) check(errs *lifecycle.FieldErrors, _ Bank) {
	listed := d.Mode == DebitsBlacklist || d.Mode == DebitsWhitelist
	switch {
	case !listed && d.Mode != DebitsOpen && d.Mode != DebitsBlocked:
		errs.Add("value.mode", "use none, all_blocked, blacklist or whitelist")
	case listed != (len(d.Entries) > 0):
		errs.Add("value.entries", "belong to a blacklist or a whitelist, which has some; to block all use all_blocked")
	case len(d.Entries) > maxEntries || len(d.Mandates) > maxEntries:
		errs.Add("value.entries", fmt.Sprintf("are more than %d", maxEntries))
	}
	for i, e := range d.Entries {
		at := fmt.Sprintf("value.entries[%d]", i)
		if (e.Creditor == "") == (e.Country == "") || e.Country != "" && (e.Mandate != "" || !countryForm.MatchString(e.Country)) {
			errs.Add(at, "names a creditor, with or without a mandate, or a country of two capitals")
			continue
		}
		checkMandate(errs, at, e.Creditor, e.Mandate)
	}
	for i, m := range d.Mandates {
		at := fmt.Sprintf("value.mandates[%d]", i)
		checkMandate(errs, at, m.Creditor, m.Mandate)
		if m.Creditor == "" || m.Most == 0 && m.PerYear == 0 || m.Most < 0 || m.Most > maxCents || m.PerYear < 0 || m.PerYear > 1000 {
			errs.Add(at, "names a creditor, and bounds the amount (most, in cents) or the times a year (per_year)")
		}
	}
	slices.SortFunc(d.Entries, func(a, b Payee) int { return strings.Compare(a.key(), b.key()) })
	slices.SortFunc(d.Mandates, func(a, b Mandate) int { return strings.Compare(a.key(), b.key()) })
	for i := 1; i < len(d.Entries); i++ {
		if d.Entries[i].key() == d.Entries[i-1].key() {
			errs.Add("value.entries", "each stands there once")
		}
	}
	for i := 1; i < len(d.Mandates); i++ {
		if d.Mandates[i].key() == d.Mandates[i-1].key() {
			errs.Add("value.mandates", "each stands there once")
		}
	}
}

func checkMandate(errs *lifecycle.FieldErrors, at, creditor, mandate string) {
	if creditor != "" && CreditorKey(creditor) == "" {
		errs.Add(at+".creditor", "is a creditor identifier with right check digits, as FR72ZZZ123456")
	}
	if mandate != "" && !mandateForm.MatchString(mandate) {
		errs.Add(at+".mandate", "is a mandate's reference of 1 to 35 characters")
	}
}

func (e Payee) key() string   { return e.Country + "|" + CreditorKey(e.Creditor) + "|" + e.Mandate }
func (m Mandate) key() string { return CreditorKey(m.Creditor) + "|" + m.Mandate }

// covers tells whether each debit of the other is one of this entry's too.
func (e Payee) covers(o Payee) bool {
	if e.Country != "" {
		return o.Country == e.Country || o.Creditor != "" && CreditorKey(o.Creditor)[:2] == e.Country
	}
	return o.Creditor != "" && CreditorKey(e.Creditor) == CreditorKey(o.Creditor) && (e.Mandate == "" || e.Mandate == o.Mandate)
}

func covered(o Payee, by []Payee) bool {
	return slices.ContainsFunc(by, func(e Payee) bool { return e.covers(o) })
}

// pays tells whether the list lets a debit through.
func (d *Debits) pays(creditor, mandate string) bool {
	one := Payee{Creditor: creditor, Mandate: mandate}
	switch d.Mode {
	case DebitsOpen:
		return true
	case DebitsBlacklist:
		return !covered(one, d.Entries)
	case DebitsWhitelist:
		return covered(one, d.Entries)
	}
	return false
}

func (d *Debits) within(other Value) bool {
	o, ok := other.(*Debits)
	if !ok || d.Mode == DebitsBlocked {
		return ok
	}
	for _, bound := range o.Mandates { // each stays, no higher
		if !slices.ContainsFunc(d.Mandates, bound.keptBy) {
			return false
		}
	}
	switch o.Mode {
	case DebitsOpen:
		return true
	case DebitsBlacklist:
		if d.Mode == DebitsBlacklist {
			return !slices.ContainsFunc(o.Entries, func(e Payee) bool { return !covered(e, d.Entries) })
		}
		return d.Mode == DebitsWhitelist && !slices.ContainsFunc(d.Entries, func(e Payee) bool {
			return covered(e, o.Entries) || slices.ContainsFunc(o.Entries, e.covers)
		})
	case DebitsWhitelist:
		return d.Mode == DebitsWhitelist && !slices.ContainsFunc(d.Entries, func(e Payee) bool { return !covered(e, o.Entries) })
	}
	return false
}

// keptBy tells whether another bound is of the same mandates and no higher.
func (m Mandate) keptBy(o Mandate) bool {
	return m.key() == o.key() && (m.Most == 0 || o.Most != 0 && o.Most <= m.Most) && (m.PerYear == 0 || o.PerYear != 0 && o.PerYear <= m.PerYear)
}
