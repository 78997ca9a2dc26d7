package authn_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sceau/authn"
	"sceau/ca"
	"sceau/internal/foreignca"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store/db"
	"sceau/trust"
)

const listAddress = "http://autre.example/1.crl"

// world is other CAs' responders, as the test directs them; certificates are judged by
// the ca room.
type world struct {
	mu     sync.Mutex
	answer []byte // guarded by mu; nil: the responder is away
	asked  int    // guarded by mu
}

func (w *world) say(answer []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

func (*world) Judge(e *trust.Entry, certificate []byte, at time.Time, purpose trust.Purpose) trust.Judged {
	return ca.JudgeForeign(e, certificate, at, purpose)
}

func (*world) CheckSignature(certificate, text, signature []byte) error {
	return ca.CheckStatement(certificate, text, signature)
}

func (w *world) Ask(_ context.Context, e *trust.Entry, c, issuer *x509.Certificate, at time.Time) (trust.Status, []byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if w.answer == nil {
		return trust.Status{}, nil, lifecycle.Unavailable
	}
	s, err := ca.ReadForeignAnswer(w.answer, c, issuer, at)
	s.Source = e.Responder
	return s, w.answer, err
}

// abroad is a house that accepts another CA, with a user who has a certificate of it.
type abroad struct {
	*house

	world  *world
	other  *foreignca.CA
	entry  *trust.Entry
	holder lifecycle.HolderID
	lotte  foreignca.Person
	bound  int
}

func newAbroad(t *testing.T, adapt ...func(*trust.Entry)) *abroad {
	t.Helper()
	h := &house{engine: &engine{}, clock: &clock{now: today}}
	h.store = openStore(t)
	a := &abroad{house: h, world: &world{}, other: must[*foreignca.CA](t)(foreignca.New(today))}
	h.Service = must[*authn.Service](t)(authn.New(authn.Config{
		Store: h.store, Safe: testenv.Safe(), Verifier: h.engine, Sealer: h.engine, Policy: authn.DefaultPolicy(), Now: h.clock.Now, Certificates: a.world,
	}))
	e := &trust.Entry{
		Name: "autre", Title: "Autre Banque", Level: "**", Certificates: [][]byte{a.other.Root.Raw, a.other.Issuing.Raw}, Policies: []string{foreignca.Policy},
		Lists: []string{listAddress}, Ask: trust.AskLists, Until: "2028-12-31",
	}
	for _, f := range adapt {
		f(e)
	}
	a.entry = must[*trust.Entry](t)(trust.Read(e.Canonical()))
	sum := a.entry.Sum()
	version := must[int32](t)(h.store.InsertEdition(t.Context(), db.InsertEditionParams{
		Thing: lifecycle.TrustList.Thing, Name: e.Name, State: lifecycle.EditionProposed, Content: a.entry.Canonical(), SHA256: sum[:], ProposedBy: "maxence", ProposedAt: today,
	}))
	irene, at := "irene", today
	must[int64](t)(h.store.DecideEdition(t.Context(), db.DecideEditionParams{
		ToState: lifecycle.EditionLive, DecidedBy: &irene, DecidedAt: &at, Thing: lifecycle.TrustList.Thing, Name: e.Name, Version: version, FromState: lifecycle.EditionProposed,
	}))
	a.holder = h.user(t, userNumber)
	a.lotte = must[foreignca.Person](t)(a.other.Issue("Lotte Peeters"))
	a.bind(t, a.holder, a.lotte, lifecycle.MeansActive)
	return a
}

func (a *abroad) bind(t *testing.T, holder lifecycle.HolderID, p foreignca.Person, state lifecycle.MeansState) {
	t.Helper()
	a.bound++
	means := lifecycle.MeansID(id("M", a.bound))
	check(t, a.store.InsertForeignMeans(t.Context(), db.InsertForeignMeansParams{
		ID: means, HolderID: holder, State: state, Label: "carte", RequestedBy: "alix", CreatedAt: today,
	}))
	sum, spki := sha256.Sum256(p.Raw), sha256.Sum256(p.RawSubjectPublicKeyInfo)
	check(t, a.store.InsertForeignCertificate(t.Context(), db.InsertForeignCertificateParams{
		MeansID: means, Trusted: "autre", DER: p.Raw, SHA256: sum[:], SPKISHA256: spki[:], Subject: "s", Issuer: "i", Serial: trust.Serial(p.Certificate),
		NotAfter: p.NotAfter, Signed: []byte{1}, Signature: []byte{1},
	}))
}

// list puts a list of the other CA on record, of now.
func (a *abroad) list(t *testing.T, revoked ...foreignca.Person) {
	t.Helper()
	key, at := trust.KeyOf(a.other.Issuing), a.clock.Now()
	number := make([]byte, 20)
	number[19] = 1
	list := must[int64](t)(a.store.InsertForeignList(t.Context(), db.InsertForeignListParams{
		IssuerKey: key[:], Number: number, ThisUpdate: at, NextUpdate: at.Add(time.Hour), Points: []string{}, SHA256: key[:], FetchedAt: at,
	}))
	for _, p := range revoked {
		must[int64](t)(a.store.InsertForeignRevoked(t.Context(), []db.InsertForeignRevokedParams{{ListID: list, Serial: trust.Serial(p.Certificate), RevokedAt: at, Reason: 1}}))
	}
	check(t, a.store.PutForeignTry(t.Context(), db.PutForeignTryParams{Trusted: "autre", Address: listAddress, TriedAt: at}))
	check(t, a.store.PointForeignSource(t.Context(), db.PointForeignSourceParams{ListID: list, TriedAt: at, Trusted: "autre", Address: listAddress}))
}

// found is the answer about a certificate for a user: result and reasons.
func (a *abroad) found(t *testing.T, der []byte, user string) string {
	t.Helper()
	v := must[authn.CertificateVerdict](t)(a.ValidateCertificate(t.Context(), authn.CertificateAsk{
		Certificate: der, ClientID: clientID, UserNumber: user, Purpose: trust.Authentication,
	}))
	return fmt.Sprintf("%s %v", v.Result(), v.Codes)
}

func (a *abroad) want(t *testing.T, what, user, want string) {
	t.Helper()
	if got := a.found(t, a.lotte.Raw, user); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestAForeignCertificateIsValidated(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	second := a.user(t, "0002")
	a.want(t, "no list", userNumber, "unknown [status_unknown]")
	a.list(t)
	a.want(t, "a list", userNumber, "valid []")
	a.want(t, "another user", "0002", "invalid [bound_to_another]")
	a.want(t, "nobody", "9999", "invalid [bound_to_another]")
	stranger := must[foreignca.Person](t)(a.other.Issue("Tom Dief"))
	if got := a.found(t, stranger.Raw, userNumber); got != "invalid [not_bound]" {
		t.Errorf("nobody's certificate: %s", got)
	}
	suspended := must[foreignca.Person](t)(a.other.Issue("Lotte Peeters"))
	a.bind(t, second, suspended, lifecycle.MeansSuspended)
	if got := a.found(t, suspended.Raw, "0002"); got != "invalid [suspended]" {
		t.Errorf("a suspended binding: %s", got)
	}
	impostor := must[foreignca.CA](t)(deref(foreignca.New(today)))
	if got := a.found(t, must[foreignca.Person](t)(impostor.Issue("Lotte Peeters")).Raw, userNumber); got != "invalid [wrong_issuer not_bound]" {
		t.Errorf("right name, wrong CA: %s", got)
	}
	if got := a.found(t, []byte("0\x03abc"), userNumber); got != "invalid [malformed]" {
		t.Errorf("garbage: %s", got)
	}
	a.clock.set(today.Add(time.Hour))
	a.want(t, "a list that has ended", userNumber, "unknown [list_ended]")
	a.list(t, a.lotte)
	a.want(t, "revoked", userNumber, "invalid [revoked]")
	a.clock.set(today.Add(9 * time.Hour))
	a.want(t, "revoked by a list that has ended", userNumber, "invalid [revoked]")
	n := must[int64](t)(a.store.SetEditionState(t.Context(), db.SetEditionStateParams{
		ToState: lifecycle.EditionRetired, Thing: lifecycle.TrustList.Thing, Name: "autre", Version: 1, FromState: lifecycle.EditionLive,
	}))
	if a.want(t, "a CA that was withdrawn", userNumber, "invalid [unknown_issuer not_bound]"); n != 1 {
		t.Error("nothing was withdrawn")
	}
}

func deref[T any](p *T, err error) (T, error) { return *p, err }

func TestAnEndedListIsBelievedWithinTheGraceOfItsEntry(t *testing.T) {
	t.Parallel()
	a := newAbroad(t, func(e *trust.Entry) { e.GraceHours = 2 })
	a.list(t)
	a.clock.set(today.Add(2 * time.Hour))
	a.want(t, "an hour after its end", userNumber, "valid []")
	a.clock.set(today.Add(3 * time.Hour))
	a.want(t, "two hours after its end", userNumber, "unknown [list_ended]")
}

func TestATrustThatIsOverAcceptsNobody(t *testing.T) {
	t.Parallel()
	a := newAbroad(t, func(e *trust.Entry) { e.Until = "2026-03-02" })
	a.clock.set(time.Date(2026, 3, 2, 23, 59, 59, 0, time.UTC))
	a.list(t)
	a.want(t, "its last second", userNumber, "valid []")
	a.clock.set(time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC))
	a.want(t, "after", userNumber, "invalid [trust_ended]")
}

func TestTheResponderIsAskedAndItsLastAnswerHolds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ask           trust.Ask
		away, awayEnd string
	}{
		{trust.AskResponder, "unknown [status_unknown]", "unknown [status_unknown]"},
		{trust.AskEither, "valid []", "unknown [list_ended]"},
	} {
		t.Run(string(tc.ask), func(t *testing.T) {
			t.Parallel()
			a := newAbroad(t, func(e *trust.Entry) { e.Ask, e.Responder = tc.ask, "http://autre.example/ocsp" })
			answer := must[[]byte](t)
			a.list(t)
			a.want(t, "away", userNumber, tc.away)
			first := answer(a.other.Answer(a.lotte, today, false))
			a.world.say(first)
			a.want(t, "good", userNumber, "valid []")
			a.world.say(nil)
			a.clock.set(today.Add(30 * time.Minute))
			a.want(t, "away, with an answer that holds", userNumber, "valid []")
			a.clock.set(today.Add(time.Hour))
			a.want(t, "away, with an answer that has ended", userNumber, tc.awayEnd)
			a.world.say(answer(a.other.Answer(a.lotte, a.clock.Now(), true)))
			a.want(t, "revoked", userNumber, "invalid [revoked]")
			a.world.say(first)
			a.want(t, "an older answer is played back", userNumber, "invalid [revoked]")
			a.clock.set(today.Add(12 * time.Hour))
			a.world.say(nil)
			a.want(t, "away, revoked long ago", userNumber, "invalid [revoked]")
		})
	}
}

