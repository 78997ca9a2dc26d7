package issuance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// ScriptPlan is what the engine needs to make the issuer script that resets a
// card's PIN try counter, or gives it another PIN (EMV Book 3 §6.5.10).
type ScriptPlan struct {
	Order   lifecycle.OrderID
	Kind    lifecycle.OrderKind
	Card    lifecycle.CardID
	PAN     lifecycle.PAN
	PSN     int
	Profile string
	Scripts []int // script counters that the card may show
	// Of a PIN change: the PIN that the engine draws, the same for each script of
	// the order.
	PINVersion int
	Attempt    lifecycle.AttemptID
}

// ScriptResult is what a terminal says became of a script.
type ScriptResult struct {
	Taken     bool // the card carried it out
	TriesLeft int  // the PIN try counter, read back afterwards
}

const (
	scriptCounters = 16 // values of the CVR's script counter
	// scriptsPerOrder bounds what one approval gives away: each script is three
	// more tries of the PIN, for whoever holds card and terminal. The terminal may
	// lose one or two.
	scriptsPerOrder = 3
	maxTries        = 15
)

// scriptEvent tells whether a script at a terminal fulfils such an order, and the card's
// move when it was taken.
func scriptEvent(k lifecycle.OrderKind) (lifecycle.Event, bool) {
	switch k {
	case lifecycle.OrderPINReset:
		return lifecycle.ResetPIN, true
	case lifecycle.OrderPINChange:
		return lifecycle.ChangePIN, true
	default:
		return "", false
	}
}

// identityEnd is the end of a document's number.
var identityEnd = regexp.MustCompile(`^[0-9A-Z]{4}$`)

// checkIdentity wants the holder's proof of identity where an order opens a card
// again.
func checkIdentity(r OrderRequest) error {
	_, needed := scriptEvent(r.Kind)
	document, end, _ := strings.Cut(r.Identity, " ")
	known := slices.Contains(lifecycle.IdentityDocuments(), document)
	switch {
	case needed && !(known && identityEnd.MatchString(end)):
		return &lifecycle.FieldError{Field: "identity", Why: "name the document that you saw and the last four characters of its number, as passport 12AB: " + strings.Join(lifecycle.IdentityDocuments(), ", ")}
	case !needed && r.Identity != "":
		return &lifecycle.FieldError{Field: "identity", Why: "only a PIN-counter reset or a PIN change asks for one"}
	}
	return nil
}

// PlanScript reads what a branch terminal's request needs, under an approved
// order. For a PIN change it records which PIN will be drawn, and under which
// attempt, before the engine draws it.
func (s *Service) PlanScript(ctx context.Context, id lifecycle.OrderID) (ScriptPlan, error) {
	var plan ScriptPlan
	err := s.withScript(ctx, id, func(tx store.Tx, o *db.Order, card *db.Card) error {
		if err := scriptLeftTx(ctx, tx, o, card); err != nil {
			return err
		}
		pan, err := s.safe.OpenPAN(card.ID, card.PANSealed)
		if err != nil {
			return err
		}
		plan = ScriptPlan{Order: o.ID, Kind: o.Kind, Card: card.ID, PAN: pan, PSN: int(card.PSN), Profile: card.Profile}
		for _, n := range card.Scripts {
			plan.Scripts = append(plan.Scripts, int(n))
		}
		if o.Kind != lifecycle.OrderPINChange {
			return nil
		}
		change, err := s.pinChangeTx(ctx, tx, o, card)
		plan.PINVersion, plan.Attempt = int(change.PINVersion), change.AttemptID
		return err
	})
	return plan, err
}

// pinChangeTx is the order's new PIN, named the first time.
func (s *Service) pinChangeTx(ctx context.Context, tx store.Tx, o *db.Order, card *db.Card) (db.PINChange, error) {
	change, err := tx.PINChange(ctx, o.ID)
	if !isNotFound(err) {
		return change, err
	}
	change = db.PINChange{OrderID: o.ID, CardID: card.ID, AttemptID: lifecycle.AttemptID(s.newID(lifecycle.PrefixAttempt))}
	if change.PINVersion, err = tx.NextPINVersion(ctx, card.ID); err != nil {
		return change, fmt.Errorf("card %s: %w", card.ID, err)
	}
	return change, tx.InsertPINChange(ctx, db.InsertPINChangeParams(change))
}

