package decision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// proofAge is how long after its proof a signature may be brought.
const proofAge = 15 * time.Minute

// signatures holds what is brought, and tells whose are over exactly the facts.
func (c *court) signatures(ctx context.Context) error {
	var ids []string
	for _, m := range c.cases {
		for _, id := range m.Signatures {
			if !m.done() {
				ids = append(ids, string(id))
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	rows, err := c.LockSignatures(ctx, slices.Compact(ids))
	if err != nil {
		return fmt.Errorf("signatures: %w", err)
	}
	byID := make(map[lifecycle.AuthenticationID]db.LockSignaturesRow, len(rows))
	for _, r := range rows {
		byID[r.ID] = r
	}
	for _, m := range c.cases {
		if m.done() {
			continue
		}
		for _, id := range m.Signatures {
			r, ok := byID[id]
			over, err := m.over(r)
			if err != nil {
				return err
			}
			if !ok || !over || c.at.Sub(*r.DecidedAt) > proofAge || slices.Contains(m.Facts.Signers, r.UserNumber) {
				m.unproven = true
				continue
			}
			m.Facts.Signers, m.used = append(m.Facts.Signers, r.UserNumber), append(m.used, id)
		}
	}
	return nil
}

// over tells whether a signature of somebody of the company, for this service, is over
// exactly the facts and unused. The payee's name is shown with the account; a
// reference that was signed is the operation's.
func (m *matter) over(r db.LockSignaturesRow) (bool, error) {
	if r.Used || r.Stopped || r.Service != m.By.ID || r.ClientID != m.ClientID || r.Function != string(functions[m.Facts.Kind]) {
		return false, nil
	}
	var signed map[string]string
	if err := json.Unmarshal(r.Content, &signed); err != nil {
		return false, fmt.Errorf("authentication %s: %w", r.ID, err)
	}
	if reference, ok := signed["reference"]; ok && reference != m.Operation {
		return false, nil
	}
	facts := m.content()
	for name, value := range signed {
		if name != "payee_name" && name != "reference" && facts[name] != value {
			return false, nil
		}
	}
	for name := range facts {
		if _, ok := signed[name]; !ok {
			return false, nil
		}
	}
	return true, nil
}

// record writes what was decided now: decisions, spent signatures, counters.
func (c *court) record(ctx context.Context) error {
	p := db.InsertDecisionsParams{At: c.at}
	var spent, spentOn []string
	for _, m := range c.cases {
		if !m.fresh {
			continue
		}
		v := m.outcome.answer.Verdict
		company, holder := "", ""
		if m.user != nil {
			company, holder = string(m.user.CompanyID), m.user.HolderID
		}
		p.Services, p.Operations, p.Facts = append(p.Services, m.By.ID), append(p.Operations, m.Operation), append(p.Facts, m.sum[:])
		p.Companies, p.Holders, p.Kinds = append(p.Companies, company), append(p.Holders, holder), append(p.Kinds, string(m.Facts.Kind))
		p.Results, p.Rules = append(p.Results, string(v.Result)), append(p.Rules, v.Rule)
		p.Settings, p.Levels = append(p.Settings, string(v.By.Name)), append(p.Levels, string(v.By.Level))
		p.Versions, p.Signatures = append(p.Versions, int32(v.By.Version)), append(p.Signatures, int32(v.Signatures)) //nolint:gosec // small
		for _, id := range m.used {
			spent, spentOn = append(spent, string(id)), append(spentOn, m.By.ID+" "+m.Operation)
		}
	}
	if len(p.Operations) == 0 {
		return nil
	}
	n, err := c.InsertDecisions(ctx, p)
	if err != nil {
		return fmt.Errorf("record decisions: %w", err)
	}
	if int(n) != len(p.Operations) {
		return errTwice
	}
	if len(spent) > 0 {
		if err := c.UseAuthentications(ctx, spent, spentOn, c.at); err != nil {
			return fmt.Errorf("record signatures: %w", err)
		}
	}
	return c.setCounters(ctx)
}

func (c *court) setCounters(ctx context.Context) error {
	var places, totals []string
	var uses []int32
	for place, one := range c.counts {
		if !one.changed {
			continue
		}
		text, err := json.Marshal(one.totals)
		if err != nil {
			return fmt.Errorf("counter %s: %w", place, err)
		}
		places, totals, uses = append(places, place), append(totals, string(text)), append(uses, one.uses)
	}
	if len(places) == 0 {
		return nil
	}
	if err := c.SetDecisionCounters(ctx, places, totals, uses); err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	return nil
}
