package issuance_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"sceau/issuance"
	"sceau/lifecycle"
)

// drawer is a bank in whose stock anybody does anything. Its lists only grow; mu
// guards them.
type drawer struct {
	*house

	mu           sync.Mutex
	consignments []lifecycle.ConsignmentID
	counts       []lifecycle.CountID
	destructions []lifecycle.DestructionID
}

var drawerPlaces = []string{"print-room", "FR01", "print-room", "FR01", "BE02", "print-room", "vault", "bureau-1", "nowhere"}

func drawerStock(d dice) issuance.StockAt {
	return at([]string{reader, paper, reader, plastic}[d.roll("item", 4)], drawerPlaces[d.roll("place", len(drawerPlaces))])
}

// anyGoods are a few pieces, by number or by serial number, in a small world of
// them so that they meet.
func anyGoods(d dice, item string) issuance.Goods {
	if item == paper || d.roll("by number", 2) == 0 {
		return pieces(int64(d.roll("quantity", 8)))
	}
	var g issuance.Goods
	for range 1 + d.roll("ranges", 4)/3 {
		first := int64(d.roll("first", 60))
		g.Serials = append(g.Serials, issuance.SerialRange{First: first, Last: first + int64(d.roll("more", 3))})
	}
	return g
}

func recent[T any](w *drawer, d dice, list *[]T) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var zero T
	if len(*list) == 0 {
		return zero, errNothing
	}
	return (*list)[len(*list)-1-d.roll("which", min(len(*list), 6))], nil
}

func (w *drawer) kept(add func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add()
}

// steps are everything that can be done with stock.
func (w *drawer) steps() map[string]action {
	keepers := []lifecycle.Actor{leonie, uwe, maxence}
	move := map[string]action{
		"receive": func(ctx context.Context, d dice) error {
			where := drawerStock(d)
			return w.ReceiveStock(ctx, someone(d, keepers...), where, anyGoods(d, where.Item), "D-1")
		},
		"send": func(ctx context.Context, d dice) error {
			where := drawerStock(d)
			id, err := w.SendStock(ctx, someone(d, keepers...), where, drawerPlaces[d.roll("to", len(drawerPlaces))], anyGoods(d, where.Item))
			if err == nil {
				w.kept(func() { w.consignments = append(w.consignments, id) })
			}
			return err
		},
		"send a little": func(ctx context.Context, d dice) error {
			where := at([]string{paper, reader}[d.roll("item", 2)], "print-room")
			_, err := w.SendStock(ctx, keepers[d.roll("who", len(keepers))], where, "BE02", pieces(int64(1+d.roll("quantity", 3))))
			return err
		},
		"arrive": func(ctx context.Context, d dice) error {
			id, err := recent(w, d, &w.consignments)
			if err != nil {
				return err
			}
			_, err = w.ArriveStock(ctx, someone(d, keepers...), id, anyGoods(d, []string{paper, reader}[d.roll("kind", 2)]))
			return err
		},
		"arrive well": func(ctx context.Context, d dice) error {
			of := []issuance.StockLog{issuance.CardLog, issuance.PINLog}[d.roll("log", 2)]
			open, err := w.StockMatters(ctx, of)
			open = slices.DeleteFunc(open, func(m issuance.StockMatter) bool { return m.Thing != "consignment" })
			if err != nil || len(open) == 0 {
				return errors.Join(err, errNothing)
			}
			m := open[d.roll("which", len(open))]
			goods, err := w.goodsOf(ctx, m)
			if err != nil {
				return err
			}
			switch n := len(goods.Serials); { // a part of it, now and then
			case d.roll("part", 3) > 0:
			case n == 0:
				goods.Quantity--
			default:
				goods.Serials[n-1].Last = goods.Serials[n-1].First
			}
			_, err = w.ArriveStock(ctx, keepers[d.roll("who", len(keepers))], lifecycle.ConsignmentID(m.ID), goods)
			return err
		},
		"cancel": func(ctx context.Context, d dice) error {
			id, err := recent(w, d, &w.consignments)
			if err != nil {
				return err
			}
			return w.CancelConsignment(ctx, someone(d, keepers...), id)
		},
		"settle": func(ctx context.Context, d dice) error {
			all, err := w.StockMatters(ctx, []issuance.StockLog{issuance.CardLog, issuance.PINLog}[d.roll("log", 2)])
			if err != nil || len(all) == 0 {
				return errors.Join(err, errNothing)
			}
			return w.SettleStock(ctx, someone(d, irene, daan), all[d.roll("which", len(all))].ID, "because")
		},
	}
	for name, do := range w.countSteps(keepers) {
		move[name] = do
	}
	return move
}

