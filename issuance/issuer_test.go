package issuance_test

import (
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509/pkix"

	"sceau/issuance"
	"sceau/lifecycle"
)

var another = lifecycle.Actor{ID: "hugo", Role: lifecycle.RoleSecurityOfficer}

// longCA is a CA's certificate of ten years with the serial, that allows every policy.
func longCA(t tb, serial int64) []byte {
	t.Helper()
	return caAllowing(t, serial, "2.5.29.32.0")
}

func caAllowing(t tb, serial int64, policies ...string) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(0x41), 120), big.NewInt(serial)),
		Subject:      pkix.Name{CommonName: "CA"}, NotBefore: monday.AddDate(0, 0, -1), NotAfter: monday.AddDate(10, 0, 0),
	}
	for _, p := range policies {
		template.Policies = append(template.Policies, must[x509.OID](t)(x509.ParseOID(p)))
	}
	return must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
}

// twoCAs are a root and two issuing CAs below it, the first of which signs.
func (h *house) twoCAs(t *testing.T) {
	t.Helper()
	h.event(t, h.RecordAuthority(t.Context(), maxence, issuance.Authority{
		ID: "root-1", Certificate: longCA(t, 1), Mount: "transit-root", Key: "root-1", Shards: 1,
	}))
	for i, id := range []string{"issuing-1", "issuing-2"} {
		h.event(t, h.RecordAuthority(t.Context(), maxence, issuance.Authority{
			ID: id, Certificate: longCA(t, int64(i)+2), Mount: "transit", Key: id, Shards: 2, Online: true, Parent: "root-1",
		}))
	}
}

// publishes gives a CA a responder and its lists.
func (h *house) publishes(t *testing.T, id string) {
	t.Helper()
	h.event(t, h.RecordDelegate(t.Context(), maxence, issuance.Delegate{
		Issuer: id, Purpose: issuance.DelegateOCSP, Certificate: certificateOf(t, time.Now().UnixNano()), Key: strings.Replace(id, "issuing", "ocsp", 1), NotAfter: monday.AddDate(1, 0, 0),
	}))
	h.publish(t, id)
}

// publish publishes the lists of a CA's two shards that are due.
func (h *house) publish(t *testing.T, id string) (made int) {
	t.Helper()
	for shard := range 2 {
		plan := must[issuance.CRLPlan](t)(h.BeginCRL(t.Context(), id, shard, true, issuance.Mark{}))
		if !plan.Nothing {
			made++
			h.finishCRL(t, plan, id)
		}
	}
	return made
}

func (h *house) ca(t *testing.T, id string) issuance.Authority {
	t.Helper()
	all := must[[]issuance.Authority](t)(h.Authorities(t.Context()))
	return all[slices.IndexFunc(all, func(a issuance.Authority) bool { return a.ID == id })]
}

// agree has two officers do something.
func agree(t *testing.T, act func(by lifecycle.Actor) (issuance.Agreement, error)) {
	t.Helper()
	if a, err := act(maxence); err != nil || a.Done {
		t.Fatalf("proposed: %+v %v", a, err)
	}
	wantKind(t, second(act(maxence)), lifecycle.Forbidden)
	if a, err := act(another); err != nil || !a.Done || a.Proposer != "maxence" {
		t.Fatalf("agreed: %+v %v", a, err)
	}
}

func (h *house) issuerOf(t *testing.T, id lifecycle.CertificateID) string {
	t.Helper()
	var issuer string
	h.event(t, h.pool.QueryRow(t.Context(), "SELECT coalesce(issuer_id, '') FROM certificate WHERE id = $1", id).Scan(&issuer))
	return issuer
}

