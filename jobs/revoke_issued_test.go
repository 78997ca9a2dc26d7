package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/issuance"
	"sceau/lifecycle"
)

// secondOfficer agrees to what the first proposed.
var secondOfficer = lifecycle.Actor{ID: "e.vlierstra", Role: lifecycle.RoleSecurityOfficer}

func agree(t *testing.T, act func(by lifecycle.Actor) (issuance.Agreement, error)) {
	t.Helper()
	for _, by := range []lifecycle.Actor{officer, secondOfficer} {
		if a, err := act(by); err != nil || a.Done != (by.ID == secondOfficer.ID) {
			t.Fatalf("%s: %+v %v", by.ID, a, err)
		}
	}
}

func TestARevokedCAIsListedToTheLastByItsWorkers(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	dir := t.TempDir()
	write(t, dir, "root.pem", "CERTIFICATE", h.Root)
	write(t, dir, "issuing.pem", "CERTIFICATE", h.Issuing)
	h.work(t, h.tools(t))
	orders := h.orders(t, "certificate", 2)
	signed, waiting := orders[0].Certificate.ID, orders[1].Certificate.ID
	must(t, h.TakeKey(t.Context(), h.holder(t, string(signed)), signed, request(t), nil))
	h.await(t, "the certificate", "SELECT state = 'issued' FROM certificate WHERE id = $1", signed)
	h.awaitIdle(t, QueueDefault)
	certificate := parsed(get[issuance.CertificateView](t)(h.Certificate(t.Context(), signed)).DER)

	h.clock.advance(time.Hour)
	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) {
		return h.RevokeAuthority(t.Context(), by, "issuing-1", issuance.AuthorityRevocation{
			Revocation: issuance.Revocation{Reason: lifecycle.ReasonCACompromise, InvalidityDate: monday}, Issued: lifecycle.ReasonCACompromise,
		})
	})
	h.awaitIdle(t, QueueDefault)
	shard := shardOf(t, certificate)
	list, _ := h.list(t, dir, shard)
	found := false
	for _, e := range list.RevokedCertificateEntries {
		found = found || e.SerialNumber.Cmp(certificate.SerialNumber) == 0 && e.ReasonCode == int(lifecycle.ReasonCACompromise)
	}
	if !found {
		t.Errorf("its list has %+v", list.RevokedCertificateEntries)
	}
	if got := h.answerAhead(t, certificate); got.Status != ocsp.Revoked || got.RevocationReason != ocsp.CACompromise {
		t.Errorf("OCSP says %d, reason %d", got.Status, got.RevocationReason)
	}
	if err := h.TakeKey(t.Context(), h.holder(t, string(waiting)), waiting, request(t), nil); err == nil || !strings.Contains(err.Error(), "no CA signs") {
		t.Errorf("an order goes on: %v", err)
	}
	if got := get[issuance.CertificateView](t)(h.Certificate(t.Context(), waiting)).State; got != lifecycle.CertAwaitingKey {
		t.Errorf("an order that waits is %s", got)
	}

	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) {
		return h.EndAuthority(t.Context(), by, "issuing-1")
	})
	h.await(t, "the end", "SELECT state = 'ended' FROM issuer WHERE id = 'issuing-1'")
	h.awaitIdle(t, QueueDefault)
	for shard := range shards {
		last, delta := h.list(t, dir, shard)
		if want := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC); !last.NextUpdate.Equal(want) || delta != nil {
			t.Errorf("list %d ends at %s, and has a delta: %t", shard, last.NextUpdate, delta != nil)
		}
		write(t, dir, "last.pem", "X509 CRL", last.Raw)
		if said := openssl(t, dir, "crl", "-in", "last.pem", "-noout", "-nextupdate", "-text"); !strings.Contains(said, "Dec 31 23:59:59 9999 GMT") || strings.Contains(said, "Freshest") {
			t.Errorf("openssl of the last list: %s", said)
		}
		if shard == shardOf(t, certificate) {
			must(t, os.Rename(filepath.Join(dir, "last.pem"), filepath.Join(dir, "full.pem")))
		}
	}
	write(t, dir, "holder.pem", "CERTIFICATE", certificate.Raw)
	if said := h.verify(t, dir, "-crl_check", "-CRLfile", "full.pem"); !strings.Contains(said, "certificate revoked") {
		t.Errorf("openssl verify with the last list: %s", said)
	}
	h.clock.advance(48 * time.Hour)
	must(t, h.PublishLists(t.Context(), "", -1, nil))
	h.awaitIdle(t, QueueDefault)
	h.await(t, "no list after the last", "SELECT count(*) = $1 FROM crl WHERE next_update > '9000-01-01'", shards)
}
