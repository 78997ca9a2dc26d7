package settings

import (
	"fmt"
	"slices"
	"strings"

	"sceau/lifecycle"
)

// Unsigned says which payments need no signature: to trusted payees up to a total a
// week (RTS article 13), and of low value (article 16). 0 signs always.
type Unsigned struct {
	Trusted     []string `json:"trusted,omitempty"` // accounts
	WeeklyTotal int64    `json:"weekly_total"`      // cents
	LowValue    bool     `json:"low_value"`
}

func (u *Unsigned) check(errs *lifecycle.FieldErrors, b Bank) {
	list(errs, "trusted", &u.Trusted, accountForm, "are account numbers without spaces")
	cents(errs, "weekly_total", u.WeeklyTotal)
	if u.WeeklyTotal > b.WeeklyUnsigned {
		errs.Add("value.weekly_total", fmt.Sprintf("the bank lets %d cents a week go unsigned at most", b.WeeklyUnsigned))
	}
	if u.LowValue && !b.LowValue {
		errs.Add("value.low_value", "the bank has each payment signed, of low value too")
	}
}

func (u *Unsigned) within(other Value) bool {
	o, ok := other.(*Unsigned)
	return ok && u.WeeklyTotal <= o.WeeklyTotal && (!u.LowValue || o.LowValue) && subset(u.Trusted, o.Trusted)
}

// Channels are the ways by which a payment comes in.
func Channels() []string { return []string{"online", "mobile", "hub", "phone", "branch"} }

// Bounds are limits of amounts; a payment keeps every one that concerns it.
type Bounds struct {
	Limits []Limit `json:"limits"`
}

// Limit bounds what goes out, by one channel or all, instant transfers alone or all
// payments. Nothing said is no bound, 0 is nothing at all.
type Limit struct {
	Channel        string `json:"channel,omitempty"`
	Instant        bool   `json:"instant,omitempty"`
	PerTransaction *int64 `json:"per_transaction,omitempty"` // cents
	PerDay         *int64 `json:"per_day,omitempty"`
	PerWeek        *int64 `json:"per_week,omitempty"`
}

func (l Limit) key() string { return countKey(l.Channel, l.Instant) }

// countKey names the count of a channel, of instant transfers or of all.
func countKey(channel string, instant bool) string {
	if instant {
		return channel + "+instant"
	}
	return channel
}

func (b *Bounds) check(errs *lifecycle.FieldErrors, _ Bank) {
	if b.Limits == nil {
		b.Limits = []Limit{}
	}
	slices.SortFunc(b.Limits, func(x, y Limit) int { return strings.Compare(x.key(), y.key()) })
	for i, l := range b.Limits {
		at := fmt.Sprintf("limits[%d]", i)
		if l.Channel != "" && !slices.Contains(Channels(), l.Channel) {
			errs.Add("value."+at+".channel", fmt.Sprintf("use one of %v, or none for all", Channels()))
		}
		if l.PerTransaction == nil && l.PerDay == nil && l.PerWeek == nil {
			errs.Add("value."+at, "bounds something: per_transaction, per_day or per_week")
		}
		for _, n := range []*int64{l.PerTransaction, l.PerDay, l.PerWeek} {
			if n != nil {
				cents(errs, at, *n)
			}
		}
		if i > 0 && b.Limits[i-1].key() == l.key() {
			errs.Add("value."+at, "each channel stands there once, and once for instant transfers")
		}
	}
}

func (b *Bounds) within(other Value) bool {
	o, ok := other.(*Bounds)
	lower := func(mine, theirs *int64) bool { return theirs == nil || mine != nil && *mine <= *theirs }
	return ok && !slices.ContainsFunc(o.Limits, func(l Limit) bool {
		return !slices.ContainsFunc(b.Limits, func(m Limit) bool {
			return m.key() == l.key() && lower(m.PerTransaction, l.PerTransaction) && lower(m.PerDay, l.PerDay) && lower(m.PerWeek, l.PerWeek)
		})
	})
}

// Beneficiary is how long a new payee waits for the first payment.
type Beneficiary struct {
	Hours int `json:"hours"`
}

const maxDelay = 72 // hours

func (n *Beneficiary) check(errs *lifecycle.FieldErrors, _ Bank) {
	if n.Hours < 0 || n.Hours > maxDelay {
		errs.Add("value.hours", "is 0 to 72")
	}
}

func (n *Beneficiary) within(other Value) bool {
	o, ok := other.(*Beneficiary)
	return ok && n.Hours >= o.Hours
}

// Dual asks for several signatures of an amount or more.
type Dual struct {
	Bands []Band `json:"bands"`
}

