package ca

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/lifecycle"
)

var (
	good    = Status{State: StateGood}
	revoked = Status{State: StateRevoked, RevokedAt: testNow.Add(-time.Hour), Reason: lifecycle.ReasonKeyCompromise}
)

func TestXCryptoReadsTheAnswer(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	for name, tc := range map[string]struct {
		status Status
		want   int
	}{
		"good":                                 {good, ocsp.Good},
		"revoked":                              {revoked, ocsp.Revoked},
		"revoked without reason":               {Status{State: StateRevoked, RevokedAt: testNow}, ocsp.Revoked},
		"revoked, with an invalidity date":     {Status{State: StateRevoked, RevokedAt: testNow, Reason: 4, InvalidityDate: testNow.AddDate(0, -1, 0)}, ocsp.Revoked},
		"unknown":                              {Status{State: StateUnknown}, ocsp.Unknown},
		"nothing known: the zero value":        {Status{}, ocsp.Unknown},
		"a state that does not exist: unknown": {Status{State: 77}, ocsp.Unknown},
	} {
		for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			t.Run(name+" by "+hash.String(), func(t *testing.T) {
				t.Parallel()
				der := must[[]byte](t)(ocsp.CreateRequest(leaf, h.issuer.Certificate, &ocsp.RequestOptions{Hash: hash}))
				req := must[*OCSPRequest](t)(ParseOCSPRequest(der))
				answer := must[Answer](t)(h.responder.Answer(req, []Status{tc.status}, testNow.Add(time.Millisecond), h.ocspKey))
				got, err := ocsp.ParseResponseForCert(answer.DER, leaf, h.issuer.Certificate)
				if err != nil {
					t.Fatal(err)
				}
				if got.Status != tc.want || got.IssuerHash != hash || !got.ProducedAt.Equal(testNow) || !got.ThisUpdate.Equal(testNow) ||
					!got.NextUpdate.Equal(testNow.Add(time.Hour)) || !answer.NextUpdate.Equal(got.NextUpdate) || !answer.ThisUpdate.Equal(testNow) ||
					!got.Certificate.Equal(h.responder.Certificate()) || len(got.ResponderKeyHash) != 20 {
					t.Errorf("x/crypto/ocsp reads %+v", got)
				}
				if tc.want == ocsp.Revoked && (!got.RevokedAt.Equal(tc.status.RevokedAt) || got.RevocationReason != int(tc.status.Reason)) {
					t.Errorf("revoked at %s for %d", got.RevokedAt, got.RevocationReason)
				}
				var extensions []string
				for _, e := range got.Extensions {
					extensions = append(extensions, e.Id.String())
				}
				want := []string{"1.3.6.1.5.5.7.48.1.6"} // archive cutoff
				if !tc.status.InvalidityDate.IsZero() {
					want = append(want, "2.5.29.24")
				}
				if !slices.Equal(extensions, want) {
					t.Errorf("single extensions %v, not %v", extensions, want)
				}
			})
		}
	}
}

