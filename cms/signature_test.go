package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"

	"sceau/cms"
	"sceau/lifecycle"
)

func signers(t testing.TB) map[string]party {
	t.Helper()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	room, _ := parties(t)
	out := map[string]party{}
	for name, key := range map[string]crypto.Signer{"P-256": curve, "RSA": room.key} {
		p, err := certify(key, x509.KeyUsageDigitalSignature)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = p
	}
	return out
}

func TestWhatSignMakesIsCheckedByUsOpensslAndPkcs7(t *testing.T) {
	t.Parallel()
	for name, signer := range signers(t) {
		certFile, _ := signer.files(t)
		for what, content := range contents() {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				signed, err := cms.Sign(content, signer.cert, signer.key)
				if err != nil {
					t.Fatal(err)
				}
				got, err := cms.Verify(signed, signer.cert)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("Verify = %d bytes, %v; want the content", len(got), err)
				}
				byOpenssl := openssl(t, signed, "cms", "-verify", "-inform", "DER", "-binary", "-CAfile", certFile, "-purpose", "any", "-cades")
				if !bytes.Equal(byOpenssl, content) {
					t.Errorf("openssl finds %d bytes, want the %d signed", len(byOpenssl), len(content))
				}
				p7, err := pkcs7.Parse(signed)
				if err != nil {
					t.Fatal(err)
				}
				if err := p7.Verify(); err != nil || !bytes.Equal(p7.Content, content) {
					t.Errorf("pkcs7 finds %d bytes, %v; want the content", len(p7.Content), err)
				}
			})
		}
	}
}

func TestVerifyReadsWhatOpensslSignsInTheSameForm(t *testing.T) {
	t.Parallel()
	signer := signers(t)["P-256"]
	certFile, keyFile := signer.files(t)
	sign := func(args ...string) []byte {
		args = append([]string{"cms", "-sign", "-binary", "-outform", "DER", "-signer", certFile, "-inkey", keyFile}, args...)
		return openssl(t, []byte("from the bank"), args...)
	}
	tests := []struct {
		name    string
		signed  []byte
		wantErr string
	}{
		{"with SHA-256 and the certificate's digest", sign("-nodetach", "-md", "sha256", "-cades"), ""},
		{"without the certificate's digest", sign("-nodetach", "-md", "sha256"), "signingCertificateV2"},
		{"with SHA-384", sign("-nodetach", "-md", "sha384", "-cades"), "only SHA-256"},
		{"without the content", sign("-md", "sha256", "-cades"), "read the signed message"},
		{"without attributes", sign("-nodetach", "-md", "sha256", "-noattr"), "read the signed message"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			content, err := cms.Verify(tt.signed, signer.cert)
			if tt.wantErr != "" {
				if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("Verify = %v, want Invalid with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || string(content) != "from the bank" {
				t.Errorf("Verify = %q, %v", content, err)
			}
		})
	}
}

// Every byte of a signed message is the content's, the signature's, or read: no
// change of one is another message of the same signer.
func TestAChangedMessageIsNeverTaken(t *testing.T) {
	t.Parallel()
	all := signers(t)
	signer, other := all["P-256"], all["RSA"]
	signed, err := cms.Sign([]byte("ten cards"), signer.cert, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	for at := range signed {
		changed := bytes.Clone(signed)
		changed[at] ^= 0x01
		content, err := cms.Verify(changed, signer.cert)
		if err == nil && string(content) != "ten cards" {
			t.Errorf("byte %d changed: Verify takes %q", at, content)
		}
		if err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("byte %d changed: Verify = %v, want Invalid", at, err)
		}
	}
	again, err := certify(signer.key, x509.KeyUsageDigitalSignature)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		der  []byte
		cert *x509.Certificate
		want string
	}{
		"another signer":                   {signed, other.cert, "not signed by"},
		"another certificate of that key":  {signed, again.cert, "not signed by"},
		"no certificate":                   {signed, nil, "no signer"},
		"a cut end":                        {signed[:len(signed)-9], signer.cert, "read the signed message"},
		"something behind it":              {append(bytes.Clone(signed), 0), signer.cert, "follow"},
		"nothing":                          {nil, signer.cert, "read the signed message"},
		"other content of the same length": {bytes.Replace(signed, []byte("ten cards"), []byte("two cards"), 1), signer.cert, "was changed"},
	} {
		if _, err := cms.Verify(tt.der, tt.cert); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Verify = %v, want Invalid with %q", name, err, tt.want)
		}
	}
}

func TestSignRefusesKeysThatDoNotFit(t *testing.T) {
	t.Parallel()
	all := signers(t)
	weakKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := certify(weakKey, x509.KeyUsageDigitalSignature)
	if err != nil {
		t.Fatal(err)
	}
	room, _ := parties(t)
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		key  crypto.Signer
		want string
	}{
		"a key of another certificate":   {all["P-256"].cert, all["RSA"].key, "not the certificate's"},
		"RSA of 2048 bits":               {weak.cert, weak.key, "2048 bits"},
		"a certificate for encipherment": {room.cert, room.key, "digitalSignature"},
		"no certificate":                 {nil, room.key, "no signer"},
	} {
		if _, err := cms.Sign([]byte("x"), tt.cert, tt.key); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Sign = %v, want Invalid with %q", name, err, tt.want)
		}
	}
	if _, err := cms.Sign(make([]byte, cms.MaxContent+1), all["P-256"].cert, all["P-256"].key); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("too much content: Sign = %v, want Invalid", err)
	}
}

// A bureau opens and checks a file that was signed, then sealed, with two calls
// of openssl.
func TestASealedSignedFileIsOpenedByOpenssl(t *testing.T) {
	t.Parallel()
	room, _ := parties(t)
	bank := signers(t)["P-256"]
	roomCert, roomKey := room.files(t)
	bankCert, _ := bank.files(t)
	signed, err := cms.Sign([]byte("the bureau's file"), bank.cert, bank.key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := cms.Seal(signed, room.cert)
	if err != nil {
		t.Fatal(err)
	}
	opened := openssl(t, sealed, "cms", "-decrypt", "-inform", "DER", "-binary", "-recip", roomCert, "-inkey", roomKey)
	path := filepath.Join(t.TempDir(), "signed.p7s")
	if err := os.WriteFile(path, opened, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := openssl(t, nil, "cms", "-verify", "-inform", "DER", "-binary", "-in", path, "-CAfile", bankCert, "-purpose", "any"); string(got) != "the bureau's file" {
		t.Errorf("openssl reads %q", got)
	}
}

func FuzzVerify(f *testing.F) {
	signer := signers(f)["P-256"]
	signed, err := cms.Sign([]byte("content"), signer.cert, signer.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(signed[:60])
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		content, err := cms.Verify(der, signer.cert)
		if err != nil && !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("Verify = %v, want Invalid or content", err)
		}
		if err == nil && string(content) != "content" {
			t.Errorf("Verify takes %q, which nobody signed", content)
		}
	})
}
