package issuance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// change is one event on one row that the caller has locked.
type change struct {
	id        string
	on        lifecycle.Event
	by        lifecycle.Actor
	requester string            // who asked, for moves barred to the requester
	detail    map[string]string // for the audit entry; never a secret
}

// apply is the one door: it looks the move up, sets the state by
// compare-and-set, writes the audit entry and enqueues the follow-up jobs.
func apply[S ~string](ctx context.Context, s *Service, tx store.Tx, table lifecycle.Table[S], from S, c change,
	set func(to S) (int64, error), jobFor func(lifecycle.JobKind) Job,
) (S, error) {
	move, err := allowed(table, from, c)
	if err != nil {
		return from, err
	}
	n, err := set(move.To)
	if err != nil {
		return from, fmt.Errorf("%s %s: set state %s: %w", table.Thing, c.id, move.To, err)
	}
	if n != 1 {
		return from, fmt.Errorf("%s %s: %w: it is no longer %s", table.Thing, c.id, lifecycle.Conflict, from)
	}
	if err := s.audit(ctx, tx, table.Thing, c, string(from), string(move.To)); err != nil {
		return from, err
	}
	for _, kind := range move.Then {
		job := jobFor(kind)
		if job == nil {
			return from, fmt.Errorf("%s %s: no arguments for follow-up job %s", table.Thing, c.id, kind)
		}
		if err := s.queue.EnqueueTx(ctx, tx.Pgx(), job); err != nil {
			return from, fmt.Errorf("%s %s: %w", table.Thing, c.id, err)
		}
	}
	return move.To, nil
}

// allowed looks a move up, and keeps from it who is barred.
func allowed[S ~string](table lifecycle.Table[S], from S, c change) (lifecycle.Move[S], error) {
	move, err := table.Next(from, c.on, c.by.Role)
	if err != nil {
		return move, fmt.Errorf("%s %s: %w", table.Thing, c.id, err)
	}
	if move.Not == lifecycle.NotRequester && c.requester == c.by.ID {
		return move, fmt.Errorf("%s %s: %w: %s asked for it, somebody else must %s it",
			table.Thing, c.id, lifecycle.Forbidden, c.by.ID, c.on)
	}
	return move, nil
}

