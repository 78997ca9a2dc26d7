package jobs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// told is what somebody who follows a shard knows: reasons by serial.
type told map[string]int

// told are the newest lists, by their entries.
func (p *publisher) told(t *testing.T) (number, base int64, full, delta told) {
	t.Helper()
	newest, err := p.Service.NewestCRL(t.Context(), "issuing-1", 0)
	ok(t, err)
	entries := func(der []byte) (*x509.RevocationList, told) {
		list, err := x509.ParseRevocationList(der)
		ok(t, err)
		ok(t, list.CheckSignatureFrom(p.issuing))
		all := told{}
		for _, e := range list.RevokedCertificateEntries {
			all[fmt.Sprintf("%032x", e.SerialNumber)] = e.ReasonCode
		}
		return list, all
	}
	list, full := entries(newest.Full)
	if newest.Delta != nil {
		_, delta = entries(newest.Delta)
		err := p.pool.QueryRow(t.Context(), "SELECT base_number FROM crl WHERE number = $1", newest.Number).Scan(&base)
		ok(t, err)
	}
	return list.Number.Int64(), base, full, delta
}

// TestAMonthOfAShardAgreesWithTheDatabase lives a month: certificates are made,
// held, released, revoked and expire; lists are published on change and on
// schedule, and workers die before and after the mark. Each list has the
// database's status at that moment, numbers rise by one, and who follows base and
// delta knows what the full list says.
func TestAMonthOfAShardAgreesWithTheDatabase(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	const seed = 20260302
	dice := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a repeatable month
	type life struct {
		id     lifecycle.CertificateID
		serial string
		ends   time.Time
		reason int // 0: good
	}
	var lives []*life
	bases := map[int64]told{}
	number, crash := int64(0), errors.New("killed")
	end := p.at.AddDate(0, 0, 30)
	for step := 0; p.at.Before(end); step++ {
		p.at = p.at.Add(time.Duration(1+dice.IntN(8*60)) * time.Minute)
		if len(lives) < 12 && dice.IntN(3) == 0 {
			p.life = time.Duration(1+dice.IntN(40)) * 24 * time.Hour
			l := &life{id: p.certificate(t), ends: p.at.Add(p.life)}
			l.serial = p.serialOf(t, l.id)
			lives = append(lives, l)
		}
		if len(lives) > 0 {
			l := lives[dice.IntN(len(lives))]
			switch what := dice.IntN(4); {
			case !p.at.Before(l.ends):
			case what == 0 && l.reason == 0:
				ok(t, p.Service.Hold(t.Context(), clerk, l.id))
				l.reason = int(lifecycle.ReasonCertificateHold)
			case what == 1 && l.reason == int(lifecycle.ReasonCertificateHold):
				ok(t, p.Service.Release(t.Context(), clerk, l.id))
				l.reason = 0
			case what == 2 && (l.reason == 0 || l.reason == int(lifecycle.ReasonCertificateHold)):
				ok(t, p.Service.Revoke(t.Context(), clerk, l.id, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
				l.reason = int(lifecycle.ReasonSuperseded)
			}
		}
		if dice.IntN(8) == 0 {
			second(p.Service.ExpireDue(t.Context()))
		}
		args := issuance.CRLPublishArgs{Issuer: "issuing-1", Scheduled: dice.IntN(2) == 0}
		if dice.IntN(5) == 0 { // killed, or nothing was due
			p.raise = func() error { p.raise = nil; return crash }
			if err := p.publish(t.Context(), args, nil); err != nil && !errors.Is(err, crash) {
				t.Fatalf("step %d: %v", step, err)
			}
			p.raise = nil
			p.at = p.at.Add(2 * time.Minute) // past its lease
		}
		previous := p.previous(t)
		ok(t, p.publish(t.Context(), args, nil))
		now, base, full, delta := p.told(t)
		if now == number {
			continue // nothing was due
		}
		if now != number+1 {
			t.Fatalf("step %d: list %d follows %d", step, now, number)
		}
		number = now
		want := told{}
		for _, l := range lives {
			if l.reason != 0 && l.ends.After(previous) { // and once after its end
				want[l.serial] = l.reason
			}
		}
		if !maps.Equal(full, want) {
			t.Fatalf("step %d, seed %d: list %d has %v, the database %v", step, seed, number, full, want)
		}
		if base > 0 {
			known := maps.Clone(bases[base])
			for serial, reason := range delta {
				known[serial] = reason
				if reason == int(lifecycle.ReasonRemoveFromCRL) {
					delete(known, serial)
				}
			}
			for _, l := range lives { // what has left the full list is nobody's matter any more
				if !l.ends.After(previous) {
					delete(known, l.serial)
				}
			}
			if !maps.Equal(known, full) {
				t.Fatalf("step %d, seed %d: base %d and delta %d say %v, the full list %v", step, seed, base, number, known, full)
			}
		}
		bases[number] = full
	}
	if number < 30 {
		t.Errorf("a month had %d lists", number)
	}
}

// previous is when the newest published list was made; zero for none.
func (p *publisher) previous(t *testing.T) time.Time {
	t.Helper()
	head, err := p.Service.HeadCRL(t.Context(), "issuing-1", 0)
	if errors.Is(err, lifecycle.NotFound) {
		return time.Time{}
	}
	ok(t, err)
	return head.ThisUpdate
}