// IssueScript records that a script was made for the card's transaction atc,
// before the terminal is given it. A transaction counter that the bank has seen
// is refused: a recorded cryptogram gets no second script. From now on the card
// may count one script more, or not, if the terminal loses it.
func (s *Service) IssueScript(ctx context.Context, by lifecycle.Actor, plan ScriptPlan, atc int) error {
	return s.withScript(ctx, plan.Order, func(tx store.Tx, o *db.Order, card *db.Card) error {
		if err := scriptLeftTx(ctx, tx, o, card); err != nil {
			return err
		}
		n, err := tx.BurnATC(ctx, db.BurnATCParams{
			ATC: int32(atc), Scripts: withNextScript(card.Scripts), ID: card.ID, PSN: int32(plan.PSN), //nolint:gosec // the engine takes 16 bits
			States: []string{string(card.State)},
		})
		if err != nil {
			return fmt.Errorf("card %s: %w", card.ID, err)
		}
		if n != 1 {
			return fmt.Errorf("card %s: %w: this card transaction was used already: start again at the terminal", card.ID, lifecycle.Conflict)
		}
		change := change{id: string(card.ID), on: lifecycle.IssueScript, by: by, detail: map[string]string{"order": string(o.ID)}}
		if err := s.audit(ctx, tx, "card", change, string(card.State), string(card.State)); err != nil {
			return err
		}
		if o.State == lifecycle.OrderInProgress {
			return nil
		}
		return s.moveOrder(ctx, tx, o, lifecycle.Start, lifecycle.System("script"), nil)
	})
}

// scriptLeftTx is [lifecycle.Locked] once the order has given all its scripts.
func scriptLeftTx(ctx context.Context, tx store.Tx, o *db.Order, card *db.Card) error {
	given, err := tx.CountScripts(ctx, string(card.ID), string(o.ID))
	if err != nil {
		return fmt.Errorf("scripts of order %s: %w", o.ID, err)
	}
	if given >= scriptsPerOrder {
		return fmt.Errorf("order %s: %w: it has given %d scripts, a second person must approve another", o.ID, lifecycle.Locked, given)
	}
	return nil
}

// FinishScript records what became of the last script. One that the card refused
// changes nothing: the terminal may ask for another, until the order has given
// them all and fails. One that it took opens the card, and a new PIN goes to its
// holder by letter.
func (s *Service) FinishScript(ctx context.Context, by lifecycle.Actor, id lifecycle.OrderID, result ScriptResult) error {
	if result.TriesLeft < 0 || result.TriesLeft > maxTries || result.Taken && result.TriesLeft == 0 {
		return &lifecycle.FieldError{Field: "tries_left", Why: "is 0 to 15, and not 0 of a card that took the script: report such a script as not taken"}
	}
	return s.withScript(ctx, id, func(tx store.Tx, o *db.Order, card *db.Card) error {
		if o.State != lifecycle.OrderInProgress {
			return fmt.Errorf("order %s: %w: no script was given for it yet", id, lifecycle.Illegal)
		}
		detail := map[string]string{"order": string(id), "terminal": by.ID, "operator": by.Operator, "tries_left": strconv.Itoa(result.TriesLeft)}
		if !result.Taken {
			return s.scriptRefusedTx(ctx, tx, by, o, card, detail)
		}
		system := lifecycle.System("script")
		if o.Kind == lifecycle.OrderPINChange {
			if err := s.newPINTx(ctx, tx, o, card); err != nil {
				return err
			}
		}
		event, _ := scriptEvent(o.Kind)
		if err := s.moveCard(ctx, tx, card, event, system, "", detail); err != nil {
			return err
		}
		return s.moveOrder(ctx, tx, o, lifecycle.Complete, system, nil)
	})
}