// goodsOf are the goods that a matter tells of.
func (w *drawer) goodsOf(ctx context.Context, m issuance.StockMatter) (g issuance.Goods, err error) {
	number, ranges, numbered := strings.Cut(strings.TrimSuffix(m.Goods, ")"), " (")
	if !numbered {
		g.Quantity, err = strconv.ParseInt(number, 10, 64)
		return g, err
	}
	item, err := w.StockItemOf(ctx, m.Item)
	if err != nil {
		return g, err
	}
	g.Serials, err = item.ParseSerials(ranges)
	return g, err
}

func (w *drawer) countSteps(keepers []lifecycle.Actor) map[string]action {
	return map[string]action{
		"count": func(ctx context.Context, d dice) error {
			where := drawerStock(d)
			counted, err := w.CountStock(ctx, someone(d, keepers...), where, anyGoods(d, where.Item))
			if err == nil {
				w.kept(func() { w.counts = append(w.counts, counted.ID) })
			}
			return err
		},
		"stock count alike": func(ctx context.Context, d dice) error {
			where := drawerStock(d)
			goods := anyGoods(d, where.Item)
			_, err := w.CountStock(ctx, leonie, where, goods)
			if err != nil {
				return err
			}
			_, err = w.CountStock(ctx, uwe, where, goods)
			return err
		},
		"discard": func(ctx context.Context, d dice) error {
			id, err := recent(w, d, &w.counts)
			if err != nil {
				return err
			}
			return w.DiscardCount(ctx, someone(d, irene, daan), id, "again")
		},
		"reject": func(ctx context.Context, d dice) error {
			where := drawerStock(d)
			return w.RejectStock(ctx, someone(d, keepers...), where, anyGoods(d, where.Item), "bent")
		},
		"propose": func(ctx context.Context, d dice) error {
			where := drawerStock(d)
			id, err := w.ProposeDestruction(ctx, someone(d, keepers...), where, anyGoods(d, where.Item), "shredded", "bent")
			if err == nil {
				w.kept(func() { w.destructions = append(w.destructions, id) })
			}
			return err
		},
		"destroy": func(ctx context.Context, d dice) error {
			id, err := recent(w, d, &w.destructions)
			if err != nil {
				return err
			}
			return w.ConfirmDestruction(ctx, someone(d, keepers...), id)
		},
	}
}

// Whatever is done with stock by whomever: no balance is ever negative, the
// ledger's sums are the balances, no serial number is in two places, and what is
// refused changes nothing.
func TestNoSequenceOfMovementsLeavesTheBooksOfStockWrong(t *testing.T) {
	t.Parallel()
	h := setupStock(t)
	rapid.Check(t, func(t *rapid.T) {
		w := &drawer{house: h}
		steps := map[string]func(*rapid.T){}
		for name, do := range w.steps() {
			steps[name] = func(t *rapid.T) { (&world{house: h}).step(t, name, do) }
		}
		t.Repeat(steps)
		for _, wrong := range h.wrongStock(t.Context(), t) {
			t.Error(wrong)
		}
	})
	h.wantReached(t, "received", "in_transit", "differing", "rejected")
}

// The same with several at once.
func TestManyAtOnceKeepTheBooksOfStock(t *testing.T) {
	t.Parallel()
	const players, turns = 5, 120
	h := setupStock(t)
	w := &drawer{house: h}
	steps := w.steps()
	names := make([]string, 0, len(steps))
	for name := range steps {
		names = append(names, name)
	}
	slices.Sort(names)
	var play sync.WaitGroup
	for player := range players {
		play.Go(func() {
			die := chance{rand.New(rand.NewPCG(uint64(player), 20260302))}
			for range turns {
				name := names[die.IntN(len(names))]
				err := steps[name](context.WithoutCancel(t.Context()), die)
				if err != nil && !errors.Is(err, errNothing) && !refusal(err) {
					t.Errorf("%s: %v: not an error that a caller can act on", name, err)
				}
			}
		})
	}
	play.Wait()
	h.wantReached(t, "in_transit", "received", "counted_once")
}
