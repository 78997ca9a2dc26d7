package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/smallstep/certificates/cas/apiv1"
	"github.com/smallstep/certificates/cas/softcas"
	"go.step.sm/crypto/x509util"

	"sceau/internal/bench"
)

// BenchmarkCertificates issues 1 000 certificates with a key in this process:
// read the request, draft, lint, sign. The limit verifies the request's
// signature and makes one; the peers are crypto/x509 alone, with no check at
// all, and smallstep's CA with a rendered template.
func BenchmarkCertificates(b *testing.B) {
	h := setup(b)
	csr := request(b, ecKey(b, elliptic.P256()), x509.CertificateRequest{})
	const certificates = 1000
	side := func(name string, work func() error) bench.Side {
		return bench.Side{Name: name, Ops: certificates, Run: func() error {
			for range certificates {
				if err := work(); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	b.Run("in_process", func(b *testing.B) {
		bench.Comparison{
			Ours: side("Issue", func() error {
				r, err := ParseRequest(csr)
				if err != nil {
					return err
				}
				draft, err := h.issuer.Prepare(NominativeAuthentication(), r, holder, serialNumber(b), 1, testNow)
				if err != nil {
					return err
				}
				_, err = h.issuer.Sign(draft, h.key)
				return err
			}),
			Limits: []bench.Side{side("verify_and_sign", bareIssue(b, h.key))},
			Peers:  []bench.Side{side("crypto_x509", naiveIssue(b, h, csr)), side("softcas_template", softcasIssue(b, h, csr))},
		}.Measure(b)
	})
	b.Run("draft_and_lint", func(b *testing.B) {
		r := must[*Request](b)(ParseRequest(csr))
		bench.Comparison{
			Ours: side("Prepare", func() error {
				_, err := h.issuer.Prepare(NominativeAuthentication(), r, holder, serialNumber(b), 1, testNow)
				return err
			}),
			Limits: []bench.Side{side("verify_and_sign", bareIssue(b, h.key))},
		}.Measure(b)
	})
}

// bareIssue is one ECDSA verification and one signature.
func bareIssue(b *testing.B, key crypto.Signer) func() error {
	b.Helper()
	sum := sha256.Sum256([]byte("to be signed"))
	signature := must[[]byte](b)(key.Sign(rand.Reader, sum[:], crypto.SHA256))
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		b.Fatal("the issuing key is not ECDSA")
	}
	return func() error {
		if !ecdsa.VerifyASN1(public, sum[:], signature) {
			return errors.New("the signature does not verify")
		}
		_, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		return err
	}
}

func readAndVerify(csr []byte) (*x509.CertificateRequest, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, err
	}
	return r, r.CheckSignature()
}

func naiveIssue(b *testing.B, h *house, csr []byte) func() error {
	b.Helper()
	urls := h.issuer.URLs(1)
	return func() error {
		r, err := readAndVerify(csr)
		if err != nil {
			return err
		}
		serial := serialNumber(b)
		_, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: new(big.Int).SetBytes(serial[:]), Subject: r.Subject, EmailAddresses: []string{holder.Email},
			NotBefore: testNow, NotAfter: testNow.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, OCSPServer: []string{urls.OCSP},
			IssuingCertificateURL: []string{urls.CA}, CRLDistributionPoints: []string{urls.CRL},
		}, h.issuer.Certificate, r.PublicKey, h.key)
		return err
	}
}

const softcasTemplate = `{"subject": {"commonName": {{ toJson .Subject.CommonName }}, "organization": "Bank"},
"emailAddresses": ["h@example.test"], "keyUsage": ["digitalSignature"], "extKeyUsage": ["clientAuth"],
"ocspServer": "http://o.example.test", "crlDistributionPoints": "http://c.example.test/a.crl", "policyIdentifiers": ["1.2.3.4"]}`

func softcasIssue(b *testing.B, h *house, csr []byte) func() error {
	b.Helper()
	cas := must[*softcas.SoftCAS](b)(softcas.New(context.Background(), apiv1.Options{
		CertificateChain: []*x509.Certificate{h.issuer.Certificate}, Signer: h.key,
	}))
	return func() error {
		r, err := readAndVerify(csr)
		if err != nil {
			return err
		}
		made, err := x509util.NewCertificate(r, x509util.WithTemplate(softcasTemplate, x509util.CreateTemplateData(holder.Surname, nil)))
		if err != nil {
			return err
		}
		_, err = cas.CreateCertificate(&apiv1.CreateCertificateRequest{Template: made.GetCertificate(), CSR: r, Lifetime: 24 * time.Hour})
		return err
	}
}
