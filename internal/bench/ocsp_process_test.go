package bench_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sceau/internal/bench"
)

// ocspServer is a running server process.
type ocspServer struct {
	hello

	pid int
}

func (s ocspServer) cpu() time.Duration { return bench.ProcessorTime(s.pid) }

// startServer starts this binary again as one of the servers of serveOCSP.
func startServer(b *testing.B, kind string, environment ...string) ocspServer {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), serverVariable+"="+kind), environment...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close() // it ends itself
		if err := cmd.Wait(); err != nil {
			b.Errorf("OCSP server %s: %v", kind, err)
		}
	})
	server := ocspServer{pid: cmd.Process.Pid}
	if err := json.NewDecoder(stdout).Decode(&server.hello); err != nil {
		b.Fatalf("OCSP server %s: %v", kind, err)
	}
	return server
}

// startOpenSSL starts `openssl ocsp -multi 2`. It must never be probed by a
// connection without a request: a worker that meets one spins for ever. TERM
// ends its workers but not their parent, so KILL follows; both go to its own
// process group.
func startOpenSSL(b *testing.B) ocspServer {
	b.Helper()
	h, err := newOCSPHouse(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	h.writeFiles(b, dir)
	port := freePort(b)
	cmd := exec.Command("openssl", "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ocsp.pem", "-rkey", "ocsp.key",
		"-port", strconv.Itoa(port), "-ndays", "1", "-multi", "2")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatalf("openssl is needed (make deps): %v", err)
	}
	b.Cleanup(func() {
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			if err := syscall.Kill(-cmd.Process.Pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				b.Errorf("end openssl: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		_ = cmd.Wait() // it was killed
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ACCEPT") {
		b.Fatalf("openssl ocsp says %q, %v", line, err)
	}
	return ocspServer{pid: cmd.Process.Pid, hello: hello{
		Address: fmt.Sprintf("127.0.0.1:%d", port), Plain: h.plain, Nonce: h.nonce, Issuer: h.issuer.Raw,
	}}
}

// freePort is one that nobody listens on at the moment.
func freePort(b *testing.B) int {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		b.Fatal("no TCP address")
	}
	return address.Port
}

func (h *ocspHouse) writeFiles(b *testing.B, dir string) {
	b.Helper()
	key := func(k *ecdsa.PrivateKey) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			b.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	certificate := func(c *x509.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	for name, content := range map[string][]byte{
		"ca.pem": certificate(h.issuer), "ocsp.pem": certificate(h.responder), "ocsp.key": key(h.ocspKey),
		"index.txt":      []byte("V\t300101000000Z\t\t" + strings.ToUpper(h.serial.String()) + "\tunknown\t/CN=holder\n"),
		"index.txt.attr": []byte("unique_subject = no\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
