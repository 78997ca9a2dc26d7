package jobs

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/certprofile"
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
	must(t, h.TakeKey(t.Context(), h.holder(t, string(id)), id, request(t), nil))
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

// watched counts the signers that are asked for.
type watched struct {
	Signers

	asked atomic.Int32
}

func (w *watched) Signer(ctx context.Context, key string, public crypto.PublicKey) (crypto.Signer, error) {
	w.asked.Add(1)
	return w.Signers.Signer(ctx, key, public)
}

// What is wrong with the holder's data, or with the profile, is no fault of the
// holder: the certificate waits for staff, and no key was asked for.
func TestADraftThatBreaksARuleWaitsForStaffAndTouchesNoKey(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	dual, _ := certprofile.BuiltIn(certprofile.NominativeAuthentication)
	dual.KeyUsage = append(dual.KeyUsage, certprofile.NonRepudiation) // no linter lets it pass with clientAuth alone
	adopt := func(p certprofile.Profile) int {
		version := get[int](t)(h.ProposeProfile(t.Context(), officer, p))
		must(t, h.ApproveProfile(t.Context(), approver, p.Name, version, p.Sum()))
		return version
	}
	adopt(dual)
	id := h.orders(t, "certificate", 1)[0].Certificate.ID
	must(t, h.TakeKey(t.Context(), h.holder(t, string(id)), id, request(t), nil))
	// The order's content was right when it was approved.
	email := func(to string) string {
		var was string
		must(t, h.admin.QueryRow(t.Context(), "UPDATE holder h SET email = $2 FROM (SELECT id, email FROM holder) b WHERE b.id = h.id AND h.id = (SELECT holder_id FROM certificate WHERE id = $1) RETURNING b.email", id, to).Scan(&was))
		return was
	}
	right := email("not an address")
	tools := h.tools(t)
	signers := &watched{Signers: tools.Signers}
	tools.Signers = signers
	h.toil(t, tools)
	stopped := func(why string) {
		t.Helper()
		h.await(t, "the certificate stopped", "SELECT state = 'stopped' FROM certificate WHERE id = $1", id)
		item := get[issuance.WorkItem](t)(h.WorkItem(t.Context(), string(id)))
		if item.Kind != lifecycle.WorkCertificate || !strings.Contains(item.Why, why) {
			t.Errorf("it waits as %+v, want %q", item, why)
		}
		if asked := signers.asked.Load(); asked != 0 {
			t.Errorf("a key was asked for %d times", asked)
		}
	}
	stopped("email")
	if got := get[issuance.CertificateView](t)(h.Certificate(t.Context(), id)); got.Rejection != "" || got.DER != nil {
		t.Errorf("the holder sees %+v", got)
	}
	email(right)
	must(t, h.RetryWork(t.Context(), operator, string(id)))
	stopped("e_key_usage_and_extended_key_usage_inconsistent")

	dual.Purposes = append(dual.Purposes, certprofile.EmailProtection)
	dual.Years = 2
	version := adopt(dual)
	must(t, h.RetryWork(t.Context(), operator, string(id)))
	h.await(t, "the certificate", "SELECT state = 'issued' FROM certificate WHERE id = $1", id)
	c := parsed(get[issuance.CertificateView](t)(h.Certificate(t.Context(), id)).DER)
	if c.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment || len(c.ExtKeyUsage) != 2 || !c.NotAfter.Equal(c.NotBefore.AddDate(2, 0, 0).Add(-time.Second)) {
		t.Errorf("it is not of version %d: %v %v %s", version, c.KeyUsage, c.ExtKeyUsage, c.NotAfter)
	}
	h.awaitIdle(t, QueueDefault)
	for _, job := range h.jobsOf(t, lifecycle.JobCertificateIssue) {
		if job.State != "completed" {
			t.Errorf("its job: %v", job)
		}
	}
}

// A system's certificate is ordered through a holder who answers for it, and names
// nobody. One that another system of the company had is never given to another
// company.
func TestASystemsCertificateNamesTheSystemAndNobody(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	id := h.orders(t, "certificate", 1)[0].Certificate.ID
	order := get[lifecycle.OrderID](t)(h.Submit(t.Context(), officer, issuance.OrderRequest{
		Kind: lifecycle.OrderNewCertificate, Holder: lifecycle.HolderID(h.holder(t, string(id)).ID), Profile: certprofile.RelyingServiceClient, Service: "paie.example",
	}))
	content := get[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order))
	must(t, h.Approve(t.Context(), approver, order, content.Hash()))
	system := get[issuance.OrderView](t)(h.Order(t.Context(), order)).Certificate.ID
	must(t, h.TakeKey(t.Context(), h.holder(t, string(system)), system, request(t), nil))
	h.toil(t, h.tools(t))
	h.await(t, "the certificate", "SELECT state = 'issued' FROM certificate WHERE id = $1", system)
	dir := t.TempDir()
	write(t, dir, "system.pem", "CERTIFICATE", get[issuance.CertificateView](t)(h.Certificate(t.Context(), system)).DER)
	said := openssl(t, dir, "x509", "-in", "system.pem", "-noout", "-subject", "-ext", "extendedKeyUsage,subjectAltName")
	if !strings.Contains(said, "CN = TEST paie.example") || !strings.Contains(said, "OU = 0002 ") || !strings.Contains(said, "TLS Web Client Authentication") ||
		strings.Contains(said, "SN =") || strings.Contains(said, "serialNumber") || strings.Contains(said, "email:") || content.Service != "paie.example" {
		t.Errorf("openssl reads %s", said)
	}
}
