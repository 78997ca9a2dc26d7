package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/authn"
	"sceau/issuance"
	"sceau/lifecycle"
)

// named sends a POST under an idempotency key.
func (d *door) named(path, key, once, body string) answer {
	d.t.Helper()
	request := must[*http.Request](d.t)(http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+path, strings.NewReader(body)))
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", once)
	return d.send(request)
}

func (d *door) sql(statement string, args ...any) string {
	d.t.Helper()
	pool := must[*pgxpool.Pool](d.t)(pgxpool.New(d.t.Context(), d.base))
	defer pool.Close()
	var one *string
	if err := pool.QueryRow(d.t.Context(), statement, args...).Scan(&one); err != nil {
		d.t.Fatal(err)
	}
	if one == nil {
		return ""
	}
	return *one
}

func TestARequestThatIsSentAgainActsOnceAndIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	d := open(t)
	key := d.key(authn.ScopeReportFraud)
	const body = `{"kind":"call","told":"somebody asked for my code"}`
	first := d.named("/v1/fraud-reports", key, "a", body)
	first.want(t, http.StatusCreated, nil)
	again := d.named("/v1/fraud-reports", key, "a", body)
	again.want(t, http.StatusCreated, map[string]any{"id": first.body["id"]})
	if again.text != first.text || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("first %s, again %s %v", first.text, again.text, again.header)
	}
	d.named("/v1/fraud-reports", key, "a", strings.Replace(body, "call", "site", 1)).want(t, http.StatusUnprocessableEntity, map[string]any{"code": "invalid"})
	d.named("/v1/fraud-reports", d.key(authn.ScopeReportFraud), "a", body).want(t, http.StatusCreated, nil) // another service's key
	d.named("/v1/fraud-reports", key, "b", body).want(t, http.StatusCreated, nil)
	if n := d.sql("SELECT count(*)::text FROM fraud_report"); n != "3" {
		t.Errorf("%s reports are kept, want 3", n)
	}
	// A refusal is an answer too.
	bad := d.named("/v1/fraud-reports", key, "c", `{"kind":"x","told":"y"}`)
	bad.want(t, http.StatusUnprocessableEntity, nil)
	if d.named("/v1/fraud-reports", key, "c", `{"kind":"x","told":"y"}`).text != bad.text {
		t.Error("a refusal is answered differently the second time")
	}
	for _, once := range []string{strings.Repeat("k", 256), "with space"} {
		d.named("/v1/fraud-reports", key, once, body).want(t, http.StatusUnprocessableEntity, nil)
	}
	d.named("/v1/fraud-reports", key, "large", `{"told":"`+strings.Repeat("x", 64<<10)+`"}`).want(t, http.StatusRequestEntityTooLarge, nil)
	// After a day the key is free.
	d.sql("WITH a AS (UPDATE request_once SET begun_at = begun_at - interval '25 hours' RETURNING 1) SELECT count(*)::text FROM a")
	if fresh := d.named("/v1/fraud-reports", key, "a", body); fresh.body["id"] == first.body["id"] {
		t.Error("a day later the first answer came back")
	}
}

func TestOfTwinsThatRaceOneActs(t *testing.T) {
	t.Parallel()
	d := open(t)
	key := d.key(authn.ScopeReportFraud)
	answers := make([]answer, 8)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = d.named("/v1/fraud-reports", key, "twins", `{"kind":"call","told":"x"}`) })
	}
	all.Wait()
	ids := map[any]bool{}
	for _, a := range answers {
		switch a.status {
		case http.StatusCreated:
			ids[a.body["id"]] = true
		case http.StatusConflict:
		default:
			t.Errorf("status %d: %s", a.status, a.text)
		}
	}
	if n := d.sql("SELECT count(*)::text FROM fraud_report"); n != "1" || len(ids) != 1 {
		t.Errorf("%s reports are kept, %d told", n, len(ids))
	}
}

