package jobs

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/issuance"
	"sceau/lifecycle"
)

// openssl runs the tool in a folder and gives what it says.
func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("openssl is needed (make deps): %v", err)
	}
	return string(out)
}

func write(t *testing.T, dir, name, kind string, der []byte) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// list is the newest list of a shard, checked by openssl against its issuer.
func (h *house) list(t *testing.T, dir string, shard int) (list, delta *x509.RevocationList) {
	t.Helper()
	published := get[issuance.PublishedCRL](t)(h.NewestCRL(t.Context(), "issuing-1", shard))
	for name, der := range map[string][]byte{"full": published.Full, "delta": published.Delta} {
		if der == nil {
			continue
		}
		must(t, os.WriteFile(filepath.Join(dir, name+".crl"), der, 0o600))
		if said := openssl(t, dir, "crl", "-inform", "DER", "-in", name+".crl", "-noout", "-CAfile", "issuing.pem", "-verify"); !strings.Contains(said, "verify OK") {
			t.Errorf("openssl of the %s list: %s", name, said)
		}
	}
	list = get[*x509.RevocationList](t)(x509.ParseRevocationList(published.Full))
	if published.Delta != nil {
		delta = get[*x509.RevocationList](t)(x509.ParseRevocationList(published.Delta))
	}
	return list, delta
}

func (h *house) verify(t *testing.T, dir string, more ...string) string {
	t.Helper()
	at := fmt.Sprint(h.clock.now().Unix())
	return openssl(t, dir, append(append([]string{"verify", "-attime", at, "-CAfile", "root.pem", "-untrusted", "issuing.pem"}, more...), "holder.pem")...)
}

// answer is the answer that was signed ahead.
func (h *house) answerAhead(t *testing.T, certificate *x509.Certificate) *ocsp.Response {
	t.Helper()
	status := get[issuance.CertificateStatus](t)(h.Status(t.Context(), "issuing-1", lifecycle.Serial(certificate.SerialNumber.FillBytes(make([]byte, 16)))))
	return get[*ocsp.Response](t)(ocsp.ParseResponseForCert(status.Answer, certificate, parsed(h.Issuing)))
}

func TestACertificateIsIssuedRevokedAndListed(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	id := h.orders(t, "certificate", 1)[0].Certificate.ID
	dir := t.TempDir()
	write(t, dir, "root.pem", "CERTIFICATE", h.Root)
	write(t, dir, "issuing.pem", "CERTIFICATE", h.Issuing)
	h.work(t, h.tools(t))
	must(t, h.TakeKey(t.Context(), h.holder(t, string(id)), id, request(t)))
	h.await(t, "the certificate", "SELECT state = 'issued' FROM certificate WHERE id = $1", id)
	h.await(t, "each shard's first list", "SELECT count(*) = $1 FROM crl WHERE full_size IS NOT NULL", shards)
	h.awaitIdle(t, QueueDefault) // the answer that was signed ahead

	certificate := parsed(get[issuance.CertificateView](t)(h.Certificate(t.Context(), id)).DER)
	write(t, dir, "holder.pem", "CERTIFICATE", certificate.Raw)
	if said := h.verify(t, dir); !strings.Contains(said, "holder.pem: OK") {
		t.Errorf("openssl verify: %s", said)
	}
	shard := shardOf(t, certificate)
	first, _ := h.list(t, dir, shard)
	if first.Number.Int64() != 1 || len(first.RevokedCertificateEntries) != 0 {
		t.Errorf("the first list is number %s with %d entries", first.Number, len(first.RevokedCertificateEntries))
	}
	if got := h.answerAhead(t, certificate); got.Status != ocsp.Good || !got.NextUpdate.Equal(got.ThisUpdate.Add(h.Policy().OCSPValidity)) {
		t.Errorf("OCSP says %d until %s", got.Status, got.NextUpdate)
	}

	h.clock.advance(time.Hour)
	must(t, h.Revoke(t.Context(), officer, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise, InvalidityDate: monday}))
	h.awaitIdle(t, QueueDefault)
	full, delta := h.list(t, dir, shard)
	for name, list := range map[string]*x509.RevocationList{"full": full, "delta": delta} {
		entries := list.RevokedCertificateEntries
		if list.Number.Int64() != 2 || len(entries) != 1 || entries[0].SerialNumber.Cmp(certificate.SerialNumber) != 0 ||
			entries[0].ReasonCode != int(lifecycle.ReasonKeyCompromise) || !entries[0].RevocationTime.Equal(h.clock.now()) {
			t.Errorf("the %s list is number %s with %+v", name, list.Number, entries)
		}
	}
	if got := h.answerAhead(t, certificate); got.Status != ocsp.Revoked || got.RevocationReason != ocsp.KeyCompromise {
		t.Errorf("OCSP says %d, reason %d", got.Status, got.RevocationReason)
	}
	write(t, dir, "full.pem", "X509 CRL", full.Raw)
	if said := h.verify(t, dir, "-crl_check", "-CRLfile", "full.pem"); !strings.Contains(said, "certificate revoked") {
		t.Errorf("openssl verify with the list: %s", said)
	}
	other, _ := h.list(t, dir, 1-shard)
	if other.Number.Int64() != 1 {
		t.Errorf("the other shard's list is number %s: nothing changed in it", other.Number)
	}
}

// shardOf reads the shard in the address of a certificate's list.
func shardOf(t *testing.T, certificate *x509.Certificate) int {
	t.Helper()
	var shard int
	points := certificate.CRLDistributionPoints
	if len(points) != 1 {
		t.Fatalf("distribution points %q", points)
	}
	if _, err := fmt.Sscanf(points[0], publicBase+"/crl/issuing-1/%d.crl", &shard); err != nil {
		t.Fatalf("distribution point %q: %v", points[0], err)
	}
	return shard
}

func TestARequestThatNoProfileTakesIsGivenBackToItsHolder(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	id := h.orders(t, "certificate", 1)[0].Certificate.ID
	must(t, h.TakeKey(t.Context(), h.holder(t, string(id)), id, request(t)))
	// The order's content was right when it was approved; the profile asks for more.
	_, err := h.admin.Exec(t.Context(), "UPDATE holder SET email = 'not an address' WHERE id = (SELECT holder_id FROM certificate WHERE id = $1)", id)
	must(t, err)
	h.work(t, h.tools(t))
	h.await(t, "the key given back", "SELECT state = 'awaiting_key' AND rejection <> '' FROM certificate WHERE id = $1", id)
	h.awaitIdle(t, QueueDefault)
	if got := h.jobsOf(t, lifecycle.JobCertificateIssue); len(got) != 1 || got[0].State != "completed" {
		t.Errorf("its job: %v", got)
	}
	if got := get[issuance.CertificateView](t)(h.Certificate(t.Context(), id)); !strings.Contains(got.Rejection, "email") || got.Serial != "" {
		t.Errorf("the holder sees %+v", got)
	}
}
