package hsm_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sceau/hsm"
	"sceau/hsm/hsmtest"
	"sceau/internal/testenv"
	"sceau/lifecycle"
)

func keyIn(t *testing.T, store hsm.Keystore, name string, algorithm hsm.Algorithm) *hsm.SigningKey {
	t.Helper()
	if err := store.CreateSigningKey(t.Context(), name, algorithm); err != nil {
		t.Fatal(err)
	}
	key, err := store.SigningKey(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, key *hsm.SigningKey, message string) ([]byte, error) {
	t.Helper()
	digest := sha256.Sum256([]byte(message))
	return key.Signer(t.Context()).Sign(rand.Reader, digest[:], crypto.SHA256)
}

func TestTransitKeepsTheContractOfAKeyStore(t *testing.T) {
	t.Parallel()
	hsmtest.Run(t, open(t, testenv.Vault(t)))
}

func TestASealedTransitIsAwayUntilItIsUnsealed(t *testing.T) {
	t.Parallel()
	own := testenv.OwnVault(t)
	hsmtest.RunAway(t, open(t, own), own.Seal, own.Unseal)
}

func TestOpenSSLVerifiesACertificateThatVaultSigned(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Vault(t))
	for _, algorithm := range []hsm.Algorithm{hsm.P256, hsm.P384, hsm.RSA3072} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			name := "root-openssl-" + string(algorithm)
			signer := keyIn(t, client.RootKeystore(), name, algorithm).Signer(t.Context())
			template := &x509.Certificate{
				SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Sample root"},
				NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC),
				IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
			}
			der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "root.pem")
			text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "openssl", "verify", "-check_ss_sig", "-CAfile", file, file).CombinedOutput()
			if err != nil {
				t.Errorf("openssl verify: %v\n%s", err, out)
			}
		})
	}
}

func TestAnOnlineKeyIsNotInTheRootMount(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Vault(t))
	keyIn(t, client, "issuing-online", hsm.P256)
	_, err := client.RootKeystore().SigningKey(t.Context(), "issuing-online", 0)
	wantKind(t, err, lifecycle.NotFound)
	if online, root := client.Where(), client.RootKeystore().Where(); online != "transit" || root != "transit-root" {
		t.Errorf("mounts %s and %s", online, root)
	}
}
