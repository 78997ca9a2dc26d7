package bench_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sceau/internal/bench"
	"sceau/internal/testenv"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// BenchmarkBulk takes many orders through the steps that staff take with many,
// with their trail, one statement a step; the peer is Sceau itself one by one, as
// somebody who clicks through the list. The engine's part is measured in hsm.
func BenchmarkBulk(b *testing.B) {
	b.Run("approve", func(b *testing.B) {
		h := newBulk(b, 500)
		bench.Comparison{
			Ours: bench.Side{Name: "together", Ops: bulkOrders, Prepare: h.submit, Run: func() error {
				for _, r := range h.ApproveMany(b.Context(), approver, h.shown) {
					if r.Err != nil {
						return r.Err
					}
				}
				return nil
			}},
			Peers: []bench.Side{{Name: "one_by_one", Ops: bulkOrders, Prepare: h.submit, Run: func() error {
				for id, hash := range h.shown {
					if err := h.Approve(b.Context(), approver, id, hash); err != nil {
						return err
					}
				}
				return nil
			}}},
		}.Measure(b)
	})
	b.Run("seal_personalise_send", func(b *testing.B) {
		many := newBulk(b, 500)
		single := many.with(b, 1)
		bench.Comparison{
			Ours:  bench.Side{Name: "together", Ops: bulkOrders, Prepare: many.approved, Run: func() error { return many.send(b.Context()) }},
			Peers: []bench.Side{{Name: "one_by_one", Ops: bulkOrders, Prepare: many.approved, Run: func() error { return single.send(b.Context()) }}},
		}.Measure(b)
	})
}

const bulkOrders = 500

var (
	requester = lifecycle.Actor{ID: "m.leroy", Role: lifecycle.RoleAccountManager}
	approver  = lifecycle.Actor{ID: "i.petit", Role: lifecycle.RoleApprover}
	postRoom  = lifecycle.Actor{ID: "a.martin", Role: lifecycle.RoleOperator}
)

// bulk is a bank with orders that wait.
type bulk struct {
	*issuance.Service

	store *store.Store
	ctx   context.Context //nolint:containedctx // of the benchmark
	round int
	shown map[lifecycle.OrderID][32]byte
}

func newBulk(b *testing.B, batch int) *bulk {
	b.Helper()
	h := (&bulk{store: newStore(b), ctx: b.Context()}).with(b, batch)
	if err := h.SetUpBank(b.Context(), lifecycle.System("set-up"), issuance.Bank{}); err != nil {
		b.Fatal(err)
	}
	err := h.store.InTx(b.Context(), func(tx store.Tx) error {
		_, err := insertHolder(b.Context(), tx)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// with is the same bank with batches of another size.
func (h *bulk) with(b *testing.B, batch int) *bulk {
	b.Helper()
	queue, err := jobs.NewEnqueuer()
	if err != nil {
		b.Fatal(err)
	}
	policy := issuance.DefaultPolicy()
	policy.BatchSize = batch
	service, err := issuance.New(h.store, testenv.Safe(), queue, jobs.CSRChecker{}, policy, clock)
	if err != nil {
		b.Fatal(err)
	}
	return &bulk{Service: service, store: h.store, ctx: h.ctx}
}

// submit brings in orders of as many holders, and shows them to the approver.
func (h *bulk) submit() error {
	h.round++
	h.shown = make(map[lifecycle.OrderID][32]byte, bulkOrders)
	company := lifecycle.CompanyID(id(lifecycle.PrefixCompany, 1))
	for i := range bulkOrders {
		n := h.round*bulkOrders + i
		holder := lifecycle.HolderID(id(lifecycle.PrefixHolder, 1+n))
		err := h.store.InsertHolder(h.ctx, db.InsertHolderParams{
			ID: holder, CompanyID: company, UserNumber: fmt.Sprintf("%04d", n), GivenName: "Hélène", Surname: "Montclair", Language: "fr", Country: "FR",
			CreatedAt: benchNow,
		})
		if err != nil && !errors.Is(err, lifecycle.Conflict) { // user numbers have four digits
			return err
		}
		order, err := h.Submit(h.ctx, requester, issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: holder, Delivery: lifecycle.DeliverHome})
		if err != nil {
			return err
		}
		content, err := h.ShowOrder(h.ctx, order)
		if err != nil {
			return err
		}
		h.shown[order] = content.Hash()
	}
	return nil
}

func (h *bulk) approved() error {
	if err := h.submit(); err != nil {
		return err
	}
	for _, r := range h.ApproveMany(h.ctx, approver, h.shown) {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// send takes all approved cards to the bureau; the data that the engine would
// have made is as long as its own.
func (h *bulk) send(ctx context.Context) error {
	sealed, err := h.SealBatches(ctx, postRoom)
	if err != nil {
		return err
	}
	for _, s := range sealed {
		plan, err := h.BeginPersonalise(ctx, s.Batch)
		if err != nil {
			return err
		}
		made := make([]issuance.PersonalisedCard, len(plan.Cards))
		for i, c := range plan.Cards {
			made[i] = issuance.PersonalisedCard{Card: c.Card, DGIs: make([]byte, 700), TransportKCV: "08D7B4"}
		}
		if err := h.FinishPersonalise(ctx, plan, made, nil); err != nil {
			return err
		}
		if plan, err = h.BeginBureauFile(ctx, s.Batch); err != nil {
			return err
		}
		if err := h.FinishBureauFile(ctx, plan, make([]byte, 1000*len(plan.Cards)), nil); err != nil {
			return err
		}
	}
	return nil
}
