package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const lifecycleFolder = "../../lifecycle"

func TestTheDrawingIsUpToDate(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(filepath.Join(lifecycleFolder, "zz_gen_tables.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(page()) {
		t.Error("lifecycle/zz_gen_tables.md differs from the tables: run go generate ./lifecycle and read the difference")
	}
}

func TestEveryTableOfLifecycleIsDrawn(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(lifecycleFolder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || !isTable(spec.Values[0]) {
				return true
			}
			tables++
			if name := spec.Names[0].Name; !strings.Contains(string(source), "draw(&b, lifecycle."+name+")") {
				t.Errorf("lifecycle.%s is not drawn: add it to page", name)
			}
			return true
		})
	}
	if tables < 6 {
		t.Errorf("found %d tables, there were six: is a table written in another way?", tables)
	}
}

// isTable tells a literal of type Table[…].
func isTable(e ast.Expr) bool {
	literal, ok := e.(*ast.CompositeLit)
	if !ok {
		return false
	}
	generic, ok := literal.Type.(*ast.IndexExpr)
	if !ok {
		return false
	}
	name, ok := generic.X.(*ast.Ident)
	return ok && name.Name == "Table"
}
