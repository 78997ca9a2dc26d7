package engine_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func (h house) marks(t testing.TB, name string) map[string]string {
	t.Helper()
	answer, refused := h.request(t, "ocsp", logical.ReadOperation, "marks/"+name, nil)
	marks, ok := answer["marks"].(map[string]string)
	if refused != "" || !ok {
		t.Fatalf("marks %s: %v %s", name, answer, refused)
	}
	return marks
}

func raise(marks map[string]any) map[string]any { return map[string]any{"marks": marks} }

func TestMarksOnlyRise(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if got := h.marks(t, "crl-issuing-1"); len(got) != 0 {
		t.Errorf("before the first: %v", got)
	}
	h.must(t, "marks/crl-issuing-1", raise(map[string]any{"0.number": "7", "0.revision": "40", "1.number": "2"}))
	h.must(t, "marks/crl-issuing-1", raise(map[string]any{"0.number": "7", "0.revision": "41"}))
	for _, wrong := range []struct {
		path  string
		marks map[string]any
		code  string
	}{
		{"marks/crl-issuing-1", map[string]any{"0.number": "6"}, "conflict"},
		{"marks/crl-issuing-1", map[string]any{"0.number": "8", "0.revision": "40"}, "conflict"}, // all or none
		{"marks/crl-issuing-1", map[string]any{"0.number": "-1"}, "invalid"},
		{"marks/crl-issuing-1", map[string]any{"0.number": "9223372036854775808"}, "invalid"},
		{"marks/crl-issuing-1", map[string]any{"0.number": "8.5"}, "invalid"},
		{"marks/crl-issuing-1", map[string]any{"../key/imk": "8"}, "invalid"},
		{"marks/crl-issuing-1", map[string]any{}, "invalid"},
		{"marks/CRL", map[string]any{"0.number": "1"}, "invalid"},
	} {
		h.refusesUnchanged(t, "worker", logical.UpdateOperation, wrong.path, raise(wrong.marks), wrong.code)
	}
	h = h.restarted(t)
	want := map[string]string{"0.number": "7", "0.revision": "41", "1.number": "2"}
	if got := h.marks(t, "crl-issuing-1"); !maps.Equal(got, want) {
		t.Errorf("marks %v, want %v", got, want)
	}
	if got := h.marks(t, "crl-issuing-2"); len(got) != 0 {
		t.Errorf("another name has %v", got)
	}
}

func TestMarksHaveABound(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	many := map[string]any{}
	for i := range 4096 {
		many[fmt.Sprintf("%d.number", i)] = "1"
	}
	h.must(t, "marks/crl-issuing-1", raise(many))
	h.refusesUnchanged(t, "worker", logical.UpdateOperation, "marks/crl-issuing-1", raise(map[string]any{"4096.number": "1"}), "invalid")
}

func TestOfManyWhoRaiseAMarkTheHighestStays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var race sync.WaitGroup
	for i := range 32 {
		race.Go(func() { h.call(t, "worker", "marks/crl-issuing-1", raise(map[string]any{"0.number": fmt.Sprint(i)})) })
	}
	race.Wait()
	if got := h.marks(t, "crl-issuing-1")["0.number"]; got != "31" {
		t.Errorf("the mark stands at %s", got)
	}
}
