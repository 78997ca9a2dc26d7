package issuance_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"sceau/lifecycle"
)

// entry is an audit entry as the books are checked by it.
type entry struct {
	ID                         int64
	Actor, Role, Thing, Of, On string
	From, To                   string
}

// ledger is what the books of one kind of thing obey.
type ledger struct {
	rows  string // identifier and state of each
	birth []string
	legal func(e entry) error
}

func ledgerOf[S ~string](table lifecycle.Table[S], rows string, birth S) ledger {
	return ledger{rows: rows, birth: []string{string(birth)}, legal: func(e entry) error {
		move, err := table.Next(S(e.From), lifecycle.Event(e.On), lifecycle.Role(e.Role))
		if err == nil && string(move.To) != e.To {
			return fmt.Errorf("leads to %s, the table says %s", e.To, move.To)
		}
		return err
	}}
}

func ledgers() map[string]ledger {
	return map[string]ledger{
		"order":              ledgerOf(lifecycle.Orders, "SELECT id, state::text FROM orders", lifecycle.OrderSubmitted),
		"card":               ledgerOf(lifecycle.Cards, "SELECT id, state::text FROM card", lifecycle.CardOrdered),
		"card letter":        ledgerOf(lifecycle.CardLetters, "SELECT id, state::text FROM card_letter", lifecycle.LetterRequested),
		"PIN letter":         ledgerOf(lifecycle.PINLetters, "SELECT id, state::text FROM pin_letter", lifecycle.LetterRequested),
		"work item":          ledgerOf(lifecycle.WorkItems, "SELECT id, state::text FROM work_item", lifecycle.WorkOpen),
		"card letter run":    ledgerOf(lifecycle.CardRuns, "SELECT id, state::text FROM print_run WHERE kind = 'card'", lifecycle.PrintRunOpen),
		"PIN letter run":     ledgerOf(lifecycle.PINRuns, "SELECT id, state::text FROM print_run WHERE kind = 'pin'", lifecycle.PrintRunOpen),
		"certificate":        ledgerOf(lifecycle.Certificates, "SELECT id, state::text FROM certificate", lifecycle.CertOrdered),
		"dossier":            ledgerOf(lifecycle.Dossiers, "SELECT id, state::text FROM dossier", lifecycle.DossierOpen),
		"batch":              ledgerOf(lifecycle.Batches, "SELECT id, state::text FROM batch", lifecycle.BatchOpen),
		"consignment":        ledgerOf(lifecycle.Consignments, "SELECT id, state::text FROM stock_consignment", lifecycle.ConsignmentSent),
		"count":              ledgerOf(lifecycle.Counts, "SELECT id, state::text FROM stock_count", lifecycle.CountOnce),
		"destruction":        ledgerOf(lifecycle.Destructions, "SELECT id, state::text FROM stock_destruction", lifecycle.DestructionProposed),
		"shortfall":          ledgerOf(lifecycle.Shortfalls, "SELECT id, state::text FROM stock_shortfall", lifecycle.ShortfallOpen),
		"campaign":           ledgerOf(lifecycle.Campaigns, "SELECT id, state::text FROM campaign", lifecycle.CampaignProposed),
		"revocation request": ledgerOf(lifecycle.RevocationRequests, "SELECT id, state::text FROM revocation_request", lifecycle.RevocationUnconfirmed),
	}
}

// checkBooks proves the whole database: every thing was born once, each of its
// entries is a legal move by a role that may make it and begins where the last
// one ended, the last one ends where the row stands, and nobody decided what
// they asked for. Every test ends with it.
func (h *house) checkBooks(ctx context.Context, t testing.TB) {
	t.Helper()
	for _, wrong := range h.wrongBooks(ctx, t) {
		t.Error(wrong)
	}
}

