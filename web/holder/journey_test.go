package holder_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// A browser goes the whole way; openssl makes key, request and signature.
func TestAHolderEnrolsInTheBrowser(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.certificate()
	code := b.invited(id)
	v := b.browser()
	page := v.get("/")
	page.want(t, http.StatusOK, `<html lang="fr">`, "Code d&#39;enrôlement", `for="code"`)
	v.enter(id, strings.ToLower(strings.ReplaceAll(code, "-", " "))).want(t, http.StatusSeeOther)
	v.get("/certificate").want(t, http.StatusOK, "Hélène Montclair", "Ateliers Montclair", "NTRFR-", "nominative-authentication",
		b.clock.now().UTC().AddDate(3, 0, 0).Format("2006-01-02"), "CSR")

	dir := t.TempDir()
	openssl := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v: %s", args[0], err, out)
		}
	}
	read := func(name string) []byte { return must[[]byte](t)(os.ReadFile(filepath.Join(dir, name))) }
	openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", "/")
	v.upload("/certificate/request", "csr", read("request.pem"), url.Values{"key_in": {"file"}}).want(t, http.StatusSeeOther)
	v.get("/certificate").want(t, http.StatusOK, "en cours de signature")
	if w := v.get("/certificate/certificate.pem"); w.status != http.StatusNotFound {
		t.Errorf("a certificate before its issue: %d", w.status)
	}
	b.issue(id)
	v.get("/certificate").want(t, http.StatusOK, "Empreinte SHA-256", "openssl dgst -sha256 -sign key.pem -out acceptance.sig acceptance.txt", "Test Issuing CA")
	pemFile := v.get("/certificate/certificate.pem")
	pemFile.want(t, http.StatusOK, "BEGIN CERTIFICATE")
	if bundle := v.get("/certificate/certificate.p7c"); bundle.status != http.StatusOK || os.WriteFile(filepath.Join(dir, "all.p7c"), []byte(bundle.text), 0o600) != nil {
		t.Errorf("bundle: %d", bundle.status)
	}
	openssl("pkcs7", "-inform", "DER", "-in", "all.p7c", "-print_certs", "-noout")

	statement := v.get("/certificate/acceptance.txt")
	block, _ := pem.Decode([]byte(pemFile.text))
	statement.want(t, http.StatusOK, string(id), issuance.Fingerprint(block.Bytes), "je l'accepte")
	if err := os.WriteFile(filepath.Join(dir, "acceptance.txt"), []byte(statement.text), 0o600); err != nil {
		t.Fatal(err)
	}
	openssl("dgst", "-sha256", "-sign", "key.pem", "-out", "acceptance.sig", "acceptance.txt")
	v.upload("/certificate/acceptance", "signature", read("acceptance.sig"), nil).want(t, http.StatusOK, "Votre code de révocation")
	v.get("/certificate").want(t, http.StatusOK, "Votre certificat est actif")
	if got := b.state(id); got != lifecycle.CertActive {
		t.Errorf("the certificate is %s", got)
	}
	kept := must[issuance.Evidence](t)(b.service.EvidenceOf(t.Context(), id))
	if kept.Statement != statement.text || string(kept.Signature) != string(read("acceptance.sig")) || kept.Accepted.IsZero() || kept.Device != nil {
		t.Errorf("evidence: %+v", kept)
	}

	v.post("/leave", nil).want(t, http.StatusSeeOther)
	v.get("/certificate").want(t, http.StatusForbidden)
	b.browser().enter(id, code).want(t, http.StatusForbidden, "ouvrent rien") // it is of no more use
	if plain := strings.ReplaceAll(code, "-", ""); strings.Contains(b.log.String(), plain) || strings.Contains(b.log.String(), code) {
		t.Error("the log shows the code")
	}
}

