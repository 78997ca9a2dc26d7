package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/passkey"
	"sceau/passkey/passkeytest"
)

var theBank = passkey.RelyingParty{ID: "bank.example", Name: "Banque", Origins: []string{"https://online.bank.example"}}

// member digs a text out of an answer.
func (a answer) member(t *testing.T, path ...string) string {
	t.Helper()
	var at any = a.body
	for _, name := range path {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	text, ok := at.(string)
	if !ok {
		t.Fatalf("no text at %v: %s", path, a.text)
	}
	return text
}

func unb64(t *testing.T, text string) []byte {
	t.Helper()
	return must[[]byte](t)(base64.RawURLEncoding.DecodeString(text))
}

// A user without any means gets a code from staff, makes a passkey, and signs with it
// that there shall be a secret code.
func TestAPasskeyAndASecretCodeThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := open(t)
	client, key := d.activeUser(1), d.key(authn.ScopeReadMeans, authn.ScopeWriteMeans, authn.ScopeAuthenticate, authn.ScopeOperate)
	user := "/v1/holders/" + client + "/0001/means"
	invited := must[issuance.MeansInvitation](t)(d.service.InviteMeans(t.Context(), manager, client, "0001", lifecycle.MeansPasskey, issuance.FaceToFace))
	d.call(http.MethodPost, user+"/passkey/registrations", key, `{"label":"téléphone"}`).want(t, http.StatusUnprocessableEntity, nil)
	begin := fmt.Sprintf(`{"label":"téléphone","invitation":%q}`, invited.Code.Reveal())
	begun := d.call(http.MethodPost, user+"/passkey/registrations", key, begin)
	begun.want(t, http.StatusCreated, nil)
	p := must[*passkeytest.Passkey](t)(passkeytest.New(theBank.ID, theBank.Origins[0], unb64(t, begun.member(t, "passkey", "user", "id"))))
	made := must[[]byte](t)(p.Create(unb64(t, begun.member(t, "passkey", "challenge"))))
	finish := user + "/passkey/registrations/" + begun.member(t, "id")
	d.call(http.MethodPost, finish, key, fmt.Sprintf(`{"passkey":%s}`, must[[]byte](t)(p.Create([]byte("another challenge"))))).want(t, http.StatusUnprocessableEntity, nil)
	d.call(http.MethodPost, finish, d.key(authn.ScopeWriteMeans), fmt.Sprintf(`{"passkey":%s}`, made)).want(t, http.StatusConflict, nil) // another service's
	d.call(http.MethodPost, finish, key, fmt.Sprintf(`{"passkey":%s}`, made)).want(t, http.StatusCreated, nil)
	d.call(http.MethodPost, finish, key, fmt.Sprintf(`{"passkey":%s}`, made)).want(t, http.StatusConflict, nil)
	d.call(http.MethodPost, user+"/passkey/registrations", key, begin).want(t, http.StatusForbidden, nil) // the code is spent

	begun = d.call(http.MethodPost, "/v1/operations", key, fmt.Sprintf(
		`{"client_id":%q,"user_number":"0001","means":"passkey","function":"change_setting","content":{"setting":"means.code","old":"-","new":"add"}}`, client))
	begun.want(t, http.StatusCreated, map[string]any{"linked": true, "strong": true})
	signed := must[[]byte](t)(p.Sign(unb64(t, begun.member(t, "instruction", "passkey", "challenge"))))
	consent := begun.member(t, "id")
	d.call(http.MethodPost, user+"/code", key, fmt.Sprintf(`{"code":"sesame 42","authentication":%q}`, consent)).want(t, http.StatusForbidden, nil) // not signed yet
	d.call(http.MethodPost, "/v1/operations/"+consent+"/verify", key, fmt.Sprintf(`{"passkey":%s}`, signed)).want(t, http.StatusOK, map[string]any{"result": "accepted"})
	d.call(http.MethodPost, user+"/code", key, fmt.Sprintf(`{"code":"123456","authentication":%q}`, consent)).want(t, http.StatusUnprocessableEntity, nil)
	d.call(http.MethodPost, user+"/code", key, fmt.Sprintf(`{"code":"sesame 42","authentication":%q}`, consent)).want(t, http.StatusCreated, nil)

	signIn := func(means, proof string) answer {
		begun := d.call(http.MethodPost, "/v1/authentications", key, fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":%q}`, client, means))
		begun.want(t, http.StatusCreated, nil)
		if means == "passkey" {
			proof = fmt.Sprintf(`{"passkey":%s}`, must[[]byte](t)(p.Sign(unb64(t, begun.member(t, "instruction", "passkey", "challenge")))))
		}
		return d.call(http.MethodPost, "/v1/authentications/"+begun.member(t, "id")+"/verify", key, proof)
	}
	signIn("code", `{"code":"sesame 42"}`).want(t, http.StatusOK, map[string]any{"result": "strong_needed", "state": "refused"})
	signIn("passkey", "").want(t, http.StatusOK, map[string]any{"result": "accepted", "strong": true})
	signIn("code", `{"code":"sesame 43"}`).want(t, http.StatusOK, map[string]any{"result": "refused", "state": "pending"})
	signIn("code", `{"code":"sesame 42"}`).want(t, http.StatusOK, map[string]any{"result": "accepted", "strong": false})

	var list struct {
		Means []struct{ Kind, State, Label string }
	}
	if err := json.Unmarshal([]byte(d.call(http.MethodGet, user, key, "").text), &list); err != nil || len(list.Means) != 3 {
		t.Errorf("the list: %+v, %v", list, err)
	}
}
