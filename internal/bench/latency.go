package bench

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// Pace is work that arrives by the clock, not when the one before has ended:
// who waits in a queue waits too.
type Pace struct {
	PerSecond float64
	N         int
	Workers   int // how many are under way at most
	// Work does the i-th piece; each worker has a number, for a connection of its own.
	Work func(worker, i int) error
}

// Percentiles are of the times from the planned moment to the end.
type Percentiles struct{ P50, P99 time.Duration }

// Run does all of it.
func (p Pace) Run() (Percentiles, error) {
	took := make([]time.Duration, p.N)
	start := time.Now().Add(10 * time.Millisecond)
	var group errgroup.Group
	var next atomic.Int64
	for worker := range p.Workers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= p.N {
					return nil
				}
				planned := start.Add(time.Duration(float64(i) / p.PerSecond * float64(time.Second)))
				time.Sleep(time.Until(planned))
				if err := p.Work(worker, i); err != nil {
					return err
				}
				took[i] = time.Since(planned)
			}
		})
	}
	if err := group.Wait(); err != nil {
		return Percentiles{}, err //nolint:wrapcheck // the caller's own error
	}
	slices.Sort(took)
	return Percentiles{took[p.N/2], took[p.N*99/100]}, nil
}

// Latencies runs ours and, beside it in the same rounds, a limit (nil Work for
// none). Reported is the median of ours as p50_ms and p99_ms, and how many times
// the limit's 99th percentile ours is.
func Latencies(b *testing.B, ours func() (Pace, error), name string, limit Pace) {
	b.Helper()
	var p50, p99, ratio, rate []float64
	for b.Loop() {
		pace, err := ours()
		if err != nil {
			b.Fatal(err)
		}
		mine, err := pace.Run()
		if err != nil {
			b.Fatal(err)
		}
		p50, p99, rate = append(p50, mine.P50.Seconds()), append(p99, mine.P99.Seconds()), append(rate, pace.PerSecond)
		if limit.Work == nil {
			continue
		}
		theirs, err := limit.Run()
		if err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		ratio = append(ratio, mine.P99.Seconds()/theirs.P99.Seconds())
	}
	b.ReportMetric(median(p99)*1e9, "ns/op")
	b.ReportMetric(median(rate), "ops/s")
	b.ReportMetric(median(p50)*1e3, "p50_ms")
	b.ReportMetric(median(p99)*1e3, "p99_ms")
	if ratio != nil {
		b.ReportMetric(median(ratio), "x_"+name)
		b.ReportMetric(slices.Min(ratio), "x_"+name+"_lo")
		b.ReportMetric(slices.Max(ratio), "x_"+name+"_hi")
	}
}
