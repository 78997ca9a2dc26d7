package issuance_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// dice decide what happens: a property's generator, or chance.
type dice interface {
	roll(what string, sides int) int
}

// errNothing tells that there is nothing yet that the action could act on.
var errNothing = errors.New("nothing to act on")

// world is a bank in which anybody does anything, in any order. Its lists only
// grow; mu guards them, so that several may play at once.
type world struct {
	*house

	mu      sync.Mutex
	holders []lifecycle.HolderID
	keys    [][]byte // certificate requests: fewer than certificates
	orders  []lifecycle.OrderID
	shown   []approvalOf
	cards   []lifecycle.CardID
	certs   []lifecycle.CertificateID
	batches []issuance.BatchPlan // begun for their keys
	files   []issuance.BatchPlan // begun for their file
	letters []issuance.CardLetterPlan
	pins    []issuance.PINLetterPlan
	issues  []issuance.CertificatePlan
	lists   []issuance.CRLPlan
	resets  []issuance.ScriptPlan
	ids     []lifecycle.BatchID
}

// approvalOf is an order as somebody was shown it, perhaps long ago.
type approvalOf struct {
	order lifecycle.OrderID
	hash  [32]byte
}

func newWorld(t tb, h *house) *world {
	t.Helper()
	w := &world{house: h}
	for range 2 {
		card, certificate := h.submitCard(t), h.submitCertificate(t)
		w.orders = append(w.orders, card, certificate)
		w.cards = append(w.cards, h.order(t, card).Card.ID)
		w.certs = append(w.certs, h.order(t, certificate).Certificate.ID)
		w.holders = append(w.holders, must[db.Order](t)(h.store.Order(t.Context(), card)).HolderID)
		w.keys = append(w.keys, newKey(t), newKey(t), newKey(t), newKey(t))
	}
	return w
}

func add[T any](w *world, list *[]T, v T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, v)
}

// pick draws one of a list, the newest more often than the oldest.
func pick[T any](w *world, d dice, what string, list *[]T) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(*list)
	if n == 0 {
		var zero T
		return zero, errNothing
	}
	back := min(d.roll(what, n), d.roll(what, n))
	return (*list)[n-1-back], nil
}

// someone is whoever would do it by right, or anybody at all.
func someone(d dice, likely ...lifecycle.Actor) lifecycle.Actor {
	if d.roll("rightly", 4) > 0 {
		return likely[d.roll("who", len(likely))]
	}
	return everyone[d.roll("who", len(everyone))]
}

type action func(ctx context.Context, d dice) error

// actions are everything that can be done in a world.
func (w *world) actions() map[string]action {
	all := map[string]action{
		"time passes": func(_ context.Context, d dice) error {
			w.clock.advance([]time.Duration{time.Second, time.Minute, time.Hour, 3 * 24 * time.Hour, 40 * 24 * time.Hour}[d.roll("how long", 5)])
			return nil
		},
		"expire": func(ctx context.Context, _ dice) error {
			_, err := w.ExpireDue(ctx)
			return err
		},
	}
	for _, more := range []map[string]action{w.orderActions(), w.cardActions(), w.bureauActions(), w.letterActions(), w.certificateActions(), w.listActions(), w.further()} {
		for name, do := range more {
			all[name] = do
		}
	}
	return all
}

func (w *world) orderActions() map[string]action {
	onShown := func(decide func(ctx context.Context, by lifecycle.Actor, a approvalOf) error) action {
		return func(ctx context.Context, d dice) error {
			a, err := pick(w, d, "shown", &w.shown)
			if err != nil {
				return err
			}
			return decide(ctx, someone(d, irene, daan, comeToo), a)
		}
	}
	return map[string]action{
		"order":       w.submitAnything,
		"order again": w.submitAnything,
		"order a lot": w.submitAnything,
		"show": func(ctx context.Context, d dice) error {
			id, err := pick(w, d, "order", &w.orders)
			if err != nil {
				return err
			}
			content, err := w.ShowOrder(ctx, id)
			if err == nil {
				add(w, &w.shown, approvalOf{id, content.Hash()})
			}
			return err
		},
		"approve": onShown(func(ctx context.Context, by lifecycle.Actor, a approvalOf) error {
			return w.Approve(ctx, by, a.order, a.hash)
		}),
		"approve at once": func(ctx context.Context, d dice) error {
			id, err := pick(w, d, "order", &w.orders)
			if err != nil {
				return err
			}
			content, err := w.ShowOrder(ctx, id)
			if err != nil {
				return err
			}
			return w.Approve(ctx, someone(d, irene, daan), id, content.Hash())
		},
		"refuse": onShown(func(ctx context.Context, by lifecycle.Actor, a approvalOf) error {
			return w.Refuse(ctx, by, a.order, a.hash, "no")
		}),
		"edit": func(ctx context.Context, d dice) error {
			id, err := pick(w, d, "order", &w.orders)
			if err != nil {
				return err
			}
			e := issuance.OrderEdit{Revision: int32(1 + d.roll("revision", 3)), Delivery: "home", Reason: anyReason(d)} //nolint:gosec // 1 to 3
			return w.Edit(ctx, someone(d, alix, stijn, come, leonie), id, e)
		},
		"cancel": func(ctx context.Context, d dice) error {
			id, err := pick(w, d, "order", &w.orders)
			if err != nil {
				return err
			}
			return w.Cancel(ctx, someone(d, alix, stijn, irene), id, "no use")
		},
	}
}

