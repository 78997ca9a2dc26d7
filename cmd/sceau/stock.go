package main

import (
	"fmt"
	"os"
	"strings"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/lifecycle"
)

// stockCmd is about plastics, PIN-letter paper and readers.
type stockCmd struct {
	Receive stockReceiveCmd `cmd:"" help:"Take a delivery from outside into good stock."`
	Move    stockMoveCmd    `cmd:"" help:"Send stock from one place to another; somebody else receives it there."`
	Count   stockCountCmd   `cmd:"" help:"Count an item at a place: two people, the second without knowing the first figure."`
	Reject  stockRejectCmd  `cmd:"" help:"Take what is unfit out of good stock, to be destroyed."`
	Destroy stockDestroyCmd `cmd:"" help:"Destroy what is rejected: one lists it, another sees it done."`
	Cancel  stockCancelCmd  `cmd:"" help:"Withdraw what only began: a consignment that never left, a count, a destruction."`
	Settle  stockSettleCmd  `cmd:"" help:"An approver decides on what differs: the rest of a consignment, a count, a shortfall."`
	List    stockListCmd    `cmd:"" help:"Show what is where, what is low, what is under way and what differs."`
	Ledger  stockLedgerCmd  `cmd:"" help:"Show every movement of an item."`
	Find    stockFindCmd    `cmd:"" help:"Tell where a piece is, by its serial number."`
}

// keeperFlags are of whoever changes stock.
type keeperFlags struct {
	databaseFlags

	As string `help:"Login of the operator or security officer." required:""`
}

// goodsFlags say how many, or which.
type goodsFlags struct {
	Quantity *int64 `help:"How many." placeholder:"N"`
	Serials  string `help:"Which: serial numbers and ranges, as RD000001-RD000100,RD000105." placeholder:"LIST"`
}

func (f goodsFlags) read(w *world, h *house.House, item string) (issuance.Goods, error) {
	var g issuance.Goods
	if f.Quantity == nil && f.Serials == "" {
		return g, fmt.Errorf("%w: how many, or which? give --quantity or --serials", errUsage)
	}
	if f.Quantity != nil {
		g.Quantity = *f.Quantity
	}
	if f.Serials == "" {
		return g, nil
	}
	i, err := h.Service.StockItemOf(w.ctx, item)
	if err != nil {
		return g, err
	}
	g.Serials, err = i.ParseSerials(f.Serials)
	return g, err
}

// keep opens the house for a keeper of stock.
func (f keeperFlags) keep(w *world, work func(h *house.House, by lifecycle.Actor) error) error {
	return withHouse(w, f.databaseFlags, func(h *house.House) error {
		by, err := staff(w, h, f.As, lifecycle.StockKeepers()...)
		if err != nil {
			return err
		}
		return work(h, by)
	})
}

