package migrations_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"sceau/ca"
	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/migrations"
)

// What migration 14 writes for rows of older versions is what the ca room writes.
func TestEntriesOfOlderRowsAreEncodedAsNewOnes(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("0014_crl.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, update, _ := strings.Cut(string(text), "\nUPDATE certificate SET crl_entry")
	update, _, _ = strings.Cut(update, ";\n")
	connection := connect(t, url)
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := connection.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("SET session_replication_role = replica") // no order, no holder
	exec("ALTER TABLE certificate DROP CONSTRAINT revoked_has_entry")
	at, since := time.Date(2026, 3, 2, 9, 30, 15, 0, time.UTC), time.Date(2001, 12, 31, 23, 59, 59, 0, time.UTC)
	want := map[string]ca.Revoked{}
	for i, r := range []ca.Revoked{
		{Reason: lifecycle.ReasonUnspecified}, {Reason: lifecycle.ReasonKeyCompromise}, {Reason: lifecycle.ReasonCertificateHold},
		{Reason: lifecycle.ReasonKeyCompromise, InvalidityDate: since}, {Reason: lifecycle.ReasonUnspecified, InvalidityDate: since},
		{Reason: lifecycle.ReasonRemoveFromCRL},
	} {
		id := string(rune('a' + i))
		r.Serial, r.At = lifecycle.SerialFrom([16]byte{byte(i), 1, 2, 15: 0xff}), at
		want[id] = r
		var revoked, invalid *time.Time
		var reason *int
		if r.Reason != lifecycle.ReasonRemoveFromCRL { // a released one has neither
			code := int(r.Reason)
			revoked, reason = &at, &code
		}
		if !r.InvalidityDate.IsZero() {
			invalid = &since
		}
		exec("INSERT INTO certificate (id, order_id, holder_id, state, profile, serial, revoked_at, reason, invalidity_date, crl_revision, created_at, updated_at) "+
			"VALUES ($1, $1, $1, 'revoked', 'p', $2, $3, $4, $5, 3, $6, $6)", id, r.Serial[:], revoked, reason, invalid, at)
	}
	exec("SET timezone = 'Europe/Paris'") // the server's is no matter
	exec("UPDATE certificate SET crl_entry" + update)
	for id, r := range want {
		var got []byte
		if err := connection.QueryRow(t.Context(), "SELECT crl_entry FROM certificate WHERE id = $1", id).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if encoded, err := ca.EncodeEntry(r); err != nil || !bytes.Equal(got, encoded) {
			t.Errorf("%+v: %x, want %x %v", r, got, encoded, err)
		}
	}
}

// What migration 23 cuts in pieces is, put together again, what there was.
func TestListsOfOlderVersionsAreCutInPieces(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("0023_list_pieces.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, moves, _ := strings.Cut(string(text), "\nUPDATE crl SET full_size")
	moves, _, _ = strings.Cut(moves, "ALTER TABLE crl DROP COLUMN")
	connection := connect(t, url)
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := connection.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("SET session_replication_role = replica") // no issuer
	exec("ALTER TABLE crl ADD COLUMN full_der bytea, ADD COLUMN delta_der bytea")
	whole := bytes.Repeat([]byte("a list's bytes; "), 4000)
	lengths := [][2]int{{0, 0}, {7899, 1}, {7900, 7900}, {7901, 0}, {64_000, 15_801}} // full and delta
	for number, n := range lengths {
		full, delta := whole[:n[0]], whole[:n[1]]
		if n[0] == 0 { // never published
			full = nil
		}
		if n[1] == 0 {
			delta = nil
		}
		exec("INSERT INTO crl (issuer_id, shard, number, base_number, revision, scheduled, this_update, next_update, full_der, delta_der) "+
			"VALUES ('i', 0, $1, 0, 0, true, now(), now(), $2, $3)", number, full, delta)
	}
	exec("UPDATE crl SET full_size" + moves)
	for number, n := range lengths {
		for delta, length := range map[bool]int{false: n[0], true: n[1]} {
			var got []byte
			var pieces int
			err := connection.QueryRow(t.Context(), "SELECT coalesce(string_agg(der, '' ORDER BY start), ''), count(*) FROM crl_piece "+
				"WHERE issuer_id = 'i' AND shard = 0 AND number = $1 AND delta = $2", number, delta).Scan(&got, &pieces)
			if err != nil || !bytes.Equal(got, whole[:length]) || pieces != (length+7899)/7900 {
				t.Errorf("list %d, delta %v: %d octets in %d pieces, want %d: %v", number, delta, len(got), pieces, length, err)
			}
		}
	}
}
