package issuance_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/certprofile"
	"sceau/issuance"
	"sceau/lifecycle"
)

const day = 24 * time.Hour

// anew proposes to renew the certificates that another version of their profile made.
func anew(pilot int) issuance.CampaignRequest {
	return issuance.CampaignRequest{
		Why: "the profile is another", Pilot: pilot, Certificates: &issuance.CertificateCriteria{Reason: lifecycle.RenewProfileChange},
	}
}

// changeProfile makes another version of the nominative profile the live one.
func (h *house) changeProfile(t tb, years int) {
	t.Helper()
	p := nominative(t)
	p.Years = years
	h.newProfile(t, p)
}

// inUseCertificates are n certificates in use, of a holder each, with the dossiers that
// they were approved on, in the order of their identifiers.
func (h *house) inUseCertificates(t tb, n int) []lifecycle.CertificateID {
	t.Helper()
	all := make([]lifecycle.CertificateID, n)
	for i := range all {
		all[i] = h.certificate(t, lifecycle.CertActive)
		h.clock.advance(time.Second)
	}
	return all
}

// beginAs begins a campaign that leonie has proposed and somebody else approved.
func (h *house) beginAs(t tb, approver lifecycle.Actor, r issuance.CampaignRequest) lifecycle.CampaignID {
	t.Helper()
	p := must[issuance.Proposed](t)(h.ProposeCampaign(t.Context(), leonie, r))
	h.event(t, h.DecideCampaign(t.Context(), approver, p.ID, h.campaign(t, p.ID).Hash(), true, ""))
	h.event(t, h.MoveCampaign(t.Context(), leonie, p.ID, lifecycle.Pilot))
	return p.ID
}

func (h *house) follow(t tb) int {
	t.Helper()
	return must[int](t)(h.FollowCampaigns(t.Context()))
}

// steps are a campaign's certificates by how far they are.
func (h *house) steps(t tb, id lifecycle.CampaignID) map[lifecycle.CertificateID]issuance.CampaignStep {
	t.Helper()
	all := map[lifecycle.CertificateID]issuance.CampaignStep{}
	for _, s := range must[[]issuance.CampaignStep](t)(h.CampaignSteps(t.Context(), id, "")) {
		all[s.Certificate] = s
	}
	return all
}

