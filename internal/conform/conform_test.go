package conform

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// row is what each tool must make of a certificate, one way.
type row struct {
	what        string
	by          way
	certificate string
	accept      bool
}

func cases() []row {
	return []row{
		{"good", byFull, good, true},
		{"revoked", byFull, revoked, false},
		{"on hold", byFull, held, false},
		{"hold released", byFull, released, true},
		{"good", byDelta, good, true},
		{"revoked before the full list", byDelta, revoked, false},
		{"revoked since the full list", byDelta, late, false},
		{"hold released since the full list", byDelta, released, true},
		{"good", byShard, apart, true},
		{"revoked", byShard, lost, false},
		{"good, not cleared", bySwapped, misled, false},
		{"good", byPost, good, true},
		{"revoked", byPost, revoked, false},
		{"on hold", byPost, held, false},
		{"hold released", byPost, released, true},
		{"serial never issued", byPost, never, false},
		{"good, the responder has ended", byPost, silent, false},
		{"good", byGet, good, true},
		{"revoked", byGet, revoked, false},
		{"on hold", byGet, held, false},
		{"serial never issued", byGet, never, false},
		{"good", byNonce, good, true},
		{"revoked", byNonce, revoked, false},
		{"hold released", byNonce, released, true},
	}
}

// reportTo names the file that takes the table, for make test to show.
const reportTo = "SCEAU_CONFORMANCE"

// TestConformance has each tool judge each case, and shows the table. A cell is
// never skipped: what a tool cannot do stands in its lacks, with why.
func TestConformance(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	tools := toolsOf(t, h)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	write := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) } // a builder takes all
	header := []string{"status by", "certificate"}
	for _, tool := range tools {
		header = append(header, tool.name)
	}
	write(header...)
	for _, r := range cases() {
		cells := []string{string(r.by), r.what}
		for _, tool := range tools {
			cells = append(cells, h.cell(t, tool, r))
		}
		write(cells...)
	}
	_ = table.Flush() // a builder takes all
	_, _ = text.WriteString("\n" + lacks(tools))
	t.Log("\n" + text.String())
	if file := os.Getenv(reportTo); file != "" {
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// cell is a tool's verdict on a case.
func (h *house) cell(t *testing.T, tool tool, r row) string {
	t.Helper()
	judge, offers := tool.judges[r.by]
	if why := tool.lacks[r.by]; offers == (why != "") {
		t.Errorf("%s by %s: it offers it or there is a reason why not, one of both", tool.name, r.by)
	}
	if !offers {
		return "not offered"
	}
	h.heard()
	accepted, said := judge(t, h, r.certificate)
	if asked := h.heard(); len(asked) > 0 || r.by.online() && tool.name != "Java" { // one run of Java asks all
		if why := r.by.forbids(asked); why != "" {
			t.Errorf("%s, %s by %s: %s", tool.name, r.what, r.by, why)
		}
	}
	verdict := "refused"
	if accepted {
		verdict = "accepted"
	}
	if accepted != r.accept {
		t.Errorf("%s, %s by %s: %s: %s", tool.name, r.what, r.by, verdict, said)
		return "WRONG: " + verdict
	}
	return verdict
}

func (w way) online() bool { return w == byNonce || w == byPost || w == byGet }

// forbids tells what is wrong with the first request of a tool that should ask in
// a way.
func (w way) forbids(asked []question) string {
	if len(asked) == 0 {
		return "it asked nothing"
	}
	switch q := asked[0]; {
	case w == byNonce && !q.nonce:
		return "it sent no nonce"
	case w == byPost && q.method != "POST":
		return "it asked by " + q.method
	case w == byGet && q.method != "GET":
		return "it asked by " + q.method
	case !w.online():
		return "it asked by OCSP"
	}
	return ""
}

// lacks lists what is not offered, and why.
func lacks(tools []tool) string {
	var lines []string
	for _, tool := range tools {
		why := map[string][]string{}
		for w, reason := range tool.lacks {
			why[reason] = append(why[reason], string(w))
		}
		for reason, ways := range why {
			slices.Sort(ways)
			lines = append(lines, fmt.Sprintf("%s, %s: %s", tool.name, strings.Join(ways, "; "), reason))
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return cmp.Compare(a, b) })
	return strings.Join(lines, "\n") + "\n"
}
