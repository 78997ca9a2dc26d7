package engine_test

import (
	"fmt"
	"strings"
	"testing"
)

// The engine alone, without Vault in front: what is left of a call is Vault's.
func BenchmarkEngine(b *testing.B) {
	h := withKeys(b)
	items := make([]any, 100)
	for i := range items {
		items[i] = question("12345678")
	}
	lines := strings.Repeat("9250000000000017,01,securaccess,2,12345678,0,64\n", 100)
	b.Run("verify 100 codes a call, as text", func(b *testing.B) {
		for b.Loop() {
			h.must(b, "cap/verify", map[string]any{"batch": lines})
		}
		b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "codes/s")
	})
	b.Run("verify 100 codes a call", func(b *testing.B) {
		for b.Loop() {
			h.must(b, "cap/verify", map[string]any{"items": items})
		}
		b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "codes/s")
	})
	round := 0
	b.Run("personalise 100 cards a call", func(b *testing.B) {
		for b.Loop() {
			round++
			cards := make([]any, 100)
			for i := range cards {
				cards[i] = card(fmt.Sprintf("C-%08d%08d", round, i))
			}
			h.must(b, "card/personalise", personalise(attempt, cards...))
		}
		b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "cards/s")
	})
}