func TestACampaignRenewsCertificatesLongBeforeTheyEndAndSkipsWhatWentOn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	c := h.inUseCertificates(t, 9)
	h.event(t, h.Hold(t.Context(), helene, c[8]))
	if n := must[int](t)(h.PreviewCertificates(t.Context(), leonie, *anew(1).Certificates, func(issuance.PickedCertificate) error { return nil })); n != 0 {
		t.Fatalf("%d certificates of another version, and there is none", n)
	}
	h.changeProfile(t, 2)
	h.event(t, h.Revoke(t.Context(), maxence, c[7], issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
	var shown []lifecycle.CertificateID
	n := must[int](t)(h.PreviewCertificates(t.Context(), leonie, *anew(1).Certificates, func(p issuance.PickedCertificate) error {
		shown = append(shown, p.ID)
		if p.Surname == "" || p.Company == "" || p.Ends.IsZero() {
			t.Errorf("shown is %+v", p)
		}
		return nil
	}))
	want := slices.Delete(slices.Clone(c), 7, 8)
	if n != 8 || !slices.Equal(shown, want) {
		t.Fatalf("%d are shown, %v, want %v", n, shown, want)
	}
	h.clock.advance(time.Minute)
	id := h.beginAs(t, irene, anew(2))
	h.chunks(t, id)
	h.wantProgress(t, id, lifecycle.CampaignPiloted, map[string]int{"approved": 2, "waiting": 6})
	// What goes on between the pilot and the run.
	h.clock.advance(time.Minute)
	h.event(t, h.Revoke(t.Context(), maxence, c[2], issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	other := h.orderFor(t, h.holderOf(t, h.certificateRow(t, c[3]).OrderID), "")
	h.clock.advance(certificateLife - 60*day)
	renews := must[lifecycle.OrderID](t)(h.Renew(t.Context(), alix, c[4]))
	h.clock.advance(-certificateLife + 60*day)
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Go))
	must[time.Duration](t)(h.RunCampaign(t.Context(), id, nil))
	h.wantProgress(t, id, lifecycle.CampaignRunning, map[string]int{"approved": 5, "skipped": 3})
	skipped := must[[]issuance.CampaignFailure](t)(h.CampaignFailures(t.Context(), id, ""))
	wantSkipped := []issuance.CampaignFailure{
		{On: string(c[2]), State: "skipped", Why: "it is revoked"},
		{On: string(c[3]), State: "skipped", Why: string(h.order(t, other).Certificate.ID) + " was ordered in its place"},
		{On: string(c[4]), State: "skipped", Why: string(h.order(t, renews).Certificate.ID) + " renews it already"},
	}
	if fmt.Sprint(skipped) != fmt.Sprint(wantSkipped) {
		t.Errorf("skipped %v, want %v", skipped, wantSkipped)
	}
	// Nothing twice, whoever runs it again; and nobody renews one beside it.
	must[time.Duration](t)(h.RunCampaign(t.Context(), id, nil))
	h.wantRekeyed(t, id, 5)
	h.clock.advance(certificateLife - 60*day)
	_, err := h.Renew(t.Context(), alix, c[0])
	wantKind(t, err, lifecycle.Conflict)
	h.clock.advance(-certificateLife + 60*day)

	// Each to its end: accepted, refused, lapsed, on its way.
	steps := h.steps(t, id)
	at := func(i int, want issuance.RenewalStep) {
		t.Helper()
		if got := h.steps(t, id)[c[i]].Step; got != want {
			t.Errorf("certificate %d is %s, want %s", i, got, want)
		}
	}
	must[issuance.Invitation](t)(h.Invite(t.Context(), alix, steps[c[0]].By, issuance.FaceToFace))
	at(0, issuance.StepInvited)
	h.event(t, h.TakeKey(t.Context(), helene, steps[c[0]].By, newKey(t)))
	at(0, issuance.StepKey)
	h.issue(t, steps[c[0]].By)
	at(0, issuance.StepIssued)
	h.event(t, h.Accept(t.Context(), helene, steps[c[0]].By))
	at(0, issuance.StepAccepted)
	if v := must[issuance.CertificateProfile](t)(h.ProfileOf(t.Context(), steps[c[0]].By)); v.Years != 2 {
		t.Errorf("the new one is made by version %d", v.Version)
	}
	h.event(t, h.TakeKey(t.Context(), helene, steps[c[1]].By, newKey(t)))
	h.issue(t, steps[c[1]].By)
	h.event(t, h.Revoke(t.Context(), maxence, steps[c[1]].By, issuance.Revocation{Reason: lifecycle.ReasonAffiliationChanged})) // its content is wrong
	at(1, issuance.StepRefused)
	h.event(t, h.Revoke(t.Context(), maxence, c[5], issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	at(5, issuance.StepLapsed)
	h.follow(t)
	h.wantProgress(t, id, lifecycle.CampaignRunning, map[string]int{"accepted": 1, "approved": 2, "lapsed": 1, "refused": 1, "skipped": 3})
	for _, i := range []int{6, 8} {
		h.activated(t, steps[c[i]].Order)
	}
	h.follow(t)
	h.wantProgress(t, id, lifecycle.CampaignCompleted, map[string]int{"accepted": 3, "lapsed": 1, "refused": 1, "skipped": 3})
	h.clock.advance(h.Policy().SupersedeAfter)
	h.event(t, h.RevokeDue(t.Context(), nil))
	h.wantCertificate(t, c[0], lifecycle.CertRevoked) // as any other that is renewed
}

// wantRekeyed proves that so many orders were made, once each, and approved by the approver
// on what they were shown.
func (h *house) wantRekeyed(t *testing.T, id lifecycle.CampaignID, n int) {
	t.Helper()
	hash := h.campaign(t, id).Hash()
	var orders, certs, all int
	err := h.pool.QueryRow(t.Context(), `
SELECT count(DISTINCT o.id), count(DISTINCT r.renews), (SELECT count(*) FROM renewal WHERE reason <> 'expiry')
FROM campaign_certificate w JOIN orders o ON o.id = w.order_id AND o.kind = 'new_certificate' AND o.state = 'in_progress'
JOIN approval a ON a.order_id = o.id AND a.decided_by = 'irene' AND a.requested_by = 'leonie' AND a.content_hash = $2 AND a.note = 'campaign ' || w.campaign_id
JOIN certificate c ON c.order_id = o.id AND c.profile_version IS NOT NULL AND c.dossier_id IS NOT NULL JOIN renewal r ON r.certificate_id = c.id AND r.renews = w.certificate_id
WHERE w.campaign_id = $1`, id, hash[:]).Scan(&orders, &certs, &all)
	if err != nil {
		t.Fatal(err)
	}
	if orders != n || certs != n || all != n {
		t.Errorf("%d orders, %d certificates, %d renewals; want %d of each", orders, certs, all, n)
	}
}

func TestACampaignApprovesNoMoreThanItsApproverHasSeen(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	c := h.inUseCertificates(t, 4)
	order := h.submitCertificate(t)
	must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), come, h.holderOf(t, order), h.papers(t, h.holderOf(t, order))))
	h.event(t, h.asItStands(t, order))
	c = append(c, h.activated(t, order))
	holder := h.certificateRow(t, c[0]).HolderID
	h.changeProfile(t, 2)
	first := h.beginAs(t, irene, anew(2))
	h.chunks(t, first)
	h.wantProgress(t, first, lifecycle.CampaignPiloted, map[string]int{"approved": 2, "waiting": 3})
	for _, i := range []int{0, 1} {
		h.activated(t, h.steps(t, first)[c[i]].Order) // the first re-key of the dossier
	}
	h.event(t, h.MoveCampaign(t.Context(), leonie, first, lifecycle.Cancel))
	// The second re-key of c[0]'s holder asks anew; c[2]'s evidence has a flag, c[4]'s came
	// from who approves the campaign, c[3] is as before.
	h.changeProfile(t, 1)
	if _, err := h.pool.Exec(t.Context(), "UPDATE dossier SET document_surname = 'Autre' WHERE holder_id = $1", h.certificateRow(t, c[2]).HolderID); err != nil {
		t.Fatal(err)
	}
	second := h.beginAs(t, comeToo, anew(10))
	h.chunks(t, second)
	h.wantProgress(t, second, lifecycle.CampaignPiloted, map[string]int{"approved": 1, "ordered": 2, "waiting_for_dossier": 2})
	for i, why := range map[int]string{
		2: "its holder's dossier is flagged: [name_differs]", 3: "", 4: "come approved the campaign, and had a hand in its holder's dossier",
	} {
		if s := h.steps(t, second)[c[i]]; s.Why != why {
			t.Errorf("certificate %d is %s: %q, want %q", i, s.Step, s.Why, why)
		}
	}
	for _, s := range h.steps(t, second) {
		if s.Step != issuance.StepDossier {
			continue
		}
		if !strings.Contains(s.Why, "its first re-key rely on it already") {
			t.Errorf("it waits for a dossier: %q", s.Why)
		}
		wantFields(t, h.asItStands(t, s.Order), "dossier")
		if h.certificateRow(t, s.By).HolderID != holder {
			continue
		}
		must[lifecycle.DossierID](t)(h.OpenDossier(t.Context(), stijn, holder, h.papers(t, holder)))
		h.event(t, h.asItStands(t, s.Order)) // an approver has looked at what is new
	}
	h.wantProgress(t, second, lifecycle.CampaignPiloted, map[string]int{"approved": 2, "ordered": 2, "waiting_for_dossier": 1})
}