// Band is from an amount on, up to the next.
type Band struct {
	From       int64    `json:"from"` // cents
	Signatures int      `json:"signatures"`
	Users      []string `json:"users,omitempty"` // who may; none said is whoever is entitled
}

const maxSignatures = 5

func (d *Dual) check(errs *lifecycle.FieldErrors, _ Bank) {
	if d.Bands == nil {
		d.Bands = []Band{}
	}
	if len(d.Bands) > 10 {
		errs.Add("value.bands", "has more than 10")
		return
	}
	slices.SortFunc(d.Bands, func(a, b Band) int { return int(min(1, max(-1, a.From-b.From))) })
	for i := range d.Bands {
		b, at := &d.Bands[i], fmt.Sprintf("bands[%d]", i)
		cents(errs, at+".from", b.From)
		list(errs, at+".users", &b.Users, userForm, "are user numbers of 4 digits")
		if b.Signatures < 1 || b.Signatures > maxSignatures || len(b.Users) > 0 && len(b.Users) < b.Signatures {
			errs.Add("value."+at+".signatures", "is 1 to 5, and no more than there are users")
		}
		if i > 0 && d.Bands[i-1].From == b.From {
			errs.Add("value."+at+".from", "begins another band")
		}
	}
}

// at is the band of an amount: one signature of anybody below the first.
func (d *Dual) at(cents int64) Band {
	band := Band{Signatures: 1}
	for _, b := range d.Bands {
		if b.From <= cents {
			band = b
		}
	}
	return band
}

func (d *Dual) within(other Value) bool {
	o, ok := other.(*Dual)
	if !ok {
		return false
	}
	starts := []int64{0}
	for _, b := range slices.Concat(d.Bands, o.Bands) {
		starts = append(starts, b.From)
	}
	return !slices.ContainsFunc(starts, func(cents int64) bool {
		mine, theirs := d.at(cents), o.at(cents)
		return mine.Signatures < theirs.Signatures || len(theirs.Users) > 0 && (len(mine.Users) == 0 || !subset(mine.Users, theirs.Users))
	})
}

// Notify is of what the holder is told, and how.
type Notify struct {
	Alerts []Alert `json:"alerts"`
}

// Alert is one event, told by a channel from an amount on.
type Alert struct {
	Event   string `json:"event"`
	Channel string `json:"channel"`
	From    int64  `json:"from,omitempty"` // cents
}

// Events that are told. Those of security cannot be switched off, only moved.
var (
	securityEvents = []string{"new_device", "new_beneficiary", "setting_change", "contact_change", "card_locked", "failed_code"}
	moneyEvents    = []string{"payment", "foreign_payment", "direct_debit", "refused"}
	alertChannels  = []string{"email", "sms", "push", "inbox"}
)

func defaultAlerts() *Notify {
	n := &Notify{}
	for _, e := range securityEvents {
		n.Alerts = append(n.Alerts, Alert{Event: e, Channel: "email"})
	}
	slices.SortFunc(n.Alerts, func(a, b Alert) int { return strings.Compare(a.key(), b.key()) })
	return n
}

func (a Alert) key() string { return a.Event + "|" + a.Channel }

func (n *Notify) check(errs *lifecycle.FieldErrors, _ Bank) {
	slices.SortFunc(n.Alerts, func(a, b Alert) int { return strings.Compare(a.key(), b.key()) })
	for i, a := range n.Alerts {
		at := fmt.Sprintf("value.alerts[%d]", i)
		security := slices.Contains(securityEvents, a.Event)
		if !security && !slices.Contains(moneyEvents, a.Event) {
			errs.Add(at+".event", fmt.Sprintf("use one of %v", slices.Concat(securityEvents, moneyEvents)))
		}
		if !slices.Contains(alertChannels, a.Channel) {
			errs.Add(at+".channel", fmt.Sprintf("use one of %v", alertChannels))
		}
		if a.From < 0 || a.From > maxCents || security && a.From != 0 {
			errs.Add(at+".from", "is an amount in cents, of payments and debits alone")
		}
		if i > 0 && n.Alerts[i-1].key() == a.key() {
			errs.Add(at, "stands there twice")
		}
	}
	for _, e := range securityEvents {
		if !slices.ContainsFunc(n.Alerts, func(a Alert) bool { return a.Event == e }) {
			errs.Add("value.alerts", e+" is always told: choose the channel")
		}
	}
}

// within: to tell less is to loosen, to move an alert as well.
func (n *Notify) within(other Value) bool {
	o, ok := other.(*Notify)
	return ok && !slices.ContainsFunc(o.Alerts, func(a Alert) bool {
		return !slices.ContainsFunc(n.Alerts, func(m Alert) bool { return m.key() == a.key() && m.From <= a.From })
	})
}
