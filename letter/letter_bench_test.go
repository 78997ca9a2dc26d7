package letter

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"

	"codeberg.org/go-pdf/fpdf"

	"sceau/internal/bench"
)

// BenchmarkLetters makes 2 000 letters of each kind. The limit hashes and
// copies the bytes of as many, which whoever stores or sends them does too.
func BenchmarkLetters(b *testing.B) {
	card, pin := samples()[0].card(b), samples()[0].pin(b)
	for _, kind := range []struct {
		name string
		make func() ([]byte, error)
	}{
		{"card", func() ([]byte, error) { return CardLetter(card) }},
		{"pin", func() ([]byte, error) { return PINLetter(pin) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			pdf, err := kind.make()
			if err != nil {
				b.Fatal(err)
			}
			const letters, peerLetters = 2000, 20
			repeat := func(n int, work func() error) func() error {
				return func() error {
					for range n {
						if err := work(); err != nil {
							return err
						}
					}
					return nil
				}
			}
			var kept []byte
			bench.Comparison{
				Ours: bench.Side{Name: "letter", Ops: letters, Run: repeat(letters, func() error { _, err := kind.make(); return err })},
				Limits: []bench.Side{{Name: "sha256_and_copy", Ops: letters, Run: repeat(letters, func() error {
					sum := sha256.Sum256(pdf)
					kept = append(append(make([]byte, 0, len(pdf)+len(sum)), pdf...), sum[:]...)
					return nil
				})}},
				Peers: []bench.Side{{Name: "fpdf", Ops: peerLetters, Run: repeat(peerLetters, func() error { return peerLetter(io.Discard) })}},
			}.Measure(b)
			var peer bytes.Buffer
			if err := peerLetter(&peer); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(pdf)), "letter_B")
			b.ReportMetric(float64(len(pdf))/float64(peer.Len()), "size_x_fpdf")
			if len(kept) != len(pdf)+sha256.Size {
				b.Fatal("the limit copied nothing")
			}
		})
	}
}

// peerLetter is fpdf with the same fonts embedded and as much text.
func peerLetter(w io.Writer) error {
	words := french()
	text := words.card.intro + words.card.activate + words.advice + words.card.reader
	peer := fpdf.New("P", "mm", "A4", "")
	peer.AddUTF8FontFromBytes("face", "", regularFile)
	peer.AddUTF8FontFromBytes("face", "B", boldFile)
	peer.AddPage()
	for _, emphasis := range []string{"", "B"} {
		peer.SetFont("face", emphasis, bodySize)
		peer.MultiCell(165, leading, text, "", "L", false)
	}
	return peer.Output(w)
}
