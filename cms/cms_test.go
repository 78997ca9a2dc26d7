package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"sceau/cms"
	"sceau/lifecycle"
)

type party struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// twoParties is made once: RSA keys of 3072 bits are slow to draw.
var twoParties = sync.OnceValues(func() ([2]party, error) {
	var out [2]party
	for i := range out {
		key, err := rsa.GenerateKey(rand.Reader, 3072)
		if err != nil {
			return out, err
		}
		if out[i], err = certify(key, x509.KeyUsageKeyEncipherment); err != nil {
			return out, err
		}
	}
	return out, nil
})

func parties(t testing.TB) (printRoom, other party) {
	t.Helper()
	two, err := twoParties()
	if err != nil {
		t.Fatal(err)
	}
	return two[0], two[1]
}

func certify(key crypto.Signer, usage x509.KeyUsage) (party, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return party{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Imprimerie é"},
		NotBefore:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     usage,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return party{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return party{cert: cert, key: key}, err
}

// files writes certificate and key for openssl and names them.
func (p party) files(t *testing.T) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: p.cert.Raw},
		key:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func openssl(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

func contents() map[string][]byte {
	return map[string][]byte{
		"nothing":             {},
		"one byte":            {0x42},
		"fifteen bytes":       bytes.Repeat([]byte{1}, 15),
		"a whole block":       bytes.Repeat([]byte{16}, 16),
		"a block and a byte":  bytes.Repeat([]byte{0}, 17),
		"a file of 300 000 B": bytes.Repeat([]byte("PDF\r\n"), 60_000),
	}
}

func TestWhatSealMakesIsOpenedByUsOpensslAndPkcs7(t *testing.T) {
	t.Parallel()
	room, _ := parties(t)
	certFile, keyFile := room.files(t)
	for name, content := range contents() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealed, err := cms.Seal(content, room.cert)
			if err != nil {
				t.Fatal(err)
			}
			if len(content) > 8 && bytes.Contains(sealed, content[:8]) {
				t.Error("the content shows through")
			}
			opened, err := cms.Open(sealed, room.cert, room.key)
			if err != nil || !bytes.Equal(opened, content) {
				t.Errorf("Open = %d bytes, %v; want the content", len(opened), err)
			}
			byOpenssl := openssl(t, sealed, "cms", "-decrypt", "-inform", "DER", "-binary", "-recip", certFile, "-inkey", keyFile)
			if !bytes.Equal(byOpenssl, content) {
				t.Errorf("openssl opens %d bytes, want the %d sealed", len(byOpenssl), len(content))
			}
			if len(content) == 0 {
				return // the pkcs7 reader takes no empty content
			}
			p7, err := pkcs7.Parse(sealed)
			if err != nil {
				t.Fatal(err)
			}
			if byPeer, err := p7.Decrypt(room.cert, room.key); err != nil || !bytes.Equal(byPeer, content) {
				t.Errorf("pkcs7 opens %d bytes, %v; want the content", len(byPeer), err)
			}
		})
	}
}

func TestOpenReadsWhatOpensslSealsWithTheSameAlgorithms(t *testing.T) {
	t.Parallel()
	room, _ := parties(t)
	certFile, _ := room.files(t)
	oaep := []string{"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"}
	tests := []struct {
		name    string
		args    []string
		wantErr string
	}{
		{"AES-256 and OAEP with SHA-256 are opened", append([]string{"-aes-256-cbc", "-recip", certFile}, oaep...), ""},
		{"PKCS #1 v1.5 wrapping is refused", []string{"-aes-256-cbc", certFile}, "only RSAES-OAEP"},
		{"OAEP with SHA-1 is refused", []string{"-aes-256-cbc", "-recip", certFile, "-keyopt", "rsa_padding_mode:oaep"}, "OAEP parameters"},
		{"AES-128 is refused", append([]string{"-aes-128-cbc", "-recip", certFile}, oaep...), "only AES-256-CBC"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"cms", "-encrypt", "-binary", "-outform", "DER"}, tt.args...)
			sealed := openssl(t, []byte("for the print room"), args...)
			opened, err := cms.Open(sealed, room.cert, room.key)
			if tt.wantErr != "" {
				if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("Open = %v, want Invalid with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || string(opened) != "for the print room" {
				t.Errorf("Open = %q, %v", opened, err)
			}
		})
	}
}

func TestWeakRecipientsAreRefused(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	room, _ := parties(t)
	tests := []struct {
		name  string
		key   crypto.Signer
		usage x509.KeyUsage
		want  string
	}{
		{"an RSA key of 2048 bits", weak, x509.KeyUsageKeyEncipherment, "2048 bits"},
		{"an elliptic-curve key", curve, x509.KeyUsageKeyEncipherment, "ECDSA"},
		{"a signature certificate", room.key, x509.KeyUsageDigitalSignature, "keyEncipherment"},
		{"a certificate without keyUsage", room.key, 0, "keyEncipherment"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := certify(tt.key, tt.usage)
			if err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{
				"Seal": second(cms.Seal([]byte("x"), p.cert)),
				"Open": second(cms.Open([]byte("x"), p.cert, p.key)),
			} {
				if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s = %v, want Invalid with %q", what, err, tt.want)
				}
			}
		})
	}
	if _, err := cms.Seal([]byte("x"), nil); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("Seal for nobody = %v, want Invalid", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestADamagedEnvelopeNeverOpens(t *testing.T) {
	t.Parallel()
	room, other := parties(t)
	sealed, err := cms.Seal(bytes.Repeat([]byte("secret "), 10), room.cert)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) []byte {
		out := bytes.Clone(sealed)
		out[at] ^= 0x01
		return out
	}
	tests := []struct {
		name string
		der  []byte
		key  crypto.PrivateKey
	}{
		{"another's key", sealed, other.key},
		{"a changed wrapped key", flip(len(sealed) - 300), room.key},
		{"a cut end", sealed[:len(sealed)-16], room.key},
		{"something behind it", append(bytes.Clone(sealed), 0), room.key},
		{"nothing at all", nil, room.key},
		{"the last byte of padding changed", flip(len(sealed) - 17), room.key},
		{"a key that is no key", sealed, "key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if out, err := cms.Open(tt.der, room.cert, tt.key); !errors.Is(err, lifecycle.Invalid) {
				t.Errorf("Open = %q, %v; want Invalid", out, err)
			}
		})
	}
	if _, err := cms.Open(sealed, other.cert, other.key); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), "not for certificate") {
		t.Errorf("Open by another recipient = %v", err)
	}
}

// awayKey is a key in a Vault that does not answer.
type awayKey struct{ crypto.PublicKey }

func (k awayKey) Public() crypto.PublicKey { return k.PublicKey }
func (awayKey) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, fmt.Errorf("%w: sealed", lifecycle.Unavailable)
}

func TestAnAbsentKeyIsNotTheEnvelopesFault(t *testing.T) {
	t.Parallel()
	room, _ := parties(t)
	sealed, err := cms.Seal([]byte("x"), room.cert)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cms.Open(sealed, room.cert, awayKey{room.key.Public()}); !errors.Is(err, lifecycle.Unavailable) || errors.Is(err, lifecycle.Invalid) {
		t.Errorf("Open = %v, want Unavailable", err)
	}
}

func FuzzOpen(f *testing.F) {
	room, _ := parties(f)
	sealed, err := cms.Seal([]byte("content"), room.cert)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:40])
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		if out, err := cms.Open(der, room.cert, room.key); err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("Open = %q, %v; want Invalid or content", out, err)
		}
	})
}
