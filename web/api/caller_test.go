package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

// clientCertificate is a certificate that signs itself, with its key.
func clientCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	return tls.Certificate{Certificate: [][]byte{must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))}, PrivateKey: key}
}

func TestAServiceCallsByItsCertificateInPlaceOfAKey(t *testing.T) {
	t.Parallel()
	d := open(t)
	key, _, err := d.authn.NewAPIKey(t.Context(), officer, "payment hub", []authn.Scope{authn.ScopeVerifyCAP}, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	serial := must[lifecycle.Serial](t)(lifecycle.ParseSerial(d.certificate(1)))
	if _, err := d.service.SystemCertificate(t.Context(), serial); err == nil {
		t.Error("a person's certificate was taken for a system's")
	}
	id := must[lifecycle.CertificateID](t)(d.service.CertificateBySerial(t.Context(), serial))
	own, other := clientCertificate(t), clientCertificate(t)
	pool := must[*pgxpool.Pool](t)(pgxpool.New(t.Context(), d.base))
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), "UPDATE certificate SET der = $1, state = 'active' WHERE id = $2", own.Certificate[0], id); err != nil {
		t.Fatal(err)
	}
	if err := d.authn.BindCertificate(t.Context(), officer, key.Service, id, []authn.Scope{authn.ScopeReportFraud}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(d.server.Config.Handler)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	report := func(with *tls.Certificate, bearer string) int {
		t.Helper()
		transport := server.Client().Transport.(*http.Transport).Clone() //nolint:forcetypeassert // httptest's
		if with != nil {
			transport.TLSClientConfig.Certificates = []tls.Certificate{*with}
		}
		defer transport.CloseIdleConnections()
		request := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/fraud-reports", strings.NewReader(`{"kind":"call","told":"who"}`)))
		request.Header.Set("Content-Type", "application/json")
		if bearer != "" {
			request.Header.Set("Authorization", "Bearer "+bearer)
		}
		response := must[*http.Response](t)((&http.Client{Transport: transport}).Do(request)) //nolint:bodyclose // the next line
		_ = response.Body.Close()
		return response.StatusCode
	}
	for name, got := range map[string][2]int{
		"its certificate":                 {report(&own, ""), http.StatusCreated},
		"none":                            {report(nil, ""), http.StatusUnauthorized},
		"another's":                       {report(&other, ""), http.StatusUnauthorized},
		"its certificate and a wrong key": {report(&own, "sceau_live_wrong"), http.StatusUnauthorized},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: status %d, want %d", name, got[0], got[1])
		}
	}
	// A revoked one opens nothing from its revocation on.
	if err := d.service.Revoke(t.Context(), officer, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}); err != nil {
		t.Fatal(err)
	}
	if got := report(&own, ""); got != http.StatusUnauthorized {
		t.Errorf("revoked: status %d", got)
	}
}

func TestTheLogNamesServiceKeyAndTraceAndNothingThatIsNone(t *testing.T) {
	t.Parallel()
	d := open(t)
	made, secret, err := d.authn.NewAPIKey(t.Context(), officer, "payment hub", []authn.Scope{authn.ScopeReadOrders}, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	const good, bad = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-forged line-01"
	for _, trace := range []string{good, bad} {
		request := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/v1/orders/O-0000000000000000", nil))
		request.Header.Set("Authorization", "Bearer "+secret.Reveal())
		request.Header.Set("traceparent", trace)
		response := must[*http.Response](t)(http.DefaultClient.Do(request)) //nolint:bodyclose // the next line
		_ = response.Body.Close()
	}
	d.server.Close()
	log := d.log.String()
	for _, want := range []string{"service=" + string(made.Service), "credential=" + string(made.ID), "trace=" + good} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	}
	if strings.Contains(log, "forged") || strings.Contains(log, secret.Reveal()) {
		t.Errorf("the log has what it may not: %s", log)
	}
}
