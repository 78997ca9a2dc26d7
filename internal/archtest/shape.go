package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// maxLines is how long a file may be that is neither a test nor generated.
const maxLines = 400

// checkShape is about files and folders by themselves: one package comment a
// folder, files that can be read in one go, tests that always run.
func checkShape(t tree) []problem {
	var found []problem
	comments := map[string][]string{} // room → files with a package comment
	for _, s := range t.files {
		if doc := s.ast.Doc; doc != nil {
			comments[s.room()] = append(comments[s.room()], s.name)
			if !beginsRight(s.ast.Name.Name, doc.Text()) {
				found = append(found, s.at(doc.Pos(), "the package comment begins with neither Package %s nor Command", s.ast.Name.Name))
			}
		}
		if s.lines > maxLines && !s.test && !ast.IsGenerated(s.ast) {
			found = append(found, problem{file: s.name, line: s.lines, what: fmt.Sprintf("the file has more than %d lines: divide it by what it is about", maxLines)})
		}
		found = append(found, skips(t, s)...)
	}
	for _, name := range t.rooms() {
		switch files := comments[name]; len(files) {
		case 0:
			found = append(found, problem{file: name, what: "the folder has no package comment: say what it does, what it must never do, and which way data runs"})
		case 1:
		default:
			slices.Sort(files)
			found = append(found, problem{file: name, what: fmt.Sprintf("the folder has %d package comments, one too many: %s", len(files), strings.Join(files, ", "))})
		}
	}
	return found
}

func beginsRight(pkg, comment string) bool {
	if pkg == "main" {
		return strings.HasPrefix(comment, "Command ")
	}
	return strings.HasPrefix(comment, "Package "+strings.TrimSuffix(pkg, "_test")+" ")
}

// skips finds what lets a suite shrink unseen: a test that skips itself or asks
// for -short.
func skips(t tree, s source) []problem {
	testing := localName(t, s, "testing")
	if testing == "" && !s.test {
		return nil
	}
	var found []problem
	for _, name := range []string{".Skip", ".Skipf", ".SkipNow", "testing.Short"} {
		for _, pos := range uses(t, s, name) {
			found = append(found, s.at(pos, "%s: a test that may not run lets the suite shrink unseen; make it fail with what is missing", strings.TrimPrefix(name, ".")))
		}
	}
	return found
}
