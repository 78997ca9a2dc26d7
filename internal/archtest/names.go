package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checkNames looks for fenced names outside their fences. Tests may use them
// all: they measure, look into the database, and compare secrets.
func checkNames(p plan, t tree) []problem {
	var found []problem
	for _, f := range p.fences {
		needed := map[string]bool{}
		for _, s := range t.files {
			if s.test {
				continue
			}
			found = append(found, f.inFile(t, s, needed)...)
		}
		for _, entry := range f.in {
			if !needed[entry] && !p.isComing(entry) {
				found = append(found, onPage(f.line, "%s uses %s no more: take it out of the row", entry, strings.Join(f.names, ", ")))
			}
		}
	}
	return found
}

// inFile answers the uses in a file that no entry allows, and notes the entries
// that allow one.
func (f fence) inFile(t tree, s source, needed map[string]bool) []problem {
	var found []problem
	for _, name := range f.names {
		for _, pos := range uses(t, s, name) {
			allowed := false
			for _, entry := range f.in {
				if place(entry, s.name) {
					allowed, needed[entry] = true, true
				}
			}
			if !allowed {
				found = append(found, s.at(pos, "%s may not be used here: %s allows it in %s", name, Page, allowance{list: f.in}))
			}
		}
	}
	return found
}

// isComing tells whether the entry is, or holds, a room that need not exist yet.
func (p plan) isComing(entry string) bool {
	return slices.ContainsFunc(p.rooms, func(r room) bool {
		return r.coming && (covers(entry, r.name) || path.Dir(entry) == r.name)
	})
}

// uses finds a fenced name in a file. Its forms: "SQL" for statements in string
// literals; ".Reveal" for any method or field of this name; "time.Now" and
// "log.*" for what a package has; "panic" for a built-in function.
func uses(t tree, s source, name string) []token.Pos {
	var found []token.Pos
	match := matcher(t, s, name)
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if _, isImport := n.(*ast.ImportSpec); isImport {
			return false
		}
		if n != nil && match(n) {
			found = append(found, n.Pos())
		}
		return true
	})
	return found
}

func matcher(t tree, s source, name string) func(ast.Node) bool {
	if name == "SQL" {
		return isSQL
	}
	of, selected, qualified := strings.Cut(name, ".")
	if !qualified {
		return func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			return ok && isIdent(call.Fun, name)
		}
	}
	local := ""
	if of != "" {
		if local = localName(t, s, of); local == "" {
			return func(ast.Node) bool { return false } // not imported here
		}
	}
	return func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		return ok && (selected == "*" || sel.Sel.Name == selected) && (of == "" || isIdent(sel.X, local))
	}
}

func isIdent(e ast.Expr, name string) bool {
	i, ok := e.(*ast.Ident)
	return ok && i.Name == name
}

// localName is what a file calls a package of the standard library or of the
// module, "" when it does not import it.
func localName(t tree, s source, pkg string) string {
	for _, i := range s.ast.Imports {
		p := importPath(i)
		if p != pkg && p != t.module+"/"+pkg {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return path.Base(p)
	}
	return ""
}

// statement is a string that PostgreSQL would take: a verb with what follows
// it, in capitals, or in small letters where English would not have it. A verb
// alone is a word ("SELECT" is also a command to a card).
var statement = regexp.MustCompile(strings.Join([]string{
	`\b(SELECT|INSERT|UPDATE|DELETE|TRUNCATE|LISTEN|UNLISTEN|NOTIFY|GRANT|REVOKE)\s`,
	`\bCOPY\s+\S+.*\s(FROM|TO)\s`,
	`\b(CREATE|ALTER|DROP)\s+[A-Z]+\s`,
	`^\s*(BEGIN|COMMIT|ROLLBACK)\b`,
	`(?i:\bselect\s[^.;]*\sfrom\s)`,
	`(?i:\bselect\s+\w+\()`,
	`(?i:\binsert\s+into\s)`,
	`(?i:\bdelete\s+from\s)`,
	`(?i:\bupdate\s+\w+\s+set\s)`,
	`(?i:\b(create|alter|drop)\s+table\s)`,
}, "|"))

func isSQL(n ast.Node) bool {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return false
	}
	text, err := strconv.Unquote(l.Value)
	return err == nil && statement.MatchString(text)
}
