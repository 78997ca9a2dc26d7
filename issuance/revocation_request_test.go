package issuance_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/certprofile"
	"sceau/issuance"
	"sceau/lifecycle"
)

// elsewhere is an account manager of another branch.
var elsewhere = lifecycle.Actor{ID: "elsewhere", Role: lifecycle.RoleAccountManager}

// leveled has certificates that are ordered from now on be of a level.
func (h *house) leveled(t *testing.T, level certprofile.Level, questions int) {
	t.Helper()
	p, _ := certprofile.BuiltIn(h.Policy().CertProfile)
	p.Level, p.RevocationQuestions, p.RetentionYears = level, questions, 10
	p.Device, p.FaceToFace = level == certprofile.LevelTwo || level == certprofile.LevelThree, level == certprofile.LevelThree
	h.newProfile(t, p)
}

func answers(right bool, questions ...lifecycle.Question) []issuance.Answer {
	var all []issuance.Answer
	for _, q := range questions {
		all = append(all, issuance.Answer{Question: q, Right: right})
	}
	return all
}

func revocation(caller lifecycle.Caller, given []issuance.Answer) issuance.RevocationCall {
	return issuance.RevocationCall{
		Act: lifecycle.Revoke, Caller: caller, Answers: given, Revocation: issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise},
	}
}

func TestACallerIsRecognisedByTheLevelOfTheProfile(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	h.leveled(t, certprofile.LevelOne, 2)
	facts := []lifecycle.Question{lifecycle.AskUserNumber, lifecycle.AskEmailAddress, lifecycle.AskBirth}
	for name, test := range map[string]struct {
		answers []issuance.Answer
		state   lifecycle.RevocationState
	}{
		"nothing asked":   {nil, lifecycle.RevocationUnconfirmed},
		"too few":         {answers(true, facts[0]), lifecycle.RevocationUnconfirmed},
		"too few right":   {append(answers(true, facts[0]), answers(false, facts[1:]...)...), lifecycle.RevocationUnconfirmed},
		"enough":          {answers(true, facts[:2]...), lifecycle.RevocationDone},
		"one wrong, more": {append(answers(false, facts[0]), answers(true, facts[1:]...)...), lifecycle.RevocationDone},
	} {
		id := h.certificate(t, lifecycle.CertActive)
		made := must[issuance.RevocationRequest](t)(h.CallRevocation(t.Context(), stijn, id, revocation(lifecycle.CallerHolder, test.answers)))
		kept := must[[]issuance.Answer](t)(h.CallerAnswers(t.Context(), made.ID))
		if made.State != test.state || len(kept) != len(test.answers) || made.TakenBy != stijn.ID || (made.Why == "") != (test.state == lifecycle.RevocationDone) {
			t.Errorf("%s: %+v, %v", name, made, kept)
		}
		want := lifecycle.CertActive
		if test.state == lifecycle.RevocationDone {
			want = lifecycle.CertRevoked
		}
		h.wantCertificate(t, id, want)
	}
	items := must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{Kind: lifecycle.WorkUnconfirmed}))
	if len(items) != 3 || !strings.Contains(items[0].Why, "the profile asks for 2") {
		t.Fatalf("work: %+v", items)
	}
	// After a day nobody has confirmed them: they are closed with why, and no work any more.
	waiting := items[0]
	h.clock.advance(24*time.Hour - time.Second)
	h.event(t, h.RevokeDue(t.Context(), nil))
	h.event(t, h.WithdrawRequest(t.Context(), maxence, lifecycle.RevocationRequestID(items[1].ID), "a slip of the mouse"))
	h.clock.advance(time.Second)
	h.event(t, h.RevokeDue(t.Context(), nil))
	if left := must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{Kind: lifecycle.WorkUnconfirmed})); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	closed := must[issuance.RevocationRequest](t)(h.RevocationRequest(t.Context(), lifecycle.RevocationRequestID(waiting.ID)))
	if closed.State != lifecycle.RevocationClosed || !strings.Contains(closed.Why, "nobody confirmed it in time") {
		t.Errorf("closed: %+v", closed)
	}

	h.leveled(t, certprofile.LevelThree, 4)
	common := []lifecycle.Question{lifecycle.AskUserNumber, lifecycle.AskEmailAddress, lifecycle.AskBirth, lifecycle.AskPostalAddress}
	id := h.certificate(t, lifecycle.CertAwaitingKey)
	h.event(t, h.Service.TakeKey(t.Context(), h.ofCertificate(t.Context(), helene, id), id, newKey(t), &issuance.Device{Manufacturer: "M", Model: "T", Serial: "7"}))
	h.issue(t, id)
	h.event(t, h.Accept(t.Context(), helene, id))
	if made := must[issuance.RevocationRequest](t)(h.CallRevocation(t.Context(), stijn, id, revocation(lifecycle.CallerHolder, answers(true, common...)))); made.State != lifecycle.RevocationUnconfirmed {
		t.Errorf("without a secret at level ***: %+v", made)
	}
	common[0] = lifecycle.AskIdentityDocument
	if made := must[issuance.RevocationRequest](t)(h.CallRevocation(t.Context(), stijn, id, revocation(lifecycle.CallerHolder, answers(true, common...)))); made.State != lifecycle.RevocationDone {
		t.Errorf("with a secret: %+v", made)
	}
	// What waited on the certificate is closed with it.
	if open := must[[]issuance.RevocationRequest](t)(h.RevocationRequests(t.Context(), issuance.RequestFilter{Certificate: id, State: lifecycle.RevocationUnconfirmed})); len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
}