func TestAProgramEnrolsWithJSON(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.onDevices()
	id := b.certificate()
	v, key := b.program(), newKey(t)
	v.json("/", map[string]string{"certificate": string(id), "code": b.invited(id)}).want(t, http.StatusOK, `"awaiting_key"`, `"needs_device":true`)
	request := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr(t, key)}))
	v.json("/certificate/request", map[string]any{"csr": request}).want(t, http.StatusUnprocessableEntity, "device")
	v.json("/certificate/request", map[string]any{"csr": request, "device": map[string]string{"manufacturer": "M"}}).want(t, http.StatusUnprocessableEntity, `"field":"device.serial"`)
	device := map[string]string{"manufacturer": "Maker", "model": "Token 5", "serial": "77"}
	v.json("/certificate/request", map[string]any{"csr": request, "device": device}).want(t, http.StatusOK, `"issuing"`)
	b.issue(id)
	seen := v.get("/certificate?wait=1")
	seen.want(t, http.StatusOK, `"issued"`)
	statement, _ := seen.body["statement"].(string)
	v.json("/certificate/acceptance", map[string]any{"signature": signed(t, key, statement)}).want(t, http.StatusOK, `"active"`)
	v.json("/certificate/acceptance", map[string]any{"signature": signed(t, key, statement)}).want(t, http.StatusOK, `"active"`) // again, as after a cut
	kept := must[issuance.Evidence](t)(b.service.EvidenceOf(t.Context(), id))
	if kept.Device == nil || *kept.Device != (issuance.Device{Manufacturer: "Maker", Model: "Token 5", Serial: "77"}) {
		t.Errorf("device: %+v", kept.Device)
	}
}

func TestCodesAreCountedBeforeTheyAreJudged(t *testing.T) {
	t.Parallel()
	b := open(t)
	id, other := b.certificate(), b.certificate()
	code, wrong := b.invited(id), b.invited(other)
	v := b.browser()
	typo := []byte(code)
	typo[0] = map[bool]byte{true: '2', false: '3'}[code[0] == '3']
	for range 6 { // a slip of the pen is no try
		v.enter(id, string(typo)).want(t, http.StatusUnprocessableEntity, "faute de frappe", string(id))
	}
	for range 4 {
		v.enter(id, wrong).want(t, http.StatusForbidden)
	}
	v.enter(id, code).want(t, http.StatusSeeOther) // the fifth is right, and gives its try back
	v.enter(id, wrong).want(t, http.StatusForbidden)
	v.enter(id, code).want(t, http.StatusForbidden) // locked
	again := b.invited(id)
	v.enter(id, code).want(t, http.StatusForbidden) // voided
	v.enter(id, again).want(t, http.StatusSeeOther)
	b.clock.advance(30*24*time.Hour + time.Second)
	v.get("/certificate").want(t, http.StatusForbidden)
	v.enter(id, again).want(t, http.StatusForbidden) // past its end
	v.enter("N-0000000000000000", again).want(t, http.StatusForbidden)
	v.enter("N-1", again).want(t, http.StatusUnprocessableEntity)

	// Many guesses at once: five are judged, all are refused.
	locked := b.invited(id)
	var race sync.WaitGroup
	for range 12 {
		guess := b.browser()
		race.Go(func() { guess.enter(id, wrong) })
	}
	race.Wait()
	v.enter(id, locked).want(t, http.StatusForbidden)
	var tries int
	if err := b.pool.QueryRow(t.Context(), "SELECT tries FROM enrolment WHERE certificate_id = $1", id).Scan(&tries); err != nil || tries != 5 {
		t.Errorf("tries: %d, %v", tries, err)
	}
	var hash []byte
	if err := b.pool.QueryRow(t.Context(), "SELECT code_sha256 FROM enrolment WHERE certificate_id = $1", id).Scan(&hash); err != nil || len(hash) != 32 {
		t.Errorf("kept: %x, %v", hash, err)
	}
}

// Two people with one code: the later one has the session, and one key is taken.
func TestTwinsWithOneCode(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.certificate()
	code := b.invited(id)
	first, second := b.browser(), b.browser()
	first.enter(id, code).want(t, http.StatusSeeOther)
	second.enter(id, code).want(t, http.StatusSeeOther)
	first.upload("/certificate/request", "csr", csr(t, newKey(t)), nil).want(t, http.StatusForbidden)
	requests := [][]byte{csr(t, newKey(t)), csr(t, newKey(t))}
	status := make([]int, len(requests))
	var race sync.WaitGroup
	for i, r := range requests {
		race.Go(func() { status[i] = second.upload("/certificate/request", "csr", r, nil).status })
	}
	race.Wait()
	if status[0]+status[1] != http.StatusSeeOther+http.StatusConflict {
		t.Errorf("two keys at once: %v", status)
	}
	second.upload("/certificate/request", "csr", csr(t, newKey(t)), nil).want(t, http.StatusConflict) // another key after one was taken
}

