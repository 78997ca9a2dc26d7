package holder_test

import (
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// enrolled is an active certificate, its revocation code and a signer by its key.
func (b *bank) enrolled() (id lifecycle.CertificateID, code string, sign func(string) []byte) {
	b.t.Helper()
	id, key := b.certificate(), newKey(b.t)
	v := b.program()
	v.enter(id, b.invited(id)).want(b.t, http.StatusOK)
	v.upload("/certificate/request", "csr", csr(b.t, key), nil).want(b.t, http.StatusOK)
	b.issue(id)
	statement, _ := v.get("/certificate").body["statement"].(string)
	a := v.upload("/certificate/acceptance", "signature", signed(b.t, key, statement), nil)
	a.want(b.t, http.StatusOK, `"active"`)
	code, _ = a.body["revocation_code"].(string)
	if len(code) != 34 {
		b.t.Fatalf("revocation code %q", code)
	}
	return id, code, func(s string) []byte { return signed(b.t, key, s) }
}

func (b *bank) view(id lifecycle.CertificateID) issuance.CertificateView {
	b.t.Helper()
	return must[issuance.CertificateView](b.t)(b.service.Certificate(b.t.Context(), id))
}

func (v *browser) tryCode(reference, code string) answer {
	v.t.Helper()
	return v.post("/revoke", url.Values{"reference": {reference}, "code": {code}})
}

func TestAHolderRevokesWithoutSigningIn(t *testing.T) {
	t.Parallel()
	b := open(t)
	id, code, _ := b.enrolled()
	serial := b.view(id).Serial
	spelt := strings.ToUpper(serial[:2]) + ":" + serial[2:]
	v := b.browser()
	v.get("/revoke").want(t, http.StatusOK, "Révoquer un certificat", "Code de révocation")
	v.tryCode(spelt, strings.ToLower(code)).want(t, http.StatusSeeOther)
	v.get("/revoke/reason").want(t, http.StatusOK, string(id), serial, "il passé ?", "Hélène Montclair")
	v.post("/revoke/confirm", url.Values{"what": {"8"}}).want(t, http.StatusUnprocessableEntity, "Choisissez", string(id))
	v.post("/revoke/confirm", url.Values{"what": {"removeFromCRL"}}).want(t, http.StatusUnprocessableEntity)
	tomorrow := b.clock.now().Add(48 * time.Hour).Format(time.DateOnly)
	v.post("/revoke/confirm", url.Values{"what": {"lost"}, "since": {tomorrow}}).want(t, http.StatusUnprocessableEntity, "jour passé")
	v.post("/revoke/receipt", url.Values{"what": {"lost"}, "since": {tomorrow}}).want(t, http.StatusUnprocessableEntity)
	v.post("/revoke/confirm", url.Values{"what": {"lost"}, "since": {"<script>"}}).want(t, http.StatusUnprocessableEntity, "jour passé")
	if b.state(id) != lifecycle.CertActive {
		t.Fatal("it is revoked before it was confirmed")
	}
	since := b.clock.now().Add(-72 * time.Hour).Format(time.DateOnly)
	v.post("/revoke/confirm", url.Values{"what": {"lost"}, "since": {since}}).want(t, http.StatusOK, "définitive", since, `value="lost"`)
	v.post("/revoke/receipt", url.Values{"what": {"lost"}, "since": {since}}).want(t, http.StatusOK, "Numéro de reçu", "RV-", "keyCompromise")
	requests := must[[]issuance.RevocationRequest](t)(b.service.RevocationRequests(t.Context(), issuance.RequestFilter{Certificate: id}))
	if len(requests) != 1 || requests[0].RecognisedBy != lifecycle.ByCode || requests[0].InvalidityDate.Format(time.DateOnly) != since || b.state(id) != lifecycle.CertRevoked {
		t.Fatalf("on record: %+v", requests)
	}
	v.post("/revoke/receipt", url.Values{"what": {"other"}}).want(t, http.StatusOK, string(requests[0].ID), "keyCompromise") // again
	v.get("/revoke/reason").want(t, http.StatusOK, "révoqué")
	v.post("/revoke/leave", nil).want(t, http.StatusSeeOther)
	v.get("/revoke/reason").want(t, http.StatusForbidden, "session est terminée")
	v.tryCode(serial, code).want(t, http.StatusSeeOther) // and see when it was revoked
	if strings.Contains(b.log.String(), code) {
		t.Error("the log shows the code")
	}
	for lang, says := range map[string]string{"nl": "Een certificaat intrekken", "de": "Ein Zertifikat widerrufen", "en": "Revoke a certificate"} {
		b.browser().get("/revoke?lang="+lang).want(t, http.StatusOK, says)
	}
}

func TestAProgramRevokesWithJSON(t *testing.T) {
	t.Parallel()
	b := open(t)
	id, code, sign := b.enrolled()
	var client string
	err := b.pool.QueryRow(t.Context(), "SELECT o.client_id || '-' || h.user_number FROM certificate c JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id WHERE c.id = $1", id).Scan(&client)
	if err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{string(id), b.view(id).Serial, client, client[:8]} { // each finds it
		b.program().json("/revoke", map[string]string{"reference": reference, "code": code}).want(t, http.StatusOK, string(id), `"choices":["lost"`)
	}
	v := b.program()
	v.json("/revoke/receipt", map[string]string{"what": "left"}).want(t, http.StatusForbidden)
	v.json("/revoke", map[string]string{"reference": client, "code": code}).want(t, http.StatusOK)
	v.json("/revoke/receipt", map[string]string{"what": "left", "more": "x"}).want(t, http.StatusBadRequest)
	v.json("/revoke/receipt", map[string]string{"what": "left"}).want(t, http.StatusOK, `"receipt":"RV-`, `"reason":"affiliationChanged"`)

	other, _, sign2 := b.enrolled()
	statement := b.view(other).RevocationStatement(lifecycle.ReasonKeyCompromise)
	sent := func(reference string, signature []byte) answer {
		return b.program().json("/revoke/signed", map[string]any{"reference": reference, "what": "stolen", "signature": signature})
	}
	sent(string(other), sign(statement)).want(t, http.StatusForbidden)                             // by another key
	sent(string(other), sign2(b.view(other).RevocationStatement(0))).want(t, http.StatusForbidden) // another reason
	sent("N-0000000000000000", sign2(statement)).want(t, http.StatusForbidden)                     // of none
	sent(string(other), nil).want(t, http.StatusForbidden)
	sent(b.view(other).Serial, sign2(statement)).want(t, http.StatusOK, `"reason":"keyCompromise"`)
	if b.state(other) != lifecycle.CertRevoked {
		t.Error("it is not revoked")
	}
}

func TestWrongRevocationCodes(t *testing.T) {
	t.Parallel()
	b := open(t)
	id, code, _ := b.enrolled()
	_, others, _ := b.enrolled()
	v := b.browser()
	v.tryCode(string(id), code[:20]).want(t, http.StatusUnprocessableEntity, "faute de frappe")
	v.tryCode("'; DROP TABLE certificate; --", code).want(t, http.StatusUnprocessableEntity, "identifiant client")
	markup := v.tryCode("<script>alert(1)</script>", code)
	markup.want(t, http.StatusUnprocessableEntity, "&lt;script&gt;")

	// The same answer for a wrong code and for a certificate that there is not.
	began := time.Now()
	wrong := v.tryCode(string(id), others)
	unknown := v.tryCode("N-"+strings.Repeat("0", 16), others)
	wrong.want(t, http.StatusForbidden, "ouvrent rien")
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Errorf("two refusals took %s", took)
	}
	if strings.ReplaceAll(wrong.text, string(id), "X") != strings.ReplaceAll(unknown.text, "N-"+strings.Repeat("0", 16), "X") {
		t.Error("the answers differ")
	}
	enrolment := b.invited(b.certificate())
	v.tryCode(string(id), enrolment).want(t, http.StatusForbidden) // another kind of code

	if n := must[int64](t)(b.service.WrongRevocationCodes(t.Context(), id)); n != 2 {
		t.Errorf("%d wrong codes are counted, not 2", n)
	}
	v.tryCode(string(id), code).want(t, http.StatusSeeOther)
	v.get("/revoke/reason").want(t, http.StatusOK, "Codes faux")
	b.clock.advance(15*time.Minute - time.Second)
	v.tryCode(string(id), code).want(t, http.StatusSeeOther)
	b.clock.advance(time.Second)
	if page := v.get("/revoke/reason"); strings.Contains(page.text, "Codes faux") {
		t.Error("wrong codes of long ago are shown")
	}

	// A new code, by staff who recognised the holder, voids the old one.
	_, err := b.service.GiveRevocationCode(t.Context(), operator, id, nil)
	if err == nil {
		t.Error("a code for a caller whom nobody asked anything")
	}
	asked := []issuance.Answer{{Question: lifecycle.AskBirth, Right: true}, {Question: lifecycle.AskCardDigits, Right: true}}
	again := must[lifecycle.RevocationCode](t)(b.service.GiveRevocationCode(t.Context(), operator, id, asked))
	v.get("/revoke/reason").want(t, http.StatusForbidden) // and the session of the old one
	v.tryCode(string(id), code).want(t, http.StatusForbidden)
	v.tryCode(string(id), again.Reveal()).want(t, http.StatusSeeOther)
	if _, err := b.service.GiveRevocationCode(t.Context(), approver, id, asked); err == nil {
		t.Error("an approver gives codes")
	}
	b.clock.advance(issuance.RevocationSessionLife + time.Second)
	v.get("/revoke/reason").want(t, http.StatusForbidden)

	var kept []byte
	if err := b.pool.QueryRow(t.Context(), "SELECT code_sha256 FROM revocation_code WHERE certificate_id = $1", id).Scan(&kept); err != nil || len(kept) != 32 {
		t.Errorf("kept: %x, %v", kept, err)
	}
}

