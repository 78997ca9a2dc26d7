package issuance_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"sceau/ca"
	"sceau/internal/demodata"
	"sceau/internal/foreignca"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/trust"
)

const listAddress = "http://autre.example/1.crl"

// entryOf is a right entry of another CA, for tests to spoil.
func entryOf(t tb, other *foreignca.CA, spoil ...func(*trust.Entry)) *trust.Entry {
	t.Helper()
	e := &trust.Entry{
		Name: "autre", Title: "Autre Banque", Level: "**", Certificates: [][]byte{other.Root.Raw, other.Issuing.Raw}, Policies: []string{foreignca.Policy},
		Lists: []string{listAddress}, Ask: trust.AskLists, Until: "2028-12-31",
	}
	for _, s := range spoil {
		s(e)
	}
	return must[*trust.Entry](t)(trust.Read(e.Canonical()))
}

// trusted accepts another CA by two people.
func (h *house) trusted(t tb, e *trust.Entry) {
	t.Helper()
	version := must[int](t)(h.ProposeTrust(t.Context(), maxence, e))
	if err := h.ApproveTrust(t.Context(), irene, e.Name, version, e.Sum()); err != nil {
		t.Fatal(err)
	}
}

func TestAnotherCAIsAcceptedByTwoAndWithdrawnByOne(t *testing.T) {
	t.Parallel()
	h, other := setup(t), must[*foreignca.CA](t)(foreignca.New(monday))
	e := entryOf(t, other)
	_, err := h.ProposeTrust(t.Context(), alix, e)
	wantKind(t, err, lifecycle.Forbidden)
	version := must[int](t)(h.ProposeTrust(t.Context(), maxence, e))
	wantKind(t, h.ApproveTrust(t.Context(), maxence, e.Name, version, e.Sum()), lifecycle.Forbidden)
	wantKind(t, h.ApproveTrust(t.Context(), irene, e.Name, version, sha256.Sum256(nil)), lifecycle.Conflict)
	if live := must[[]issuance.TrustedCA](t)(h.LiveTrust(t.Context())); len(live) != 0 {
		t.Errorf("%d CAs are accepted before anybody approved", len(live))
	}
	if err := h.ApproveTrust(t.Context(), irene, e.Name, version, e.Sum()); err != nil {
		t.Fatal(err)
	}
	if live := must[[]issuance.TrustedCA](t)(h.LiveTrust(t.Context())); len(live) != 1 || live[0].Entry.Sum() != e.Sum() {
		t.Errorf("accepted: %+v", live)
	}
	wantKind(t, h.WithdrawTrust(t.Context(), leonie, e.Name, "its key is out"), lifecycle.Forbidden)
	if err := h.WithdrawTrust(t.Context(), maxence, e.Name, "its key is out"); err != nil {
		t.Fatal(err)
	}
	if live := must[[]issuance.TrustedCA](t)(h.LiveTrust(t.Context())); len(live) != 0 {
		t.Errorf("%d CAs are accepted after one was withdrawn", len(live))
	}
	wantKind(t, h.WithdrawTrust(t.Context(), maxence, e.Name, "again"), lifecycle.NotFound)
	wantKind(t, h.ApproveTrust(t.Context(), irene, e.Name, version, e.Sum()), lifecycle.Illegal)
	if err := h.RefuseTrust(t.Context(), irene, e.Name, must[int](t)(h.ProposeTrust(t.Context(), maxence, e)), "not now"); err != nil {
		t.Error(err)
	}

	h.clock.set(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC))
	_, err = h.ProposeTrust(t.Context(), maxence, e)
	wantKind(t, err, lifecycle.Invalid)
}

// foreignList is a list of the other CA as the workers hand it over.
func foreignList(t tb, e *trust.Entry, der []byte, at time.Time) issuance.ForeignList {
	t.Helper()
	l := must[*ca.ForeignList](t)(ca.ReadForeignList(der, e.CAs(), at))
	return issuance.ForeignList{
		Trusted: e.Name, Address: listAddress, IssuerKey: trust.KeyOf(l.Issuer), Number: l.Number, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate,
		Points: l.Points, SHA256: sha256.Sum256(der), Entries: func(yield func(issuance.ForeignEntry, error) bool) {
			for e, err := range l.All() {
				if !yield(issuance.ForeignEntry(e), err) {
					return
				}
			}
		},
	}
}

