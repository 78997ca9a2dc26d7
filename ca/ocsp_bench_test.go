package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/internal/bench"
)

// BenchmarkOCSPAnswer is an answer signed live, without HTTP: read the request,
// encode, sign with a key in memory.
func BenchmarkOCSPAnswer(b *testing.B) {
	h := setup(b)
	leaf, _ := h.issue(b, testNow)
	der := must[[]byte](b)(ocsp.CreateRequest(leaf, h.issuer.Certificate, nil))
	sum := sha256.Sum256(der)
	const ops = 2000
	repeat := func(work func() error) func() error {
		return func() error {
			for range ops {
				if err := work(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	ours := repeat(func() error {
		request, err := ParseOCSPRequest(der)
		if err != nil {
			return err
		}
		_, err = h.responder.Answer(request, []Status{good}, testNow, h.ocspKey)
		return err
	})
	signature := repeat(func() error {
		_, err := h.ocspKey.Sign(rand.Reader, sum[:], crypto.SHA256)
		return err
	})
	peer := repeat(func() error {
		request, err := ocsp.ParseRequest(der)
		if err != nil {
			return err
		}
		_, err = ocsp.CreateResponse(h.issuer.Certificate, h.responder.Certificate(), ocsp.Response{
			Status: ocsp.Good, SerialNumber: request.SerialNumber, ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour),
			Certificate: h.responder.Certificate(),
		}, h.ocspKey)
		return err
	})
	bench.Comparison{
		Ours:   bench.Side{Name: "Answer", Ops: ops, Run: ours},
		Limits: []bench.Side{{Name: "bare_signature", Ops: ops, Run: signature}},
		Peers:  []bench.Side{{Name: "x_crypto_ocsp", Ops: ops, Run: peer}},
	}.Measure(b)
}
