package ca

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/crypto/ocsp"

	"sceau/lifecycle"
)

// batches signs as a key store does, and counts its calls.
type batches struct {
	crypto.Signer

	calls int
	spoil func(signatures [][]byte) [][]byte
}

func (b *batches) SignBatch(digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	b.calls++
	signatures := make([][]byte, len(digests))
	for i, digest := range digests {
		var err error
		if signatures[i], err = b.Signer.Sign(rand.Reader, digest, opts); err != nil {
			return nil, err
		}
	}
	if b.spoil != nil {
		signatures = b.spoil(signatures)
	}
	return signatures, nil
}

func many(n int) []CertificateStatus {
	of := make([]CertificateStatus, n)
	for i := range of {
		of[i] = CertificateStatus{Serial: lifecycle.SerialFrom([16]byte{1, 15: byte(i)}), Status: good}
		if i%3 == 1 {
			of[i].Status = revoked
		}
	}
	return of
}

func TestAnswersSignedAheadAreEachCertificatesOwn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for name, signer := range map[string]crypto.Signer{"in one call": &batches{Signer: h.ocspKey}, "one by one": h.ocspKey} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := many(20)
			answers := must[[]Answer](t)(h.responder.AnswerAhead(of, testNow, signer))
			for i, answer := range answers {
				got, err := ocsp.ParseResponse(answer.DER, h.issuer.Certificate)
				if err != nil {
					t.Fatal(err)
				}
				want := ocsp.Good
				if of[i].Status.State == StateRevoked {
					want = ocsp.Revoked
				}
				if got.Status != want || lifecycle.SerialFrom([16]byte(got.SerialNumber.FillBytes(make([]byte, 16)))) != of[i].Serial ||
					got.IssuerHash != crypto.SHA1 || !got.NextUpdate.Equal(answer.NextUpdate) {
					t.Errorf("answer %d: %+v", i, got)
				}
			}
			if b, ok := signer.(*batches); ok && b.calls != 1 {
				t.Errorf("%d calls, want one", b.calls)
			}
		})
	}
}

func TestAnswersSignedWrongDoNotLeave(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for name, spoil := range map[string]func(signatures [][]byte) [][]byte{
		"one too few":           func(s [][]byte) [][]byte { return s[1:] },
		"two change places":     func(s [][]byte) [][]byte { s[0], s[1] = s[1], s[0]; return s },
		"one bit of one is off": func(s [][]byte) [][]byte { s[2][len(s[2])-1] ^= 1; return s },
	} {
		answers, err := h.responder.AnswerAhead(many(3), testNow, &batches{Signer: h.ocspKey, spoil: spoil})
		if err == nil || len(answers) > 0 {
			t.Errorf("%s: %d answers, error %v", name, len(answers), err)
		}
	}
	if _, err := h.responder.AnswerAhead(many(3), testNow, h.key); err == nil {
		t.Error("signed with the issuer's key")
	}
	if _, err := h.responder.AnswerAhead(many(3), testNow.AddDate(10, 0, 0), h.ocspKey); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("after the responder's end: %v", err)
	}
	revokedWithoutTime := []CertificateStatus{{Serial: lifecycle.SerialFrom([16]byte{1}), Status: Status{State: StateRevoked}}}
	if _, err := h.responder.AnswerAhead(revokedWithoutTime, testNow, h.ocspKey); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("revoked at no time: %v", err)
	}
}

func TestTheUsualRequestIsKnownByItsOctets(t *testing.T) {
	t.Parallel()
	h := setup(t)
	leaf, _ := h.issue(t, testNow)
	dir := files(t, map[string]*pem.Block{"ca.pem": certPEM(h.issuer.Certificate), "a.pem": certPEM(leaf), "root.pem": certPEM(h.root.Certificate)})
	request := func(args ...string) []byte {
		t.Helper()
		args = append([]string{"ocsp", "-reqout", "req", "-issuer", "ca.pem"}, args...)
		if out, err := openssl(t, dir, args...); err != nil {
			t.Fatalf("openssl makes no request: %s", out)
		}
		return must[[]byte](t)(os.ReadFile(filepath.Join(dir, "req")))
	}
	usual := request("-no_nonce", "-cert", "a.pem")
	id, ok := h.responder.Usual(usual)
	if want := leaf.SerialNumber.Bytes(); !ok || !bytes.Equal(id.Serial, want) {
		t.Errorf("serial %x, %t; openssl asked for %x", id.Serial, ok, want)
	}
	if read := must[*OCSPRequest](t)(ParseOCSPRequest(usual)); !reflect.DeepEqual(read.IDs[0], id) {
		t.Errorf("reading it gives %+v, not %+v", read.IDs[0], id)
	}
	for name, der := range map[string][]byte{
		"a nonce": request("-cert", "a.pem"), "SHA-256": request("-no_nonce", "-sha256", "-cert", "a.pem"),
		"two certificates": request("-no_nonce", "-cert", "a.pem", "-cert", "a.pem"), "another issuer": request("-no_nonce", "-issuer", "root.pem", "-cert", "a.pem"),
		"a short serial": request("-no_nonce", "-serial", "0x1234"), "cut short": usual[:len(usual)-1], "something behind": append(bytes.Clone(usual), 0), "nothing": nil,
	} {
		if id, ok := h.responder.Usual(der); ok {
			t.Errorf("%s: is taken for the usual request about %x", name, id.Serial)
		}
	}
}
