package jobs

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

// TestAMonthAgreesWithTheDatabase lives a month, with a few hundred certificates
// on record or SCEAU_MONTH_CERTIFICATES: certificates are issued, held, released,
// revoked and expire; lists are published on change and on schedule, answers are
// signed ahead, workers die at each of three places, the clock jumps both ways, the
// door is cut off from the database for a while. After each step every list that
// is new, as it is fetched, and the door's answer for every certificate that was
// touched and for some that were not, say what the database says. Numbers rise by
// one, and who follows base and delta knows what the full list says.
func TestAMonthAgreesWithTheDatabase(t *testing.T) {
	t.Parallel()
	m := newMonth(t, certificatesOfMonth(t))
	end := m.at.AddDate(0, 0, 30)
	jump := m.at.AddDate(0, 0, 10+m.dice.IntN(10))
	for m.at.Before(end) {
		m.at = m.at.Add(time.Duration(4*60+m.dice.IntN(20*60)) * time.Minute)
		if m.at.After(jump) { // all lists and answers end meanwhile
			m.at, end, jump = m.at.AddDate(0, 0, 8), end.AddDate(0, 0, 8), end.AddDate(1, 0, 0)
			m.count["clock jumps forward"]++
		}
		m.step++
		m.change(t)
		m.turnBack(t)
		m.publishAll(t)
		m.answer(t)
	}
	m.sampled(t)
	if m.count["lists"] < 60 || m.count["killed publications"] == 0 {
		t.Errorf("a month had %v", m.count)
	}
	keys := slices.Sorted(maps.Keys(m.count))
	for _, what := range keys {
		t.Logf("%-28s %d", what, m.count[what])
	}
}

// change draws what happens to certificates.
func (m *month) change(t *testing.T) {
	m.touched = nil
	for range m.dice.IntN(3) {
		m.life = time.Duration(1+m.dice.IntN(40)) * 24 * time.Hour
		l := &life{id: m.certificate(t), ends: m.at.Add(m.life)}
		l.serial, l.shard = m.numbered(t, l.id)
		m.lives, m.touched = append(m.lives, l), append(m.touched, l)
		m.count["issued"]++
	}
	for range 1 + m.dice.IntN(3*len(m.lives)/5000+3) {
		l := m.lives[m.dice.IntN(len(m.lives))]
		if !l.revoked() && len(m.held) > 0 && m.dice.IntN(3) == 0 {
			l = m.held[m.dice.IntN(len(m.held))] // few are held: a draw would not find them
		}
		if !m.at.Before(l.ends) {
			continue
		}
		held := l.reason == int(lifecycle.ReasonCertificateHold)
		switch what := m.dice.IntN(3); {
		case what == 0 && !l.revoked():
			ok(t, m.Service.Hold(t.Context(), clerk, l.id))
			l.reason, m.held = int(lifecycle.ReasonCertificateHold), append(m.held, l)
			m.count["held"]++
		case what == 1 && held:
			ok(t, m.Service.Release(t.Context(), clerk, l.id))
			l.reason = 0
			m.count["released"]++
		case what == 2 && !l.ended:
			reason := lifecycle.RevocationReason([]int{0, 1, 3, 4, 5, 9}[m.dice.IntN(6)])
			ok(t, m.Service.Revoke(t.Context(), clerk, l.id, issuance.Revocation{Reason: reason}))
			l.reason, l.ended = int(reason), true
			m.count["revoked"]++
		default:
			continue
		}
		m.held = slices.DeleteFunc(m.held, func(h *life) bool { return h == l && l.reason != int(lifecycle.ReasonCertificateHold) })
		m.touched = append(m.touched, l)
	}
	if m.dice.IntN(4) == 0 {
		for {
			n, err := m.Service.ExpireDue(t.Context())
			ok(t, err)
			if m.count["expired"] += n.Certificates; n.Certificates == 0 {
				break
			}
		}
	}
}

