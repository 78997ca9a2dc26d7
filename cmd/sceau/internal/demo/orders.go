package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sceau/issuance"
	"sceau/lifecycle"
)

// What the sample order file holds: see internal/demodata.
const (
	wantCards        = 120
	wantCertificates = 90
	wantWrong        = 12
)

// importOrders takes the bank's order file: wrong lines are shown, right ones
// kept.
func (d *demonstration) importOrders(ctx context.Context) error {
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	path := filepath.Join(d.options.Root, "testdata", "demo", "orders.csv")
	report, err := d.importFile(ctx, operator, path)
	if err != nil {
		return err
	}
	for _, w := range report.Wrong {
		d.screen.note("line %d, %s: %s", w.Line, w.Field, w.Why)
	}
	d.screen.note("%d lines: %d kept, %d refused", report.Lines, report.Kept, report.Refused)
	d.report.Counts.Lines, d.report.Counts.Kept, d.report.Counts.Refused = report.Lines, report.Kept, report.Refused
	d.screen.check("the order file's right lines are kept: 120 cards, 90 certificates", errors.Join(
		equal(report.Cards, wantCards), equal(report.Certificates, wantCertificates)))
	d.screen.check("its 12 wrong lines are refused with line, field and reason", errors.Join(
		equal(report.Refused, wantWrong), explained(report.Wrong)))
	again, err := d.importFile(ctx, operator, path)
	if err != nil {
		return err
	}
	d.screen.check("the same file again adds nothing", equal(again.Kept, 0))
	return nil
}

func (d *demonstration) importFile(ctx context.Context, by lifecycle.Actor, path string) (issuance.ImportReport, error) {
	file, err := os.Open(path) //nolint:gosec // the sample data of this module
	if err != nil {
		return issuance.ImportReport{}, fmt.Errorf("open the order file: %w", err)
	}
	defer func() { _ = file.Close() }()
	bar := d.screen.bar(wantCards+wantCertificates+wantWrong, "lines")
	defer func() { _ = bar.Finish() }()
	return d.house.Service.ImportOrders(ctx, by, file, func(line int) { _ = bar.Set(line) })
}

func explained(wrong []issuance.LineError) error {
	for _, w := range wrong {
		if w.Line < 2 || w.Field == "" || w.Why == "" {
			return fmt.Errorf("line %d is refused without field or reason", w.Line)
		}
	}
	return nil
}

// approveOrders tries what four eyes forbid, then approves everything.
func (d *demonstration) approveOrders(ctx context.Context) error {
	waiting, err := d.ordersIn(ctx, lifecycle.OrderSubmitted)
	if err != nil {
		return err
	}
	if err := d.tryOwnApproval(ctx, waiting); err != nil {
		return err
	}
	if err := d.approve(ctx, waiting); err != nil {
		return err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	err = d.house.Service.Approve(ctx, approver, waiting[0].ID, waiting[0].Hash())
	d.screen.check("an order is approved once", refused(err, lifecycle.Conflict))
	return nil
}

func (d *demonstration) ordersIn(ctx context.Context, state lifecycle.OrderState) ([]issuance.OrderContent, error) {
	var all []issuance.OrderContent
	var after lifecycle.OrderID
	for {
		ids, err := d.house.Service.OrdersInState(ctx, state, after)
		if err != nil || len(ids) == 0 {
			return all, err
		}
		for _, id := range ids {
			content, err := d.house.Service.ShowOrder(ctx, id)
			if err != nil {
				return nil, err
			}
			all = append(all, content)
			after = id
		}
	}
}

// tryOwnApproval has somebody who may both order and approve approve an order
// of their own, then approves what nobody was shown.
func (d *demonstration) tryOwnApproval(ctx context.Context, waiting []issuance.OrderContent) error {
	for _, o := range waiting {
		requester, err := d.house.Service.StaffActor(ctx, o.RequestedBy, lifecycle.RoleApprover)
		if errors.Is(err, lifecycle.Forbidden) {
			continue // orders, does not approve
		}
		if err != nil {
			return err
		}
		err = d.house.Service.Approve(ctx, requester, o.ID, o.Hash())
		d.screen.check("nobody approves an order of their own", refused(err, lifecycle.Forbidden))
		other, err := d.staff(ctx, lifecycle.RoleApprover)
		if err != nil {
			return err
		}
		o.FeeCents++
		err = d.house.Service.Approve(ctx, other, o.ID, o.Hash())
		d.screen.check("an approval covers what was shown and nothing else", refused(err, lifecycle.Conflict))
		return nil
	}
	return fmt.Errorf("%w: no order of somebody who may also approve", lifecycle.NotFound)
}

// approve approves orders in bulk, as they were shown.
func (d *demonstration) approve(ctx context.Context, orders []issuance.OrderContent) error {
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	bar := d.screen.bar(len(orders), "approvals")
	defer func() { _ = bar.Finish() }()
	const page = 20
	for start := 0; start < len(orders); start += page {
		shown := make(map[lifecycle.OrderID][32]byte)
		for _, o := range orders[start:min(start+page, len(orders))] {
			shown[o.ID] = o.Hash()
		}
		for _, r := range d.house.Service.ApproveMany(ctx, approver, shown) {
			if r.Err != nil {
				return fmt.Errorf("approve %s: %w", r.Order, r.Err)
			}
		}
		_ = bar.Add(len(shown))
	}
	return nil
}
