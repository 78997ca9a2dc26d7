package ca

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"testing"

	"sceau/lifecycle"
)

// drawn are the serials and reasons of a stream, and the error that ended it.
func drawn(t *testing.T, entries iter.Seq2[[]byte, error]) (got []Revoked, err error) {
	t.Helper()
	var list []byte
	for entry, err := range entries {
		if err != nil {
			return got, err
		}
		list = append(list, entry...)
	}
	l := List{entries: list}
	for r, err := range l.All() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got, nil
}

func TestAmend(t *testing.T) {
	t.Parallel()
	h, foreign := setup(t), setup(t)
	const hold, gone = lifecycle.ReasonCertificateHold, lifecycle.ReasonRemoveFromCRL
	a, c, e := entry(1, 1), entry(3, hold), entry(5, 4)
	last := h.encode(t, h.list(10), a, c, e)
	delta := h.list(11)
	delta.BaseNumber = 10
	bent := bytes.Clone(last)
	bent[bytes.Index(bent, e.Serial[:])+len(e.Serial)+4] ^= 1 // in its date
	for _, tc := range []struct {
		name          string
		last          []byte
		changed, want []Revoked
		wrong         bool
	}{
		{name: "nothing changed", last: last, want: []Revoked{a, c, e}},
		{name: "new ones before, between and behind", last: last, changed: []Revoked{entry(0, 1), entry(2, 1), entry(6, hold), entry(7, 1)},
			want: []Revoked{entry(0, 1), a, entry(2, 1), c, e, entry(6, hold), entry(7, 1)}},
		{name: "a hold became final", last: last, changed: []Revoked{entry(3, 1)}, want: []Revoked{a, entry(3, 1), e}},
		{name: "a hold was released", last: last, changed: []Revoked{entry(3, gone)}, want: []Revoked{a, e}},
		{name: "one was held and released meanwhile", last: last, changed: []Revoked{entry(2, gone), entry(9, gone)}, want: []Revoked{a, c, e}},
		{name: "all are released", last: last, changed: []Revoked{entry(1, gone), entry(3, gone), entry(5, gone)}},
		{name: "an empty list", last: h.encode(t, h.list(10)), changed: []Revoked{a, c}, want: []Revoked{a, c}},
		{name: "an octet of the list was changed", last: bent, wrong: true},
		{name: "another CA's list", last: foreign.encode(t, foreign.list(10), a), wrong: true},
		{name: "a delta", last: h.encode(t, delta, a), wrong: true},
		{name: "a list that is cut off", last: last[:len(last)-1], wrong: true},
		{name: "a list with something behind it", last: append(bytes.Clone(last), 0), wrong: true},
		{name: "no list", last: []byte("list"), wrong: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := drawn(t, Amend(streamed(tc.last), h.issuer.Certificate, encoded(t, tc.changed...)))
			if tc.wrong != errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("error %v", err)
			}
			if !tc.wrong && !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	t.Run("whoever has enough stops", func(t *testing.T) {
		t.Parallel()
		for range Amend(streamed(last), h.issuer.Certificate, encoded(t, entry(0, 1))) {
			break
		}
	})
	t.Run("changes that cannot be read", func(t *testing.T) {
		t.Parallel()
		_, err := drawn(t, Amend(streamed(last), h.issuer.Certificate, func(yield func([]byte, error) bool) { yield(nil, errAway) }))
		if !errors.Is(err, errAway) {
			t.Errorf("error %v", err)
		}
	})
}
