package issuance_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func (h *house) certificateRow(t tb, id lifecycle.CertificateID) db.Certificate {
	t.Helper()
	return must[db.Certificate](t)(h.store.Certificate(t.Context(), id))
}

func TestABadRequestIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 4)
	id := h.certificate(t, lifecycle.CertAwaitingKey)
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	named := func(name pkix.Name) []byte { return requestWith(t, key, &x509.CertificateRequest{Subject: name}) }
	forged := named(pkix.Name{CommonName: "Helene Montclair"})
	forged[bytes.Index(forged, []byte("Helene"))] = 'h'
	short := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	used := newKey(t)
	h.event(t, h.TakeKey(t.Context(), helene, h.certificate(t, lifecycle.CertAwaitingKey), used))
	for name, test := range map[string]struct {
		csr   []byte
		field string
	}{
		"nothing":                          {nil, "csr"},
		"a word":                           {[]byte("hello"), "csr"},
		"more than 16 KiB":                 {make([]byte, 16<<10+1), "csr"},
		"a name changed after the proof":   {forged, "csr.signature"},
		"an RSA key of 2048 bits":          {requestWith(t, short, &x509.CertificateRequest{}), "csr.key"},
		"somebody else's name":             {named(pkix.Name{CommonName: "Mallory"}), "csr.common_name"},
		"another company":                  {named(pkix.Name{Organization: []string{"Evil SA"}}), "csr.organization"},
		"another country":                  {named(pkix.Name{Country: []string{"BE"}}), "csr.country"},
		"a key that is in another request": {used, "csr"},
	} {
		t.Run(name, func(t *testing.T) {
			wantField(t, h.TakeKey(t.Context(), helene, id, test.csr), test.field)
			row := h.certificateRow(t, id)
			if row.State != lifecycle.CertAwaitingKey || row.Serial != nil || row.CSR != nil || row.SPKISHA256 != nil {
				t.Errorf("it left %+v", row)
			}
		})
	}
	right := named(pkix.Name{CommonName: "HÉLÈNE MONTCLAIR", Organization: []string{"Ateliers Montclair"}, Country: []string{"FR"}})
	h.event(t, h.TakeKey(t.Context(), helene, id, right))
	h.wantCertificate(t, id, lifecycle.CertIssuing)
}

func TestOneKeyIsInOneCertificateHoweverManyAskAtOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	const many = 6
	ids := make([]lifecycle.CertificateID, many)
	for i := range ids {
		ids[i] = h.certificate(t, lifecycle.CertAwaitingKey)
	}
	csr := newKey(t)
	errs := make([]error, many)
	var race sync.WaitGroup
	for i, id := range ids {
		race.Go(func() { errs[i] = h.TakeKey(t.Context(), helene, id, csr) })
	}
	race.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantField(t, err, "csr")
		}
	}
	if won != 1 {
		t.Errorf("the key is in %d certificates", won)
	}
}

func TestSerialAndShardAreReservedBeforeAnythingIsSigned(t *testing.T) {
	t.Parallel()
	h := setup(t)
	const shards = 4
	h.authority(t, shards)
	serials, drawn := map[lifecycle.Serial]bool{}, map[int]bool{}
	for range 16 {
		id := h.certificate(t, lifecycle.CertIssuing)
		row := h.certificateRow(t, id)
		if len(row.Serial) != 16 || row.Serial[0]&0xC0 != 0x40 || row.TBS != nil || !deref(row.ReservedAt).Equal(h.clock.now()) {
			t.Fatalf("reserved is %+v", row)
		}
		plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
		if !bytes.Equal(plan.Serial[:], row.Serial) || plan.Issuer != "issuing-1" || plan.Shard < 0 || plan.Shard >= shards {
			t.Errorf("plan %+v for %x", plan, row.Serial)
		}
		if found := must[lifecycle.CertificateID](t)(h.CertificateBySerial(t.Context(), plan.Serial)); found != id {
			t.Errorf("the serial leads to %s, want %s", found, id)
		}
		serials[plan.Serial], drawn[plan.Shard] = true, true
	}
	if len(serials) != 16 || len(drawn) < 2 { // once in 10^9 all shards are equal
		t.Errorf("16 certificates have %d serials in %d shards", len(serials), len(drawn))
	}
	if jobs := h.queued(t, lifecycle.JobCertificateIssue); len(jobs) != 16 {
		t.Errorf("%d jobs", len(jobs))
	}
}

