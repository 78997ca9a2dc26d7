package settings_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/lifecycle"
	"sceau/settings"
)

const (
	ics  = "FR72ZZZ123456"
	ours = "FR7630006000011234567890189"
	them = "BE68539007547034"
)

func value(t rapid.TB, n settings.Name, text string) settings.Value {
	t.Helper()
	v, err := settings.Parse(settings.DefaultBank(), n, []byte(text))
	if err != nil {
		t.Fatalf("%s %s: %v", n, text, err)
	}
	return v
}

func TestWhatTightensAndWhatLoosens(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          settings.Name
		before, after string
		loosens       bool
	}{
		{settings.ForeignTransfers, `{"scope":"sepa"}`, `{"scope":"domestic"}`, false},
		{settings.ForeignTransfers, `{"scope":"sepa"}`, `{"scope":"world"}`, true},
		{settings.ForeignTransfers, `{"scope":"world"}`, `{"scope":"sepa","countries":["US"]}`, false},
		{settings.ForeignTransfers, `{"scope":"sepa"}`, `{"scope":"domestic","countries":["BE","DE"]}`, false},
		{settings.ForeignTransfers, `{"scope":"sepa"}`, `{"scope":"domestic","countries":["BE","US"]}`, true},
		{settings.CardUse, `{"scope":"world","internet":true,"contactless":true}`, `{"scope":"world_without_us","internet":true,"contactless":true}`, false},
		{settings.CardUse, `{"scope":"world","internet":false,"contactless":true}`, `{"scope":"home","internet":true,"contactless":true}`, true},
		{settings.DirectDebits, `{"mode":"none"}`, `{"mode":"blacklist","entries":[{"creditor":"` + ics + `"}]}`, false},
		{settings.DirectDebits, `{"mode":"blacklist","entries":[{"creditor":"` + ics + `"}]}`, `{"mode":"blacklist","entries":[{"country":"FR"}]}`, false},
		{settings.DirectDebits, `{"mode":"blacklist","entries":[{"country":"FR"}]}`, `{"mode":"blacklist","entries":[{"creditor":"` + ics + `"}]}`, true},
		{settings.DirectDebits, `{"mode":"blacklist","entries":[{"country":"FR"}]}`, `{"mode":"whitelist","entries":[{"creditor":"` + ics + `"}]}`, true},
		{settings.DirectDebits, `{"mode":"blacklist","entries":[{"country":"BE"}]}`, `{"mode":"whitelist","entries":[{"creditor":"` + ics + `"}]}`, false},
		{settings.DirectDebits, `{"mode":"whitelist","entries":[{"creditor":"` + ics + `"}]}`, `{"mode":"whitelist","entries":[{"creditor":"FR72ABC123456","mandate":"M1"}]}`, false},
		{settings.DirectDebits, `{"mode":"whitelist","entries":[{"creditor":"` + ics + `"}]}`, `{"mode":"blacklist","entries":[{"country":"BE"}]}`, true},
		{settings.DirectDebits, `{"mode":"all_blocked"}`, `{"mode":"whitelist","entries":[{"creditor":"` + ics + `"}]}`, true},
		{settings.DirectDebits, `{"mode":"none","mandates":[{"creditor":"` + ics + `","most":500}]}`, `{"mode":"none","mandates":[{"creditor":"` + ics + `","most":501}]}`, true},
		{settings.DirectDebits, `{"mode":"none","mandates":[{"creditor":"` + ics + `","most":500}]}`, `{"mode":"none","mandates":[{"creditor":"` + ics + `","most":500,"per_year":4}]}`, false},
		{settings.UnsignedPayments, `{"weekly_total":0,"low_value":false}`, `{"weekly_total":0,"low_value":false,"trusted":["` + them + `"]}`, true}, // RTS article 13(1)
		{settings.UnsignedPayments, `{"weekly_total":5,"low_value":true,"trusted":["` + them + `"]}`, `{"weekly_total":5,"low_value":false}`, false},
		{settings.Limits, `{"limits":[{"per_day":500}]}`, `{"limits":[{"per_day":500},{"channel":"online","instant":true,"per_week":1}]}`, false},
		{settings.Limits, `{"limits":[{"per_day":500}]}`, `{"limits":[{"per_transaction":5}]}`, true},
		{settings.Limits, `{"limits":[{"per_day":500}]}`, `{"limits":[{"per_day":501,"per_week":501}]}`, true},
		{settings.NewBeneficiary, `{"hours":24}`, `{"hours":48}`, false},
		{settings.NewBeneficiary, `{"hours":24}`, `{"hours":0}`, true},
		{settings.DualSignature, `{"bands":[]}`, `{"bands":[{"from":100,"signatures":2}]}`, false},
		{settings.DualSignature, `{"bands":[{"from":100,"signatures":2}]}`, `{"bands":[{"from":101,"signatures":3}]}`, true},
		{settings.DualSignature, `{"bands":[{"from":100,"signatures":2,"users":["0001","0002"]}]}`, `{"bands":[{"from":0,"signatures":2}]}`, true},
	} {
		if got := settings.Loosens(value(t, test.name, test.before), value(t, test.name, test.after)); got != test.loosens {
			t.Errorf("%s from %s to %s loosens: %t", test.name, test.before, test.after, got)
		}
	}
	all := settings.Canonical(settings.Default(settings.Alerts))
	more := strings.Replace(all, `"alerts":[`, `"alerts":[{"event":"payment","channel":"sms","from":5},`, 1)
	if a, b := value(t, settings.Alerts, all), value(t, settings.Alerts, more); settings.Loosens(a, b) || !settings.Loosens(b, a) {
		t.Error("to be told more loosens, or less does not")
	}
}

