package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sceau/certprofile"
	"sceau/lifecycle"
)

var testNow = time.Date(2026, 3, 2, 9, 30, 15, 0, time.UTC)

// house is a root, an issuing CA and its responder, with their keys.
type house struct {
	rootKey, key, ocspKey crypto.Signer
	root, issuer          *Issuer
	responder             *Responder
}

var bankName = Name{
	CommonName: "Banque Exemple CA", Organization: "Banque Exemple SA", OrganizationID: "NTRFR-552100554",
	RegistryNumber: "552100554", Country: "FR",
}

func named(cn string) Name {
	n := bankName
	n.CommonName = cn
	return n
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ecKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(curve, rand.Reader))
}

func serialNumber(t testing.TB) lifecycle.Serial {
	t.Helper()
	var b [16]byte
	must[int](t)(rand.Read(b[:]))
	return lifecycle.SerialFrom(b)
}

// newHouse makes a house whose issuing key is the given one.
func newHouse(t testing.TB, key crypto.Signer, now time.Time) *house {
	t.Helper()
	cert := must[*x509.Certificate](t)
	h := &house{rootKey: ecKey(t, elliptic.P384()), key: key, ocspKey: ecKey(t, elliptic.P256())}
	h.root = &Issuer{
		ID: "root", PublicBase: "http://pki.example.test",
		Certificate: cert(SelfSignRoot(h.rootKey, named("Banque Exemple Root"), now)),
	}
	h.issuer = &Issuer{
		ID: "issuing-1", PublicBase: "http://pki.example.test",
		Certificate: cert(SignIssuing(h.root, h.rootKey, h.key.Public(), named("Banque Exemple Issuing 1"), serialNumber(t), now)),
	}
	ocsp := cert(SignOCSPResponder(h.issuer, h.key, h.ocspKey.Public(), named("Banque Exemple OCSP 1"), serialNumber(t), now))
	h.responder = must[*Responder](t)(NewResponder(h.issuer.Certificate, ocsp, time.Hour))
	return h
}

func setup(t testing.TB) *house {
	t.Helper()
	return newHouse(t, ecKey(t, elliptic.P256()), testNow)
}

func rsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	return must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 3072))
}

var holder = Subject{
	GivenName: "Amélie", Surname: "Dupont-N'Diaye", Organization: "Boulangerie du Pont & Fils",
	OrganizationID: "NTRFR-732829320", RegistryNumber: "732829320", Country: "FR", HolderNumber: "H-00042",
	Email: "amelie@example.test", Test: true,
}

func request(t testing.TB, key crypto.Signer, template x509.CertificateRequest) []byte {
	t.Helper()
	return must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &template, key))
}

// issue makes a holder's certificate.
func (h *house) issue(t testing.TB, now time.Time) (*x509.Certificate, lifecycle.Serial) {
	t.Helper()
	req := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{})))
	serial := serialNumber(t)
	d := must[*Draft](t)(h.issuer.Prepare(NominativeAuthentication(), req, holder, serial, 3, now))
	return must[*x509.Certificate](t)(h.issuer.Sign(d, h.key)), serial
}

// issueOf makes a certificate of a profile for a subject.
func (h *house) issueOf(t testing.TB, p Profile, s Subject) (*x509.Certificate, error) {
	t.Helper()
	req := must[*Request](t)(ParseRequest(request(t, ecKey(t, elliptic.P256()), x509.CertificateRequest{})))
	d, err := h.issuer.Prepare(p, req, s, serialNumber(t), 3, testNow)
	if err != nil {
		return nil, err
	}
	return h.issuer.Sign(d, h.key)
}

// files writes DER as PEM files for openssl and gives the folder.
func files(t testing.TB, pems map[string]*pem.Block) string {
	t.Helper()
	dir := t.TempDir()
	for name, block := range pems {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func certPEM(c *x509.Certificate) *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw} }

// openssl runs the tool in a folder; a missing openssl fails the test.
func openssl(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("openssl is needed (apt-get install openssl): %v", err)
	}
	return string(out), err
}

// builtIn is version 0 of a bank's profile.
func builtIn(name string) Profile {
	p, ok := certprofile.BuiltIn(name)
	if !ok {
		panic(name)
	}
	return ProfileOf(p)
}

func staff() Profile { return builtIn(certprofile.StaffSignIn) }

// everyProfile is those that are built in, a bank's and a ceremony's.
func everyProfile() []Profile {
	all := CeremonyProfiles()
	for _, p := range certprofile.BuiltIns() {
		all = append(all, ProfileOf(p))
	}
	return all
}