func withHouse(w *world, f databaseFlags, work func(h *house.House) error) error {
	h, err := openHouse(w, f, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	return work(h)
}

type stockReceiveCmd struct {
	keeperFlags
	goodsFlags

	Item  string `arg:"" help:"Stock item."`
	Place string `arg:"" help:"Where it arrived."`
	Note  string `help:"The delivery note." required:""`
}

// Run receives.
func (c stockReceiveCmd) Run(w *world) error {
	return c.keep(w, func(h *house.House, by lifecycle.Actor) error {
		goods, err := c.read(w, h, c.Item)
		if err != nil {
			return err
		}
		if err := h.Service.ReceiveStock(w.ctx, by, issuance.StockAt{Item: c.Item, Place: c.Place}, goods, c.Note); err != nil {
			return err
		}
		return say(w, "received at %s", c.Place)
	})
}

type stockMoveCmd struct {
	Send   stockSendCmd   `cmd:"" default:"withargs" help:"Send; without --serials the lowest go."`
	Arrive stockArriveCmd `cmd:"" help:"Receive what arrived of a consignment; what did not is a difference."`
}

type stockSendCmd struct {
	keeperFlags
	goodsFlags

	Item string `arg:"" help:"Stock item."`
	From string `arg:"" help:"Place that sends."`
	To   string `arg:"" help:"Place that receives."`
}

// Run sends.
func (c stockSendCmd) Run(w *world) error {
	return c.keep(w, func(h *house.House, by lifecycle.Actor) error {
		goods, err := c.read(w, h, c.Item)
		if err != nil {
			return err
		}
		id, err := h.Service.SendStock(w.ctx, by, issuance.StockAt{Item: c.Item, Place: c.From}, c.To, goods)
		if err != nil {
			return err
		}
		return say(w, "consignment %s", id)
	})
}

type stockArriveCmd struct {
	keeperFlags
	goodsFlags

	Item        string                  `arg:"" help:"Stock item."`
	Consignment lifecycle.ConsignmentID `arg:"" help:"The consignment."`
}

// Run receives a consignment.
func (c stockArriveCmd) Run(w *world) error {
	return c.keep(w, func(h *house.House, by lifecycle.Actor) error {
		goods, err := c.read(w, h, c.Item)
		if err != nil {
			return err
		}
		missing, err := h.Service.ArriveStock(w.ctx, by, c.Consignment, goods)
		if err != nil {
			return err
		}
		if missing.Quantity > 0 {
			return say(w, "%s is received but for %d: they wait in sceau stock list", c.Consignment, missing.Quantity)
		}
		return say(w, "%s is received", c.Consignment)
	})
}

type stockCancelCmd struct {
	keeperFlags

	ID string `arg:"" name:"id" help:"Consignment (SC-…), count (SN-…) or destruction (SD-…)."`
}

// Run cancels.
func (c stockCancelCmd) Run(w *world) error {
	return c.keep(w, func(h *house.House, by lifecycle.Actor) error {
		prefix, _, _ := strings.Cut(c.ID, "-")
		var err error
		switch prefix {
		case lifecycle.PrefixConsignment:
			err = h.Service.CancelConsignment(w.ctx, by, lifecycle.ConsignmentID(c.ID))
		case lifecycle.PrefixCount:
			err = h.Service.CancelCount(w.ctx, by, lifecycle.CountID(c.ID))
		case lifecycle.PrefixDestruction:
			err = h.Service.CancelDestruction(w.ctx, by, lifecycle.DestructionID(c.ID))
		default:
			err = fmt.Errorf("%w: %s is no consignment, count or destruction", errUsage, c.ID)
		}
		if err != nil {
			return err
		}
		return say(w, "%s is cancelled", c.ID)
	})
}

type stockCountCmd struct {
	Take   stockCountTakeCmd   `cmd:"" default:"withargs" help:"Give what you counted, as first or second: all that is there, --quantity 0 for nothing."`
	Refuse stockCountRefuseCmd `cmd:"" help:"An approver has a count that differs counted again."`
}

type stockCountTakeCmd struct {
	keeperFlags
	goodsFlags

	Item  string `arg:"" help:"Stock item."`
	Place string `arg:"" help:"Where it was counted."`
}

// Run takes a figure, and tells none.
func (c stockCountTakeCmd) Run(w *world) error {
	return c.keep(w, func(h *house.House, by lifecycle.Actor) error {
		goods, err := c.read(w, h, c.Item)
		if err != nil {
			return err
		}
		counted, err := h.Service.CountStock(w.ctx, by, issuance.StockAt{Item: c.Item, Place: c.Place}, goods)
		if err != nil {
			return err
		}
		next := map[lifecycle.CountState]string{
			lifecycle.CountOnce:      "somebody else counts next",
			lifecycle.CountAgreed:    "both agree with the books",
			lifecycle.CountDiffering: "it waits for an approver: see sceau stock list",
		}
		return say(w, "count %s: %s", counted.ID, next[counted.State])
	})
}

type stockCountRefuseCmd struct {
	databaseFlags

	Count lifecycle.CountID `arg:"" help:"The count."`
	As    string            `help:"Login of the approver." required:""`
	Why   string            `help:"Why; it is kept." required:""`
}

// Run refuses.
func (c stockCountRefuseCmd) Run(w *world) error {
	return withHouse(w, c.databaseFlags, func(h *house.House) error {
		by, err := staff(w, h, c.As, lifecycle.RoleApprover)
		if err != nil {
			return err
		}
		if err := h.Service.DiscardCount(w.ctx, by, c.Count, c.Why); err != nil {
			return err
		}
		return say(w, "%s is discarded: count again", c.Count)
	})
}

type stockRejectCmd struct {
	keeperFlags
	goodsFlags

	Item  string `arg:"" help:"Stock item."`
	Place string `arg:"" help:"Where it is."`
	Why   string `help:"Why it is unfit; it is kept." required:""`
}

// Run rejects.
func (c stockRejectCmd) Run(w *world) error {
	return c.keep(w, func(h *house.House, by lifecycle.Actor) error {
		goods, err := c.read(w, h, c.Item)
		if err != nil {
			return err
		}
		if err := h.Service.RejectStock(w.ctx, by, issuance.StockAt{Item: c.Item, Place: c.Place}, goods, c.Why); err != nil {
			return err
		}
		return say(w, "rejected at %s", c.Place)
	})
}

type stockDestroyCmd struct {
	Propose     stockProposeCmd     `cmd:"" default:"withargs" help:"List what is to be destroyed."`
	Confirm     stockConfirmCmd     `cmd:"" help:"As the second person, say that you saw it destroyed; the certificate is written."`
	Certificate stockCertificateCmd `cmd:"" help:"Write the certificate again, in any language."`
}

type stockProposeCmd struct {
	keeperFlags
	goodsFlags

	Item   string `arg:"" help:"Stock item."`
	Place  string `arg:"" help:"Where it is, rejected."`
	Method string `help:"How it will be destroyed; the certificate says it." required:""`
	Why    string `help:"Why; the certificate says it." required:""`
}

// Run proposes.
func (c stockProposeCmd) Run(w *world) error {
	return c.keep(w, func(h *house.House, by lifecycle.Actor) error {
		goods, err := c.read(w, h, c.Item)
		if err != nil {
			return err
		}
		id, err := h.Service.ProposeDestruction(w.ctx, by, issuance.StockAt{Item: c.Item, Place: c.Place}, goods, c.Method, c.Why)
		if err != nil {
			return err
		}
		return say(w, "destruction %s waits for a second person", id)
	})
}

// certificateFlags say where a certificate of destruction goes.
type certificateFlags struct {
	bankFlags

	Certificate string `help:"File for the certificate, PDF: to be printed and signed." required:"" placeholder:"FILE"`
	Language    string `help:"Language of the certificate: fr, nl, de or en." enum:"fr,nl,de,en" default:"fr"`
}

func (f certificateFlags) write(w *world, h *house.House, bank *house.Bank, id lifecycle.DestructionID) error {
	pdf, err := h.DestructionCertificate(w.ctx, bank, id, f.Language)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.Certificate, pdf, 0o600); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	return say(w, "certificate: %s", f.Certificate)
}

