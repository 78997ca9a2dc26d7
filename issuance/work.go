package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// WorkItem is something that waits for a member of staff: a work item of its own
// (W-…), or a thing that waits by its own state.
type WorkItem struct {
	ID        string // W-…, or that of the thing
	Kind      lifecycle.WorkKind
	Thing     string // "card letter"
	On        string // its identifier
	Card      lifecycle.CardID
	Why       string
	Since     time.Time
	ClaimedBy string // "" for nobody
}

// WorkFilter chooses what to see. The zero filter is everything.
type WorkFilter struct {
	Kind    lifecycle.WorkKind
	AtLeast time.Duration // it has waited so long
	After   WorkItem      // the last of the page before
}

// WorkItems pages through what waits, oldest first.
func (s *Service) WorkItems(ctx context.Context, f WorkFilter) ([]WorkItem, error) {
	if f.Kind != "" && !slices.Contains(lifecycle.WorkKinds(), f.Kind) {
		return nil, &lifecycle.FieldError{Field: "kind", Why: fmt.Sprintf("use one of %v", lifecycle.WorkKinds())}
	}
	return s.workTx(ctx, s.store.Queries, "", f)
}

func (s *Service) workTx(ctx context.Context, q *db.Queries, id string, f WorkFilter) ([]WorkItem, error) {
	rows, err := q.OpenWork(ctx, db.OpenWorkParams{
		Kind: string(f.Kind), ID: id, Before: s.now().Add(-f.AtLeast), AfterTime: f.After.Since, AfterID: f.After.ID, MaxRows: pageSize,
		CardDays: days(s.policy.SecondCardWithin), AddressDays: days(s.policy.AddressChangeWithin),
	})
	if err != nil {
		return nil, fmt.Errorf("work items: %w", err)
	}
	items := make([]WorkItem, len(rows))
	for i, r := range rows {
		items[i] = WorkItem{
			ID: r.ID, Kind: lifecycle.WorkKind(r.Kind), Thing: r.Thing, On: r.OnID, Card: lifecycle.CardID(r.CardID), Why: r.Why,
			Since: r.Since.UTC(), ClaimedBy: r.ClaimedBy,
		}
	}
	return items, nil
}

// WorkItem is one of them, while it waits.
func (s *Service) WorkItem(ctx context.Context, id string) (WorkItem, error) {
	return s.workItemTx(ctx, s.store.Queries, id)
}

func (s *Service) workItemTx(ctx context.Context, q *db.Queries, id string) (WorkItem, error) {
	if id == "" { // the filter's word for all
		return WorkItem{}, &lifecycle.FieldError{Field: "item", Why: "name one, as the list does"}
	}
	items, err := s.workTx(ctx, q, id, WorkFilter{})
	if err != nil {
		return WorkItem{}, err
	}
	if len(items) == 0 {
		return WorkItem{}, fmt.Errorf("work item %s: %w: nothing of it waits for anybody", id, lifecycle.NotFound)
	}
	return items[0], nil
}

// The events of a claim. It is no life cycle: a claim bars nothing but claims.
const (
	claimWork   lifecycle.Event = "claim"
	releaseWork lifecycle.Event = "release"
)

const workClaim = "work claim"

// ClaimWork takes something on, so that two people do not see to it at once. Whoever
// is not the one may look, and mend nothing from the list.
func (s *Service) ClaimWork(ctx context.Context, by lifecycle.Actor, id string) error {
	if !slices.Contains(lifecycle.SeesToWork(), by.Role) {
		return fmt.Errorf("work item %s: %w: %s takes no work on", id, lifecycle.Forbidden, by.Role)
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		item, err := s.workItemTx(ctx, tx.Queries, id)
		if err != nil {
			return err
		}
		n, err := tx.ClaimWork(ctx, db.ClaimWorkParams{ItemID: id, Staff: by.ID, ClaimedAt: s.now(), Since: item.Since})
		if err != nil {
			return fmt.Errorf("work item %s: %w", id, err)
		}
		if n != 1 {
			return claimed(item)
		}
		return s.audit(ctx, tx, workClaim, change{id: id, on: claimWork, by: by, detail: map[string]string{"kind": string(item.Kind)}}, "", "claimed")
	})
}

