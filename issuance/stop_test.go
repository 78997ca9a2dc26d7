package issuance_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/certprofile"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/party"
)

// userOf is the client ID and user number of a certificate's holder.
func (h *house) userOf(t tb, id lifecycle.CertificateID) (client, user string) {
	t.Helper()
	err := h.pool.QueryRow(t.Context(), `SELECT c.client_id, h.user_number FROM certificate n JOIN holder h ON h.id = n.holder_id
		JOIN company c ON c.id = h.company_id WHERE n.id = $1`, id).Scan(&client, &user)
	if err != nil {
		t.Fatal(err)
	}
	return client, user
}

func TestAnEmergencyStopHoldsWhatItCanAndEndsByFourEyes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	client, user := h.userOf(t, id)
	holder := h.certificateRow(t, id).HolderID
	stop := must[issuance.Stop](t)(h.EmergencyStop(t.Context(), online, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "stolen"}))
	if stop.State != lifecycle.StopActive || !slices.Contains(stop.Held, id) || stop.MadeBy != online.ID || stop.Holder != holder {
		t.Errorf("the receipt: %+v", stop)
	}
	if s := h.status(t, id); !s.Revoked || s.Reason != lifecycle.ReasonCertificateHold {
		t.Errorf("its certificate: %+v", s)
	}
	again := must[issuance.Stop](t)(h.EmergencyStop(t.Context(), maxence, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "fraud"}))
	if again.ID != stop.ID || again.Reason != "stolen" || !slices.Equal(again.Held, stop.Held) {
		t.Errorf("asked again: %+v, first %+v", again, stop)
	}
	if !must[bool](t)(h.Stopped(t.Context(), holder)) {
		t.Error("its user is not stopped")
	}
	wantKind(t, h.Lift(t.Context(), daan, stop.ID), lifecycle.Illegal) // nobody asked
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(h.AskToLift(t.Context(), maxence, stop.ID, "recognised at the desk, phone found"))
	if !must[bool](t)(h.Stopped(t.Context(), holder)) {
		t.Error("asking to lift it lifts it")
	}
	for _, who := range []lifecycle.Actor{online, {ID: string(holder), Role: lifecycle.RoleHolder}, {ID: maxence.ID, Role: lifecycle.RoleApprover}} {
		wantKind(t, h.Lift(t.Context(), who, stop.ID), lifecycle.Forbidden)
	}
	check(h.KeepStop(t.Context(), daan, stop.ID, "call the company first"))
	check(h.AskToLift(t.Context(), maxence, stop.ID, "the company confirmed by the number on record"))
	check(h.Lift(t.Context(), daan, stop.ID))
	if must[bool](t)(h.Stopped(t.Context(), holder)) {
		t.Error("lifted, it stops on")
	}
	if s := h.status(t, id); s.Revoked {
		t.Errorf("its certificate, lifted: %+v", s)
	}
	next := must[issuance.Stop](t)(h.EmergencyStop(t.Context(), online, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "other"}))
	if next.ID == stop.ID {
		t.Error("a stop that was lifted is the receipt of the next")
	}
}

func TestAStopReleasesOnlyWhatItHeld(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	client, user := h.userOf(t, id)
	h.event(t, h.Hold(t.Context(), maxence, id)) // by staff, before
	one := must[issuance.Stop](t)(h.EmergencyStop(t.Context(), online, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "lost"}))
	lift := func(s issuance.Stop) {
		t.Helper()
		if err := h.AskToLift(t.Context(), maxence, s.ID, "found"); err != nil {
			t.Fatal(err)
		}
		if err := h.Lift(t.Context(), daan, s.ID); err != nil {
			t.Fatal(err)
		}
	}
	lift(one)
	if s := h.status(t, id); !s.Revoked {
		t.Error("what staff held was released with a stop")
	}
	h.event(t, h.Release(t.Context(), maxence, id))
	// A user's stop and the company's: the last that ends releases.
	one = must[issuance.Stop](t)(h.EmergencyStop(t.Context(), online, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "lost"}))
	all := must[issuance.Stop](t)(h.EmergencyStop(t.Context(), maxence, issuance.StopRequest{ClientID: client, Reason: "fraud"}))
	if all.Holder != "" || all.ID == one.ID || !slices.Contains(all.Held, id) {
		t.Errorf("the company's: %+v", all)
	}
	lift(one)
	if s := h.status(t, id); !s.Revoked {
		t.Error("released although the company's stop holds on")
	}
	lift(all)
	if s := h.status(t, id); s.Revoked {
		t.Error("not released with the last stop")
	}
}

func TestAStopNamesWhatItMayNotHold(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	firm, _ := certprofile.BuiltIn(h.Policy().CertProfile)
	firm.Hold = false
	h.newProfile(t, firm)
	id := h.certificate(t, lifecycle.CertActive)
	client, user := h.userOf(t, id)
	stop := must[issuance.Stop](t)(h.EmergencyStop(t.Context(), online, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "stolen"}))
	if len(stop.Held) != 0 || !slices.Equal(stop.ToRevoke, []lifecycle.CertificateID{id}) {
		t.Errorf("%+v", stop)
	}
	if s := h.status(t, id); s.Revoked {
		t.Error("it was revoked")
	}
}

