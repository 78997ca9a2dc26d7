package authn

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Events that authentication leaves in the audit trail.
const (
	acceptCode  lifecycle.Event = "accept_code"
	refuseCode  lifecycle.Event = "refuse_code"
	lockCodes   lifecycle.Event = "lock_codes"
	unlockCodes lifecycle.Event = "unlock_codes"
)

// Judgement is a code that was judged, or a lock, as staff may see it.
type Judgement struct {
	At       time.Time
	By       string // who asked
	Event    lifecycle.Event
	Purpose  Purpose
	Mode     string
	LastATC  int // counter of the last accepted code before
	ATC      int // of an accepted code
	Skipped  int // codes that the card made in between and nobody sent
	Window   int // how far the engine looked
	Failures int // wrong codes in a row, with this one
	Note     string
}

const maxJudgements = 200

// Explain gives staff the newest judgements on a card, newest first: which
// counter a code had, how many were skipped, how many wrong ones there were. A
// caller of [Service.VerifyCode] is told none of it.
func (s *Service) Explain(ctx context.Context, by lifecycle.Actor, card lifecycle.CardID, most int) ([]Judgement, error) {
	if !slices.Contains(lifecycle.StaffRoles(), by.Role) {
		return nil, fmt.Errorf("card %s: %w: %s is not told why a code was refused", card, lifecycle.Forbidden, by.Role)
	}
	if most < 1 || most > maxJudgements {
		return nil, &lifecycle.FieldError{Field: "limit", Why: "ask for 1 to " + strconv.Itoa(maxJudgements)}
	}
	events := []string{string(acceptCode), string(refuseCode), string(lockCodes), string(unlockCodes)}
	rows, err := s.store.NewestAuditOf(ctx, string(card), events, int32(most)) //nolint:gosec // bounded above
	if err != nil {
		return nil, fmt.Errorf("judgements on card %s: %w", card, err)
	}
	all := make([]Judgement, len(rows))
	for i, r := range rows {
		if all[i], err = judgementOf(r); err != nil {
			return nil, fmt.Errorf("judgements on card %s: %w", card, err)
		}
	}
	return all, nil
}

func judgementOf(r db.AuditEntry) (Judgement, error) {
	var d struct {
		Purpose  Purpose `json:"purpose"`
		Mode     string  `json:"mode"`
		LastATC  int     `json:"last_atc,string"`
		ATC      int     `json:"atc,string"`
		Window   int     `json:"window,string"`
		Failures int     `json:"failures,string"`
		Why      string  `json:"why"`
	}
	if err := json.Unmarshal(r.Detail, &d); err != nil {
		return Judgement{}, fmt.Errorf("audit entry %d: %w", r.ID, err)
	}
	j := Judgement{
		At: r.At.UTC(), By: r.Actor, Event: lifecycle.Event(r.Event), Purpose: d.Purpose, Mode: d.Mode, LastATC: d.LastATC, ATC: d.ATC,
		Window: d.Window, Failures: d.Failures, Note: d.Why,
	}
	if j.ATC > 0 {
		j.Skipped = j.ATC - j.LastATC - 1
	}
	return j, nil
}

// Lock refuses a card's codes, right ones too, until staff unlock it.
func (s *Service) Lock(ctx context.Context, by lifecycle.Actor, card lifecycle.CardID, why string) error {
	return s.setFailures(ctx, by, card, why, lockCodes, s.policy.MaxFailures)
}

// Unlock clears the count of a card's wrong codes.
func (s *Service) Unlock(ctx context.Context, by lifecycle.Actor, card lifecycle.CardID, why string) error {
	return s.setFailures(ctx, by, card, why, unlockCodes, 0)
}

func (s *Service) setFailures(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID, why string, on lifecycle.Event, failures int) error {
	if !slices.Contains(lifecycle.UnlocksCodes(), by.Role) {
		return fmt.Errorf("card %s: %w: %s may neither lock nor unlock codes", id, lifecycle.Forbidden, by.Role)
	}
	const most = 500
	if why == "" || len(why) > most {
		return &lifecycle.FieldError{Field: "why", Why: "say why, in at most 500 characters: it is kept"}
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		card, err := tx.LockCard(ctx, id)
		if err != nil {
			return fmt.Errorf("card %s: %w", id, err)
		}
		if err := tx.SetCAPFailures(ctx, int32(failures), id); err != nil { //nolint:gosec // 0, or the policy's
			return fmt.Errorf("card %s: %w", id, err)
		}
		detail := map[string]string{"why": why, "failures": strconv.Itoa(int(card.CAPFailures))}
		return audit(ctx, tx.Queries, s.now(), by, card, on, detail)
	})
}

// withPair is a map with one more pair.
func withPair(m map[string]string, key, value string) map[string]string {
	m = maps.Clone(m)
	m[key] = value
	return m
}