// Whoever guesses, at one reference or at the whole door, keeps nobody from revoking.
func TestGuessersKeepNoHolderFromRevoking(t *testing.T) {
	t.Parallel()
	b := open(t)
	id, code, sign := b.enrolled()
	_, others, _ := b.enrolled()
	serial := b.view(id).Serial
	const guesses = 60 // three times what one caller has
	statuses := make([]int, guesses)
	var race sync.WaitGroup
	for i := range guesses {
		guess, reference := b.browser(), []string{string(id), serial}[i%2]
		race.Go(func() { statuses[i] = guess.tryCode(reference, others).status })
	}
	race.Wait()
	told := map[int]int{}
	for _, status := range statuses {
		told[status]++
	}
	if told[http.StatusForbidden] != 20 || told[http.StatusTooManyRequests] != 40 {
		t.Errorf("the guesser was told %v", told)
	}
	statement := b.view(id).RevocationStatement(lifecycle.ReasonSuperseded)
	b.program().json("/revoke/signed", map[string]any{"reference": id, "what": "lost", "signature": sign(statement)}).want(t, http.StatusTooManyRequests)

	v := b.browser() // at the guesser's own address, so that no other is worse off
	v.tryCode(string(id), code).want(t, http.StatusSeeOther)
	v.get("/revoke/reason").want(t, http.StatusOK, "Codes faux", ">60<")
	entries := must[[]db.AuditEntry](t)(b.service.AuditOf(t.Context(), string(id)))
	if last := entries[len(entries)-1]; last.Event != "open" || !strings.Contains(string(last.Detail), `"60"`) {
		t.Errorf("on record: %+v", last)
	}
	b.program().json("/revoke/signed", map[string]any{"reference": id, "what": "replaced", "signature": sign(statement)}).want(t, http.StatusOK, "RV-")
	b.clock.advance(5 * time.Second)
	b.browser().tryCode(string(id), others).want(t, http.StatusForbidden) // some time later the guesser has tries again
}

