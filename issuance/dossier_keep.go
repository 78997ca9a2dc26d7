package issuance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// DossierDue is a dossier whose evidence is to be erased.
type DossierDue struct {
	ID     lifecycle.DossierID
	Holder lifecycle.HolderID
	State  lifecycle.DossierState
	At     time.Time
	Held   string // why it is not, "" unless it is disputed
}

// DossiersDue lists the dossiers that are to be erased until a moment, held ones too,
// soonest first.
func (s *Service) DossiersDue(ctx context.Context, until time.Time) ([]DossierDue, error) {
	return s.dossiersDue(ctx, s.store.Queries, db.DossiersDueParams{Held: true, ByDay: until, MaxRows: pageSize})
}

func (s *Service) dossiersDue(ctx context.Context, q *db.Queries, p db.DossiersDueParams) ([]DossierDue, error) {
	p.UnusedDays = days(s.policy.UnusedDossier)
	rows, err := q.DossiersDue(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("dossiers to erase: %w", err)
	}
	due := make([]DossierDue, len(rows))
	for i, r := range rows {
		due[i] = DossierDue{ID: r.ID, Holder: r.HolderID, State: r.State, At: r.DueAt.UTC(), Held: r.HeldWhy}
	}
	return due, nil
}

// keepDossiers archives the dossiers whose document has ended, and erases those whose
// years are over: number, names and scans.
func (s *Service) keepDossiers(ctx context.Context) (archived, erased int, err error) {
	ended, err := s.store.DossiersToArchive(ctx, new(s.today()), expireRun)
	if err != nil {
		return 0, 0, fmt.Errorf("dossiers to archive: %w", err)
	}
	system := lifecycle.System("expire")
	for _, id := range ended {
		err := s.withDossier(ctx, id, func(tx store.Tx, d *db.Dossier) error {
			if !lifecycle.Dossiers.Can(d.State, lifecycle.Archive) {
				return nil // another one was opened since
			}
			archived++
			return s.moveDossier(ctx, tx, d, lifecycle.Archive, system, map[string]string{"why": "its document has ended"})
		})
		if err != nil {
			return archived, 0, err
		}
	}
	due, err := s.dossiersDue(ctx, s.store.Queries, db.DossiersDueParams{ByDay: s.now(), MaxRows: expireRun})
	if err != nil {
		return archived, 0, err
	}
	for _, d := range due {
		done, err := s.eraseDossier(ctx, system, d.ID)
		if err != nil {
			return archived, erased, err
		}
		if done {
			erased++
		}
	}
	return archived, erased, nil
}

// eraseDossier erases one, if it is due still: it may be held since, or relied on.
func (s *Service) eraseDossier(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID) (done bool, err error) {
	err = s.withDossier(ctx, id, func(tx store.Tx, d *db.Dossier) error {
		due, err := s.dossiersDue(ctx, tx.Queries, db.DossiersDueParams{ID: string(id), ByDay: s.now(), MaxRows: 1})
		if err != nil || len(due) == 0 {
			return err
		}
		scans, err := tx.EraseScans(ctx, id)
		if err != nil {
			return fmt.Errorf("dossier %s: erase scans: %w", id, err)
		}
		done = true
		detail := map[string]string{"scans": strconv.FormatInt(scans, 10), "due": due[0].At.Format(time.DateOnly)}
		_, err = apply(ctx, s, tx, lifecycle.Dossiers, d.State, change{id: string(id), on: lifecycle.Erase, by: by, detail: detail},
			func(to lifecycle.DossierState) (int64, error) {
				return tx.EraseDossier(ctx, db.EraseDossierParams{ToState: to, At: s.now(), ID: id, FromState: d.State})
			}, noJob)
		return err
	})
	return done, err
}

// HoldDossier keeps a dossier that is disputed from being erased, until it is
// released.
func (s *Service) HoldDossier(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID, why string) error {
	return s.disputeDossier(ctx, by, id, lifecycle.Hold, why, why)
}

// ReleaseDossier ends the dispute.
func (s *Service) ReleaseDossier(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID, why string) error {
	return s.disputeDossier(ctx, by, id, lifecycle.Release, why, "")
}

func (s *Service) disputeDossier(ctx context.Context, by lifecycle.Actor, id lifecycle.DossierID, on lifecycle.Event, why, held string) error {
	if !slices.Contains(lifecycle.HoldsDossiers(), by.Role) {
		return fmt.Errorf("dossier %s: %w: %s holds and releases no dossier", id, lifecycle.Forbidden, by.Role)
	}
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.withDossier(ctx, id, func(tx store.Tx, d *db.Dossier) error {
		if d.State == lifecycle.DossierErased || (d.HeldWhy == "") == (held == "") {
			return fmt.Errorf("dossier %s: %w: cannot %s it: it is %s, held: %t", id, lifecycle.Illegal, on, d.State, d.HeldWhy != "")
		}
		if err := tx.SetDossierHeld(ctx, held, id); err != nil {
			return fmt.Errorf("dossier %s: %w", id, err)
		}
		return s.noteDossier(ctx, tx, *d, on, by, map[string]string{"why": why})
	})
}

const certificationAgent = "certification agent"

// EnrolAgent records that a company has named one of its users to sign requests for
// others (mandataire de certification).
func (s *Service) EnrolAgent(ctx context.Context, by lifecycle.Actor, holder lifecycle.HolderID, mandateOn time.Time) error {
	if err := keepsDossiers(by); err != nil {
		return err
	}
	if mandateOn.IsZero() || mandateOn.After(s.now()) {
		return &lifecycle.FieldError{Field: "mandate_on", Why: "is the day, up to today, on which the company named its agent"}
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		if _, err := tx.Holder(ctx, holder); err != nil {
			return fmt.Errorf("holder %s: %w", holder, err)
		}
		n, err := tx.InsertAgent(ctx, db.InsertAgentParams{HolderID: holder, MandateOn: mandateOn, EnrolledBy: by.ID, EnrolledAt: s.now()})
		if err != nil {
			return fmt.Errorf("certification agent %s: %w", holder, err)
		}
		if n != 1 {
			return fmt.Errorf("certification agent %s: %w: enrolled already", holder, lifecycle.Conflict)
		}
		return s.audit(ctx, tx, certificationAgent, change{id: string(holder), on: "enrol", by: by}, "", "enrolled")
	})
}

// EndAgent ends that. What the agent signed before stays signed.
func (s *Service) EndAgent(ctx context.Context, by lifecycle.Actor, holder lifecycle.HolderID) error {
	if err := keepsDossiers(by); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.EndAgent(ctx, new(s.now()), holder)
		if err != nil {
			return fmt.Errorf("certification agent %s: %w", holder, err)
		}
		if n != 1 {
			return fmt.Errorf("certification agent %s: %w", holder, lifecycle.NotFound)
		}
		return s.audit(ctx, tx, certificationAgent, change{id: string(holder), on: "end", by: by}, "enrolled", "ended")
	})
}
