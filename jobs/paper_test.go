package jobs

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"sceau/cms"
	"sceau/issuance"
	"sceau/lifecycle"
)

// pdfText reads a page as a person does.
func pdfText(t *testing.T, pdf []byte, page int) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "pdftotext", "-layout", "-f", strconv.Itoa(page), "-l", strconv.Itoa(page), "-", "-")
	cmd.Stdin = bytes.NewReader(pdf)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pdftotext is needed (make deps): %v", err)
	}
	return string(out)
}

// openPINLetter opens a PIN letter as the print room does.
func (h *house) openPINLetter(t *testing.T, id lifecycle.PINLetterID) string {
	t.Helper()
	return h.openLetter(t, string(id))
}

func (h *house) openLetter(t *testing.T, id string) string {
	t.Helper()
	document, page := h.sheetOf(t, id)
	sealed := get[[]byte](t)(h.Document(t.Context(), document))
	return pdfText(t, get[[]byte](t)(cms.Open(sealed, h.printRoom.certificate, h.printRoom.key)), page)
}

// sheetOf is the file that a letter is in, and its page there.
func (h *house) sheetOf(t *testing.T, letter string) (document string, page int) {
	t.Helper()
	var run lifecycle.PrintRunID
	var section int
	must(t, h.admin.QueryRow(t.Context(), "SELECT run_id, section, page FROM print_sheet WHERE letter_id = $1", letter).Scan(&run, &section, &page))
	return issuance.RunDocument(run, section), page
}

// print plays the print room for every run that is rendered.
func (h *house) print(t testing.TB) {
	t.Helper()
	for _, run := range get[[]issuance.PrintRun](t)(h.PrintRuns(t.Context(), lifecycle.PrintRunRendered)) {
		job := get[issuance.PrintJob](t)(h.StartPrinting(t.Context(), operator, run.ID, issuance.Printer{Name: "Laser 1"}))
		last := job.Sheets[len(job.Sheets)-1].Position
		must(t, h.EndPrinting(t.Context(), operator, run.ID, issuance.PrintReport{Last: last, Counter: int64(job.Paper())}))
	}
}

var alone = regexp.MustCompile(`(?m)^ *([0-9]{4}) *$`)

// pinOf is the code that stands alone on its line.
func pinOf(t *testing.T, text string) string {
	t.Helper()
	found := alone.FindAllStringSubmatch(text, -1)
	if len(found) != 1 {
		t.Fatalf("%d codes stand alone in\n%s", len(found), text)
	}
	return found[0][1]
}

var (
	word      = regexp.MustCompile(`[0-9A-Za-z]+`)
	timestamp = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+)?(\+00|Z)?`)
)

// codes are the words of a text that could be a PIN.
func codes(text string) []string {
	found := slices.DeleteFunc(word.FindAllString(timestamp.ReplaceAllString(text, ""), -1), func(w string) bool {
		return len(w) != 4 || !allDigits(w)
	})
	slices.Sort(found)
	return slices.Compact(found)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
