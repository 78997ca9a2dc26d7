package issuance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// StockLog is one of the two logs of stock. Who looks after the one is not shown
// the other beside it.
type StockLog string

// The logs.
const (
	CardLog StockLog = "card" // plastics and readers
	PINLog  StockLog = "pin"  // paper of PIN letters
)

// LogOf is the log that an item is kept in.
func LogOf(kind lifecycle.StockKind) StockLog {
	if kind == lifecycle.StockPaper {
		return PINLog
	}
	return CardLog
}

// StockBalance is how much of an item is at a place in one condition.
type StockBalance struct {
	Item, Place string
	PlaceName   string
	Kind        lifecycle.StockKind
	Condition   lifecycle.StockCondition
	Quantity    int64
	Minimum     int64 // 0: none
}

// Low tells whether it is below its minimum.
func (b StockBalance) Low() bool { return b.Quantity < b.Minimum }

// StockBalances are the sums of one log.
func (s *Service) StockBalances(ctx context.Context, of StockLog) ([]StockBalance, error) {
	rows, err := s.store.StockBalances(ctx)
	if err != nil {
		return nil, fmt.Errorf("balances of stock: %w", err)
	}
	var all []StockBalance
	for _, r := range rows {
		if LogOf(r.Kind) == of {
			all = append(all, StockBalance{
				Item: r.Item, Place: r.Place, PlaceName: r.PlaceName, Kind: r.Kind, Condition: r.Condition, Quantity: r.Quantity, Minimum: r.Minimum,
			})
		}
	}
	return all, nil
}

// StockAlarms are the balances of both logs that are below their minimum.
func (s *Service) StockAlarms(ctx context.Context) ([]StockBalance, error) {
	var low []StockBalance
	for _, of := range []StockLog{CardLog, PINLog} {
		all, err := s.StockBalances(ctx, of)
		if err != nil {
			return nil, err
		}
		for _, b := range all {
			if b.Low() {
				low = append(low, b)
			}
		}
	}
	return low, nil
}

// StockMatter is something of stock that somebody has to see to.
type StockMatter struct {
	ID          string
	Thing       string // consignment, count, destruction, shortfall
	State       string
	Differs     bool // it is a difference, not only under way
	Item, Place string
	Goods       string // what is in transit, missing or short; of a count nothing before the second figure
	Since       time.Time
	Why         string
}

const maxMatters = 500

// StockMatters are what is under way and what differs, of one log, at most 500 of
// each thing.
func (s *Service) StockMatters(ctx context.Context, of StockLog) ([]StockMatter, error) {
	items, err := s.stockItems(ctx)
	if err != nil {
		return nil, err
	}
	var all []StockMatter
	for _, list := range []func(context.Context, map[string]StockItem) ([]StockMatter, error){
		s.consignmentMatters, s.countMatters, s.destructionMatters, s.shortfallMatters,
	} {
		some, err := list(ctx, items)
		if err != nil {
			return nil, err
		}
		for _, m := range some {
			if LogOf(items[m.Item].Kind) == of {
				all = append(all, m)
			}
		}
	}
	return all, nil
}

func (s *Service) stockItems(ctx context.Context) (map[string]StockItem, error) {
	rows, err := s.store.StockItems(ctx)
	if err != nil {
		return nil, fmt.Errorf("stock items: %w", err)
	}
	items := make(map[string]StockItem, len(rows))
	for _, r := range rows {
		items[r.Code] = stockItemOf(r)
	}
	return items, nil
}

func (s *Service) consignmentMatters(ctx context.Context, items map[string]StockItem) ([]StockMatter, error) {
	rows, err := s.store.OpenConsignments(ctx, maxMatters)
	if err != nil {
		return nil, fmt.Errorf("consignments: %w", err)
	}
	matters := make([]StockMatter, len(rows))
	for n, r := range rows {
		goods, err := unpack[Goods](r.Outstanding)
		if err != nil {
			return nil, err
		}
		matters[n] = StockMatter{
			ID: string(r.ID), Thing: lifecycle.Consignments.Thing, State: string(r.State), Differs: r.State == lifecycle.ConsignmentDiffering,
			Item: r.Item, Place: r.ToPlace, Goods: items[r.Item].Text(goods), Since: r.SentAt, Why: "from " + r.FromPlace + " by " + r.SentBy,
		}
	}
	return matters, nil
}

func (s *Service) countMatters(ctx context.Context, items map[string]StockItem) ([]StockMatter, error) {
	rows, err := s.store.OpenCounts(ctx, maxMatters)
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	matters := make([]StockMatter, len(rows))
	for n, r := range rows {
		m := StockMatter{
			ID: string(r.ID), Thing: lifecycle.Counts.Thing, State: string(r.State), Item: r.Item, Place: r.Place, Since: r.FirstAt,
			Why: "counted by " + r.FirstBy + ", waits for a second figure",
		}
		if r.State == lifecycle.CountDiffering {
			first, err := unpack[figure](r.FirstFound)
			if err != nil {
				return nil, err
			}
			second, err := unpack[figure](r.SecondFound)
			if err != nil {
				return nil, err
			}
			item := items[r.Item]
			m.Differs = true
			m.Goods, m.Why = second.text(item), "the two agree"
			if !first.same(second) {
				m.Goods, m.Why = first.text(item)+"; "+second.text(item), "the two differ: have it counted again"
			}
		}
		matters[n] = m
	}
	return matters, nil
}

