package archtest

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// plan is what the page allows.
type plan struct {
	rooms  []room
	tests  []string // libraries that tests may import beside those of any room
	fences []fence
}

// room is a row of the import table: a folder with Go files.
type room struct {
	name   string
	line   int  // on the page
	coming bool // it need not exist yet
	rooms  allowance
	libs   allowance
}

// allowance is a cell: the entries in it, or anything.
type allowance struct {
	any  bool
	list []string
}

// String is the cell in words, for sentences.
func (a allowance) String() string {
	switch {
	case a.any:
		return "anything"
	case len(a.list) == 0:
		return "nothing"
	}
	return strings.Join(a.list, ", ")
}

// fence is a row of the table of names: where each of them may be used.
type fence struct {
	names []string // "time.Now", "log.*", ".Reveal", "panic", "SQL"
	line  int
	in    []string // "hsm", "cmd/...", "hsm/cap.go"
}

// The tables are known by their heads; nothing else of the page is read.
var (
	importHead = []string{"room", "may import", "libraries"}
	nameHead   = []string{"name", "only in", "why"}
)

func parsePlan(page string) (plan, error) {
	var p plan
	rows, err := tableRows(page, importHead)
	if err != nil {
		return p, err
	}
	for _, r := range rows {
		if err := p.addRoom(r); err != nil {
			return p, err
		}
	}
	if rows, err = tableRows(page, nameHead); err != nil {
		return p, err
	}
	for _, r := range rows {
		names, err := entries(r, 0)
		if err != nil {
			return p, err
		}
		in, err := entries(r, 1)
		if err != nil {
			return p, err
		}
		if len(names.list) == 0 || in.any || r.cells[2] == "" {
			return p, r.wrong("a fence needs names, places and a reason")
		}
		p.fences = append(p.fences, fence{names: names.list, line: r.line, in: in.list})
	}
	return p, nil
}

func (p *plan) addRoom(r row) error {
	libs, err := entries(r, 2)
	if err != nil {
		return err
	}
	if r.cells[0] == "tests" {
		p.tests = append(p.tests, libs.list...)
		return nil
	}
	rooms, err := entries(r, 1)
	if err != nil {
		return err
	}
	name, coming := strings.CutSuffix(r.cells[0], " (coming)")
	if len(name) < 3 || name[0] != '`' || name[len(name)-1] != '`' {
		return r.wrong("the first cell is a folder in backticks, with (coming) behind one that is planned")
	}
	name = strings.Trim(name, "`")
	if slices.ContainsFunc(p.rooms, func(o room) bool { return o.name == name }) {
		return r.wrong("room " + name + " has two rows")
	}
	p.rooms = append(p.rooms, room{name: name, line: r.line, coming: coming, rooms: rooms, libs: libs})
	return nil
}

// row is a row of a table of the page.
type row struct {
	line  int
	cells []string
}

func (r row) wrong(why string) error { return fmt.Errorf("%s:%d: %s", Page, r.line, why) }

// tableRows finds the one table with the head and gives its rows.
func tableRows(page string, head []string) ([]row, error) {
	var rows []row
	found, inside := 0, false
	for i, text := range strings.Split(page, "\n") {
		cells, ok := splitRow(text)
		switch {
		case !ok:
			inside = false
		case slices.Equal(cells, head):
			found, inside = found+1, true
		case inside && !isRule(cells):
			r := row{line: i + 1, cells: cells}
			if len(cells) != len(head) {
				return nil, r.wrong(fmt.Sprintf("the row has %d cells, its table %d", len(cells), len(head)))
			}
			rows = append(rows, r)
		}
	}
	if found != 1 || len(rows) == 0 {
		return nil, fmt.Errorf("%s: there must be one table with the head | %s | and rows, not %d",
			Page, strings.Join(head, " | "), found)
	}
	return rows, nil
}

func splitRow(text string) ([]string, bool) {
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != '|' || text[len(text)-1] != '|' {
		return nil, false
	}
	cells := strings.Split(text[1:len(text)-1], "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells, true
}

// isRule tells the line of dashes under a head.
func isRule(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return c == "" || strings.Trim(c, "-:") != "" })
}

var entry = regexp.MustCompile("^`([^`]+)`$")

// entries reads a cell: "nothing", "any", or entries in backticks with commas
// between. Anything else is a slip of the pen, and an error.
func entries(r row, cell int) (allowance, error) {
	text := r.cells[cell]
	switch text {
	case "nothing":
		return allowance{}, nil
	case "any":
		return allowance{any: true}, nil
	}
	var a allowance
	for part := range strings.SplitSeq(text, ",") {
		match := entry.FindStringSubmatch(strings.TrimSpace(part))
		if match == nil {
			return a, r.wrong(fmt.Sprintf("%q is neither nothing, any, nor entries in backticks with commas between", text))
		}
		a.list = append(a.list, match[1])
	}
	return a, nil
}

// covers tells whether an entry of the page names a path: itself, or with /...
// at its end everything from there on, as in the patterns of the go command.
func covers(entry, p string) bool {
	if above, all := strings.CutSuffix(entry, "/..."); all {
		return p == above || strings.HasPrefix(p, above+"/")
	}
	return p == entry
}

// place tells whether an entry of a fence holds a file: the file itself, its
// folder, or a folder above it.
func place(entry, file string) bool {
	return entry == file || covers(entry, path.Dir(file))
}