// begun is a question to the user for a certificate of another CA.
func (a *abroad) begun(t *testing.T, user string) authn.Authentication {
	t.Helper()
	o, err := signing.NewOperation(signing.SignIn, nil)
	check(t, err)
	return must[authn.Authentication](t)(a.Begin(t.Context(), authn.Ask{
		By: service, ClientID: clientID, UserNumber: user, Proof: signing.Proof{Means: lifecycle.MeansForeign}, Operation: o,
	}))
}

func TestASignatureByABoundCertificateIsAProof(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.list(t)
	a.user(t, "0002")
	sign := func(p foreignca.Person, text []byte) authn.Given {
		return authn.Given{Signature: must[[]byte](t)(p.Sign(text))}
	}
	asked := a.begun(t, userNumber)
	good := sign(a.lotte, asked.Text)
	other := a.begun(t, "0002")
	for name, given := range map[string]authn.Given{
		"a signature over another question": good, "by the certificate of another": sign(a.lotte, other.Text), "noise": {Signature: []byte("0\x03abc")},
	} {
		if _, err := a.Prove(t.Context(), service, other.ID, given); err == nil || err.Error() != authn.ErrRefused.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Prove(t.Context(), service, asked.ID, authn.Given{}); !slices.Contains([]string{"signature"}, wrongField(err)) {
		t.Errorf("no signature: %v", err)
	}
	nobody := a.begun(t, "9999")
	if _, err := a.Prove(t.Context(), service, nobody.ID, sign(a.lotte, nobody.Text)); err == nil || err.Error() != authn.ErrRefused.Error() {
		t.Errorf("nobody: %v", err)
	}
	got := must[authn.Authentication](t)(a.Prove(t.Context(), service, asked.ID, good))
	if got.Holder != a.holder || got.Evidence["means"] != id("M", 1) || got.Evidence["status_source"] != listAddress {
		t.Errorf("accepted: %+v", got)
	}
	_, err := a.Prove(t.Context(), service, asked.ID, good)
	wantKind(t, err, lifecycle.Conflict)

	asked = a.begun(t, userNumber)
	a.clock.set(today.Add(2 * time.Minute))
	a.list(t, a.lotte)
	if _, err := a.Prove(t.Context(), service, asked.ID, sign(a.lotte, asked.Text)); err == nil || err.Error() != authn.ErrRefused.Error() {
		t.Errorf("revoked: %v", err)
	}
	a.clock.set(today.Add(3 * time.Hour))
	late := must[foreignca.Person](t)(a.other.Issue("Lotte Peeters"))
	a.bind(t, a.holder, late, lifecycle.MeansActive)
	asked = a.begun(t, userNumber)
	_, err = a.Prove(t.Context(), service, asked.ID, sign(late, asked.Text))
	wantKind(t, err, lifecycle.Unavailable) // the list has ended
	if again := must[authn.Authentication](t)(a.Authentication(t.Context(), service, asked.ID)); again.TriesLeft != 3 || again.State != lifecycle.AuthenticationPending {
		t.Errorf("a proof that nobody judged counts: %+v", again)
	}
}

func wrongField(err error) string {
	if f, ok := err.(*lifecycle.FieldError); ok { //nolint:errorlint // as it is answered
		return f.Field
	}
	return ""
}
