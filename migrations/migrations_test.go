package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"sceau/internal/testenv"
	"sceau/migrations"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func TestSeveralProcessesMayMigrateAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	var processes errgroup.Group
	for range 4 {
		processes.Go(func() error { return migrations.Up(t.Context(), url) })
	}
	if err := processes.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatalf("again: %v", err)
	}
	files, err := filepath.Glob("*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var applied int
	err = connect(t, url).QueryRow(t.Context(), "SELECT count(*) FROM goose_db_version WHERE version_id > 0 AND is_applied").Scan(&applied)
	if err != nil {
		t.Fatal(err)
	}
	if applied != len(files) {
		t.Errorf("%d migrations are recorded, there are %d files", applied, len(files))
	}
}

func TestAMigrationIsForwardOnly(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "-- +goose Up\n") || strings.Contains(string(text), "-- +goose Down") {
			t.Errorf("%s does not begin with its Up part, or has a Down part", name)
		}
	}
}

func TestADatabaseThatIsAwayIsAnError(t *testing.T) {
	t.Parallel()
	if err := migrations.Up(t.Context(), "postgres://postgres@/nowhere?host="+t.TempDir()); err == nil {
		t.Error("migrated a database that is not there")
	}
}

// What PostgreSQL says when the schema holds (appendix A).
const (
	checkViolation  = "23514"
	uniqueViolation = "23505"
	noSuchLabel     = "22P02"
	generatedAlways = "428C9"
	raised          = "P0001"
)

type refusal struct{ name, statement, code string }

// refused are statements that the schema must not take, whatever the
// application does. Foreign keys are off in them, so that each meets its own
// constraint.
func refused() []refusal {
	order := func(column, value, state string) string {
		return fmt.Sprintf("INSERT INTO orders (id, kind, state, holder_id, requested_by, created_at, updated_at%s) "+
			"VALUES ('O-1', 'new_card', '%s', 'H-1', 'a', now(), now()%s);", column, state, value)
	}
	certificate := func(column, value string) string {
		return fmt.Sprintf("INSERT INTO certificate (id, order_id, holder_id, state, profile, created_at, updated_at, %s) "+
			"VALUES ('N-1', 'O-1', 'H-1', 'issuing', 'p', now(), now(), %s);", column, value)
	}
	card := func(id, order string, psn, atc int) string {
		return fmt.Sprintf("INSERT INTO card (id, order_id, holder_id, state, product, profile, pan_sealed, pan_mark, last4, place, psn, last_atc, expiry, delivery, "+
			"created_at, updated_at) VALUES ('%s', '%s', 'H-1', 'ordered', 'p', 'p', '', decode(repeat('00', 32), 'hex'), '0017', '%s', %d, %d, now(), 'home', now(), now());", id, order, id, psn, atc)
	}
	approval := func(decision, by string, octets int) string {
		return fmt.Sprintf("INSERT INTO approval (order_id, revision, decision, requested_by, decided_by, content_hash, decided_at) "+
			"VALUES ('O-1', 1, '%s', 'a', '%s', decode(repeat('00', %d), 'hex'), now());", decision, by, octets)
	}
	template := func(state, by string, version int) string {
		return fmt.Sprintf("INSERT INTO edition (thing, name, version, state, content, sha256, proposed_by, proposed_at, decided_by, decided_at) "+
			"SELECT 'letter template', 'card', %d, '%s', 'x', sha256('x'), 'a', now(), by, CASE WHEN by IS NOT NULL THEN now() END FROM (SELECT %s::text AS by) d;", version, state, by)
	}
	twice := func(statement string) string { return statement + statement }
	return slices.Concat([]refusal{
		{"an approval by the requester", approval("approved", "a", 32), checkViolation},
		{"a decision that is neither yes nor no", approval("perhaps", "b", 32), checkViolation},
		{"an approval of no content", approval("approved", "b", 0), checkViolation},
		{"two decisions on one revision", approval("approved", "b", 32) + approval("refused", "c", 32), uniqueViolation},
		{"a negative fee", order(", fee_cents", ", -1", "submitted"), checkViolation},
		{"a state that the life cycle lacks", order("", "", "lost"), noSuchLabel},
		{"two orders with one reference", order(", reference", ", 'r'", "submitted") +
			strings.Replace(order(", reference", ", 'r'", "submitted"), "O-1", "O-2", 1), uniqueViolation},
		{"the sequence number 0", card("C-1", "O-1", 0, 0), checkViolation},
		{"a card number and sequence twice", card("C-1", "O-1", 1, 0) + card("C-2", "O-2", 1, 0), uniqueViolation},
		{"two cards of one order", card("C-1", "O-1", 1, 0) + card("C-2", "O-1", 2, 0), uniqueViolation},
		{"a transaction counter beyond 16 bits", card("C-1", "O-1", 1, 65536), checkViolation},
		{"a draft without its serial", certificate("tbs", "'\\x30'"), checkViolation},
		{"a serial of another length", certificate("serial", "'\\x30'"), checkViolation},
		{"a revocation without a reason", certificate("revoked_at", "now()"), checkViolation},
		{"a reason without a revocation", certificate("reason", "1"), checkViolation},
		{"one key in two certificates", certificate("spki_sha256", "'\\x01'") +
			strings.NewReplacer("N-1", "N-2", "O-1", "O-2").Replace(certificate("spki_sha256", "'\\x01'")), uniqueViolation},
		{"two letters for one PIN", twice("INSERT INTO pin_letter (id, card_id, pin_version, state, post_after, created_at) " +
			"VALUES (gen_random_uuid()::text, 'C-1', 1, 'requested', now(), now());"), uniqueViolation},
		{"two letters for one plastic", twice("INSERT INTO card_letter (id, card_id, psn, state, created_at) " +
			"VALUES (gen_random_uuid()::text, 'C-1', 1, 'requested', now());"), uniqueViolation},
		{"a template approved by its author", template("live", "'a'", 1), checkViolation},
		{"a template that is live and nobody's decision", template("live", "NULL", 1), checkViolation},
		{"a template whose hash is another's", strings.Replace(template("live", "'b'", 1), "sha256('x')", "sha256('y')", 1), checkViolation},
		{"two live templates of a kind", template("live", "'b'", 1) + template("live", "'b'", 2), uniqueViolation},
		{"a return file twice", twice("INSERT INTO return_file (id, batch_id, sha256, content, taken_by, taken_at) " +
			"VALUES (gen_random_uuid()::text, 'B-1', '\\x01', '', 'a', now());"), uniqueViolation},
		{"a chosen sequence number for a batch", "INSERT INTO batch (id, sequence, product, bureau, state, attempt_id, created_at) " +
			"VALUES ('B-1', 7, 'p', 'b', 'open', 'A-1', now())", generatedAlways},
	}, refusedFacts(), refusedAudit())
}

