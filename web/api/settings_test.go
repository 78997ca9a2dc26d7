package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"sceau/authn"
	"sceau/signing"
)

// signs has the user 0001 sign an operation with the card's next code, as its
// identifier.
func (d *door) signs(key, client, function, content string, atc int) string {
	d.t.Helper()
	body := fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap","function":%q,"content":%s}`, client, function, content)
	path := "/v1/operations/"
	if function == "sign_in" {
		path, body = "/v1/authentications/", fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap"}`, client)
	}
	begun := d.call(http.MethodPost, path[:len(path)-1], key, body)
	begun.want(d.t, http.StatusCreated, nil)
	id, _ := begun.body["id"].(string)
	d.call(http.MethodPost, path+id+"/verify", key, fmt.Sprintf(`{"code":%q}`, code(atc))).want(d.t, http.StatusOK, map[string]any{"result": "accepted"})
	return id
}

func TestEntitlementsSettingsAndDecisionsThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := open(t)
	client, key := d.activeUser(1), d.key(authn.ScopeAuthenticate, authn.ScopeOperate, authn.ScopeEntitlements, authn.ScopeSettings, authn.ScopeDecide)
	at := "/v1/holders/" + client + "/0001/"
	d.call(http.MethodGet, at+"entitlements", d.key(authn.ScopeDecide), "").want(t, http.StatusForbidden, nil)
	d.call(http.MethodGet, at+"entitlements", key, "").want(t, http.StatusOK, map[string]any{"text": "none", "in_force": true})
	d.entitle(client, signing.Grant{Function: signing.ManageEntitlements})

	// The principal user gives themselves what they need, by their signature.
	const grants = `{"entitlements":[{"function":"manage_entitlements"},{"function":"change_setting"},{"function":"sign_payment","to":500000,"currency":"EUR"}]`
	asked := d.call(http.MethodPut, at+"entitlements", key, grants+"}")
	asked.want(t, http.StatusOK, map[string]any{"text": "manage_entitlements"})
	const text = "change_setting; manage_entitlements; sign_payment from 0 to 500000 cents EUR"
	content := asked.body["sign"].(map[string]any)["content"].(map[string]any) //nolint:forcetypeassert // a panic fails the test as well
	if content["entitlements"] != text {
		t.Errorf("to sign is %v", content)
	}
	signed := d.signs(key, client, "manage_entitlements", fmt.Sprintf(`{"user_number":"0001","entitlements":%q}`, text), 2)
	given := fmt.Sprintf(`%s,"authentication":%q}`, grants, signed)
	d.call(http.MethodPut, at+"entitlements", key, given).want(t, http.StatusOK, map[string]any{"text": text, "authentication": signed})
	d.call(http.MethodPut, at+"entitlements", key, given).want(t, http.StatusConflict, nil)

	// A limit at once, by a sign-in; none of it back without a signature.
	login := d.signs(key, client, "sign_in", "", 3)
	tight := fmt.Sprintf(`{"setting":"limits","level":"company","value":{"limits":[{"per_transaction":100000}]},"authentication":%q}`, login)
	changed := d.call(http.MethodPut, at+"settings", key, tight)
	changed.want(t, http.StatusOK, nil)
	if c, _ := changed.body["change"].(map[string]any); c["in_force"] != true || c["loosens"] != false || c["version"] != float64(1) {
		t.Errorf("tightened: %s", changed.text)
	}
	loose := `{"setting":"limits","level":"company","value":{"limits":[]}`
	asked = d.call(http.MethodPut, at+"settings", key, loose+"}")
	want := `{"setting":"limits","scope":"company","old":"{\"limits\":[{\"per_transaction\":100000}]}","new":"{\"limits\":[]}"}`
	if asked.body["change"] != nil || asked.body["sign"] == nil {
		t.Fatalf("loosened without a signature: %s", asked.text)
	}
	d.call(http.MethodPut, at+"settings", key, fmt.Sprintf(`%s,"authentication":%q}`, loose, login)).want(t, http.StatusUnprocessableEntity, map[string]any{"code": "invalid"})
	changed = d.call(http.MethodPut, at+"settings", key, fmt.Sprintf(`%s,"authentication":%q}`, loose, d.signs(key, client, "change_setting", want, 4)))
	changed.want(t, http.StatusOK, nil)
	c, _ := changed.body["change"].(map[string]any)
	if c["in_force"] != false || c["loosens"] != true {
		t.Errorf("loosened: %s", changed.text)
	}
	d.call(http.MethodPost, fmt.Sprintf("/v1/settings/%s/stop", c["id"]), key, "").want(t, http.StatusOK, map[string]any{"state": "stopped"})
	all := d.call(http.MethodGet, at+"settings", key, "")
	all.want(t, http.StatusOK, nil)
	if list, _ := all.body["changes"].([]any); len(list) != 2 || list[1].(map[string]any)["in_force"] != true { //nolint:forcetypeassert // a panic fails the test as well
		t.Errorf("the settings: %s", all.text)
	}
	d.call(http.MethodPut, at+"settings", key, `{"setting":"limits","level":"company","value":{"limits":[{}]}}`).want(t, http.StatusUnprocessableEntity, nil)

	// Payments are decided by it.
	pay := func(operation string, cents int, signatures string) answer {
		return d.call(http.MethodPost, "/v1/decisions", key, fmt.Sprintf(`{"operation":%q,"client_id":%q,"user_number":"0001","kind":"transfer","account":"FR7630006000011234567890189",
			"amount":%d,"currency":"EUR","payee_account":"BE68539007547034","payee_countries":["BE"],"channel":"online","signatures":[%s]}`, operation, client, cents, signatures))
	}
	pay("p-1", 100001, "").want(t, http.StatusOK, map[string]any{"result": "refuse", "rule": "limits.transaction", "setting": "limits", "level": "company", "version": float64(1)})
	pay("p-2", 99900, "").want(t, http.StatusOK, map[string]any{"result": "needs_strong_authentication", "rule": "signature.required", "signatures": float64(1)})
	payment := d.signs(key, client, "sign_payment", `{"amount":"99900","currency":"EUR","payee_account":"BE68539007547034","payee_name":"Lemaire","debtor_account":"FR7630006000011234567890189"}`, 5)
	pay("p-2", 99901, `"`+payment+`"`).want(t, http.StatusOK, map[string]any{"result": "needs_strong_authentication", "rule": "signature.not_over_this"})
	pay("p-2", 99900, `"`+payment+`"`).want(t, http.StatusOK, map[string]any{"result": "allow", "rule": "signed"})
	pay("p-2", 99900, "").want(t, http.StatusOK, map[string]any{"result": "allow", "again": true})
	pay("p-2", 99901, "").want(t, http.StatusConflict, map[string]any{"code": "conflict"})
	pay("p-3", -1, "").want(t, http.StatusUnprocessableEntity, nil)
	d.call(http.MethodPost, "/v1/stops", d.key(authn.ScopeStop), fmt.Sprintf(`{"client_id":%q,"reason":"fraud"}`, client)).want(t, http.StatusCreated, nil)
	pay("p-4", 100, "").want(t, http.StatusOK, map[string]any{"result": "refuse", "rule": "emergency_stop"})
}
