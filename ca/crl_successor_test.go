package ca

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"sceau/lifecycle"
)

var errAway = errors.New("the database is away")

// streamed gives a list a few octets at a time, as a database does.
func streamed(der []byte) io.Reader {
	if der == nil {
		return nil
	}
	return iotest.HalfReader(bytes.NewReader(der))
}

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
	late, gone := entry(4, 1), entry(4, lifecycle.ReasonRemoveFromCRL)
	late.At = testNow.Add(time.Second)
	foreign := setup(t)
	old := with(10, nil, a, b, hold)
	onlyB := func(serials []lifecycle.Serial) ([]lifecycle.Serial, error) {
		return slices.DeleteFunc(serials, func(s lifecycle.Serial) bool { return s == b.Serial }), nil
	}
	away := func([]lifecycle.Serial) ([]lifecycle.Serial, error) { return nil, errAway }
	tampered := with(11, nil, a, b, hold)
	tampered[len(tampered)-1] ^= 1
	for _, tc := range []struct {
		name      string
		old, next []byte
		leave     Leave
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
		{"nobody can say who may leave", old, with(11, nil, a, hold), away, errAway},
		{"a serial twice", old, with(11, nil, a, b, b, hold), nil, lifecycle.Invalid},
		{"serials out of order", old, with(11, nil, a, hold, b), nil, lifecycle.Invalid},
		{"a new entry of tomorrow", old, with(11, nil, a, b, hold, late), nil, lifecycle.Conflict},
		{"an entry of tomorrow in the first list", nil, with(1, nil, late), nil, lifecycle.Conflict},
		{"removeFromCRL in a full list", old, with(11, nil, a, b, hold, gone), nil, lifecycle.Invalid},
		{"removeFromCRL in the place of a revocation", h.encode(t, delta, entry(4, 1)), h.encode(t, func() CRL { c := delta; c.Number = 12; return c }(), gone), nil, lifecycle.Conflict},
		{"a released one in a delta", h.encode(t, delta, entry(4, lifecycle.ReasonCertificateHold)), h.encode(t, func() CRL { c := delta; c.Number = 12; return c }(), gone), nil, nil},
		{"another issuer's list", old, must[[]byte](t)(EncodeCRL(foreign.list(11), encoded(t, a, b, hold), foreign.key)), nil, lifecycle.Invalid},
		{"a changed signature", old, tampered, nil, lifecycle.Invalid},
		{"no list", old, []byte("x"), nil, lifecycle.Invalid},
		{"an unreadable predecessor", []byte("x"), with(11, nil, a), nil, lifecycle.Invalid},
		{"a delta that kept its entries", h.encode(t, delta, a), h.encode(t, func() CRL { c := delta; c.Number = 12; return c }(), a, b), nil, nil},
		{"a delta that lost an entry", h.encode(t, delta, a, b), h.encode(t, func() CRL { c := delta; c.Number = 12; return c }(), a), nil, lifecycle.Conflict},
		{"a delta on a newer base", h.encode(t, delta, a, b), h.encode(t, rebased), nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := CheckSuccessor(streamed(tc.old), tc.next, h.issuer.Certificate, testNow, tc.leave)
			if tc.want == nil && err != nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}
