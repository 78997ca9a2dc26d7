package issuance

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// thingCeremony is what audit entries of a key ceremony are about.
const thingCeremony = "ceremony"

// CeremonyAct is one act of a key ceremony. Its detail has names, check values
// and fingerprints, which are public; no key, no component.
type CeremonyAct struct {
	Name   string // "root", "key imk-ac"; once in a ceremony
	At     time.Time
	By     string // login of who held the ceremony
	Detail map[string]string
}

// RecordAct writes an act into the audit trail, which nobody changes. An act
// that is there already is [lifecycle.Conflict].
func (s *Service) RecordAct(ctx context.Context, by lifecycle.Actor, ceremony, act string, detail map[string]string) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		done := change{id: ceremony, on: lifecycle.Event(act), by: by, detail: detail}
		if err := s.audit(ctx, tx, thingCeremony, done, "", "done"); err != nil {
			return fmt.Errorf("ceremony %s: record %s: %w", ceremony, act, err)
		}
		return nil
	})
}

// Acts are the acts of a ceremony so far, oldest first.
func (s *Service) Acts(ctx context.Context, ceremony string) ([]CeremonyAct, error) {
	entries, err := s.AuditOf(ctx, ceremony)
	if err != nil {
		return nil, err
	}
	return acts(entries)
}

// AllActs are the acts of every ceremony, oldest first: what keys the bank
// should have.
func (s *Service) AllActs(ctx context.Context) ([]CeremonyAct, error) {
	entries, err := s.store.AuditOfThings(ctx, thingCeremony)
	if err != nil {
		return nil, fmt.Errorf("audit of the ceremonies: %w", err)
	}
	return acts(entries)
}

func acts(entries []db.AuditEntry) ([]CeremonyAct, error) {
	var acts []CeremonyAct
	for _, e := range entries {
		if e.Thing != thingCeremony {
			continue
		}
		act := CeremonyAct{Name: e.Event, At: e.At, By: e.Actor}
		if err := json.Unmarshal(e.Detail, &act.Detail); err != nil {
			return nil, fmt.Errorf("ceremony %s: read %s: %w", e.ThingID, e.Event, err)
		}
		acts = append(acts, act)
	}
	return acts, nil
}