func TestAForeignListIsNeverReplacedByAnOlderOne(t *testing.T) {
	t.Parallel()
	h, other := setup(t), must[*foreignca.CA](t)(foreignca.New(monday))
	e := entryOf(t, other)
	h.trusted(t, e)
	bad := must[foreignca.Person](t)(other.Issue("Lotte Peeters"))
	now := h.clock.now()
	der := must[[]byte](t)
	record := func(bytes []byte) error { return h.RecordForeignList(t.Context(), foreignList(t, e, bytes, now)) }
	if due := must[[]issuance.ForeignListDue](t)(h.ForeignListsDue(t.Context())); len(due) != 1 || due[0].Address != listAddress {
		t.Errorf("due: %+v", due)
	}
	fifth := der(other.List(5, now.Add(-10*time.Minute), bad))
	if err := record(fifth); err != nil {
		t.Fatal(err)
	}
	if due := must[[]issuance.ForeignListDue](t)(h.ForeignListsDue(t.Context())); len(due) != 0 {
		t.Errorf("due, when it was just fetched: %+v", due)
	}
	for name, old := range map[string][]byte{
		"an older number":                 der(other.List(4, now.Add(-5*time.Minute))),
		"an older time":                   der(other.List(6, now.Add(-20*time.Minute))),
		"the same number, nobody revoked": der(other.List(5, now.Add(-5*time.Minute))),
	} {
		if err := record(old); err == nil {
			t.Errorf("%s takes the list's place", name)
		}
	}
	if err := record(fifth); err != nil {
		t.Errorf("the same list again: %v", err)
	}
	if err := record(der(other.List(6, now.Add(-time.Minute), bad))); err != nil {
		t.Errorf("the next one: %v", err)
	}
	if err := h.ForeignListFailed(t.Context(), e.Name, listAddress, "it is away"); err != nil {
		t.Fatal(err)
	}
	sources := must[[]issuance.ForeignSource](t)(h.ForeignSources(t.Context(), e.Name))
	if len(sources) != 1 || sources[0].Failure != "it is away" || sources[0].Entries != 1 || sources[0].Number[19] != 6 {
		t.Errorf("on record: %+v", sources)
	}
	if late := must[[]issuance.Alarm](t)(h.ForeignListsLate(t.Context())); len(late) != 0 {
		t.Errorf("alarms while the list holds: %+v", late)
	}
	h.clock.advance(time.Hour)
	if late := must[[]issuance.Alarm](t)(h.ForeignListsLate(t.Context())); len(late) != 1 {
		t.Errorf("alarms when the list has ended: %+v", late)
	}
	var kept int
	if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM foreign_list").Scan(&kept); err != nil || kept != 1 {
		t.Errorf("%d lists are kept, %v", kept, err)
	}
}

// newUser makes a user of the bank, by an order of theirs: client ID and number.
func (h *house) newUser(t tb) (client, user string) {
	t.Helper()
	h.submit(t, func(o *demodata.Order) { client, user = o.ClientID, o.UserNumber })
	return client, user
}

