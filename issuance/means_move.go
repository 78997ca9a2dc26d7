package issuance

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

// MeansChange suspends a means, brings it back or ends it.
type MeansChange struct {
	ID lifecycle.MeansID
	On lifecycle.Event // Suspend, Resume or End
	// Whose it is said to be, of a relying service; staff leave it out.
	ClientID, UserNumber string
	Consent              Consent // of a relying service that brings one back
	Why                  string  // of staff
}

// ChangeMeans suspends, brings back or ends a means that a holder added. To stop it
// needs nothing but to be asked. It comes back by its user's signature, unless staff
// suspended it: then by staff.
func (s *Service) ChangeMeans(ctx context.Context, by lifecycle.Actor, c MeansChange) error {
	if err := lifecycle.CheckID(lifecycle.PrefixMeans, string(c.ID)); err != nil {
		return err
	}
	if !slices.Contains([]lifecycle.Event{lifecycle.Suspend, lifecycle.Resume, lifecycle.End}, c.On) {
		return &lifecycle.FieldError{Field: "event", Why: "suspend, resume or end it"}
	}
	staff := slices.Contains(lifecycle.StaffRoles(), by.Role)
	detail := map[string]string{}
	if staff {
		if err := checkNote("why", c.Why); err != nil {
			return err
		}
		detail["why"] = c.Why
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		m, err := tx.LockMeans(ctx, c.ID)
		if err != nil {
			return err
		}
		if staff {
			err = ownMeansTx(ctx, tx, by, m)
		} else {
			err = saidMeansTx(ctx, tx, c, m)
		}
		if err != nil {
			return err
		}
		if c.On == lifecycle.Resume && !staff {
			if m.SuspendedBy != string(lifecycle.RoleHolder) && m.SuspendedBy != string(lifecycle.RoleRelyingService) {
				return fmt.Errorf("%w: the bank suspended it: its account manager can help", lifecycle.Forbidden)
			}
			back := act{holder: m.HolderID, kind: m.Kind, says: signing.ResumeMeans, means: m.ID}
			if err := s.useConsent(ctx, tx, by, c.Consent, back, m.ID); err != nil {
				return err
			}
			detail["authentication"] = string(c.Consent.Authentication)
		}
		return s.moveMeans(ctx, tx, &m, c.On, by, detail)
	})
	if err != nil {
		return fmt.Errorf("%s means %s: %w", c.On, c.ID, err)
	}
	return nil
}

// ownMeansTx keeps an account manager to the holders of their branch.
func ownMeansTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, m db.Means) error {
	holder, err := tx.Holder(ctx, m.HolderID)
	if err != nil {
		return fmt.Errorf("holder %s: %w", m.HolderID, err)
	}
	return ownHolderTx(ctx, tx, by, holder)
}

// saidMeansTx finds nothing unless the means is of the user that a relying service
// names.
func saidMeansTx(ctx context.Context, tx store.Tx, c MeansChange, m db.Means) error {
	holder, err := tx.HolderByUser(ctx, c.ClientID, c.UserNumber)
	if err == nil && holder.ID != m.HolderID {
		err = lifecycle.NotFound
	}
	return err
}

func (s *Service) moveMeans(ctx context.Context, tx store.Tx, m *db.Means, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	if by.Role == lifecycle.RoleHolder && by.ID != string(m.HolderID) {
		return fmt.Errorf("means %s: %w: it is another holder's", m.ID, lifecycle.Forbidden)
	}
	suspendedBy := ""
	if on == lifecycle.Suspend {
		suspendedBy = string(by.Role)
	}
	to, err := apply(ctx, s, tx, lifecycle.Means, m.State,
		change{id: string(m.ID), on: on, by: by, requester: m.RequestedBy, detail: detail},
		func(to lifecycle.MeansState) (int64, error) {
			return tx.SetMeansState(ctx, db.SetMeansStateParams{ToState: to, SuspendedBy: suspendedBy, At: s.now(), ID: m.ID, FromState: m.State})
		}, noJob)
	if err != nil {
		return err
	}
	m.State, m.SuspendedBy = to, suspendedBy
	return nil
}

// bornMeans records a means that its holder adds by a consent, which it spends.
func (s *Service) bornMeans(ctx context.Context, tx store.Tx, by lifecycle.Actor, a Consent, of act, label string) (lifecycle.MeansID, error) {
	id := lifecycle.MeansID(s.newID(lifecycle.PrefixMeans))
	err := tx.InsertMeans(ctx, db.InsertMeansParams{
		ID: id, HolderID: of.holder, Kind: of.kind, State: lifecycle.MeansActive, Label: label, RequestedBy: by.ID, CreatedAt: s.now(),
	})
	if err != nil {
		return "", err
	}
	if err := s.useConsent(ctx, tx, by, a, of, id); err != nil {
		return "", err
	}
	detail := map[string]string{"kind": string(of.kind), "holder": string(of.holder), "by": "code of staff"}
	if a.Authentication != "" {
		detail["by"] = string(a.Authentication)
	}
	return id, s.born(ctx, tx, lifecycle.Means.Thing, string(id), string(lifecycle.MeansActive), by, detail)
}

func random16() (random [16]byte) {
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	return random
}
