package statement_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sceau/lifecycle"
	"sceau/statement"
)

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func signer(t *testing.T) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return key, must[*x509.Certificate](t)(x509.ParseCertificate(der))
}

const claims = `{"function":"sign_payment","content":{"amount":"1250075"}}`

func TestAStatementIsCheckedByItsKeySet(t *testing.T) {
	t.Parallel()
	key, certificate := signer(t)
	_, older := signer(t)
	set := must[[]byte](t)(statement.KeySet([]*x509.Certificate{certificate, older, certificate}))
	if n := strings.Count(string(set), `"kid"`); n != 2 || !strings.Contains(string(set), `"x5c"`) || strings.Contains(string(set), `"d":`) {
		t.Errorf("the set has %d keys: %s", n, set)
	}
	text := must[string](t)(statement.Sign([]byte(claims), certificate, key))
	if got := must[[]byte](t)(statement.Check(text, set)); string(got) != claims {
		t.Errorf("it states %s", got)
	}
	parts := strings.Split(text, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"` + statement.Type + `"}`))
	other := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(claims, "1250075", "9250075", 1)))
	foreignKey, foreign := signer(t)
	for name, bad := range map[string]string{
		"nothing":         "",
		"another amount":  parts[0] + "." + other + "." + parts[2],
		"no signature":    parts[0] + "." + parts[1] + ".",
		"algorithm none":  none + "." + parts[1] + ".",
		"a stranger's":    must[string](t)(statement.Sign([]byte(claims), foreign, foreignKey)),
		"its JSON form":   `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"a very long one": strings.Repeat("A", statement.MaxLength+1),
	} {
		if got, err := statement.Check(bad, set); !errors.Is(err, lifecycle.Invalid) || got != nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := statement.Check(text, []byte("[]")); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("by a set that is none: %v", err)
	}
	if _, err := statement.Sign([]byte("not JSON"), certificate, key); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("claims that are none: %v", err)
	}
}

// Openssl knows nothing of JWS: what it verifies is the signature over the two parts
// (RFC 7518 §3.4), turned from r and s into ASN.1.
func TestOpenSSLVerifiesAStatement(t *testing.T) {
	t.Parallel()
	key, certificate := signer(t)
	text := must[string](t)(statement.Sign([]byte(claims), certificate, key))
	dot := strings.LastIndexByte(text, '.')
	raw := must[[]byte](t)(base64.RawURLEncoding.DecodeString(text[dot+1:]))
	if len(raw) != 64 {
		t.Fatalf("the signature has %d octets", len(raw))
	}
	integer := func(b []byte) []byte {
		n := new(big.Int).SetBytes(b).Bytes()
		if n[0] >= 0x80 {
			n = append([]byte{0}, n...)
		}
		return append([]byte{2, byte(len(n))}, n...)
	}
	body := append(integer(raw[:32]), integer(raw[32:])...)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
	public := write("public.der", must[[]byte](t)(x509.MarshalPKIXPublicKey(key.Public())))
	signature := write("signature", append([]byte{0x30, byte(len(body))}, body...))
	out, err := exec.CommandContext(t.Context(), "openssl", "dgst", "-sha256", "-verify", public, "-keyform", "DER", "-signature", signature, write("text", []byte(text[:dot]))).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Verified OK") {
		t.Errorf("openssl: %v: %s", err, out)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("a.b.c", `{"keys":[]}`)
	f.Add("eyJhbGciOiJub25lIn0..", `{"keys":[{"kty":"oct","k":"AA"}]}`)
	f.Fuzz(func(t *testing.T, text, set string) {
		if claims, err := statement.Check(text, []byte(set)); err == nil {
			t.Errorf("a statement that nobody signed states %s", claims)
		}
	})
}
