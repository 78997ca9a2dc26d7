package issuance_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// listed are encoded entries as "serial reason".
func listed(t tb, entries iter.Seq2[[]byte, error]) []string {
	t.Helper()
	var all []string
	for run, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		for len(run) > 0 {
			var e pkix.RevokedCertificate
			if run, err = asn1.Unmarshal(run, &e); err != nil {
				t.Fatal(err)
			}
			reason := lifecycle.ReasonUnspecified
			for _, x := range e.Extensions {
				if x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}) {
					reason = lifecycle.RevocationReason(x.Value[2])
				}
			}
			all = append(all, fmt.Sprintf("%032x %s", e.SerialNumber, reason))
		}
	}
	return all
}

// full and delta are the entries of a plan's lists, as "serial reason".
func (h *house) full(t tb, plan issuance.CRLPlan) []string {
	t.Helper()
	full, _ := h.lists(t, plan)
	return full
}

func (h *house) delta(t tb, plan issuance.CRLPlan) []string {
	t.Helper()
	_, delta := h.lists(t, plan)
	return delta
}

func (h *house) lists(t tb, plan issuance.CRLPlan) (full, delta []string) {
	t.Helper()
	h.event(t, h.ReadCRL(t.Context(), &plan, func(e *issuance.CRLEntries) error {
		full = listed(t, e.Full)
		if e.Read != len(full) {
			t.Errorf("it counts %d entries, there are %d", e.Read, len(full))
		}
		delta = listed(t, e.Delta)
		return nil
	}))
	return full, delta
}

// leaves tells whether a serial of the previous list may be missing in the next.
func (h *house) leaves(t tb, plan issuance.CRLPlan, serial lifecycle.Serial) bool {
	t.Helper()
	return len(must[[]lifecycle.Serial](t)(h.MayLeave(t.Context(), plan, []lifecycle.Serial{serial}))) == 0
}

func (h *house) beginCRL(t tb, scheduled bool) issuance.CRLPlan {
	t.Helper()
	return must[issuance.CRLPlan](t)(h.BeginCRL(t.Context(), "issuing-1", 0, scheduled, issuance.Mark{}))
}

func (h *house) finishCRL(t tb, plan issuance.CRLPlan, full string) {
	t.Helper()
	h.event(t, h.ReadCRL(t.Context(), &plan, nothing))
	h.event(t, h.FinishCRL(t.Context(), plan, []byte(full), nil, 0, nil))
}

func nothing(*issuance.CRLEntries) error { return nil }

// previous are the bytes of the list that a plan follows.
func (h *house) previous(t tb, plan issuance.CRLPlan) string {
	t.Helper()
	old := h.OpenCRL(t.Context(), plan.Issuer, plan.Shard, plan.Previous, false)
	if old == nil {
		return ""
	}
	return string(must[[]byte](t)(io.ReadAll(old)))
}

func (h *house) serial(t tb, id lifecycle.CertificateID) string {
	t.Helper()
	return lifecycle.Serial(h.certificateRow(t, id).Serial).String()
}

