package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sceau/authn"
)

// A stop is seen by the very next verification, by every way that a card has.
func TestAnEmergencyStopIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	client, key := d.activeUser(1), d.key()
	user := fmt.Sprintf(`"client_id":%q,"user_number":"0001"`, client)
	begun := d.call(http.MethodPost, "/v1/authentications", key, `{`+user+`,"means":"cap"}`)
	d.call(http.MethodPost, "/v1/cap/verify", key, `{`+user+`,"code":"`+code(2)+`"}`).want(t, http.StatusOK, map[string]any{"result": "accepted"})
	stopped := d.call(http.MethodPost, "/v1/stops", key, `{`+user+`,"reason":"stolen"}`)
	stopped.want(t, http.StatusCreated, map[string]any{"state": "active", "reason": "stolen"})
	receipt := stopped.body["id"].(string) //nolint:forcetypeassert // a panic fails the test as well
	d.call(http.MethodPost, "/v1/stops", key, `{`+user+`,"reason":"lost"}`).want(t, http.StatusCreated, map[string]any{"id": receipt, "reason": "stolen"})
	d.call(http.MethodGet, "/v1/stops/"+receipt, key, "").want(t, http.StatusOK, map[string]any{"state": "active"})
	d.call(http.MethodPost, "/v1/cap/verify", key, `{`+user+`,"code":"`+code(3)+`"}`).want(t, http.StatusOK, map[string]any{"result": "refused"})
	d.call(http.MethodPost, "/v1/authentications/"+begun.body["id"].(string)+"/verify", key, `{"code":"`+code(3)+`"}`). //nolint:forcetypeassert // a panic fails the test as well
																want(t, http.StatusOK, map[string]any{"result": "refused"})
	d.call(http.MethodPost, "/v1/stops", key, `{"client_id":"99999999","reason":"lost"}`).want(t, http.StatusUnprocessableEntity, nil)
	d.call(http.MethodPost, "/v1/stops", d.key(authn.ScopeReportFraud), `{`+user+`,"reason":"lost"}`).want(t, http.StatusForbidden, nil)
}

func TestAReportOfFraudHasAReceipt(t *testing.T) {
	t.Parallel()
	d := open(t)
	key := d.key(authn.ScopeReportFraud)
	kept := d.call(http.MethodPost, "/v1/fraud-reports", key, `{"kind":"message","told":"Un SMS me demande mon code 12345678","client_id":"40010001"}`)
	kept.want(t, http.StatusCreated, map[string]any{"state": "received", "kind": "message"})
	at := "/v1/fraud-reports/" + kept.body["id"].(string) //nolint:forcetypeassert // a panic fails the test as well
	d.call(http.MethodGet, at, key, "").want(t, http.StatusOK, map[string]any{"state": "received"})
	d.call(http.MethodGet, at, d.key(authn.ScopeReportFraud), "").want(t, http.StatusNotFound, nil)
	for _, body := range []string{
		`{"kind":"smoke","told":"x"}`, `{"kind":"call"}`, `{"kind":"call","told":"` + strings.Repeat("a", 4001) + `"}`,
		`{"kind":"call","told":"x","happened":"2999-01-01T00:00:00Z"}`, `{"kind":"call","told":"x","language":"it"}`,
	} {
		d.call(http.MethodPost, "/v1/fraud-reports", key, body).want(t, http.StatusUnprocessableEntity, nil)
	}
}
