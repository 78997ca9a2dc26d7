package ca

import (
	"errors"
	"testing"
	"time"

	"sceau/lifecycle"
)

func TestCheckSuccessor(t *testing.T) {
	t.Parallel()
	h := setup(t)
	a, b, hold := entry(1, 1), entry(2, 4), entry(3, lifecycle.ReasonCertificateHold)
	final, heldA := entry(3, 1), entry(1, lifecycle.ReasonCertificateHold)
	delta := h.list(11)
	delta.BaseNumber = 10
	rebased := h.list(13)
	rebased.BaseNumber = 12
	with := func(number int64, change func(*CRL), entries ...Revoked) []byte {
		c := h.list(number)
		if change != nil {
			change(&c)
		}
		return h.encode(t, c, entries...)
	}
	foreign := setup(t)
	old := with(10, nil, a, b, hold)
	onlyB := func(s lifecycle.Serial) bool { return s == b.Serial }
	tampered := with(11, nil, a, b, hold)
	tampered[len(tampered)-1] ^= 1
	for _, tc := range []struct {
		name      string
		old, next []byte
		mayLeave  func(lifecycle.Serial) bool
		want      error
	}{
		{"the same entries and a new one", old, with(11, nil, a, b, hold, entry(4, 0)), nil, nil},
		{"the first list", nil, with(1, nil, a), nil, nil},
		{"a hold that became final", old, with(11, nil, a, b, final), nil, nil},
		{"an expired entry left", old, with(11, nil, a, hold), onlyB, nil},
		{"an unexpired entry left", old, with(11, nil, b, hold), onlyB, lifecycle.Conflict},
		{"everything left", old, with(11, nil), onlyB, lifecycle.Conflict},
		{"an entry left and nobody was asked", old, with(11, nil, a, b), nil, lifecycle.Conflict},
		{"a final revocation became a hold", old, with(11, nil, heldA, b, hold), nil, lifecycle.Conflict},
		{"the same number", old, with(10, nil, a, b, hold), nil, lifecycle.Conflict},
		{"a lower number", old, with(9, nil, a, b, hold), nil, lifecycle.Conflict},
		{"another distribution point", old, with(11, func(c *CRL) { c.DistributionPoint += "x" }, a, b, hold), nil, lifecycle.Conflict},
		{"no distribution point", old, with(11, func(c *CRL) { c.DistributionPoint, c.OnlyUser = "", false }, a, b, hold), nil, lifecycle.Conflict},
		{"a delta in the place of a full list", old, h.encode(t, delta, a, b, hold), nil, lifecycle.Conflict},
		{"an older thisUpdate", old, with(11, func(c *CRL) { c.ThisUpdate = testNow.Add(-time.Minute) }, a, b, hold), nil, lifecycle.Conflict},
		{"a thisUpdate in the future", old, with(11, func(c *CRL) { c.ThisUpdate = testNow.Add(time.Minute) }, a, b, hold), nil, lifecycle.Invalid},
		{"a nextUpdate that has passed", old, with(11, func(c *CRL) { c.ThisUpdate, c.NextUpdate = testNow.Add(-time.Minute), testNow }, a, b, hold), nil, lifecycle.Invalid},
		{"a serial twice", old, with(11, nil, a, b, hold, a), nil, lifecycle.Invalid},
		{"another issuer's list", old, must[[]byte](t)(EncodeCRL(foreign.list(11), stream(a, b, hold), foreign.key)), nil, lifecycle.Invalid},
		{"a changed signature", old, tampered, nil, lifecycle.Invalid},
		{"no list", old, []byte("x"), nil, lifecycle.Invalid},
		{"an unreadable predecessor", []byte("x"), with(11, nil, a), nil, lifecycle.Invalid},
		{"a delta that kept its entries", h.encode(t, delta, a), h.encode(t, func() CRL { c := delta; c.Number = 12; return c }(), a, b), nil, nil},
		{"a delta that lost an entry", h.encode(t, delta, a, b), h.encode(t, func() CRL { c := delta; c.Number = 12; return c }(), a), nil, lifecycle.Conflict},
		{"a delta on a newer base", h.encode(t, delta, a, b), h.encode(t, rebased), nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := CheckSuccessor(tc.old, tc.next, h.issuer.Certificate, testNow, tc.mayLeave)
			if tc.want == nil && err != nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}