func TestWrongValuesAreNamed(t *testing.T) {
	t.Parallel()
	for text, name := range map[string]settings.Name{
		`{"scope":"world","countries":["US"]}`: settings.ForeignTransfers, `{"scope":"moon"}`: settings.ForeignTransfers, `{"scope":"sepa","x":1}`: settings.ForeignTransfers,
		`{"scope":"sepa","countries":["US","US"]}`: settings.ForeignTransfers, `{"scope":"sepa"} {}`: settings.ForeignTransfers, `{}`: settings.CardUse,
		`{"mode":"whitelist"}`: settings.DirectDebits, `{"mode":"none","entries":[{"country":"FR"}]}`: settings.DirectDebits,
		`{"mode":"blacklist","entries":[{"creditor":"FR73ZZZ123456"}]}`: settings.DirectDebits, `{"mode":"none","mandates":[{"creditor":"` + ics + `"}]}`: settings.DirectDebits,
		`{"weekly_total":250001,"low_value":false}`: settings.UnsignedPayments, `{"weekly_total":-1}`: settings.UnsignedPayments,
		`{"limits":[{}]}`: settings.Limits, `{"limits":[{"channel":"pigeon","per_day":1}]}`: settings.Limits, `{"limits":[{"per_day":1},{"per_week":1}]}`: settings.Limits,
		`{"hours":73}`: settings.NewBeneficiary, `{"alerts":[]}`: settings.Alerts, `{"bands":[{"from":1,"signatures":2,"users":["0001"]}]}`: settings.DualSignature,
		`null null`: settings.DualSignature, ``: settings.Limits, `{"hours":1e99}`: settings.NewBeneficiary, `{"scope":"s` + strings.Repeat("x", 500) + `"}`: settings.CardUse,
	} {
		v, err := settings.Parse(settings.DefaultBank(), name, []byte(text))
		if !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s %s is %v, %v", name, text, v, err)
		}
	}
	if _, err := settings.Parse(settings.DefaultBank(), "lights", []byte(`{}`)); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a setting that is none: %v", err)
	}
}