// Before, a list said when it was begun, stood short of what was revoked until its
// entries were read, and was refused for good.
func TestAListIsOfTheMomentAtWhichItsEntriesAreRead(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	plan := h.beginCRL(t, false)
	begun := plan
	h.clock.advance(2500 * time.Millisecond)
	h.event(t, h.Revoke(t.Context(), helene, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	h.event(t, h.ReadCRL(t.Context(), &plan, nothing))
	status := h.status(t, id)
	if plan.ThisUpdate.Before(status.RevokedAt) || plan.ThisUpdate.After(h.clock.now()) || plan.NextUpdate.Sub(plan.ThisUpdate) != begun.NextUpdate.Sub(begun.ThisUpdate) {
		t.Errorf("begun %s, revoked %s, the list is of %s until %s", begun.ThisUpdate, status.RevokedAt, plan.ThisUpdate, plan.NextUpdate)
	}
	h.event(t, h.FinishCRL(t.Context(), plan, []byte("list"), nil, 1, nil))
	if next := h.beginCRL(t, false); !next.Nothing && !next.Previous.ThisUpdate.Equal(plan.ThisUpdate) {
		t.Errorf("on record it is of %s", next.Previous.ThisUpdate)
	}
}

func TestAListIsMadeWhenSomethingChangedOrTheIntervalIsOver(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	first := h.beginCRL(t, false)
	if first.Nothing || first.Number != 1 || first.BaseNumber != 0 || h.previous(t, first) != "" ||
		!first.NextUpdate.Equal(first.ThisUpdate.Add(h.Policy().CRLValidity)) || first.ThisUpdate.Nanosecond() != 0 {
		t.Errorf("the first list: %+v", first)
	}
	h.finishCRL(t, first, "list 1")
	for _, scheduled := range []bool{false, true} {
		if plan := h.beginCRL(t, scheduled); !plan.Nothing {
			t.Errorf("scheduled %v, with nothing new: %+v", scheduled, plan)
		}
	}
	h.clock.advance(h.Policy().CRLInterval - time.Second)
	if plan := h.beginCRL(t, true); !plan.Nothing {
		t.Errorf("a second before the interval is over: %+v", plan)
	}
	id := h.certificate(t, lifecycle.CertActive)
	if plan := h.beginCRL(t, false); !plan.Nothing {
		t.Errorf("a new certificate is no news for a list: %+v", plan)
	}
	h.event(t, h.Hold(t.Context(), helene, id))
	second := h.beginCRL(t, false)
	if second.Nothing || second.Number != 2 || second.BaseNumber != 1 || h.previous(t, second) != "list 1" {
		t.Errorf("after a hold: %+v", second)
	}
	h.finishCRL(t, second, "list 2")
	h.clock.advance(time.Second) // a day after the scheduled one, an instant after the last
	third := h.beginCRL(t, true)
	if third.Nothing || third.Number != 3 || third.BaseNumber != 1 || h.previous(t, third) != "list 2" {
		t.Errorf("when the interval is over: %+v", third)
	}
	h.finishCRL(t, third, "list 3")
	h.clock.advance(h.Policy().CRLInterval)
	if fourth := h.beginCRL(t, true); fourth.Number != 4 || fourth.BaseNumber != 3 {
		t.Errorf("after it the base is the new scheduled list: %+v", fourth)
	}
	published := must[issuance.PublishedCRL](t)(h.public.NewestCRL(t.Context(), "issuing-1", 0))
	if published.Number != 3 || string(published.Full) != "list 3" { // the fourth is not finished
		t.Errorf("served is %+v", published)
	}
}

func TestAListUnderWayIsLeftToItsWorkerForAWhileThenTakenOver(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	late := h.beginCRL(t, false)
	if other := h.beginCRL(t, false); !other.UnderWay {
		t.Errorf("a second worker at once: %+v", other)
	}
	id := h.certificate(t, lifecycle.CertHeld) // since the first read the shard
	h.clock.advance(time.Minute)
	next := h.beginCRL(t, false)
	if next.UnderWay || next.Number != late.Number || next.Fence != late.Fence+1 || !next.ThisUpdate.After(late.ThisUpdate) {
		t.Errorf("taken over as %+v after %+v", next, late)
	}
	if got, want := h.full(t, next), []string{h.serial(t, id) + " certificateHold"}; !slices.Equal(got, want) {
		t.Errorf("it lists %q, want what changed meanwhile: %q", got, want)
	}
	wantKind(t, h.FinishCRL(t.Context(), late, []byte("late"), nil, 0, nil), lifecycle.Invalid)
	for _, plan := range []*issuance.CRLPlan{&late, &next} {
		h.event(t, h.ReadCRL(t.Context(), plan, nothing))
	}
	wantKind(t, h.FinishCRL(t.Context(), late, []byte("late"), nil, 0, nil), lifecycle.Conflict)
	h.finishCRL(t, next, "next")
	wantKind(t, h.FinishCRL(t.Context(), late, []byte("late"), nil, 0, nil), lifecycle.Conflict)
	wantKind(t, h.FinishCRL(t.Context(), next, []byte("again"), nil, 0, nil), lifecycle.Conflict)
	if got := must[issuance.PublishedCRL](t)(h.NewestCRL(t.Context(), "issuing-1", 0)); got.Number != 1 || string(got.Full) != "next" {
		t.Errorf("published is %+v", got)
	}
}

func TestOfManyWorkersOneMakesTheList(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	for number := int64(1); number <= 5; number++ {
		h.certificate(t, lifecycle.CertHeld)
		const many = 8
		plans := make([]issuance.CRLPlan, many)
		var race sync.WaitGroup
		for i := range many {
			race.Go(func() {
				var err error
				if plans[i], err = h.BeginCRL(t.Context(), "issuing-1", 0, i%2 == 0, issuance.Mark{}); err != nil {
					t.Errorf("begin: %v", err)
				}
			})
		}
		race.Wait()
		mine := slices.DeleteFunc(plans, func(p issuance.CRLPlan) bool { return p.UnderWay })
		if len(mine) != 1 || mine[0].Number != number {
			t.Fatalf("%d workers make a list: %+v, want one with number %d", len(mine), mine, number)
		}
		h.finishCRL(t, mine[0], "list")
		h.clock.advance(time.Second)
	}
}

func TestAListWaitsForARevocationThatIsUnderWay(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	tx, err := h.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	// What a revocation holds until it is committed.
	if _, err := tx.Exec(t.Context(), "SELECT revision FROM crl_shard WHERE shard = 0 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	plans := make(chan issuance.CRLPlan, 1)
	revoked := make(chan error, 1)
	go func() { revoked <- h.Hold(t.Context(), helene, id) }()
	h.waitForALock(t)
	go func() {
		plan, err := h.BeginCRL(t.Context(), "issuing-1", 0, false, issuance.Mark{})
		if err != nil {
			t.Errorf("begin: %v", err)
		}
		plans <- plan
	}()
	h.waitForLocks(t, 2)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-revoked; err != nil {
		t.Fatal(err)
	}
	if got := h.full(t, <-plans); len(got) != 1 {
		t.Errorf("the list has %q, want the certificate whose hold came first", got)
	}
}

func TestADeltaTellsWhatChangedSinceItsBase(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	before, kept := h.certificate(t, lifecycle.CertHeld), h.certificate(t, lifecycle.CertRevoked)
	base := h.beginCRL(t, true)
	if got := h.full(t, base); len(got) != 2 {
		t.Errorf("the base lists %q", got)
	}
	h.finishCRL(t, base, "base")
	h.clock.advance(time.Minute)
	h.event(t, h.Release(t.Context(), maxence, before))
	after := h.certificate(t, lifecycle.CertRevoked)
	passing := h.certificate(t, lifecycle.CertHeld)
	h.event(t, h.Release(t.Context(), maxence, passing))
	plan := h.beginCRL(t, false)
	delta, full := h.delta(t, plan), h.full(t, plan)
	want := []string{h.serial(t, after) + " superseded", h.serial(t, before) + " removeFromCRL", h.serial(t, passing) + " removeFromCRL"}
	slices.Sort(want)
	slices.Sort(delta)
	if !slices.Equal(delta, want) {
		t.Errorf("the delta has %q, want %q", delta, want)
	}
	want = []string{h.serial(t, after) + " superseded", h.serial(t, kept) + " superseded"}
	slices.Sort(want)
	if !slices.Equal(full, want) { // in the order of their serials
		t.Errorf("the full list has %q, want %q", full, want)
	}
	for id, may := range map[lifecycle.CertificateID]bool{before: true, kept: false, after: false} {
		if got := h.leaves(t, plan, lifecycle.Serial(h.certificateRow(t, id).Serial)); got != may {
			t.Errorf("serial of %s may leave: %v, want %v", id, got, may)
		}
	}
	if h.leaves(t, plan, lifecycle.Serial{1}) {
		t.Error("a serial nobody knows may leave")
	}
}

func TestARevokedCertificateIsListedOnceAfterItsEnd(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertRevoked)
	entry := []string{h.serial(t, id) + " superseded"}
	end := *h.certificateRow(t, id).NotAfter
	for _, step := range []struct {
		name string
		at   time.Time
		want []string
		may  bool
	}{
		{"while it lives", end.Add(-time.Hour), entry, false},
		{"the first list after its end", end.Add(24 * time.Hour), entry, false},
		{"the list after that", end.Add(48 * time.Hour), nil, true},
		{"and all later ones", end.Add(72 * time.Hour), nil, true},
	} {
		h.clock.set(step.at)
		plan := h.beginCRL(t, true)
		if got := h.full(t, plan); !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
		if got := h.leaves(t, plan, lifecycle.Serial(h.certificateRow(t, id).Serial)); got != step.may {
			t.Errorf("%s: it may leave: %v", step.name, got)
		}
		h.finishCRL(t, plan, step.name)
	}
}

// A list between two scheduled ones is none that lets somebody leave (RFC 5280 §3.3).
func TestOneRevokedAfterItsEndIsOnAScheduledListAllTheSame(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	end := *h.certificateRow(t, id).NotAfter
	h.clock.set(end.Add(time.Hour))
	other := h.certificate(t, lifecycle.CertActive)
	h.finishCRL(t, h.beginCRL(t, true), "before")
	h.clock.advance(time.Hour)
	h.event(t, h.Revoke(t.Context(), maxence, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise})) // its expiry run is late
	plan := h.beginCRL(t, false)
	if got := h.full(t, plan); len(got) != 1 {
		t.Errorf("listed are %q", got)
	}
	h.finishCRL(t, plan, "between")
	for _, step := range []struct {
		list      string
		scheduled bool
		want      int
	}{{"the first scheduled one", true, 1}, {"one between", false, 1}, {"the next scheduled one", true, 0}} {
		if h.clock.advance(24 * time.Hour); !step.scheduled { // one that is due for another's sake
			h.clock.advance(-23 * time.Hour)
			h.event(t, h.Hold(t.Context(), maxence, other))
			h.event(t, h.Release(t.Context(), maxence, other))
		}
		plan := h.beginCRL(t, step.scheduled)
		if got := h.full(t, plan); plan.Scheduled != step.scheduled || len(got) != step.want {
			t.Errorf("%s (%v): listed are %q", step.list, plan.Scheduled, got)
		}
		h.finishCRL(t, plan, step.list)
	}
}

func TestAListIsNeverOlderThanTheLastAndOnlyOfAShardThatIsThere(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	h.finishCRL(t, h.beginCRL(t, true), "list")
	h.certificate(t, lifecycle.CertHeld)
	h.clock.advance(-2 * time.Second)
	_, err := h.BeginCRL(t.Context(), "issuing-1", 0, false, issuance.Mark{})
	wantKind(t, err, lifecycle.Conflict)
	for _, absent := range []struct {
		issuer string
		shard  int
	}{{"issuing-1", 1}, {"other", 0}} {
		_, err := h.BeginCRL(t.Context(), absent.issuer, absent.shard, true, issuance.Mark{})
		wantKind(t, err, lifecycle.NotFound)
		_, err = h.NewestCRL(t.Context(), absent.issuer, absent.shard)
		wantKind(t, err, lifecycle.NotFound)
	}
}
