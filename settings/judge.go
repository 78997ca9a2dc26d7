package settings

import (
	"slices"
	"time"
)

// Result is what a relying service does with an operation.
type Result string

// The results.
const (
	Allow  Result = "allow"
	Needs  Result = "needs_strong_authentication"
	Refuse Result = "refuse"
)

// The rules, by which callers tell answers apart. They never change.
const (
	RuleEntitlement    = "entitlement.missing"
	RuleStop           = "emergency_stop"
	RuleForeign        = "foreign_transfers.country"
	RuleCardCountry    = "card_use.country"
	RuleCardInternet   = "card_use.internet"
	RuleCardContact    = "card_use.contactless"
	RuleDebitBlocked   = "direct_debits.all_blocked"
	RuleDebitBlacklist = "direct_debits.blacklist"
	RuleDebitWhitelist = "direct_debits.whitelist"
	RuleDebitAmount    = "direct_debits.amount"
	RuleDebitCount     = "direct_debits.times"
	RuleTransaction    = "limits.transaction"
	RuleDay            = "limits.day"
	RuleWeek           = "limits.week"
	RuleDelay          = "new_beneficiary.delay"
	RuleDual           = "dual_signature"
	RuleSigned         = "signed"
	RuleSign           = "signature.required"
	RuleProof          = "signature.not_over_this" // what was brought is over something else, used, or not accepted
	RuleOwnAccount     = "unsigned_payments.own_account"
	RuleTrusted        = "unsigned_payments.trusted"
	RuleLowValue       = "unsigned_payments.low_value"
	RuleNothingAgainst = "nothing_against"
)

// InForce is a value that holds now.
type InForce struct {
	Name    Name
	Level   Level
	Version int // 0 is the bank's own
	Value   Value
}

// Verdict is the answer, by which rule of which value.
type Verdict struct {
	Result     Result
	Rule       string
	By         InForce // its name is "" when no setting decided
	Signatures int     // that it takes in all
	Tell       []Alert
}

// Of article 16 of the RTS: each, in all and in a row since the last signature; the
// house keeps both sums.
const (
	lowEach  = 3_000
	lowTotal = 10_000
	lowRow   = 5
)

// judge is one judgement under way.
type judge struct {
	*Facts

	in     map[Name][]InForce
	totals map[Level]*Totals
}

// Judge says what the values in force and the totals, rolled to the moment, make of an
// operation. All values of a setting hold together; where none is set the bank's does.
// It changes no totals.
func Judge(f *Facts, in []InForce, totals map[Level]*Totals) Verdict {
	j := judge{Facts: f, in: map[Name][]InForce{}, totals: totals}
	for _, one := range in {
		j.in[one.Name] = append(j.in[one.Name], one)
	}
	for _, n := range Names() {
		if len(j.in[n]) == 0 {
			j.in[n] = []InForce{{Name: n, Level: OfCompany, Value: Default(n)}}
		}
	}
	v := j.verdict()
	for _, one := range j.in[Alerts] {
		for _, a := range one.Value.(*Notify).Alerts { //nolint:forcetypeassert // each name has one type
			if j.tells(a, v) && !slices.Contains(v.Tell, a) {
				v.Tell = append(v.Tell, a)
			}
		}
	}
	return v
}

func (j judge) tells(a Alert, v Verdict) bool {
	switch a.Event {
	case "refused":
		return v.Result == Refuse
	case "new_beneficiary":
		return v.Result == Allow && j.Kind == AddBeneficiary
	case "payment":
		return v.Result == Allow && j.Kind.counted() && j.AmountEUR >= a.From
	case "foreign_payment":
		abroad := slices.ContainsFunc(j.Countries, func(c string) bool { return c != j.Home })
		return v.Result == Allow && abroad && j.AmountEUR >= a.From
	case "direct_debit":
		return v.Result == Allow && j.Kind == DirectDebit && j.AmountEUR >= a.From
	}
	return false
}

// verdict asks what forbids, then what must be signed.
func (j judge) verdict() Verdict {
	checks := map[Kind][]func(InForce) string{
		Transfer: {j.foreign, j.limits, j.delay}, Batch: {j.foreign, j.limits}, DirectDebit: {j.debit}, CardPayment: {j.card},
	}
	for _, check := range checks[j.Kind] {
		for _, n := range Names() {
			for _, one := range j.in[n] {
				if rule := check(one); rule != "" {
					return Verdict{Result: Refuse, Rule: rule, By: one}
				}
			}
		}
	}
	switch j.Kind {
	case DirectDebit, CardPayment:
		return Verdict{Result: Allow, Rule: RuleNothingAgainst}
	case AddBeneficiary, Chequebook:
		return j.signed(1, len(j.Signers), InForce{}, RuleSign)
	case Transfer, Batch:
	}
	return j.payment()
}

