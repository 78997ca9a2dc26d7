// Package archtest holds the house to ARCHITECTURE.md. The page's import table
// and its table of fenced names are read, every Go file of the tree is parsed,
// and what differs is a problem, said with file and line: an import that no row
// allows, a name used outside its fence, a row that says more than the code
// does, a folder without its one package comment, a file that has grown too
// long, a test that skips itself, a page that names a file which is not there.
//
// It never runs a tool, builds a package or reaches the network, and no room
// imports it: its own test and `go test ./...` are all its users. A folder goes
// in, sentences come out.
package archtest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Page is the file that the house is held to, in the module's root.
const Page = "ARCHITECTURE.md"

// problem is one difference, at a file and, unless it is 0, a line.
type problem struct {
	file string
	line int
	what string
}

func (p problem) String() string {
	if p.line == 0 {
		return fmt.Sprintf("%s: %s", p.file, p.what)
	}
	return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.what)
}

// Check answers every difference between the page and the tree below root, in
// the order of files and lines. The error is for a page or a Go file that
// cannot be read at all.
func Check(root string) ([]string, error) {
	page, err := os.ReadFile(filepath.Join(root, Page)) //nolint:gosec // the page of the tree that is checked
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	p, err := parsePlan(string(page))
	if err != nil {
		return nil, err
	}
	t, err := readTree(root)
	if err != nil {
		return nil, err
	}
	rotten, err := checkPages(root)
	if err != nil {
		return nil, err
	}
	found := slices.Concat(checkRooms(p, t), checkImports(p, t), checkNames(p, t), checkShape(t), rotten)
	slices.SortStableFunc(found, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	sentences := make([]string, len(found))
	for i, f := range found {
		sentences[i] = f.String()
	}
	return sentences, nil
}
