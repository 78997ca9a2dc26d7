package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// BuiltIn is the version that is no row: the code's own.
const BuiltIn = 0

// Edition is a version of something that two people agree on: a letter template or
// a certificate profile. Its name is the kind of letter, or the profile's.
type Edition struct {
	Name               string
	Version            int
	State              lifecycle.EditionState
	Content            []byte // its canonical form; nil in a list, and of the built-in one
	SHA256             [32]byte
	ProposedBy         string
	ProposedAt         time.Time
	DecidedBy, Refusal string
}

// editionTable is the life of one sort of editions, and who may begin one.
type editionTable struct {
	lifecycle.Table[lifecycle.EditionState]

	authors []lifecycle.Role
}

func (t editionTable) mayPropose(by lifecycle.Actor) error {
	if !slices.Contains(t.authors, by.Role) {
		return fmt.Errorf("%w: a %s proposes no %s", lifecycle.Forbidden, by.Role, t.Thing)
	}
	return nil
}

// proposeEdition records a version that an approver looks at.
func (s *Service) proposeEdition(ctx context.Context, by lifecycle.Actor, of editionTable, name string, content []byte) (int, error) {
	version, sum := int32(0), sha256.Sum256(content)
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		var err error
		version, err = tx.InsertEdition(ctx, db.InsertEditionParams{
			Thing: of.Thing, Name: name, State: lifecycle.EditionProposed, Content: content, SHA256: sum[:], ProposedBy: by.ID, ProposedAt: s.now(),
		})
		if err != nil {
			return err
		}
		return s.born(ctx, tx, of.Thing, editionID(name, version), string(lifecycle.EditionProposed), by,
			map[string]string{"sha256": hex.EncodeToString(sum[:])})
	})
	if err != nil {
		return 0, fmt.Errorf("propose a %s %s: %w", of.Thing, name, err)
	}
	return int(version), nil
}

// editionID is a version as the audit trail names it.
func editionID(name string, version int32) string { return fmt.Sprintf("%s-%d", name, version) }

// approveEdition makes a version the one that is used from then on, if its hash is
// that of what the approver saw, and if it is still allowed. The version before
// retires.
func (s *Service) approveEdition(ctx context.Context, by lifecycle.Actor, of editionTable, name string, version int, seen [32]byte,
	allowed func(tx store.Tx, e db.Edition) error,
) error {
	return s.decideEdition(ctx, by, of, name, version, lifecycle.Approve, "", func(tx store.Tx, e db.Edition) error {
		if [32]byte(e.SHA256) != seen {
			return fmt.Errorf("%w: that is not the hash of version %d: preview it, and approve what you see", lifecycle.Conflict, version)
		}
		if err := allowed(tx, e); err != nil {
			return err
		}
		live, err := tx.LockLiveEdition(ctx, of.Thing, name)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.moveEdition(ctx, tx, of, live, lifecycle.Retire, by, nil, func(to lifecycle.EditionState) (int64, error) {
			return tx.SetEditionState(ctx, db.SetEditionStateParams{
				ToState: to, Thing: of.Thing, Name: name, Version: live.Version, FromState: live.State,
			})
		})
	})
}

// refuseEdition turns a version down, with the reason.
func (s *Service) refuseEdition(ctx context.Context, by lifecycle.Actor, of editionTable, name string, version int, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.decideEdition(ctx, by, of, name, version, lifecycle.Refuse, why, func(store.Tx, db.Edition) error { return nil })
}

func (s *Service) decideEdition(ctx context.Context, by lifecycle.Actor, of editionTable, name string, version int, on lifecycle.Event, why string,
	before func(tx store.Tx, e db.Edition) error,
) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		e, err := tx.LockEdition(ctx, of.Thing, name, int32(version)) //nolint:gosec // bounded by checkVersion
		if err != nil {
			return err
		}
		// Looked up before anything is said of its content.
		if _, err := of.Next(e.State, on, by.Role); err != nil {
			return err
		}
		if err := before(tx, e); err != nil {
			return err
		}
		detail := map[string]string{"sha256": hex.EncodeToString(e.SHA256)}
		if why != "" {
			detail["why"] = why
		}
		return s.moveEdition(ctx, tx, of, e, on, by, detail, func(to lifecycle.EditionState) (int64, error) {
			return tx.DecideEdition(ctx, db.DecideEditionParams{
				ToState: to, DecidedBy: &by.ID, DecidedAt: new(s.now()), Reason: why, Thing: of.Thing, Name: name, Version: e.Version,
				FromState: e.State,
			})
		})
	})
	if err != nil {
		return fmt.Errorf("%s version %d of the %s %s: %w", on, version, of.Thing, name, err)
	}
	return nil
}

func (s *Service) moveEdition(ctx context.Context, tx store.Tx, of editionTable, e db.Edition, on lifecycle.Event, by lifecycle.Actor,
	detail map[string]string, set func(lifecycle.EditionState) (int64, error),
) error {
	_, err := apply(ctx, s, tx, of.Table, e.State,
		change{id: editionID(e.Name, e.Version), on: on, by: by, requester: e.ProposedBy, detail: detail}, set, noJob)
	return err
}

func checkVersion(version int) error {
	const most = 1_000_000
	if version < 0 || version > most {
		return &lifecycle.FieldError{Field: "version", Why: "is no version's number: see the list of versions"}
	}
	return nil
}

// edition reads a version, whatever its state. Of the built-in one it answers the
// number only.
func edition(ctx context.Context, q *db.Queries, of editionTable, name string, version int32) (Edition, error) {
	if version == BuiltIn {
		return Edition{Name: name, State: lifecycle.EditionLive}, nil
	}
	e, err := q.Edition(ctx, of.Thing, name, version)
	if err != nil {
		return Edition{}, fmt.Errorf("version %d of the %s %s: %w", version, of.Thing, name, err)
	}
	return Edition{
		Name: e.Name, Version: int(e.Version), State: e.State, Content: e.Content, SHA256: [32]byte(e.SHA256), ProposedBy: e.ProposedBy,
		ProposedAt: e.ProposedAt, DecidedBy: deref(e.DecidedBy), Refusal: e.Reason,
	}, nil
}

// editions lists the versions of all names, newest first, without content.
func (s *Service) editions(ctx context.Context, of editionTable) ([]Edition, error) {
	rows, err := s.store.Editions(ctx, of.Thing, pageSize)
	if err != nil {
		return nil, fmt.Errorf("%ss: %w", of.Thing, err)
	}
	list := make([]Edition, len(rows))
	for i, r := range rows {
		list[i] = Edition{
			Name: r.Name, Version: int(r.Version), State: r.State, SHA256: [32]byte(r.SHA256), ProposedBy: r.ProposedBy,
			ProposedAt: r.ProposedAt, DecidedBy: deref(r.DecidedBy), Refusal: r.Reason,
		}
	}
	return list, nil
}