func TestTheNextCASignsOnceTwoPeopleAgreeAndTheOldOneOnlyPublishes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.twoCAs(t)
	activate := func(by lifecycle.Actor) (issuance.Agreement, error) { return h.SignWith(t.Context(), by, "issuing-2") }
	h.publishes(t, "issuing-1")
	old := h.certificate(t, lifecycle.CertActive)
	waiting := h.certificate(t, lifecycle.CertIssuing)
	wantKind(t, second(activate(maxence)), lifecycle.Conflict) // nobody could check what it signs
	h.publishes(t, "issuing-2")
	wantKind(t, second(activate(helene)), lifecycle.Forbidden)
	wantKind(t, second(h.SignWith(t.Context(), maxence, "root-1")), lifecycle.Illegal)
	wantKind(t, second(h.SignWith(t.Context(), maxence, "issuing-1")), lifecycle.Illegal)
	agree(t, activate)
	if one, two := h.ca(t, "issuing-1"), h.ca(t, "issuing-2"); one.State != lifecycle.IssuerRetired || two.State != lifecycle.IssuerSigning {
		t.Fatalf("issuing-1 is %s, issuing-2 %s", one.State, two.State)
	}
	h.issue(t, waiting) // its serial is the old CA's
	next := h.certificate(t, lifecycle.CertActive)
	for id, want := range map[lifecycle.CertificateID]string{old: "issuing-1", waiting: "issuing-1", next: "issuing-2"} {
		if got := h.issuerOf(t, id); got != want {
			t.Errorf("certificate %s is signed by %s, want %s", id, got, want)
		}
	}
	h.event(t, h.Revoke(t.Context(), maxence, old, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
	if made := h.publish(t, "issuing-1"); made == 0 {
		t.Error("the old CA publishes no list any more")
	}
	status := must[issuance.CertificateStatus](t)(h.public.Status(t.Context(), "issuing-1", serialIn(t, h.serial(t, old))))
	if !status.Revoked {
		t.Errorf("the old CA's certificate is %+v", status)
	}
	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) { return h.SignWith(t.Context(), by, "issuing-1") }) // and back
}

func serialIn(t *testing.T, text string) lifecycle.Serial {
	t.Helper()
	n, ok := new(big.Int).SetString(text, 16)
	if !ok {
		t.Fatalf("serial %q", text)
	}
	var serial lifecycle.Serial
	n.FillBytes(serial[:])
	return serial
}

