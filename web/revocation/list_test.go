package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/lifecycle"
)

func TestListsAreServedWithTheirCacheHeaders(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for name, tc := range map[string]struct {
		file  string
		from  time.Duration
		to    time.Duration
		cache string
	}{
		"a week's list is cached for the bound": {"issuing-1/0.crl", 0, 7 * 24 * time.Hour, "max-age=900, public, no-transform, must-revalidate"},
		"a delta near its end until its end":    {"issuing-1/0-delta.crl", -time.Hour, 90 * time.Second, "max-age=89, public, no-transform, must-revalidate"},
		"an expired list is not cached":         {"issuing-1/1.crl", -2 * time.Hour, -time.Hour, "no-cache"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			der := d.publish(t, tc.file, d.now.Add(tc.from), d.now.Add(tc.to), 300)
			got := d.call(t, http.MethodGet, "/crl/"+tc.file, nil)
			if got.StatusCode != http.StatusOK || !bytes.Equal(got.body, der) {
				t.Fatalf("HTTP %d, %d octets", got.StatusCode, len(got.body))
			}
			for header, want := range map[string]string{
				"Content-Type": "application/pkix-crl", "Cache-Control": tc.cache,
				"Last-Modified": d.now.Add(tc.from).Format(http.TimeFormat), "X-Content-Type-Options": "nosniff",
			} {
				if got.Header.Get(header) != want {
					t.Errorf("%s: %q, want %q", header, got.Header.Get(header), want)
				}
			}
			etag := got.Header.Get("ETag")
			if again := d.call(t, http.MethodGet, "/crl/"+tc.file, nil, "If-None-Match", etag); again.StatusCode != http.StatusNotModified {
				t.Errorf("the same ETag: HTTP %d", again.StatusCode)
			}
			if again := d.call(t, http.MethodGet, "/crl/"+tc.file, nil, "If-Modified-Since", got.Header.Get("Last-Modified")); again.StatusCode != http.StatusNotModified {
				t.Errorf("not modified since: HTTP %d", again.StatusCode)
			}
			if head := d.call(t, http.MethodHead, "/crl/"+tc.file, nil); head.StatusCode != http.StatusOK || head.ContentLength != int64(len(der)) || len(head.body) != 0 {
				t.Errorf("HEAD: HTTP %d, %d octets", head.StatusCode, head.ContentLength)
			}
			part := d.call(t, http.MethodGet, "/crl/"+tc.file, nil, "Range", "bytes=100-199", "If-Range", etag)
			if part.StatusCode != http.StatusPartialContent || !bytes.Equal(part.body, der[100:200]) {
				t.Errorf("range: HTTP %d, %d octets", part.StatusCode, len(part.body))
			}
			next := d.publish(t, tc.file, d.now.Add(tc.from), d.now.Add(tc.to), 301)
			if fresh := d.call(t, http.MethodGet, "/crl/"+tc.file, nil, "If-None-Match", etag); !bytes.Equal(fresh.body, next) || fresh.Header.Get("ETag") == etag {
				t.Errorf("a new list in its place: HTTP %d", fresh.StatusCode)
			}
		})
	}
}

