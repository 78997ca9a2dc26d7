package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sceau/authn"
	"sceau/lifecycle"
	"sceau/store/db"
)

func TestTheMeansOfAUserThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := open(t)
	client, key := d.activeUser(1), d.key(authn.ScopeReadMeans, authn.ScopeWriteMeans)
	user := "/v1/holders/" + client + "/0001/means"
	list := d.call(http.MethodGet, user, key, "")
	list.want(t, http.StatusOK, nil)
	if !strings.Contains(list.text, `"kind":"cap","state":"active","usable":true,"strong":true`) || !strings.Contains(list.text, `"last_used":"`) {
		t.Errorf("the list: %s", list.text)
	}
	holder := must[db.Holder](t)(d.store.HolderByUser(t.Context(), client, "0001"))
	const id = "M-0000000000000001"
	if err := d.store.InsertMeans(t.Context(), db.InsertMeansParams{
		ID: id, HolderID: holder.ID, Kind: lifecycle.MeansPasskey, State: lifecycle.MeansActive, Label: "x", RequestedBy: "test", CreatedAt: holder.CreatedAt,
	}); err != nil {
		t.Fatal(err)
	}
	d.call(http.MethodPost, user+"/"+id+"/suspend", key, "").want(t, http.StatusNoContent, nil)
	d.call(http.MethodPost, user+"/"+id+"/suspend", key, "").want(t, http.StatusConflict, map[string]any{"code": "illegal-move"})
	d.call(http.MethodPost, user+"/"+id+"/resume", key, `{"authentication":"AU-0000000000000001"}`).want(t, http.StatusForbidden, nil)
	d.call(http.MethodPost, user+"/"+id+"/end", d.key(authn.ScopeReadMeans), "").want(t, http.StatusForbidden, nil)
	d.call(http.MethodPost, user+"/"+id+"/end", key, "").want(t, http.StatusNoContent, nil)
	d.call(http.MethodGet, fmt.Sprintf("/v1/holders/%s/0002/means", client), key, "").want(t, http.StatusNotFound, nil)
}