func TestAKeyIsTakenOnceAndByThoseWhoMay(t *testing.T) {
	t.Parallel()
	h := setup(t)
	early := h.certificate(t, lifecycle.CertAwaitingKey)
	err := h.TakeKey(t.Context(), helene, early, newKey(t))
	if !errors.Is(err, lifecycle.Unavailable) || !strings.Contains(err.Error(), "ceremony") {
		t.Errorf("before the ceremony: %v", err)
	}
	h.authority(t, 1)
	csr := newKey(t)
	for _, by := range []lifecycle.Actor{irene, owen, online, system, maxence} {
		wantKind(t, h.TakeKey(t.Context(), by, early, csr), lifecycle.Forbidden)
	}
	h.event(t, h.TakeKey(t.Context(), helene, early, csr))
	serial := h.certificateRow(t, early).Serial
	before := must[int64](t)(h.store.CountAudit(t.Context()))
	h.event(t, h.TakeKey(t.Context(), helene, early, csr))
	if after := must[int64](t)(h.store.CountAudit(t.Context())); after != before || !bytes.Equal(h.certificateRow(t, early).Serial, serial) {
		t.Error("the same key again changed something")
	}
	wantKind(t, h.TakeKey(t.Context(), helene, early, newKey(t)), lifecycle.Illegal)
	if row := h.certificateRow(t, early); !bytes.Equal(row.CSR, csr) {
		t.Error("another key took the first one's place")
	}
	wantKind(t, h.TakeKey(t.Context(), helene, h.certificate(t, lifecycle.CertOrdered), newKey(t)), lifecycle.Illegal)
	wantKind(t, h.TakeKey(t.Context(), helene, "N-1", csr), lifecycle.Invalid)
	wantKind(t, h.TakeKey(t.Context(), helene, "N-0000000000000000", csr), lifecycle.NotFound)
}

func TestALateWorkerOfACertificateLosesOnTheFence(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertIssuing)
	late := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	h.clock.advance(time.Hour)
	second := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	if second.Fence != late.Fence+1 || second.Serial != late.Serial || !second.ReservedAt.Equal(late.ReservedAt) || second.Subject != late.Subject {
		t.Errorf("plans %+v and %+v: both must draft the same bytes", late, second)
	}
	wantKind(t, h.RecordDraft(t.Context(), late, draftOf(late, "late")), lifecycle.Conflict)
	h.event(t, h.RecordDraft(t.Context(), second, draftOf(second, "draft")))
	wantKind(t, h.RecordDraft(t.Context(), second, draftOf(second, "other")), lifecycle.Conflict)
	third := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	if string(third.TBS) != "draft" {
		t.Errorf("the next worker is given the draft %q", third.TBS)
	}
	wantKind(t, h.FinishIssue(t.Context(), second, []byte("late"), nil), lifecycle.Conflict)
	h.event(t, h.FinishIssue(t.Context(), third, []byte("signed"), nil))
	if view := must[issuance.CertificateView](t)(h.Certificate(t.Context(), id)); string(view.DER) != "signed" || view.Serial != third.Serial.String() {
		t.Errorf("the holder sees %+v", view)
	}
	_, err := h.BeginIssue(t.Context(), id)
	wantKind(t, err, lifecycle.Illegal)
}

func TestAKeyThatCannotBeSignedIsGivenBackBeforeADraftOnly(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertAwaitingKey)
	csr := newKey(t)
	h.event(t, h.TakeKey(t.Context(), helene, id, csr))
	late := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	wantKind(t, h.RejectKey(t.Context(), late, "late", nil), lifecycle.Conflict)
	h.event(t, h.RejectKey(t.Context(), plan, "the name is too long", nil))
	view := must[issuance.CertificateView](t)(h.Certificate(t.Context(), id))
	if view.State != lifecycle.CertAwaitingKey || view.Rejection != "the name is too long" || view.Serial != "" {
		t.Errorf("given back as %+v", view)
	}
	h.event(t, h.TakeKey(t.Context(), helene, id, csr)) // the key was never certified
	again := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	if again.Serial == plan.Serial {
		t.Error("the dropped serial is used again")
	}
	if view = must[issuance.CertificateView](t)(h.Certificate(t.Context(), id)); view.Rejection != "" {
		t.Errorf("the old reason stands beside the new key: %q", view.Rejection)
	}
	h.event(t, h.RecordDraft(t.Context(), again, draftOf(again, "draft")))
	wantKind(t, h.RejectKey(t.Context(), again, "too late", nil), lifecycle.Illegal)
}