func TestACodeIsJudgedOnceUnderOneKey(t *testing.T) {
	t.Parallel()
	d := open(t)
	client, key := d.activeUser(1), d.key(authn.ScopeAuthenticate)
	begin := func(once string) string {
		a := d.named("/v1/authentications", key, once, fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap"}`, client))
		a.want(t, http.StatusCreated, nil)
		return "/v1/authentications/" + a.body["id"].(string) //nolint:forcetypeassert // a panic fails the test as well
	}
	at := begin("one")
	if begin("one") != at {
		t.Error("the question was asked twice")
	}
	for range 3 { // one proof, three times
		d.named(at+"/verify", key, "wrong", `{"code":"99999999"}`).want(t, http.StatusOK, map[string]any{"result": "refused", "tries_left": float64(2)})
	}
	right := fmt.Sprintf(`{"code":%q}`, code(2))
	first := d.named(at+"/verify", key, "right", right)
	first.want(t, http.StatusOK, map[string]any{"result": "accepted"})
	again := d.named(at+"/verify", key, "right", right)
	if again.status != http.StatusOK || again.text != first.text {
		t.Errorf("again: %s", again.text)
	}
	if kept := d.sql("SELECT string_agg(r::text, ' ') FROM request_once r"); strings.Contains(kept, "99999999") || strings.Contains(kept, code(2)) {
		t.Errorf("a code is kept: %s", kept)
	}
}

// dead has the request of a key look as a process leaves it that died a while ago
// before it kept its answer.
func (d *door) dead(once string) {
	d.t.Helper()
	d.sql("WITH a AS (UPDATE request_once SET begun_at = begun_at - interval '2 minutes', status = 0, answer = NULL WHERE key = $1 RETURNING 1) SELECT count(*)::text FROM a", once)
}

func TestAProcessThatDiesBetweenActsOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	client := d.activeUser(1)
	all, secret, err := d.authn.NewAPIKey(t.Context(), officer, "hub", []authn.Scope{authn.ScopeReportFraud, authn.ScopeAuthenticate, authn.ScopeStop}, "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	key := secret.Reveal()

	// Before it acted: another process does.
	const body = `{"kind":"call","told":"x"}`
	request := authn.Once{Service: all.Service, Key: "before"}
	marked, kept, err := d.authn.BeginOnce(t.Context(), &request, []byte("POST /v1/fraud-reports\n"+body))
	if err != nil || kept != nil {
		t.Fatal(kept, err)
	}
	d.named("/v1/fraud-reports", key, "before", body).want(t, http.StatusConflict, map[string]any{"code": "conflict"}) // in flight
	d.dead("before")
	d.named("/v1/fraud-reports", key, "before", body).want(t, http.StatusCreated, nil)
	// It was only slow: what it does now does not count.
	_, err = d.service.ReportFraud(marked, all.Actor(), issuance.FraudReport{Kind: "call", Told: "x", Language: "fr"})
	if err == nil {
		t.Error("a process that was taken for dead acted after another had")
	}
	if n := d.sql("SELECT count(*)::text FROM fraud_report"); n != "1" {
		t.Errorf("%s reports are kept, want 1", n)
	}

	// After it acted in one transaction: what it made is found.
	reported := d.named("/v1/fraud-reports", key, "after", body)
	d.dead("after")
	d.named("/v1/fraud-reports", key, "after", body).want(t, http.StatusCreated, map[string]any{"id": reported.body["id"]})

	// After it judged: the authentication tells, and no code is judged again.
	begun := d.named("/v1/authentications", key, "ask", fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap"}`, client))
	d.dead("ask")
	d.named("/v1/authentications", key, "ask", fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap"}`, client)).
		want(t, http.StatusCreated, map[string]any{"id": begun.body["id"]})
	at := "/v1/authentications/" + begun.body["id"].(string) //nolint:forcetypeassert // a panic fails the test as well
	d.named(at+"/verify", key, "wrong", `{"code":"99999999"}`).want(t, http.StatusOK, map[string]any{"result": "refused"})
	d.dead("wrong")
	d.named(at+"/verify", key, "wrong", `{"code":"99999999"}`).want(t, http.StatusConflict, map[string]any{"code": "conflict"})
	d.call(http.MethodGet, at, key, "").want(t, http.StatusOK, map[string]any{"tries_left": float64(2)})
	right := fmt.Sprintf(`{"code":%q}`, code(2))
	first := d.named(at+"/verify", key, "right", right)
	d.dead("right")
	again := d.named(at+"/verify", key, "right", right)
	again.want(t, http.StatusOK, map[string]any{"result": "accepted", "statement": first.body["statement"]})
}

func TestWhatFailedAndChangedNothingMayBeSentAgain(t *testing.T) {
	t.Parallel()
	d := open(t)
	client, key := d.activeUser(1), d.key(authn.ScopeAuthenticate)
	begun := d.named("/v1/authentications", key, "ask", fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap"}`, client))
	at := "/v1/authentications/" + begun.body["id"].(string) //nolint:forcetypeassert // a panic fails the test as well
	d.engine.leave(true)
	d.named(at+"/verify", key, "away", `{"code":"10000002"}`).want(t, http.StatusServiceUnavailable, nil)
	d.engine.leave(false)
	// What acts in several steps is not begun again: its first answer stays.
	d.named(at+"/verify", key, "away", `{"code":"10000002"}`).want(t, http.StatusServiceUnavailable, nil)
	d.named(at+"/verify", key, "here", `{"code":"10000002"}`).want(t, http.StatusOK, map[string]any{"result": "accepted"})
}

func TestWhatIsMadeForAChipIsNotKept(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, card := d.postedCard(1)
	order := must[lifecycle.OrderID](t)(d.service.Submit(t.Context(), manager, issuance.OrderRequest{Kind: lifecycle.OrderPINReset, Identity: "passport 12AB", TargetCard: card}))
	d.approve(order)
	key, path, body := d.key(authn.ScopeResetPIN), "/v1/orders/"+string(order)+"/script", `{"atc":7,"arqc":"0102030405060708"}`
	d.named(path, key, "chip", body).want(t, http.StatusOK, map[string]any{"apdu": "8424000008"})
	d.dead("chip")
	d.named(path, key, "chip", body).want(t, http.StatusConflict, map[string]any{"code": "conflict"})
	if n := d.sql("SELECT count(*)::text FROM request_once WHERE answer IS NULL"); n != "1" {
		t.Errorf("%s requests without an answer, want the one", n)
	}
}