func TestTwoCertificatesOfAHolderDoNotShareWhatIsLeftOfADossier(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	c := h.inUseCertificates(t, 1)
	beside := h.orderFor(t, h.certificateRow(t, c[0]).HolderID, certprofile.NominativeSignature)
	h.event(t, h.asItStands(t, beside))
	h.activated(t, beside)
	if _, err := h.pool.Exec(t.Context(), "UPDATE certificate SET profile = 'nominative-authentication', dossier_id = NULL WHERE order_id = $1", beside); err != nil {
		t.Fatal(err)
	}
	h.changeProfile(t, 2)
	h.clock.advance(time.Minute)
	id := h.beginAs(t, irene, anew(5))
	h.chunks(t, id)
	h.wantProgress(t, id, lifecycle.CampaignPiloted, map[string]int{"approved": 1, "ordered": 1})
}

func TestWhoApprovesACampaignOfCertificatesSeesItsProfiles(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	h.inUseCertificates(t, 2)
	h.changeProfile(t, 2)
	p := must[issuance.Proposed](t)(h.ProposeCampaign(t.Context(), leonie, anew(1)))
	shown := h.campaign(t, p.ID)
	if p.Size != 2 || shown.Subject != lifecycle.OfCertificates || !strings.Contains(shown.Profiles, `"version":1`) {
		t.Errorf("shown is %+v", shown.CampaignContent)
	}
	wantKind(t, h.DecideCampaign(t.Context(), lifecycle.Actor{ID: "leonie", Role: lifecycle.RoleApprover}, p.ID, shown.Hash(), true, ""), lifecycle.Forbidden)
	wantKind(t, h.DecideCampaign(t.Context(), irene, p.ID, [32]byte{1}, true, ""), lifecycle.Conflict)
	h.changeProfile(t, 1)
	wantKind(t, h.DecideCampaign(t.Context(), irene, p.ID, shown.Hash(), true, ""), lifecycle.Conflict)
	h.event(t, h.DecideCampaign(t.Context(), irene, p.ID, shown.Hash(), false, "propose it again"))

	id := h.beginAs(t, irene, anew(1))
	h.chunks(t, id)
	h.changeProfile(t, 3)
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Go))
	must[time.Duration](t)(h.RunCampaign(t.Context(), id, nil))
	h.wantProgress(t, id, lifecycle.CampaignRunning, map[string]int{"approved": 1, "ordered": 1})
}

func TestACampaignOfCertificatesIsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	h.inUseCertificates(t, 6)
	h.changeProfile(t, 2)
	id := h.beginAs(t, irene, anew(4))
	killed := errors.New("killed")
	if _, err := h.RunCampaign(t.Context(), id, func(pgx.Tx) error { return killed }); !errors.Is(err, killed) {
		t.Fatalf("error = %v", err)
	}
	h.wantProgress(t, id, lifecycle.CampaignPiloting, map[string]int{"waiting": 6})
	results := make(chan error, 2)
	for range 2 { // the rescued job beside the one that was thought dead
		go func() {
			_, err := h.RunCampaign(t.Context(), id, nil)
			results <- err
		}()
	}
	if err := errors.Join(<-results, <-results); err != nil {
		t.Fatal(err)
	}
	h.wantProgress(t, id, lifecycle.CampaignPiloted, map[string]int{"approved": 4, "waiting": 2})
	h.wantRekeyed(t, id, 4)
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Go))
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Pause))
	must[time.Duration](t)(h.RunCampaign(t.Context(), id, nil))
	if n := h.follow(t); n != 0 {
		t.Errorf("a campaign that is paused tells %d holders", n)
	}
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Resume))
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Cancel))
	must[time.Duration](t)(h.RunCampaign(t.Context(), id, nil))
	h.wantProgress(t, id, lifecycle.CampaignCancelled, map[string]int{"approved": 4, "waiting": 2})
	if n := h.follow(t); n != 0 {
		t.Errorf("a campaign that is cancelled tells %d holders", n)
	}
}