func TestWrongAcceptances(t *testing.T) {
	t.Parallel()
	b := open(t)
	enrolled := func() (*browser, lifecycle.CertificateID, func(string) []byte, string) {
		id, key := b.certificate(), newKey(t)
		v := b.program()
		v.enter(id, b.invited(id)).want(t, http.StatusOK)
		v.upload("/certificate/request", "csr", csr(t, key), nil).want(t, http.StatusOK)
		b.issue(id)
		statement, _ := v.get("/certificate").body["statement"].(string)
		return v, id, func(s string) []byte { return signed(t, key, s) }, statement
	}
	v, id, sign, statement := enrolled()
	_, _, otherSign, otherStatement := enrolled()
	for name, signature := range map[string][]byte{
		"by another key": otherSign(statement), "of another certificate": sign(otherStatement), "nothing": {}, "words": []byte("I accept"),
		"too long": make([]byte, 4096), "of half the statement": sign(statement[:20]),
	} {
		if a := v.upload("/certificate/acceptance", "signature", signature, nil); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	if got := b.state(id); got != lifecycle.CertIssued {
		t.Errorf("the certificate is %s", got)
	}
	for name, statementIn := range map[string]string{"nl": "ik aanvaard", "de": "ich nehme es an", "en": "I accept it"} {
		if text := v.get("/certificate/acceptance.txt?lang=" + name).text; !strings.Contains(text, statementIn) {
			t.Errorf("%s: %s", name, text)
		}
	}
	v.upload("/certificate/acceptance", "signature", sign(v.get("/certificate/acceptance.txt?lang=de").text), nil).want(t, http.StatusOK, `"active"`)
}

func TestAHolderRefusesTheContent(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.certificate()
	v := b.browser()
	v.enter(id, b.invited(id)).want(t, http.StatusSeeOther)
	v.post("/certificate/refusal", url.Values{"reason": {"too early"}}).want(t, http.StatusConflict)
	v.upload("/certificate/request", "csr", csr(t, newKey(t)), nil).want(t, http.StatusSeeOther)
	b.issue(id)
	v.post("/certificate/refusal", url.Values{"reason": {" "}}).want(t, http.StatusUnprocessableEntity, "400 caractères", `aria-invalid="true"`, `href="/certificate?lang=de"`)
	why := `My name is <b>Helen</b> & "not" Hélène`
	v.post("/certificate/refusal", url.Values{"reason": {why}}).want(t, http.StatusSeeOther)
	v.get("/certificate").want(t, http.StatusOK, "révoqué")
	var reason int
	if err := b.pool.QueryRow(t.Context(), "SELECT reason FROM certificate WHERE id = $1 AND state = 'revoked'", id).Scan(&reason); err != nil ||
		lifecycle.RevocationReason(reason) != lifecycle.ReasonSuperseded {
		t.Errorf("reason %d, %v", reason, err)
	}
	items := must[[]issuance.WorkItem](t)(b.service.WorkItems(t.Context(), issuance.WorkFilter{Kind: lifecycle.WorkRefused}))
	if len(items) != 1 || items[0].On != string(id) || items[0].Why != why {
		t.Errorf("work: %+v", items)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.certificate()
	markup := `Montclair "<script>alert(1)</script>` // that no order brings in: as if a check had a hole
	if _, err := b.pool.Exec(t.Context(), "UPDATE company SET name = $1", markup); err != nil {
		t.Fatal(err)
	}
	code := b.invited(id)
	v := b.browser()
	v.enter(id, code).want(t, http.StatusSeeOther)
	page := v.get("/certificate")
	page.want(t, http.StatusOK, "&lt;script&gt;")
	typed := b.browser().enter(lifecycle.CertificateID(markup), code)
	typed.want(t, http.StatusUnprocessableEntity, "&lt;SCRIPT&gt;")
	if strings.Contains(strings.ToLower(page.text+typed.text), "<script") {
		t.Error("a name became markup")
	}
	for _, header := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Strict-Transport-Security"} {
		if page.header.Get(header) == "" {
			t.Errorf("no %s", header)
		}
	}
	if !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") || page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", page.header)
	}
	v.upload("/certificate/request", "csr", []byte("hello"), nil).want(t, http.StatusUnprocessableEntity, "PKCS#10", `role="alert"`)
	v.upload("/certificate/request", "csr", make([]byte, 200<<10), nil).want(t, http.StatusRequestEntityTooLarge)
	v.send(http.MethodPost, "/certificate/request", "application/octet-stream", strings.NewReader("x")).want(t, http.StatusUnsupportedMediaType)
	v.send(http.MethodPost, "/certificate/request", "application/json", strings.NewReader(`{"csr":`)).want(t, http.StatusBadRequest)
	v.send(http.MethodPost, "/certificate/request", "application/json", strings.NewReader(`{"other":1}`)).want(t, http.StatusBadRequest)
	v.get("/nothing").want(t, http.StatusNotFound, "existe pas")

	key := newKey(t)
	house := must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, b.key))
	v.upload("/certificate/request", "csr", house, nil).want(t, http.StatusUnprocessableEntity, "key of this house")
	spki := must[[]byte](t)(x509.MarshalPKIXPublicKey(key.Public()))
	if _, err := b.service.BlockKey(t.Context(), officer, sha256.Sum256(spki), "found on a public site"); err != nil {
		t.Fatal(err)
	}
	v.upload("/certificate/request", "csr", csr(t, key), nil).want(t, http.StatusUnprocessableEntity, "is blocked")

	foreign := b.browser()
	foreign.client.Jar = v.client.Jar
	foreign.header.Set("Sec-Fetch-Site", "cross-site")
	foreign.upload("/certificate/request", "csr", csr(t, newKey(t)), nil).want(t, http.StatusForbidden, "autre site")
	foreign.header = http.Header{"Origin": {"https://evil.example"}}
	foreign.upload("/certificate/request", "csr", csr(t, newKey(t)), nil).want(t, http.StatusForbidden)
	if got := b.state(id); got != lifecycle.CertAwaitingKey {
		t.Errorf("the certificate is %s", got)
	}
	own := b.browser()
	own.client.Jar = v.client.Jar
	own.header.Set("Sec-Fetch-Site", "same-origin")
	own.upload("/certificate/request", "csr", csr(t, newKey(t)), nil).want(t, http.StatusSeeOther)
}

