package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
)

type stockListCmd struct {
	databaseFlags

	Log issuance.StockLog `help:"card: plastics and readers; pin: paper of PIN letters. The two are never shown together." enum:"card,pin" default:"card"`
}

// Run shows the balances of a log, then what is under way and what differs.
func (c stockListCmd) Run(w *world) error {
	return withHouse(w, c.databaseFlags, func(h *house.House) error {
		balances, err := h.Service.StockBalances(w.ctx, c.Log)
		if err != nil {
			return err
		}
		matters, err := h.Service.StockMatters(w.ctx, c.Log)
		if err != nil {
			return err
		}
		out := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
		for _, b := range balances {
			_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%s\n", b.Item, b.Place, b.Condition, b.Quantity, minimum(b))
		}
		for _, m := range matters {
			mark := ""
			if m.Differs {
				mark = "DIFFERS"
			}
			_, _ = fmt.Fprintf(out, "%s\t%s %s\t%s at %s\t%s\t%s %s\n", m.ID, m.Thing, m.State, m.Item, m.Place, m.Goods, mark, m.Why)
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("show the stock: %w", err)
		}
		return nil
	})
}

func minimum(b issuance.StockBalance) string {
	switch {
	case b.Low():
		return fmt.Sprintf("LOW: below %d", b.Minimum)
	case b.Minimum > 0:
		return fmt.Sprintf("minimum %d", b.Minimum)
	}
	return ""
}

type stockLedgerCmd struct {
	databaseFlags

	Item string `arg:"" help:"Stock item."`
}

// Run shows an item's movements, oldest first.
func (c stockLedgerCmd) Run(w *world) error {
	return withHouse(w, c.databaseFlags, func(h *house.House) error {
		item, err := h.Service.StockItemOf(w.ctx, c.Item)
		if err != nil {
			return err
		}
		var after int64
		for {
			page, err := h.Service.StockMovements(w.ctx, c.Item, after)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, m := range page {
				after = m.ID
				goods := issuance.Goods{Quantity: m.Quantity}
				if m.FirstSerial != nil && m.LastSerial != nil {
					goods.Serials = []issuance.SerialRange{{First: *m.FirstSerial, Last: *m.LastSerial}}
				}
				from := "outside"
				if m.FromPlace != nil && m.FromCondition != nil {
					from = *m.FromPlace + " " + string(*m.FromCondition)
				}
				if err := say(w, "%s  %s:%s  %s  %s  %s -> %s %s  %s  %s", m.At.UTC().Format(time.RFC3339), m.Role, m.Actor, m.Event, item.Text(goods),
					from, m.ToPlace, m.ToCondition, m.Reference, m.Reason); err != nil {
					return err
				}
			}
		}
	})
}

type stockFindCmd struct {
	databaseFlags

	Item   string `arg:"" help:"Stock item."`
	Serial string `arg:"" help:"Serial number."`
}

// Run finds.
func (c stockFindCmd) Run(w *world) error {
	return withHouse(w, c.databaseFlags, func(h *house.House) error {
		place, condition, err := h.Service.FindSerial(w.ctx, c.Item, c.Serial)
		if err != nil {
			return err
		}
		return say(w, "%s: %s, %s", c.Serial, place, condition)
	})
}

// stock tells the doctor what is low and what differs.
func stock(w *world, h *house.House) []examination {
	low, err := h.Service.StockAlarms(w.ctx)
	if err != nil {
		return []examination{{what: "stock", err: err}}
	}
	table := make([]examination, 0, len(low)+1)
	for _, b := range low {
		table = append(table, examination{
			what: "stock of " + b.Item + " at " + b.Place, err: fmt.Errorf("%d, below the minimum of %d: move or order some", b.Quantity, b.Minimum),
		})
	}
	differs := 0
	for _, log := range []issuance.StockLog{issuance.CardLog, issuance.PINLog} {
		matters, err := h.Service.StockMatters(w.ctx, log)
		if err != nil {
			return append(table, examination{what: "stock", err: err})
		}
		for _, m := range matters {
			if m.Differs {
				differs++
			}
		}
	}
	e := examination{what: "books of stock", found: "nothing differs"}
	if differs > 0 {
		e.err = fmt.Errorf("%d differences wait: see sceau stock list for each log", differs)
	}
	return append(table, e)
}
