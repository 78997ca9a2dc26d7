package issuance_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

func TestASerialThatNoCertificateWasSignedForIsUnknown(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	known := h.certificate(t, lifecycle.CertActive)
	unknown := issuance.CertificateStatus{}
	for range 500 {
		var random [16]byte
		must[int](t)(rand.Read(random[:]))
		s := must[issuance.CertificateStatus](t)(h.public.Status(t.Context(), "issuing-1", lifecycle.SerialFrom(random)))
		if s.Issued || s.Revoked {
			t.Fatalf("serial %x: %+v", random, s)
		}
	}
	serial := lifecycle.Serial(h.certificateRow(t, known).Serial)
	if s := must[issuance.CertificateStatus](t)(h.public.Status(t.Context(), "issuing-2", serial)); s.Issued || s.Revoked || s.Answer != nil || s.Version != unknown.Version {
		t.Errorf("of another issuer: %+v", s)
	}
}

func TestTheStatusFollowsTheLifeOfACertificate(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	expired := h.certificate(t, lifecycle.CertHeld)
	h.clock.set(h.certificateRow(t, expired).NotAfter.Add(time.Second))
	must[issuance.Expired](t)(h.ExpireDue(t.Context()))
	for _, test := range []struct {
		name            string
		id              lifecycle.CertificateID
		issued, revoked bool
	}{
		{"being signed", h.certificate(t, lifecycle.CertIssuing), false, false},
		{"issued", h.certificate(t, lifecycle.CertIssued), true, false},
		{"active", h.certificate(t, lifecycle.CertActive), true, false},
		{"held", h.certificate(t, lifecycle.CertHeld), true, true},
		{"revoked", h.certificate(t, lifecycle.CertRevoked), true, true},
		{"expired on hold", expired, true, true},
	} {
		if s := h.status(t, test.id); s.Issued != test.issued || s.Revoked != test.revoked {
			t.Errorf("%s: %+v", test.name, s)
		}
	}
}

func TestAnAnswerIsServedForItsOwnStatusOnly(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	now := h.clock.now().Truncate(time.Second)
	next := now.Add(h.Policy().OCSPValidity)
	answer := func(of issuance.OCSPStatus, der string) []issuance.OCSPAnswer {
		return []issuance.OCSPAnswer{{Serial: of.Serial, Version: of.Version, DER: []byte(der), ThisUpdate: now, NextUpdate: next}}
	}
	good := must[issuance.OCSPStatus](t)(h.PlanOCSP(t.Context(), id))
	h.event(t, h.PutOCSP(t.Context(), answer(good, "good")))
	if s := h.status(t, id); string(s.Answer) != "good" || !s.ThisUpdate.Equal(now) || !s.NextUpdate.Equal(next) {
		t.Errorf("signed ahead: %+v", s)
	}
	h.event(t, h.Hold(t.Context(), helene, id))
	if s := h.status(t, id); s.Answer != nil || !s.Revoked {
		t.Errorf("on hold the answer %q is served", s.Answer)
	}
	revoked := must[issuance.OCSPStatus](t)(h.PlanOCSP(t.Context(), id))
	h.event(t, h.PutOCSP(t.Context(), answer(revoked, "revoked")))
	h.event(t, h.PutOCSP(t.Context(), answer(good, "good, late")))
	if s := h.status(t, id); string(s.Answer) != "revoked" {
		t.Errorf("a late worker's answer took its place: %q", s.Answer)
	}
	_, err := h.PlanOCSP(t.Context(), h.certificate(t, lifecycle.CertAwaitingKey))
	wantKind(t, err, lifecycle.Illegal)
	_, err = h.PlanOCSP(t.Context(), "N-0000000000000000")
	wantKind(t, err, lifecycle.NotFound)
}

func TestAnAnswerIsRenewedPastHalfOfItsLife(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	fresh, none, outdated := h.certificate(t, lifecycle.CertActive), h.certificate(t, lifecycle.CertRevoked), h.certificate(t, lifecycle.CertActive)
	unsigned := h.certificate(t, lifecycle.CertIssuing)
	put := func(id lifecycle.CertificateID) {
		t.Helper()
		plan := must[issuance.OCSPStatus](t)(h.PlanOCSP(t.Context(), id))
		h.event(t, h.PutOCSP(t.Context(), []issuance.OCSPAnswer{{
			Serial: plan.Serial, Version: plan.Version, DER: []byte("answer"), ThisUpdate: h.clock.now(), NextUpdate: h.clock.now().Add(h.Policy().OCSPValidity),
		}}))
	}
	stale := func() (ids []lifecycle.CertificateID) {
		t.Helper()
		page, last, err := h.StaleOCSP(t.Context(), "")
		if err != nil || !last {
			t.Fatalf("last page: %t, %v", last, err)
		}
		for _, of := range page {
			ids = append(ids, of.Certificate)
		}
		return ids
	}
	put(fresh)
	put(outdated)
	h.event(t, h.Hold(t.Context(), helene, outdated))
	want := []lifecycle.CertificateID{none, outdated}
	slices.Sort(want)
	if got := stale(); !slices.Equal(got, want) {
		t.Errorf("stale are %v, want %v and neither %s nor %s", got, want, fresh, unsigned)
	}
	put(none)
	put(outdated)
	h.clock.advance(h.Policy().OCSPValidity / 2)
	if got := stale(); len(got) != 0 {
		t.Errorf("at half of their life %v are stale", got)
	}
	h.clock.advance(time.Microsecond)
	if got := stale(); len(got) != 3 {
		t.Errorf("past half of their life %d of 3 are stale", len(got))
	}
	h.clock.advance(certificateLife)
	if got := stale(); len(got) != 0 {
		t.Errorf("after the end of the certificates %v are stale", got)
	}
}