func (j judge) foreign(one InForce) string {
	t, ok := one.Value.(*Transfers)
	if ok && slices.ContainsFunc(j.Countries, func(c string) bool { return !t.reaches(c, j.Home) }) {
		return RuleForeign
	}
	return ""
}

func (j judge) card(one InForce) string {
	c, ok := one.Value.(*Card)
	switch {
	case !ok:
	case j.Internet && !c.Internet:
		return RuleCardInternet
	case j.Contactless && !c.Contactless:
		return RuleCardContact
	case slices.ContainsFunc(j.Countries, func(country string) bool { return !c.reaches(country, j.Home) }):
		return RuleCardCountry
	}
	return ""
}

func (j judge) debit(one InForce) string {
	d, ok := one.Value.(*Debits)
	if !ok {
		return ""
	}
	if !d.pays(j.Creditor, j.Mandate) {
		return map[string]string{DebitsBlocked: RuleDebitBlocked, DebitsBlacklist: RuleDebitBlacklist, DebitsWhitelist: RuleDebitWhitelist}[d.Mode]
	}
	for _, m := range d.Mandates {
		if !(Payee{Creditor: m.Creditor, Mandate: m.Mandate}).covers(Payee{Creditor: j.Creditor, Mandate: j.Mandate}) {
			continue
		}
		if m.Most != 0 && j.AmountEUR > m.Most {
			return RuleDebitAmount
		}
		if m.PerYear != 0 && j.MandateUses >= m.PerYear {
			return RuleDebitCount
		}
	}
	return ""
}

func (j judge) limits(one InForce) string {
	b, ok := one.Value.(*Bounds)
	if !ok {
		return ""
	}
	counts, t := j.counts(), j.totals[one.Level]
	for _, l := range b.Limits {
		switch key := l.key(); {
		case !slices.Contains(counts, key):
		case l.PerTransaction != nil && j.AmountEUR > *l.PerTransaction:
			return RuleTransaction
		case l.PerDay != nil && t.ByDay[key]+j.AmountEUR > *l.PerDay:
			return RuleDay
		case l.PerWeek != nil && t.ByWeek[key]+j.AmountEUR > *l.PerWeek:
			return RuleWeek
		}
	}
	return ""
}

func (j judge) delay(one InForce) string {
	n, ok := one.Value.(*Beneficiary)
	if !ok || n.Hours == 0 || j.OwnAccount {
		return ""
	}
	if j.PayeeSince.IsZero() || j.At.Before(j.PayeeSince.Add(time.Duration(n.Hours)*time.Hour)) {
		return RuleDelay
	}
	return ""
}

// payment asks how many signatures a payment takes, and whether it goes without.
func (j judge) payment() Verdict {
	need, by, bound, who := 1, InForce{}, false, slices.Clone(j.Signers)
	for _, one := range j.in[DualSignature] {
		band := one.Value.(*Dual).at(j.AmountEUR) //nolint:forcetypeassert // each name has one type
		if band.Signatures > need || len(band.Users) > 0 {
			need, by, bound = max(need, band.Signatures), one, true
		}
		if len(band.Users) > 0 {
			who = slices.DeleteFunc(who, func(u string) bool { return !slices.Contains(band.Users, u) })
		}
	}
	if bound {
		return j.signed(need, len(who), by, RuleDual)
	}
	if len(who) > 0 {
		return j.signed(1, len(who), by, RuleSign)
	}
	if j.Kind == Transfer {
		if v, ok := j.unsigned(); ok {
			return v
		}
	}
	return j.signed(1, 0, j.in[UnsignedPayments][0], RuleSign)
}

func (judge) signed(need, have int, by InForce, rule string) Verdict {
	if have >= need {
		if rule == RuleSign {
			rule = RuleSigned
		}
		return Verdict{Result: Allow, Rule: rule, By: by, Signatures: need}
	}
	return Verdict{Result: Needs, Rule: rule, By: by, Signatures: need}
}

// unsigned tells whether an exemption holds at each level where the setting is.
func (j judge) unsigned() (Verdict, bool) {
	if j.OwnAccount { // RTS article 15
		return Verdict{Result: Allow, Rule: RuleOwnAccount}, true
	}
	trusted, low := true, j.AmountEUR <= lowEach
	for _, one := range j.in[UnsignedPayments] {
		u := one.Value.(*Unsigned) //nolint:forcetypeassert // each name has one type
		trusted = trusted && slices.Contains(u.Trusted, j.Payee) && j.totals[one.Level].Unsigned+j.AmountEUR <= u.WeeklyTotal
		low = low && u.LowValue
	}
	for _, t := range j.totals { // per person and per account: whatever the level of the setting
		low = low && t.Low+j.AmountEUR <= lowTotal && t.LowCount < lowRow
	}
	by := j.in[UnsignedPayments][0]
	switch {
	case trusted:
		return Verdict{Result: Allow, Rule: RuleTrusted, By: by}, true
	case low:
		return Verdict{Result: Allow, Rule: RuleLowValue, By: by}, true
	}
	return Verdict{}, false
}
