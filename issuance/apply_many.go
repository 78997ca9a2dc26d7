package issuance

import (
	"context"
	"encoding/json"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// setMany sets the state of rows where it is the first, and tells of how many.
type setMany[S ~string] func(ids []string, from, to S) (int, error)

// writtenAlready is for rows that this transaction has written, where they end,
// with the steps that lead there: the trail has each.
func writtenAlready[S ~string](ids []string, _, _ S) (int, error) { return len(ids), nil }

// applyMany is apply for one event on many rows of one state, which the caller has
// locked: each is looked up and judged by itself, then their states are set in one
// statement and their trail is written in another. All of them move, or none.
func applyMany[S ~string](ctx context.Context, s *Service, tx store.Tx, table lifecycle.Table[S], from S, changes []change,
	set setMany[S], jobFor func(id string, kind lifecycle.JobKind) Job,
) (S, error) {
	var move lifecycle.Move[S]
	ids := make([]string, len(changes))
	for i, c := range changes {
		var err error
		if move, err = allowed(table, from, c); err != nil {
			return from, err
		}
		ids[i] = c.id
	}
	n, err := set(ids, from, move.To)
	if err != nil {
		return from, fmt.Errorf("%d of %s: set state %s: %w", len(ids), table.Thing, move.To, err)
	}
	if n != len(ids) {
		return from, fmt.Errorf("%d of %d of %s: %w: they are no longer %s", len(ids)-n, len(ids), table.Thing, lifecycle.Conflict, from)
	}
	if err := s.auditMany(ctx, tx, table.Thing, changes, string(from), string(move.To)); err != nil {
		return from, err
	}
	for _, id := range ids {
		for _, kind := range move.Then {
			job := jobFor(id, kind)
			if job == nil {
				return from, fmt.Errorf("%s %s: no arguments for follow-up job %s", table.Thing, id, kind)
			}
			if err := s.queue.EnqueueTx(ctx, tx.Pgx(), job); err != nil {
				return from, fmt.Errorf("%s %s: %w", table.Thing, id, err)
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

// bornMany records the births of many things.
func (s *Service) bornMany(ctx context.Context, tx store.Tx, thing string, ids []string, state string, by lifecycle.Actor, detail map[string]string) error {
	changes := make([]change, len(ids))
	for i, id := range ids {
		changes[i] = change{id: id, on: lifecycle.Submit, by: by, detail: detail}
	}
	return s.auditMany(ctx, tx, thing, changes, "", state)
}

// moveOrders moves orders that are in one state, and notes in each where they are
// then.
func (s *Service) moveOrders(ctx context.Context, tx store.Tx, orders []db.Order, on lifecycle.Event, by lifecycle.Actor, detail func(db.Order) map[string]string) error {
	return s.moveOrdersBy(ctx, tx, orders, on, by, detail, func(ids []string, from, to lifecycle.OrderState) (int, error) {
		moved, err := tx.SetOrdersState(ctx, db.SetOrdersStateParams{ToState: to, At: s.now(), IDs: ids, FromState: from})
		return len(moved), err
	})
}

func (s *Service) moveOrdersBy(ctx context.Context, tx store.Tx, orders []db.Order, on lifecycle.Event, by lifecycle.Actor,
	detail func(db.Order) map[string]string, set setMany[lifecycle.OrderState],
) error {
	if len(orders) == 0 {
		return nil
	}
	changes := make([]change, len(orders))
	for i, o := range orders {
		changes[i] = change{id: string(o.ID), on: on, by: by, requester: o.RequestedBy}
		if detail != nil {
			changes[i].detail = detail(o)
		}
	}
	from := orders[0].State
	to, err := applyMany(ctx, s, tx, lifecycle.Orders, from, changes, set, func(string, lifecycle.JobKind) Job { return nil })
	for i := range orders {
		orders[i].State = to
	}
	return err
}

// moveCards moves cards that are in one state, by staff or the system; never to
// suspend or resume them, which is a decision on each.
func (s *Service) moveCards(ctx context.Context, tx store.Tx, cards []db.Card, on lifecycle.Event, by lifecycle.Actor, requester func(db.Card) string, detail map[string]string) error {
	return s.moveCardsBy(ctx, tx, cards, on, by, requester, detail, func(ids []string, from, to lifecycle.CardState) (int, error) {
		moved, err := tx.SetCardsState(ctx, db.SetCardsStateParams{ToState: to, At: s.now(), IDs: ids, FromState: from})
		return len(moved), err
	})
}

func (s *Service) moveCardsBy(ctx context.Context, tx store.Tx, cards []db.Card, on lifecycle.Event, by lifecycle.Actor,
	requester func(db.Card) string, detail map[string]string, set setMany[lifecycle.CardState],
) error {
	if len(cards) == 0 {
		return nil
	}
	changes := make([]change, len(cards))
	for i, c := range cards {
		changes[i] = change{id: string(c.ID), on: on, by: by, detail: detail}
		if requester != nil {
			changes[i].requester = requester(c)
		}
	}
	from := cards[0].State
	to, err := applyMany(ctx, s, tx, lifecycle.Cards, from, changes, set, func(string, lifecycle.JobKind) Job { return nil })
	for i := range cards {
		cards[i].State = to
	}
	return err
}

// texts are identifiers as the database takes a list of them.
func texts[T any, S ~string](rows []T, of func(T) S) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = string(of(r))
	}
	return out
}