func TestWhoStopsWhom(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.certificate(t, lifecycle.CertActive)
	client, user := h.userOf(t, id)
	own := lifecycle.Actor{ID: string(h.certificateRow(t, id).HolderID), Role: lifecycle.RoleHolder}
	for name, test := range map[string]struct {
		by   lifecycle.Actor
		r    issuance.StopRequest
		want lifecycle.Kind
	}{
		"a holder the company":    {own, issuance.StopRequest{ClientID: client, Reason: "lost"}, lifecycle.Forbidden},
		"another holder":          {lifecycle.Actor{ID: "H-0000000000000001", Role: lifecycle.RoleHolder}, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "lost"}, lifecycle.Forbidden},
		"an auditor":              {lifecycle.Actor{ID: "aude", Role: lifecycle.RoleAuditor}, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "lost"}, lifecycle.Forbidden},
		"an unknown company":      {online, issuance.StopRequest{ClientID: "99999999", Reason: "lost"}, lifecycle.Invalid},
		"an unknown user":         {online, issuance.StopRequest{ClientID: client, UserNumber: "9999", Reason: "lost"}, lifecycle.Invalid},
		"no reason":               {online, issuance.StopRequest{ClientID: client, UserNumber: user}, lifecycle.Invalid},
		"a note that is too long": {online, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "lost", Note: strings.Repeat("n", 501)}, lifecycle.Invalid},
	} {
		_, err := h.EmergencyStop(t.Context(), test.by, test.r)
		if err == nil {
			t.Errorf("%s: done", name)
			continue
		}
		wantKind(t, err, test.want)
	}
	if _, err := h.EmergencyStop(t.Context(), own, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "lost"}); err != nil {
		t.Errorf("a holder themselves: %v", err)
	}
}

func TestAReportOfFraudIsKeptMaskedAndHandled(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	client, user := h.userOf(t, h.certificate(t, lifecycle.CertActive))
	r := must[issuance.FraudReport](t)(h.ReportFraud(t.Context(), online, issuance.FraudReport{
		Kind: "call", ClientID: client, UserNumber: user, Language: party.French, Happened: h.clock.now().Add(-time.Hour), Operation: "VIR-77",
		Told: "On m'a appelé du 01 23 45 67 89 au sujet de 12 500,75 EUR.\nJ'ai donné mon code : 1234 5678 et ma carte 4970 1000 0000 0014.", Contact: "06 12 34 56 78",
	}))
	if !strings.HasPrefix(string(r.ID), "FR-") || r.Holder == "" || r.State != lifecycle.FraudReceived {
		t.Errorf("the receipt: %+v", r)
	}
	kept := must[issuance.FraudReport](t)(h.FraudReport(t.Context(), r.ID))
	for _, secret := range []string{"1234 5678", "4970"} {
		if strings.Contains(kept.Told, secret) {
			t.Errorf("%s is kept: %s", secret, kept.Told)
		}
	}
	for _, word := range []string{"01 23 45 67 89", "12 500,75", "0014"} {
		if !strings.Contains(kept.Told, word) {
			t.Errorf("%s is gone: %s", word, kept.Told)
		}
	}
	waiting := func() int {
		return len(must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{Kind: lifecycle.WorkFraud})))
	}
	if waiting() != 1 {
		t.Error("nobody is told")
	}
	wantKind(t, h.CloseFraud(t.Context(), maxence, r.ID, true, "known gang"), lifecycle.Illegal)
	if err := h.ReviewFraud(t.Context(), maxence, r.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.CloseFraud(t.Context(), maxence, r.ID, true, ""), lifecycle.Invalid)
	wantKind(t, h.CloseFraud(t.Context(), online, r.ID, true, "known gang"), lifecycle.Forbidden)
	if err := h.CloseFraud(t.Context(), maxence, r.ID, true, "known gang"); err != nil {
		t.Fatal(err)
	}
	if closed := must[issuance.FraudReport](t)(h.FraudReport(t.Context(), r.ID)); closed.State != lifecycle.FraudConfirmed || closed.HandledBy != maxence.ID || closed.Outcome != "known gang" || waiting() != 0 {
		t.Errorf("closed: %+v", closed)
	}
	_, err := h.ReportFraud(t.Context(), online, issuance.FraudReport{Kind: "smoke", ClientID: "1", UserNumber: "x", Told: "a\x00", Contact: strings.Repeat("c", 201), Language: "it", Happened: h.clock.now().Add(time.Hour)})
	var wrongs lifecycle.FieldErrors
	wrongs.Merge(err)
	names := make([]string, len(wrongs))
	for i, w := range wrongs {
		names[i] = w.Field
	}
	if fields := strings.Join(names, " "); fields != "kind client_id user_number told contact happened language" {
		t.Errorf("wrong fields: %s", fields)
	}
}
