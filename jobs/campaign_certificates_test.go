package jobs

import (
	"os"
	"strconv"
	"testing"
	"time"

	"sceau/internal/bench"
	"sceau/issuance"
	"sceau/lifecycle"
)

// certificatesInUse writes n certificates that another version of their profile made, each
// of a holder who has a dossier, as those of an order that was approved. Those of the
// rounds before do not count any more.
func (h *house) certificatesInUse(t testing.TB, n, round int) {
	t.Helper()
	if round == 1 {
		h.orders(t, "certificate", 1)
	}
	for _, statement := range []string{
		"UPDATE certificate SET state = 'cancelled', dossier_id = NULL WHERE id LIKE 'N-0%' OR created_at >= now() - interval '100 years'",
		`INSERT INTO company SELECT (jsonb_populate_record(x.c, jsonb_build_object('id', 'E-' || lpad(i::text, 16, '0'), 'client_id', lpad((90000000 + i)::text, 8, '0'),
			'registry_number', 'x' || i))).* FROM generate_series(0, $1::int / 8000) i, (SELECT c FROM company c WHERE id NOT LIKE 'E-000%' LIMIT 1) x ON CONFLICT DO NOTHING`,
		`INSERT INTO holder SELECT (jsonb_populate_record(x.h, jsonb_build_object('id', 'H-' || lpad(i::text, 16, '0'), 'company_id', 'E-' || lpad((i / 8000)::text, 16, '0'),
			'user_number', lpad((i % 8000)::text, 4, '0')))).*
		FROM generate_series(1, $1::int) i, (SELECT h FROM holder h JOIN dossier d ON d.holder_id = h.id WHERE h.id NOT LIKE 'H-000%' LIMIT 1) x ON CONFLICT DO NOTHING`,
		`INSERT INTO dossier SELECT (jsonb_populate_record(x.d, jsonb_build_object('id', 'D-' || lpad(i::text, 16, '0'), 'holder_id', 'H-' || lpad(i::text, 16, '0'),
			'document_mark', '\x' || lpad(i::text, 64, '0')))).* FROM generate_series(1, $1::int) i, (SELECT d FROM dossier d WHERE id NOT LIKE 'D-000%' LIMIT 1) x ON CONFLICT DO NOTHING`,
		`INSERT INTO dossier_scan SELECT (jsonb_populate_record(x.s, jsonb_build_object('id', 'DS-' || lpad(i::text, 16, '0'), 'dossier_id', 'D-' || lpad(i::text, 16, '0')))).*
		FROM generate_series(1, $1::int) i, (SELECT s FROM dossier_scan s WHERE id NOT LIKE 'DS-000%' LIMIT 1) x ON CONFLICT DO NOTHING`,
	} {
		args := []any{n}
		if statement[:6] == "UPDATE" {
			args = nil
		}
		_, err := h.admin.Exec(t.Context(), statement, args...)
		must(t, err)
	}
	_, err := h.admin.Exec(t.Context(), `
WITH n AS (SELECT i, lpad(($2::bigint * 10000000 + i)::text, 16, '0') AS no FROM generate_series(1, $1::int) i),
o AS (INSERT INTO orders (id, kind, state, holder_id, requested_by, created_at, updated_at)
	SELECT 'O-' || no, 'new_certificate', 'completed', 'H-' || lpad(i::text, 16, '0'), 'x', $3::timestamptz, $3::timestamptz FROM n)
INSERT INTO certificate (id, order_id, holder_id, state, profile, profile_version, dossier_id, serial, not_before, not_after, created_at, updated_at)
SELECT 'N-' || no, 'O-' || no, 'H-' || lpad(i::text, 16, '0'), 'active', 'nominative-authentication', 7, 'D-' || lpad(i::text, 16, '0'), decode(lpad(no, 32, '0'), 'hex'),
	$3::timestamptz, $3::timestamptz + interval '2 years', $3::timestamptz, $3::timestamptz FROM n`, n, round, h.clock.now().Add(-time.Hour))
	must(t, err)
	_, err = h.admin.Exec(t.Context(), "ANALYZE")
	must(t, err)
}

