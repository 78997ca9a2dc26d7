package issuance_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
)

// notices are those of a certificate, as "kind days state", oldest first.
func (h *house) notices(t tb, id lifecycle.CertificateID) []string {
	t.Helper()
	var all []string
	for _, n := range must[[]issuance.NoticeView](t)(h.Notices(t.Context(), issuance.NoticeFilter{Certificate: id})) {
		all = append(all, fmt.Sprintf("%s %d %s", n.Kind, n.Days, n.State))
	}
	slices.Sort(all)
	return all
}

func (h *house) wantNotices(t tb, id lifecycle.CertificateID, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := h.notices(t, id); !slices.Equal(got, want) {
		t.Errorf("the holder is told %q, want %q", got, want)
	}
}

// noticeOf is the one notice of a kind.
func (h *house) noticeOf(t tb, id lifecycle.CertificateID, kind lifecycle.NoticeKind) lifecycle.NoticeID {
	t.Helper()
	all := must[[]issuance.NoticeView](t)(h.Notices(t.Context(), issuance.NoticeFilter{Certificate: id}))
	for _, n := range all {
		if n.Kind == kind {
			return n.ID
		}
	}
	t.Fatalf("nothing is told of kind %s: %+v", kind, all)
	return ""
}

func TestTheHolderIsToldOfEachChangeOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	h.wantNotices(t, id, "issued 0 requested")
	h.event(t, h.Hold(t.Context(), helene, id))
	h.event(t, h.Release(t.Context(), maxence, id))
	h.event(t, h.Hold(t.Context(), helene, id))
	wantKind(t, h.Hold(t.Context(), helene, id), lifecycle.Illegal)
	for range 2 {
		must0(t, h.Revoke(t.Context(), maxence, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	}
	h.wantNotices(t, id, "issued 0 requested", "held 0 requested", "released 0 requested", "held 0 requested", "revoked 0 requested")
	all := must[[]issuance.NoticeView](t)(h.Notices(t.Context(), issuance.NoticeFilter{}))
	jobs := h.queued(t, lifecycle.JobNoticeSend)
	if len(jobs) != len(all) {
		t.Fatalf("%d jobs for %d notices", len(jobs), len(all))
	}
	for i, job := range jobs {
		var args issuance.NoticeArgs
		must0(t, json.Unmarshal([]byte(job), &args))
		if !slices.ContainsFunc(all, func(n issuance.NoticeView) bool { return n.ID == args.Notice }) {
			t.Errorf("job %d is of %s", i, job)
		}
	}
	plan := must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), h.noticeOf(t, id, lifecycle.NoticeRevoked)))
	if plan.Reason != lifecycle.ReasonKeyCompromise || plan.Surname != "Montclair" || plan.Address != "helene@montclair.example" ||
		!plan.At.Equal(h.clock.now().Truncate(time.Microsecond)) || plan.Serial != lifecycle.Serial(h.certificateRow(t, id).Serial) {
		t.Errorf("plan %+v", plan)
	}
}

func must0(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestALanguageIsFixedWhenTheNoticeIsMadeAndTheAddressWhenItIsSent(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertIssued)
	if _, err := h.pool.Exec(t.Context(), "UPDATE holder SET language = 'de', email = 'new@montclair.example'"); err != nil {
		t.Fatal(err)
	}
	plan := must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), h.noticeOf(t, id, lifecycle.NoticeIssued)))
	if plan.Language != party.French || plan.Address != "new@montclair.example" || plan.Attempts != 1 {
		t.Errorf("plan %+v", plan)
	}
}

func TestANoticeIsSentOnceHoweverManyTry(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	notice := h.noticeOf(t, h.certificate(t, lifecycle.CertIssued), lifecycle.NoticeIssued)
	plans := make([]issuance.NoticePlan, 4)
	for i := range plans {
		plans[i] = must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), notice))
	}
	var race sync.WaitGroup
	for i, p := range plans {
		race.Go(func() {
			finish := func() error { return h.FinishNotice(t.Context(), p, "id@bank.example", nil) }
			if i == 3 {
				finish = func() error { return h.FailNotice(t.Context(), p, "late", nil) }
				time.Sleep(50 * time.Millisecond)
			}
			if err := finish(); err != nil {
				t.Error(err)
			}
		})
	}
	race.Wait()
	got := must[issuance.NoticeView](t)(h.Notice(t.Context(), notice))
	if got.State != lifecycle.NoticeSent || got.Attempts != 4 || got.MessageID != "id@bank.example" || !got.Sent.Equal(h.clock.now().Truncate(time.Microsecond)) {
		t.Errorf("notice %+v", got)
	}
	if plan := must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), notice)); !plan.Over {
		t.Errorf("it can be sent again: %+v", plan)
	}
}

