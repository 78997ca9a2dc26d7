package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// OrderFilter says which orders a relying service wants listed; what is empty leaves
// none out.
type OrderFilter struct {
	State    lifecycle.OrderState
	ClientID string
	After    lifecycle.OrderID // the last one of the page before
	Most     int
}

// ListedOrder is an order in a relying service's list.
type ListedOrder struct {
	ID         lifecycle.OrderID
	Kind       lifecycle.OrderKind
	State      lifecycle.OrderState
	Reference  string
	Failure    string
	ClientID   string
	UserNumber string
	Created    time.Time
	Updated    time.Time
}

// OrdersPage lists orders by their identifiers, which sort by age; more says that there
// are others.
func (s *Service) OrdersPage(ctx context.Context, f OrderFilter) (page []ListedOrder, more bool, err error) {
	if f.After != "" {
		if err := lifecycle.CheckID(lifecycle.PrefixOrder, string(f.After)); err != nil {
			return nil, false, &lifecycle.FieldError{Field: "after", Why: "is the identifier of an order: give the last one's of the page before, or nothing"}
		}
	}
	rows, err := s.store.OrdersPage(ctx, db.OrdersPageParams{
		After: f.After, State: string(f.State), ClientID: f.ClientID, MaxRows: int32(min(f.Most, pageSize)) + 1, //nolint:gosec // a page
	})
	if err != nil {
		return nil, false, fmt.Errorf("orders: %w", err)
	}
	if more = len(rows) > f.Most; more {
		rows = rows[:f.Most]
	}
	page = make([]ListedOrder, len(rows))
	for i, r := range rows {
		page[i] = ListedOrder{
			ID: r.ID, Kind: r.Kind, State: r.State, Reference: deref(r.Reference), Failure: r.Failure, ClientID: r.ClientID, UserNumber: r.UserNumber,
			Created: r.CreatedAt.UTC(), Updated: r.UpdatedAt.UTC(),
		}
	}
	return page, more, nil
}