func TestASerialThatWasNeverIssuedIsRevokedWithoutEnd(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	der := must[[]byte](t)(ocsp.CreateRequest(leaf, h.issuer.Certificate, nil))
	req := must[*OCSPRequest](t)(ParseOCSPRequest(der))
	answer := must[Answer](t)(h.responder.Answer(req, []Status{{State: StateNeverIssued}}, testNow, h.ocspKey))
	got := must[*ocsp.Response](t)(ocsp.ParseResponse(answer.DER, h.issuer.Certificate))
	if got.Status != ocsp.Revoked || got.RevocationReason != ocsp.CertificateHold || !got.RevokedAt.Equal(time.Unix(0, 0)) || !got.NextUpdate.IsZero() {
		t.Errorf("x/crypto/ocsp reads status %d, reason %d, revoked at %s, until %s", got.Status, got.RevocationReason, got.RevokedAt, got.NextUpdate)
	}
	dir := files(t, nil)
	if err := os.WriteFile(filepath.Join(dir, "answer"), answer.DER, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := openssl(t, dir, "ocsp", "-respin", "answer", "-resp_text", "-noverify")
	if _, extensions, _ := strings.Cut(out, "Response Extensions:"); err != nil || !strings.HasPrefix(strings.TrimSpace(extensions), "valid:") { // its name of the OID
		t.Errorf("openssl sees no extended-revoke (RFC 6960 §4.4.8): %v\n%s", err, out)
	}
}

func TestOpenSSLVerifiesTheAnswer(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]crypto.Signer{"P-256": ecKey(t, elliptic.P256()), "RSA-3072": rsaKey(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().UTC().Truncate(time.Second) // openssl ocsp compares with the wall clock
			h := newHouse(t, key, now)
			a, _ := h.issue(t, now)
			b, _ := h.issue(t, now)
			dir := files(t, map[string]*pem.Block{
				"root.pem": certPEM(h.root.Certificate), "ca.pem": certPEM(h.issuer.Certificate),
				"a.pem": certPEM(a), "b.pem": certPEM(b),
			})
			for _, tc := range []struct {
				name string
				args []string
				want []string
			}{
				{"one certificate and a nonce", []string{"-cert", "a.pem"}, []string{"a.pem: good"}},
				{"one certificate without nonce", []string{"-no_nonce", "-cert", "a.pem"}, []string{"a.pem: good"}},
				{"SHA-256", []string{"-sha256", "-cert", "a.pem"}, []string{"a.pem: good"}},
				{"two certificates", []string{"-cert", "a.pem", "-cert", "b.pem"}, []string{"a.pem: good", "b.pem: revoked\n", "Reason: keyCompromise"}},
				{"a serial that was never issued", []string{"-cert", "a.pem", "-cert", "b.pem", "-serial", "0x1234"}, []string{"0x1234: revoked\n", "Reason: certificateHold", "Jan  1 00:00:00 1970 GMT"}},
			} {
				args := append([]string{"ocsp", "-issuer", "ca.pem"}, tc.args...)
				if out, err := openssl(t, dir, append(args, "-reqout", "req")...); err != nil {
					t.Fatalf("%s: openssl makes no request: %s", tc.name, out)
				}
				req := must[*OCSPRequest](t)(ParseOCSPRequest(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "req")))))
				if withNonce := !strings.Contains(tc.name, "without"); withNonce != (req.Nonce != nil) {
					t.Fatalf("%s: nonce %x", tc.name, req.Nonce)
				}
				statuses := []Status{good, {State: StateRevoked, RevokedAt: now.Add(-time.Hour), Reason: 1}, {State: StateNeverIssued}}[:len(req.IDs)]
				answer := must[Answer](t)(h.responder.Answer(req, statuses, now, h.ocspKey))
				if err := os.WriteFile(filepath.Join(dir, "resp"), answer.DER, 0o600); err != nil {
					t.Fatal(err)
				}
				// The same request comes from the file, so openssl compares the nonces.
				out, err := openssl(t, dir, "ocsp", "-issuer", "ca.pem", "-reqin", "req", "-respin", "resp", "-CAfile", "root.pem", "-verify_other", "ca.pem", "-resp_text")
				if err != nil || !strings.Contains(out, "Response verify OK") || strings.Contains(out, "Nonce Verify error") || strings.Contains(out, "no nonce") && req.Nonce != nil {
					t.Errorf("%s: openssl does not verify (%v):\n%s", tc.name, err, out)
				}
				out, err = openssl(t, dir, append(args, "-respin", "resp", "-no_nonce", "-CAfile", "root.pem", "-verify_other", "ca.pem")...)
				for _, want := range tc.want {
					if err != nil || !strings.Contains(out, want) {
						t.Errorf("%s: openssl (%v) does not say %q:\n%s", tc.name, err, want, out)
					}
				}
			}
		})
	}
}

func TestAnotherIssuersCertificateIsNeverGood(t *testing.T) {
	t.Parallel()
	h, foreign := setup(t), setup(t)
	own := must[*OCSPRequest](t)(h.responder.Request(serialNumber(t), crypto.SHA256)).IDs[0]
	theirs := must[*OCSPRequest](t)(foreign.responder.Request(serialNumber(t), crypto.SHA256)).IDs[0]
	mixed := own
	mixed.NameHash = theirs.KeyHash
	oddHash := own
	oddHash.Hash = 0
	for name, id := range map[string]CertID{"another issuer": theirs, "our key under another name": mixed, "an unknown hash": oddHash} {
		if h.responder.Covers(id) {
			t.Errorf("%s is covered", name)
		}
		_, err := h.responder.Answer(&OCSPRequest{IDs: []CertID{id}}, []Status{good}, testNow, h.ocspKey)
		if !errors.Is(err, lifecycle.Forbidden) {
			t.Errorf("%s: error %v, want forbidden", name, err)
		}
	}
	answer := must[Answer](t)(h.responder.Answer(&OCSPRequest{IDs: []CertID{own, theirs}}, []Status{good, good}, testNow, h.ocspKey))
	if n := bytes.Count(answer.DER, []byte{0x82, 0, 0x18, 15}); n != 1 {
		t.Errorf("%d certificates are unknown in a mixed answer, want 1", n)
	}
	negative := own
	negative.Serial = nil
	answer = must[Answer](t)(h.responder.Answer(&OCSPRequest{IDs: []CertID{negative}}, []Status{good}, testNow, h.ocspKey))
	if !bytes.Contains(answer.DER, []byte{0x82, 0, 0x18, 15}) {
		t.Error("a serial that cannot exist is not unknown")
	}
}

