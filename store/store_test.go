package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/internal/testenv"
	"sceau/lifecycle"
	"sceau/migrations"
	"sceau/store/db"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.WithMigrations(migrations.Up)) }

// open is a store on a database of the test's own.
func open(t *testing.T) *Store {
	t.Helper()
	return openAt(t, testenv.Database(t))
}

func openAt(t *testing.T, url string) *Store {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return New(pool)
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func branch(code string) db.InsertBranchParams {
	return db.InsertBranchParams{ID: lifecycle.BranchID("BR-" + code), Code: code, CreatedAt: noon}
}

func company(id, clientID string) db.InsertCompanyParams {
	return db.InsertCompanyParams{
		ID: lifecycle.CompanyID(id), ClientID: clientID, Name: "Ateliers Secrets", Country: "FR", RegistryNumber: clientID,
		BranchID: "BR-FR01", CreatedAt: noon,
	}
}

func TestInTxCommitsWhatWorkDid(t *testing.T) {
	t.Parallel()
	s := open(t)
	err := s.InTx(t.Context(), func(tx Tx) error {
		if err := tx.InsertBranch(t.Context(), branch("FR01")); err != nil {
			return err
		}
		_, err := tx.BranchByCode(t.Context(), "FR01") // a transaction sees its own rows
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.BranchByCode(t.Context(), "FR01")
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "BR-FR01" || !got.CreatedAt.Equal(noon) {
		t.Errorf("the branch came back as %+v", got)
	}
}

func TestInTxRollsBackWhenWorkFails(t *testing.T) {
	t.Parallel()
	s := open(t)
	failure := fmt.Errorf("%w: on purpose", lifecycle.Forbidden)
	err := s.InTx(t.Context(), func(tx Tx) error {
		if err := tx.InsertBranch(t.Context(), branch("FR01")); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("error = %v, want what work answered", err)
	}
	wantAbsent(t, s, "FR01")
}

func TestInTxRollsBackWhenWorkPanics(t *testing.T) {
	t.Parallel()
	s := open(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = s.InTx(t.Context(), func(tx Tx) error {
			if err := tx.InsertBranch(t.Context(), branch("FR01")); err != nil {
				t.Error(err)
			}
			panic("on purpose")
		})
	}()
	wantAbsent(t, s, "FR01")
}

func TestInTxRollsBackWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.InTx(ctx, func(tx Tx) error {
		err := tx.InsertBranch(ctx, branch("FR01"))
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, lifecycle.Unavailable) {
		t.Errorf("error = %v, want a cancellation, which is no outage", err)
	}
	wantAbsent(t, s, "FR01")
}

func wantAbsent(t *testing.T, s *Store, code string) {
	t.Helper()
	if _, err := s.BranchByCode(t.Context(), code); !errors.Is(err, lifecycle.NotFound) {
		t.Errorf("branch %s: %v, want not found", code, err)
	}
}

// enums are the schema's enums and the labels that the code knows, in order.
func enums() map[string][]string {
	return map[string][]string{
		"order_kind":        labels(lifecycle.OrderKinds()),
		"order_state":       labels(lifecycle.Orders.States),
		"card_state":        labels(lifecycle.Cards.States),
		"letter_state":      labels(lifecycle.CardLetters.States),
		"print_kind":        labels([]lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN}),
		"edition_state":     labels(lifecycle.Templates.States),
		"revocation_state":  labels(lifecycle.RevocationRequests.States),
		"work_state":        labels(lifecycle.WorkItems.States),
		"print_run_state":   labels(lifecycle.CardRuns.States),
		"certificate_state": labels(lifecycle.Certificates.States),
		"batch_state":       labels(lifecycle.Batches.States),
		"issuer_state":      labels(lifecycle.Issuers.States),
		"dossier_state":     labels(lifecycle.Dossiers.States),
		"campaign_state":    labels(lifecycle.Campaigns.States),
		"bureau_result":     labels([]lifecycle.BureauResult{lifecycle.BureauMade, lifecycle.BureauSpoiled, lifecycle.BureauMissing}),
		"stock_condition":   labels(lifecycle.StockConditions()),
		"consignment_state": labels(lifecycle.Consignments.States),
		"count_state":       labels(lifecycle.Counts.States),
		"destruction_state": labels(lifecycle.Destructions.States),
		"shortfall_state":   labels(lifecycle.Shortfalls.States),
		"notice_state":      labels(lifecycle.Notices.States),

		"authentication_state": labels(lifecycle.Authentications.States),
		"means_state":          labels(lifecycle.Means.States),
		"stop_state":           labels(lifecycle.Stops.States),
		"fraud_state":          labels(lifecycle.FraudReports.States),
		"entitlement_state":    labels(lifecycle.Entitlements.States),
		"setting_state":        labels(lifecycle.Settings.States),

		"delivery": labels([]lifecycle.Delivery{lifecycle.DeliverHome, lifecycle.DeliverBranch}),
	}
}

func labels[S ~string](values []S) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}

func TestGoAndSchemaAgreeOnTheLabelsOfEveryEnum(t *testing.T) {
	t.Parallel()
	rows, err := open(t).Pool().Query(t.Context(), "SELECT t.typname, string_agg(e.enumlabel, ' ' ORDER BY e.enumsortorder) "+
		"FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	want := enums()
	for rows.Next() {
		var name, got string
		if err := rows.Scan(&name, &got); err != nil {
			t.Fatal(err)
		}
		known, ok := want[name]
		if !ok {
			t.Errorf("the schema's enum %s is unknown to the code", name)
		}
		if got != strings.Join(known, " ") {
			t.Errorf("%s = %q, want %q", name, got, known)
		}
		delete(want, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for name := range want {
		t.Errorf("the schema has no enum %s", name)
	}
	if cards, pins := labels(lifecycle.CardLetters.States), labels(lifecycle.PINLetters.States); strings.Join(cards, " ") != strings.Join(pins, " ") {
		t.Errorf("both kinds of letter share letter_state, but have the states %q and %q", cards, pins)
	}
}