func TestWhatIsRefusedWaitsForAPersonAndIsSentAgain(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertIssued)
	notice := h.noticeOf(t, id, lifecycle.NoticeIssued)
	must0(t, h.FailNotice(t.Context(), must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), notice)), "550 5.1.1", nil))
	item := must[issuance.WorkItem](t)(h.WorkItem(t.Context(), string(notice)))
	if item.Kind != lifecycle.WorkFailedNotice || !strings.Contains(item.Why, "550 5.1.1") || !strings.Contains(item.Why, string(id)) {
		t.Errorf("work item %+v", item)
	}
	wantKind(t, h.RetryWork(t.Context(), owen, string(notice)), lifecycle.Forbidden)
	before := len(h.queued(t, lifecycle.JobNoticeSend))
	must0(t, h.RetryWork(t.Context(), leonie, string(notice)))
	if jobs := h.queued(t, lifecycle.JobNoticeSend); len(jobs) > before+1 || !strings.Contains(jobs[len(jobs)-1], string(notice)) {
		t.Errorf("jobs %v", jobs)
	}
	if _, err := h.WorkItem(t.Context(), string(notice)); err == nil {
		t.Error("it waits still")
	}
	if n := must[issuance.NoticeView](t)(h.Notice(t.Context(), notice)); n.State != lifecycle.NoticeRequested || n.Attempts != 0 || n.Failure != "" {
		t.Errorf("notice %+v", n)
	}
}

// remind is one run of the periodic job.
func (h *house) remind(t tb) int {
	t.Helper()
	return must[int](t)(h.RemindDue(t.Context()))
}

func TestTheEndIsToldThreeTimesEachOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	end := deref(h.certificateRow(t, id).NotAfter)
	day := 24 * time.Hour
	issued := []string{"issued 0 requested"}
	for _, step := range []struct {
		before time.Duration
		told   []string
	}{
		{91 * day, nil},
		{90*day + time.Microsecond, nil},
		{90 * day, []string{"expiring 90 requested"}},
		{31 * day, []string{"expiring 90 requested"}},
		{95 * day, []string{"expiring 90 requested"}}, // the clock went back
		{30 * day, []string{"expiring 90 requested", "expiring 30 requested"}},
		{80 * day, []string{"expiring 90 requested", "expiring 30 requested"}},
		{6 * day, []string{"expiring 90 requested", "expiring 30 requested", "expiring 7 requested"}},
		{40 * day, []string{"expiring 90 requested", "expiring 30 requested", "expiring 7 requested"}},
		{-day, []string{"expiring 90 requested", "expiring 30 requested", "expiring 7 requested"}},
	} {
		h.clock.set(end.Add(-step.before))
		h.remind(t)
		if n := h.remind(t); n != 0 {
			t.Errorf("%s before its end: a second run makes %d", step.before, n)
		}
		h.wantNotices(t, id, append(slices.Clone(issued), step.told...)...)
	}
}

func TestAfterAPauseOnlyTheNearestIsTold(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	late, never := h.certificate(t, lifecycle.CertActive), h.certificate(t, lifecycle.CertActive)
	h.clock.set(deref(h.certificateRow(t, late).NotAfter).Add(-12 * 24 * time.Hour))
	if n := h.remind(t); n != 2 {
		t.Errorf("%d notices", n)
	}
	h.wantNotices(t, late, "issued 0 requested", "expiring 30 requested")
	h.clock.set(deref(h.certificateRow(t, never).NotAfter).Add(time.Hour))
	if n := h.remind(t); n != 0 {
		t.Errorf("%d notices of certificates that have ended", n)
	}
}

func TestOnlyWhatIsInUseAndNotRenewedIsTold(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	held, revoked, issued := h.certificate(t, lifecycle.CertHeld), h.certificate(t, lifecycle.CertRevoked), h.certificate(t, lifecycle.CertIssued)
	renewed := h.certificate(t, lifecycle.CertActive)
	h.clock.advance(24 * time.Hour)
	newer := h.certificate(t, lifecycle.CertActive)
	if _, err := h.pool.Exec(t.Context(), "UPDATE certificate SET holder_id = (SELECT holder_id FROM certificate WHERE id = $1) WHERE id = $2", renewed, newer); err != nil {
		t.Fatal(err)
	}
	h.clock.set(deref(h.certificateRow(t, newer).NotAfter).Add(-90 * 24 * time.Hour))
	h.remind(t)
	for id, want := range map[lifecycle.CertificateID]int{held: 1, revoked: 0, issued: 0, renewed: 0, newer: 1} {
		if got := len(slices.DeleteFunc(h.notices(t, id), func(n string) bool { return !strings.HasPrefix(n, "expiring") })); got != want {
			t.Errorf("%s is told %d times of its end, want %d", id, got, want)
		}
	}
	// The newer one is stopped: the older one's next notice is due again.
	must0(t, h.Revoke(t.Context(), maxence, newer, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
	plan := must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), h.noticeOf(t, newer, lifecycle.NoticeExpiring)))
	if !plan.Over {
		t.Error("the end of a revoked certificate is still told")
	}
	h.clock.set(deref(h.certificateRow(t, renewed).NotAfter).Add(-7 * 24 * time.Hour))
	h.remind(t)
	h.wantNotices(t, renewed, "issued 0 requested", "expiring 7 requested")
}

func TestACertificateOfFewDaysIsNotToldAtItsBirth(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertIssuing)
	plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	draft := draftOf(plan, "draft "+id)
	draft.NotAfter = plan.ReservedAt.Add(20 * 24 * time.Hour)
	must0(t, h.RecordDraft(t.Context(), plan, draft))
	must0(t, h.FinishIssue(t.Context(), plan, []byte("signed"), nil))
	must0(t, h.Accept(t.Context(), helene, id))
	h.remind(t)
	h.wantNotices(t, id, "issued 0 requested")
	h.clock.advance(14 * 24 * time.Hour)
	h.remind(t)
	h.wantNotices(t, id, "issued 0 requested", "expiring 7 requested")
}
