package migrations_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"sceau/internal/testenv"
	"sceau/migrations"
)

const noRight = "42501" // insufficient_privilege

func TestSeveralProcessesMayGiveRightsAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	var processes errgroup.Group
	for range 8 {
		processes.Go(func() error { return migrations.Grant(t.Context(), url) })
	}
	if err := processes.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Grant(t.Context(), url); err != nil {
		t.Fatalf("again: %v", err)
	}
}

func TestEachKindOfProcessHasItsRightsAndNoMore(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Grant(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		role, name, statement string
		may                   bool
	}{
		{migrations.RoleApp, "reads card numbers", "SELECT pan_sealed FROM card", true},
		{migrations.RoleApp, "writes the trail", "INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state) " +
			"VALUES (now(), 'a', 'r', 't', 'i', 'e', '', 's')", true},
		{migrations.RoleApp, "changes the trail", "UPDATE audit_entry SET actor = 'b'", false},
		{migrations.RoleApp, "shortens the trail", "DELETE FROM audit_entry", false},
		{migrations.RoleApp, "empties the trail", "TRUNCATE audit_entry", false},
		{migrations.RoleApp, "drops the trail", "DROP TABLE audit_entry", false},
		{migrations.RoleApp, "stops the trail's guard", "ALTER TABLE audit_entry DISABLE TRIGGER ALL", false},
		{migrations.RoleApp, "forges a migration", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, true)", false},
		{migrations.RoleApp, "decides on a letter template", "UPDATE edition SET state = 'refused', decided_by = 'b', decided_at = now()", true},
		{migrations.RoleApp, "changes what an approved letter says", "UPDATE edition SET content = 'x'", false},
		{migrations.RoleApp, "forgets what letters said", "DELETE FROM edition", false},
		{migrations.RoleApp, "erases a scan", "UPDATE dossier_scan SET content = NULL", true},
		{migrations.RoleApp, "says that a scan is another", "UPDATE dossier_scan SET sha256 = sha256('x')", false},
		{migrations.RoleApp, "forgets a dossier", "DELETE FROM dossier", false},
		{migrations.RolePIN, "reads a sealed scan", "SELECT content FROM dossier_scan", false},
		{migrations.RolePublic, "reads who showed what", "SELECT document_surname FROM dossier", false},
		{migrations.RoleApp, "binds a name to its holder", "INSERT INTO subject_name (sha256, owner, first_used) VALUES (sha256('x'), 'H-1', now())", true},
		{migrations.RoleApp, "gives a name to another", "UPDATE subject_name SET owner = 'H-2'", false},
		{migrations.RoleApp, "forgets whose a name was", "DELETE FROM subject_name", false},
		{migrations.RolePIN, "reads what letters say", "SELECT content FROM edition", true},
		{migrations.RolePIN, "decides what letters say", "UPDATE edition SET state = 'live'", false},
		{migrations.RolePIN, "opens a work item", "INSERT INTO work_item (id, state, thing, thing_id, why, opened_at) VALUES ('W-1', 'open', 't', 'i', 'w', now())", true},
		{migrations.RoleApp, "makes a table", "CREATE TABLE mine (n int)", false},

		{migrations.RolePIN, "finds a PIN's letter", "SELECT l.id, c.pin_version FROM pin_letter l JOIN card c ON c.id = l.card_id", true},
		{migrations.RolePIN, "reads whom it goes to", "SELECT given_name, street FROM holder", true},
		{migrations.RolePIN, "reads a sealed card number", "SELECT pan_sealed FROM card", false},
		{migrations.RolePIN, "reads a whole card", "SELECT card FROM card", false},
		{migrations.RolePIN, "reads what is for the bureau", "SELECT dgis FROM batch_card", false},
		{migrations.RolePIN, "reads letters", "SELECT content FROM document", false},
		{migrations.RolePIN, "reads the trail", "SELECT detail FROM audit_entry", false},
		{migrations.RolePIN, "opposes a card", "UPDATE card SET state = 'opposed'", false},
		{migrations.RolePIN, "posts sooner", "UPDATE pin_letter SET post_after = now()", false},

		{migrations.RoleHolder, "finds a code", "SELECT r.code_sha256 FROM company o JOIN holder h ON h.company_id = o.id " +
			"JOIN certificate c ON c.holder_id = h.id JOIN revocation_code r ON r.certificate_id = c.id", true},
		{migrations.RoleHolder, "takes a key", "UPDATE certificate SET csr = 'x', state = 'issuing'", true},
		{migrations.RoleHolder, "counts a try", "INSERT INTO revocation_try (reference_sha256, tries, since) VALUES (sha256('x'), 1, now())", true},
		{migrations.RoleHolder, "reads a sealed card number", "SELECT pan_sealed FROM card", false},
		{migrations.RoleHolder, "reads cards", "SELECT id FROM card", false},
		{migrations.RoleHolder, "reads what is for the bureau", "SELECT dgis FROM batch_card", false},
		{migrations.RoleHolder, "reads a sealed document number", "SELECT document_number FROM dossier", false},
		{migrations.RoleHolder, "reads who showed what", "SELECT document_surname FROM dossier", false},
		{migrations.RoleHolder, "reads a sealed scan", "SELECT content FROM dossier_scan", false},
		{migrations.RoleHolder, "reads API keys", "SELECT sha256 FROM api_key", false},
		{migrations.RoleHolder, "reads wrapped data keys", "SELECT wrapped FROM data_key", false},
		{migrations.RoleHolder, "reads letters", "SELECT content FROM document", false},
		{migrations.RoleHolder, "reads the trail", "SELECT detail FROM audit_entry", false},
		{migrations.RoleHolder, "changes the trail", "UPDATE audit_entry SET actor = 'b'", false},
		{migrations.RoleHolder, "reads what callers were asked", "SELECT question FROM caller_answer", false},
		{migrations.RoleHolder, "reads staff", "SELECT login FROM staff", false},
		{migrations.RoleHolder, "has somebody else hold a certificate", "UPDATE certificate SET holder_id = 'H-1'", false},
		{migrations.RoleHolder, "signs by itself", "UPDATE certificate SET tbs = 'x', der = 'x'", false},
		{migrations.RoleHolder, "hands itself a code", "INSERT INTO enrolment (certificate_id) VALUES ('N-1')", false},
		{migrations.RoleHolder, "lets a code live longer", "UPDATE enrolment SET expires_at = now()", false},
		{migrations.RoleHolder, "moves a holder", "UPDATE holder SET email = 'a@b.example'", false},
		{migrations.RoleHolder, "approves an order", "INSERT INTO approval DEFAULT VALUES", false},
		{migrations.RoleHolder, "changes an order", "UPDATE orders SET kind = 'new_card'", false},
		{migrations.RoleHolder, "rewrites what was accepted", "UPDATE acceptance SET statement = 'x'", false},
		{migrations.RoleHolder, "unblocks a key", "DELETE FROM blocked_key", false},
		{migrations.RoleHolder, "decides on a profile", "UPDATE edition SET state = 'live'", false},
		{migrations.RoleHolder, "has another CA sign", "UPDATE issuer SET state = 'signing'", false},
		{migrations.RoleHolder, "writes a list", "UPDATE crl SET number = 9", false},
		{migrations.RoleHolder, "tells services by the trail alone", "INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state) " +
			"VALUES (now(), 'a', 'r', 'certificate', 'N-1', 'e', 'active', 'revoked')", true},
		{migrations.RoleHolder, "reads what services are told", "SELECT subject FROM event", false},
		{migrations.RoleHolder, "tells services something", "INSERT INTO event (service, type, subject, at) VALUES ('SV-1', 't', 's', now())", false},
		{migrations.RoleHolder, "reads whose users are whose", "SELECT holder_id FROM service_user", false},
		{migrations.RoleHolder, "makes a table", "CREATE TABLE mine (n int)", false},

		{migrations.RolePublic, "reads a list", "SELECT full_size, der FROM crl JOIN crl_piece USING (issuer_id, shard, number)", true},
		{migrations.RolePublic, "reads a status", "SELECT serial, revoked_at, reason FROM certificate_status", true},
		{migrations.RolePublic, "reads who holds a certificate", "SELECT holder_id FROM certificate", false},
		{migrations.RolePublic, "reads people", "SELECT surname FROM holder", false},
		{migrations.RolePublic, "reads cards", "SELECT id FROM card", false},
		{migrations.RolePublic, "revokes", "UPDATE certificate SET revoked_at = now(), reason = 1", false},
		{migrations.RolePublic, "writes an answer", "DELETE FROM ocsp_answer", false},
		{migrations.RolePublic, "writes a list", "UPDATE crl SET number = 9", false},
	} {
		t.Run(test.role+" "+test.name, func(t *testing.T) {
			t.Parallel()
			_, err := connect(t, testenv.DatabaseAs(t, url, test.role)).Exec(t.Context(), test.statement)
			if test.may {
				if err != nil {
					t.Errorf("it may not: %v", err)
				}
				return
			}
			if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != noRight {
				t.Errorf("error = %v, want SQLSTATE %s", err, noRight)
			}
		})
	}
}
