package ca

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/lifecycle"
)

func TestParseRequestTakesWhatOpenSSLMakes(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"a P-256 key":             {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"},
		"a P-384 key and SHA-384": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384"},
		"an RSA key of 3072 bits": {"-newkey", "rsa:3072"},
		"RSA-PSS as the proof":    {"-newkey", "rsa:3072", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"},
	} {
		for _, form := range []string{"PEM", "DER"} {
			t.Run(name+" in "+form, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				args := append([]string{"req", "-new", "-nodes", "-keyout", "key.pem", "-subj", "/", "-out", "csr", "-outform", form}, args...)
				if out, err := openssl(t, dir, args...); err != nil {
					t.Fatalf("openssl req: %s", out)
				}
				req, err := ParseRequest(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "csr"))))
				if err != nil {
					t.Fatal(err)
				}
				if err := req.CheckSubject(holder); err != nil {
					t.Errorf("an empty subject is refused: %v", err)
				}
			})
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	t.Parallel()
	good := request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}})
	armoured := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: good})
	forged := bytes.Clone(good)
	forged[bytes.Index(forged, []byte("x"))] = 'y'
	weakHash := request(t, rsaKey(t), x509.CertificateRequest{SignatureAlgorithm: x509.SHA1WithRSA})
	_, ed, _ := ed25519.GenerateKey(nil)
	short := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	for name, tc := range map[string]struct {
		csr   []byte
		field string
	}{
		"nothing":                        {nil, "csr"},
		"more than 16 KiB":               {make([]byte, MaxRequestSize+1), "csr"},
		"a word":                         {[]byte("hello"), "csr"},
		"a certificate in PEM":           {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good}), "csr"},
		"two requests":                   {append(bytes.Clone(armoured), armoured...), "csr"},
		"an octet after the DER":         {append(bytes.Clone(good), 0), "csr"},
		"a request cut short":            {good[:len(good)-1], "csr"},
		"a name changed after the proof": {forged, "csr.signature"},
		"a proof with SHA-1":             {weakHash, "csr.signature"},
		"a P-224 key":                    {request(t, ecKey(t, elliptic.P224()), x509.CertificateRequest{}), "csr.key"},
		"a P-521 key":                    {request(t, ecKey(t, elliptic.P521()), x509.CertificateRequest{}), "csr.key"},
		"an Ed25519 key":                 {request(t, ed, x509.CertificateRequest{}), "csr.key"},
		"an RSA key of 2048 bits":        {request(t, short, x509.CertificateRequest{}), "csr.key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseRequest(tc.csr)
			var fe *lifecycle.FieldError
			if !errors.As(err, &fe) || fe.Field != tc.field {
				t.Errorf("error %v, want field %s", err, tc.field)
			}
		})
	}
}

func TestCheckSubjectRefusesAForeignName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		subject pkix.Name
		field   string // empty: taken
	}{
		"the holder's name":              {pkix.Name{CommonName: "Amélie Dupont-N'Diaye"}, ""},
		"the name with TEST":             {pkix.Name{CommonName: "TEST Amélie Dupont-N'Diaye"}, ""},
		"the name decomposed":            {pkix.Name{CommonName: "Ame\u0301lie Dupont-N'Diaye"}, ""},
		"name, organisation and country": {pkix.Name{CommonName: "AMÉLIE DUPONT-N'DIAYE", Organization: []string{holder.Organization}, Country: []string{"FR"}}, ""},
		"an OU that nobody reads":        {pkix.Name{OrganizationalUnit: []string{"Sales"}}, ""},
		"another name":                   {pkix.Name{CommonName: "Mallory"}, "csr.common_name"},
		"another organisation":           {pkix.Name{Organization: []string{"Evil SA"}}, "csr.organization"},
		"a second organisation":          {pkix.Name{Organization: []string{holder.Organization, "Evil SA"}}, "csr.organization"},
		"another country":                {pkix.Name{Country: []string{"BE"}}, "csr.country"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{Subject: tc.subject})))
			err := req.CheckSubject(holder)
			var fe *lifecycle.FieldError
			switch {
			case tc.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.field != "" && (!errors.As(err, &fe) || fe.Field != tc.field):
				t.Errorf("error %v, want field %s", err, tc.field)
			}
		})
	}
}

