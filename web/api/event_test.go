package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"sceau/authn"
)

func TestAServiceReadsOnWhereItStopped(t *testing.T) {
	t.Parallel()
	d := open(t)
	client, key := d.activeUser(1), d.key(authn.ScopeAuthenticate, authn.ScopeReadEvents, authn.ScopeStop)
	d.call(http.MethodGet, "/v1/events", key, "").want(t, http.StatusOK, map[string]any{"has_more": false})
	begun := d.call(http.MethodPost, "/v1/authentications", key, fmt.Sprintf(`{"client_id":%q,"user_number":"0001","means":"cap"}`, client))
	at := "/v1/authentications/" + begun.body["id"].(string) //nolint:forcetypeassert // a panic fails the test as well
	d.call(http.MethodPost, at+"/verify", key, fmt.Sprintf(`{"code":%q}`, code(2))).want(t, http.StatusOK, map[string]any{"result": "accepted"})
	stop := d.call(http.MethodPost, "/v1/stops", key, fmt.Sprintf(`{"client_id":%q,"user_number":"0001","reason":"fraud"}`, client))
	stop.want(t, http.StatusCreated, nil)
	first := d.call(http.MethodGet, "/v1/events?limit=1", key, "")
	for first.body["has_more"] != true && t.Context().Err() == nil { // other tests' transactions hold the feed's end back
		first = d.call(http.MethodGet, "/v1/events?limit=1", key, "")
	}
	first.want(t, http.StatusOK, map[string]any{"has_more": true})
	one := first.body["events"].([]any)[0].(map[string]any) //nolint:forcetypeassert // a panic fails the test as well
	if one["type"] != "authentication.accepted" || one["subject"] != begun.body["id"] {
		t.Errorf("first: %v", one)
	}
	rest := d.call(http.MethodGet, "/v1/events?after="+one["id"].(string), key, "") //nolint:forcetypeassert // a panic fails the test as well
	rest.want(t, http.StatusOK, map[string]any{"has_more": false})
	if all := rest.body["events"].([]any); len(all) != 1 || all[0].(map[string]any)["subject"] != stop.body["id"] { //nolint:forcetypeassert // a panic fails the test as well
		t.Errorf("then: %s", rest.text)
	}
	d.call(http.MethodGet, "/v1/events?after=x", key, "").want(t, http.StatusUnprocessableEntity, map[string]any{"code": "invalid"})
	d.call(http.MethodGet, "/v1/events?limit=501", key, "").want(t, http.StatusUnprocessableEntity, nil)
}

func TestOrdersAreListedPageByPage(t *testing.T) {
	t.Parallel()
	d := open(t)
	for n := 1; n <= 3; n++ {
		d.order("card", n)
	}
	key := d.key(authn.ScopeReadOrders)
	ids := func(query string) (ids []string, more bool) {
		t.Helper()
		a := d.call(http.MethodGet, "/v1/orders"+query, key, "")
		a.want(t, http.StatusOK, nil)
		for _, o := range a.body["orders"].([]any) { //nolint:forcetypeassert // a panic fails the test as well
			ids = append(ids, o.(map[string]any)["id"].(string)) //nolint:forcetypeassert // a panic fails the test as well
		}
		return ids, a.body["has_more"].(bool) //nolint:forcetypeassert // a panic fails the test as well
	}
	all, more := ids("")
	if len(all) != 3 || more {
		t.Fatalf("all: %v %v", all, more)
	}
	page, more := ids("?limit=2")
	if len(page) != 2 || !more {
		t.Errorf("first page: %v %v", page, more)
	}
	if page, more = ids("?limit=2&after=" + page[1]); len(page) != 1 || more || page[0] != all[2] {
		t.Errorf("last page: %v %v", page, more)
	}
	for query, want := range map[string]int{"?client_id=40010002": 1, "?client_id=99999999": 0, "?state=completed": 0} {
		if page, _ := ids(query); len(page) != want {
			t.Errorf("%s: %v, want %d", query, page, want)
		}
	}
	for _, query := range []string{"?state=lost", "?client_id=1", "?after=x", "?limit=0"} {
		d.call(http.MethodGet, "/v1/orders"+query, key, "").want(t, http.StatusUnprocessableEntity, nil)
	}
}