// Held, expired, and twice at once.
func TestRevocationsThatMeetSomethingElse(t *testing.T) {
	t.Parallel()
	b := open(t)
	held, heldCode, _ := b.enrolled()
	if err := b.service.Hold(t.Context(), officer, held); err != nil {
		t.Fatal(err)
	}
	twins := []*browser{b.browser(), b.browser()}
	twins[0].tryCode(string(held), heldCode).want(t, http.StatusSeeOther)
	twins[1].tryCode(string(held), heldCode).want(t, http.StatusSeeOther)
	twins[0].get("/revoke/reason").want(t, http.StatusForbidden) // the later one has the session
	answers := make([]answer, 4)
	var race sync.WaitGroup
	for i := range answers {
		race.Go(func() { answers[i] = twins[1].post("/revoke/receipt", url.Values{"what": {"stolen"}}) })
	}
	race.Wait()
	for _, a := range answers {
		a.want(t, http.StatusOK, "RV-")
	}
	if all := must[[]issuance.RevocationRequest](t)(b.service.RevocationRequests(t.Context(), issuance.RequestFilter{Certificate: held})); len(all) != 1 {
		t.Errorf("requests: %+v", all)
	}
	expired, code, _ := b.enrolled()
	b.clock.advance(4 * 365 * 24 * time.Hour)
	if _, err := b.service.ExpireDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := b.browser()
	v.tryCode(string(expired), code).want(t, http.StatusSeeOther)
	v.post("/revoke/receipt", url.Values{"what": {"lost"}}).want(t, http.StatusConflict, "ne peut plus être révoqué")
	if block, _ := pem.Decode(b.view(expired).DER); block != nil || b.state(expired) != lifecycle.CertExpired {
		t.Errorf("it is %s", b.state(expired))
	}
}