// prime finds a prime of the form start + k·step.
func prime(start, step *big.Int) *big.Int {
	for p := new(big.Int).Set(start); ; p.Add(p, step) {
		if p.ProbablyPrime(10) {
			return p
		}
	}
}

func randomBits(t *testing.T, bits int) *big.Int {
	t.Helper()
	n := must[*big.Int](t)(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits-2))))
	return n.Add(n, new(big.Int).Lsh(big.NewInt(3), uint(bits-2))) // both top bits: the product keeps its length
}

func TestWeakRSAKeysAreFound(t *testing.T) {
	t.Parallel()
	two := big.NewInt(2)
	p := prime(randomBits(t, 1536).SetBit(randomBits(t, 1536), 0, 1), two)
	q := prime(randomBits(t, 1536).SetBit(randomBits(t, 1536), 0, 1), two)
	near := prime(new(big.Int).Add(p, two), two)

	// A chip with the weakness: k·M + 65537^a mod M, M the product of the first 39 primes.
	m := big.NewInt(1)
	for i := int64(2); i <= 167; i++ {
		if big.NewInt(i).ProbablyPrime(0) {
			m.Mul(m, big.NewInt(i))
		}
	}
	chip := func() *big.Int {
		a := new(big.Int).Exp(big.NewInt(65537), randomBits(t, 64), m)
		k := new(big.Int).Div(randomBits(t, 1536), m)
		return prime(a.Add(a, k.Mul(k, m)), m)
	}
	for name, tc := range map[string]struct {
		n    *big.Int
		e    int
		want string
	}{
		"a sound key":               {new(big.Int).Mul(p, q), 65537, ""},
		"exponent 3":                {new(big.Int).Mul(p, q), 3, "exponent"},
		"two neighbouring primes":   {new(big.Int).Mul(p, near), 65537, "too close"},
		"a square":                  {new(big.Int).Mul(p, p), 65537, "too close"},
		"a factor of 4093":          {new(big.Int).Mul(p, prime(new(big.Int).Div(q, big.NewInt(4093)), big.NewInt(1))), 65537, ""},
		"an infected chip's primes": {new(big.Int).Mul(chip(), chip()), 65537, "ROCA"},
		"9000 bits":                 {new(big.Int).Lsh(big.NewInt(1), 8999), 65537, "longer"},
		"3073 bits":                 {new(big.Int).Lsh(big.NewInt(1), 3072), 65537, "whole number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := tc.n
			want := tc.want
			if strings.HasPrefix(name, "a factor") {
				n, want = new(big.Int).Mul(tc.n, big.NewInt(4093)), "small factor"
				for n.BitLen()%8 != 0 { // keep the factor, reach a whole number of octets
					n.Mul(n, two)
				}
			}
			got := weakRSA(n, tc.e)
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("answers %q, want %q", got, want)
			}
		})
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, key := range []crypto.Signer{ecKey(f, elliptic.P256()), ecKey(f, elliptic.P384())} {
		der := request(f, key, x509.CertificateRequest{Subject: pkix.Name{CommonName: "x", Country: []string{"FR"}}})
		f.Add(der)
		f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	}
	f.Fuzz(func(t *testing.T, csr []byte) {
		req, err := ParseRequest(csr)
		if err != nil {
			var fe *lifecycle.FieldError
			if !errors.As(err, &fe) || !strings.HasPrefix(fe.Field, "csr") {
				t.Fatalf("error %v is not about a csr field", err)
			}
			return
		}
		if weakKey(req.PublicKey()) != "" || req.SPKIHash() == [32]byte{} {
			t.Fatal("a weak key is taken")
		}
		_ = req.CheckSubject(holder)
	})
}
