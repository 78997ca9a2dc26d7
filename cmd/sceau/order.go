package main

import (
	"fmt"

	"sceau/issuance"
	"sceau/lifecycle"
)

// orderCmd is about orders that need a person.
type orderCmd struct {
	Failed orderFailedCmd `cmd:"" help:"List the orders that failed, and why."`
	Retry  orderRetryCmd  `cmd:"" help:"Take a failed order up again where it stopped, once what was wrong is mended."`
	Cancel orderCancelCmd `cmd:"" help:"Withdraw an order that is not under way; an approver cancels one that failed."`
}

type orderFailedCmd struct{ databaseFlags }

// Run lists.
func (c orderFailedCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	var after lifecycle.OrderID
	for {
		page, err := h.Service.OrdersInState(w.ctx, lifecycle.OrderFailed, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, id := range page {
			order, err := h.Service.Order(w.ctx, id)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w.out, "%s  %s  %s\n", id, order.Kind, order.Failure); err != nil {
				return err
			}
			after = id
		}
	}
}

type orderRetryCmd struct {
	databaseFlags

	Order lifecycle.OrderID `arg:"" help:"The order."`
	As    string            `help:"Login of the operator or security officer." required:""`
}

// Run retries.
func (c orderRetryCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	by, err := staff(w, h, c.As, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	if err := h.Service.Retry(w.ctx, by, c.Order); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s is under way again\n", c.Order)
	return err
}

type orderCancelCmd struct {
	databaseFlags

	Order lifecycle.OrderID `arg:"" help:"The order."`
	As    string            `help:"Login of who cancels." required:""`
	Why   string            `help:"Why; it stays with the order." required:""`
}

// Run cancels, in the role that the order's state asks for.
func (c orderCancelCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	order, err := h.Service.Order(w.ctx, c.Order)
	if err != nil {
		return err
	}
	roles := []lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer}
	if order.State == lifecycle.OrderFailed {
		roles = []lifecycle.Role{lifecycle.RoleApprover}
	}
	by, err := staff(w, h, c.As, roles...)
	if err != nil {
		return err
	}
	if err := h.Service.Cancel(w.ctx, by, c.Order, c.Why); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s is cancelled\n", c.Order)
	return err
}