func TestNothingButListsIsServedFromTheFolder(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.publish(t, "issuing-1/0.crl", d.now, d.now.Add(time.Hour), 1)
	outside := filepath.Join(t.TempDir(), "secret.crl")
	for path, content := range map[string]string{
		outside: "secret", filepath.Join(d.lists, "issuing-1/note.txt"): "secret", filepath.Join(d.lists, "issuing-1/broken.crl"): "not a list",
		filepath.Join(d.lists, "issuing-1/empty.crl"): "", filepath.Join(d.lists, "issuing-1/0.crl.tmp"): "secret", filepath.Join(d.lists, "top.crl"): "secret",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(d.lists, "issuing-1/link.crl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(d.lists, "issuing-1/dir.crl"), 0o750); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/crl/issuing-1/0.crl":                http.StatusOK,
		"/crl/issuing-1/9.crl":                http.StatusNotFound,
		"/crl/other/0.crl":                    http.StatusNotFound,
		"/crl/issuing-1/note.txt":             http.StatusNotFound,
		"/crl/issuing-1/0.crl.tmp":            http.StatusNotFound,
		"/crl/issuing-1/dir.crl":              http.StatusNotFound,
		"/crl/issuing-1/":                     http.StatusNotFound,
		"/crl/":                               http.StatusNotFound,
		"/crl/top.crl":                        http.StatusNotFound,
		"/crl/../issuing-1/0.crl":             http.StatusNotFound,
		"/crl/issuing-1/..%2f..%2fsecret.crl": http.StatusNotFound,
		"/crl/issuing-1%2f0.crl":              http.StatusNotFound,
		"/crl/issuing-1/link.crl":             http.StatusInternalServerError,
		"/crl/issuing-1/broken.crl":           http.StatusInternalServerError,
		"/crl/issuing-1/empty.crl":            http.StatusInternalServerError,
		"/":                                   http.StatusNotFound,
		"/ocsp.":                              http.StatusNotFound,
		"/ca/":                                http.StatusNotFound,
		"/ca/other.cer":                       http.StatusNotFound,
		"/crl/issuing-1/" + strings.Repeat("0", 50) + ".crl": http.StatusNotFound,
	} {
		got := d.call(t, http.MethodGet, path, nil)
		if got.StatusCode != want || bytes.Contains(got.body, []byte("secret")) {
			t.Errorf("GET %s: HTTP %d, want %d", path, got.StatusCode, want)
		}
		if want != http.StatusOK && got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s: an error may be cached", path)
		}
	}
	for path, want := range map[string]string{"/crl/issuing-1/0.crl": "GET, HEAD", "/ca/root.cer": "GET, HEAD", "/ocsp": "POST", "/ocsp/MA": "GET, HEAD"} {
		if got := d.call(t, http.MethodDelete, path, nil); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != want {
			t.Errorf("DELETE %s: HTTP %d, Allow %q", path, got.StatusCode, got.Header.Get("Allow"))
		}
	}
}

func TestCACertificatesAreServed(t *testing.T) {
	t.Parallel()
	d := setup(t)
	got := d.call(t, http.MethodGet, "/ca/issuing-1.cer", nil)
	cert, err := x509.ParseCertificate(got.body)
	if err != nil || !cert.Equal(d.issuer.Certificate) || got.Header.Get("Content-Type") != "application/pkix-cert" {
		t.Errorf("%v %v", err, got.Header)
	}
	if again := d.call(t, http.MethodGet, "/ca/issuing-1.cer", nil, "If-None-Match", got.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("the same ETag: HTTP %d", again.StatusCode)
	}
	bundle := d.call(t, http.MethodGet, "/ca/issuing-1.p7c", nil)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "b.pem"), pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: bundle.body}), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := openssl(t, dir, "pkcs7", "-in", "b.pem", "-print_certs", "-noout"); err != nil || strings.Count(out, "subject=") != 2 {
		t.Errorf("openssl pkcs7: %v\n%s", err, out)
	}
}

func TestNewRefusesAnIncompleteConfiguration(t *testing.T) {
	t.Parallel()
	whole := setup(t).handler.config
	for name, spoil := range map[string]func(*Config){
		"no source":             func(c *Config) { c.Source = nil },
		"no clock":              func(c *Config) { c.Now = nil },
		"nobody to speak for":   func(c *Config) { c.Responders, c.Authorities = nil, nil },
		"a responder half made": func(c *Config) { c.Responders = []Responder{{IssuerID: "x"}} },
		"a negative bound":      func(c *Config) { c.MaxAge = -1 },
		"an empty authority":    func(c *Config) { c.Authorities = []Authority{{}} },
	} {
		c := whole
		if spoil(&c); name != "" {
			if h, err := New(c); !errors.Is(err, lifecycle.Invalid) || h != nil {
				t.Errorf("%s: error %v, want invalid", name, err)
			}
		}
	}
	c := whole
	c.Lists = filepath.Join(t.TempDir(), "missing")
	if _, err := New(c); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: error %v", err)
	}
}
