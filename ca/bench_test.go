package ca

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

func BenchmarkOCSP(b *testing.B) {
	h := setup(b)
	leaf, serial := h.issue(b, testNow)
	der := must[[]byte](b)(ocsp.CreateRequest(leaf, h.issuer.Certificate, nil))
	req := must[*OCSPRequest](b)(h.responder.Request(serial, crypto.SHA1))
	b.Run("ParseOCSPRequest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must[*OCSPRequest](b)(ParseOCSPRequest(der))
		}
	})
	b.Run("x/crypto ParseRequest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must[*ocsp.Request](b)(ocsp.ParseRequest(der))
		}
	})
	b.Run("Answer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must[Answer](b)(h.responder.Answer(req, []Status{good}, testNow, h.ocspKey))
		}
	})
	b.Run("bare ECDSA signature", func(b *testing.B) {
		b.ReportAllocs()
		sum := sha256.Sum256(der)
		for b.Loop() {
			must[[]byte](b)(h.ocspKey.Sign(rand.Reader, sum[:], crypto.SHA256))
		}
	})
	b.Run("x/crypto CreateResponse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must[[]byte](b)(ocsp.CreateResponse(h.issuer.Certificate, h.responder.Certificate(), ocsp.Response{
				Status: ocsp.Good, SerialNumber: leaf.SerialNumber,
				ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour), Certificate: h.responder.Certificate(),
			}, h.ocspKey))
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	h := setup(b)
	csr := request(b, ecKey(b, elliptic.P256()), x509.CertificateRequest{})
	req := must[*Request](b)(ParseRequest(csr))
	b.Run("ParseRequest", func(b *testing.B) {
		for b.Loop() {
			must[*Request](b)(ParseRequest(csr))
		}
	})
	b.Run("Prepare and Sign", func(b *testing.B) {
		for b.Loop() {
			d := must[*Draft](b)(h.issuer.Prepare(NominativeAuthentication(), req, holder, serialNumber(b), 1, testNow))
			must[*x509.Certificate](b)(h.issuer.Sign(d, h.key))
		}
	})
	b.Run("Prepare", func(b *testing.B) {
		for b.Loop() {
			must[*Draft](b)(h.issuer.Prepare(NominativeAuthentication(), req, holder, serialNumber(b), 1, testNow))
		}
	})
}
