package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// feesCmd is what accounting gets.
type feesCmd struct {
	Export feesExportCmd `cmd:"" help:"Write the fees of the orders completed from a day to another, that one left out, as CSV."`
}

type feesExportCmd struct {
	databaseFlags

	From time.Time `help:"First day, as 2026-03-01 (UTC)." format:"2006-01-02" required:""`
	To   time.Time `help:"The day after the last." format:"2006-01-02" required:""`
	Out  string    `help:"File to write; left out, the lines are shown." placeholder:"FILE"`
}

// Run exports. An existing file is not overwritten.
func (c feesExportCmd) Run(w *world) error {
	h, err := openHouse(w, c.databaseFlags, issuance.DefaultPolicy(), false)
	if err != nil {
		return err
	}
	defer h.Close()
	if c.Out == "" {
		_, err := h.Service.ExportFees(w.ctx, c.From, c.To, w.out)
		return err
	}
	lines, err := exportTo(c.Out, func(out io.Writer) (int, error) { return h.Service.ExportFees(w.ctx, c.From, c.To, out) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%d lines in %s\n", lines, c.Out)
	return err
}

func exportTo(path string, write func(io.Writer) (int, error)) (lines int, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // named on the command line
	if err != nil {
		return 0, fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	return write(f)
}
