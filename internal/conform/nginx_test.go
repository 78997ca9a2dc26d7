package conform

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sceau/ca"
	"sceau/lifecycle"
)

// nginxSettings are two servers that ask for a client certificate: one looks it
// up by OCSP, at the address inside the certificate, the other in lists.
// docs/tls-servers.md has the same lines.
const nginxSettings = `
daemon off;
pid nginx.pid;
error_log error.log info;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	ssl_certificate server.pem;
	ssl_certificate_key server.key;
	ssl_client_certificate chain.pem;
	ssl_verify_client on;
	ssl_verify_depth 2;
	ssl_session_cache off;
	server {
		listen %s ssl;
		ssl_ocsp leaf;
		location / { return 200 "$ssl_client_verify\n"; }
	}
	server {
		listen %s ssl;
		ssl_crl lists.pem;
		location / { return 200 "$ssl_client_verify\n"; }
	}
}
`

// relyingServer is a real nginx.
type relyingServer struct {
	house       *house
	byOCSP      string // host:port
	byList      string
	certificate tls.Certificate // of the client
	roots       *x509.CertPool
	process     *os.Process
	signal      os.Signal // by which it reloads, while that is awaited; nil: it does not
}

// TestNginxRefusesARevokedClient revokes the certificate of a client that a real
// nginx let in, and waits until it does no more.
func TestNginxRefusesARevokedClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := startNginx(t, h)
	n.await(t, n.byOCSP, true)
	n.await(t, n.byList, true)

	began := time.Now()
	h.revokeGood()
	n.await(t, n.byOCSP, false)
	byOCSP := time.Since(began)

	began = time.Now()
	h.listGood(t)
	if err := n.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	n.await(t, n.byList, false)
	byList := time.Since(began)
	if byOCSP > seconds || byList > seconds {
		t.Errorf("nginx refused after %s by OCSP and %s by a new list, it has %s", byOCSP, byList, seconds)
	}
	t.Logf("nginx refused the revoked client after %s by ssl_ocsp and %s by ssl_crl with a reload",
		byOCSP.Round(time.Millisecond), byList.Round(time.Millisecond))
}

// revokeGood has the responder say that the good certificate is revoked.
func (h *house) revokeGood() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statuses[h.serial(good)] = ca.Status{State: ca.StateRevoked, RevokedAt: time.Now().Truncate(time.Second), Reason: lifecycle.ReasonKeyCompromise}
}

// listGood writes the next list, in which the good certificate stands.
func (h *house) listGood(t testing.TB) {
	t.Helper()
	next := ca.CRL{
		Issuer: h.live.Certificate, Number: 3, ThisUpdate: h.now, OnlyUser: true,
		DistributionPoint: h.live.URLs(0).CRL, Freshest: h.live.URLs(0).Delta,
	}
	h.writeLists(t, h.listOf(t, next, h.live.key, map[string]lifecycle.RevocationReason{good: lifecycle.ReasonKeyCompromise}))
}

// writeLists writes what ssl_crl wants: a list of each CA of the path.
func (h *house) writeLists(t testing.TB, shard []byte) {
	t.Helper()
	root := must[[]byte](t)(os.ReadFile(filepath.Join(h.folder, "root.crl")))
	h.write(t, "shard.pem", listBlock(shard))
	own := must[[]byte](t)(os.ReadFile(filepath.Join(h.folder, "shard.pem")))
	h.writeBytes(t, "lists.pem", append(own, root...))
}

// freeAddress is one that nobody listens at now.
func freeAddress(t testing.TB) string {
	t.Helper()
	var listen net.ListenConfig
	l := must[net.Listener](t)(listen.Listen(t.Context(), "tcp", "127.0.0.1:0"))
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// newRelyingServer prepares a server's certificate, the lists, and a client.
func newRelyingServer(t testing.TB, h *house) *relyingServer {
	t.Helper()
	key := newKey(t)
	server := must[*x509.Certificate](t)(ca.SignServer(h.live.Issuer, h.live.key, key.Public(), named("Banque Exemple"), []string{"localhost"}, nil, newSerial(t), h.now))
	h.write(t, "server.pem", block(server), block(h.live.Certificate))
	h.write(t, "server.key", keyBlock(t, key))
	h.writeLists(t, must[[]byte](t)(os.ReadFile(filepath.Join(h.folder, "full.crl.der"))))
	n := &relyingServer{
		house: h, byOCSP: freeAddress(t), byList: freeAddress(t), roots: x509.NewCertPool(),
		certificate: tls.Certificate{Certificate: [][]byte{h.certificates[good].Raw, h.live.Certificate.Raw}, PrivateKey: h.keys[good]},
	}
	n.roots.AddCert(h.root.Certificate)
	return n
}

func startNginx(t testing.TB, h *house) *relyingServer {
	t.Helper()
	n := newRelyingServer(t, h)
	h.writeBytes(t, "nginx.conf", fmt.Appendf(nil, nginxSettings, n.byOCSP, n.byList))
	n.start(t, "nginx", "error.log", "-p", h.folder, "-c", "nginx.conf", "-e", "error.log")
	return n
}

// start starts the server in the folder of certificates until the test ends. A missing
// one fails the test.
func (n *relyingServer) start(t testing.TB, name, log string, args ...string) {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		program = "/usr/sbin/" + name // not on everybody's PATH
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = n.house.folder
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s is needed (make deps): %v", name, err)
	}
	n.process = cmd.Process
	t.Cleanup(func() {
		_ = cmd.Wait() // the test's context has ended it
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(n.house.folder, log))
			t.Logf("%s: %s%s", name, out.Bytes(), text)
		}
	})
}

// await asks until the server lets the client in, or does not.
func (n *relyingServer) await(t testing.TB, address string, in bool) {
	t.Helper()
	const patience = 30 * time.Second
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			RootCAs: n.roots, ServerName: "localhost", Certificates: []tls.Certificate{n.certificate}, MinVersion: tls.VersionTLS12,
		}}}
		request := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/", http.NoBody))
		answer, err := client.Do(request)
		if err != nil {
			last = err.Error() // it starts, or reloads
			continue
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(answer.Body)
		_ = answer.Body.Close()
		last = fmt.Sprintf("%s %s (%v)", answer.Status, body.String(), err)
		switch {
		case in && answer.StatusCode == http.StatusOK && strings.HasPrefix(body.String(), "SUCCESS"):
			return
		case !in && answer.StatusCode == http.StatusBadRequest && strings.Contains(body.String(), "The SSL certificate error"):
			return
		}
	}
	t.Fatalf("the client is in: %t was awaited; last answer: %s", in, last)
}
