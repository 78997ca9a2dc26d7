package ca

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
	"testing"

	"sceau/internal/bench"
)

func BenchmarkCRL(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) { benchmarkCRL(b, n) })
	}
}

// benchmarkCRL takes entries that are encoded already, as a table has them;
// reading them is the store's.
func benchmarkCRL(b *testing.B, n int) {
	b.Helper()
	h := setup(b)
	c := h.list(1)
	rows := benchEntries(b, n)
	for run := range rows { //nolint:errcheck // the sample's stream has no error
		c.Size += len(run)
	}
	der := must[[]byte](b)(EncodeCRL(c, rows, h.key))
	encode := bench.Side{Name: "EncodeCRL", Ops: 1, Run: func() error {
		_, err := EncodeCRL(c, rows, h.key)
		return err
	}}
	limit := bench.Side{Name: "sha256_and_signature", Ops: 1, Run: func() error {
		sum := sha256.Sum256(der)
		_, err := h.key.Sign(rand.Reader, sum[:], crypto.SHA256)
		return err
	}}
	peer := bench.Side{Name: "x509_CreateRevocationList", Ops: 1, Run: func() error {
		entries := make([]x509.RevocationListEntry, 0, n)
		for i := range n {
			r := benchEntry(i)
			entries = append(entries, x509.RevocationListEntry{
				SerialNumber: new(big.Int).SetBytes(r.Serial[:]), RevocationTime: r.At, ReasonCode: int(r.Reason),
			})
		}
		_, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate, RevokedCertificateEntries: entries,
		}, h.issuer.Certificate, h.key)
		return err
	}}
	b.Run("encode", func(b *testing.B) {
		allocation := bench.Comparison{Ours: encode, Limits: []bench.Side{limit}, Peers: []bench.Side{peer}}.Measure(b)
		b.ReportMetric(float64(len(der)), "list_B")
		b.ReportMetric(allocation/float64(len(der)), "alloc_x_list")
	})
	c2 := c
	c2.Number = 2
	next := must[[]byte](b)(EncodeCRL(c2, rows, h.key))
	b.Run("check_successor", func(b *testing.B) {
		bench.Comparison{Limits: []bench.Side{limit}, Ours: bench.Side{Name: "CheckSuccessor", Ops: 1, Run: func() error {
			return CheckSuccessor(bytes.NewReader(der), next, h.issuer.Certificate, testNow, nil)
		}}}.Measure(b)
	})
}
