package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

func csr(t *testing.T) []byte {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))
}

func TestACardLivesThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := open(t)
	order, card := d.postedCard(1)
	key := d.key()
	d.call("GET", "/v1/orders/"+string(order), key, "").want(t, http.StatusOK, map[string]any{
		"id": string(order), "state": "in_progress", "reference": "REF-1", "client_id": "40010001",
	})
	path := "/v1/cards/" + string(card)
	d.call("POST", path+"/activate", key, `{"code":"99999999"}`).want(t, http.StatusForbidden, map[string]any{"code": "forbidden"})
	d.call("POST", path+"/activate", key, `{"code":"`+code(1)+`"}`).want(t, http.StatusOK, map[string]any{"state": "active"})
	verify := func(body string) answer { return d.call("POST", "/v1/cap/verify", key, body) }
	verify(`{"card":"`+string(card)+`","code":"`+code(1)+`"}`).want(t, http.StatusOK, map[string]any{"result": "refused", "card": nil})
	verify(`{"client_id":"40010001","user_number":"0001","code":"`+code(2)+`"}`).want(t, http.StatusOK, map[string]any{
		"result": "accepted", "card": string(card),
	})
	verify(`{"client_id":"40010001","user_number":"0001","code":"`+code(2)+`"}`).want(t, http.StatusOK, map[string]any{"result": "refused"})
	d.call("POST", path+"/block", key, `{"temporary":true}`).want(t, http.StatusOK, map[string]any{"state": "suspended"})
	verify(`{"card":"`+string(card)+`","code":"`+code(3)+`"}`).want(t, http.StatusOK, map[string]any{"result": "refused"})
	first := d.call("POST", path+"/block", key, `{"reason":"lost"}`)
	first.want(t, http.StatusOK, map[string]any{"state": "opposed"})
	if first.body["receipt"] == nil {
		t.Error("no receipt proves the report")
	}
	d.call("POST", path+"/block", key, `{"reason":"lost"}`).want(t, http.StatusOK, map[string]any{"receipt": first.body["receipt"]})
	d.call("POST", path+"/block", key, `{"temporary":true}`).want(t, http.StatusConflict, map[string]any{"code": "illegal-move"})
}

func TestOneOfManyRequestsWithTheSameCodeIsAccepted(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, card := d.postedCard(1)
	key := d.key()
	d.call("POST", "/v1/cards/"+string(card)+"/activate", key, `{"code":"`+code(1)+`"}`).want(t, http.StatusOK, nil)
	const askers = 4 // below the number of guesses that locks a card
	results := make([]answer, askers)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			results[i] = d.call("POST", "/v1/cap/verify", key, `{"card":"`+string(card)+`","code":"`+code(2)+`"}`)
		})
	}
	group.Wait()
	accepted := 0
	for _, r := range results {
		if r.body["result"] == "accepted" {
			accepted++
		}
	}
	if accepted != 1 {
		t.Errorf("%d requests with the same code were accepted", accepted)
	}
}

func TestGuessesLockACard(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, card := d.postedCard(1)
	key := d.key()
	d.call("POST", "/v1/cards/"+string(card)+"/activate", key, `{"code":"`+code(1)+`"}`).want(t, http.StatusOK, nil)
	body := `{"card":"` + string(card) + `","code":"99999999"}`
	for range authn.DefaultPolicy().MaxFailures {
		d.call("POST", "/v1/cap/verify", key, body).want(t, http.StatusOK, map[string]any{"result": "refused"})
	}
	d.call("POST", "/v1/cap/verify", key, `{"card":"`+string(card)+`","code":"`+code(2)+`"}`).want(t, http.StatusOK, map[string]any{"result": "locked"})
}

func TestTwoCodesInARowBringACardBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, card := d.postedCard(1)
	key := d.key()
	d.call("POST", "/v1/cards/"+string(card)+"/activate", key, `{"code":"`+code(1)+`"}`).want(t, http.StatusOK, nil)
	resync := func(first, next string) answer {
		return d.call("POST", "/v1/cap/resync", key, `{"client_id":"40010001","user_number":"0001","code":"`+first+`","next_code":"`+next+`"}`)
	}
	d.call("POST", "/v1/cap/verify", key, `{"card":"`+string(card)+`","code":"`+code(300)+`"}`).want(t, http.StatusOK, map[string]any{"result": "refused"})
	resync(code(300), code(302)).want(t, http.StatusOK, map[string]any{"result": "refused"})
	resync(code(300), code(301)).want(t, http.StatusOK, map[string]any{"result": "accepted", "card": string(card)})
	resync(code(300), code(301)).want(t, http.StatusOK, map[string]any{"result": "refused"})
	resync(code(302), "").want(t, http.StatusUnprocessableEntity, nil)
	d.call("POST", "/v1/cap/verify", key, `{"card":"`+string(card)+`","code":"`+code(302)+`"}`).want(t, http.StatusOK, map[string]any{"result": "accepted"})
}

func TestACertificateIsRevokedOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	serial := d.certificate(1)
	key := d.key()
	pasted := strings.ToUpper(serial[:2] + ":" + serial[2:])
	for range 2 {
		d.call("POST", "/v1/certificates/"+pasted+"/revoke", key, `{"reason":"keyCompromise","invalidity_date":"2026-01-01T00:00:00Z"}`).
			want(t, http.StatusOK, map[string]any{"serial": serial, "state": "revoked"})
	}
	unknown := strings.Repeat("42", 16)
	d.call("POST", "/v1/certificates/"+unknown+"/revoke", key, `{"reason":"superseded"}`).want(t, http.StatusNotFound, nil)
}

func TestAPINCounterIsResetUnderAnApprovedOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, card := d.postedCard(1)
	key := d.key()
	order := must[lifecycle.OrderID](t)(d.service.Submit(t.Context(), manager, issuance.OrderRequest{Kind: lifecycle.OrderPINReset, Identity: "passport 12AB", TargetCard: card}))
	path := "/v1/orders/" + string(order) + "/script"
	good := `{"atc":7,"arqc":"0102030405060708"}`
	d.call("POST", path, key, good).want(t, http.StatusConflict, map[string]any{"code": "illegal-move"})
	d.approve(order)
	d.call("POST", path+"/result", key, `{"taken":true,"tries_left":3}`).want(t, http.StatusConflict, map[string]any{"code": "illegal-move"})
	d.call("POST", path, key, `{"atc":7,"arqc":"FFFFFFFFFFFFFFFF"}`).want(t, http.StatusUnprocessableEntity, map[string]any{"code": "invalid"})
	d.call("POST", path, key, good).want(t, http.StatusOK, map[string]any{"card": string(card), "apdu": "8424000008"})
	d.call("POST", path, key, good).want(t, http.StatusConflict, map[string]any{"code": "conflict"})
	d.call("POST", path+"/result", key, `{"taken":true,"tries_left":0}`).want(t, http.StatusUnprocessableEntity, nil)
	d.call("POST", path+"/result", key, `{"taken":false,"tries_left":0}`).want(t, http.StatusOK, map[string]any{"state": "in_progress"})
	d.call("POST", path+"/result", key, `{"taken":true,"tries_left":3}`).want(t, http.StatusOK, map[string]any{"state": "completed"})
}

// operations are all that the description lists, with the scope of each.
func operations(t *testing.T, d *door) map[string]authn.Scope {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(d.call("GET", "/openapi.json", "", "").text), &document); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]authn.Scope)
	for path, methods := range document.Paths {
		for method, o := range methods {
			if len(o.Security) != 1 || len(o.Security[0]["api_key"]) != 1 {
				t.Errorf("%s %s names no scope", method, path)
				continue
			}
			found[strings.ToUpper(method)+" "+path] = authn.Scope(o.Security[0]["api_key"][0])
		}
	}
	return found
}

func TestEveryOperationWantsAKeyWithItsScope(t *testing.T) { //nolint:tparallel // a call that fails ends the test that opened the door
	t.Parallel()
	d := open(t)
	all := operations(t, d)
	if len(all) < 7 {
		t.Fatalf("the description lists %d operations", len(all))
	}
	fill := strings.NewReplacer("{id}", "C-0000000000000000", "{serial}", strings.Repeat("42", 16))
	for operation, scope := range all {
		method, path, _ := strings.Cut(fill.Replace(operation), " ")
		var others []authn.Scope
		for _, s := range authn.Scopes() {
			if s != scope {
				others = append(others, s)
			}
		}
		t.Run(operation, func(t *testing.T) {
			nobody := d.call(method, path, "", "")
			nobody.want(t, http.StatusUnauthorized, map[string]any{"code": "unauthorised"})
			if nobody.header.Get("WWW-Authenticate") == "" {
				t.Error("no challenge tells how to sign in")
			}
			d.call(method, path, "sceau_wrong", "").want(t, http.StatusUnauthorized, nil)
			d.call(method, path, d.key(others...), "").want(t, http.StatusForbidden, nil)
			if got := d.call(method, path, d.key(scope), "{}").status; got == http.StatusUnauthorized || got == http.StatusForbidden {
				t.Errorf("a key with the scope gets %d", got)
			}
		})
	}
}

