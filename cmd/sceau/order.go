package main

import (
	"encoding/hex"
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// orderCmd is about single orders; files of them come by sceau import.
type orderCmd struct {
	Submit  orderSubmitCmd  `cmd:"" help:"Order a card, another PIN, a reset of a PIN try counter or a certificate for a holder on record."`
	Show    orderShowCmd    `cmd:"" help:"Show what an approver decides on, and the hash that the decision covers."`
	Approve orderApproveCmd `cmd:"" help:"Approve what was shown; never one's own order."`
	Refuse  orderRefuseCmd  `cmd:"" help:"Refuse what was shown, with a reason for the requester."`
	Edit    orderEditCmd    `cmd:"" help:"Change a card order that is not under way; an approval given before is void."`
	List    orderListCmd    `cmd:"" help:"List the orders in a state, oldest first."`
	Retry   orderRetryCmd   `cmd:"" help:"Take a failed order up again where it stopped, once what was wrong is mended."`
	Cancel  orderCancelCmd  `cmd:"" help:"Withdraw an order that is not under way; an approver cancels one that failed."`
}

// orderers are the roles in which orders are given and changed.
func orderers() []lifecycle.Role {
	return []lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer}
}

// oneOrder is what the commands about one order take.
type oneOrder struct {
	asStaff

	Order lifecycle.OrderID `arg:"" help:"The order."`
}

type orderListCmd struct {
	databaseFlags

	State lifecycle.OrderState `help:"submitted, approved, in_progress, completed, failed, refused or cancelled." enum:"submitted,approved,in_progress,completed,failed,refused,cancelled" default:"submitted"`
}

// Run lists.
func (c orderListCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	var after lifecycle.OrderID
	for {
		page, err := h.Service.OrderLines(w.ctx, c.State, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return table.Flush()
		}
		for _, o := range page {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", o.ID, o.Kind, o.Created.Format(time.RFC3339), o.RequestedBy, o.Failure)
			after = o.ID
		}
	}
}

type orderRetryCmd struct{ oneOrder }

// Run retries.
func (c orderRetryCmd) Run(w *world) error {
	return c.do(w, []lifecycle.Role{lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer}, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.Retry(w.ctx, by, c.Order); err != nil {
			return err
		}
		return say(w, "%s is under way again", c.Order)
	})
}

type orderCancelCmd struct {
	oneOrder

	Why string `help:"Why; it stays with the order." required:"" aliases:"reason"`
}

// Run cancels, in the role that the order's state asks for.
func (c orderCancelCmd) Run(w *world) error {
	return c.do(w, lifecycle.StaffRoles(), func(h *house.House, _ lifecycle.Actor) error {
		order, err := h.Service.Order(w.ctx, c.Order)
		if err != nil {
			return err
		}
		roles := orderers()
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
		return say(w, "%s is cancelled", c.Order)
	})
}

// shown is the order as its approver saw it.
type shown struct {
	oneOrder

	Hash string `help:"The hash that sceau order show gave: what is decided on is what was shown." required:"" placeholder:"HEX"`
}

func (c shown) hash() ([32]byte, error) {
	raw, err := hex.DecodeString(c.Hash)
	if err != nil || len(raw) != 32 {
		return [32]byte{}, &lifecycle.FieldError{Field: "hash", Why: "has 64 hexadecimal digits, as sceau order show gives them"}
	}
	return [32]byte(raw), nil
}

func (c shown) decide(w *world, done string, decide func(h *house.House, by lifecycle.Actor, hash [32]byte) error) error {
	hash, err := c.hash()
	if err != nil {
		return err
	}
	return c.do(w, []lifecycle.Role{lifecycle.RoleApprover}, func(h *house.House, by lifecycle.Actor) error {
		if err := decide(h, by, hash); err != nil {
			return err
		}
		return say(w, "%s is %s", c.Order, done)
	})
}

type orderApproveCmd struct{ shown }

// Run approves.
func (c orderApproveCmd) Run(w *world) error {
	return c.decide(w, "approved", func(h *house.House, by lifecycle.Actor, hash [32]byte) error {
		return h.Service.Approve(w.ctx, by, c.Order, hash)
	})
}

type orderRefuseCmd struct {
	shown

	Why string `help:"Why; the requester reads it." required:"" aliases:"reason"`
}

// Run refuses.
func (c orderRefuseCmd) Run(w *world) error {
	return c.decide(w, "refused", func(h *house.House, by lifecycle.Actor, hash [32]byte) error {
		return h.Service.Refuse(w.ctx, by, c.Order, hash, c.Why)
	})
}