// beginRenewals proposes, approves and begins a campaign for them.
func (h *house) beginRenewals(t testing.TB, pilot int) lifecycle.CampaignID {
	t.Helper()
	p := get[issuance.Proposed](t)(h.ProposeCampaign(t.Context(), operator, issuance.CampaignRequest{
		Why: "the profile is another", Pilot: pilot, Certificates: &issuance.CertificateCriteria{Reason: lifecycle.RenewProfileChange},
	}))
	shown := get[issuance.CampaignView](t)(h.Campaign(t.Context(), p.ID)).Hash()
	must(t, h.DecideCampaign(t.Context(), approver, p.ID, shown, true, ""))
	must(t, h.MoveCampaign(t.Context(), operator, p.ID, lifecycle.Pilot))
	return p.ID
}

func TestACampaignOfCertificatesKilledAtAnyStepOrdersEachOnce(t *testing.T) {
	t.Parallel()
	const n = 7
	for _, point := range []string{"LockWaitingCertificates", "InsertRenewedCertificates", "InsertCertificateRenewals", "SetCampaignCertificates", "SetCampaignReached"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h := setup(t, sharedRealm(t))
			h.certificatesInUse(t, n, 1)
			id := h.beginRenewals(t, 2)
			h.kill(t, point)
			h.timeout(t)
			h.work(t, h.tools(t))
			h.awaitCampaign(t, id, lifecycle.CampaignPiloted)
			must(t, h.MoveCampaign(t.Context(), operator, id, lifecycle.Go))
			h.await(t, "every certificate ordered", "SELECT count(*) = $2 FROM renewal_step WHERE campaign_id = $1 AND step = 'approved'", id, n)
			h.await(t, "every holder told", "SELECT count(*) = $1 FROM notice WHERE kind = 'renewal'", n)
			var orders, approvals, renewals int
			must(t, h.admin.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM orders o JOIN campaign_certificate w ON w.order_id = o.id),
				(SELECT count(*) FROM approval WHERE note = 'campaign ' || $1), (SELECT count(*) FROM renewal)`, id).Scan(&orders, &approvals, &renewals))
			if orders != n || approvals != n || renewals != n {
				t.Errorf("%d orders, %d approvals and %d renewals of %d certificates", orders, approvals, renewals, n)
			}
		})
	}
}

// certificatesVariable makes the campaign as large as one likes.
const certificatesVariable = "SCEAU_BENCH_CERTIFICATES"

// BenchmarkRenewals takes certificates through a campaign, as its job does: picked,
// approved as a whole, each ordered, judged by its dossier and approved, its holder told.
func BenchmarkRenewals(b *testing.B) {
	n := 2000
	if text := os.Getenv(certificatesVariable); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 2 {
			b.Fatalf("%s is no number of certificates: %q", certificatesVariable, text)
		}
	}
	h := setup(b, sharedRealm(b))
	round := 0
	bench.Comparison{Ours: bench.Side{
		Name: "campaign", Ops: n,
		Prepare: func() error { round++; h.certificatesInUse(b, n, round); return nil },
		Run: func() error {
			start := time.Now()
			id := h.beginRenewals(b, 1)
			begun := time.Now()
			chunks := func(while func(issuance.CampaignView) bool) {
				for while(get[issuance.CampaignView](b)(h.Campaign(b.Context(), id))) {
					_, err := h.RunCampaign(b.Context(), id, nil)
					must(b, err)
				}
			}
			chunks(func(v issuance.CampaignView) bool { return v.State == lifecycle.CampaignPiloting })
			must(b, h.MoveCampaign(b.Context(), operator, id, lifecycle.Go))
			chunks(func(v issuance.CampaignView) bool { return v.Progress["waiting"] > 0 })
			ordered := time.Now()
			told, err := h.FollowCampaigns(b.Context())
			must(b, err)
			progress := get[issuance.CampaignView](b)(h.Campaign(b.Context(), id)).Progress
			if progress["approved"] != n {
				b.Fatalf("%d are told, progress %v", told, progress)
			}
			b.Logf("%d certificates proposed and approved in %s, ordered in %s more, %d holders told in %s more", n, begun.Sub(start).Round(time.Millisecond),
				ordered.Sub(begun).Round(time.Millisecond), told, time.Since(ordered).Round(time.Millisecond))
			return nil
		},
	}}.Measure(b)
}