func TestADefaultReadsItselfAndReachesSEPA(t *testing.T) {
	t.Parallel()
	for _, n := range settings.Names() {
		text := settings.Canonical(settings.Default(n))
		v, err := settings.Read(n, text)
		if err != nil || settings.Canonical(v) != text || settings.Loosens(v, settings.Default(n)) || !settings.ReachesSEPA(v) || len(n.Levels()) == 0 {
			t.Errorf("%s: %s, %v", n, text, err)
		}
	}
	if settings.ReachesSEPA(value(t, settings.ForeignTransfers, `{"scope":"domestic","countries":["BE"]}`)) {
		t.Error("a payer of one country reaches SEPA")
	}
}

var monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

func transfer(cents int64) *settings.Facts {
	return &settings.Facts{
		Kind: settings.Transfer, Account: ours, Amount: cents, Currency: "EUR", AmountEUR: cents, Payee: them, Countries: []string{"BE"}, Channel: "online",
		Home: "FR", At: monday,
	}
}

func totals() map[settings.Level]*settings.Totals {
	all := map[settings.Level]*settings.Totals{}
	for _, l := range []settings.Level{settings.OfCompany, settings.OfUser, settings.OfAccount} {
		all[l] = &settings.Totals{}
		all[l].Roll(monday)
	}
	return all
}

