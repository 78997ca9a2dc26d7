package revocation

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/ca"
	"sceau/lifecycle"
)

func TestOpenSSLAsksTheLiveServer(t *testing.T) {
	t.Parallel()
	d := setup(t)
	dir := d.files(t)
	never := "0x" + d.never.String()
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"a good certificate, with a nonce":    {[]string{"-cert", "good.pem"}, []string{"good.pem: good"}},
		"a good certificate, without a nonce": {[]string{"-no_nonce", "-cert", "good.pem"}, []string{"good.pem: good"}},
		"a good certificate, by SHA-256":      {[]string{"-sha256", "-cert", "good.pem"}, []string{"good.pem: good"}},
		"a revoked certificate":               {[]string{"-cert", "revoked.pem"}, []string{"revoked.pem: revoked\n", "Reason: keyCompromise"}},
		"a held certificate, by its serial":   {[]string{"-serial", "0x" + d.hold.String()}, []string{": revoked\n", "Reason: certificateHold"}},
		"a serial that was never issued":      {[]string{"-serial", never}, []string{never + ": revoked\n", "Reason: certificateHold"}},
		"a serial of one octet, never issued": {[]string{"-no_nonce", "-serial", "1"}, []string{"1: revoked\n"}},
		"two certificates at once":            {[]string{"-cert", "good.pem", "-cert", "revoked.pem"}, []string{"good.pem: good", "revoked.pem: revoked\n"}},
		"a good and an unknown one, no nonce": {[]string{"-no_nonce", "-cert", "good.pem", "-serial", never}, []string{"good.pem: good", never + ": revoked\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"ocsp", "-url", d.URL + "/ocsp", "-issuer", "ca.pem", "-CAfile", "root.pem", "-verify_other", "ca.pem", "-timeout", "20"}, tc.args...)
			out, err := openssl(t, dir, args...)
			if err != nil || !strings.Contains(out, "Response verify OK") || strings.Contains(out, "WARNING") {
				t.Errorf("openssl ocsp: %v\n%s", err, out)
			}
			for _, want := range tc.want {
				if !strings.Contains(out, want) {
					t.Errorf("openssl does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestGetUnderstandsEveryWayToWriteBase64(t *testing.T) {
	t.Parallel()
	d := setup(t)
	dir := d.files(t)
	// openssl makes the requests; a fresh nonce each time until the base64 has
	// what the table wants.
	encoded := func(t *testing.T, has ...string) (der []byte, text string) {
		t.Helper()
		for n := range 500 {
			req := fmt.Sprintf("req-%s-%d", strings.ReplaceAll(t.Name(), "/", "_"), n)
			if out, err := openssl(t, dir, "ocsp", "-issuer", "ca.pem", "-cert", "good.pem", "-reqout", req); err != nil {
				t.Fatalf("openssl makes no request: %s", out)
			}
			der = must[[]byte](t)(os.ReadFile(filepath.Join(dir, req)))
			text = base64.StdEncoding.EncodeToString(der)
			if all(has, func(s string) bool { return strings.Contains(text, s) }) {
				return der, text
			}
		}
		t.Fatalf("no request whose base64 has %q", has)
		return nil, ""
	}
	for name, tc := range map[string]struct {
		has   []string
		write func(string) string
	}{
		"as it is, with slashes":        {[]string{"/"}, func(s string) string { return s }},
		"slashes as %2F":                {[]string{"/"}, func(s string) string { return strings.ReplaceAll(s, "/", "%2F") }},
		"slashes as %2f":                {[]string{"/"}, func(s string) string { return strings.ReplaceAll(s, "/", "%2f") }},
		"plus signs as %2B":             {[]string{"+"}, func(s string) string { return strings.ReplaceAll(s, "+", "%2B") }},
		"plus signs as they are":        {[]string{"+"}, func(s string) string { return s }},
		"plus signs turned into spaces": {[]string{"+"}, func(s string) string { return strings.ReplaceAll(s, "+", "%20") }},
		"without padding":               {nil, func(s string) string { return strings.TrimRight(s, "=") }},
		"padding as %3D":                {nil, func(s string) string { return strings.ReplaceAll(s, "=", "%3D") }},
		"everything percent-encoded": {nil, func(s string) string {
			var b strings.Builder
			for _, c := range []byte(s) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
			return b.String()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, text := encoded(t, tc.has...)
			got := d.call(t, http.MethodGet, "/ocsp/"+tc.write(text), nil)
			resp, err := ocsp.ParseResponseForCert(got.body, d.goodCert, d.issuer.Certificate)
			if err != nil || resp.Status != ocsp.Good || got.StatusCode != http.StatusOK {
				t.Errorf("HTTP %d, %v", got.StatusCode, err)
			}
			if err := os.WriteFile(filepath.Join(dir, "resp"+filepath.Base(t.Name())), got.body, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("two slashes in a row", func(t *testing.T) {
		t.Parallel()
		id := must[*ca.OCSPRequest](t)(d.responder.Request(d.good, crypto.SHA1)).IDs[0].Raw()
		// 12 octets of 0xff in the nonce give slashes at any alignment.
		der := requestWithNonce(id, bytes.Repeat([]byte{0xff}, 12))
		text := base64.StdEncoding.EncodeToString(der)
		if !strings.Contains(text, "//") {
			t.Fatalf("no two slashes in %s", text)
		}
		got := d.call(t, http.MethodGet, "/ocsp/"+text, nil)
		if _, err := ocsp.ParseResponseForCert(got.body, d.goodCert, d.issuer.Certificate); err != nil {
			t.Errorf("HTTP %d, %v", got.StatusCode, err)
		}
	})
}

func all(list []string, ok func(string) bool) bool {
	for _, s := range list {
		if !ok(s) {
			return false
		}
	}
	return true
}

// requestWithNonce writes a request by hand; every length is below 128.
func requestWithNonce(id, nonce []byte) []byte {
	tlv := func(tag byte, content []byte) []byte {
		if len(content) > 127 {
			return append([]byte{tag, 0x81, byte(len(content))}, content...)
		}
		return append([]byte{tag, byte(len(content))}, content...)
	}
	body := tlv(0x30, tlv(0x30, id))
	if nonce != nil {
		oid := []byte{6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2}
		body = append(body, tlv(0xa2, tlv(0x30, tlv(0x30, append(oid, tlv(4, tlv(4, nonce))...))))...)
	}
	return tlv(0x30, tlv(0x30, body))
}

func (d *door) request(t testing.TB, serial lifecycle.Serial, hash crypto.Hash, nonce []byte) []byte {
	t.Helper()
	return requestWithNonce(must[*ca.OCSPRequest](t)(d.responder.Request(serial, hash)).IDs[0].Raw(), nonce)
}

func TestCacheHeadersFollowTheNonce(t *testing.T) {
	t.Parallel()
	d := setup(t)
	for name, tc := range map[string]struct {
		serial lifecycle.Serial
		nonce  []byte
		cached bool
	}{
		"good without nonce":         {d.good, nil, true},
		"revoked without nonce":      {d.revoked, nil, true},
		"never issued without nonce": {d.never, nil, false},
		"good with nonce":            {d.good, []byte{1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			der := d.request(t, tc.serial, crypto.SHA256, tc.nonce)
			for _, got := range []reply{
				d.call(t, http.MethodPost, "/ocsp", der), d.call(t, http.MethodPost, "/ocsp/", der),
				d.call(t, http.MethodGet, "/ocsp/"+base64.StdEncoding.EncodeToString(der), nil),
			} {
				if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "application/ocsp-response" {
					t.Fatalf("HTTP %d %s", got.StatusCode, got.Header)
				}
				if !tc.cached {
					if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("ETag")+got.Header.Get("Expires") != "" {
						t.Errorf("cacheable: %v", got.Header)
					}
					continue
				}
				for header, want := range map[string]string{
					"Cache-Control": "max-age=300, public, no-transform, must-revalidate",
					"Last-Modified": d.now.Format(http.TimeFormat),
					"Expires":       d.now.Add(5 * time.Minute).Format(http.TimeFormat),
				} {
					if got.Header.Get(header) != want {
						t.Errorf("%s: %q, want %q", header, got.Header.Get(header), want)
					}
				}
				if len(got.Header.Get("ETag")) != 34 {
					t.Errorf("ETag %q", got.Header.Get("ETag"))
				}
			}
		})
	}
}

// ahead signs an answer ahead for a serial.
func (d *door) ahead(t testing.TB, serial lifecycle.Serial, status ca.Status, at time.Time) *Presigned {
	t.Helper()
	req := must[*ca.OCSPRequest](t)(d.responder.Request(serial, crypto.SHA1))
	return NewPresigned(status.State, must[ca.Answer](t)(d.responder.Answer(req, []ca.Status{status}, at, d.ocspKey)))
}

func TestAnAnswerSignedAheadIsSentOnlyWhenItFits(t *testing.T) {
	t.Parallel()
	d := setup(t)
	good := ca.Status{State: ca.StateGood}
	fresh := d.ahead(t, d.good, good, d.now)
	ended, early := *fresh, *fresh
	ended.NextUpdate, early.ThisUpdate = d.now, d.now.Add(time.Minute)
	for name, tc := range map[string]struct {
		serial lifecycle.Serial
		ahead  *Presigned
		hash   crypto.Hash
		nonce  []byte
		sent   bool
	}{
		"fresh and asked for by SHA-1":         {d.good, fresh, crypto.SHA1, nil, true},
		"asked for by SHA-256":                 {d.good, fresh, crypto.SHA256, nil, false},
		"asked for with a nonce":               {d.good, fresh, crypto.SHA1, []byte{1}, false},
		"about another serial":                 {d.good, d.ahead(t, d.hold, good, d.now), crypto.SHA1, nil, false},
		"good, and the certificate is revoked": {d.revoked, d.ahead(t, d.revoked, good, d.now), crypto.SHA1, nil, false},
		"for a serial that was never issued":   {d.never, d.ahead(t, d.never, good, d.now), crypto.SHA1, nil, false},
		"before its start":                     {d.good, &early, crypto.SHA1, nil, false},
		"at its end":                           {d.good, &ended, crypto.SHA1, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := setupLike(t, d, tc.serial, tc.ahead)
			got := one.call(t, http.MethodPost, "/ocsp", d.request(t, tc.serial, tc.hash, tc.nonce))
			if sent := bytes.Equal(got.body, tc.ahead.DER); sent != tc.sent {
				t.Errorf("the answer signed ahead is sent: %t, want %t", sent, tc.sent)
			}
			resp := must[*ocsp.Response](t)(ocsp.ParseResponse(got.body, d.issuer.Certificate))
			want := map[lifecycle.Serial]int{d.good: ocsp.Good, d.revoked: ocsp.Revoked, d.never: ocsp.Revoked}[tc.serial]
			if resp.Status != want || resp.SerialNumber.Text(16) != tc.serial.String() {
				t.Errorf("status %d of %x, want %d", resp.Status, resp.SerialNumber, want)
			}
		})
	}
}

// setupLike opens another door onto the same PKI, with one answer signed ahead.
func setupLike(t testing.TB, d *door, serial lifecycle.Serial, ahead *Presigned) *door {
	t.Helper()
	config := d.handler.config
	config.Source = &source{asOf: d.now, statuses: d.source.statuses, ahead: map[lifecycle.Serial]*Presigned{serial: ahead}}
	handler := must[*Handler](t)(New(config))
	other := &door{handler: handler, Server: httptest.NewServer(handler)}
	t.Cleanup(func() {
		other.Close()
		if err := handler.Close(); err != nil {
			t.Error(err)
		}
	})
	return other
}

func TestErrorsAreOCSPErrorsAndNeverGood(t *testing.T) {
	t.Parallel()
	d := setup(t)
	broken := setup(t, func(c *Config) { c.SourceLimit = 50 * time.Millisecond })
	broken.source.err = errors.New("the database is away")
	slow := setup(t, func(c *Config) { c.SourceLimit = 50 * time.Millisecond })
	slow.source.wait = make(chan struct{})
	keyless := setup(t)
	away := error(lifecycle.Unavailable)
	keyless.signerErr.Store(&away)
	ended := setup(t, func(c *Config) { c.Now = func() time.Time { return time.Now().AddDate(1, 0, 0) } })
	for name, tc := range map[string]struct {
		door *door
		body []byte
		want ocsp.ResponseStatus
	}{
		"nothing":                        {d, nil, ocsp.Malformed},
		"a word":                         {d, []byte("hello"), ocsp.Malformed},
		"an octet too much":              {d, append(d.request(t, d.good, crypto.SHA1, nil), 0), ocsp.Malformed},
		"more than 2 KiB":                {d, make([]byte, 5000), ocsp.Malformed},
		"an empty nonce":                 {d, d.request(t, d.good, crypto.SHA1, []byte{}), ocsp.Malformed},
		"another issuer's certificate":   {d, broken.request(t, broken.good, crypto.SHA1, nil), ocsp.Unauthorized},
		"a source that fails":            {broken, broken.request(t, broken.good, crypto.SHA1, nil), ocsp.TryLater},
		"a source that does not answer":  {slow, slow.request(t, slow.good, crypto.SHA1, nil), ocsp.TryLater},
		"a key store that is away":       {keyless, keyless.request(t, keyless.good, crypto.SHA1, []byte{1}), ocsp.TryLater},
		"a responder beyond its own end": {ended, ended.request(t, ended.good, crypto.SHA1, nil), ocsp.TryLater},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replies := []reply{tc.door.call(t, http.MethodPost, "/ocsp", tc.body)}
			if len(tc.body) < 2048 {
				replies = append(replies, tc.door.call(t, http.MethodGet, "/ocsp/"+base64.StdEncoding.EncodeToString(tc.body), nil))
			}
			for _, got := range replies {
				_, err := ocsp.ParseResponse(got.body, nil)
				var status ocsp.ResponseError
				if !errors.As(err, &status) || status.Status != tc.want || got.StatusCode != http.StatusOK || got.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("HTTP %d, %v, %v; want %v", got.StatusCode, err, got.Header, tc.want)
				}
			}
		})
	}
	for _, path := range []string{"/ocsp/%", "/ocsp/!!!", "/ocsp/" + strings.Repeat("A", maxEncodedRequest+1)} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		req.URL.Path, req.URL.RawPath = path, ""
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, req)
		if !bytes.Equal(w.Body.Bytes(), ca.ErrorResponse(ca.OCSPMalformed)) {
			t.Errorf("GET %.20s: %x", path, w.Body.Bytes())
		}
	}
}

func TestConditionalGetIsAnsweredShort(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.source.ahead[d.good] = d.ahead(t, d.good, ca.Status{State: ca.StateGood}, d.now)
	path := "/ocsp/" + base64.RawStdEncoding.EncodeToString(d.request(t, d.good, crypto.SHA1, nil))
	first := d.call(t, http.MethodGet, path, nil)
	for _, condition := range []string{first.Header.Get("ETag"), `"x", W/` + first.Header.Get("ETag"), "*"} {
		got := d.call(t, http.MethodGet, path, nil, "If-None-Match", condition)
		if got.StatusCode != http.StatusNotModified || len(got.body) != 0 || got.Header.Get("ETag") != first.Header.Get("ETag") {
			t.Errorf("If-None-Match %s: HTTP %d", condition, got.StatusCode)
		}
	}
	if got := d.call(t, http.MethodGet, path, nil, "If-None-Match", `"x"`); !bytes.Equal(got.body, first.body) {
		t.Error("another ETag is not answered in full")
	}
	if got := d.call(t, http.MethodHead, path, nil); got.StatusCode != http.StatusOK || got.ContentLength != int64(len(first.body)) {
		t.Errorf("HEAD: HTTP %d, %d octets", got.StatusCode, got.ContentLength)
	}
}
