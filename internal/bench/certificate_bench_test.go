package bench_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"sceau/ca"
	"sceau/hsm"
	"sceau/internal/bench"
	"sceau/lifecycle"
)

const issuingKey = "issuing-bench"

// BenchmarkCertificates issues 1 000 certificates with the issuing key in
// Transit, 16 at a time: read the request, draft, lint, have the draft signed.
// The limits are the bare signatures; the peer is Vault's own CA.
func BenchmarkCertificates(b *testing.B) {
	client, bare, _ := openVault(b)
	issue := issueThroughTransit(b, client)
	pki := vaultPKI(b, bare)
	const certificates = 1000
	side := func(name string, work func(i int) error) bench.Side {
		return bench.Side{Name: name, Ops: certificates, Run: func() error { return bench.Parallel(connections, certificates, work) }}
	}
	sign := func(perCall int) func(int) error {
		body := bench.SignRequest(perCall)
		return func(i int) error {
			if i%perCall != 0 {
				return nil
			}
			_, err := bare.Call(b.Context(), http.MethodPost, "transit/sign/"+issuingKey, body)
			return err
		}
	}
	b.Run("transit", func(b *testing.B) {
		bench.Comparison{
			Ours:   side("Issue", issue),
			Limits: []bench.Side{side("bare_transit", sign(1)), side("bare_transit_batch", sign(100))},
			Peers:  []bench.Side{side("vault_pki", pki)},
		}.Measure(b)
	})
}

// issueThroughTransit is what the worker does for one certificate, less the
// database.
func issueThroughTransit(b *testing.B, client *hsm.Client) func(int) error {
	b.Helper()
	if err := client.CreateSigningKey(b.Context(), issuingKey, hsm.P256); err != nil {
		b.Fatal(err)
	}
	keys := hsm.NewKeyring(client)
	key, err := client.SigningKey(b.Context(), issuingKey, 0)
	if err != nil {
		b.Fatal(err)
	}
	signer := func() (crypto.Signer, error) { return keys.Signer(b.Context(), issuingKey, key.Public()) }
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	named := func(cn string) ca.Name {
		return ca.Name{CommonName: cn, Organization: "Banque Exemple SA", RegistryNumber: "552100554", Country: "FR"}
	}
	root := &ca.Issuer{ID: "root", PublicBase: "http://pki.example.test"}
	if root.Certificate, err = ca.SelfSignRoot(rootKey, named("Root"), benchNow); err != nil {
		b.Fatal(err)
	}
	issuer := &ca.Issuer{ID: "issuing-1", PublicBase: root.PublicBase}
	if issuer.Certificate, err = ca.SignIssuing(root, rootKey, key.Public(), named("Issuing 1"), lifecycle.Serial{0x41}, benchNow); err != nil {
		b.Fatal(err)
	}
	csr := certificateRequest(b)
	var issued atomic.Uint64
	return func(int) error {
		request, err := ca.ParseRequest(csr)
		if err != nil {
			return err
		}
		serial := lifecycle.Serial{0x40}
		binary.BigEndian.PutUint64(serial[8:], issued.Add(1))
		draft, err := issuer.Prepare(ca.NominativeAuthentication(), request, ca.Subject{
			GivenName: "Amélie", Surname: "Dupont", Organization: "Boulangerie du Pont", OrganizationID: "NTRFR-732829320",
			RegistryNumber: "732829320", Country: "FR", HolderNumber: "H-1",
		}, serial, 0, benchNow)
		if err != nil {
			return err
		}
		key, err := signer()
		if err != nil {
			return err
		}
		_, err = issuer.Sign(draft, key)
		return err
	}
}

func certificateRequest(b *testing.B) []byte {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		b.Fatal(err)
	}
	return csr
}

// vaultPKI sets Vault's pki engine up as a CA with a P-256 key that keeps what
// it signs.
func vaultPKI(b *testing.B, bare *bench.Vault) func(int) error {
	b.Helper()
	csr := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: certificateRequest(b)})
	body := func(v map[string]any) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			b.Fatal(err)
		}
		return text
	}
	for _, step := range []struct {
		path string
		body map[string]any
	}{
		{"sys/mounts/pki", map[string]any{"type": "pki", "config": map[string]any{"max_lease_ttl": "87600h"}}},
		{"pki/root/generate/internal", map[string]any{"common_name": "Bench CA", "key_type": "ec", "key_bits": 256, "ttl": "43800h"}},
		{"pki/roles/bench", map[string]any{
			"allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "ttl": "8760h", "max_ttl": "8760h",
		}},
	} {
		if _, err := bare.Call(b.Context(), http.MethodPost, step.path, body(step.body)); err != nil {
			b.Fatal(err)
		}
	}
	sign := body(map[string]any{"csr": string(csr), "common_name": "Amelie Dupont"})
	return func(int) error {
		answer, err := bare.Call(b.Context(), http.MethodPost, "pki/sign/bench", sign)
		if err == nil && len(answer) < len("-----BEGIN CERTIFICATE-----") {
			err = fmt.Errorf("the answer has %d octets", len(answer))
		}
		return err
	}
}