// Each setting has an effect.
func TestEachSettingDecides(t *testing.T) {
	t.Parallel()
	with := func(change func(*settings.Facts)) *settings.Facts {
		f := transfer(2000)
		change(f)
		return f
	}
	signed := func(users ...string) func(*settings.Facts) {
		return func(f *settings.Facts) { f.Signers = users }
	}
	kind := func(k settings.Kind, change func(*settings.Facts)) *settings.Facts {
		f := transfer(2000)
		f.Kind, f.Creditor, f.Mandate = k, ics, "M1"
		change(f)
		return f
	}
	none := func(*settings.Facts) {}
	for name, test := range map[string]struct {
		facts  *settings.Facts
		of     settings.Name
		value  string
		result settings.Result
		rule   string
	}{
		"nothing is set: sign":               {transfer(2000), "", "", settings.Needs, settings.RuleSign},
		"signed":                             {with(signed("0001")), "", "", settings.Allow, settings.RuleSigned},
		"to America by default":              {with(func(f *settings.Facts) { f.Countries = []string{"US"}; f.Signers = []string{"0001"} }), "", "", settings.Refuse, settings.RuleForeign},
		"to America, opened":                 {with(func(f *settings.Facts) { f.Countries = []string{"US"}; f.Signers = []string{"0001"} }), settings.ForeignTransfers, `{"scope":"world"}`, settings.Allow, settings.RuleSigned},
		"to Belgium, domestic":               {with(signed("0001")), settings.ForeignTransfers, `{"scope":"domestic"}`, settings.Refuse, settings.RuleForeign},
		"at home, domestic":                  {with(func(f *settings.Facts) { f.Countries = []string{"FR"}; f.Signers = []string{"0001"} }), settings.ForeignTransfers, `{"scope":"domestic"}`, settings.Allow, settings.RuleSigned},
		"an own account":                     {with(func(f *settings.Facts) { f.OwnAccount = true }), "", "", settings.Allow, settings.RuleOwnAccount},
		"a trusted payee":                    {transfer(2000), settings.UnsignedPayments, `{"trusted":["` + them + `"],"weekly_total":2000,"low_value":false}`, settings.Allow, settings.RuleTrusted},
		"a trusted payee, above the week":    {transfer(2000), settings.UnsignedPayments, `{"trusted":["` + them + `"],"weekly_total":1999,"low_value":false}`, settings.Needs, settings.RuleSign},
		"low value":                          {transfer(2000), settings.UnsignedPayments, `{"weekly_total":0,"low_value":true}`, settings.Allow, settings.RuleLowValue},
		"above low value":                    {transfer(3001), settings.UnsignedPayments, `{"weekly_total":0,"low_value":true}`, settings.Needs, settings.RuleSign},
		"above a limit, although signed":     {with(signed("0001")), settings.Limits, `{"limits":[{"per_transaction":1999}]}`, settings.Refuse, settings.RuleTransaction},
		"above a day":                        {with(signed("0001")), settings.Limits, `{"limits":[{"channel":"online","per_day":1999}]}`, settings.Refuse, settings.RuleDay},
		"another channel's limit":            {with(signed("0001")), settings.Limits, `{"limits":[{"channel":"hub","per_day":0}]}`, settings.Allow, settings.RuleSigned},
		"instant, above a week":              {with(func(f *settings.Facts) { f.Instant = true; f.Signers = []string{"0001"} }), settings.Limits, `{"limits":[{"instant":true,"per_week":5}]}`, settings.Refuse, settings.RuleWeek},
		"a new payee":                        {with(signed("0001")), settings.NewBeneficiary, `{"hours":24}`, settings.Refuse, settings.RuleDelay},
		"a payee of yesterday":               {with(func(f *settings.Facts) { f.PayeeSince = monday.Add(-24 * time.Hour); f.Signers = []string{"0001"} }), settings.NewBeneficiary, `{"hours":24}`, settings.Allow, settings.RuleSigned},
		"one of two signatures":              {with(signed("0001")), settings.DualSignature, `{"bands":[{"from":2000,"signatures":2}]}`, settings.Needs, settings.RuleDual},
		"two signatures":                     {with(signed("0001", "0002")), settings.DualSignature, `{"bands":[{"from":2000,"signatures":2}]}`, settings.Allow, settings.RuleDual},
		"two, one of whom may not":           {with(signed("0001", "0009")), settings.DualSignature, `{"bands":[{"from":0,"signatures":2,"users":["0001","0002","0003"]}]}`, settings.Needs, settings.RuleDual},
		"two signatures, below the band":     {with(signed("0001")), settings.DualSignature, `{"bands":[{"from":2001,"signatures":2}]}`, settings.Allow, settings.RuleSigned},
		"a debit":                            {kind(settings.DirectDebit, none), "", "", settings.Allow, settings.RuleNothingAgainst},
		"a debit, all blocked":               {kind(settings.DirectDebit, none), settings.DirectDebits, `{"mode":"all_blocked"}`, settings.Refuse, settings.RuleDebitBlocked},
		"a debit of a listed creditor":       {kind(settings.DirectDebit, none), settings.DirectDebits, `{"mode":"blacklist","entries":[{"creditor":"FR72ABC123456"}]}`, settings.Refuse, settings.RuleDebitBlacklist},
		"a debit of a country":               {kind(settings.DirectDebit, none), settings.DirectDebits, `{"mode":"blacklist","entries":[{"country":"FR"}]}`, settings.Refuse, settings.RuleDebitBlacklist},
		"a debit of another mandate":         {kind(settings.DirectDebit, none), settings.DirectDebits, `{"mode":"whitelist","entries":[{"creditor":"` + ics + `","mandate":"M2"}]}`, settings.Refuse, settings.RuleDebitWhitelist},
		"a debit that is too much":           {kind(settings.DirectDebit, none), settings.DirectDebits, `{"mode":"none","mandates":[{"creditor":"` + ics + `","most":1999}]}`, settings.Refuse, settings.RuleDebitAmount},
		"a debit that is too often":          {kind(settings.DirectDebit, func(f *settings.Facts) { f.MandateUses = 4 }), settings.DirectDebits, `{"mode":"none","mandates":[{"creditor":"` + ics + `","mandate":"M1","per_year":4}]}`, settings.Refuse, settings.RuleDebitCount},
		"a card in Turkey":                   {kind(settings.CardPayment, func(f *settings.Facts) { f.Countries = []string{"TR"} }), "", "", settings.Allow, settings.RuleNothingAgainst},
		"a card in Guadeloupe":               {kind(settings.CardPayment, func(f *settings.Facts) { f.Countries = []string{"GP"} }), "", "", settings.Refuse, settings.RuleCardCountry},
		"a card in America":                  {kind(settings.CardPayment, func(f *settings.Facts) { f.Countries = []string{"US"} }), settings.CardUse, `{"scope":"world_without_us","internet":true,"contactless":true}`, settings.Refuse, settings.RuleCardCountry},
		"a card on the internet":             {kind(settings.CardPayment, func(f *settings.Facts) { f.Internet = true }), settings.CardUse, `{"scope":"world","internet":false,"contactless":true}`, settings.Refuse, settings.RuleCardInternet},
		"a new payee, unsigned":              {kind(settings.AddBeneficiary, none), "", "", settings.Needs, settings.RuleSign},
		"a batch to trusted payees unsigned": {kind(settings.Batch, none), settings.UnsignedPayments, `{"trusted":["` + them + `"],"weekly_total":2000,"low_value":true}`, settings.Needs, settings.RuleSign},
	} {
		var in []settings.InForce
		if test.of != "" {
			in = append(in, settings.InForce{Name: test.of, Level: settings.OfCompany, Version: 7, Value: value(t, test.of, test.value)})
		}
		v := settings.Judge(test.facts, in, totals())
		if v.Result != test.result || v.Rule != test.rule || v.Result == settings.Refuse && test.of != "" && (v.By.Name != test.of || v.By.Version != 7) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestCountersAddUpAndBeginAgain(t *testing.T) {
	t.Parallel()
	in := []settings.InForce{
		{Name: settings.UnsignedPayments, Level: settings.OfUser, Value: value(t, settings.UnsignedPayments, `{"weekly_total":0,"low_value":true}`)},
		{Name: settings.Limits, Level: settings.OfUser, Value: value(t, settings.Limits, `{"limits":[{"per_day":22000,"per_week":31500}]}`)},
	}
	all := totals()
	pay := func(cents int64, at time.Time, signers ...string) string {
		f := transfer(cents)
		f.At, f.Signers = at, signers
		for _, one := range all {
			one.Roll(at)
		}
		v := settings.Judge(f, in, all)
		for _, one := range all {
			one.Count(f, v)
		}
		return v.Rule
	}
	var got []string
	for range 6 {
		got = append(got, pay(1500, monday)) // five in a row
	}
	got = append(got, pay(1500, monday, "0001"), pay(3000, monday), pay(3000, monday), pay(3000, monday), pay(3000, monday)) // then 100 euros in all
	got = append(got, pay(600, monday, "0001"), pay(500, monday, "0001"))                                                    // the day is 200 euros
	got = append(got, pay(12400, monday.AddDate(0, 0, 1), "0001"), pay(1, monday.AddDate(0, 0, 6), "0001"))
	got = append(got, pay(1, monday.AddDate(0, 0, 7), "0001"))
	low, sign, signed := settings.RuleLowValue, settings.RuleSign, settings.RuleSigned
	want := []string{low, low, low, low, low, sign, signed, low, low, low, sign, signed, signed, signed, settings.RuleWeek, signed}
	if !slices.Equal(got, want) {
		t.Errorf("decided %v\nwant    %v", got, want)
	}
}

// What is no loosening allows nothing that was not allowed, of any operation.
func TestATighterValueAllowsNoMore(t *testing.T) {
	t.Parallel()
	values := map[settings.Name]*rapid.Generator[string]{
		settings.ForeignTransfers: rapid.Custom(func(t *rapid.T) string {
			scope := rapid.SampledFrom([]string{"domestic", "sepa", "world"}).Draw(t, "scope")
			countries := rapid.SampledFrom([]string{`[]`, `["US"]`, `["BE"]`, `["BE","US"]`}).Draw(t, "countries")
			if scope == "world" {
				countries = `[]`
			}
			return fmt.Sprintf(`{"scope":%q,"countries":%s}`, scope, countries)
		}),
		settings.DirectDebits: rapid.Custom(func(t *rapid.T) string {
			entry := rapid.SampledFrom([]string{`{"country":"FR"}`, `{"creditor":"` + ics + `"}`, `{"creditor":"` + ics + `","mandate":"M1"}`, `{"country":"BE"}`})
			entries := strings.Join(rapid.SliceOfNDistinct(entry, 1, 3, rapid.ID[string]).Draw(t, "entries"), ",")
			mandates := rapid.SampledFrom([]string{``, `,"mandates":[{"creditor":"` + ics + `","most":1500}]`, `,"mandates":[{"creditor":"` + ics + `","most":2500,"per_year":2}]`}).Draw(t, "mandates")
			switch mode := rapid.SampledFrom([]string{"none", "all_blocked", "blacklist", "whitelist"}).Draw(t, "mode"); mode {
			case "none", "all_blocked":
				return fmt.Sprintf(`{"mode":%q%s}`, mode, mandates)
			default:
				return fmt.Sprintf(`{"mode":%q,"entries":[%s]%s}`, mode, entries, mandates)
			}
		}),
		settings.Limits: rapid.Custom(func(t *rapid.T) string {
			limit := rapid.SampledFrom([]string{`{"per_day":1500}`, `{"channel":"online","per_day":2500}`, `{"instant":true,"per_transaction":1500}`, `{"channel":"hub","per_week":0}`})
			return `{"limits":[` + strings.Join(rapid.SliceOfNDistinct(limit, 0, 4, rapid.ID[string]).Draw(t, "limits"), ",") + `]}`
		}),
		settings.DualSignature: rapid.Custom(func(t *rapid.T) string {
			band := rapid.Custom(func(t *rapid.T) string {
				users := rapid.SampledFrom([]string{`[]`, `["0001","0002"]`, `["0001","0002","0003"]`}).Draw(t, "users")
				return fmt.Sprintf(`"signatures":%d,"users":%s}`, rapid.IntRange(1, 2).Draw(t, "signatures"), users)
			})
			bands := []string{}
			for i, b := range rapid.SliceOfN(band, 0, 3).Draw(t, "bands") {
				bands = append(bands, fmt.Sprintf(`{"from":%d,%s`, i*1500, b))
			}
			return `{"bands":[` + strings.Join(bands, ",") + `]}`
		}),
	}
	facts := rapid.Custom(func(t *rapid.T) *settings.Facts {
		f := transfer(rapid.SampledFrom([]int64{1000, 2000, 3000}).Draw(t, "amount"))
		f.Kind = rapid.SampledFrom([]settings.Kind{settings.Transfer, settings.DirectDebit}).Draw(t, "kind")
		f.Countries = []string{rapid.SampledFrom([]string{"FR", "BE", "US", "DE"}).Draw(t, "country")}
		f.Creditor, f.Mandate = ics, rapid.SampledFrom([]string{"M1", "M2"}).Draw(t, "mandate")
		f.MandateUses = rapid.IntRange(0, 3).Draw(t, "uses")
		f.Channel, f.Instant = rapid.SampledFrom([]string{"online", "hub"}).Draw(t, "channel"), rapid.Bool().Draw(t, "instant")
		f.Signers = rapid.SampledFrom([][]string{nil, {"0001"}, {"0003"}, {"0001", "0003"}, {"0001", "0002"}}).Draw(t, "signers")
		return f
	})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]settings.Name{settings.ForeignTransfers, settings.DirectDebits, settings.Limits, settings.DualSignature}).Draw(t, "setting")
		before, after := value(t, n, values[n].Draw(t, "before")), value(t, n, values[n].Draw(t, "after"))
		if settings.Loosens(before, after) {
			return
		}
		f := facts.Draw(t, "facts")
		judge := func(v settings.Value) settings.Result {
			return settings.Judge(f, []settings.InForce{{Name: n, Level: settings.OfUser, Value: v}}, totals()).Result
		}
		if judge(after) == settings.Allow && judge(before) != settings.Allow {
			t.Fatalf("%s became %s without loosening, and %+v is allowed", settings.Canonical(before), settings.Canonical(after), f)
		}
	})
}
