package api_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"sceau/authn"
)

func TestACallerIsToldWhatIsLeftAndWhenToComeBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	made, secret, err := d.authn.NewAPIKey(t.Context(), officer, "hub", []authn.Scope{authn.ScopeReportFraud}, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.authn.LimitService(t.Context(), officer, made.Service, 3); err != nil {
		t.Fatal(err)
	}
	// More than two minutes hold: some minute's limit is met.
	let, refused := 0, answer{}
	for range 8 {
		a := d.call(http.MethodGet, "/v1/fraud-reports/FR-0000000000000000", secret.Reveal(), "")
		if a.status == http.StatusTooManyRequests {
			refused = a
			continue
		}
		let++
		if a.header.Get("RateLimit-Limit") != "3" || a.header.Get("RateLimit-Remaining") == "" || a.header.Get("RateLimit-Reset") == "" {
			t.Errorf("headers: %v", a.header)
		}
	}
	refused.want(t, http.StatusTooManyRequests, map[string]any{"code": "too-many"})
	wait, err := strconv.Atoi(refused.header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > 60 || let > 6 || refused.header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("%d were let in, then %v", let, refused.header)
	}
}

func TestGuessesAtAUserThroughOneServiceAreHeldUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	guess := func(key string) answer {
		return d.call(http.MethodPost, "/v1/cap/verify", key, `{"client_id":"40019998","user_number":"0001","code":"99999999"}`)
	}
	key := d.key(authn.ScopeVerifyCAP)
	for range 10 {
		guess(key).want(t, http.StatusOK, map[string]any{"result": "refused"})
	}
	held := guess(key)
	held.want(t, http.StatusTooManyRequests, map[string]any{"code": "too-many"})
	if held.header.Get("Retry-After") == "" {
		t.Error("nothing tells when to come back")
	}
	guess(d.key(authn.ScopeVerifyCAP)).want(t, http.StatusOK, map[string]any{"result": "refused"})
}
