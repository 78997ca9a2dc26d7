// Command crllint holds certificate revocation lists, DER, against zlint's rules
// for lists and those that boulder, Let's Encrypt's CA, adds. It is a module of
// its own, so that boulder stays out of Sceau's dependencies.
//
// It prints a line for each finding: file, rule, severity and words, between
// tabs. Whether a finding matters is for its caller to say: it ends with 0 unless
// a file is no list.
package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	_ "github.com/letsencrypt/boulder/linter/lints/cabf_br" // register their rules
	_ "github.com/letsencrypt/boulder/linter/lints/cpcps"
	_ "github.com/letsencrypt/boulder/linter/lints/rfc"
	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

func main() {
	for _, file := range os.Args[1:] {
		if err := judge(file); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "crllint:", err)
			os.Exit(1)
		}
	}
}

func judge(file string) error {
	der, err := os.ReadFile(file) //nolint:gosec // the caller's own file
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	result := zlint.LintRevocationListEx(list, lint.GlobalRegistry())
	if result == nil {
		return fmt.Errorf("%s: it was not judged", file)
	}
	judged := 0
	for _, rule := range slices.SortedFunc(maps.Keys(result.Results), cmp.Compare) {
		r := result.Results[rule]
		switch {
		case r.Status > lint.Pass:
			_, _ = fmt.Fprintf(os.Stdout, "%s\t%s\t%s\t%s\n", filepath.Base(file), rule, r.Status, r.Details)
			judged++
		case r.Status == lint.Pass:
			judged++
		}
	}
	_, _ = fmt.Fprintf(os.Stdout, "%s\t\trules\t%d\n", filepath.Base(file), judged)
	return nil
}
