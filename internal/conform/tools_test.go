package conform

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// way is how a tool learns a certificate's status.
type way string

const (
	byFull    way = "full list"
	byDelta   way = "full list and delta"
	byShard   way = "list of its shard"
	bySwapped way = "list of another shard in its place"
	byPost    way = "OCSP, POST"
	byGet     way = "OCSP, GET"
	byNonce   way = "OCSP, nonce"
)

// tool judges certificates: each way is in one of both maps.
type tool struct {
	name   string
	judges map[way]judge
	lacks  map[way]string // why it does not offer a way
}

// judge tells whether a tool accepts a certificate, and what it said.
type judge func(t testing.TB, h *house, certificate string) (accepted bool, said string)

func toolsOf(t testing.TB, h *house) []tool {
	t.Helper()
	return []tool{openSSL(), gnuTLS(), nss(t, h), java()}
}

// run runs a tool in the folder of certificates; a tool that is missing fails
// the test.
func (h *house) run(t testing.TB, name string, args ...string) (output string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = h.folder, append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("%s is needed (make deps): %v", name, err)
	}
	return string(out), err == nil
}

func (h *house) issuerOf(certificate string) string {
	if certificate == silent {
		return "ended.pem"
	}
	return "issuing.pem"
}

// openSSL is `openssl verify` and `openssl ocsp`.
func openSSL() tool {
	// Without -extended_crl OpenSSL 3.0 may take a delta for a full list, and let
	// through what was revoked before.
	byLists := func(lists ...string) judge {
		return func(t testing.TB, h *house, certificate string) (bool, string) {
			args := []string{"verify", "-crl_check_all", "-use_deltas", "-extended_crl", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "root.crl"}
			for _, list := range lists {
				args = append(args, "-CRLfile", list)
			}
			out, ok := h.run(t, "openssl", append(args, certificate+".pem")...)
			return ok, out
		}
	}
	ask := func(h *house, certificate string, more ...string) []string {
		issuer := h.issuerOf(certificate)
		return append([]string{"ocsp", "-issuer", issuer, "-cert", certificate + ".pem", "-CAfile", "root.pem", "-verify_other", issuer}, more...)
	}
	verdict := func(t testing.TB, h *house, args []string, certificate string) (bool, string) {
		out, ok := h.run(t, "openssl", args...)
		return ok && strings.Contains(out, "Response verify OK") && strings.Contains(out, certificate+".pem: good") && !strings.Contains(out, "WARNING"), out
	}
	online := func(nonce string) judge {
		return func(t testing.TB, h *house, certificate string) (bool, string) {
			return verdict(t, h, ask(h, certificate, "-url", h.base+"/ocsp", nonce), certificate)
		}
	}
	return tool{name: "OpenSSL", judges: map[way]judge{
		byFull: byLists("full.crl"), byDelta: byLists("base.crl", "delta.crl"), byShard: byLists("full.crl", "other.crl"), bySwapped: byLists("other.crl"),
		byPost: online("-no_nonce"), byNonce: online("-nonce"),
		// It makes the request and judges the answer; the way there is ours.
		byGet: func(t testing.TB, h *house, certificate string) (bool, string) {
			h.run(t, "openssl", ask(h, certificate, "-no_nonce", "-reqout", "get.request")...)
			h.get(t)
			return verdict(t, h, ask(h, certificate, "-no_nonce", "-respin", "get.response"), certificate)
		},
	}}
}

// get sends get.request as a cache does, and keeps get.response.
func (h *house) get(t testing.TB) {
	t.Helper()
	request := must[[]byte](t)(os.ReadFile(filepath.Join(h.folder, "get.request")))
	address := h.base + "/ocsp/" + url.PathEscape(base64.StdEncoding.EncodeToString(request))
	asked := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody))
	answer := must[*http.Response](t)(http.DefaultClient.Do(asked)) //nolint:bodyclose // closed in the next line
	defer func() { _ = answer.Body.Close() }()
	h.writeBytes(t, "get.response", must[[]byte](t)(io.ReadAll(answer.Body)))
}

