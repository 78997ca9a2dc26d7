package bench_test

import (
	"errors"
	"testing"

	"sceau/internal/bench"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

var errNotOne = errors.New("the update did not change one row")

// BenchmarkStateChange makes state changes by the one door, 16 at a time, with
// fsync. The limit is a transaction with the update alone.
func BenchmarkStateChange(b *testing.B) {
	st := newStore(b)
	const changes = 1000
	p := populate(b, st, 2*changes, 2*changes)
	queue, err := jobs.NewEnqueuer()
	if err != nil {
		b.Fatal(err)
	}
	service, err := issuance.New(st, nil, queue, jobs.CSRChecker{}, issuance.DefaultPolicy(), clock)
	if err != nil {
		b.Fatal(err)
	}
	operator := lifecycle.Actor{ID: "a.martin", Role: lifecycle.RoleOperator}

	// Each run is undone by the next one: suspend, resume, suspend.
	var on bool
	toggle := func() error { on = !on; return nil }
	b.Run("card_state_and_trail", func(b *testing.B) {
		on = false
		ours := func(i int) error {
			if on {
				return service.Suspend(b.Context(), operator, p.cards[i].ID)
			}
			return service.Resume(b.Context(), operator, p.cards[i].ID)
		}
		var limitOn bool
		limit := func(i int) error {
			from, to := lifecycle.CardSuspended, lifecycle.CardActive
			if limitOn {
				from, to = to, from
			}
			return st.InTx(b.Context(), func(tx store.Tx) error {
				return one(tx.SetCardState(b.Context(), db.SetCardStateParams{ToState: to, At: benchNow, ID: p.cards[changes+i].ID, FromState: from}))
			})
		}
		compareChanges(b, changes, toggle, ours, func() error { limitOn = !limitOn; return nil }, limit)
	})
	b.Run("certificate_state_trail_list_and_2_jobs", func(b *testing.B) {
		on = false
		ours := func(i int) error {
			if on {
				return service.Hold(b.Context(), operator, p.certificates[i])
			}
			return service.Release(b.Context(), operator, p.certificates[i])
		}
		var limitOn bool
		limit := func(i int) error {
			from, to := lifecycle.CertHeld, lifecycle.CertActive
			if limitOn {
				from, to = to, from
			}
			return st.InTx(b.Context(), func(tx store.Tx) error {
				return one(tx.SetCertificateState(b.Context(),
					db.SetCertificateStateParams{ToState: to, At: benchNow, ID: p.certificates[changes+i], FromState: from}))
			})
		}
		compareChanges(b, changes, toggle, ours, func() error { limitOn = !limitOn; return nil }, limit)
	})
}

func compareChanges(b *testing.B, n int, prepareOurs func() error, ours func(i int) error, prepareLimit func() error, limit func(i int) error) {
	b.Helper()
	bench.Comparison{
		Ours: bench.Side{Name: "change", Ops: n, Prepare: prepareOurs, Run: func() error { return bench.Parallel(connections, n, ours) }},
		Limits: []bench.Side{{Name: "update_only", Ops: n, Prepare: prepareLimit, Run: func() error {
			return bench.Parallel(connections, n, limit)
		}}},
	}.Measure(b)
}

func one(n int64, err error) error {
	if err == nil && n != 1 {
		return errNotOne
	}
	return err
}
