package conform

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// haproxySettings are a proxy that looks its clients up in lists; it asks no responder.
// docs/tls-servers.md has the same lines.
const haproxySettings = `
global
	log stderr format raw local0
defaults
	mode http
	timeout client 10s
	timeout connect 10s
	timeout server 10s
frontend bank
	bind %s ssl crt both.pem ca-file chain.pem verify required crl-file lists.pem no-tls-tickets
	http-request return status 200 content-type text/plain string "%%[ssl_c_verify]"
`

// apacheSettings are two servers: one asks the responder that the certificate names, the
// other looks in lists. docs/tls-servers.md has the same lines.
const apacheSettings = `
ServerRoot "%[1]s"
ServerName localhost
PidFile apache.pid
ErrorLog apache.log
DefaultRuntimeDir "%[1]s"
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
User nobody
Group nogroup
Listen %[2]s
Listen %[3]s
SSLSessionCache none
SSLSessionTickets off
SSLCACertificateFile chain.pem
Redirect 200 "/"
<VirtualHost %[2]s>
	SSLEngine on
	SSLCertificateFile server.pem
	SSLCertificateKeyFile server.key
	SSLVerifyClient require
	SSLVerifyDepth 2
	SSLOCSPEnable leaf
	SSLOCSPUseRequestNonce off
</VirtualHost>
<VirtualHost %[3]s>
	SSLEngine on
	SSLCertificateFile server.pem
	SSLCertificateKeyFile server.key
	SSLVerifyClient require
	SSLVerifyDepth 2
	SSLCARevocationCheck chain
	SSLCARevocationFile lists.pem
</VirtualHost>
`

const seconds = 10 * time.Second

// TestHAProxyRefusesARevokedClient writes a list with a client that a real HAProxy let
// in, reloads, and waits until it does no more.
func TestHAProxyRefusesARevokedClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := newRelyingServer(t, h)
	file := func(name string) []byte { return must[[]byte](t)(os.ReadFile(filepath.Join(h.folder, name))) }
	h.writeBytes(t, "both.pem", append(file("server.pem"), file("server.key")...))
	h.writeBytes(t, "haproxy.cfg", fmt.Appendf(nil, haproxySettings, n.byList))
	n.start(t, "haproxy", "haproxy.log", "-W", "-f", "haproxy.cfg")
	n.awaitHandshake(t, n.byList, true)
	h.listGood(t)
	n.signal = syscall.SIGUSR2
	took := n.awaitHandshake(t, n.byList, false)
	if took > seconds {
		t.Errorf("HAProxy refused after %s, it has %s", took, seconds)
	}
	t.Logf("HAProxy refused the revoked client %s after a reload with the new list", took.Round(time.Millisecond))
}

// TestApacheRefusesARevokedClient revokes the certificate of a client that a real Apache
// let in, and waits until it does no more.
func TestApacheRefusesARevokedClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := newRelyingServer(t, h)
	h.writeBytes(t, "apache.conf", fmt.Appendf(nil, apacheSettings, h.folder, n.byOCSP, n.byList))
	n.start(t, "apache2", "apache.log", "-d", h.folder, "-f", filepath.Join(h.folder, "apache.conf"), "-DFOREGROUND")
	n.awaitHandshake(t, n.byOCSP, true)
	n.awaitHandshake(t, n.byList, true)
	h.revokeGood()
	byOCSP := n.awaitHandshake(t, n.byOCSP, false)
	h.listGood(t)
	n.signal = syscall.SIGUSR1
	byList := n.awaitHandshake(t, n.byList, false)
	if byOCSP > seconds || byList > seconds {
		t.Errorf("Apache refused after %s by OCSP and %s by a new list, it has %s", byOCSP, byList, seconds)
	}
	t.Logf("Apache refused the revoked client after %s by SSLOCSPEnable and %s by SSLCARevocationFile with a reload",
		byOCSP.Round(time.Millisecond), byList.Round(time.Millisecond))
}

// awaitHandshake asks until the server lets the client in, or refuses its certificate
// by a TLS alert: how long that took. Where it reloads by a signal it is sent one each
// second: a master that has just started its worker takes none.
func (n *relyingServer) awaitHandshake(t testing.TB, address string, in bool) time.Duration {
	t.Helper()
	const patience = 30 * time.Second
	var last string
	began := time.Now()
	next := began
	for deadline := began.Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if n.signal != nil && !time.Now().Before(next) {
			if next = next.Add(time.Second); n.process.Signal(n.signal) != nil {
				t.Fatal("the server has ended")
			}
		}
		client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			RootCAs: n.roots, ServerName: "localhost", Certificates: []tls.Certificate{n.certificate}, MinVersion: tls.VersionTLS12,
		}}}
		request := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/", http.NoBody))
		answer, err := client.Do(request)
		if err != nil {
			if last = err.Error(); !in && strings.Contains(last, "remote error: tls:") {
				return time.Since(began)
			}
			continue // it starts, or reloads
		}
		_ = answer.Body.Close()
		if last = answer.Status; in && answer.StatusCode == http.StatusOK {
			return time.Since(began)
		}
	}
	t.Fatalf("the client is in: %t was awaited; last answer: %s", in, last)
	return 0
}
