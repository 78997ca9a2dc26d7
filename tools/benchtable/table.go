package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// write writes the table: a line for each benchmark with what one operation
// takes, and below it a line for each thing it was compared with.
func write(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "\nBENCHMARK, and beside what\tTIME\t(lo to hi)\tCPU\tGOAL") // tabwriter errs at Flush
	for _, r := range results {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", r.name, duration(r.metrics["ns/op"]), rate(r.metrics["ops/s"]), duration(1000*r.metrics["us_cpu/op"]))
		limits, peers := r.others()
		for _, name := range limits {
			_, _ = fmt.Fprintln(t, r.line("x_"+name, "x", "limit "+name))
		}
		for _, name := range peers {
			_, _ = fmt.Fprintln(t, r.line("gain_"+name, "x less", "peer "+name))
		}
		for _, unit := range r.single() {
			_, _ = fmt.Fprintf(t, "   %s\t%s\t\t\t%s\n", unit, short(r.metrics[unit]), goals[r.name][unit].verdict(r.metrics[unit]))
		}
	}
	_, _ = fmt.Fprintln(t, "\nx: how many times the limit's cost ours is; x less: how many times less than the peer ours costs."+
		"\nTIME and CPU are medians of the rounds, each of which visits every side; lo and hi are the rounds' extremes.")
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

func (r result) line(unit, mark, title string) string {
	cpu := "cpu_" + unit
	var verdicts []string
	for _, u := range []string{unit, cpu} {
		if g, ok := goals[r.name][u]; ok {
			which := "time "
			if u == cpu {
				which = "CPU "
			}
			verdicts = append(verdicts, which+g.verdict(r.metrics[u]))
		}
	}
	return fmt.Sprintf("   %s\t%s %s\t(%s to %s)\t%s %s\t%s", title, short(r.metrics[unit]), mark,
		short(r.metrics[unit+"_lo"]), short(r.metrics[unit+"_hi"]), short(r.metrics[cpu]), mark, strings.Join(verdicts, ", "))
}

// single are the metrics that stand for themselves: sizes, of a benchmark that
// makes something with one (its metric ends in _B), and percentiles of waiting,
// which end in _ms.
func (r result) single() []string {
	var units []string
	made := false
	for unit := range r.metrics {
		size := strings.HasSuffix(unit, "_B") || strings.HasSuffix(unit, "_ms")
		made = made || size
		if size || strings.HasPrefix(unit, "alloc_") || strings.HasPrefix(unit, "size_") {
			units = append(units, unit)
		}
	}
	if !made {
		return nil
	}
	slices.Sort(units)
	return units
}

// short is a figure of three digits, without an exponent.
func short(v float64) string {
	switch {
	case v >= 100:
		return grouped(fmt.Sprintf("%.0f", v))
	case v >= 10:
		return trimmed(fmt.Sprintf("%.1f", v))
	}
	return trimmed(fmt.Sprintf("%.2f", v))
}

func trimmed(decimals string) string {
	return strings.TrimSuffix(strings.TrimRight(decimals, "0"), ".")
}

func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}

func duration(ns float64) string {
	switch {
	case ns == 0:
		return ""
	case ns >= 1e9:
		return short(ns/1e9) + " s"
	case ns >= 1e6:
		return short(ns/1e6) + " ms"
	case ns >= 1e3:
		return short(ns/1e3) + " us"
	}
	return short(ns) + " ns"
}

func rate(perSecond float64) string {
	if perSecond == 0 {
		return ""
	}
	return short(perSecond) + "/s"
}
