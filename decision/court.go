package decision

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"sceau/lifecycle"
	"sceau/settings"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

// matter is a question on its way.
type matter struct {
	Question

	sum      [32]byte
	user     *db.DecisionUsersRow // nil: nobody's
	grants   signing.Entitlements
	in       []settings.InForce
	places   map[settings.Level]string
	mandate  string // place of its count, "" for none
	unproven bool   // a signature is over something else, used, or not accepted
	used     []lifecycle.AuthenticationID
	fresh    bool // decided now, and final
	outcome  outcome
}

// court judges several questions in one transaction.
type court struct {
	store.Tx

	at     time.Time
	cases  []*matter
	counts map[string]*count
}

// count is a row of counters, locked.
type count struct {
	totals  settings.Totals
	uses    int32
	changed bool
}

// usable are the states of cards that may be used.
func usable() []string {
	var all []string
	for _, s := range lifecycle.Cards.States {
		if s.Usable() {
			all = append(all, string(s))
		}
	}
	return all
}

// users finds whose operations they are.
func (c *court) users(ctx context.Context) error {
	p := db.DecisionUsersParams{Usable: usable(), At: c.at}
	for i, m := range c.cases {
		p.Questions, p.Clients, p.Users = append(p.Questions, int32(i)), append(p.Clients, m.ClientID), append(p.Users, m.UserNumber) //nolint:gosec // few
	}
	rows, err := c.DecisionUsers(ctx, p)
	if err != nil {
		return fmt.Errorf("users: %w", err)
	}
	for i := range rows {
		m := c.cases[rows[i].Question]
		m.user = &rows[i]
		if m.grants, err = signing.ReadEntitlements(rows[i].Grants); err != nil {
			return err
		}
		m.Facts.Home = rows[i].Country
		m.Facts.At = c.at
	}
	return nil
}

// values reads the settings that hold.
func (c *court) values(ctx context.Context) error {
	p := db.SettingsInForceParams{At: c.at}
	for i, m := range c.cases {
		if m.user != nil {
			p.Questions, p.Companies = append(p.Questions, int32(i)), append(p.Companies, string(m.user.CompanyID)) //nolint:gosec // few
			p.Holders, p.Accounts = append(p.Holders, m.user.HolderID), append(p.Accounts, m.Facts.Account)
		}
	}
	rows, err := c.SettingsInForce(ctx, p)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	for _, r := range rows {
		v, err := settings.Read(settings.Name(r.Setting), r.NewValue)
		if err != nil {
			return err
		}
		level := settings.OfCompany
		switch {
		case r.Holder != "":
			level = settings.OfUser
		case r.Account != "":
			level = settings.OfAccount
		}
		m := c.cases[r.Question]
		m.in = append(m.in, settings.InForce{Name: settings.Name(r.Setting), Level: level, Version: int(r.Version), Value: v})
	}
	return nil
}

// counters locks the rows that the questions count in.
func (c *court) counters(ctx context.Context) error {
	var places []string
	for _, m := range c.cases {
		if m.user == nil {
			continue
		}
		company := string(m.user.CompanyID)
		m.places = map[settings.Level]string{settings.OfCompany: company, settings.OfAccount: company + "/" + m.Facts.Account}
		if m.user.HolderID != "" {
			m.places[settings.OfUser] = m.user.HolderID
		}
		if m.Facts.Kind == settings.DirectDebit {
			m.mandate = fmt.Sprintf("%s/%s/%s/%s/%d", company, m.Facts.Account, settings.CreditorKey(m.Facts.Creditor), m.Facts.Mandate, c.at.Year())
			places = append(places, m.mandate)
		}
		places = slices.AppendSeq(places, maps.Values(m.places))
	}
	slices.Sort(places)
	places = slices.Compact(places)
	if err := c.InsertDecisionCounters(ctx, places); err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	rows, err := c.LockDecisionCounters(ctx, places)
	if err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	c.counts = make(map[string]*count, len(rows))
	for _, r := range rows {
		one := &count{uses: r.Uses}
		if err := json.Unmarshal(r.Totals, &one.totals); err != nil {
			return fmt.Errorf("counter %s: %w", r.Place, err)
		}
		one.totals.Roll(c.at)
		c.counts[r.Place] = one
	}
	return nil
}

// before looks for what was decided already, now that nobody else of the company
// decides.
func (c *court) before(ctx context.Context) error {
	var services, operations []string
	for _, m := range c.cases {
		services, operations = append(services, m.By.ID), append(operations, m.Operation)
	}
	rows, err := c.Decisions(ctx, services, operations)
	if err != nil {
		return fmt.Errorf("decisions: %w", err)
	}
	known := make(map[[2]string]db.Decision, len(rows))
	for _, r := range rows {
		known[[2]string{r.Service, r.Operation}] = r
	}
	for _, m := range c.cases {
		if r, ok := known[[2]string{m.By.ID, m.Operation}]; ok {
			m.again(r)
		}
	}
	return nil
}