func TestACallIsRefused(t *testing.T) {
	t.Parallel()
	b := bank()
	b.Staff = append(b.Staff, issuance.Staff{Login: elsewhere.ID, Name: "x", Roles: []lifecycle.Role{elsewhere.Role}, BranchCode: "BE02", Language: "fr"})
	h := setupBank(t, func(*issuance.Policy) {}, b)
	h.authority(t, 1)
	active, now := h.certificate(t, lifecycle.CertActive), h.clock.now()
	call := func(adapt func(*issuance.RevocationCall)) issuance.RevocationCall {
		c := revocation(lifecycle.CallerBank, nil)
		adapt(&c)
		return c
	}
	for name, test := range map[string]struct {
		by    lifecycle.Actor
		call  issuance.RevocationCall
		field string
		kind  lifecycle.Kind
	}{
		"by an approver":              {irene, call(func(*issuance.RevocationCall) {}), "", lifecycle.Forbidden},
		"of another branch":           {elsewhere, call(func(*issuance.RevocationCall) {}), "", lifecycle.Forbidden},
		"a CA's reason by a manager":  {alix, call(func(c *issuance.RevocationCall) { c.Reason = lifecycle.ReasonCACompromise }), "reason", lifecycle.Invalid},
		"certificateHold as a reason": {maxence, call(func(c *issuance.RevocationCall) { c.Reason = lifecycle.ReasonCertificateHold }), "reason", lifecycle.Invalid},
		"removeFromCRL":               {maxence, call(func(c *issuance.RevocationCall) { c.Reason = lifecycle.ReasonRemoveFromCRL }), "reason", lifecycle.Invalid},
		"no such reason":              {maxence, call(func(c *issuance.RevocationCall) { c.Reason = 7 }), "reason", lifecycle.Invalid},
		"invalid from tomorrow":       {alix, call(func(c *issuance.RevocationCall) { c.InvalidityDate = now.Add(time.Hour) }), "invalidity_date", lifecycle.Invalid},
		"a call of tomorrow":          {alix, call(func(c *issuance.RevocationCall) { c.Requested = now.Add(time.Hour) }), "requested", lifecycle.Invalid},
		"after its end":               {alix, call(func(c *issuance.RevocationCall) { c.Due = now.AddDate(5, 0, 0) }), "due", lifecycle.Invalid},
		"a hold for later":            {alix, call(func(c *issuance.RevocationCall) { c.Act, c.Due = lifecycle.Hold, now.Add(time.Hour) }), "due", lifecycle.Invalid},
		"another act":                 {alix, call(func(c *issuance.RevocationCall) { c.Act = lifecycle.Issue }), "act", lifecycle.Invalid},
		"nobody":                      {alix, call(func(c *issuance.RevocationCall) { c.Caller = "" }), "caller", lifecycle.Invalid},
		"an own question":             {alix, call(func(c *issuance.RevocationCall) { c.Answers = answers(true, "maiden_name") }), "question", lifecycle.Invalid},
		"a question twice":            {alix, call(func(c *issuance.RevocationCall) { c.Answers = answers(true, "date_of_birth", "date_of_birth") }), "question", lifecycle.Invalid},
		"a representative unknown": {alix, call(func(c *issuance.RevocationCall) {
			c.Caller, c.Representative = lifecycle.CallerRepresentative, "RP-0000000000000000"
		}), "", lifecycle.NotFound},
		"a long note": {alix, call(func(c *issuance.RevocationCall) { c.Note = strings.Repeat("é", 401) }), "note", lifecycle.Invalid},
	} {
		_, err := h.CallRevocation(t.Context(), test.by, active, test.call)
		if !errors.Is(err, test.kind) || test.field != "" && !strings.Contains(err.Error(), test.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := must[[]issuance.RevocationRequest](t)(h.RevocationRequests(t.Context(), issuance.RequestFilter{})); len(got) != 0 {
		t.Errorf("refusals left %+v", got)
	}
	if made := must[issuance.RevocationRequest](t)(h.CallRevocation(t.Context(), maxence, active, call(func(c *issuance.RevocationCall) { c.Reason = lifecycle.ReasonCACompromise }))); made.State != lifecycle.RevocationDone {
		t.Errorf("an officer's: %+v", made)
	}
	_, err := h.CallRevocation(t.Context(), maxence, active, call(func(*issuance.RevocationCall) {})) // revoked already
	wantKind(t, err, lifecycle.Illegal)
	expired := h.certificate(t, lifecycle.CertActive)
	h.clock.advance(certificateLife + time.Hour)
	must[issuance.Expired](t)(h.ExpireDue(t.Context()))
	h.wantCertificate(t, expired, lifecycle.CertExpired)
	_, err = h.CallRevocation(t.Context(), maxence, expired, call(func(*issuance.RevocationCall) {}))
	wantKind(t, err, lifecycle.Illegal)
}

func TestTwinsRevokeOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	errs := make([]error, 6)
	var race sync.WaitGroup
	for i := range errs {
		race.Go(func() { _, errs[i] = h.CallRevocation(t.Context(), maxence, id, revocation(lifecycle.CallerBank, nil)) })
	}
	race.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantKind(t, err, lifecycle.Illegal)
		}
	}
	if changes := must[[]issuance.StatusChange](t)(h.StatusChangesOf(t.Context(), id)); won != 1 || len(changes) != 1 {
		t.Errorf("%d won, %d changes", won, len(changes))
	}
}

