package issuance_test

import (
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// Before, whoever could revoke one certificate could stop a shard's lists for
// ever: a reason or a date that a CRL cannot hold was stored, and every list
// after it failed.
func TestARevocationThatNoListCanHoldIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	works(t, d.RecordAuthority(t.Context(), lifecycle.System("ceremony"), issuance.Authority{
		ID: "issuing-1", Certificate: []byte{1}, Mount: "transit", Key: "issuing-1", Shards: 1, Online: true,
	}))
	order := d.approved(t, "certificate")
	id := gives[issuance.OrderView](t)(d.Order(t.Context(), order)).Certificate.ID
	works(t, d.TakeKey(t.Context(), olga, id, []byte("a request"), nil))
	at := func(year int) time.Time { return time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC) }
	for _, test := range []struct {
		name  string
		r     issuance.Revocation
		field string
	}{
		{"a hold that is final", issuance.Revocation{Reason: lifecycle.ReasonCertificateHold}, "reason"},
		{"removeFromCRL", issuance.Revocation{Reason: lifecycle.ReasonRemoveFromCRL}, "reason"},
		{"the reason that RFC 5280 leaves out", issuance.Revocation{Reason: 7}, "reason"},
		{"a reason below zero", issuance.Revocation{Reason: -1}, "reason"},
		{"a CA's reason", issuance.Revocation{Reason: lifecycle.ReasonCACompromise}, "reason"},
		{"an invalidity date of the year 1", issuance.Revocation{InvalidityDate: at(1)}, "invalidity_date"},
		{"an invalidity date before there were certificates", issuance.Revocation{InvalidityDate: at(1949)}, "invalidity_date"},
		{"an invalidity date to come", issuance.Revocation{InvalidityDate: at(2027)}, "invalidity_date"},
	} {
		err := d.Revoke(t.Context(), olga, id, test.r)
		refusedAs(t, err, lifecycle.Invalid)
		if got := fieldOf(err); got != test.field {
			t.Errorf("%s: field %q, want %q", test.name, got, test.field)
		}
	}
	if err := d.Revoke(t.Context(), olga, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise, InvalidityDate: at(2025)}); err != nil {
		t.Errorf("a revocation as it should be: %v", err)
	}
}