func TestAnswerRefuses(t *testing.T) {
	t.Parallel()
	h := setup(t)
	req := must[*OCSPRequest](t)(h.responder.Request(serialNumber(t), crypto.SHA1))
	answer := func(s []Status, now time.Time, signer crypto.Signer) error {
		_, err := h.responder.Answer(req, s, now, signer)
		return err
	}
	if err := answer([]Status{good}, testNow.AddDate(0, 0, 91), h.ocspKey); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("after the responder's end: %v", err)
	}
	if err := answer([]Status{good}, testNow.AddDate(0, 0, -1), h.ocspKey); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("before the responder's start: %v", err)
	}
	for name, err := range map[string]error{
		"another key":              answer([]Status{good}, testNow, h.key),
		"no status":                answer(nil, testNow, h.ocspKey),
		"two statuses":             answer([]Status{good, good}, testNow, h.ocspKey),
		"revoked without time":     answer([]Status{{State: StateRevoked}}, testNow, h.ocspKey),
		"removed from the list":    answer([]Status{{State: StateRevoked, RevokedAt: testNow, Reason: 8}}, testNow, h.ocspKey),
		"an HSM that is not there": answer([]Status{good}, testNow, sabotage{h.ocspKey, lifecycle.Unavailable}),
	} {
		if err == nil {
			t.Errorf("%s: answered", name)
		}
	}
	last := h.responder.Certificate().NotAfter
	got := must[Answer](t)(h.responder.Answer(req, []Status{good}, last.Add(-time.Minute), h.ocspKey))
	if !got.NextUpdate.Equal(last) {
		t.Errorf("an answer outlives its responder: %s", got.NextUpdate)
	}
}

func TestOnlyADelegatedCertificateMakesAResponder(t *testing.T) {
	t.Parallel()
	h, foreign := setup(t), setup(t)
	leaf, _ := h.issue(t, testNow)
	for name, cert := range map[string]*x509.Certificate{
		"a holder's certificate":        leaf,
		"the CA's own":                  h.issuer.Certificate,
		"a responder of another CA":     foreign.responder.Certificate(),
		"the root, which signed the CA": h.root.Certificate,
	} {
		if _, err := NewResponder(h.issuer.Certificate, cert, time.Hour); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: error %v, want invalid", name, err)
		}
	}
	for _, lifetime := range []time.Duration{0, -1, 8 * 24 * time.Hour} {
		if _, err := NewResponder(h.issuer.Certificate, h.responder.Certificate(), lifetime); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("a life of %s: error %v, want invalid", lifetime, err)
		}
	}
}

func TestTheRequestMadeAheadIsTheOneClientsSend(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, serial := h.issue(t, testNow)
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		der := must[[]byte](t)(ocsp.CreateRequest(leaf, h.issuer.Certificate, &ocsp.RequestOptions{Hash: hash}))
		sent := must[*OCSPRequest](t)(ParseOCSPRequest(der)).IDs[0]
		ahead := must[*OCSPRequest](t)(h.responder.Request(serial, hash)).IDs[0]
		if !bytes.Equal(sent.Raw(), ahead.Raw()) || !bytes.Equal(ahead.Serial, serial[:]) {
			t.Errorf("%s: ahead %x, sent %x", hash, ahead.Raw(), sent.Raw())
		}
	}
	if _, err := h.responder.Request(serial, crypto.SHA512); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("SHA-512: error %v", err)
	}
}

func TestErrorResponsesAreRead(t *testing.T) {
	t.Parallel()
	for e, want := range map[OCSPError]ocsp.ResponseStatus{
		OCSPMalformed: ocsp.Malformed, OCSPInternal: ocsp.InternalError, OCSPTryLater: ocsp.TryLater, OCSPUnauthorized: ocsp.Unauthorized,
	} {
		_, err := ocsp.ParseResponse(ErrorResponse(e), nil)
		var got ocsp.ResponseError
		if !errors.As(err, &got) || got.Status != want {
			t.Errorf("%d reads as %v, want %v", e, err, want)
		}
	}
}
