package issuance_test

import (
	"context"

	"sceau/issuance"
	"sceau/lifecycle"
)

// chipActions are what branch terminals do, each perhaps long after it asked.
func (w *world) chipActions() map[string]action {
	return map[string]action{
		"plan a chip": begin(w, "order", &w.orders, &w.chips, func(ctx context.Context, id lifecycle.OrderID) (issuance.ChipPlan, error) {
			return w.PlanChip(ctx, terminal, id)
		}),
		"give a chip": finish(w, "chip", &w.chips, func(ctx context.Context, d dice, p issuance.ChipPlan) error {
			return w.GiveChip(ctx, terminal, p, chip(d.roll("serial", 40)))
		}),
		"a chip is made": finish(w, "chip", &w.chips, func(ctx context.Context, d dice, p issuance.ChipPlan) error {
			return w.ChipMade(ctx, terminal, p, issuance.ChipProof{ATC: 1 + d.roll("counter", 5)})
		}),
		"a chip is spoiled": finish(w, "chip", &w.chips, func(ctx context.Context, _ dice, p issuance.ChipPlan) error {
			return w.ChipSpoiled(ctx, terminal, p.Order, "cracked")
		}),
	}
}

// furtherChip makes a card at a branch.
func (w *world) furtherChip(ctx context.Context, d dice, order lifecycle.OrderID) error {
	plan, err := w.PlanChip(ctx, terminal, order)
	if err != nil {
		return err
	}
	add(w, &w.chips, plan)
	if plan.Serial == "" {
		return w.GiveChip(ctx, terminal, plan, chip(100+d.roll("serial", 10_000)))
	}
	return w.ChipMade(ctx, terminal, plan, firstCode)
}