// audit writes who did what to what, in the transaction that did it.
func (s *Service) audit(ctx context.Context, tx store.Tx, thing string, c change, from, to string) error {
	if c.by.Operator != "" {
		c.detail = maps.Clone(c.detail)
		if c.detail == nil {
			c.detail = map[string]string{}
		}
		c.detail["operator"] = c.by.Operator
	}
	detail := []byte("{}")
	if len(c.detail) > 0 {
		var err error
		if detail, err = json.Marshal(c.detail); err != nil {
			return fmt.Errorf("audit %s %s: %w", thing, c.id, err)
		}
	}
	err := tx.InsertAudit(ctx, db.InsertAuditParams{
		At: s.now(), Actor: c.by.ID, Role: string(c.by.Role), Thing: thing, ThingID: c.id, Event: string(c.on),
		FromState: from, ToState: to, Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("audit %s %s: %w", thing, c.id, err)
	}
	return nil
}

// born records the birth of a thing: it has no state before.
func (s *Service) born(ctx context.Context, tx store.Tx, thing, id, state string, by lifecycle.Actor, detail map[string]string) error {
	return s.audit(ctx, tx, thing, change{id: id, on: lifecycle.Submit, by: by, detail: detail}, "", state)
}

func (s *Service) moveOrder(ctx context.Context, tx store.Tx, o *db.Order, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	to, err := apply(ctx, s, tx, lifecycle.Orders, o.State,
		change{id: string(o.ID), on: on, by: by, requester: o.RequestedBy, detail: detail},
		func(to lifecycle.OrderState) (int64, error) {
			return tx.SetOrderState(ctx, db.SetOrderStateParams{
				ToState: to, Failure: detail["failure"], At: s.now(), ID: o.ID, FromState: o.State,
			})
		}, noJob)
	o.State = to
	return err
}

func (s *Service) moveCard(ctx context.Context, tx store.Tx, c *db.Card, on lifecycle.Event, by lifecycle.Actor, requester string, detail map[string]string) error {
	if err := ownCard(by, c); err != nil {
		return err
	}
	suspendedBy := c.SuspendedBy
	switch on { //nolint:exhaustive // other events leave it
	case lifecycle.Suspend:
		suspendedBy = string(by.Role)
	case lifecycle.Resume:
		suspendedBy = ""
	}
	to, err := apply(ctx, s, tx, lifecycle.Cards, c.State,
		change{id: string(c.ID), on: on, by: by, requester: requester, detail: detail},
		func(to lifecycle.CardState) (int64, error) {
			return tx.SetCardState(ctx, db.SetCardStateParams{
				ToState: to, At: s.now(), SuspendedBy: suspendedBy, ID: c.ID, FromState: c.State,
			})
		},
		func(kind lifecycle.JobKind) Job { return cardJob(*c, kind) })
	c.State, c.SuspendedBy = to, suspendedBy
	return err
}

func cardJob(c db.Card, kind lifecycle.JobKind) Job {
	if kind == lifecycle.JobPINDestroy {
		return PINDestroyArgs{Card: c.ID, PINVersion: c.PINVersion}
	}
	return nil
}

func (s *Service) moveBatch(ctx context.Context, tx store.Tx, b *db.Batch, on lifecycle.Event, by lifecycle.Actor, detail map[string]string) error {
	to, err := apply(ctx, s, tx, lifecycle.Batches, b.State,
		change{id: string(b.ID), on: on, by: by, detail: detail},
		func(to lifecycle.BatchState) (int64, error) {
			return tx.SetBatchState(ctx, to, b.ID, b.State)
		},
		func(kind lifecycle.JobKind) Job {
			switch kind {
			case lifecycle.JobPersonalise:
				return PersonaliseArgs{Batch: b.ID}
			case lifecycle.JobBureauFile:
				return BureauFileArgs{Batch: b.ID}
			default:
				return nil
			}
		})
	b.State = to
	return err
}

func (s *Service) moveCardLetter(ctx context.Context, tx store.Tx, l *db.CardLetter, on lifecycle.Event, by lifecycle.Actor) error {
	to, err := apply(ctx, s, tx, lifecycle.CardLetters, l.State, change{id: string(l.ID), on: on, by: by},
		func(to lifecycle.LetterState) (int64, error) {
			return tx.SetCardLetterState(ctx, to, l.ID, l.State)
		}, noJob)
	l.State = to
	return err
}

func (s *Service) movePINLetter(ctx context.Context, tx store.Tx, l *db.PINLetter, on lifecycle.Event, by lifecycle.Actor) error {
	to, err := apply(ctx, s, tx, lifecycle.PINLetters, l.State, change{id: string(l.ID), on: on, by: by},
		func(to lifecycle.LetterState) (int64, error) {
			return tx.SetPINLetterState(ctx, to, l.ID, l.State)
		},
		func(kind lifecycle.JobKind) Job { return pinLetterJob(*l, kind) })
	l.State = to
	return err
}

func pinLetterJob(l db.PINLetter, kind lifecycle.JobKind) Job {
	if kind == lifecycle.JobPINDestroy {
		return PINDestroyArgs{Card: l.CardID, PINVersion: l.PINVersion}
	}
	return nil
}

func (s *Service) moveCertificate(ctx context.Context, tx store.Tx, c *db.Certificate, on lifecycle.Event, by lifecycle.Actor, requester string, detail map[string]string) error {
	if by.Role == lifecycle.RoleHolder && by.ID != string(c.HolderID) {
		return fmt.Errorf("certificate %s: %w: it is another holder's", c.ID, lifecycle.Forbidden)
	}
	tell := s.noticeOf(c, on)
	to, err := apply(ctx, s, tx, lifecycle.Certificates, c.State,
		change{id: string(c.ID), on: on, by: by, requester: requester, detail: detail},
		func(to lifecycle.CertificateState) (int64, error) {
			return tx.SetCertificateState(ctx, db.SetCertificateStateParams{ToState: to, At: s.now(), ID: c.ID, FromState: c.State})
		},
		func(kind lifecycle.JobKind) Job {
			switch kind {
			case lifecycle.JobCertificateIssue:
				return CertificateIssueArgs{Certificate: c.ID}
			case lifecycle.JobOCSPRefresh:
				return OCSPRefreshArgs{Certificate: c.ID}
			case lifecycle.JobCRLPublish:
				return CRLPublishArgs{Issuer: deref(c.IssuerID), Shard: deref(c.Shard)}
			case lifecycle.JobNoticeSend:
				return NoticeArgs{Notice: lifecycle.NoticeID(tell.ID)}
			default:
				return nil
			}
		})
	c.State = to
	if err != nil || tell.Kind == "" {
		return err
	}
	return s.tellTx(ctx, tx, *c, tell)
}

func noJob(lifecycle.JobKind) Job { return nil }
