package revocation

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/ca"
)

func TestIdleAndSlowClientsStopNobody(t *testing.T) {
	t.Parallel()
	d := setup(t)
	server := Server("127.0.0.1:0", d.handler)
	server.ReadHeaderTimeout, server.ReadTimeout = 200*time.Millisecond, 300*time.Millisecond
	ln := must[net.Listener](t)(new(net.ListenConfig).Listen(t.Context(), "tcp", server.Addr))
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	defer func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	dial := func() net.Conn {
		return must[net.Conn](t)(new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String()))
	}
	if err := dial().Close(); err != nil { // a probe: connect and close
		t.Fatal(err)
	}
	half, slow := dial(), dial()
	must[int](t)(half.Write([]byte("POST /ocsp HT")))
	must[int](t)(slow.Write([]byte("POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 80\r\n\r\n0")))
	resp := must[*http.Response](t)(http.Post("http://"+ln.Addr().String()+"/ocsp", "application/ocsp-request", //nolint:bodyclose // closed in the next line: must hides it
		bytes.NewReader(d.request(t, d.good, crypto.SHA1, nil))))
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("HTTP %d, %v", resp.StatusCode, err)
	}
	for name, conn := range map[string]net.Conn{"half a request": half, "a slow body": slow} {
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for buf := make([]byte, 1024); ; { // until the server ends the connection
			if _, err := conn.Read(buf); err != nil {
				var timeout net.Error
				if errors.As(err, &timeout) && timeout.Timeout() {
					t.Errorf("%s is kept open", name)
				}
				break
			}
		}
		_ = conn.Close()
	}
}

func FuzzServeHTTP(f *testing.F) {
	d := setup(f)
	der := d.request(f, d.never, crypto.SHA1, []byte{1, 2, 3})
	f.Add("GET", "/ocsp/"+base64.StdEncoding.EncodeToString(der), []byte(nil))
	f.Add("POST", "/ocsp", der)
	f.Add("GET", "/crl/issuing-1/0.crl", []byte(nil))
	f.Add("HEAD", "/ca/root.cer", []byte(nil))
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		req := &http.Request{Method: method, Header: http.Header{}, Body: http.NoBody}
		must := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", bytes.NewReader(body))
		req.URL, req.Body = must.URL, must.Body
		req.URL.Path = path
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Fatalf("%q %q: HTTP %d", method, path, w.Code)
		}
		// Nothing was issued under a serial that a fuzzer could find.
		if resp, err := ocsp.ParseResponse(w.Body.Bytes(), d.issuer.Certificate); err == nil && resp.Status == ocsp.Good {
			t.Fatalf("%q %q: status %d", method, path, resp.Status)
		}
	})
}

func TestOnlySoManyAnswersAreSignedAtOnce(t *testing.T) {
	t.Parallel()
	enter, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d := setup(t, func(c *Config) {
		c.LiveSigning = 1
		signer := c.Responders[0].Signer
		c.Responders[0].Signer = func(ctx context.Context) (crypto.Signer, error) {
			once.Do(func() { close(enter); <-leave })
			return signer(ctx)
		}
	})
	der := d.request(t, d.good, crypto.SHA1, []byte{7})
	first := make(chan reply)
	go func() { first <- d.call(t, http.MethodPost, "/ocsp", der) }()
	<-enter
	if got := d.call(t, http.MethodPost, "/ocsp", der); !bytes.Equal(got.body, ca.ErrorResponse(ca.OCSPTryLater)) {
		t.Errorf("a second answer while the first is signed: %x", got.body)
	}
	close(leave)
	for _, got := range []reply{<-first, d.call(t, http.MethodPost, "/ocsp", der)} {
		if _, err := ocsp.ParseResponseForCert(got.body, d.goodCert, d.issuer.Certificate); err != nil {
			t.Error(err)
		}
	}
}
