package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// result is one line of `go test -bench`.
type result struct {
	name    string // without "Benchmark" and the number of processors
	metrics map[string]float64
}

var processors = regexp.MustCompile(`-[0-9]+$`)

// parse reads a result; ok is false for any other line.
func parse(line string) (r result, ok bool, err error) {
	name, isResult := strings.CutPrefix(line, "Benchmark")
	fields := strings.Fields(name)
	if !isResult || len(fields) < 4 || len(fields)%2 != 0 {
		return r, false, nil
	}
	r = result{name: processors.ReplaceAllString(fields[0], ""), metrics: map[string]float64{}}
	for pair := range slices.Chunk(fields[2:], 2) { // after the number of rounds
		if r.metrics[pair[1]], err = strconv.ParseFloat(pair[0], 64); err != nil {
			return r, false, fmt.Errorf("%s: %q is no number", r.name, pair[0])
		}
	}
	return r, true, nil
}

// others are the names of what the benchmark was compared with: limits first.
func (r result) others() (limits, peers []string) {
	for unit := range r.metrics {
		if base, ok := strings.CutSuffix(unit, "_lo"); ok {
			if name, ok := strings.CutPrefix(base, "x_"); ok {
				limits = append(limits, name)
			} else if name, ok := strings.CutPrefix(base, "gain_"); ok {
				peers = append(peers, name)
			}
		}
	}
	slices.Sort(limits)
	slices.Sort(peers)
	return limits, peers
}

// goal is a bound on a metric; the zero goal is none.
type goal struct {
	atMost, atLeast float64
}

// verdict says the goal and whether the value meets it.
func (g goal) verdict(value float64) string {
	switch {
	case g.atMost > 0 && value <= g.atMost:
		return fmt.Sprintf("<= %s met", short(g.atMost))
	case g.atMost > 0:
		return fmt.Sprintf("<= %s MISSED", short(g.atMost))
	case g.atLeast > 0 && value >= g.atLeast:
		return fmt.Sprintf(">= %s met", short(g.atLeast))
	case g.atLeast > 0:
		return fmt.Sprintf(">= %s MISSED", short(g.atLeast))
	}
	return ""
}