func TestACompromisedKeyIsBlockedForEver(t *testing.T) {
	t.Parallel()
	b := open(t)
	enrol := func(request []byte) (lifecycle.CertificateID, answer) {
		id := b.certificate()
		v := b.browser()
		v.enter(id, b.invited(id)).want(t, http.StatusSeeOther)
		return id, v.upload("/certificate/request", "csr", request, nil)
	}
	key := newKey(t)
	id, a := enrol(csr(t, key))
	a.want(t, http.StatusSeeOther)
	b.issue(id)
	if err := b.service.Revoke(t.Context(), officer, id, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}); err != nil {
		t.Fatal(err)
	}
	_, a = enrol(csr(t, key))
	a.want(t, http.StatusUnprocessableEntity, "is blocked")

	// Blocking the key of a live certificate revokes it.
	another := newKey(t)
	id, a = enrol(csr(t, another))
	a.want(t, http.StatusSeeOther)
	spki := must[[]byte](t)(x509.MarshalPKIXPublicKey(another.Public()))
	if used, err := b.service.BlockKey(t.Context(), officer, sha256.Sum256(spki), "its device was opened"); err != nil || used != id || b.state(id) != lifecycle.CertRevoked {
		t.Errorf("blocked: %s, %v, %s", used, err, b.state(id))
	}
	if _, err := b.service.BlockKey(t.Context(), manager, sha256.Sum256(spki), "no"); err == nil {
		t.Error("an account manager blocks keys")
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	b := open(t)
	for header, want := range map[string]string{
		"": "fr", "pt": "fr", "nl-BE,fr;q=0.8": "nl", "fr;q=0.3, de-AT;q=0.7": "de", "en-GB": "en", "de;q=x,en;q=0.1": "en", "*": "fr",
	} {
		v := b.browser()
		v.header.Set("Accept-Language", header)
		v.get("/").want(t, http.StatusOK, `<html lang="`+want+`">`)
		v.get("/?lang=de").want(t, http.StatusOK, `<html lang="de">`)
		v.get("/").want(t, http.StatusOK, `<html lang="de">`) // the choice is kept
	}
}