// gnuTLS is certtool and ocsptool.
func gnuTLS() tool {
	byList := func(list string) judge {
		return func(t testing.TB, h *house, certificate string) (bool, string) {
			chain := append(must[[]byte](t)(os.ReadFile(filepath.Join(h.folder, certificate+".pem"))), must[[]byte](t)(os.ReadFile(filepath.Join(h.folder, "issuing.pem")))...)
			h.writeBytes(t, "path.pem", chain)
			if out, ok := h.run(t, "certtool", "--verify-crl", "--load-ca-certificate", "issuing.pem", "--infile", list); !ok || !strings.Contains(out, "Verified") {
				return false, "the list itself: " + out
			}
			out, ok := h.run(t, "certtool", "--verify", "--load-ca-certificate", "root.pem", "--load-crl", list, "--infile", "path.pem")
			return ok && strings.Contains(out, "Chain verification output: Verified. The certificate is trusted."), out
		}
	}
	verdict := func(out string, ok bool) (bool, string) {
		return ok && strings.Contains(out, "Verifying OCSP Response: Success.") && strings.Contains(out, "Certificate Status: good"), out
	}
	online := func(nonce string) judge {
		return func(t testing.TB, h *house, certificate string) (bool, string) {
			issuer := h.issuerOf(certificate)
			return verdict(h.run(t, "ocsptool", "--ask="+h.base+"/ocsp", "--load-issuer", issuer, "--load-cert", certificate+".pem", "--load-trust", issuer, nonce))
		}
	}
	return tool{name: "GnuTLS", judges: map[way]judge{
		byFull:  byList("full.crl"),
		byShard: byList("other.crl"),
		byPost:  online("--no-nonce"), byNonce: online("--nonce"),
		byGet: func(t testing.TB, h *house, certificate string) (bool, string) {
			issuer := h.issuerOf(certificate)
			h.run(t, "ocsptool", "--generate-request", "--load-issuer", issuer, "--load-cert", certificate+".pem", "--no-nonce", "--outder", "--outfile", "get.request")
			h.get(t)
			info, _ := h.run(t, "ocsptool", "--response-info", "--load-response", "get.response", "--inder")
			out, ok := h.run(t, "ocsptool", "--verify-response", "--load-response", "get.response", "--load-trust", issuer)
			return verdict(info+out, ok)
		},
	}, lacks: map[way]string{
		byDelta:   "takes a delta for a full list: give it full lists alone",
		bySwapped: "does not look at the issuing distribution point: give it the list of the certificate's own shard",
	}}
}

// nss is vfychain and ocspclnt, on a database of the CA certificates.
func nss(t testing.TB, h *house) tool {
	t.Helper()
	if out, ok := h.run(t, "certutil", "-N", "-d", "sql:.", "--empty-password"); !ok {
		t.Fatal(out)
	}
	for _, c := range []struct{ name, trust string }{{"root", "CT,C,C"}, {"issuing", ",,"}, {"ended", ",,"}} {
		if out, ok := h.run(t, "certutil", "-A", "-d", "sql:.", "-n", c.name, "-t", c.trust, "-a", "-i", c.name+".pem"); !ok {
			t.Fatal(out)
		}
	}
	const noLists = "knows no issuing distribution point, and refuses every list that has one, as it must"
	if out, ok := h.run(t, "crlutil", "-I", "-d", "sql:.", "-i", "full.crl.der"); ok || !strings.Contains(out, "UNKNOWN_CRITICAL_EXTENSION") {
		t.Errorf("NSS takes a list now, so let it judge by lists: %s", out)
	}
	return tool{name: "NSS", judges: map[way]judge{
		byGet: func(t testing.TB, h *house, certificate string) (bool, string) {
			out, ok := h.run(t, "vfychain", "-d", "sql:.", "-pp", "-u", "0", "-g", "leaf", "-h", "requireFreshInfo", "-m", "ocsp", "-s", "failIfNoInfo", "-a", certificate+".pem")
			return ok && strings.Contains(out, "Chain is good!"), out
		},
		byPost: func(t testing.TB, h *house, certificate string) (bool, string) {
			h.postOnly.Store(true) // it asks by GET where it can
			defer h.postOnly.Store(false)
			h.writeBytes(t, "one.der", h.certificates[certificate].Raw)
			out, ok := h.run(t, "ocspclnt", "-d", "sql:.", "-S", "one.der") // its exit code says nothing
			return ok && strings.Contains(out, "succeeded."), out
		},
	}, lacks: map[way]string{
		byFull: noLists, byDelta: noLists, byShard: noLists, bySwapped: noLists,
		byNonce: "sends no nonce",
	}}
}

// java is the JDK's PKIX validator: all that one way asks in one virtual machine.
func java() tool {
	answers := map[way]map[string]string{}
	by := func(w way, word string, flags ...string) judge {
		return func(t testing.TB, h *house, certificate string) (bool, string) {
			if answers[w] == nil {
				answers[w] = h.runJava(t, w, word, flags...)
			}
			said := answers[w][certificate]
			return said == "accepted", said
		}
	}
	const usePost = "-Dcom.sun.security.ocsp.useget=false"
	return tool{name: "Java", judges: map[way]judge{
		byFull: by(byFull, "crl"), byShard: by(byShard, "crl"), bySwapped: by(bySwapped, "crl"),
		byGet: by(byGet, "ocsp"), byPost: by(byPost, "ocsp", usePost), byNonce: by(byNonce, "nonce"),
	}, lacks: map[way]string{byDelta: "fetches no delta, and takes the newest full list"}}
}

func (h *house) runJava(t testing.TB, w way, word string, flags ...string) map[string]string {
	t.Helper()
	program := must[string](t)(filepath.Abs("testdata/Judge.java"))
	var plan strings.Builder
	var names []string
	for _, c := range cases() {
		if c.by == w {
			_, _ = fmt.Fprintln(&plan, len(names), word, c.certificate+".pem", h.issuerOf(c.certificate)) // a builder takes all
			names = append(names, c.certificate)
		}
	}
	cmd := exec.CommandContext(t.Context(), "java", append(append([]string{"-XX:TieredStopAtLevel=1"}, flags...), program, h.folder)...)
	cmd.Stdin = strings.NewReader(plan.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("java (make deps): %v: %s", err, out)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		var n int
		number, verdict, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := fmt.Sscan(number, &n); err != nil || n >= len(names) {
			t.Fatalf("java said %q", line)
		}
		said[names[n]] = verdict
	}
	return said
}