// turnBack has the clock stand in the past for a moment: no list is made that is
// older than the one before.
func (m *month) turnBack(t *testing.T) {
	right, shard := m.at, m.dice.IntN(monthShards)
	if m.dice.IntN(10) > 0 || m.number[shard] == 0 {
		return
	}
	m.at = m.previous(t, shard).Add(-time.Minute)
	before := m.number[shard]
	err := m.publish(t.Context(), issuance.CRLPublishArgs{Issuer: "issuing-1", Shard: int32(shard)}, nil)
	if head, _ := m.Service.HeadCRL(t.Context(), "issuing-1", shard); err != nil && !errors.Is(err, lifecycle.Conflict) || head.Number != before {
		t.Fatalf("step %d: with a clock that goes back: list %d after %d, %v", m.step, head.Number, before, err)
	}
	m.at = right
	m.count["clock jumps back"]++
}

// publishAll publishes what was asked for, and at times what the schedule asks
// for; some of it by workers that die.
func (m *month) publishAll(t *testing.T) {
	scheduled := m.dice.IntN(2) == 0
	for shard := range monthShards {
		asked := slices.ContainsFunc(m.queue, func(j issuance.Job) bool {
			args, ok := j.(issuance.CRLPublishArgs)
			return ok && int(args.Shard) == shard
		})
		if !asked && !scheduled {
			continue
		}
		args := issuance.CRLPublishArgs{Issuer: "issuing-1", Shard: int32(shard), Scheduled: scheduled}
		if m.dice.IntN(5) == 0 {
			m.kill(t, args)
		}
		m.listed(t, args)
	}
	m.queue = slices.DeleteFunc(m.queue, func(j issuance.Job) bool {
		_, list := j.(issuance.CRLPublishArgs)
		return list
	})
}

// kill has a worker die before the key is used, before the mark, or at the end of
// the last transaction, if a list is due.
func (m *month) kill(t *testing.T, args issuance.CRLPublishArgs) {
	crash := errors.New("killed")
	var done issuance.Done
	switch m.dice.IntN(3) {
	case 0:
		m.refuse = crash
	case 1:
		m.raise = func() error { return crash }
	case 2:
		done = dying(crash)
	}
	err := m.publish(t.Context(), args, done)
	m.refuse, m.raise = nil, nil
	if err != nil && !errors.Is(err, crash) {
		t.Fatalf("step %d: %v", m.step, err)
	}
	if err != nil {
		m.count["killed publications"]++
	}
	m.at = m.at.Add(2 * time.Minute) // past its lease
}

// listed publishes, and compares what may be fetched then with what is true.
func (m *month) listed(t *testing.T, args issuance.CRLPublishArgs) {
	shard := int(args.Shard)
	ok(t, m.publish(t.Context(), args, nil))
	head, err := m.Service.HeadCRL(t.Context(), "issuing-1", shard)
	ok(t, err)
	if head.Number == m.number[shard] {
		return // nothing was due
	}
	open := func(delta bool) io.Reader { return m.Service.OpenCRL(t.Context(), "issuing-1", shard, head, delta) }
	ok(t, revocation.WriteLists(m.folder, "issuing-1", shard, open(false), open(true)))
	full := m.fetch(t, shard, false)
	if full.number != m.number[shard]+1 || full.number != head.Number {
		t.Fatalf("step %d, shard %d: list %d follows %d", m.step, shard, full.number, m.number[shard])
	}
	m.number[shard] = full.number
	m.count["lists"]++
	m.count["entries, all lists together"] += len(full.entries)
	want, kept := told{}, m.kept(t, shard, full.number)
	for _, l := range m.lives {
		if l.revoked() && l.shard == shard && l.ends.After(kept) { // and until a scheduled one after its end
			want[l.serial] = l.reason
		}
	}
	if !maps.Equal(full.entries, want) {
		t.Fatalf("step %d, shard %d, seed %d: list %d and the month differ: %s", m.step, shard, monthSeed, full.number, differ(full.entries, want))
	}
	if is := m.database(t, shard, kept); !maps.Equal(full.entries, is) {
		t.Fatalf("step %d, shard %d, seed %d: list %d and the database differ: %s", m.step, shard, monthSeed, full.number, differ(full.entries, is))
	}
	if head.DeltaSize > 0 {
		delta := m.fetch(t, shard, true)
		m.count["deltas"]++
		known := maps.Clone(m.bases[listOf{shard, delta.base}])
		for serial, reason := range delta.entries {
			known[serial] = reason
			if reason == int(lifecycle.ReasonRemoveFromCRL) {
				delete(known, serial)
			}
		}
		for _, l := range m.lives { // what has left the full list is nobody's matter any more
			if !l.ends.After(kept) {
				delete(known, l.serial)
			}
		}
		if delta.base == 0 || delta.number != full.number || !maps.Equal(known, full.entries) {
			t.Fatalf("step %d, shard %d, seed %d: base %d and delta %d differ from the full list: %s",
				m.step, shard, monthSeed, delta.base, delta.number, differ(known, full.entries))
		}
	}
	m.bases[listOf{shard, full.number}] = full.entries
}

