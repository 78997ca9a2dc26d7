package issuance_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sceau/certprofile"
	"sceau/issuance"
	"sceau/lifecycle"
)

func (h *house) status(t tb, id lifecycle.CertificateID) issuance.CertificateStatus {
	t.Helper()
	serial := lifecycle.Serial(h.certificateRow(t, id).Serial)
	return must[issuance.CertificateStatus](t)(h.public.Status(t.Context(), "issuing-1", serial))
}

func (h *house) revision(t tb, shard int) int64 {
	t.Helper()
	var revision int64
	err := h.pool.QueryRow(t.Context(), "SELECT revision FROM crl_shard WHERE shard = $1", shard).Scan(&revision)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func TestAProfileMayAllowNoHold(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	before := h.certificate(t, lifecycle.CertActive)
	firm, _ := certprofile.BuiltIn(h.Policy().CertProfile)
	firm.Hold = false
	h.newProfile(t, firm)
	h.event(t, h.Hold(t.Context(), helene, before)) // by the version that was approved with it
	id := h.certificate(t, lifecycle.CertActive)
	wantKind(t, h.Hold(t.Context(), helene, id), lifecycle.Illegal)
	if s := h.status(t, id); s.Revoked || s.Version != 0 {
		t.Errorf("after a hold that was refused: %+v", s)
	}
	h.event(t, h.Revoke(t.Context(), helene, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
}

func TestAHoldItsReleaseAndARevocationKeepTheirDates(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	second := func() time.Time { return h.clock.now().Truncate(time.Second) }

	h.event(t, h.Hold(t.Context(), helene, id))
	held := second()
	if s := h.status(t, id); !s.Revoked || !s.RevokedAt.Equal(held) || s.Reason != lifecycle.ReasonCertificateHold || s.Version != 1 {
		t.Errorf("on hold: %+v", s)
	}
	h.clock.advance(time.Hour)
	h.event(t, h.Release(t.Context(), maxence, id))
	if s := h.status(t, id); s.Revoked || !s.Issued || s.Version != 2 || !s.RevokedAt.IsZero() {
		t.Errorf("released: %+v", s)
	}
	h.clock.advance(time.Hour)
	h.event(t, h.Hold(t.Context(), online, id))
	held = second()
	h.clock.advance(24 * time.Hour)
	since := second().Add(-48 * time.Hour).Add(300 * time.Millisecond)
	h.event(t, h.Revoke(t.Context(), maxence, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise, InvalidityDate: since}))
	s := h.status(t, id)
	if !s.RevokedAt.Equal(held) || s.Reason != lifecycle.ReasonKeyCompromise || !s.InvalidityDate.Equal(since.Truncate(time.Second)) || s.Version != 4 {
		t.Errorf("revoked from a hold of %s: %+v", held, s)
	}
	if got := h.revision(t, 0); got != 4 {
		t.Errorf("the shard's revision is %d after four changes of status", got)
	}
	if row := h.certificateRow(t, id); row.CRLRevision != 4 {
		t.Errorf("the certificate changed in revision %d", row.CRLRevision)
	}

	h.clock.advance(time.Hour)
	h.event(t, h.Revoke(t.Context(), helene, id, issuance.Revocation{Reason: lifecycle.ReasonSuperseded})) // again
	if again := h.status(t, id); again.Version != 4 || !again.RevokedAt.Equal(held) || again.Reason != s.Reason {
		t.Errorf("revoked again: %+v", again)
	}
	wantKind(t, h.Release(t.Context(), maxence, id), lifecycle.Illegal) // final
	wantKind(t, h.Hold(t.Context(), maxence, id), lifecycle.Illegal)
	for kind, want := range map[lifecycle.JobKind]struct {
		args string
		n    int
	}{
		lifecycle.JobCRLPublish:  {`{"shard": 0, "issuer": "issuing-1"}`, 4},
		lifecycle.JobOCSPRefresh: {fmt.Sprintf(`{"certificate": "%s"}`, id), 5}, // also when it was issued
	} {
		if got := h.queued(t, kind); !slices.Equal(got, slices.Repeat([]string{want.args}, want.n)) {
			t.Errorf("%s jobs %q, want %d of %s", kind, got, want.n, want.args)
		}
	}
}

func TestARevocationIsAskedForByThoseWhoMay(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	for _, by := range everyone {
		id := h.certificate(t, lifecycle.CertActive)
		_, legal := lifecycle.Certificates.Next(lifecycle.CertActive, lifecycle.Revoke, by.Role)
		err := h.Revoke(t.Context(), by, id, issuance.Revocation{Reason: lifecycle.ReasonSuperseded})
		if legal == nil && err != nil {
			t.Errorf("%s: %v", by, err)
		}
		if legal != nil {
			wantKind(t, err, lifecycle.Forbidden)
			h.wantCertificate(t, id, lifecycle.CertActive)
		}
	}
}

func TestARevocationIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	now := h.clock.now()
	superseded := issuance.Revocation{Reason: lifecycle.ReasonSuperseded}
	tomorrow := issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise, InvalidityDate: now.Add(time.Second)}
	active := h.certificate(t, lifecycle.CertActive)
	wantField(t, h.Revoke(t.Context(), maxence, active, tomorrow), "invalidity_date")
	for _, state := range []lifecycle.CertificateState{lifecycle.CertOrdered, lifecycle.CertAwaitingKey} {
		id := h.certificate(t, state)
		wantKind(t, h.Revoke(t.Context(), maxence, id, superseded), lifecycle.Illegal)
		wantKind(t, h.Hold(t.Context(), maxence, id), lifecycle.Illegal)
	}
	wantKind(t, h.Hold(t.Context(), maxence, h.certificate(t, lifecycle.CertIssued)), lifecycle.Illegal) // not accepted yet
	wantKind(t, h.Release(t.Context(), maxence, active), lifecycle.Illegal)
	held := h.certificate(t, lifecycle.CertHeld)
	wantKind(t, h.Release(t.Context(), helene, held), lifecycle.Forbidden) // who found the card may not end the hold
	wantKind(t, h.Revoke(t.Context(), maxence, "N-1", superseded), lifecycle.Invalid)
	wantKind(t, h.Revoke(t.Context(), maxence, "N-0000000000000000", superseded), lifecycle.NotFound)
	if got := h.revision(t, 0); got != 1 {
		t.Errorf("the shard's revision is %d, want 1: refusals change nothing", got)
	}
}

func TestARevisionRisesInItsOwnShardOnly(t *testing.T) {
	t.Parallel()
	h := setup(t)
	const shards = 3
	h.authority(t, shards)
	want := [shards]int64{}
	for range 9 {
		id := h.certificate(t, lifecycle.CertRevoked)
		row := h.certificateRow(t, id)
		want[deref(row.Shard)] += 2 // a hold and a revocation
		if row.CRLRevision != want[deref(row.Shard)] {
			t.Errorf("changed in revision %d, want %d", row.CRLRevision, want[deref(row.Shard)])
		}
	}
	for shard, revision := range want {
		if got := h.revision(t, shard); got != revision {
			t.Errorf("shard %d: revision %d, want %d", shard, got, revision)
		}
	}
}
