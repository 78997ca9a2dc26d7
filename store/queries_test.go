package store

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	copied    = regexp.MustCompile(`^(\w+) :copyfrom\n`)
	compiled  = regexp.MustCompile("(?s)const \\w+ = `(-- name: .*?)`")
	parameter = regexp.MustCompile(`sqlc\.narg\('\w+'\)|@\w+|\$[0-9]+`)
)

// normal is a query without the names or numbers of its parameters, and without
// the words about the next one, which sqlc takes elsewhere.
func normal(query string) string {
	var kept []string
	for line := range strings.Lines(query) {
		if !strings.HasPrefix(line, "--") || strings.HasPrefix(line, "-- name:") {
			kept = append(kept, line)
		}
	}
	query = strings.Join(kept, "")
	return strings.TrimSuffix(strings.TrimSpace(parameter.ReplaceAllString(query, "?")), ";")
}

func read(t *testing.T, pattern string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	texts := make(map[string]string, len(paths))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(text)
	}
	return texts
}

// What `make generate` would change is found without sqlc, which takes minutes
// to build: each query stands in store/db as it stands in store/queries.
func TestTheCompiledQueriesAreThoseWritten(t *testing.T) {
	t.Parallel()
	generated := read(t, "db/*.sql.go")
	copies := read(t, "db/copyfrom.go")["copyfrom.go"]
	for name, text := range read(t, "queries/*.sql") {
		found := compiled.FindAllStringSubmatch(generated[name+".go"], -1)
		inGo := make(map[string]bool, len(found))
		for _, match := range found {
			inGo[normal(match[1])] = true
		}
		written := strings.Split(text, "-- name: ")[1:]
		written = slices.DeleteFunc(written, func(query string) bool { // of a stream of rows there is no statement
			name := copied.FindStringSubmatch(query)
			return name != nil && strings.Contains(copies, ") "+name[1]+"(")
		})
		for _, query := range written {
			if query = normal("-- name: " + query); !inGo[query] {
				t.Errorf("%s: run make generate, store/db has not\n%s", name, query)
			}
		}
		if len(found) != len(written) {
			t.Errorf("%s: %d queries are written, %d compiled: run make generate", name, len(written), len(found))
		}
	}
}

func TestEveryQueryNamesItsColumns(t *testing.T) {
	t.Parallel()
	star := regexp.MustCompile(`(?i)select\s+(\w+\.)?\*|returning\s+\*`)
	for name, text := range read(t, "queries/*.sql") {
		if found := star.FindString(text); found != "" {
			t.Errorf("%s has %q: a column added later would change what is read", name, found)
		}
	}
}
