package bench

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	t.Parallel()
	ours := []cost{{wall: 2, cpu: 1}, {wall: 40, cpu: 1}, {wall: 9, cpu: 1}}
	limit := []cost{{wall: 1, cpu: 0}, {wall: 10, cpu: 0.5}, {wall: 3, cpu: 4}}
	if got := median(ratios(ours, limit, wall)); got != 3 {
		t.Errorf("median ratio of time = %v, want 3: a slow moment of both sides counts for neither", got)
	}
	if got := ratios(ours, limit, cpu); got[0] != 1/tick.Seconds() || got[1] != 2 || got[2] != 0.25 {
		t.Errorf("ratios of processor time = %v", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median of four = %v, want 2.5", got)
	}
}

func TestParallelDoesEachPieceOnceAndGivesTheFirstError(t *testing.T) {
	t.Parallel()
	var done [100]atomic.Int32
	if err := Parallel(7, len(done), func(i int) error { done[i].Add(1); return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range done {
		if n := done[i].Load(); n != 1 {
			t.Errorf("piece %d was done %d times", i, n)
		}
	}
	broken := errors.New("broken")
	if err := Parallel(3, 10, func(int) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error = %v, want that of the work", err)
	}
}

func TestStatLinesAreReadWhateverTheProcessIsCalled(t *testing.T) {
	t.Parallel()
	line := "42 (a) b (c) S 7 1 1 0 -1 0 0 0 0 0 100 20 3 4 20 0 1 0 0"
	pid, parent, ticks, err := readStat([]byte(line))
	if err != nil || pid != 42 || parent != 7 || ticks != 127 {
		t.Errorf("%d %d %d %v, want 42 7 127", pid, parent, ticks, err)
	}
	for _, line := range []string{"", "42", "42 (x", "42 (x) S 7", "x (x) S 7 1 1 0 -1 0 0 0 0 0 1 2 3 4 20", "42 (x) S 7 1 1 0 -1 0 0 0 0 0 1 2 y 4 20"} {
		if _, _, _, err := readStat([]byte(line)); err == nil {
			t.Errorf("%q was read", line)
		}
	}
}

func TestAChildsWorkIsCountedAlsoWhenItHasEnded(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo; read x")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil { // it has counted
		t.Fatal(err)
	}
	alone, below := ProcessorTime(child.Process.Pid), ProcessorTime(os.Getpid())
	if alone < tick || below < alone {
		t.Errorf("the child used %s, this process and its children %s", alone, below)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // read ends without a line, hence with status 1
	if after := ProcessorTime(os.Getpid()); after < alone {
		t.Errorf("after its end %s are left of %s", after, alone)
	}
	if gone := ProcessorTime(child.Process.Pid); gone != 0 {
		t.Errorf("a process that is gone used %s", gone)
	}
}

// The metrics are what tools/benchtable reads.
func TestAComparisonReportsEverySide(t *testing.T) {
	t.Parallel()
	runs := map[string]int{}
	side := func(name string) Side {
		work := func() error {
			runs[name]++
			_ = strings.Repeat("x", 1<<16)
			return nil
		}
		return Side{Name: name, Ops: 2, Run: work}
	}
	result := testing.Benchmark(func(b *testing.B) {
		b.Helper()
		Comparison{Ours: side("ours"), Limits: []Side{side("limit")}, Peers: []Side{side("peer")}}.Measure(b)
	})
	if runs["ours"] == 0 || runs["ours"] != runs["limit"] || runs["ours"] != runs["peer"] {
		t.Errorf("runs by side: %v", runs)
	}
	for _, unit := range []string{
		"ns/op", "ops/s", "us_cpu/op", "alloc_B/op", "x_limit", "x_limit_lo", "x_limit_hi", "cpu_x_limit",
		"gain_peer", "gain_peer_lo", "gain_peer_hi", "cpu_gain_peer", "alloc_B/op_peer",
	} {
		if v, ok := result.Extra[unit]; !ok || v < 0 {
			t.Errorf("metric %s = %v, reported: %v", unit, v, ok)
		}
	}
	if lo, mid, hi := result.Extra["x_limit_lo"], result.Extra["x_limit"], result.Extra["x_limit_hi"]; lo > mid || mid > hi {
		t.Errorf("the ratio is %v between %v and %v", mid, lo, hi)
	}
}
