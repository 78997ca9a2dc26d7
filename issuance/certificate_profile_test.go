package issuance_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/certprofile"
	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// newProfile makes a version of a profile the live one.
func (h *house) newProfile(t tb, p certprofile.Profile) int {
	t.Helper()
	version := must[int](t)(h.ProposeProfile(t.Context(), maxence, p))
	h.event(t, h.ApproveProfile(t.Context(), irene, p.Name, version, p.Sum()))
	return version
}

func nominative(t tb) certprofile.Profile {
	t.Helper()
	p, ok := certprofile.BuiltIn(certprofile.NominativeAuthentication)
	if !ok {
		t.Fatal("no built-in profile")
	}
	return p
}

func TestAProfileTakesTwoPeopleAndTheHashOfWhatWasSeen(t *testing.T) {
	t.Parallel()
	h := setup(t)
	p := nominative(t)
	p.Years = 1
	for _, by := range everyone {
		_, err := h.ProposeProfile(t.Context(), by, p)
		if slices.Contains(lifecycle.ProfileAuthors(), by.Role) {
			h.event(t, err)
		} else {
			wantKind(t, err, lifecycle.Forbidden)
		}
	}
	long, other := p, p
	long.Years = 4
	_, err := h.ProposeProfile(t.Context(), maxence, long)
	wantKind(t, err, lifecycle.Invalid)
	other.Kind, other.KeyUsage, other.Purposes = certprofile.PersonSignature, []certprofile.KeyUsage{certprofile.NonRepudiation}, nil
	_, err = h.ProposeProfile(t.Context(), maxence, other)
	wantField(t, err, "kind")

	version := must[int](t)(h.ProposeProfile(t.Context(), maxence, p))
	author := lifecycle.Actor{ID: maxence.ID, Role: lifecycle.RoleApprover}
	wantKind(t, h.ApproveProfile(t.Context(), author, p.Name, version, p.Sum()), lifecycle.Forbidden)
	wantKind(t, h.ApproveProfile(t.Context(), irene, p.Name, version, sha256.Sum256(nil)), lifecycle.Conflict)
	wantKind(t, h.ApproveProfile(t.Context(), irene, "another", version, p.Sum()), lifecycle.NotFound)
	if live := must[issuance.CertificateProfile](t)(h.LiveProfile(t.Context(), p.Name)); live.Version != issuance.BuiltIn || live.Years != 3 {
		t.Errorf("live is %+v", live)
	}
	h.event(t, h.ApproveProfile(t.Context(), irene, p.Name, version, p.Sum()))
	if live := must[issuance.CertificateProfile](t)(h.LiveProfile(t.Context(), p.Name)); live.Version != version || live.Years != 1 || live.SHA256 != p.Sum() {
		t.Errorf("live is %+v", live)
	}
	_, err = h.LiveProfile(t.Context(), "nobody's")
	wantKind(t, err, lifecycle.NotFound)
}

// A policy that the CA's certificate does not allow makes its certificates worthless
// to whoever validates by policy.
func TestAProfileNamesPoliciesThatTheCAMayAssert(t *testing.T) {
	t.Parallel()
	h := setup(t)
	ours := nominative(t)
	var builtIn []string
	for _, p := range certprofile.BuiltIns() {
		builtIn = append(builtIn, p.Policies...)
	}
	const own = "1.3.6.1.4.1.32473.7.1"
	ours.Policies = []string{own}
	early := must[int](t)(h.ProposeProfile(t.Context(), maxence, ours)) // before there is a CA

	for id, certificate := range map[string][]byte{"issuing-1": caAllowing(t, 2, builtIn...), "root-1": longCA(t, 1)} {
		h.event(t, h.RecordAuthority(t.Context(), maxence, issuance.Authority{
			ID: id, Certificate: certificate, Mount: "transit", Key: id, Shards: 2, Online: id != "root-1",
		}))
	}
	for id, allowed := range map[string][]string{"issuing-2": append(slices.Clone(builtIn), own), "issuing-3": {own}, "issuing-4": {"2.5.29.32.0"}, "issuing-5": nil} {
		h.event(t, h.RecordAuthority(t.Context(), maxence, issuance.Authority{
			ID: id, Certificate: caAllowing(t, int64(id[8]), allowed...), Mount: "transit", Key: id, Shards: 2, Online: true, Parent: "root-1",
		}))
		h.publishes(t, id)
	}
	h.publishes(t, "issuing-1")
	_, err := h.ProposeProfile(t.Context(), maxence, ours)
	wantField(t, err, "policies")
	for _, say := range []string{own, "issuing-1", "new issuing CA first"} {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("it does not say %q: %v", say, err)
		}
	}
	wantField(t, h.ApproveProfile(t.Context(), irene, ours.Name, early, ours.Sum()), "policies")
	ours.Policies = []string{certprofile.PolicyAuthentication, own}
	_, err = h.ProposeProfile(t.Context(), maxence, ours)
	wantField(t, err, "policies")
	h.event(t, h.PoliciesAllowed(t.Context()))

	next := func(id string) { // signs
		agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) { return h.SignWith(t.Context(), by, id) })
	}
	next("issuing-2")
	both := must[int](t)(h.ProposeProfile(t.Context(), maxence, ours))
	h.event(t, h.ApproveProfile(t.Context(), irene, ours.Name, both, ours.Sum()))
	for _, id := range []string{"issuing-1", "issuing-3", "issuing-5"} { // none allows all that is live
		_, err := h.SignWith(t.Context(), maxence, id)
		wantField(t, err, "policies")
	}
	next("issuing-4")
	h.event(t, h.PoliciesAllowed(t.Context()))
	anything := ours
	anything.Policies = []string{"1.2.3.4.5"}
	h.newProfile(t, anything)
	_, err = h.SignWith(t.Context(), maxence, "issuing-2") // and not back
	wantField(t, err, "policies")
}