func anyReason(d dice) lifecycle.CardReason {
	reasons := append(lifecycle.ReplacementReasons(), lifecycle.CardDeath, "because")
	return reasons[d.roll("reason", len(reasons))]
}

// submitAnything orders something, and knows what came of it.
func (w *world) submitAnything(ctx context.Context, d dice) error {
	r := issuance.OrderRequest{Delivery: lifecycle.DeliverHome}
	r.Kind = lifecycle.OrderKinds()[d.roll("kind", len(lifecycle.OrderKinds()))]
	if d.roll("extras", 3) == 0 {
		r.WithReader, r.Waiver = true, "a good customer"
	}
	if d.roll("delivery", 3) == 0 {
		r.Delivery, r.BranchCode = lifecycle.DeliverBranch, "BE02"
	}
	var err error
	switch r.Kind {
	case lifecycle.OrderReplacementCard, lifecycle.OrderPINReset, lifecycle.OrderPINChange, lifecycle.OrderRenewal, lifecycle.OrderPINReissue:
		if r.Kind == lifecycle.OrderPINReset || r.Kind == lifecycle.OrderPINChange {
			r.Identity = passport
		}
		r.Reason = anyReason(d)
		if r.TargetCard, err = pick(w, d, "card", &w.cards); err != nil {
			return err
		}
	case lifecycle.OrderRegistration:
		r.Product, r.Registers = "bank-card", bankCard(d.roll("number", 5))
		if r.Holder, err = pick(w, d, "holder", &w.holders); err != nil {
			return err
		}
	case lifecycle.OrderNewCard, lifecycle.OrderNewCertificate:
		if r.Holder, err = pick(w, d, "holder", &w.holders); err != nil {
			return err
		}
	}
	id, err := w.Submit(ctx, someone(d, alix, stijn, come, leonie), r)
	if err != nil {
		return err
	}
	view, err := w.Order(ctx, id)
	if err != nil {
		return fmt.Errorf("just ordered: %s", err) //nolint:errorlint // no kind excuses it
	}
	add(w, &w.orders, id)
	if view.Card != nil {
		add(w, &w.cards, view.Card.ID)
	}
	if view.Certificate != nil {
		add(w, &w.certs, view.Certificate.ID)
	}
	return nil
}

func (w *world) cardActions() map[string]action {
	all := map[string]action{}
	for _, m := range w.moves() {
		all[m.name] = func(ctx context.Context, d dice) error {
			id, err := pick(w, d, "card", &w.cards)
			if err != nil {
				return err
			}
			return m.do(ctx, someone(d, online, leonie, maxence), id)
		}
	}
	all["try again"] = func(ctx context.Context, d dice) error {
		id, err := pick(w, d, "order", &w.orders)
		if err != nil {
			return err
		}
		return w.Retry(ctx, someone(d, leonie), id)
	}
	all["no letter can be written"] = func(ctx context.Context, d dice) error {
		id, err := pick(w, d, "card", &w.cards)
		if err != nil {
			return err
		}
		return w.StopCardLetter(ctx, id, "the street does not fit", nil)
	}
	all["remake"] = func(ctx context.Context, d dice) error {
		id, err := pick(w, d, "card", &w.cards)
		if err != nil {
			return err
		}
		return w.Remake(ctx, someone(d, leonie), id)
	}
	all["plan a reset"] = func(ctx context.Context, d dice) error {
		id, err := pick(w, d, "order", &w.orders)
		if err != nil {
			return err
		}
		plan, err := w.PlanScript(ctx, id)
		if err == nil {
			add(w, &w.resets, plan)
		}
		return err
	}
	all["give a script"] = func(ctx context.Context, d dice) error {
		plan, err := pick(w, d, "reset", &w.resets)
		if err != nil {
			return err
		}
		return w.IssueScript(ctx, leonie, plan, 1+d.roll("counter", 20))
	}
	all["end a reset"] = func(ctx context.Context, d dice) error {
		plan, err := pick(w, d, "reset", &w.resets)
		if err != nil {
			return err
		}
		return w.FinishScript(ctx, leonie, plan.Order, issuance.ScriptResult{Taken: d.roll("taken", 4) > 0, TriesLeft: 3})
	}
	return all
}
