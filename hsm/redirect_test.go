package hsm_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"sceau/hsm"
	"sceau/lifecycle"
)

// A node between two leaders sends its callers elsewhere. Nothing was done: no
// answer is read, and no other machine sees the token.
func TestARedirectIsNoAnswer(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s arrived elsewhere, with a token: %v", r.Method, r.URL.Path, r.Header.Get("X-Vault-Token") != "")
	}))
	defer elsewhere.Close()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer node.Close()
	client := openWith(t, hsm.Config{Address: node.URL, Token: "a-token"})
	const card = lifecycle.CardID("C-0000000000000001")
	wantKind(t, client.DestroyPIN(t.Context(), card, 1), lifecycle.Unavailable)
	_, err := client.ReleasePIN(t.Context(), hsm.PINRelease{Card: card, PINVersion: 1, Letter: "P-0000000000000001"})
	wantKind(t, err, lifecycle.Unavailable)
	_, err = client.KeyInfo(t.Context(), "imk-ac")
	wantKind(t, err, lifecycle.Unavailable)
}
