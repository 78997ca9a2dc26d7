// Command benchtable reads the output of `go test -bench` with the metrics of
// internal/bench and prints one closing table: what was measured, beside what,
// the ratio with its spread, and the goal where there is one.
//
// It judges nothing but the figures it is given, and a goal that is missed is
// no error: a benchmark on a shared machine must not fail a build. Lines that
// are no result go to standard error as they come, the table to standard output
// at the end.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, table, progress io.Writer) error {
	var results []result
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r, ok, err := parse(lines.Text())
		if err != nil {
			return err
		}
		if !ok {
			_, _ = fmt.Fprintln(progress, lines.Text()) // who has no terminal has the table
			continue
		}
		_, _ = fmt.Fprintln(progress, "measured", r.name)
		results = append(results, r)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the output of go test: %w", err)
	}
	if len(results) == 0 {
		return errors.New("no benchmark has given a result")
	}
	return write(table, results)
}
