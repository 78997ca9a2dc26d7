package issuance_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

func TestARenewalIsANewKeyAndOneAtATime(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	old := h.certificate(t, lifecycle.CertActive)
	oldKey := h.certificateRow(t, old).CSR
	_, err := h.Renew(t.Context(), alix, old)
	wantKind(t, err, lifecycle.Illegal) // too early
	h.clock.advance(certificateLife - 60*24*time.Hour)
	_, err = h.Renew(t.Context(), helene, old)
	wantKind(t, err, lifecycle.Forbidden)
	if ids := must[[]lifecycle.CertificateID](t)(h.CertificatesToRenew(t.Context(), h.clock.now().AddDate(1, 0, 0), "", "")); len(ids) != 1 || ids[0] != old {
		t.Errorf("to renew: %v", ids)
	}
	orders, errs := make([]lifecycle.OrderID, 4), make([]error, 4)
	var race sync.WaitGroup
	for i := range orders {
		race.Go(func() { orders[i], errs[i] = h.Renew(t.Context(), alix, old) })
	}
	race.Wait()
	var order lifecycle.OrderID
	for i, err := range errs {
		if err == nil && order == "" {
			order = orders[i]
			continue
		}
		wantKind(t, err, lifecycle.Conflict)
	}
	if ids := must[[]lifecycle.CertificateID](t)(h.CertificatesToRenew(t.Context(), h.clock.now().AddDate(1, 0, 0), "", "")); len(ids) != 0 {
		t.Errorf("still to renew: %v", ids)
	}
	id := h.order(t, order).Certificate.ID
	h.event(t, h.Refuse(t.Context(), irene, order, h.shown(t, order), "another day"))
	order = must[lifecycle.OrderID](t)(h.Renew(t.Context(), alix, old)) // what was refused is none
	id = h.order(t, order).Certificate.ID
	h.approve(t, order)
	wantField(t, h.TakeKey(t.Context(), helene, id, oldKey), "csr") // the old key
	h.event(t, h.TakeKey(t.Context(), helene, id, newKey(t)))
	h.issue(t, id)
	h.event(t, h.Accept(t.Context(), helene, id))

	days := h.Policy().SupersedeAfter
	h.clock.advance(days - time.Second)
	h.event(t, h.RevokeDue(t.Context(), nil))
	h.wantCertificate(t, old, lifecycle.CertActive)
	h.event(t, h.Hold(t.Context(), helene, id))
	h.clock.advance(time.Minute)
	h.event(t, h.RevokeDue(t.Context(), nil))
	h.wantCertificate(t, old, lifecycle.CertActive) // the new one is on hold
	h.event(t, h.Release(t.Context(), maxence, id))
	for range 2 {
		h.event(t, h.RevokeDue(t.Context(), nil))
	}
	h.wantCertificate(t, old, lifecycle.CertRevoked)
	if s := h.status(t, old); s.Reason != lifecycle.ReasonSuperseded || s.Version != 1 {
		t.Errorf("superseded: %+v", s)
	}
	h.wantCertificate(t, id, lifecycle.CertActive)
	all := must[[]issuance.Renewal](t)(h.Renewals(t.Context(), ""))
	slices.SortFunc(all, func(a, b issuance.Renewal) int { return strings.Compare(string(a.State), string(b.State)) })
	if len(all) != 2 || all[0].Renews != old || !all[0].Over || all[0].Accepted.IsZero() || all[1].State != lifecycle.CertCancelled {
		t.Errorf("progress: %+v", all)
	}
	_, err = h.Renew(t.Context(), alix, old)
	wantKind(t, err, lifecycle.Illegal)
}