func TestARevokedCATakesEverythingWithIt(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.twoCAs(t)
	h.publishes(t, "issuing-1")
	states := map[lifecycle.CertificateState]lifecycle.CertificateState{
		lifecycle.CertIssued: lifecycle.CertRevoked, lifecycle.CertActive: lifecycle.CertRevoked, lifecycle.CertHeld: lifecycle.CertRevoked,
		lifecycle.CertRevoked: lifecycle.CertRevoked, lifecycle.CertIssuing: lifecycle.CertAwaitingKey, lifecycle.CertAwaitingKey: lifecycle.CertAwaitingKey,
	}
	of := map[lifecycle.CertificateState]lifecycle.CertificateID{}
	for state := range states {
		of[state] = h.certificate(t, state)
	}
	drafted := h.certificate(t, lifecycle.CertIssuing)
	plan := must[issuance.CertificatePlan](t)(h.BeginIssue(t.Context(), drafted))
	h.event(t, h.RecordDraft(t.Context(), plan, draftOf(plan, "draft")))

	revoke := func(reason lifecycle.RevocationReason) func(lifecycle.Actor) (issuance.Agreement, error) {
		return func(by lifecycle.Actor) (issuance.Agreement, error) {
			return h.RevokeAuthority(t.Context(), by, "issuing-1", issuance.AuthorityRevocation{
				Revocation: issuance.Revocation{Reason: lifecycle.ReasonCACompromise}, Issued: reason,
			})
		}
	}
	wantKind(t, second(revoke(lifecycle.ReasonUnspecified)(maxence)), lifecycle.Invalid)
	wantKind(t, second(revoke(lifecycle.ReasonSuperseded)(helene)), lifecycle.Forbidden)
	var own lifecycle.Serial
	for _, c := range must[[]issuance.HouseCertificate](t)(h.HouseCertificates(t.Context())) {
		if c.Kind == "ca" && c.Serial[15] == 2 {
			own = c.Serial
		}
	}
	wantKind(t, h.RevokeHouseCertificate(t.Context(), maxence, own, issuance.Revocation{Reason: lifecycle.ReasonCACompromise}), lifecycle.Illegal) // its certificate alone
	wantKind(t, second(h.RevokeIssued(t.Context(), "issuing-1", nil)), lifecycle.Illegal)
	if a, err := revoke(lifecycle.ReasonSuperseded)(maxence); err != nil || a.Done {
		t.Fatal(a, err)
	}
	if a, err := revoke(lifecycle.ReasonCACompromise)(another); err != nil || a.Done { // another act than was proposed
		t.Fatal(a, err)
	}
	if a, err := revoke(lifecycle.ReasonCACompromise)(maxence); err != nil || !a.Done || a.Proposer != another.ID {
		t.Fatal(a, err)
	}

	wantKind(t, second(h.BeginIssue(t.Context(), of[lifecycle.CertIssuing])), lifecycle.Unavailable)
	wantKind(t, h.TakeKey(t.Context(), helene, of[lifecycle.CertAwaitingKey], newKey(t)), lifecycle.Unavailable)
	work := must[[]issuance.WorkItem](t)(h.WorkItems(t.Context(), issuance.WorkFilter{Kind: lifecycle.WorkNoCA}))
	if len(work) != 1 || work[0].On != "issuing-1" {
		t.Errorf("staff are told %+v", work)
	}
	if open := must[issuance.RevokedOpen](t)(h.OpenOfRevoked(t.Context(), "issuing-1")); open.Alive != 5 || open.Listed || !open.Compromised {
		t.Errorf("open is %+v", open)
	}
	for n, want := range []int{5, 0, 0} { // and again, which changes nothing
		if got := must[int](t)(h.RevokeIssued(t.Context(), "issuing-1", nil)); got != want {
			t.Errorf("run %d revokes %d, want %d", n, got, want)
		}
	}
	for before, want := range states {
		h.wantCertificate(t, of[before], want)
	}
	h.wantCertificate(t, drafted, lifecycle.CertRevoked) // perhaps it was signed
	status := must[issuance.CertificateStatus](t)(h.public.Status(t.Context(), "issuing-1", serialIn(t, h.serial(t, of[lifecycle.CertActive]))))
	if !status.Revoked || status.Reason != lifecycle.ReasonCACompromise {
		t.Errorf("the responder is told %+v", status)
	}
	if status := must[issuance.CertificateStatus](t)(h.public.Status(t.Context(), "root-1", own)); !status.Revoked {
		t.Errorf("of the CA: %+v", status)
	}
	concerned := must[[]issuance.Concerned](t)(h.ConcernedBy(t.Context(), "issuing-1", ""))
	if len(concerned) != 4 || concerned[0].Name == "" {
		t.Errorf("to be told are %+v", concerned)
	}
	for _, c := range concerned { // and each is told
		h.noticeOf(t, c.Certificate, lifecycle.NoticeRevoked)
	}
	total := 0
	for shard := range 2 {
		plan := must[issuance.CRLPlan](t)(h.BeginCRL(t.Context(), "issuing-1", shard, true, issuance.Mark{}))
		full, _ := h.lists(t, plan)
		total += len(full)
		for _, e := range full {
			if !strings.HasSuffix(e, "cACompromise") && !strings.HasSuffix(e, "superseded") {
				t.Errorf("listed is %s", e)
			}
		}
		h.finishCRL(t, plan, "after")
	}
	if total != 6 { // four of holders, one that was revoked before, the responder
		t.Errorf("%d are listed, want 6", total)
	}

	h.publishes(t, "issuing-2")
	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) { return h.SignWith(t.Context(), by, "issuing-2") })
	h.event(t, h.TakeKey(t.Context(), helene, of[lifecycle.CertIssuing], newKey(t))) // its order goes on
	h.issue(t, of[lifecycle.CertIssuing])
	if got := h.issuerOf(t, of[lifecycle.CertIssuing]); got != "issuing-2" {
		t.Errorf("signed by %s", got)
	}
	wantKind(t, second(h.SignWith(t.Context(), maxence, "issuing-1")), lifecycle.Illegal) // never again
}