// The approver's hash covers the version: what is approved is issued, whatever
// becomes of the profile since.
func TestTheVersionIsFixedWhenTheOrderIsApproved(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	order := h.submitCertificate(t)
	id := h.order(t, order).Certificate.ID
	seen := h.shown(t, order)
	short := nominative(t)
	short.Years = 1
	first := h.newProfile(t, short)
	wantKind(t, h.Approve(t.Context(), irene, order, seen), lifecycle.Conflict)
	h.approve(t, order)
	short.Years, short.Days = 0, 90
	second := h.newProfile(t, short)
	if got := h.order(t, order); got.ProfileVersion != first || got.Profile != short.Name {
		t.Errorf("the order shows version %d of %q", got.ProfileVersion, got.Profile)
	}
	h.event(t, h.TakeKey(t.Context(), helene, id, newKey(t)))
	for range 2 { // a second worker drafts the same
		plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
		if plan.Profile.Version != first || plan.Profile.Years != 1 || plan.Profile.State != lifecycle.EditionRetired {
			t.Errorf("issued by %+v", plan.Profile)
		}
	}
	later := h.certificate(t, lifecycle.CertAwaitingKey)
	if got := must[issuance.CertificateProfile](t)(h.ProfileOf(t.Context(), later)); got.Version != second || got.Level != certprofile.LevelOne {
		t.Errorf("the next is by %+v", got)
	}
}

func TestACertificateIsOrderedByAProfileThatFits(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	holder := h.holder(t)
	order := func(profile, service string) (lifecycle.OrderID, error) {
		return h.Submit(t.Context(), alix, issuance.OrderRequest{
			Kind: lifecycle.OrderNewCertificate, Holder: holder, Profile: profile, Service: service,
		})
	}
	for _, test := range []struct{ profile, service, field string }{
		{"nobody's", "", "profile"},
		{certprofile.StaffSignIn, "", "profile"},
		{certprofile.NominativeSignature, "paie.example", "service"},
		{certprofile.RelyingServiceClient, "", "service"},
		{certprofile.RelyingServiceClient, "<b>paie</b>", "service"},
		{certprofile.RelyingServiceClient, "{{.Token}}", "service"},
	} {
		_, err := order(test.profile, test.service)
		wantField(t, err, test.field)
	}
	_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: holder, Delivery: "home", Profile: "staff"})
	wantField(t, err, "profile")

	id := must[lifecycle.OrderID](t)(order(certprofile.RelyingServiceClient, "paie.example"))
	h.approve(t, id)
	subject := must[issuance.Subject](t)(h.SubjectOf(t.Context(), h.order(t, id).Certificate.ID))
	if subject.Service != "paie.example" || subject.Organization == "" || subject.Surname+subject.GivenName+subject.HolderNumber+subject.Email != "" {
		t.Errorf("the system is %+v", subject)
	}
}

// stopped is a certificate whose draft broke a rule.
func (h *house) stopped(t tb) lifecycle.CertificateID {
	t.Helper()
	id := h.certificate(t, lifecycle.CertIssuing)
	plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
	h.event(t, h.StopIssue(t.Context(), plan, "the company's name is too long", nil))
	return id
}