// ReleaseWork gives a claim up. A security officer gives up somebody else's.
func (s *Service) ReleaseWork(ctx context.Context, by lifecycle.Actor, id string) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		item, err := s.workItemTx(ctx, tx.Queries, id)
		if err != nil {
			return err
		}
		switch {
		case item.ClaimedBy == "":
			return fmt.Errorf("work item %s: %w: nobody has claimed it", id, lifecycle.Illegal)
		case item.ClaimedBy != by.ID && by.Role != lifecycle.RoleSecurityOfficer:
			return fmt.Errorf("work item %s: %w: %s has claimed it; a security officer releases it", id, lifecycle.Forbidden, item.ClaimedBy)
		}
		n, err := tx.DropClaim(ctx, id, item.ClaimedBy)
		if err != nil {
			return fmt.Errorf("work item %s: %w", id, err)
		}
		if n != 1 {
			return fmt.Errorf("work item %s: %w: it was released meanwhile", id, lifecycle.Conflict)
		}
		return s.audit(ctx, tx, workClaim, change{id: id, on: releaseWork, by: by, detail: map[string]string{"of": item.ClaimedBy}}, "claimed", "")
	})
}

func claimed(item WorkItem) error {
	return fmt.Errorf("work item %s: %w: %s has claimed it", item.ID, lifecycle.Conflict, item.ClaimedBy)
}

// mine is the work item unless somebody else has claimed it.
func (s *Service) mine(ctx context.Context, by lifecycle.Actor, id string) (WorkItem, error) {
	item, err := s.WorkItem(ctx, id)
	if err == nil && item.ClaimedBy != "" && item.ClaimedBy != by.ID {
		err = claimed(item)
	}
	return item, err
}

// RetryWork takes up again what failed, once what was wrong is mended: an order
// or a letter goes on, a card that the bureau misses is made again.
func (s *Service) RetryWork(ctx context.Context, by lifecycle.Actor, id string) error {
	item, err := s.mine(ctx, by, id)
	if err != nil {
		return err
	}
	switch item.Kind {
	case lifecycle.WorkFailedOrder:
		return s.Retry(ctx, by, lifecycle.OrderID(id))
	case lifecycle.WorkFailedLetter:
		return s.RetryLetter(ctx, by, id)
	case lifecycle.WorkCertificate:
		return s.RetryCertificate(ctx, by, lifecycle.CertificateID(id))
	case lifecycle.WorkMissingCard:
		return s.Remake(ctx, by, lifecycle.CardID(id))
	case lifecycle.WorkFailedNotice:
		return s.RetryNotice(ctx, by, lifecycle.NoticeID(id))
	case lifecycle.WorkReturnedMail, lifecycle.WorkReturnFile, lifecycle.WorkChip, lifecycle.WorkFlagged, lifecycle.WorkRefused, lifecycle.WorkRevocation, lifecycle.WorkNoCA,
		lifecycle.WorkUnconfirmed, lifecycle.WorkFraud, lifecycle.WorkLift, lifecycle.WorkCorrected, lifecycle.WorkPasskey:
	}
	return fmt.Errorf("work item %s: %w: nothing of a %s is tried again: %s", id, lifecycle.Illegal, item.Kind, Mends(item.Kind))
}

// ResolveWork closes a work item with what came of it. What waits by its own state
// has none to close.
func (s *Service) ResolveWork(ctx context.Context, by lifecycle.Actor, id, outcome string) error {
	item, err := s.mine(ctx, by, id)
	if err != nil {
		return err
	}
	if lifecycle.CheckID(lifecycle.PrefixWorkItem, id) != nil {
		return fmt.Errorf("work item %s: %w: a %s ends with what it is about: %s", id, lifecycle.Illegal, item.Kind, Mends(item.Kind))
	}
	return s.closeWork(ctx, by, lifecycle.WorkItemID(id), outcome)
}

