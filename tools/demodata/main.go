// Command demodata writes the sample bank's files, bank.yaml and orders.csv,
// into a folder. It is run by go generate ./internal/demodata and never by the
// product; data leaves as two files, none enters.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"sceau/internal/demodata"
)

func main() {
	dir := flag.String("dir", "testdata/demo", "folder of the files")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "demodata:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	bank, err := demodata.BankFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	for name, content := range map[string][]byte{"bank.yaml": bank, "orders.csv": demodata.OrderFile()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
