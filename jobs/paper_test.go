package jobs

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"sceau/cms"
	"sceau/lifecycle"
)

// pdfText reads a letter as a person does.
func pdfText(t *testing.T, pdf []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "pdftotext", "-layout", "-", "-")
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
	sealed := get[[]byte](t)(h.Document(t.Context(), string(id)))
	return pdfText(t, get[[]byte](t)(cms.Open(sealed, h.printRoom.certificate, h.printRoom.key)))
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
