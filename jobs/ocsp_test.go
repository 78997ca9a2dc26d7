package jobs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"golang.org/x/crypto/ocsp"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

// counted is a responder's key that counts its calls and what they carry.
type counted struct {
	*ecdsa.PrivateKey

	carried []int
}

// Signer gives the key.
func (c *counted) Signer(context.Context, string, crypto.PublicKey) (crypto.Signer, error) {
	return c, nil
}

// SignBatch signs as a key store does.
func (c *counted) SignBatch(digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	c.carried = append(c.carried, len(digests))
	signatures := make([][]byte, len(digests))
	for i, digest := range digests {
		var err error
		if signatures[i], err = c.Sign(rand.Reader, digest, opts); err != nil {
			return nil, err
		}
	}
	return signatures, nil
}

func TestStaleAnswersAreSignedInOneCall(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	all, err := p.Service.Authorities(t.Context())
	ok(t, err)
	issuing, err := x509.ParseCertificate(all[0].Certificate)
	ok(t, err)
	delegate, err := ca.SignOCSPResponder(&ca.Issuer{ID: "issuing-1", Certificate: issuing, PublicBase: "http://pki.montclair.example"}, p.key,
		key.Public(), ca.Name{CommonName: "OCSP", Organization: "Montclair", RegistryNumber: "732829320", Country: "FR"}, lifecycle.SerialFrom([16]byte{2}), p.at)
	ok(t, err)
	ok(t, p.Service.RecordDelegate(t.Context(), lifecycle.System("ceremony"), issuance.Delegate{
		Issuer: "issuing-1", Purpose: issuance.DelegateOCSP, Certificate: delegate.Raw, Key: "ocsp-1", NotAfter: delegate.NotAfter,
	}))
	responderKey := &counted{PrivateKey: key}
	worker := answers{Tools: p.Tools, authorities: p.authorities}
	worker.Signers = responderKey

	want := map[lifecycle.CertificateID]int{}
	for range 4 {
		want[p.certificate(t)] = ocsp.Good
	}
	stolen := p.certificate(t)
	want[stolen] = ocsp.Revoked
	ok(t, p.Service.Revoke(t.Context(), lifecycle.Actor{ID: "olga", Role: lifecycle.RoleOperator}, stolen,
		issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))

	ok(t, worker.refresh(t.Context(), issuance.OCSPRefreshArgs{}, nil))
	if len(responderKey.carried) != 1 || responderKey.carried[0] != len(want) {
		t.Errorf("calls of %v digests, want one of %d", responderKey.carried, len(want))
	}
	for id, status := range want {
		plan, err := p.Service.PlanOCSP(t.Context(), id)
		ok(t, err)
		answer, err := ocsp.ParseResponse(plan.Answer, issuing)
		ok(t, err)
		if answer.Status != status || lifecycle.SerialFrom([16]byte(answer.SerialNumber.FillBytes(make([]byte, 16)))) != plan.Serial {
			t.Errorf("%s: status %d of %x, want %d of %s", id, answer.Status, answer.SerialNumber, status, plan.Serial)
		}
	}
	ok(t, worker.refresh(t.Context(), issuance.OCSPRefreshArgs{}, nil))
	if len(responderKey.carried) != 1 {
		t.Errorf("fresh answers were signed again: %v", responderKey.carried)
	}
}