func TestBadInputIsAProblemThatNamesTheField(t *testing.T) {
	t.Parallel()
	d := open(t)
	key := d.key()
	const verify = "/v1/cap/verify"
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		field                    string
	}{
		{"not JSON", "POST", verify, `{`, 400, "body"},
		{"a number for a code", "POST", verify, `{"code":12345678}`, 422, "body.code"},
		{"an unknown member", "POST", verify, `{"code":"12345678","pin":"0000"}`, 422, "body.pin"},
		{"seven digits", "POST", verify, `{"client_id":"40010001","user_number":"0001","code":"1234567"}`, 422, "code"},
		{"nobody named", "POST", verify, `{"code":"12345678"}`, 422, "client_id"},
		{"an unknown mode", "POST", verify, `{"code":"12345678","mode":"4"}`, 422, "body.mode"},
		{"eleven fields to sign", "POST", verify, `{"code":"12345678","tds":["1","1","1","1","1","1","1","1","1","1","1"]}`, 422, "body.tds"},
		{"too large", "POST", verify, `{"code":"` + strings.Repeat("1", 70_000) + `"}`, 413, ""},
		{"a card's name that is none", "POST", "/v1/cards/x/activate", `{"code":"12345678"}`, 422, ""},
		{"neither reason nor temporary", "POST", "/v1/cards/C-0000000000000000/block", `{}`, 422, "body.reason"},
		{"both", "POST", "/v1/cards/C-0000000000000000/block", `{"reason":"lost","temporary":true}`, 422, "body.reason"},
		{"a reason that is a CA's to give", "POST", "/v1/certificates/42/revoke", `{"reason":"cACompromise"}`, 422, "body.reason"},
		{"a short serial", "POST", "/v1/certificates/42/revoke", `{"reason":"superseded"}`, 422, "path.serial"},
		{"a card that nobody has", "POST", "/v1/cards/C-0000000000000000/block", `{"reason":"lost"}`, 404, ""},
		{"an order that nobody gave", "GET", "/v1/orders/O-0000000000000000", ``, 404, ""},
		{"no such path", "GET", "/v1/none", ``, 404, ""},
		{"no such method", "DELETE", verify, ``, 405, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := d.call(tt.method, tt.path, key, tt.body)
			got.want(t, tt.status, nil)
			if tt.field != "" && !strings.Contains(got.text, `"field":"`+tt.field+`"`) {
				t.Errorf("the problem does not name %s: %s", tt.field, got.text)
			}
			if code, _ := got.body["type"].(string); d.call("GET", code, "", "").status != http.StatusOK {
				t.Errorf("the problem's type %q explains nothing", code)
			}
		})
	}
}

func TestWhatIsAwayInsideIsNotTold(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, card := d.postedCard(1)
	key := d.key()
	d.engine.leave(true)
	got := d.call("POST", "/v1/cards/"+string(card)+"/activate", key, `{"code":"`+code(1)+`"}`)
	got.want(t, http.StatusServiceUnavailable, map[string]any{"code": "unavailable", "detail": nil})
	if got.header.Get("Retry-After") == "" || strings.Contains(got.text, "secret address") {
		t.Errorf("the caller is not told when to come back, or is told too much: %s", got.text)
	}
	if d.call("GET", "/readyz", "", "").status != http.StatusServiceUnavailable {
		t.Error("the process says that it is ready")
	}
	d.engine.leave(false)
	d.call("POST", "/v1/cards/"+string(card)+"/activate", key, `{"code":"`+code(1)+`"}`).want(t, http.StatusOK, nil)
	if d.call("GET", "/readyz", "", "").status != http.StatusNoContent {
		t.Error("the process says that it is not ready")
	}
}

func TestNoCodeIsLogged(t *testing.T) {
	t.Parallel()
	d := open(t)
	key := d.key()
	d.call("POST", "/v1/cap/verify", key, `{"client_id":"40010001","user_number":"0001","code":"87654321"}`).want(t, http.StatusOK, nil)
	d.call("POST", "/v1/cap/verify", key, `{"code":"8765432100"}`).want(t, http.StatusUnprocessableEntity, nil)
	d.server.Close()
	log := d.log.String()
	if !strings.Contains(log, "verify-cap") || strings.Contains(log, "8765432") || strings.Contains(log, key) {
		t.Errorf("the log lacks the request, or has its code or key: %s", log)
	}
}