func TestAForeignCertificateIsBoundToOneHolder(t *testing.T) {
	t.Parallel()
	h, other := setup(t), must[*foreignca.CA](t)(foreignca.New(monday))
	h.trusted(t, entryOf(t, other))
	lotte := must[foreignca.Person](t)(other.Issue("Lotte Peeters"))
	client, user := h.newUser(t)
	second, _ := h.newUser(t)
	challenge := func(client string) []byte {
		return must[issuance.BindingChallenge](t)(h.ChallengeBinding(t.Context(), alix, client, user)).Text
	}
	bind := func(client string, p foreignca.Person, signature []byte) (lifecycle.MeansID, error) {
		return h.BindForeign(t.Context(), alix, issuance.ForeignBinding{ClientID: client, UserNumber: user, Certificate: p.Raw, Signature: signature, Label: "carte"})
	}
	sign := func(text []byte) []byte { return must[[]byte](t)(lotte.Sign(text)) }

	_, err := h.ChallengeBinding(t.Context(), online, client, user)
	wantKind(t, err, lifecycle.Forbidden)
	_, err = bind(client, lotte, sign([]byte("anything")))
	wantField(t, err, "signature") // no challenge
	signature := sign(challenge(client))
	_, err = bind(second, lotte, signature) // of another holder
	wantField(t, err, "signature")
	thief := must[foreignca.Person](t)(other.Issue("Tom Dief"))
	_, err = bind(client, thief, signature) // by another key: spends the challenge
	wantField(t, err, "signature")
	_, err = bind(client, lotte, signature)
	wantField(t, err, "signature")
	old := sign(challenge(client))
	h.clock.advance(25 * time.Hour)
	_, err = bind(client, lotte, old)
	wantField(t, err, "signature")

	signature = sign(challenge(client))
	means := must[lifecycle.MeansID](t)(bind(client, lotte, signature))
	_, err = bind(client, lotte, signature) // replayed
	wantField(t, err, "signature")
	_, err = bind(second, lotte, sign(challenge(second))) // another's already
	wantKind(t, err, lifecycle.Conflict)

	seen := sha256.Sum256(lotte.Raw)
	wantKind(t, h.ApproveForeign(t.Context(), alix, means, seen), lifecycle.Forbidden)
	wantKind(t, h.ApproveForeign(t.Context(), irene, means, sha256.Sum256(thief.Raw)), lifecycle.Conflict)
	if err := h.ApproveForeign(t.Context(), irene, means, seen); err != nil {
		t.Fatal(err)
	}
	if f := must[issuance.ForeignCertificate](t)(h.ForeignCertificate(t.Context(), means)); f.State != lifecycle.MeansActive || f.ClientID != client || f.Trusted != "autre" {
		t.Errorf("bound: %+v", f)
	}
	wantKind(t, h.RefuseForeign(t.Context(), irene, means, "too late"), lifecycle.Illegal)
	if list := must[[]issuance.ForeignCertificate](t)(h.ForeignCertificates(t.Context(), false, "")); len(list) != 0 {
		t.Errorf("%d wait, none should", len(list))
	}
}

func TestWhatIsNotAcceptedIsNotBound(t *testing.T) {
	t.Parallel()
	h := setup(t)
	other, impostor := must[*foreignca.CA](t)(foreignca.New(monday)), must[*foreignca.CA](t)(foreignca.New(monday))
	h.trusted(t, entryOf(t, other))
	client, user := h.newUser(t)
	text := must[issuance.BindingChallenge](t)(h.ChallengeBinding(t.Context(), alix, client, user)).Text
	for name, tc := range map[string]struct {
		der  []byte
		want string
	}{
		"right name, wrong CA": {must[foreignca.Person](t)(impostor.Issue("Lotte Peeters")).Raw, "wrong_issuer"},
		"the CA itself":        {other.Issuing.Raw, "ca_certificate"},
		"garbage":              {[]byte{0x30, 3, 1, 2, 3}, "malformed"},
	} {
		_, err := h.BindForeign(t.Context(), alix, issuance.ForeignBinding{ClientID: client, UserNumber: user, Certificate: tc.der, Signature: text, Label: "carte"})
		wantKind(t, err, lifecycle.Invalid)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	good := must[foreignca.Person](t)(other.Issue("Lotte Peeters"))
	means := must[lifecycle.MeansID](t)(h.BindForeign(t.Context(), alix, issuance.ForeignBinding{
		ClientID: client, UserNumber: user, Certificate: good.Raw, Signature: must[[]byte](t)(good.Sign(text)), Label: "carte",
	}))
	if err := h.WithdrawTrust(t.Context(), maxence, "autre", "its key is out"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.ApproveForeign(t.Context(), irene, means, sha256.Sum256(good.Raw)), lifecycle.Invalid)
	if err := h.RefuseForeign(t.Context(), irene, means, "its CA is out"); err != nil {
		t.Error(err)
	}
}