func refusedFacts() []refusal {
	issuer := func(id string, shards int) string {
		return fmt.Sprintf("INSERT INTO issuer (id, certificate, mount, key_name, shards, online, state, state_since, created_at) "+
			"VALUES ('%s', '', 'm', 'k', %d, true, 'signing', now(), now())", id, shards)
	}
	return []refusal{
		{"an issuer that is no path segment", issuer("../x", 1), checkViolation},
		{"an issuer with too many shards", issuer("x", 1025), checkViolation},
		{"two issuers that sign", issuer("x", 1) + "; " + issuer("y", 1), uniqueViolation},
		{"a client ID of seven digits", "INSERT INTO company (id, client_id, name, country, registry_number, branch_id, created_at) " +
			"VALUES ('CO-1', '1234567', 'n', 'FR', '1', 'b', now())", checkViolation},
		{"a currency that is not one", "INSERT INTO tariff (product, reason, amount_cents, currency, valid_from) " +
			"VALUES ('card', 'new', 1, 'euro', now())", checkViolation},
		{"a language that no letter is written in", "INSERT INTO holder (id, company_id, user_number, given_name, surname, language, " +
			"email, street, postcode, city, country, created_at, updated_at) " +
			"VALUES ('H-1', 'CO-1', '0001', 'g', 's', 'es', 'e', 's', 'p', 'c', 'FR', now(), now())", checkViolation},
	}
}

func refusedAudit() []refusal {
	const entry = "SET LOCAL session_replication_role = origin; " +
		"INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state) " +
		"VALUES (now(), 'a', 'r', 't', 'i', 'e', '', 's'); "
	return []refusal{
		{"a change of an audit entry", entry + "UPDATE audit_entry SET actor = 'b'", raised},
		{"the end of an audit entry", entry + "DELETE FROM audit_entry", raised},
		{"the end of all audit entries", entry + "TRUNCATE audit_entry", raised},
		{"a chosen number for an audit entry", "INSERT INTO audit_entry (id, at, actor, role, thing, thing_id, event, from_state, to_state) " +
			"VALUES (7, now(), 'a', 'r', 't', 'i', 'e', '', 's')", generatedAlways},
	}
}

func TestTheSchemaRefuses(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	for _, test := range refused() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tx, err := connect(t, url).Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = tx.Exec(t.Context(), "SET LOCAL session_replication_role = replica; "+test.statement)
			var refused *pgconn.PgError
			if !errors.As(err, &refused) || refused.Code != test.code {
				t.Errorf("error = %v, want SQLSTATE %s", err, test.code)
			}
		})
	}
}