func TestAStoppedCertificateIsMendedFromTheListOfWork(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	id := h.stopped(t)
	h.wantCertificate(t, id, lifecycle.CertStopped)
	item := h.theOne(t, lifecycle.WorkCertificate)
	if item.ID != string(id) || !strings.Contains(item.Why, "too long") || issuance.Mends(item.Kind) == "" {
		t.Errorf("it waits as %+v", item)
	}
	before := h.certificateRow(t, id)
	short := nominative(t)
	short.Years = 2
	version := h.newProfile(t, short)
	h.clock.advance(24 * time.Hour)
	for _, by := range []lifecycle.Actor{helene, irene, owen, online} {
		wantKind(t, h.RetryWork(t.Context(), by, item.ID), lifecycle.Forbidden)
	}
	h.event(t, h.RetryWork(t.Context(), leonie, item.ID))
	after := h.certificateRow(t, id)
	if deref(after.ProfileVersion) != int32(version) || string(after.Serial) == string(before.Serial) || !deref(after.ReservedAt).Equal(h.clock.now()) {
		t.Errorf("it is taken up as %+v", after)
	}
	h.issue(t, id)
	h.wantCertificate(t, id, lifecycle.CertIssued)
	if left := h.waiting(t, ""); len(left) != 0 {
		t.Errorf("it waits still: %+v", left)
	}

	// What was approved for one level is not issued at another.
	id = h.stopped(t)
	high := nominative(t)
	high.Level, high.Device, high.RetentionYears, high.RevocationQuestions = certprofile.LevelTwo, true, 7, 4
	h.newProfile(t, high)
	wantKind(t, h.RetryWork(t.Context(), leonie, string(id)), lifecycle.Illegal)
	h.event(t, h.Revoke(t.Context(), maxence, id, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
	if left := h.waiting(t, lifecycle.WorkCertificate); len(left) != 0 {
		t.Errorf("it waits still: %+v", left)
	}
}

// A distinguished name is never given to another person, also after the first one
// has left and the number is given anew. Two people of one name differ by number.
func TestADistinguishedNameStaysWhoseItIs(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	twin := func(number string) lifecycle.CertificateID {
		order := h.submit(t, func(o *demodata.Order) {
			o.Product, o.Delivery = "certificate", "-"
			o.ClientID, o.Company, o.RegistryNumber, o.UserNumber, o.GivenName, o.Surname = "70000001", "Ateliers Montclair", "552100554", number, "Anne", "Martin"
		})
		h.approve(t, order)
		id := h.order(t, order).Certificate.ID
		h.event(t, h.TakeKey(t.Context(), helene, id, newKey(t)))
		return id
	}
	record := func(id lifecycle.CertificateID) error {
		plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), id))
		return h.RecordDraft(t.Context(), plan, draftOf(plan, "draft "+id))
	}
	first := twin("0001")
	h.event(t, record(first))
	h.event(t, record(twin("0002"))) // a homonym in one company
	// The first one left, and the bank gave the number to a third Anne Martin.
	_, err := h.pool.Exec(t.Context(), "UPDATE holder SET user_number = '9999' WHERE user_number = '0001' AND id = (SELECT holder_id FROM certificate WHERE id = $1)", first)
	h.event(t, err)
	third := twin("0001")
	if err := record(third); !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), "subject") {
		t.Errorf("the name is given away: %v", err)
	}
	if row := h.certificateRow(t, third); row.TBS != nil {
		t.Error("a draft is stored")
	}
	if _, err := h.store.Pool().Exec(t.Context(), "UPDATE subject_name SET owner = 'x'"); err == nil {
		t.Error("whose a name is can be changed")
	}
}

// A name in another script is written as passports write it, and the trail says how
// it came.
func TestATransliteratedNameIsInTheTrail(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	order := h.submit(t, func(o *demodata.Order) {
		o.Product, o.Delivery, o.GivenName, o.Surname = "certificate", "-", "Юлия", "Щербакова"
	})
	h.approve(t, order)
	subject := must[issuance.Subject](t)(h.SubjectOf(t.Context(), h.order(t, order).Certificate.ID))
	if subject.GivenName != "Iuliia" || subject.Surname != "Shcherbakova" {
		t.Errorf("the certificate names %+v", subject)
	}
	var detail map[string]string
	holder := must[db.Order](t)(h.store.Order(t.Context(), order)).HolderID
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT detail FROM audit_entry WHERE thing_id = $1 AND event = 'submit'", holder).Scan(&detail))
	if detail["surname_transliterated"] != "Щербакова as Shcherbakova" || detail["given_name_transliterated"] != "Юлия as Iuliia" {
		t.Errorf("the trail says %v", detail)
	}
}
