package house

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
	"sceau/party"
)

// Minutes are a ceremony's acts on their way to paper.
type Minutes struct {
	ID        string
	Rehearsal bool
	Acts      []issuance.CeremonyAct
}

// factOrder is how the facts of an act stand in the minutes.
var factOrder = []string{
	"proposed_by", "key", "usage", "algorithm", "environment", "version", letter.FactKCV, "origin", "custodians", "subject", letter.FactSHA256, "until", "mount", "refused", "there",
}

// PDF sets the minutes in a language.
func (m Minutes) PDF(bank *Bank, language string, now time.Time) ([]byte, error) {
	if len(m.Acts) == 0 {
		return nil, fmt.Errorf("minutes of ceremony %s: %w: nothing is on record", m.ID, lifecycle.NotFound)
	}
	d := letter.MinutesData{
		Bank: bank.Sender(), Language: party.Language(language), Reference: m.ID, Rehearsal: m.Rehearsal, Date: now,
		Officer: bank.staffName(m.Acts[0].By),
	}
	for _, a := range m.Acts {
		kind, _, _ := strings.Cut(a.Name, " ")
		act := letter.MinutesAct{Kind: kind, At: a.At, By: bank.staffName(a.By)}
		if w := a.Detail["witnesses"]; w != "" { // of its first act
			d.Witnesses = strings.Split(w, ", ")
		}
		if d.Environment == "" {
			d.Environment = a.Detail["environment"]
		}
		for _, name := range factOrder {
			if value := a.Detail[name]; value != "" {
				if name == "proposed_by" {
					value = bank.staffName(value)
				}
				act.Facts = append(act.Facts, fact(name, value))
			}
		}
		for custodian := range strings.SplitSeq(a.Detail["custodians"], ", ") {
			if custodian != "" && !slices.Contains(d.Custodians, custodian) {
				d.Custodians = append(d.Custodians, custodian)
			}
		}
		d.Acts = append(d.Acts, act)
	}
	return letter.Minutes(d)
}

// fact names a key as a fact: as an act it has the same word.
func fact(name, value string) letter.Fact {
	if name == "key" {
		name = "name"
	}
	return letter.Fact{Kind: name, Value: value}
}

// staffName is how somebody of the bank is called.
func (b *Bank) staffName(login string) string {
	for _, s := range b.Staff {
		if s.Login == login {
			return s.Name
		}
	}
	return login
}
