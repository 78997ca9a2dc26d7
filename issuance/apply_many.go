package issuance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// bulkSize is how many rows share a transaction.
const bulkSize = 500

// several is one event on several rows, which the caller has locked and which are in
// one state.
type several[R any, S ~string] struct {
	on        lifecycle.Event
	by        lifecycle.Actor
	requester func(R) string            // who asked, for moves barred to the requester
	detail    func(R) map[string]string // for the audit entries; never a secret
	// set sets the states, and tells of how many rows; nil: as is usual.
	set func(ids []string, from, to S) (moved int64, err error)
	// together leaves the follow-up jobs to the caller, who asks for those of all
	// rows at once.
	together bool
}

type (
	severalOrders      = several[db.Order, lifecycle.OrderState]
	severalCards       = several[db.Card, lifecycle.CardState]
	severalCardLetters = several[db.CardLetter, lifecycle.LetterState]
	severalPINLetters  = several[db.PINLetter, lifecycle.LetterState]

	severalCertificates = several[db.Certificate, lifecycle.CertificateState]
)

// writtenAlready is for rows that this transaction has written where they end, with
// the steps that lead there: the trail has each.
func writtenAlready[S ~string](ids []string, _, _ S) (moved int64, err error) {
	return int64(len(ids)), nil
}

func (e several[R, S]) change(id string, row R) change {
	c := change{id: id, on: e.on, by: e.by}
	if e.requester != nil {
		c.requester = e.requester(row)
	}
	if e.detail != nil {
		c.detail = e.detail(row)
	}
	return c
}

// applyMany is apply for several rows: each is looked up and judged by itself, then
// their states are set in one statement and their trail is written in another. All
// of them move, or none.
func applyMany[S ~string, R any](ctx context.Context, s *Service, tx store.Tx, table lifecycle.Table[S], rows []R, e several[R, S],
	of func(R) (id string, state S), jobFor func(R, lifecycle.JobKind) Job,
) (S, error) {
	if len(rows) == 0 {
		return "", nil
	}
	var move lifecycle.Move[S]
	_, from := of(rows[0])
	ids, changes := make([]string, len(rows)), make([]change, len(rows))
	for i, row := range rows {
		id, state := of(row)
		ids[i], changes[i] = id, e.change(id, row)
		if state != from {
			return from, fmt.Errorf("%s %s: %w: it is %s, others are %s", table.Thing, id, lifecycle.Conflict, state, from)
		}
		var err error
		if move, err = allowed(table, from, changes[i]); err != nil {
			return from, err
		}
	}
	n, err := e.set(ids, from, move.To)
	if err != nil {
		return from, fmt.Errorf("%d of %s: set state %s: %w", len(ids), table.Thing, move.To, err)
	}
	if n != int64(len(ids)) {
		return from, fmt.Errorf("%d of %d of %s: %w: they are no longer %s", int64(len(ids))-n, len(ids), table.Thing, lifecycle.Conflict, from)
	}
	if err := s.auditMany(ctx, tx, table.Thing, changes, string(from), string(move.To)); err != nil {
		return from, err
	}
	if e.together {
		return move.To, nil
	}
	for _, kind := range move.Then {
		for i, row := range rows {
			job := jobFor(row, kind)
			if job == nil {
				return from, fmt.Errorf("%s %s: no arguments for follow-up job %s", table.Thing, ids[i], kind)
			}
			if err := s.queue.EnqueueTx(ctx, tx.Pgx(), job); err != nil {
				return from, fmt.Errorf("%s %s: %w", table.Thing, ids[i], err)
			}
		}
	}
	return move.To, nil
}

// auditMany writes the same event of many things, by the same actor, each with
// its own detail.
func (s *Service) auditMany(ctx context.Context, tx store.Tx, thing string, changes []change, from, to string) error {
	if len(changes) == 0 {
		return nil
	}
	p := db.InsertAuditsParams{
		At: s.now(), Actor: changes[0].by.ID, Role: string(changes[0].by.Role), Thing: thing, Event: string(changes[0].on),
		FromState: from, ToState: to, IDs: make([]string, len(changes)), Details: make([]string, len(changes)),
	}
	for i, c := range changes {
		p.IDs[i], p.Details[i] = c.id, "{}"
		if len(c.detail) == 0 {
			continue
		}
		detail, err := json.Marshal(c.detail)
		if err != nil {
			return fmt.Errorf("audit %s %s: %w", thing, c.id, err)
		}
		p.Details[i] = string(detail)
	}
	if err := tx.InsertAudits(ctx, p); err != nil {
		return fmt.Errorf("audit %d of %s: %w", len(changes), thing, err)
	}
	return nil
}

// bornMany records the births of many things; detail is that of the nth.
func (s *Service) bornMany(ctx context.Context, tx store.Tx, thing string, ids []string, state string, by lifecycle.Actor, detail func(n int) map[string]string) error {
	changes := make([]change, len(ids))
	for i, id := range ids {
		changes[i] = change{id: id, on: lifecycle.Submit, by: by, detail: detail(i)}
	}
	return s.auditMany(ctx, tx, thing, changes, "", state)
}

