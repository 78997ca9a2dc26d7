// Package bench measures Sceau beside two kinds of company: a limit, which is
// the least that the work can cost on this machine, and a peer, which is what
// others would use instead. A machine's speed drifts by tens of per cent within
// minutes, so only figures of the same moment are compared: all sides are
// visited in every round, each round gives one ratio, and the median of the
// rounds is reported with the smallest and the largest.
//
// It is for benchmarks only: no room imports it outside its _test.go files, it
// imports no room, and it asserts no time. Sides come in, metrics of
// [testing.B] go out; tools/benchtable makes the closing table of `make bench`
// from them.
package bench

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// Side is one way to do the work.
type Side struct {
	Name    string       // as it stands in the metric, such as bare_transit
	Ops     int          // operations of one run
	Run     func() error // one round's work
	Prepare func() error // before each run and not measured; nil for nothing
	// CPU is the processor time used so far, where it is not that of this
	// process and its children.
	CPU func() time.Duration
}

// Comparison is Sceau's way beside its limits and peers.
type Comparison struct {
	Ours   Side
	Limits []Side // reported as x_NAME: how many times the limit's cost ours is, 1 at best
	Peers  []Side // reported as gain_NAME: how many times less than the peer ours costs
}

// cost is what one operation took in one round.
type cost struct{ wall, cpu, bytes float64 } // seconds, seconds, octets allocated in this process

// Measure runs the rounds, `-benchtime 5x` for five. Reported are the median
// time, processor time and allocation of one operation of ours; for each other
// side the ratio of time (median, _lo and _hi) and, as cpu_x_ and cpu_gain_, of
// processor time. It answers the allocation, in octets.
func (c Comparison) Measure(b *testing.B) (allocation float64) {
	b.Helper()
	sides := slices.Concat([]Side{c.Ours}, c.Limits, c.Peers)
	costs := make([][]cost, len(sides))
	for round := 0; b.Loop(); round++ {
		for k := range sides { // each round starts with another side
			i := (round + k) % len(sides)
			spent, err := sides[i].sample()
			if err != nil {
				b.Fatalf("%s: %v", sides[i].Name, err)
			}
			costs[i] = append(costs[i], spent)
		}
	}
	ours := costs[0]
	b.ReportMetric(median(column(ours, wall))*1e9, "ns/op")
	b.ReportMetric(1/median(column(ours, wall)), "ops/s")
	b.ReportMetric(median(column(ours, cpu))*1e6, "us_cpu/op")
	allocation = median(column(ours, allocated))
	b.ReportMetric(allocation, "alloc_B/op")
	for i, other := range costs[1:] {
		name, over, under := "x_"+sides[i+1].Name, ours, other
		if i >= len(c.Limits) {
			name, over, under = "gain_"+sides[i+1].Name, other, ours
			b.ReportMetric(median(column(other, allocated)), "alloc_B/op_"+sides[i+1].Name)
		}
		times := ratios(over, under, wall)
		b.ReportMetric(median(times), name)
		b.ReportMetric(slices.Min(times), name+"_lo")
		b.ReportMetric(slices.Max(times), name+"_hi")
		b.ReportMetric(median(ratios(over, under, cpu)), "cpu_"+name)
	}
	return allocation
}

// sample runs a side once. Garbage of the side before is collected first, and
// looking at clocks is kept out of what they measure.
func (s Side) sample() (cost, error) {
	if s.Prepare != nil {
		if err := s.Prepare(); err != nil {
			return cost{}, fmt.Errorf("prepare: %w", err)
		}
	}
	own, elsewhere := ownTime, ChildrenTime
	if s.CPU != nil {
		own, elsewhere = nothing, s.CPU
	}
	var before, after runtime.MemStats
	runtime.GC()
	used := -elsewhere()
	runtime.ReadMemStats(&before)
	used -= own()
	start := time.Now()
	err := s.Run()
	took := time.Since(start)
	used += own()
	runtime.ReadMemStats(&after)
	used += elsewhere()
	n := float64(s.Ops)
	return cost{took.Seconds() / n, used.Seconds() / n, float64(after.TotalAlloc-before.TotalAlloc) / n}, err
}

func nothing() time.Duration { return 0 }

func wall(c cost) float64      { return c.wall }
func cpu(c cost) float64       { return c.cpu }
func allocated(c cost) float64 { return c.bytes }

func column(costs []cost, of func(cost) float64) []float64 {
	out := make([]float64, len(costs))
	for i, c := range costs {
		out[i] = of(c)
	}
	return out
}

// ratios divides round by round; a processor time too short for the kernel's
// clock counts as one tick of it.
func ratios(over, under []cost, of func(cost) float64) []float64 {
	out := make([]float64, min(len(over), len(under)))
	for i := range out {
		out[i] = of(over[i]) / cmp.Or(of(under[i]), tick.Seconds())
	}
	return out
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Parallel does work(0) to work(n-1), so many at a time, and gives the first
// error.
func Parallel(workers, n int, work func(i int) error) error {
	var group errgroup.Group
	var next atomic.Int64
	for range workers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := work(i); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait() //nolint:wrapcheck // the caller's own error
}