func TestIssuedIsAcceptedByItsHolderAndItsOrderIsDone(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	order := h.submitCertificate(t)
	h.approve(t, order)
	h.wantOrder(t, order, lifecycle.OrderInProgress)
	id := h.order(t, order).Certificate.ID
	h.event(t, h.TakeKey(t.Context(), alix, id, newKey(t)))
	h.issue(t, id)
	h.wantOrder(t, order, lifecycle.OrderCompleted)
	for _, by := range everyone {
		if by != helene {
			wantKind(t, h.Accept(t.Context(), by, id), lifecycle.Forbidden)
		}
	}
	h.event(t, h.Accept(t.Context(), helene, id))
	h.wantCertificate(t, id, lifecycle.CertActive)
	if err := h.Accept(t.Context(), helene, id); err != nil {
		t.Errorf("accepted again: %v", err)
	}
	if jobs := h.queued(t, lifecycle.JobOCSPRefresh); len(jobs) != 1 {
		t.Errorf("%d answers to sign ahead", len(jobs))
	}
	subject := must[issuance.Subject](t)(h.SubjectOf(t.Context(), id))
	content := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), order))
	want := issuance.Subject{
		GivenName: "Hélène", Surname: "Montclair", Organization: "Ateliers Montclair", OrganizationID: "NTRFR-" + subject.RegistryNumber,
		RegistryNumber: subject.RegistryNumber, Country: "FR", HolderNumber: content.ClientID + "-0001", Email: "helene@montclair.example",
	}
	if subject != want {
		t.Errorf("the certificate names %+v, want %+v", subject, want)
	}
}

func TestACertificateRevokedWhileItIsSignedStaysRevoked(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	for _, drafted := range []bool{false, true} {
		id := h.certificate(t, lifecycle.CertIssuing)
		order := h.certificateRow(t, id).OrderID
		plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
		if drafted {
			h.event(t, h.RecordDraft(t.Context(), plan, draftOf(plan, "draft")))
		}
		h.event(t, h.Revoke(t.Context(), maxence, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
		h.wantOrder(t, order, lifecycle.OrderFailed) // nobody will be given the certificate
		h.event(t, h.FinishIssue(t.Context(), plan, []byte("signed"), nil))
		row := h.certificateRow(t, id)
		if row.State != lifecycle.CertRevoked || string(row.DER) != "signed" {
			t.Errorf("drafted %v: it is %s with %q", drafted, row.State, row.DER)
		}
		status := must[issuance.CertificateStatus](t)(h.public.Status(t.Context(), plan.Issuer, plan.Serial))
		if !status.Revoked || status.Reason != lifecycle.ReasonKeyCompromise {
			t.Errorf("drafted %v: OCSP says %+v", drafted, status)
		}
		list := must[issuance.CRLPlan](t)(h.BeginCRL(t.Context(), plan.Issuer, plan.Shard, false, issuance.Mark{}))
		if got := h.full(t, list); !slices.Contains(got, plan.Serial.String()+" keyCompromise") {
			t.Errorf("drafted %v: the list has %q", drafted, got)
		}
		h.finishCRL(t, list, "list")
		h.clock.advance(time.Second)
	}
}

func TestACertificateExpiresAfterItsLastSecond(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	ids := []lifecycle.CertificateID{
		h.certificate(t, lifecycle.CertIssued), h.certificate(t, lifecycle.CertActive), h.certificate(t, lifecycle.CertHeld),
	}
	revoked, waiting := h.certificate(t, lifecycle.CertRevoked), h.certificate(t, lifecycle.CertAwaitingKey)
	h.clock.set(*h.certificateRow(t, ids[0]).NotAfter)
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n != (issuance.Expired{}) {
		t.Errorf("in the last second %+v expired", n)
	}
	h.clock.advance(time.Microsecond)
	if n := must[issuance.Expired](t)(h.ExpireDue(t.Context())); n != (issuance.Expired{Certificates: len(ids)}) {
		t.Errorf("after it %+v expired", n)
	}
	for _, id := range ids {
		h.wantCertificate(t, id, lifecycle.CertExpired)
	}
	h.wantCertificate(t, revoked, lifecycle.CertRevoked)
	h.wantCertificate(t, waiting, lifecycle.CertAwaitingKey)
}

func TestCertificatesComeInPages(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	h.certificate(t, lifecycle.CertIssued)
	h.certificate(t, lifecycle.CertOrdered)
	all := must[[]issuance.CertificateView](t)(h.Certificates(t.Context(), ""))
	rest := must[[]issuance.CertificateView](t)(h.Certificates(t.Context(), all[0].ID))
	if len(all) != 2 || len(rest) != 1 || rest[0].ID != all[1].ID {
		t.Errorf("pages of %d and %d", len(all), len(rest))
	}
	_, err := h.CertificateBySerial(t.Context(), lifecycle.Serial{1})
	wantKind(t, err, lifecycle.NotFound)
	_, err = h.Certificate(t.Context(), "N-0000000000000000")
	wantKind(t, err, lifecycle.NotFound)
}