// Mends tells staff what ends a kind of work.
func Mends(kind lifecycle.WorkKind) string {
	switch kind {
	case lifecycle.WorkReturnedMail:
		return "find the holder, order what is needed, then resolve it"
	case lifecycle.WorkReturnFile:
		return "ask the bureau for a right file, take it, then resolve it"
	case lifecycle.WorkFailedOrder:
		return "mend what is wrong and retry it, or have an approver cancel the order"
	case lifecycle.WorkFailedLetter:
		return "mend what is wrong and retry it"
	case lifecycle.WorkCertificate:
		return "correct the company's or holder's data, and have its order approved anew; or have another version of its profile approved, and retry it; or revoke it"
	case lifecycle.WorkMissingCard:
		return "wait for the bureau's next file, or retry it: the card is made again"
	case lifecycle.WorkChip:
		return "put the same chip in again at the terminal, or give it up there"
	case lifecycle.WorkRefused:
		return "mend what the holder finds wrong, order another certificate, then resolve it"
	case lifecycle.WorkFailedNotice:
		return "tell the holder by telephone, mend the address or the mail server, and retry it"
	case lifecycle.WorkCorrected:
		return "order cards and certificates in the place of those named, revoke the certificates, then resolve it"
	case lifecycle.WorkPasskey:
		return "call the holder by the number on record; end the passkey when they have two devices with it: sceau means; then resolve it"
	case lifecycle.WorkFlagged:
		return "an approver approves or refuses the order"
	case lifecycle.WorkUnconfirmed:
		return "call the holder or company back by the number on record, and take the revocation again; or withdraw the request: sceau certificate requests"
	case lifecycle.WorkRevocation:
		return "see sceau doctor revocation, mend what is wrong, then resolve it"
	case lifecycle.WorkFraud:
		return "look at it, call the reporter back by the number on record, stop what must be stopped, then confirm or dismiss it: sceau fraud"
	case lifecycle.WorkLift:
		return "an approver lifts the stop or keeps it: sceau stop"
	case lifecycle.WorkNoCA:
		return "hold a ceremony for the next CA, then two officers have it sign: sceau ceremony activate"
	}
	return ""
}

func (s *Service) openWorkTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, thing, on string, card *lifecycle.CardID, why string) (lifecycle.WorkItemID, error) {
	id := lifecycle.WorkItemID(s.newID(lifecycle.PrefixWorkItem))
	err := tx.InsertWorkItem(ctx, db.InsertWorkItemParams{
		ID: id, State: lifecycle.WorkOpen, Thing: thing, ThingID: on, CardID: card, Why: why, OpenedAt: s.now(),
	})
	if err != nil {
		return id, fmt.Errorf("work item on %s: %w", on, err)
	}
	return id, s.born(ctx, tx, lifecycle.WorkItems.Thing, string(id), string(lifecycle.WorkOpen), by, map[string]string{"on": on})
}

func (s *Service) closeWork(ctx context.Context, by lifecycle.Actor, id lifecycle.WorkItemID, outcome string) error {
	const longest = 400
	if n := utf8.RuneCountInString(outcome); n == 0 || n > longest || !utf8.ValidString(outcome) {
		return &lifecycle.FieldError{Field: "outcome", Why: fmt.Sprintf("has 1 to %d characters: say what was done", longest)}
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		w, err := tx.LockWorkItem(ctx, id)
		if err != nil {
			return fmt.Errorf("work item %s: %w", id, err)
		}
		_, err = apply(ctx, s, tx, lifecycle.WorkItems, w.State, change{id: string(id), on: lifecycle.Complete, by: by},
			func(to lifecycle.WorkState) (int64, error) { return tx.SetWorkState(ctx, to, id, w.State) }, noJob)
		if err != nil {
			return err
		}
		return tx.SetWorkDone(ctx, new(s.now()), outcome, id)
	})
}