func TestARepresentativeCallsForTheirCompany(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	other := h.certificate(t, lifecycle.CertActive)
	company := func(id lifecycle.CertificateID) (client string) {
		err := h.pool.QueryRow(t.Context(), `SELECT o.client_id FROM certificate c JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id
			WHERE c.id = $1`, id).Scan(&client)
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	_, err := h.NameRepresentative(t.Context(), alix, company(id), "Paul\nX", "gérant")
	wantKind(t, err, lifecycle.Invalid)
	_, err = h.NameRepresentative(t.Context(), irene, company(id), "Paul Morvan", "gérant")
	wantKind(t, err, lifecycle.Forbidden)
	paul := must[lifecycle.RepresentativeID](t)(h.NameRepresentative(t.Context(), alix, company(id), "Paul Morvan", "gérant"))
	call := revocation(lifecycle.CallerRepresentative, answers(true, lifecycle.AskRegistryNumber, lifecycle.AskAccountManager))
	call.Representative = paul
	if company(id) != company(other) {
		_, err = h.CallRevocation(t.Context(), alix, other, call)
		wantField(t, err, "representative")
	}
	made := must[issuance.RevocationRequest](t)(h.CallRevocation(t.Context(), alix, id, call))
	if made.State != lifecycle.RevocationDone || made.Representative != paul || made.RecognisedBy != lifecycle.ByQuestions {
		t.Errorf("%+v", made)
	}
	h.event(t, h.EndRepresentative(t.Context(), alix, company(id), paul))
	h.event(t, h.EndRepresentative(t.Context(), alix, company(id), paul)) // again
	if all := must[[]issuance.Representative](t)(h.Representatives(t.Context(), company(id))); len(all) != 1 || all[0].Ended.IsZero() {
		t.Errorf("%+v", all)
	}
}

func TestARevocationForLater(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	later := func(id lifecycle.CertificateID, in time.Duration) issuance.RevocationRequest {
		call := revocation(lifecycle.CallerBank, nil)
		call.Reason, call.Due = lifecycle.ReasonAffiliationChanged, h.clock.now().Add(in)
		made := must[issuance.RevocationRequest](t)(h.CallRevocation(t.Context(), alix, id, call))
		if made.State != lifecycle.RevocationScheduled {
			t.Fatalf("%+v", made)
		}
		return made
	}
	due, forward, dropped, overtaken := h.certificate(t, lifecycle.CertActive), h.certificate(t, lifecycle.CertHeld), h.certificate(t, lifecycle.CertActive), h.certificate(t, lifecycle.CertActive)
	atFive := later(due, 5*time.Hour)
	h.event(t, h.BringForward(t.Context(), alix, later(forward, 5*time.Hour).ID))
	h.wantCertificate(t, forward, lifecycle.CertRevoked)
	unwanted := later(dropped, 5*time.Hour)
	wantField(t, h.WithdrawRequest(t.Context(), alix, unwanted.ID, ""), "why")
	wantKind(t, h.WithdrawRequest(t.Context(), irene, unwanted.ID, "not mine"), lifecycle.Forbidden)
	h.event(t, h.WithdrawRequest(t.Context(), alix, unwanted.ID, "she stays with the company"))
	wantKind(t, h.WithdrawRequest(t.Context(), alix, unwanted.ID, "again"), lifecycle.Illegal)
	first := later(overtaken, 5*time.Hour)
	h.event(t, h.Revoke(t.Context(), maxence, overtaken, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))

	h.event(t, h.RevokeDue(t.Context(), nil))
	h.wantCertificate(t, due, lifecycle.CertActive)
	h.clock.advance(-48 * time.Hour) // back
	h.event(t, h.RevokeDue(t.Context(), nil))
	h.wantCertificate(t, due, lifecycle.CertActive)
	h.clock.advance(53*time.Hour + time.Minute)
	var race sync.WaitGroup
	for range 4 { // two workers, or one that was killed and its heir
		race.Go(func() { h.event(t, h.RevokeDue(t.Context(), nil)) })
	}
	race.Wait()
	h.wantCertificate(t, due, lifecycle.CertRevoked)
	h.wantCertificate(t, dropped, lifecycle.CertActive)
	changes := must[[]issuance.StatusChange](t)(h.StatusChangesOf(t.Context(), due))
	if len(changes) != 1 || !changes[0].Requested.Equal(atFive.Due.Truncate(time.Microsecond)) {
		t.Errorf("timed from %+v, not from %s", changes, atFive.Due)
	}
	if r := must[issuance.RevocationRequest](t)(h.RevocationRequest(t.Context(), first.ID)); r.State != lifecycle.RevocationClosed || r.Why != "the certificate was revoked" {
		t.Errorf("overtaken: %+v", r)
	}
}

func TestTheTimeFromTheCallToTheWorldIsMeasured(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	if _, any, err := h.SlowestChange(t.Context()); any || err != nil {
		t.Errorf("nothing changed: %v, %v", any, err)
	}
	call := revocation(lifecycle.CallerBank, nil)
	call.Requested = h.clock.now().Add(-10 * time.Minute)
	must[issuance.RevocationRequest](t)(h.CallRevocation(t.Context(), maxence, id, call))
	only := func() issuance.StatusChange {
		all := must[[]issuance.StatusChange](t)(h.StatusChangesOf(t.Context(), id))
		if len(all) != 1 {
			t.Fatalf("changes: %+v", all)
		}
		return all[0]
	}
	if c := only(); !c.Pending() || c.Event != lifecycle.Revoke || c.Took(h.clock.now()).Round(time.Second) != 10*time.Minute {
		t.Errorf("just recorded: %+v", c)
	}
	serial := lifecycle.Serial(h.certificateRow(t, id).Serial)
	put := func(version int32) {
		now := h.clock.now()
		h.event(t, h.PutOCSP(t.Context(), []issuance.OCSPAnswer{{Serial: serial, Version: version, DER: []byte("x"), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}}))
	}
	put(0) // of the status before
	if c := only(); !c.Answered.IsZero() {
		t.Errorf("an older answer told it: %+v", c)
	}
	h.clock.advance(2 * time.Second)
	put(1)
	h.clock.advance(time.Hour)
	h.event(t, h.RevokeDue(t.Context(), nil))
	alarm := must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{Kind: lifecycle.WorkRevocation}))
	if len(alarm) != 1 || !strings.Contains(alarm[0].Why, string(id)) {
		t.Errorf("no list for an hour: %+v", alarm)
	}
	h.finishCRL(t, h.beginCRL(t, false), "list 1")
	c := only()
	if c.Pending() || c.ListNumber != 1 || c.Took(h.clock.now()).Round(time.Minute) != 70*time.Minute || !c.Answered.Before(c.Listed) {
		t.Errorf("told: %+v", c)
	}
	if slowest, any, err := h.SlowestChange(t.Context()); err != nil || !any || slowest.Certificate != id {
		t.Errorf("slowest: %+v, %v", slowest, err)
	}
}