func TestACampaignAndARenewalByHandMakeOneOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	c := h.inUseCertificates(t, 4)
	h.changeProfile(t, 2)
	h.clock.advance(certificateLife - 60*day)
	for i := range c {
		id := must[issuance.Proposed](t)(h.ProposeCampaign(t.Context(), leonie, anew(1))).ID
		h.event(t, h.DecideCampaign(t.Context(), irene, id, h.campaign(t, id).Hash(), true, ""))
		h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Pilot))
		results := make(chan error, 2)
		go func() {
			_, err := h.RunCampaign(t.Context(), id, nil)
			results <- err
		}()
		go func() {
			if _, err := h.Renew(t.Context(), alix, c[i]); err != nil && !errors.Is(err, lifecycle.Conflict) {
				results <- err
				return
			}
			results <- nil
		}()
		if err := errors.Join(<-results, <-results); err != nil {
			t.Fatal(err)
		}
	}
	var most int
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT max(n) FROM (SELECT count(*) AS n FROM renewal GROUP BY renews) x").Scan(&most))
	if most != 1 {
		t.Errorf("a certificate is renewed %d times", most)
	}
}

func TestNobodyIsToldMoreThanOnceAWeek(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	c := h.inUseCertificates(t, 3)
	// Two of them are one person's.
	if _, err := h.pool.Exec(t.Context(), "UPDATE certificate SET holder_id = (SELECT holder_id FROM certificate WHERE id = $1), profile = 'nominative-signature' WHERE id = $2", c[0], c[1]); err != nil {
		t.Fatal(err)
	}
	end := deref(h.certificateRow(t, c[0]).NotAfter)
	told := func(want int) {
		t.Helper()
		h.remind(t)
		h.follow(t)
		var pairs, all int
		err := h.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM notice a JOIN notice b ON a.holder_id = b.holder_id AND a.id < b.id
			AND a.kind IN ('expiring', 'renewal') AND b.kind = 'renewal' AND abs(extract(epoch FROM b.due_at - a.due_at)) < 7 * 86400),
			(SELECT count(*) FROM notice WHERE kind = 'renewal')`).Scan(&pairs, &all)
		if err != nil {
			t.Fatal(err)
		}
		if pairs != 0 || all != want {
			t.Errorf("at %s %d are told of renewals, want %d; %d within a week of another", h.clock.now(), all, want, pairs)
		}
	}
	h.clock.set(end.Add(-90*day + time.Hour)) // each is told of the end of theirs
	h.remind(t)
	h.clock.advance(3 * day)
	id := h.beginAs(t, irene, issuance.CampaignRequest{
		Why: "they end", Pilot: 3, Certificates: &issuance.CertificateCriteria{Reason: lifecycle.RenewExpiry, EndsBy: end.Add(day)},
	})
	h.chunks(t, id)
	h.wantProgress(t, id, lifecycle.CampaignPiloted, map[string]int{"approved": 2, "waiting_for_dossier": 1})
	told(0)
	h.clock.advance(3*day + 23*time.Hour)
	told(0)
	h.clock.advance(2 * time.Hour)
	told(2) // of one person's two certificates one
	told(2)
	h.clock.advance(-2 * day) // the clock went back
	told(2)
	h.clock.advance(9*day + time.Hour)
	told(4)
	// A reminder of the end waits for its week too, and comes.
	for range 8 {
		h.clock.advance(7*day + time.Hour)
		h.remind(t)
		h.follow(t)
	}
	h.clock.set(end.Add(-time.Hour))
	for _, id := range c {
		var last int
		for _, n := range must[[]issuance.NoticeView](t)(h.Notices(t.Context(), issuance.NoticeFilter{Certificate: id})) {
			if n.Kind == lifecycle.NoticeRenewal {
				last++
			}
		}
		if last == 0 || last > h.Policy().TellAtMost {
			t.Errorf("of certificate %s its holder is told %d times", id, last)
		}
	}
	told(len(slices.DeleteFunc(must[[]issuance.NoticeView](t)(h.CampaignNotices(t.Context(), id, "")), func(n issuance.NoticeView) bool { return n.Kind != lifecycle.NoticeRenewal })))
}

func TestWhatIsNoNewsAnyMoreIsNotTold(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	c := h.inUseCertificates(t, 2)
	h.changeProfile(t, 2)
	id := h.beginAs(t, irene, anew(2))
	h.chunks(t, id)
	if n := h.follow(t); n != 2 {
		t.Fatalf("%d are told", n)
	}
	if n := len(h.queued(t, lifecycle.JobRemind)); n == 0 {
		t.Error("nothing tells them soon")
	}
	h.wantNotices(t, c[0], "issued 0 requested", "renewal 0 requested")
	plan := must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), h.noticeOf(t, c[0], lifecycle.NoticeRenewal)))
	if plan.Over || plan.Kind != lifecycle.NoticeRenewal || !plan.Ends.Equal(deref(h.certificateRow(t, c[0]).NotAfter)) {
		t.Errorf("plan %+v", plan)
	}
	h.activated(t, h.steps(t, id)[c[1]].Order)
	if plan := must[issuance.NoticePlan](t)(h.BeginNotice(t.Context(), h.noticeOf(t, c[1], lifecycle.NoticeRenewal))); !plan.Over {
		t.Error("whoever has accepted is told to renew")
	}
	h.clock.advance(8 * day)
	if n := h.follow(t); n != 1 {
		t.Errorf("%d are told again", n)
	}
}

func TestWhoIsLateIsExported(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	c := h.inUseCertificates(t, 4)
	h.changeProfile(t, 2)
	if _, err := h.pool.Exec(t.Context(), "UPDATE company SET name = '=1+1;x'"); err != nil {
		t.Fatal(err)
	}
	id := h.beginAs(t, irene, anew(1000))
	h.chunks(t, id)
	steps := h.steps(t, id)
	h.follow(t)
	h.activated(t, steps[c[0]].Order)
	h.event(t, h.Revoke(t.Context(), maxence, c[1], issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	late := func(since time.Duration) [][]string {
		t.Helper()
		var out bytes.Buffer
		n := must[int](t)(h.ExportLate(t.Context(), id, since, &out))
		r := csv.NewReader(&out)
		r.Comma = ';'
		lines := must[[][]string](t)(r.ReadAll())
		if len(lines) != n+1 || lines[0][0] != "certificate" {
			t.Errorf("%d lines of %d", len(lines), n)
		}
		return lines[1:]
	}
	if lines := late(14 * day); len(lines) != 1 || lines[0][0] != string(c[1]) || lines[0][9] != "lapsed" {
		t.Errorf("late at once: %q", lines)
	}
	h.clock.advance(15 * day)
	lines := late(14 * day)
	if len(lines) != 3 {
		t.Fatalf("late: %q", lines)
	}
	if l := lines[1]; l[0] != string(c[2]) || l[4] != "'=1+1;x" || l[9] != "approved" || l[13] != string(steps[c[2]].By) || l[14] != "1" || l[15] != monday.Format(time.DateOnly) {
		t.Errorf("line %q", l)
	}
	_, err := h.ExportLate(t.Context(), "CM-0000000000000000", 0, &bytes.Buffer{})
	wantKind(t, err, lifecycle.NotFound)
}

func TestTheCriteriaOfACampaignOfCertificates(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.twoCAs(t)
	h.publishes(t, "issuing-1")
	h.publishes(t, "issuing-2")
	c := h.inUseCertificates(t, 2)
	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) { return h.SignWith(t.Context(), by, "issuing-2") })
	h.certificate(t, lifecycle.CertActive)
	var client, branch string
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT o.client_id, b.code FROM certificate c JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id JOIN branch b ON b.id = o.branch_id WHERE c.id = $1", c[0]).
		Scan(&client, &branch))
	in := func(set func(*issuance.CertificateCriteria)) issuance.CertificateCriteria {
		criteria := issuance.CertificateCriteria{Reason: lifecycle.RenewCAChange}
		set(&criteria)
		return criteria
	}
	pick := func(by lifecycle.Actor, criteria issuance.CertificateCriteria) (n int, err error) {
		return h.PreviewCertificates(t.Context(), by, criteria, func(issuance.PickedCertificate) error { return nil })
	}
	for name, test := range map[string]struct {
		criteria issuance.CertificateCriteria
		want     int
	}{
		"another CA":           {in(func(*issuance.CertificateCriteria) {}), 2},
		"of a company":         {in(func(c *issuance.CertificateCriteria) { c.Company = client }), 1},
		"of a branch":          {in(func(c *issuance.CertificateCriteria) { c.Branch = branch }), 2},
		"of the CA that signs": {in(func(c *issuance.CertificateCriteria) { c.Issuer = "issuing-2" }), 0},
		"of the CA before":     {in(func(c *issuance.CertificateCriteria) { c.Issuer = "issuing-1" }), 2},
		"of a profile":         {in(func(c *issuance.CertificateCriteria) { c.Profile = certprofile.NominativeAuthentication }), 2},
		"of another profile":   {in(func(c *issuance.CertificateCriteria) { c.Profile = certprofile.NominativeSignature }), 0},
		"before they end":      {in(func(c *issuance.CertificateCriteria) { c.EndsBy = monday.AddDate(1, 0, 0) }), 0},
		"that end":             {in(func(c *issuance.CertificateCriteria) { c.EndsBy = monday.AddDate(4, 0, 0) }), 2},
		"no other profile":     {in(func(c *issuance.CertificateCriteria) { c.Reason = lifecycle.RenewProfileChange }), 0},
		"none ends soon enough": {in(func(c *issuance.CertificateCriteria) {
			c.Reason, c.EndsBy = lifecycle.RenewExpiry, monday.AddDate(4, 0, 0)
		}), 0},
	} {
		if n, err := pick(leonie, test.criteria); err != nil || n != test.want {
			t.Errorf("%s: %d certificates, want %d: %v", name, n, test.want, err)
		}
	}
	for field, spoil := range map[string]func(*issuance.CertificateCriteria){
		"reason": func(c *issuance.CertificateCriteria) { c.Reason = "whim" }, "ends_by": func(c *issuance.CertificateCriteria) { c.Reason = lifecycle.RenewExpiry },
		"profile": func(c *issuance.CertificateCriteria) { c.Profile = "none" }, "issuer": func(c *issuance.CertificateCriteria) { c.Issuer = "none" },
		"company": func(c *issuance.CertificateCriteria) { c.Company = "0" }, "branch": func(c *issuance.CertificateCriteria) { c.Branch = "XX" },
	} {
		_, err := pick(leonie, in(spoil))
		wantFields(t, err, field)
	}
	_, err := pick(alix, in(func(*issuance.CertificateCriteria) {})) // of all branches
	wantKind(t, err, lifecycle.Forbidden)
	_, err = pick(owen, in(func(*issuance.CertificateCriteria) {}))
	wantKind(t, err, lifecycle.Forbidden)
	_, err = h.ProposeCampaign(t.Context(), leonie, issuance.CampaignRequest{
		Why: "both", Pilot: 1, Filter: issuance.Criteria{Profile: "x"}, Certificates: &issuance.CertificateCriteria{Reason: lifecycle.RenewCAChange},
	})
	wantKind(t, err, lifecycle.Invalid)
	_, err = h.ProposeCampaign(t.Context(), leonie, anew(1))
	wantField(t, err, "filter") // nothing is picked
	id := h.beginAs(t, irene, issuance.CampaignRequest{Why: "the CA ends", Pilot: 5, Certificates: &issuance.CertificateCriteria{Reason: lifecycle.RenewCAChange}})
	h.chunks(t, id)
	h.activated(t, h.steps(t, id)[c[0]].Order)
	if got := h.issuerOf(t, h.steps(t, id)[c[0]].By); got != "issuing-2" {
		t.Errorf("the new one is signed by %s", got)
	}
}