func (h *house) wrongBooks(ctx context.Context, t interface{ Fatal(args ...any) }) []string {
	rows, err := h.pool.Query(ctx, "SELECT id, actor, role, thing, thing_id, event, from_state, to_state FROM audit_entry ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[entry])
	if err != nil {
		t.Fatal(err)
	}
	byThing := map[string]map[string][]entry{}
	for _, e := range all {
		if byThing[e.Thing] == nil {
			byThing[e.Thing] = map[string][]entry{}
		}
		byThing[e.Thing][e.Of] = append(byThing[e.Thing][e.Of], e)
	}
	var wrong []string
	for thing, l := range ledgers() {
		states, err := h.pairs(ctx, l.rows)
		if err != nil {
			t.Fatal(err)
		}
		for id, state := range states {
			if why := l.check(byThing[thing][id], state); why != "" {
				wrong = append(wrong, fmt.Sprintf("%s %s: %s", thing, id, why))
			}
		}
		for id := range byThing[thing] {
			if _, there := states[id]; !there {
				wrong = append(wrong, fmt.Sprintf("%s %s has entries but no row", thing, id))
			}
		}
	}
	return slices.Concat(wrong, h.wrongPairs(ctx, t), h.wrongPlaces(ctx, t), h.wrongStock(ctx, t))
}

// check reads one thing's entries, oldest first.
func (l ledger) check(entries []entry, state string) string {
	if len(entries) == 0 {
		return "it is " + state + " without an entry"
	}
	born := entries[0]
	if born.On != string(lifecycle.Submit) || born.From != "" || !slices.Contains(l.birth, born.To) {
		return fmt.Sprintf("born by %+v", born)
	}
	asked, at := born.Actor, born.To
	for _, e := range entries[1:] {
		if e.From != at {
			return fmt.Sprintf("it was %s, then %+v", at, e)
		}
		recorded := []lifecycle.Event{lifecycle.IssueScript, lifecycle.RefuseScript, lifecycle.ShowPAN, lifecycle.ShowEvidence, lifecycle.Hold, lifecycle.Release}
		if slices.Contains(recorded, lifecycle.Event(e.On)) && e.From == e.To {
			continue // recorded, moves nothing
		}
		if err := l.legal(e); err != nil {
			return fmt.Sprintf("%+v: %v", e, err)
		}
		decided := lifecycle.Event(e.On) == lifecycle.Approve || lifecycle.Event(e.On) == lifecycle.Refuse
		if e.Thing == "order" && decided && e.Actor == asked { // what is ordered follows its order
			return asked + " decided what they had asked for"
		}
		if lifecycle.Event(e.On) == lifecycle.Edit {
			asked = e.Actor
		}
		at = e.To
	}
	if at != state {
		return fmt.Sprintf("its last entry says %s, its row %s", at, state)
	}
	return ""
}

// together are the states in which an order's card or certificate may be.
func together() map[string][]string {
	return map[string][]string{
		"submitted": {"ordered"}, "approved": {"approved", "in_house"}, "refused": {"cancelled"},
		"cancelled": {"cancelled", "opposed", "expired", "destroyed", "revoked"},
		"in_progress": {
			"approved", "in_house", "personalising", "personalised", "with_bureau", "writing", "made", "posted", "at_branch", "received",
			"active", "suspended", "pin_blocked", "awaiting_key", "issuing", "stopped",
		},
		"completed": {
			"posted", "at_branch", "received", "active", "suspended", "pin_blocked", "opposed", "expired", "destroyed",
			"issued", "held", "revoked",
		},
		"failed": {"made", "in_house", "opposed", "expired", "destroyed", "revoked"},
	}
}

// wrongPairs are orders whose card or certificate stands where it cannot.
func (h *house) wrongPairs(ctx context.Context, t interface{ Fatal(args ...any) }) []string {
	var wrong []string
	for _, thing := range []string{"card", "certificate"} {
		rows, err := h.pool.Query(ctx, "SELECT o.id, o.state::text, x.state::text FROM orders o JOIN "+thing+" x ON x.order_id = o.id")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, order, state string
			if err := rows.Scan(&id, &order, &state); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(together()[order], state) {
				wrong = append(wrong, fmt.Sprintf("order %s is %s, its %s is %s", id, order, thing, state))
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return wrong
}

// wrongPlaces are places with two cards in use or two on their way, and cards with
// two PINs that are alive.
func (h *house) wrongPlaces(ctx context.Context, t interface{ Fatal(args ...any) }) []string {
	var wrong []string
	for what, query := range map[string]string{
		"cards in use in place":    "SELECT place, count(*)::text FROM card WHERE usable_until IS NULL AND state IN ('active', 'suspended', 'pin_blocked') GROUP BY place HAVING count(*) > 1",
		"cards on their way to":    "SELECT place, count(*)::text FROM card WHERE state NOT IN ('active', 'suspended', 'pin_blocked', 'opposed', 'expired', 'cancelled', 'destroyed') GROUP BY place HAVING count(*) > 1",
		"live PIN letters of card": "SELECT card_id, count(*)::text FROM pin_letter WHERE state NOT IN ('cancelled', 'spoiled', 'destroyed') GROUP BY card_id HAVING count(*) > 1",
		"chips may live of card":   "SELECT card_id, count(*)::text FROM chip WHERE serial IS NOT NULL AND result IS DISTINCT FROM 'spoiled' GROUP BY card_id HAVING count(*) > 1",
		"cards that one replaces":  "SELECT n.id, count(*)::text FROM card n JOIN card o ON o.id = n.replaces WHERE n.place <> o.place OR n.holder_id <> o.holder_id GROUP BY n.id",
	} {
		rows, err := h.pairs(ctx, query)
		if err != nil {
			t.Fatal(err)
		}
		for id, n := range rows {
			wrong = append(wrong, fmt.Sprintf("%s %s %s", n, what, id))
		}
	}
	return wrong
}

// pairs reads two columns.
func (h *house) pairs(ctx context.Context, query string) (map[string]string, error) {
	rows, err := h.pool.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	pairs := map[string]string{}
	for rows.Next() {
		var k, v string
		if err := rows.Scan(&k, &v); err != nil {
			return nil, err
		}
		pairs[k] = v
	}
	return pairs, rows.Err()
}
