package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sceau/authn"
	"sceau/issuance"
	"sceau/signing"
)

// activeUser is a user with an active card, as client ID and user number.
func (d *door) activeUser(n int) (client string) {
	d.t.Helper()
	_, card := d.postedCard(n)
	d.call(http.MethodPost, "/v1/cards/"+string(card)+"/activate", d.key(), fmt.Sprintf(`{"code":%q}`, code(1))).want(d.t, http.StatusOK, nil)
	return fmt.Sprintf("4001%04d", n)
}

// entitle gives the user 0001 what two of the staff agree on.
func (d *door) entitle(client string, grants ...signing.Grant) {
	d.t.Helper()
	made := must[issuance.Entitlement](d.t)(d.service.ProposeEntitlements(d.t.Context(), manager, issuance.EntitlementRequest{ClientID: client, UserNumber: "0001", Grants: grants}))
	if err := d.service.ApproveEntitlements(d.t.Context(), approver, made.ID, made.Grants.Sum(client+"/0001")); err != nil {
		d.t.Fatal(err)
	}
}

const payment = `"content":{"amount":"1250075","currency":"EUR","payee_account":"FR7630006000011234567890189","payee_name":"Lemaire"}`

func TestASignInAndAnOperationThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := open(t)
	client, key := d.activeUser(1), d.key(authn.ScopeAuthenticate, authn.ScopeOperate)
	d.call(http.MethodPost, "/v1/operations", key, fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap","function":"sign_payment",%s}`, client, payment)).
		want(t, http.StatusForbidden, map[string]any{"code": "forbidden"})
	d.entitle(client, signing.Grant{Function: signing.SignPayment, Currency: "EUR", To: 2_000_000})
	begun := d.call(http.MethodPost, "/v1/authentications", key, fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap"}`, client))
	begun.want(t, http.StatusCreated, map[string]any{"state": "pending", "mode": "2", "linked": false, "strong": true, "function": "sign_in"})
	if begun.body["instruction"].(map[string]any)["key"] != "CODE" { //nolint:forcetypeassert // a panic fails the test as well
		t.Errorf("the instruction: %v", begun.body["instruction"])
	}
	at := "/v1/authentications/" + begun.body["id"].(string) //nolint:forcetypeassert // a panic fails the test as well
	d.call(http.MethodPost, at+"/verify", key, `{"code":"99999999"}`).want(t, http.StatusOK, map[string]any{"result": "refused", "state": "pending", "tries_left": float64(2), "holder": nil})
	done := d.call(http.MethodPost, at+"/verify", key, fmt.Sprintf(`{"code":%q}`, code(2)))
	done.want(t, http.StatusOK, map[string]any{"result": "accepted", "state": "accepted"})
	if !strings.HasPrefix(done.body["holder"].(string), "H-") || done.body["instruction"] != nil { //nolint:forcetypeassert // a panic fails the test as well
		t.Errorf("accepted: %s", done.text)
	}
	d.call(http.MethodPost, at+"/verify", key, fmt.Sprintf(`{"code":%q}`, code(3))).want(t, http.StatusConflict, map[string]any{"code": "conflict"})

	begun = d.call(http.MethodPost, "/v1/operations", key, fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap","function":"sign_payment",%s}`, client, payment))
	begun.want(t, http.StatusCreated, map[string]any{"state": "pending", "mode": "2+tds", "linked": true})
	data := begun.body["instruction"].(map[string]any)["data"].([]any) //nolint:forcetypeassert // a panic fails the test as well
	if len(data) != 3 || data[0] != "1250075" || data[1] != "4567890189" {
		t.Errorf("the holder types %v", data)
	}
	at = "/v1/operations/" + begun.body["id"].(string) //nolint:forcetypeassert // a panic fails the test as well
	// A proof brings no content: what was shown is what is signed.
	d.call(http.MethodPost, at+"/verify", key, fmt.Sprintf(`{"code":%q,"content":{"amount":"1"}}`, code(3))).want(t, http.StatusUnprocessableEntity, nil)
	d.call(http.MethodPost, at+"/verify", key, fmt.Sprintf(`{"code":%q}`, code(3))).want(t, http.StatusOK, map[string]any{"result": "accepted", "linked": true})
	read := d.call(http.MethodGet, at, key, "")
	read.want(t, http.StatusOK, map[string]any{"state": "accepted", "function": "sign_payment"})
	if text, _ := read.body["statement"].(string); !strings.HasPrefix(text, "sealed: ") || !strings.Contains(text, `"amount":"1250075"`) {
		t.Errorf("it states %q", text)
	}
	if set := d.call(http.MethodGet, "/.well-known/jwks.json", "", ""); set.status != http.StatusOK || !strings.Contains(set.text, `"kid"`) {
		t.Errorf("the key set: %d %s", set.status, set.text)
	}
	d.call(http.MethodGet, at, d.key(authn.ScopeOperate), "").want(t, http.StatusNotFound, nil)
	d.call(http.MethodPost, at+"/cancel", key, "").want(t, http.StatusConflict, map[string]any{"code": "illegal-move"})
}

func TestWrongQuestionsNameTheirFields(t *testing.T) {
	t.Parallel()
	d := open(t)
	key := d.key()
	for name, test := range map[string]struct{ path, body, want string }{
		"no means":            {"/v1/authentications", `{"client_id":"40010001","user_number":"0001"}`, "means"},
		"a mode that is none": {"/v1/authentications", `{"client_id":"40010001","user_number":"0001","means":"cap","mode":"4"}`, "mode"},
		"a short client ID":   {"/v1/authentications", `{"client_id":"4001","user_number":"0001","means":"cap"}`, "client_id"},
		"no content":          {"/v1/operations", `{"client_id":"40010001","user_number":"0001","means":"cap","function":"sign_payment"}`, "content"},
		"a wrong amount":      {"/v1/operations", `{"client_id":"40010001","user_number":"0001","means":"cap","function":"sign_payment",` + strings.Replace(payment, "1250075", "12.5", 1) + `}`, "content.amount"},
		"the CODE key":        {"/v1/operations", `{"client_id":"40010001","user_number":"0001","means":"cap","mode":"2","function":"sign_payment",` + payment + `}`, "means"},
	} {
		answer := d.call(http.MethodPost, test.path, key, test.body)
		answer.want(t, http.StatusUnprocessableEntity, nil)
		if !strings.Contains(answer.text, test.want) {
			t.Errorf("%s: %s does not name %s", name, answer.text, test.want)
		}
	}
	d.call(http.MethodGet, "/v1/operations/AU-0000000000000001", key, "").want(t, http.StatusNotFound, nil)
	d.call(http.MethodGet, "/v1/operations/nonsense", key, "").want(t, http.StatusUnprocessableEntity, nil)
}
