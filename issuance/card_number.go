package issuance

import (
	"context"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

const maxNote = 500 // bytes of what somebody writes about what they do

// ShowPAN opens a card's number to a security officer who says why. Nobody sees
// it before the entry in the audit trail is committed.
func (s *Service) ShowPAN(ctx context.Context, by lifecycle.Actor, id lifecycle.CardID, why string) (lifecycle.PAN, error) {
	if !slices.Contains(lifecycle.SeesPANs(), by.Role) {
		return lifecycle.PAN{}, fmt.Errorf("card %s: %w: %s may not see card numbers", id, lifecycle.Forbidden, by.Role)
	}
	if err := checkNote("why", why); err != nil {
		return lifecycle.PAN{}, err
	}
	var pan lifecycle.PAN
	err := s.withCard(ctx, id, func(tx store.Tx, card *db.Card) error {
		var err error
		if pan, err = s.safe.OpenPAN(card.ID, card.PANSealed); err != nil {
			return err
		}
		entry := change{id: string(id), on: lifecycle.ShowPAN, by: by, detail: map[string]string{"why": why}}
		return s.audit(ctx, tx, "card", entry, string(card.State), string(card.State))
	})
	if err != nil {
		return lifecycle.PAN{}, err
	}
	return pan, nil
}

// checkNote bounds what somebody must say about what they do.
func checkNote(field, note string) error {
	if note == "" || len(note) > maxNote {
		return &lifecycle.FieldError{Field: field, Why: "say why, in at most 500 characters: it is kept"}
	}
	return nil
}
