package issuance_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store/db"
)

// consented is an authentication that the holder passed, to change a setting.
func (h *house) consented(t *testing.T, holder lifecycle.HolderID, adapt func(*db.InsertAuthenticationParams, map[string]string)) lifecycle.AuthenticationID {
	t.Helper()
	h.mu.Lock()
	h.people++
	id := lifecycle.AuthenticationID(fmt.Sprintf("AU-%016d", h.people))
	h.mu.Unlock()
	content := map[string]string{"setting": "means.passkey", "old": "-", "new": signing.AddMeans}
	now := h.clock.now()
	p := db.InsertAuthenticationParams{
		ID: id, Service: online.ID, ClientID: "40010001", UserNumber: "0001", HolderID: &holder, State: lifecycle.AuthenticationPending,
		Function: string(signing.ChangeSetting), Means: lifecycle.MeansCAP, Mode: "2+tds", Linked: true, Nonce: make([]byte, 16),
		CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}
	adapt(&p, content)
	p.Content = must[[]byte](t)(json.Marshal(content))
	if err := h.store.InsertAuthentication(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	n := must[int64](t)(h.store.SetAuthenticationState(t.Context(), db.SetAuthenticationStateParams{
		ToState: lifecycle.AuthenticationAccepted, At: &now, Evidence: []byte("{}"), ID: id, FromState: p.State,
	}))
	if n != 1 {
		t.Fatal("not accepted")
	}
	return id
}

func asAsked(*db.InsertAuthenticationParams, map[string]string) {}

// aMeans gives a holder a means that was added long ago.
func (h *house) aMeans(t *testing.T, holder lifecycle.HolderID, kind lifecycle.MeansKind) lifecycle.MeansID {
	t.Helper()
	h.mu.Lock()
	h.people++
	id := lifecycle.MeansID(fmt.Sprintf("M-%016d", h.people))
	h.mu.Unlock()
	if err := h.store.InsertMeans(t.Context(), db.InsertMeansParams{
		ID: id, HolderID: holder, Kind: kind, State: lifecycle.MeansActive, Label: "téléphone", RequestedBy: online.ID, CreatedAt: h.clock.now(),
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAllMeansOfAUserAreInOneList(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	certificate := h.certificate(t, lifecycle.CertActive)
	client, user := h.userOf(t, certificate)
	passkey := h.aMeans(t, h.certificateRow(t, certificate).HolderID, lifecycle.MeansPasskey)
	list := must[[]issuance.Means](t)(h.MeansOf(t.Context(), client, user))
	slices.SortFunc(list, func(a, b issuance.Means) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	if len(list) != 2 || list[0].ID != string(certificate) || list[0].Kind != lifecycle.MeansCertificate || !list[0].Usable ||
		list[1].ID != string(passkey) || list[1].Label != "téléphone" || !list[1].Usable || !list[1].LastUsed.IsZero() {
		t.Fatalf("the list: %+v", list)
	}
	must[issuance.Stop](t)(h.EmergencyStop(t.Context(), online, issuance.StopRequest{ClientID: client, UserNumber: user, Reason: "stolen"}))
	for _, m := range must[[]issuance.Means](t)(h.MeansOf(t.Context(), client, user)) {
		if m.Usable {
			t.Errorf("stopped, this is usable: %+v", m)
		}
	}
	_, err := h.MeansOf(t.Context(), client, "0999")
	wantKind(t, err, lifecycle.NotFound)
}

func TestAMeansComesBackByItsUsersSignatureOnly(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	certificate := h.certificate(t, lifecycle.CertActive)
	client, user := h.userOf(t, certificate)
	holder := h.certificateRow(t, certificate).HolderID
	id := h.aMeans(t, holder, lifecycle.MeansPasskey)
	change := func(on lifecycle.Event, consent issuance.Consent) error {
		return h.ChangeMeans(t.Context(), online, issuance.MeansChange{ID: id, On: on, ClientID: client, UserNumber: user, Consent: consent})
	}
	wantKind(t, h.ChangeMeans(t.Context(), online, issuance.MeansChange{ID: id, On: lifecycle.Suspend, ClientID: client, UserNumber: "0999"}), lifecycle.NotFound)
	if err := change(lifecycle.Suspend, issuance.Consent{}); err != nil {
		t.Fatal(err)
	}
	resume := func(p *db.InsertAuthenticationParams, content map[string]string) {
		content["new"], content["scope"] = signing.ResumeMeans, string(id)
	}
	then := func(also func(p *db.InsertAuthenticationParams, content map[string]string)) issuance.Consent {
		return issuance.Consent{Authentication: h.consented(t, holder, func(p *db.InsertAuthenticationParams, content map[string]string) {
			resume(p, content)
			also(p, content)
		})}
	}
	other := h.certificateRow(t, h.certificate(t, lifecycle.CertActive)).HolderID
	code := lifecycle.NewInvitationCode([16]byte{1})
	for name, consent := range map[string]issuance.Consent{
		"another service's": then(func(p *db.InsertAuthenticationParams, _ map[string]string) { p.Service = "another" }),
		"another holder's":  then(func(p *db.InsertAuthenticationParams, _ map[string]string) { p.HolderID = &other }),
		"a sign-in":         then(func(p *db.InsertAuthenticationParams, _ map[string]string) { p.Function = string(signing.SignIn) }),
		"a secret code":     then(func(p *db.InsertAuthenticationParams, _ map[string]string) { p.Means = lifecycle.MeansCode }),
		"the CODE key":      then(func(p *db.InsertAuthenticationParams, _ map[string]string) { p.Mode, p.Linked = "2", false }),
		"another means":     then(func(_ *db.InsertAuthenticationParams, content map[string]string) { content["scope"] = "M-0" }),
		"another kind":      then(func(_ *db.InsertAuthenticationParams, content map[string]string) { content["setting"] = "means.code" }),
		"an addition":       then(func(_ *db.InsertAuthenticationParams, content map[string]string) { content["new"] = signing.AddMeans }),
		"none that exists":  {Authentication: "AU-9999999999999999"},
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, change(lifecycle.Resume, consent), lifecycle.Forbidden) })
	}
	wantKind(t, change(lifecycle.Resume, issuance.Consent{}), lifecycle.Invalid)
	wantKind(t, change(lifecycle.Resume, issuance.Consent{Code: &code}), lifecycle.Invalid)
	old := then(asAsked)
	h.clock.advance(11 * time.Minute)
	wantKind(t, change(lifecycle.Resume, old), lifecycle.Forbidden)
	good := then(asAsked)
	if err := change(lifecycle.Resume, good); err != nil {
		t.Fatal(err)
	}
	if err := change(lifecycle.Suspend, issuance.Consent{}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, change(lifecycle.Resume, good), lifecycle.Forbidden) // once
	if err := change(lifecycle.Resume, then(asAsked)); err != nil {
		t.Fatal(err)
	}
	// What staff suspend, staff bring back.
	staff := issuance.MeansChange{ID: id, On: lifecycle.Suspend, Why: "the user called"}
	wantKind(t, h.ChangeMeans(t.Context(), stijn, issuance.MeansChange{ID: id, On: lifecycle.Suspend}), lifecycle.Invalid)
	if err := h.ChangeMeans(t.Context(), maxence, staff); err != nil {
		t.Fatal(err)
	}
	wantKind(t, change(lifecycle.Resume, then(asAsked)), lifecycle.Forbidden)
	staff.On = lifecycle.Resume
	if err := h.ChangeMeans(t.Context(), maxence, staff); err != nil {
		t.Fatal(err)
	}
	if err := change(lifecycle.End, issuance.Consent{}); err != nil {
		t.Fatal(err)
	}
	staff.On = lifecycle.Suspend
	wantKind(t, h.ChangeMeans(t.Context(), maxence, staff), lifecycle.Illegal)
	trail := must[[]db.AuditEntry](t)(h.store.AuditOf(t.Context(), string(id)))
	var told []string
	for _, e := range trail {
		told = append(told, e.Event+" "+e.Actor)
	}
	want := []string{"suspend online-banking", "resume online-banking", "suspend online-banking", "resume online-banking", "suspend maxence", "resume maxence", "end online-banking"}
	if !slices.Equal(told, want) {
		t.Errorf("the trail: %v", told)
	}
}

func TestWhoHandsACodeOverThatAddsAMeans(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	client, user := h.userOf(t, h.certificate(t, lifecycle.CertActive))
	for name, test := range map[string]struct {
		by   lifecycle.Actor
		kind lifecycle.MeansKind
		how  issuance.Handover
		want lifecycle.Kind
	}{
		"a relying service": {online, lifecycle.MeansPasskey, issuance.FaceToFace, lifecycle.Forbidden},
		"an auditor":        {owen, lifecycle.MeansPasskey, issuance.FaceToFace, lifecycle.Forbidden},
		"by mail":           {leonie, lifecycle.MeansPasskey, "mail", lifecycle.Invalid},
		"for a card":        {leonie, lifecycle.MeansCAP, issuance.FaceToFace, lifecycle.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.InviteMeans(t.Context(), test.by, client, user, test.kind, test.how)
			wantKind(t, err, test.want)
		})
	}
	made := must[issuance.MeansInvitation](t)(h.InviteMeans(t.Context(), alix, client, user, lifecycle.MeansPasskey, issuance.FaceToFace))
	if len(made.Code.Reveal()) != 34 || !made.Expires.After(h.clock.now()) {
		t.Errorf("the code: %d characters until %v", len(made.Code.Reveal()), made.Expires)
	}
}
