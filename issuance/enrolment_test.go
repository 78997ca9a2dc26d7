package issuance_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func TestWhoHandsACodeOver(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	profile := nominative(t)
	profile.FaceToFace = true
	h.newProfile(t, profile)
	id := h.certificate(t, lifecycle.CertAwaitingKey)
	for _, by := range everyone {
		_, err := h.Invite(t.Context(), by, id, issuance.FaceToFace)
		if may := slices.Contains(lifecycle.Invites(), by.Role); may != (err == nil) {
			t.Errorf("%s: %v", by, err)
		}
	}
	_, err := h.Invite(t.Context(), alix, id, issuance.RegisteredPost)
	wantField(t, err, "handover")
	_, err = h.Invite(t.Context(), alix, id, "mail")
	wantField(t, err, "handover")
	for _, state := range []lifecycle.CertificateState{lifecycle.CertOrdered, lifecycle.CertActive, lifecycle.CertRevoked} {
		_, err := h.Invite(t.Context(), alix, h.certificate(t, state), issuance.FaceToFace)
		wantKind(t, err, lifecycle.Illegal)
	}
	made := must[issuance.Invitation](t)(h.Invite(t.Context(), alix, id, issuance.FaceToFace))
	var trail strings.Builder
	for _, e := range must[[]db.AuditEntry](t)(h.AuditOf(t.Context(), string(id))) {
		_, _ = fmt.Fprintln(&trail, e.Thing, e.Actor, e.Event, string(e.Detail))
	}
	if !strings.Contains(trail.String(), "enrolment code alix hand_over") || !strings.Contains(trail.String(), "face_to_face") ||
		strings.Contains(trail.String(), made.Code.Reveal()) {
		t.Errorf("trail: %s", &trail)
	}
	if want := h.clock.now().AddDate(0, 0, 30); !made.Expires.Equal(want.Truncate(time.Microsecond)) {
		t.Errorf("it ends at %s, want %s", made.Expires, want)
	}
}

// A key is blocked while somebody has it certified: whoever is first, no good
// certificate has a blocked key.
func TestAKeyIsBlockedWhileItIsTaken(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	for range 6 {
		id, csr := h.certificate(t, lifecycle.CertAwaitingKey), newKey(t)
		request := must[*x509.CertificateRequest](t)(x509.ParseCertificateRequest(csr))
		spki := sha256.Sum256(request.RawSubjectPublicKeyInfo)
		var race sync.WaitGroup
		var taken, blocked error
		race.Go(func() { taken = h.TakeKey(t.Context(), helene, id, csr) })
		race.Go(func() { _, blocked = h.BlockKey(t.Context(), maxence, spki, "found in a dump") })
		race.Wait()
		if _, err := h.BlockKey(context.WithoutCancel(t.Context()), maxence, spki, "found in a dump"); err != nil {
			t.Error(err)
		}
		state := h.certificateRow(t, id).State
		if taken == nil && state != lifecycle.CertRevoked || taken != nil && state != lifecycle.CertAwaitingKey {
			t.Errorf("taken: %v, blocked: %v, and it is %s", taken, blocked, state)
		}
	}
}