// answer has the door learn what changed, asks it, has answers signed ahead, by a
// worker that may die first, and asks again.
func (m *month) answer(t *testing.T) {
	if m.dice.IntN(6) == 0 { // cut off: what the door does not know it may not say
		m.at, m.away = m.at.Add(time.Minute), true
		for _, l := range m.touched {
			if got := m.ask(t, l.serial, nil); got.signed && got.state != l.known {
				t.Fatalf("step %d: while it is cut off the door says %v of %s, it knew %v", m.step, got.state, l.serial, l.known)
			}
		}
		m.away = false
		m.count["door cut off"]++
	}
	m.follow(t)
	m.agree(t)
	for _, job := range m.queue {
		args, refresh := job.(issuance.OCSPRefreshArgs)
		if !refresh {
			continue
		}
		if m.dice.IntN(10) == 0 {
			m.refuse = errors.New("killed")
			if err := m.answers.refresh(t.Context(), args, nil); err == nil {
				t.Fatalf("step %d: a worker without a key signed", m.step)
			}
			m.refuse = nil
			m.count["killed answers"]++
		}
		ok(t, m.answers.refresh(t.Context(), args, nil))
		m.count["answers signed ahead"]++
	}
	m.queue = nil
	if m.step%25 == 1 {
		ok(t, m.answers.refresh(t.Context(), issuance.OCSPRefreshArgs{}, nil))
		m.count["all answers renewed"]++
	}
	m.follow(t)
	m.agree(t)
}

// agree asks the door for what was touched, and some that were not.
func (m *month) agree(t *testing.T) {
	asked := slices.Clone(m.touched)
	for range 20 {
		asked = append(asked, m.lives[m.dice.IntN(len(m.lives))])
	}
	for i, l := range asked {
		l.known = l.state()
		var nonce []byte
		if i%5 == 0 {
			nonce = []byte(strings.Repeat("n", 16+i%17))
		}
		got := m.ask(t, l.serial, nonce)
		if !got.signed || got.state != l.known {
			t.Fatalf("step %d, seed %d: the door says %v of %s (%s), it is %v", m.step, monthSeed, got, l.serial, l.id, l.known)
		}
		m.count["OCSP answers compared"]++
	}
}

// sampled holds the sample of certificates that were signed against what their own
// addresses say.
func (m *month) sampled(t *testing.T) {
	for _, l := range m.lives {
		if l.certificate == nil {
			continue
		}
		ok(t, l.certificate.CheckSignatureFrom(m.issuing))
		path := strings.TrimPrefix(l.certificate.CRLDistributionPoints[0], "http://pki.montclair.example")
		list := m.get(t, path)
		reason, is := list.entries[l.serial]
		if m.at.Before(l.ends) && (is != l.revoked() || is && reason != l.reason) {
			t.Errorf("%s says %v %d of %s, it is %d", path, is, reason, l.serial, l.reason)
		}
		m.count["certificates of the sample"]++
	}
}