func TestTheLastListsOfACAComeWhenNoneOfItsCertificatesLives(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.twoCAs(t)
	h.publishes(t, "issuing-1")
	h.publishes(t, "issuing-2")
	alive := h.certificate(t, lifecycle.CertActive)
	end := func(by lifecycle.Actor) (issuance.Agreement, error) {
		return h.EndAuthority(t.Context(), by, "issuing-1")
	}
	wantKind(t, second(end(maxence)), lifecycle.Illegal) // it signs
	agree(t, func(by lifecycle.Actor) (issuance.Agreement, error) { return h.SignWith(t.Context(), by, "issuing-2") })
	wantKind(t, second(end(maxence)), lifecycle.Conflict) // one lives
	h.event(t, h.Revoke(t.Context(), maxence, alive, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
	agree(t, end)
	if got := h.ca(t, "issuing-1").State; got != lifecycle.IssuerEnding {
		t.Fatalf("it is %s", got)
	}
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	entries := 0
	for shard := range 2 {
		plan := must[issuance.CRLPlan](t)(h.BeginCRL(t.Context(), "issuing-1", shard, false, issuance.Mark{}))
		if !plan.Last || !plan.NextUpdate.Equal(last) || plan.BaseNumber != 0 {
			t.Errorf("shard %d: %+v", shard, plan)
		}
		full, _ := h.lists(t, plan)
		entries += len(full)
		if got := h.ca(t, "issuing-1").State; got != lifecycle.IssuerEnding {
			t.Errorf("before the last list of shard %d it is %s", shard, got)
		}
		h.finishCRL(t, plan, "last")
		if shard == 0 {
			if again := must[issuance.CRLPlan](t)(h.BeginCRL(t.Context(), "issuing-1", 0, true, issuance.Mark{})); !again.Nothing {
				t.Error("a list follows the last")
			}
		}
	}
	if entries != 2 { // the holder's and the responder
		t.Errorf("the last lists have %d entries", entries)
	}
	if got := h.ca(t, "issuing-1").State; got != lifecycle.IssuerEnded {
		t.Fatalf("after its last lists it is %s", got)
	}
	h.clock.advance(30 * 24 * time.Hour)
	if made := h.publish(t, "issuing-1"); made != 0 {
		t.Errorf("%d lists follow the last", made)
	}
	if head := must[issuance.CRLHead](t)(h.HeadCRL(t.Context(), "issuing-1", 0)); !head.NextUpdate.Equal(last) {
		t.Errorf("its list ends at %s", head.NextUpdate)
	}
	wantKind(t, h.PublishLists(t.Context(), "issuing-1", -1, nil), lifecycle.NotFound)
}

func TestAReplicaThatIsBehindMakesNoList(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	h.certificate(t, lifecycle.CertRevoked)
	plan := h.beginCRL(t, true)
	h.exec(t, "UPDATE crl_shard SET revision = revision - 1")
	wantKind(t, h.ReadCRL(t.Context(), &plan, nothing), lifecycle.Unavailable)
	h.exec(t, "UPDATE crl_shard SET revision = revision + 1")
	h.finishCRL(t, plan, "whole")
}

func TestWhatOlderVersionsLeftOutIsFilledIn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.twoCAs(t)
	h.publishes(t, "issuing-1")
	before := must[[]issuance.HouseCertificate](t)(h.HouseCertificates(t.Context()))
	h.exec(t, "DELETE FROM house_certificate")
	for range 2 {
		h.event(t, h.FillHouseRecord(t.Context()))
	}
	after := must[[]issuance.HouseCertificate](t)(h.HouseCertificates(t.Context()))
	if len(before) != 3 || len(after) != 3 {
		t.Errorf("on record were %d, are %d", len(before), len(after))
	}
	responder := after[slices.IndexFunc(after, func(c issuance.HouseCertificate) bool { return c.Kind == "ocsp" })]
	if status := must[issuance.CertificateStatus](t)(h.public.Status(t.Context(), "issuing-1", responder.Serial)); !status.Issued || status.Revoked {
		t.Errorf("of a delegate the responder is told %+v", status)
	}
	h.event(t, h.RevokeHouseCertificate(t.Context(), maxence, responder.Serial, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	seen := issuance.StatusMark{}
	changed := must[[]issuance.OCSPStatus](t)(h.public.StatusesSince(t.Context(), seen, must[issuance.StatusMark](t)(h.public.MarkStatuses(t.Context()))))
	if !slices.ContainsFunc(changed, func(s issuance.OCSPStatus) bool { return s.Serial == responder.Serial && s.Revoked && s.Version == 1 }) {
		t.Errorf("who follows learns %+v", changed)
	}
}

// exec changes rows behind the use cases' back.
func (h *house) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := h.pool.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
