package issuance

import (
	"bytes"
	"testing"

	"sceau/lifecycle"
)

// FuzzCardList reads lists of cards: whatever stands in them, each line is a card's
// identifier or told as wrong, once, in order.
func FuzzCardList(f *testing.F) {
	f.Add([]byte("\xEF\xBB\xBFC-0000000000000000\r\n\nC-1\n  C-0000000000000001"))
	f.Add([]byte("=cmd\n\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := readCardList(bytes.NewReader(text))
		if err != nil {
			return
		}
		last := 0
		for l := range listedCards(list) {
			if l.line <= last || l.line > 1+bytes.Count(list, []byte{'\n'}) {
				t.Fatalf("line %d behind line %d", l.line, last)
			}
			last = l.line
			if good := lifecycle.CheckID(lifecycle.PrefixCard, string(l.card)) == nil; good != (l.why == "") {
				t.Fatalf("line %d: %q, %q", l.line, l.card, l.why)
			}
		}
	})
}
