package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// StopRequest asks for an emergency stop: of one user, or without a user number of a
// whole company.
type StopRequest struct {
	ClientID   string
	UserNumber string // "" for every user
	Reason     string // of [lifecycle.StopReasons]
	Note       string
}

// Stop is an emergency stop; its identifier is the receipt. While it is there no means
// of its user is accepted, whatever state each has.
type Stop struct {
	ID      lifecycle.StopID
	Company lifecycle.CompanyID
	Holder  lifecycle.HolderID // "" for every user
	State   lifecycle.StopState
	Reason  string
	Note    string
	MadeBy  string
	Made    time.Time
	LiftBy  string
	LiftWhy string
	Updated time.Time

	Held     []lifecycle.CertificateID // it put on hold
	ToRevoke []lifecycle.CertificateID // may not be held: whoever relies on lists trusts them until somebody revokes them
}

func stopOf(r db.EmergencyStop) Stop {
	return Stop{
		ID: r.ID, Company: r.CompanyID, Holder: deref(r.HolderID), State: r.State, Reason: r.Reason, Note: r.Note, MadeBy: r.MadeBy,
		Made: r.MadeAt.UTC(), LiftBy: r.LiftBy, LiftWhy: r.LiftWhy, Updated: r.UpdatedAt.UTC(),
	}
}

// EmergencyStop stops everything of a user or a company at once. Asking again answers
// the first receipt. Certificates that their profile lets hold are held; the others
// are named, because revoking is for ever and another's decision.
func (s *Service) EmergencyStop(ctx context.Context, by lifecycle.Actor, r StopRequest) (Stop, error) {
	if !slices.Contains(lifecycle.MayStop(), by.Role) {
		return Stop{}, fmt.Errorf("emergency stop: %w: %s stops nobody", lifecycle.Forbidden, by.Role)
	}
	var errs lifecycle.FieldErrors
	if !slices.Contains(lifecycle.StopReasons(), r.Reason) {
		errs.Add("reason", fmt.Sprintf("use one of %v", lifecycle.StopReasons()))
	}
	if r.Note != "" {
		errs.AddError("note", checkNote("note", r.Note))
	}
	if err := errs.Err(); err != nil {
		return Stop{}, err
	}
	var stop Stop
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		company, holder, err := stoppedUserTx(ctx, tx, by, r)
		if err != nil {
			return err
		}
		id := lifecycle.StopID(s.newID(lifecycle.PrefixStop))
		n, err := tx.InsertStop(ctx, db.InsertStopParams{
			ID: id, CompanyID: company, HolderID: holder, State: lifecycle.StopActive, Reason: r.Reason, Note: r.Note, MadeBy: by.ID, MadeAt: s.now(),
		})
		if err != nil {
			return err
		}
		row, err := tx.StopOf(ctx, company, string(deref(holder)))
		if err != nil {
			return err
		}
		stop = stopOf(row)
		store.Made(ctx, string(stop.ID))
		if n == 1 {
			if err := s.born(ctx, tx, lifecycle.Stops.Thing, string(id), string(lifecycle.StopActive), by, map[string]string{"reason": r.Reason}); err != nil {
				return err
			}
		}
		return s.stopCertificatesTx(ctx, tx, by, &stop)
	})
	if err != nil {
		return Stop{}, fmt.Errorf("emergency stop: %w", err)
	}
	return stop, nil
}

// stoppedUserTx finds who is to be stopped. A holder stops nobody else.
func stoppedUserTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, r StopRequest) (lifecycle.CompanyID, *lifecycle.HolderID, error) {
	company, err := tx.CompanyByClientID(ctx, r.ClientID)
	if isNotFound(err) {
		return "", nil, &lifecycle.FieldError{Field: "client_id", Why: "is no company's"}
	}
	if err != nil {
		return "", nil, err
	}
	if r.UserNumber == "" {
		if by.Role == lifecycle.RoleHolder {
			return "", nil, fmt.Errorf("%w: a holder stops their own means", lifecycle.Forbidden)
		}
		return company.ID, nil, nil
	}
	holder, err := tx.HolderByUser(ctx, r.ClientID, r.UserNumber)
	if isNotFound(err) {
		return "", nil, &lifecycle.FieldError{Field: "user_number", Why: "is no user's of this company"}
	}
	if err != nil {
		return "", nil, err
	}
	if by.Role == lifecycle.RoleHolder && by.ID != string(holder.ID) {
		return "", nil, fmt.Errorf("%w: a holder stops their own means", lifecycle.Forbidden)
	}
	return company.ID, &holder.ID, nil
}

