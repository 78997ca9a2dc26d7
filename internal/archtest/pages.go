package archtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// named is a file, in backticks and with a folder, that a page speaks of. A
// star stands for several.
var named = regexp.MustCompile("`([a-zA-Z0-9_.*-]+(?:/[a-zA-Z0-9_.*-]+)+\\.(?:go|md|sql|hcl|sh|yml|yaml|txtar|json))`")

// checkPages looks for the files that the pages in the root and under docs
// name: a page that speaks of a file that went has rotted.
func checkPages(root string) ([]problem, error) {
	pages, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		return nil, fmt.Errorf("list the pages: %w", err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(name string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if strings.HasSuffix(name, ".md") {
			pages = append(pages, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the pages: %w", err)
	}
	var found []problem
	for _, page := range pages {
		text, err := os.ReadFile(page) //nolint:gosec // of the tree that is checked
		if err != nil {
			return nil, fmt.Errorf("read a page: %w", err)
		}
		relative, err := filepath.Rel(root, page)
		if err != nil {
			return nil, fmt.Errorf("read a page: %w", err)
		}
		found = append(found, missing(root, filepath.ToSlash(relative), string(text))...)
	}
	return found, nil
}

// missing are the files that a page names and the tree lacks. What begins with
// a dot is made by a command and is nobody's to keep.
func missing(root, page, text string) []problem {
	var found []problem
	for i, line := range strings.Split(text, "\n") {
		for _, match := range named.FindAllStringSubmatch(line, -1) {
			name := match[1]
			if strings.HasPrefix(name, ".sceau/") {
				continue
			}
			there, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(name)))
			if err != nil || len(there) == 0 {
				found = append(found, problem{file: page, line: i + 1, what: fmt.Sprintf("there is no file %s", name)})
			}
		}
	}
	return found
}
