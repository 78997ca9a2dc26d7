package migrations_test

import (
	"crypto/sha256"
	"os"
	"strings"
	"testing"
	"time"

	"sceau/ca"
	"sceau/certprofile"
	"sceau/internal/testenv"
	"sceau/migrations"
)

// What migration 17 binds to the holders of older certificates are their names, as
// the ca room encodes them.
func TestNamesOfOlderCertificatesAreBound(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("0017_profiles.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, backfill, _ := strings.Cut(string(text), "-- +goose StatementBegin\n")
	backfill = strings.Replace(backfill, "-- +goose StatementEnd\n", "", 1)
	connection := connect(t, url)
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := connection.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("SET session_replication_role = replica") // no order, no holder
	at := time.Date(2026, 3, 2, 9, 30, 15, 0, time.UTC)
	names := map[[32]byte]bool{}
	for _, p := range certprofile.BuiltIns() { // a system's name is shorter than a person's
		sample, err := ca.Sample(ca.ProfileOf(p), at)
		if err != nil {
			t.Fatal(err)
		}
		names[sha256.Sum256(sample.RawSubject)] = true
		for _, id := range []string{p.Name + "-1", p.Name + "-2"} { // renewed once
			exec("INSERT INTO certificate (id, order_id, holder_id, state, profile, serial, issuer_id, shard, tbs, created_at, updated_at) "+
				"VALUES ($1, $1, 'H-1', 'active', $2, substring(sha256(convert_to($1, 'UTF8')) FOR 16), 'i', 0, $3, $4, $4)", id, p.Name, sample.RawTBSCertificate, at)
		}
	}
	exec(backfill)
	for name := range names {
		var owner string
		if err := connection.QueryRow(t.Context(), "SELECT owner FROM subject_name WHERE sha256 = $1", name[:]).Scan(&owner); err != nil || owner != "H-1" {
			t.Errorf("a name is %q's: %v", owner, err)
		}
	}
}
