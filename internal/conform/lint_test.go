package conform

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const deltas = "a browser reads none, a bank's own services do (RGS A4 III)"

// The lists that the house publishes, and which rule of those that Let's Encrypt
// holds its own lists to, for TLS servers, is not for them.
var (
	published = []string{"base.crl.der", "full.crl.der", "delta.crl.der", "other.crl.der", "root.crl.der"}
	notForUs  = map[string]map[string]string{
		"e_crl_acceptable_reason_codes":   onHold, // Baseline Requirements §7.2.2 allow no hold
		"e_cab_crl_has_valid_reason_code": onHold,
		"e_crl_extensions_validity": { // Baseline Requirements §7.2 advise against deltas
			"base.crl.der": deltas, "full.crl.der": deltas, "other.crl.der": deltas, "delta.crl.der": deltas,
		},
		"e_crl_is_not_delta": {"base.crl.der": deltas, "full.crl.der": deltas, "other.crl.der": deltas, "delta.crl.der": deltas},
	}
	onHold = map[string]string{
		"base.crl.der": "a nominative certificate may be on hold", "full.crl.der": "a nominative certificate may be on hold",
		"delta.crl.der": "a hold may be released",
	}
)

// TestListsAreCleanToBoulder holds every list against zlint's rules for lists, of
// all sources, and against boulder's.
func TestListsAreCleanToBoulder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	program := must[string](t)(filepath.Abs("../../bin/crllint"))
	cmd := exec.CommandContext(t.Context(), program, published...)
	cmd.Dir = h.folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bin/crllint (make build-crllint): %v: %s", err, out)
	}
	judged, excused := map[string]bool{}, map[string]map[string]bool{}
	for line := range strings.Lines(string(out)) {
		cell := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cell) != 4 {
			t.Fatalf("crllint said %q", line)
		}
		file, rule := cell[0], cell[1]
		switch {
		case rule == "": // how many rules it was held against
			judged[file] = cell[3] != "0"
			t.Logf("%s: %s rules", file, cell[3])
		case notForUs[rule][file] != "":
			if excused[rule] == nil {
				excused[rule] = map[string]bool{}
			}
			excused[rule][file] = true
		default:
			t.Errorf("%s: %s: %s: %s", file, cell[2], rule, cell[3])
		}
	}
	for _, file := range published {
		if !judged[file] {
			t.Errorf("%s was not judged", filepath.Base(file))
		}
	}
	for rule, files := range notForUs {
		for file, why := range files {
			if !excused[rule][file] {
				t.Errorf("%s has nothing against %s any more: take the excuse out (%s)", rule, file, why)
			}
		}
	}
}