func (s *Service) destructionMatters(ctx context.Context, items map[string]StockItem) ([]StockMatter, error) {
	rows, err := s.store.OpenDestructions(ctx, maxMatters)
	if err != nil {
		return nil, fmt.Errorf("destructions: %w", err)
	}
	matters := make([]StockMatter, len(rows))
	for n, r := range rows {
		goods, err := unpack[Goods](r.Goods)
		if err != nil {
			return nil, err
		}
		matters[n] = StockMatter{
			ID: string(r.ID), Thing: lifecycle.Destructions.Thing, State: string(r.State), Item: r.Item, Place: r.Place,
			Goods: items[r.Item].Text(goods), Since: r.ProposedAt, Why: "proposed by " + r.ProposedBy + ": " + r.Reason,
		}
	}
	return matters, nil
}

func (s *Service) shortfallMatters(ctx context.Context, items map[string]StockItem) ([]StockMatter, error) {
	rows, err := s.store.OpenShortfalls(ctx, maxMatters)
	if err != nil {
		return nil, fmt.Errorf("shortfalls: %w", err)
	}
	matters := make([]StockMatter, len(rows))
	for n, r := range rows {
		goods, err := unpack[Goods](r.Goods)
		if err != nil {
			return nil, err
		}
		matters[n] = StockMatter{
			ID: string(r.ID), Thing: lifecycle.Shortfalls.Thing, State: string(r.State), Differs: true, Item: r.Item, Place: r.Place,
			Goods: items[r.Item].Text(goods), Since: r.At, Why: string(r.Condition) + " by " + r.Reference + ": " + r.Why,
		}
	}
	return matters, nil
}

// SettleStock lets an approver who had no hand in it decide on what differs, with
// a reason: a consignment's rest is written off, a count's difference is booked, a
// shortfall is let be.
func (s *Service) SettleStock(ctx context.Context, by lifecycle.Actor, id, reason string) error {
	if err := checkNote("why", reason); err != nil {
		return err
	}
	prefix, _, _ := strings.Cut(id, "-")
	switch prefix {
	case lifecycle.PrefixConsignment:
		return s.settleConsignment(ctx, by, lifecycle.ConsignmentID(id), reason)
	case lifecycle.PrefixCount:
		return s.adjustCount(ctx, by, lifecycle.CountID(id), reason)
	case lifecycle.PrefixShortfall:
		return s.settleShortfall(ctx, by, lifecycle.ShortfallID(id), reason)
	}
	return &lifecycle.FieldError{Field: "id", Why: "name a consignment (SC-…), a count (SN-…) or a shortfall (SF-…)"}
}

func (s *Service) settleShortfall(ctx context.Context, by lifecycle.Actor, id lifecycle.ShortfallID, reason string) error {
	if err := lifecycle.CheckID(lifecycle.PrefixShortfall, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		f, err := tx.LockShortfall(ctx, id)
		if err != nil {
			return fmt.Errorf("shortfall %s: %w", id, err)
		}
		return s.moveShortfall(ctx, tx, &f, lifecycle.Approve, by, reason)
	})
}

// StockItemOf reads an item: how its serial numbers are written.
func (s *Service) StockItemOf(ctx context.Context, code string) (StockItem, error) {
	row, err := s.store.StockItem(ctx, code)
	if isNotFound(err) {
		return StockItem{}, &lifecycle.FieldError{Field: "item", Why: fmt.Sprintf("the bank keeps no stock of %q: see sceau stock list", shortened(code))}
	}
	if err != nil {
		return StockItem{}, fmt.Errorf("stock item %s: %w", code, err)
	}
	return stockItemOf(row), nil
}

// FindSerial tells where a piece is and how it stands there.
func (s *Service) FindSerial(ctx context.Context, code, serial string) (place string, condition lifecycle.StockCondition, err error) {
	row, err := s.store.StockItem(ctx, code)
	if err != nil {
		return "", "", fmt.Errorf("stock item %s: %w", code, err)
	}
	n, err := stockItemOf(row).ParseSerial(serial)
	if err != nil {
		return "", "", err
	}
	found, err := s.store.RangesOver(ctx, row.Number, n, n)
	if err != nil {
		return "", "", fmt.Errorf("serial numbers of %s: %w", code, err)
	}
	if len(found) == 0 {
		return "", "", fmt.Errorf("%w: the books have no %s", lifecycle.NotFound, serial)
	}
	return found[0].Place, found[0].Condition, nil
}

// StockMovements pages through an item's ledger, oldest first, after the given
// movement.
func (s *Service) StockMovements(ctx context.Context, item string, after int64) ([]db.StockMovement, error) {
	rows, err := s.store.StockMovements(ctx, item, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("ledger of %s: %w", item, err)
	}
	return rows, nil
}