// scriptRefusedTx keeps the refusal, and ends an order that has no script left.
func (s *Service) scriptRefusedTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o *db.Order, card *db.Card, detail map[string]string) error {
	c := change{id: string(card.ID), on: lifecycle.RefuseScript, by: by, detail: detail}
	if err := s.audit(ctx, tx, "card", c, string(card.State), string(card.State)); err != nil {
		return err
	}
	if scriptLeftTx(ctx, tx, o, card) == nil {
		return nil
	}
	failure := map[string]string{"failure": "the card refused its scripts: order a replacement"}
	if err := s.moveOrder(ctx, tx, o, lifecycle.Fail, lifecycle.System("script"), failure); err != nil {
		return err
	}
	if o.Kind != lifecycle.OrderPINChange {
		return nil
	}
	drawn, err := tx.PINChange(ctx, o.ID)
	if err != nil {
		return fmt.Errorf("PIN of order %s: %w", o.ID, err)
	}
	return s.queue.EnqueueTx(ctx, tx.Pgx(), PINDestroyArgs{Card: card.ID, PINVersion: drawn.PINVersion})
}

// newPINTx makes the PIN that the card has now the card's own: its letter is
// asked for, without the delay that keeps card and PIN apart, since the card is
// in its holder's hand; what the old PIN still had under way ends.
func (s *Service) newPINTx(ctx context.Context, tx store.Tx, o *db.Order, card *db.Card) error {
	system := lifecycle.System("script")
	drawn, err := tx.PINChange(ctx, o.ID)
	if err != nil {
		return fmt.Errorf("PIN of order %s: %w", o.ID, err)
	}
	old, err := tx.LockPINLetterOfCard(ctx, card.ID, card.PINVersion)
	if err == nil && lifecycle.PINLetters.Can(old.State, lifecycle.Cancel) {
		err = s.movePINLetter(ctx, tx, &old, lifecycle.Cancel, system)
	}
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("old PIN letter of card %s: %w", card.ID, err)
	}
	if err := s.queue.EnqueueTx(ctx, tx.Pgx(), PINDestroyArgs{Card: card.ID, PINVersion: card.PINVersion}); err != nil {
		return fmt.Errorf("old PIN of card %s: %w", card.ID, err)
	}
	if err := tx.SetCardPINVersion(ctx, drawn.PINVersion, card.ID); err != nil {
		return fmt.Errorf("card %s: %w", card.ID, err)
	}
	card.PINVersion = drawn.PINVersion
	return s.newPINLetterTx(ctx, tx, card, s.now())
}

// withScript works on a locked order for a script and its card. The order must be
// approved or under way, and the card still one that may be opened: a card
// stopped since the approval gets no script.
func (s *Service) withScript(ctx context.Context, id lifecycle.OrderID, work func(tx store.Tx, o *db.Order, card *db.Card) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixOrder, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		seen, err := tx.Order(ctx, id)
		if err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
		event, ok := scriptEvent(seen.Kind)
		if !ok || seen.TargetCard == nil {
			return fmt.Errorf("order %s: %w: it is a %s, which no script fulfils", id, lifecycle.Illegal, seen.Kind)
		}
		card, err := tx.LockCard(ctx, *seen.TargetCard)
		if err != nil {
			return fmt.Errorf("card %s: %w", *seen.TargetCard, err)
		}
		o, err := tx.LockOrder(ctx, id)
		if err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
		if o.State != lifecycle.OrderApproved && o.State != lifecycle.OrderInProgress {
			return fmt.Errorf("order %s: %w: it is %s, a second person must approve it first", id, lifecycle.Illegal, o.State)
		}
		if !lifecycle.Cards.Can(card.State, event) {
			return fmt.Errorf("card %s: %w: it is %s", card.ID, lifecycle.Illegal, card.State)
		}
		return work(tx, &o, &card)
	})
}

// withNextScript adds to each counter its successor.
func withNextScript(counters []int32) []int32 {
	all := slices.Clone(counters)
	for _, n := range counters {
		if next := (n + 1) % scriptCounters; !slices.Contains(all, next) {
			all = append(all, next)
		}
	}
	slices.Sort(all)
	return all
}
