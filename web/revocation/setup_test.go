package revocation

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sceau/ca"
	"sceau/lifecycle"
)

// source is a table of statuses.
type source struct {
	statuses map[lifecycle.Serial]ca.Status
	ahead    map[lifecycle.Serial]*Presigned
	asOf     time.Time
	err      error
	wait     chan struct{} // when set, Status waits for it or for the end of its context
	reads    atomic.Int64
}

func (s *source) Status(ctx context.Context, issuerID string, serial []byte) (Known, error) {
	s.reads.Add(1)
	if s.wait != nil {
		select {
		case <-s.wait:
		case <-ctx.Done():
			return Known{Status: ca.Status{State: ca.StateGood}}, ctx.Err() // a status beside an error must not be used
		}
	}
	if s.err != nil {
		return Known{Status: ca.Status{State: ca.StateGood}}, s.err
	}
	var key lifecycle.Serial
	if issuerID != "issuing-1" || len(serial) != len(key) {
		return Known{Status: ca.Status{State: ca.StateNeverIssued}, AsOf: s.asOf}, nil
	}
	copy(key[:], serial)
	status, ok := s.statuses[key]
	if !ok {
		status.State = ca.StateNeverIssued
	}
	return Known{Status: status, AsOf: s.asOf, Ahead: [2]*Presigned{s.ahead[key]}}, nil
}

// door is a running public door with a small PKI behind it.
type door struct {
	*httptest.Server
	handler      *Handler
	source       *source
	responder    *ca.Responder
	key, ocspKey crypto.Signer
	issuer       *ca.Issuer
	root         *x509.Certificate
	lists        string
	now          time.Time
	signerErr    atomic.Pointer[error]

	good, revoked, hold, never lifecycle.Serial
	goodCert, revokedCert      *x509.Certificate
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func newSerial(t testing.TB) lifecycle.Serial {
	t.Helper()
	var b [16]byte
	must[int](t)(rand.Read(b[:]))
	return lifecycle.SerialFrom(b)
}

func (d *door) issue(t testing.TB, serial lifecycle.Serial) *x509.Certificate {
	t.Helper()
	csr := must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, newKey(t)))
	req := must[*ca.Request](t)(ca.ParseRequest(csr))
	draft := must[*ca.Draft](t)(d.issuer.Prepare(ca.NominativeAuthentication(), req, ca.Subject{
		GivenName: "Amélie", Surname: "Dupont",
		Organization: "Boulangerie du Pont", OrganizationID: "NTRFR-732829320", RegistryNumber: "732829320", Country: "FR", HolderNumber: "H-1",
	}, serial, 0, d.now))
	return must[*x509.Certificate](t)(d.issuer.Sign(draft, d.key))
}

func setup(t testing.TB, change ...func(*Config)) *door {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second) // openssl ocsp compares with the wall clock
	d := &door{now: now, key: newKey(t), ocspKey: newKey(t), lists: t.TempDir()}
	named := func(cn string) ca.Name {
		return ca.Name{CommonName: cn, Organization: "Banque Exemple SA", RegistryNumber: "552100554", Country: "FR"}
	}
	cert := must[*x509.Certificate](t)
	rootKey := newKey(t)
	d.root = cert(ca.SelfSignRoot(rootKey, named("Root"), now))
	root := &ca.Issuer{ID: "root", Certificate: d.root, PublicBase: "http://pki.example.test"}
	d.issuer = &ca.Issuer{ID: "issuing-1", PublicBase: root.PublicBase, Certificate: cert(ca.SignIssuing(root, rootKey, d.key.Public(), named("Issuing 1"), newSerial(t), now))}
	d.responder = must[*ca.Responder](t)(ca.NewResponder(d.issuer.Certificate,
		cert(ca.SignOCSPResponder(d.issuer, d.key, d.ocspKey.Public(), named("OCSP 1"), newSerial(t), now)), time.Hour))
	d.good, d.revoked, d.hold, d.never = newSerial(t), newSerial(t), newSerial(t), newSerial(t)
	d.goodCert, d.revokedCert = d.issue(t, d.good), d.issue(t, d.revoked)
	d.source = &source{asOf: now, statuses: map[lifecycle.Serial]ca.Status{
		d.good:    {State: ca.StateGood},
		d.revoked: {State: ca.StateRevoked, RevokedAt: now.Add(-time.Hour), Reason: lifecycle.ReasonKeyCompromise},
		d.hold:    {State: ca.StateRevoked, RevokedAt: now.Add(-time.Hour), Reason: lifecycle.ReasonCertificateHold},
	}, ahead: map[lifecycle.Serial]*Presigned{}}
	config := Config{
		Lists:       d.lists,
		Authorities: []Authority{{ID: "issuing-1", Certificate: d.issuer.Certificate, Chain: []*x509.Certificate{d.root}}, {ID: "root", Certificate: d.root}},
		Responders: []Responder{{IssuerID: "issuing-1", Responder: d.responder, Signer: func(context.Context) (crypto.Signer, error) {
			if err := d.signerErr.Load(); err != nil {
				return nil, *err
			}
			return d.ocspKey, nil
		}}},
		Source: d.source,
		Now:    func() time.Time { return d.now.Add(time.Second / 2) },
	}
	for _, c := range change {
		c(&config)
	}
	d.handler = must[*Handler](t)(New(config))
	d.Server = httptest.NewServer(d.handler)
	t.Cleanup(func() {
		d.Close()
		if err := d.handler.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// publish writes a list for the folder and gives its bytes.
func (d *door) publish(t testing.TB, file string, from, to time.Time, count int) []byte {
	t.Helper()
	entries := func(yield func(ca.Revoked, error) bool) {
		for n := range count {
			if !yield(ca.Revoked{Serial: lifecycle.Serial{0x40, 14: byte(n >> 8), 15: byte(n)}, At: from.Add(-time.Minute), Reason: 4}, nil) {
				return
			}
		}
	}
	der := must[[]byte](t)(ca.EncodeCRL(ca.CRL{
		Issuer: d.issuer.Certificate, Number: 1, ThisUpdate: from, NextUpdate: to,
		DistributionPoint: d.issuer.URLs(0).CRL,
	}, iter.Seq2[ca.Revoked, error](entries), d.key))
	path := filepath.Join(d.lists, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, der, 0o600); err != nil {
		t.Fatal(err)
	}
	return der
}

type reply struct {
	*http.Response
	body []byte
}

// call makes one request; redirects are not followed.
func (d *door) call(t testing.TB, method, path string, body []byte, headers ...string) reply {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(string(body))))
	for n := 0; n < len(headers); n += 2 {
		req.Header.Set(headers[n], headers[n+1])
	}
	resp := must[*http.Response](t)(d.Client().Transport.RoundTrip(req)) //nolint:bodyclose // closed in the next line: must hides it
	defer resp.Body.Close()                                              //nolint:errcheck // read only
	return reply{resp, must[[]byte](t)(io.ReadAll(resp.Body))}
}

// openssl runs the tool in a folder; a missing openssl fails the test.
func openssl(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("openssl is needed (apt-get install openssl): %v", err)
	}
	return string(out), err
}

func (d *door) files(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, c := range map[string]*x509.Certificate{"root.pem": d.root, "ca.pem": d.issuer.Certificate, "good.pem": d.goodCert, "revoked.pem": d.revokedCert} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