type stockConfirmCmd struct {
	keeperFlags
	certificateFlags

	Destruction lifecycle.DestructionID `arg:"" help:"The destruction."`
}

// Run confirms and writes the certificate.
func (c stockConfirmCmd) Run(w *world) error {
	bank, err := c.bankFlags.read()
	if err != nil {
		return err
	}
	return c.keep(w, func(h *house.House, by lifecycle.Actor) error {
		if err := h.Service.ConfirmDestruction(w.ctx, by, c.Destruction); err != nil {
			return err
		}
		return c.certificateFlags.write(w, h, bank, c.Destruction)
	})
}

type stockCertificateCmd struct {
	databaseFlags
	certificateFlags

	Destruction lifecycle.DestructionID `arg:"" help:"The destruction."`
}

// Run writes the certificate again.
func (c stockCertificateCmd) Run(w *world) error {
	bank, err := c.bankFlags.read()
	if err != nil {
		return err
	}
	return withHouse(w, c.databaseFlags, func(h *house.House) error {
		return c.certificateFlags.write(w, h, bank, c.Destruction)
	})
}

type stockSettleCmd struct {
	databaseFlags

	ID  string `arg:"" name:"id" help:"Consignment (SC-…), count (SN-…) or shortfall (SF-…)."`
	As  string `help:"Login of an approver who had no hand in it." required:""`
	Why string `help:"Why; it is kept." required:""`
}

// Run settles.
func (c stockSettleCmd) Run(w *world) error {
	return withHouse(w, c.databaseFlags, func(h *house.House) error {
		by, err := staff(w, h, c.As, lifecycle.RoleApprover)
		if err != nil {
			return err
		}
		if err := h.Service.SettleStock(w.ctx, by, c.ID, c.Why); err != nil {
			return err
		}
		return say(w, "%s is settled", c.ID)
	})
}
