package store

import (
	"context"
	"slices"
	"testing"

	"sceau/store/db"
)

// numbers reads as the code does that sqlc makes: to the end, which it takes for the
// last row.
func numbers(ctx context.Context, p *paging, sql string) (all []int, err error) {
	rows, err := p.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

func TestOneStatementIsReadInPages(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, rows := range []int{0, 1, 3, 7, 9} {
		p := &paging{DBTX: translated{s.pool}, size: 3}
		var got []int
		for !p.ended {
			page, err := numbers(t.Context(), p, "SELECT generate_series(1, "+string(rune('0'+rows))+")")
			if err != nil || len(page) > p.size {
				t.Fatalf("a page of %d rows, %v", len(page), err)
			}
			got = append(got, page...)
		}
		p.close()
		want := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}[:rows]
		if !slices.Equal(got, want) {
			t.Errorf("%d rows: %v", rows, got)
		}
	}
	if n := s.pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are still in use", n)
	}
}

func TestAStatementThatFailsOnTheWayIsNoLastPage(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := &paging{DBTX: translated{s.pool}, size: 3}
	defer p.close()
	for range 10 {
		if _, err := numbers(t.Context(), p, "SELECT 1 / (5 - n) FROM generate_series(1, 8) AS n"); err != nil {
			return
		}
	}
	t.Error("nobody hears of it")
}

func TestWithoutADatabaseNothingIsHandedOn(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.EveryStatus(ctx, func([]db.EveryStatusRow) { t.Error("a page is handed on") }); err == nil {
		t.Errorf("error %v", err)
	}
}
