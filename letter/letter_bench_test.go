package letter

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"testing"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"sceau/cms"
	"sceau/internal/bench"
	"sceau/lifecycle"
	"sceau/party"
)

// BenchmarkLetters makes print runs of 1 000 letters of each kind and seals
// them for the print room. The limit hashes and copies the bytes of as many,
// which whoever stores or sends them does too; the peer is one document a
// letter, as libraries make it.
func BenchmarkLetters(b *testing.B) {
	const letters, peerLetters = 1000, 20
	cards, pins := samples()[0].numbered(b, letters)
	info, room := samples()[0].info(), printRoom(b)
	for _, kind := range []struct {
		name string
		make func() []byte
	}{
		{"card", func() []byte { return cardRun(b, info, cards) }},
		{"pin", func() []byte { return pinRun(b, info, pins) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			pdf := kind.make()
			var kept, sealed []byte
			bench.Comparison{
				Ours: bench.Side{Name: "letter", Ops: letters, Run: func() (err error) {
					sealed, err = cms.Seal(kind.make(), room)
					return err
				}},
				Limits: []bench.Side{{Name: "sha256_and_copy", Ops: letters, Run: func() error {
					sum := sha256.Sum256(pdf)
					kept = append(append(make([]byte, 0, len(pdf)+len(sum)), pdf...), sum[:]...)
					return nil
				}}},
				Peers: []bench.Side{{Name: "fpdf", Ops: peerLetters, Run: func() error {
					for range peerLetters {
						if err := peerLetter(io.Discard); err != nil {
							return err
						}
					}
					return nil
				}}},
			}.Measure(b)
			var peer bytes.Buffer
			if err := peerLetter(&peer); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(sealed))/letters, "letter_B")
			b.ReportMetric(float64(len(sealed))/letters/float64(peer.Len()), "size_x_fpdf")
			if len(kept) != len(pdf)+sha256.Size || len(sealed) < len(pdf) {
				b.Fatal("the sides did not work on the run")
			}
		})
	}
}

// printRoom is a certificate to seal for.
func printRoom(b *testing.B) *x509.Certificate {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "print room"}, KeyUsage: x509.KeyUsageKeyEncipherment,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	room, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	return room
}

// peerLetter is fpdf with the same fonts embedded and as much text.
func peerLetter(w io.Writer) error {
	french, err := Common{Language: party.French}.words(lifecycle.PrintCard)
	if err != nil {
		return err
	}
	v := &values{}
	text := french.intro.fill(v) + french.activate.text.fill(v) + french.advice.text.fill(v) + french.reader.asText().text.fill(v)
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