// moveOrders moves orders that are in one state, and notes in each where it is then.
func (s *Service) moveOrders(ctx context.Context, tx store.Tx, orders []db.Order, e severalOrders) error {
	e.requester = func(o db.Order) string { return o.RequestedBy }
	if e.set == nil {
		e.set = func(ids []string, from, to lifecycle.OrderState) (int64, error) {
			return tx.SetOrdersState(ctx, db.SetOrdersStateParams{ToState: to, At: s.now(), IDs: ids, FromState: from})
		}
	}
	to, err := applyMany(ctx, s, tx, lifecycle.Orders, orders, e,
		func(o db.Order) (string, lifecycle.OrderState) { return string(o.ID), o.State },
		func(db.Order, lifecycle.JobKind) Job { return nil })
	for i := range orders {
		orders[i].State = to
	}
	return err
}

// moveCards moves cards that are in one state, by staff or the system; never to
// suspend or resume them, which is a decision on each.
func (s *Service) moveCards(ctx context.Context, tx store.Tx, cards []db.Card, e severalCards) error {
	if e.set == nil {
		e.set = func(ids []string, from, to lifecycle.CardState) (int64, error) {
			return tx.SetCardsState(ctx, db.SetCardsStateParams{ToState: to, At: s.now(), IDs: ids, FromState: from})
		}
	}
	to, err := applyMany(ctx, s, tx, lifecycle.Cards, cards, e,
		func(c db.Card) (string, lifecycle.CardState) { return string(c.ID), c.State }, cardJob)
	for i := range cards {
		cards[i].State = to
	}
	return err
}

// moveCertificates moves certificates that are in one state, by events of which no holder
// is told and from which no job follows.
func (s *Service) moveCertificates(ctx context.Context, tx store.Tx, certs []db.Certificate, e severalCertificates) error {
	if e.set == nil {
		e.set = func(ids []string, from, to lifecycle.CertificateState) (int64, error) {
			return tx.SetCertificatesState(ctx, db.SetCertificatesStateParams{ToState: to, At: s.now(), IDs: ids, FromState: from})
		}
	}
	to, err := applyMany(ctx, s, tx, lifecycle.Certificates, certs, e,
		func(c db.Certificate) (string, lifecycle.CertificateState) { return string(c.ID), c.State },
		func(db.Certificate, lifecycle.JobKind) Job { return nil })
	for i := range certs {
		certs[i].State = to
	}
	return err
}

func (s *Service) moveCardLetters(ctx context.Context, tx store.Tx, letters []db.CardLetter, e severalCardLetters) error {
	if e.set == nil {
		e.set = func(ids []string, from, to lifecycle.LetterState) (int64, error) {
			return tx.SetCardLettersState(ctx, to, ids, from)
		}
	}
	to, err := applyMany(ctx, s, tx, lifecycle.CardLetters, letters, e,
		func(l db.CardLetter) (string, lifecycle.LetterState) { return string(l.ID), l.State },
		func(db.CardLetter, lifecycle.JobKind) Job { return nil })
	for i := range letters {
		letters[i].State = to
	}
	return err
}

func (s *Service) movePINLetters(ctx context.Context, tx store.Tx, letters []db.PINLetter, e severalPINLetters) error {
	if e.set == nil {
		e.set = func(ids []string, from, to lifecycle.LetterState) (int64, error) {
			return tx.SetPINLettersState(ctx, to, ids, from)
		}
	}
	to, err := applyMany(ctx, s, tx, lifecycle.PINLetters, letters, e,
		func(l db.PINLetter) (string, lifecycle.LetterState) { return string(l.ID), l.State }, pinLetterJob)
	for i := range letters {
		letters[i].State = to
	}
	return err
}

// inChunks has work done on some hundreds of rows at a time, a transaction each, and
// counts what it did. Where one fails as a whole it is done row by row: a row that
// fails stops no other.
func inChunks[R any](ctx context.Context, rows []R, work func(some []R) (int, error)) (n int, err error) {
	for some := range slices.Chunk(rows, bulkSize) {
		done, failed := work(some)
		if failed != nil && len(some) > 1 {
			done, failed = 0, nil
			for i := range some {
				if ctx.Err() != nil {
					return n, errors.Join(err, ctx.Err())
				}
				one, oneFailed := work(some[i : i+1])
				done, failed = done+one, errors.Join(failed, oneFailed)
			}
		}
		n, err = n+done, errors.Join(err, failed)
	}
	return n, err
}

// texts are identifiers as the database takes a list of them.
func texts[T any, S ~string](rows []T, of func(T) S) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = string(of(r))
	}
	return out
}

func cardID(c db.Card) lifecycle.CardID { return c.ID }
