package migrations_test

import (
	"os"
	"strings"
	"testing"

	"sceau/internal/testenv"
	"sceau/migrations"
)

// Before migration 30 a key was who called: what was the key's is its service's.
func TestAKeyFromBeforeGetsAServiceThatHasWhatWasTheKeys(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("0030_platform.sql")
	if err != nil {
		t.Fatal(err)
	}
	begin, _, found := strings.Cut(string(text), "-- A certificate by which")
	if !found {
		t.Fatal("the migration has another form")
	}
	connection := connect(t, url)
	exec := func(statement string) {
		t.Helper()
		if _, err := connection.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("ALTER TABLE api_key DROP COLUMN service_id, DROP COLUMN last_used_at; DROP TABLE relying_service CASCADE")
	exec("INSERT INTO api_key (id, name, sha256, scopes, created_at, expires_at) VALUES ('K-06C2D3E4F5G6H7J8', 'online banking', sha256('x'), '{cap:verify}', now(), now())")
	exec("INSERT INTO authentication (id, service, client_id, user_number, state, function, content, means, linked, nonce, policy_version, created_at, expires_at) " +
		"VALUES ('AU-1', 'K-06C2D3E4F5G6H7J8', '1', '1', 'pending', 'sign_in', '{}', 'cap', false, substring(sha256('x') FOR 16), 0, now(), now())")
	for _, by := range []string{"K-06C2D3E4F5G6H7J8", "l.boisjoli"} {
		exec("INSERT INTO fraud_report (id, kind, state, told, language, made_by, received_at, updated_at) " +
			"VALUES ('FR-" + by + "', 'call', 'received', 'x', 'fr', '" + by + "', now(), now())")
	}
	exec(begin)
	for query, want := range map[string]string{
		"SELECT id || ' ' || name FROM relying_service":                      "SV-06C2D3E4F5G6H7J8 online banking",
		"SELECT service_id FROM api_key":                                     "SV-06C2D3E4F5G6H7J8",
		"SELECT service FROM authentication":                                 "SV-06C2D3E4F5G6H7J8",
		"SELECT string_agg(made_by, ' ' ORDER BY made_by) FROM fraud_report": "SV-06C2D3E4F5G6H7J8 l.boisjoli",
	} {
		var got string
		if err := connection.QueryRow(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", query, got, err, want)
		}
	}
}