// stopCertificatesTx holds the certificates that can be held, and names the others.
func (s *Service) stopCertificatesTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, stop *Stop) error {
	ids, err := tx.CertificatesToStop(ctx, stop.Company, string(stop.Holder))
	if err != nil {
		return err
	}
	for _, id := range ids {
		cert, err := tx.LockCertificate(ctx, id)
		if err != nil {
			return err
		}
		profile, err := profileOf(ctx, tx.Queries, cert)
		if err != nil {
			return err
		}
		ours := true
		switch {
		case cert.State == lifecycle.CertHeld: // who held it before any stop releases it
			ours, err = tx.HeldByAStop(ctx, id)
		case !profile.Hold || !lifecycle.Certificates.Can(cert.State, lifecycle.Hold):
			stop.ToRevoke = append(stop.ToRevoke, id)
			continue
		default:
			err = s.holdTx(ctx, tx, by, &cert, time.Time{})
		}
		if err == nil && ours {
			err = tx.InsertStopHold(ctx, stop.ID, id)
		}
		if err != nil {
			return err
		}
		stop.Held = append(stop.Held, id)
	}
	return nil
}

// Stop reads a stop.
func (s *Service) Stop(ctx context.Context, id lifecycle.StopID) (Stop, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixStop, string(id)); err != nil {
		return Stop{}, err
	}
	row, err := s.store.Stop(ctx, id)
	if err != nil {
		return Stop{}, fmt.Errorf("emergency stop %s: %w", id, err)
	}
	return stopOf(row), nil
}

// Stops pages through the stops that hold, or all, those of one company if it is
// named.
func (s *Service) Stops(ctx context.Context, company lifecycle.CompanyID, all bool, after lifecycle.StopID) ([]Stop, error) {
	rows, err := s.store.Stops(ctx, db.StopsParams{CompanyID: string(company), AllStates: all, After: string(after), MaxRows: pageSize})
	if err != nil {
		return nil, fmt.Errorf("emergency stops: %w", err)
	}
	list := make([]Stop, len(rows))
	for i, r := range rows {
		list[i] = stopOf(r)
	}
	return list, nil
}

// Stopped tells whether nothing of a holder's is accepted now.
func (s *Service) Stopped(ctx context.Context, holder lifecycle.HolderID) (bool, error) {
	stopped, err := s.store.Stopped(ctx, string(holder))
	if err != nil {
		return false, fmt.Errorf("holder %s: %w", holder, err)
	}
	return stopped, nil
}

// AskToLift asks to lift a stop. Somebody else approves, and only then it ends.
func (s *Service) AskToLift(ctx context.Context, by lifecycle.Actor, id lifecycle.StopID, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.moveStop(ctx, by, id, lifecycle.AskLift, func(row *db.EmergencyStop) { row.LiftBy, row.LiftWhy = by.ID, why }, nil)
}

// Lift ends a stop that somebody else asked to lift, and releases what it held.
func (s *Service) Lift(ctx context.Context, by lifecycle.Actor, id lifecycle.StopID) error {
	return s.moveStop(ctx, by, id, lifecycle.Approve, func(*db.EmergencyStop) {}, func(tx store.Tx) error {
		held, err := tx.HeldByStop(ctx, id)
		if err != nil {
			return err
		}
		for _, certificate := range held {
			cert, err := tx.LockCertificate(ctx, certificate)
			if err != nil {
				return err
			}
			if cert.State != lifecycle.CertHeld { // revoked or expired meanwhile
				continue
			}
			if err := s.releaseTx(ctx, tx, lifecycle.System("lifted by "+by.String()), &cert, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// KeepStop refuses to lift a stop.
func (s *Service) KeepStop(ctx context.Context, by lifecycle.Actor, id lifecycle.StopID, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.moveStop(ctx, by, id, lifecycle.Refuse, func(row *db.EmergencyStop) { row.LiftWhy = why }, nil)
}

// moveStop moves a stop, with what its row says of who asked.
func (s *Service) moveStop(ctx context.Context, by lifecycle.Actor, id lifecycle.StopID, on lifecycle.Event, say func(*db.EmergencyStop), then func(store.Tx) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixStop, string(id)); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		row, err := tx.LockStop(ctx, id)
		if err != nil {
			return err
		}
		asked := row.LiftBy
		say(&row)
		_, err = apply(ctx, s, tx, lifecycle.Stops, row.State,
			change{id: string(id), on: on, by: by, requester: asked, detail: map[string]string{"why": row.LiftWhy}},
			func(to lifecycle.StopState) (int64, error) {
				return tx.SetStopState(ctx, db.SetStopStateParams{
					ToState: to, LiftBy: row.LiftBy, LiftWhy: row.LiftWhy, At: s.now(), ID: id, FromState: row.State,
				})
			}, noJob)
		if err != nil || then == nil {
			return err
		}
		return then(tx)
	})
	if err != nil {
		return fmt.Errorf("%s emergency stop %s: %w", on, id, err)
	}
	return nil
}
