package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// checkRooms compares the folders with the rows: each has the other.
func checkRooms(p plan, t tree) []problem {
	var found []problem
	there := t.rooms()
	for _, name := range there {
		if _, ok := p.room(name); !ok {
			found = append(found, problem{file: name, what: "the folder has no row in the import table of " + Page})
		}
	}
	for _, r := range p.rooms {
		exists := slices.Contains(there, r.name)
		switch {
		case !exists && !r.coming:
			found = append(found, onPage(r.line, "room %s does not exist: take its row out", r.name))
		case exists && r.coming:
			found = append(found, onPage(r.line, "room %s exists now: take its mark (coming) off", r.name))
		}
		for _, other := range r.rooms.list {
			if _, ok := p.room(other); !ok {
				found = append(found, onPage(r.line, "room %s may import %s, which has no row", r.name, other))
			}
		}
	}
	return found
}

// checkImports compares what the files import with the rows, both ways. Tests
// may import any room: proving one takes the others.
func checkImports(p plan, t tree) []problem {
	var found []problem
	used := map[string]map[string]bool{} // room → entries of its row that are needed
	for _, s := range t.files {
		for _, i := range s.ast.Imports {
			target := importPath(i)
			if i.Name != nil && i.Name.Name == "." {
				found = append(found, s.at(i.Pos(), "a dot import hides where names come from: import %s by its name", target))
			}
			r, ok := p.room(s.room())
			if !ok {
				continue // said by checkRooms
			}
			if used[r.name] == nil {
				used[r.name] = map[string]bool{}
			}
			if what := p.judge(t, s, r, target, used[r.name]); what != "" {
				found = append(found, s.at(i.Pos(), "%s", what))
			}
		}
	}
	for _, r := range p.rooms {
		if used[r.name] == nil && !slices.Contains(t.rooms(), r.name) {
			continue // said by checkRooms, or coming
		}
		for _, entry := range slices.Concat(r.rooms.list, r.libs.list) {
			if !used[r.name][entry] {
				found = append(found, onPage(r.line, "room %s does not import %s any more: take it out of its row", r.name, entry))
			}
		}
	}
	return found
}

// judge says what is wrong with an import, or nothing, and notes the entry that
// allows it.
func (p plan) judge(t tree, s source, r room, target string, used map[string]bool) string {
	if other, ok := t.inside(target); ok {
		if s.test || r.rooms.allows(other, used) {
			return ""
		}
		return fmt.Sprintf("room %s may not import %s: its row in %s allows %s", r.name, target, Page, r.rooms)
	}
	if !isLibrary(target) || r.libs.allows(target, used) || s.test && p.known(target) {
		return ""
	}
	if s.test {
		return fmt.Sprintf("library %s is in no row of %s: the default answer to a new one is no", target, Page)
	}
	return fmt.Sprintf("library %s is not for room %s: its row in %s allows %s; rooms with it: %s",
		target, r.name, Page, r.libs, p.roomsWith(target))
}

// allows tells whether the cell allows a path. Every entry that does is needed.
func (a allowance) allows(target string, used map[string]bool) bool {
	allowed := a.any
	for _, entry := range a.list {
		if covers(entry, target) {
			allowed, used[entry] = true, true
		}
	}
	return allowed
}

// isLibrary tells a third party's package from the standard library's, whose
// paths begin with a word that has no dot.
func isLibrary(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return strings.Contains(first, ".")
}

// known tells whether a test may import a library: some room has it, or the
// row of the tests.
func (p plan) known(library string) bool {
	fits := func(entry string) bool { return covers(entry, library) }
	return slices.ContainsFunc(p.tests, fits) || p.roomsWith(library) != nobody
}

const nobody = "none"

func (p plan) roomsWith(library string) string {
	var names []string
	for _, r := range p.rooms {
		if slices.ContainsFunc(r.libs.list, func(entry string) bool { return covers(entry, library) }) {
			names = append(names, r.name)
		}
	}
	if len(names) == 0 {
		return nobody
	}
	return strings.Join(names, ", ")
}

func (p plan) room(name string) (room, bool) {
	i := slices.IndexFunc(p.rooms, func(r room) bool { return r.name == name })
	if i < 0 {
		return room{}, false
	}
	return p.rooms[i], true
}

// onPage is a problem of the page itself.
func onPage(line int, format string, args ...any) problem {
	return problem{file: Page, line: line, what: fmt.Sprintf(format, args...)}
}
