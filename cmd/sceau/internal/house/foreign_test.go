package house_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/authn"
	"sceau/ca"
	"sceau/cmd/sceau/internal/house"
	"sceau/internal/foreignca"
	"sceau/lifecycle"
	"sceau/trust"
)

func TestListsOfOtherCAsAreFetchedWithinBounds(t *testing.T) {
	t.Parallel()
	var calls int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		switch r.URL.Path {
		case "/list":
			_, _ = io.WriteString(w, "a list")
		case "/elsewhere":
			http.Redirect(w, r, "/list", http.StatusFound)
		case "/endless":
			chunk := make([]byte, 1<<20)
			for n := 0; n <= ca.MaxForeignList; n += len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	outside := house.NewOutside()
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		if _, err := outside.FetchList(t.Context(), "http://"+host+port+"/list", false); err == nil || !strings.Contains(err.Error(), "no public address") {
			t.Errorf("%s, which is not public: %v", host, err)
		}
	}
	if calls != 0 {
		t.Errorf("%d calls reached a private address", calls)
	}
	if got, err := outside.FetchList(t.Context(), server.URL+"/list", true); err != nil || string(got) != "a list" {
		t.Errorf("where the entry allows it: %q, %v", got, err)
	}
	for _, path := range []string{"/elsewhere", "/endless"} {
		if _, err := outside.FetchList(t.Context(), server.URL+path, true); !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := outside.FetchList(t.Context(), "file:///etc/passwd", true); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a file: %v", err)
	}
}

func TestARealResponderIsAsked(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	other := must(foreignca.New(now))(t)
	lotte := must(other.Issue("Lotte Peeters"))(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || len(body) == 0 || r.Header.Get("Content-Type") != "application/ocsp-request" {
			http.Error(w, "no question", http.StatusBadRequest)
			return
		}
		_, _ = w.Write(must(other.Answer(lotte, now, true))(t))
	}))
	t.Cleanup(server.Close)
	e := &trust.Entry{Responder: server.URL, Private: true}
	s, der, err := house.NewOutside().Ask(t.Context(), e, lotte.Certificate, other.Issuing, now)
	if err != nil || s.Code != trust.Revoked || s.Source != server.URL || len(der) == 0 {
		t.Errorf("answered %+v, %v", s, err)
	}
	e.Private = false
	if _, _, err := house.NewOutside().Ask(t.Context(), e, lotte.Certificate, other.Issuing, now); !errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("a private responder, where the entry does not allow one: %v", err)
	}
}

func TestTheHousesOwnCertificatesAreValidatedByItsBooks(t *testing.T) {
	t.Parallel()
	w := openWatchedHouse(t)
	for _, statement := range []string{
		"INSERT INTO branch (id, code, name, street, postcode, city, country, phone, created_at) VALUES ('B-1', 'FR99', 'Brest', '1 quai Nord', '29200', 'Brest', 'FR', '+33200000000', now())",
		"INSERT INTO company (id, client_id, name, country, registry_number, branch_id, created_at) VALUES ('CO-1', '10000001', 'Ajoncs SAS', 'FR', '552100554', 'B-1', now())",
		`INSERT INTO holder (id, company_id, user_number, given_name, surname, language, email, street, postcode, city, country, created_at, updated_at)
			VALUES ('H-1', 'CO-1', '0001', 'Maël', 'Kerven', 'fr', 'm.kerven@example.org', '2 quai Nord', '29200', 'Brest', 'FR', now(), now()),
				('H-2', 'CO-1', '0002', 'Nina', 'Kerven', 'fr', 'n.kerven@example.org', '2 quai Nord', '29200', 'Brest', 'FR', now(), now())`,
	} {
		w.tell(t, statement)
	}
	rows, err := w.own.Query(t.Context(), "SELECT der FROM certificate ORDER BY id")
	fatal(t, err)
	ders := must(pgx.CollectRows(rows, pgx.RowTo[[]byte]))(t)
	desk := must(w.CodesDesk())(t)
	want := func(what string, der []byte, user, want string) {
		t.Helper()
		v, err := desk.ValidateCertificate(t.Context(), authn.CertificateAsk{Certificate: der, ClientID: "10000001", UserNumber: user, Purpose: trust.Authentication})
		if got := fmt.Sprintf("%s %v", v.Result(), v.Codes); err != nil || got != want || v.Source != authn.House {
			t.Errorf("%s: %s of %q (%s), %v; want %s", what, got, v.Source, v.Why, err, want)
		}
	}
	want("its holder's", ders[0], "0001", "valid []")
	want("another's", ders[0], "0002", "invalid [bound_to_another]")
	want("revoked", ders[1], "0001", "invalid [revoked]")
	w.tell(t, "UPDATE certificate SET state = 'held' WHERE id = 'N-0000000000000003'")
	want("on hold", ders[2], "0001", "invalid [on_hold]")
	w.tell(t, "INSERT INTO emergency_stop (id, company_id, state, reason, made_by, made_at, updated_at) VALUES ('ES-1', 'CO-1', 'active', 'fraud', 'x', now(), now())")
	want("stopped", ders[0], "0001", "invalid [emergency_stop]")
	w.tell(t, "DELETE FROM emergency_stop")
	w.tell(t, "DELETE FROM certificate WHERE id = 'N-0000000000000001'")
	want("not in the books", ders[0], "0001", "invalid [not_issued not_bound]")
}
