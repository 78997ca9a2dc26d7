package main

import (
	"fmt"
	"io"
	"os"

	"sceau/ca"
	"sceau/lifecycle"
)

// lintCmd is for anybody: it needs no database and no Vault.
type lintCmd struct {
	Files []string `arg:"" help:"Certificates and revocation lists, DER or PEM." placeholder:"FILE"`
}

const maxLintFile = 256 << 20 // a list of millions

// Run prints a line for each finding; any error among them is exit code 1.
func (c lintCmd) Run(w *world) error {
	broken := 0
	for _, name := range c.Files {
		findings, err := lintFile(name)
		if err != nil {
			return fmt.Errorf("lint %s: %w", name, err)
		}
		for _, f := range findings {
			if f.Severity == ca.SeverityError {
				broken++
			}
			if _, err := fmt.Fprintf(w.out, "%s: %s: %s: %s (%s)\n", name, f.Severity, f.Rule, f.Text, f.Source); err != nil {
				return err
			}
		}
		if len(findings) == 0 {
			if _, err := fmt.Fprintf(w.out, "%s: nothing to object to\n", name); err != nil {
				return err
			}
		}
	}
	if broken > 0 {
		return fmt.Errorf("%w: %d rules are broken", lifecycle.Invalid, broken)
	}
	return nil
}

func lintFile(name string) ([]ca.Finding, error) {
	file, err := os.Open(name) //nolint:gosec // the caller's own file
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost
	text, err := io.ReadAll(io.LimitReader(file, maxLintFile))
	if err != nil {
		return nil, err
	}
	if ca.IsList(text) {
		return ca.LintList(text)
	}
	return ca.Lint(text)
}
