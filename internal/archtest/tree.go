package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tree is a module, parsed; the modules below it are folders like others.
type tree struct {
	module string // its path
	files  []source
}

// source is a Go file.
type source struct {
	name  string // from the root, with slashes
	test  bool
	lines int
	set   *token.FileSet
	ast   *ast.File
}

func (s source) room() string { return path.Dir(s.name) }

// at is a problem at a place in the file.
func (s source) at(pos token.Pos, format string, args ...any) problem {
	return problem{file: s.name, line: s.set.Position(pos).Line, what: fmt.Sprintf(format, args...)}
}

// path is an import's path.
func importPath(i *ast.ImportSpec) string {
	p, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		return i.Path.Value // the parser takes quoted paths only
	}
	return p
}

// rooms are the folders with Go files, sorted.
func (t tree) rooms() []string {
	var all []string
	for _, s := range t.files {
		all = append(all, s.room())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// inside is the room that an import path names, if it is one of the module's.
func (t tree) inside(importPath string) (string, bool) {
	if importPath == t.module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.module+"/")
}

func readTree(root string) (tree, error) {
	t := tree{}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod")) //nolint:gosec // of the tree that is checked
	if err != nil {
		return t, fmt.Errorf("read the module: %w", err)
	}
	for line := range strings.Lines(string(mod)) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			t.module = strings.TrimSpace(name)
		}
	}
	if t.module == "" {
		return t, fmt.Errorf("read the module: go.mod in %s names none", root)
	}
	set := token.NewFileSet()
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && ignored(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := readSource(set, root, name)
		t.files = append(t.files, s)
		return err
	})
	if err != nil {
		return t, fmt.Errorf("read the tree: %w", err)
	}
	return t, nil
}

// ignored are the folders that the go command does not look into either.
func ignored(folder string) bool {
	return folder == "testdata" || folder == "vendor" || folder[0] == '.' || folder[0] == '_'
}

// readSource parses a file whatever its build tags.
func readSource(set *token.FileSet, root, name string) (source, error) {
	text, err := os.ReadFile(name) //nolint:gosec // of the tree that is checked
	if err != nil {
		return source{}, err
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return source{}, err
	}
	relative = filepath.ToSlash(relative)
	file, err := parser.ParseFile(set, relative, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	return source{
		name: relative, test: strings.HasSuffix(relative, "_test.go"), lines: strings.Count(string(text), "\n"),
		set: set, ast: file,
	}, nil
}