// again answers as before.
func (m *matter) again(r db.Decision) {
	if !bytes.Equal(r.FactsSHA256, m.sum[:]) {
		m.outcome.err = fmt.Errorf("operation %s: %w: it was decided on other facts", m.Operation, lifecycle.Conflict)
		return
	}
	m.outcome.answer = Answer{Again: true, Decided: r.DecidedAt.UTC(), Verdict: settings.Verdict{
		Result: settings.Result(r.Result), Rule: r.Rule, Signatures: int(r.Signatures),
		By: settings.InForce{Name: settings.Name(r.Setting), Level: settings.Level(r.Level), Version: int(r.Version)},
	}}
}

func (m *matter) done() bool {
	return m.outcome.err != nil || m.outcome.answer.Result != ""
}

// judge judges the questions one after the other: each sees what those before it
// counted.
func (c *court) judge() error {
	decided := map[[2]string]*matter{}
	spent := map[lifecycle.AuthenticationID]bool{}
	for _, m := range c.cases {
		if m.done() {
			continue
		}
		at := [2]string{m.By.ID, m.Operation}
		if twin := decided[at]; twin != nil {
			m.outcome = twin.outcome
			m.outcome.answer.Again = true
			if twin.sum != m.sum {
				m.outcome = outcome{err: fmt.Errorf("operation %s: %w: it was decided on other facts", m.Operation, lifecycle.Conflict)}
			}
			continue
		}
		if slices.ContainsFunc(m.used, func(id lifecycle.AuthenticationID) bool { return spent[id] }) {
			m.Facts.Signers, m.used, m.unproven = nil, nil, true
		}
		v := c.verdict(m)
		m.outcome.answer = Answer{Verdict: v, Decided: c.at}
		if v.Result == settings.Needs {
			continue
		}
		m.fresh, decided[at] = true, m
		if v.Result != settings.Allow {
			m.used = nil
			continue
		}
		for _, id := range m.used {
			spent[id] = true
		}
		for _, place := range m.places {
			one := c.counts[place]
			one.totals.Count(&m.Facts, v)
			one.changed = true
		}
		if m.mandate != "" {
			c.counts[m.mandate].uses++
			c.counts[m.mandate].changed = true
		}
	}
	return nil
}

// verdict is the house's own rules, then those of the settings. Nobody's operation is
// refused like that of who is not entitled.
func (c *court) verdict(m *matter) settings.Verdict {
	switch {
	case m.user == nil, m.Facts.Kind.Initiated() && !m.grants.Covers(m.covered()):
		return settings.Verdict{Result: settings.Refuse, Rule: settings.RuleEntitlement}
	case m.user.Stopped:
		return settings.Verdict{Result: settings.Refuse, Rule: settings.RuleStop}
	}
	totals := make(map[settings.Level]*settings.Totals, len(m.places))
	for level, place := range m.places {
		totals[level] = &c.counts[place].totals
	}
	if m.mandate != "" {
		m.Facts.MandateUses = int(c.counts[m.mandate].uses)
	}
	v := settings.Judge(&m.Facts, m.in, totals)
	if v.Result == settings.Needs && m.unproven {
		v.Rule = settings.RuleProof
	}
	return v
}

var functions = map[settings.Kind]signing.Function{
	settings.Transfer: signing.SignPayment, settings.Batch: signing.SignPaymentBatch, settings.AddBeneficiary: signing.AddBeneficiary,
	settings.Chequebook: signing.OrderChequebook,
}

// covered is the operation as entitlements see it, and content what a signature must
// be over.
func (m *matter) covered() signing.Operation {
	return signing.Operation{Function: functions[m.Facts.Kind], Content: m.content()}
}

func (m *matter) content() map[string]string {
	f := m.Facts
	amount := strconv.FormatInt(f.Amount, 10)
	switch f.Kind {
	case settings.Transfer:
		return map[string]string{"amount": amount, "currency": f.Currency, "payee_account": f.Payee, "debtor_account": f.Account}
	case settings.Batch:
		return map[string]string{"total": amount, "currency": f.Currency, "count": strconv.Itoa(f.Count), "sha256": f.SHA256, "debtor_account": f.Account}
	case settings.AddBeneficiary:
		return map[string]string{"payee_account": f.Payee}
	case settings.Chequebook:
		return map[string]string{"account": f.Account, "count": strconv.Itoa(f.Count)}
	case settings.DirectDebit, settings.CardPayment:
	}
	return nil
}
