package issuance_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// inUse writes n cards of the sample bank as years ago they were activated, as
// the use cases left them: one holder each, of one company.
func (h *house) inUse(t *testing.T, n int) []lifecycle.CardID {
	t.Helper()
	first := h.card(t, lifecycle.CardActive) // holder and company are those of this one
	for _, table := range []string{"card", "orders", "holder"} {
		if _, err := h.pool.Exec(t.Context(), "UPDATE "+table+" SET created_at = created_at - interval '2 years'"); err != nil {
			t.Fatal(err)
		}
	}
	cards := []lifecycle.CardID{first}
	for i := 1; i < n; i++ {
		cards = append(cards, lifecycle.CardID(fmt.Sprintf("C-%016d", i)))
	}
	const copies = `
WITH n AS (SELECT i, lpad(i::text, 16, '0') AS no FROM generate_series(1, $2::int - 1) i),
holders AS (
	INSERT INTO holder (id, company_id, user_number, given_name, surname, language, email, complement, street, postcode, city, country, created_at, updated_at)
	SELECT 'H-' || no, h.company_id, lpad(((i + 1000) % 10000)::text, 4, '0'), h.given_name, h.surname, h.language, h.email, h.complement, h.street,
		h.postcode, h.city, h.country, h.created_at, h.updated_at
	FROM n, holder h WHERE h.id = (SELECT holder_id FROM card WHERE id = $1) AND i < 8000 RETURNING id),
o AS (
	INSERT INTO orders (id, kind, state, holder_id, product, currency, requested_by, created_at, updated_at, completed_at, delivery)
	SELECT 'O-' || no, 'new_card', 'completed', 'H-' || lpad(((i - 1) % 7999 + 1)::text, 16, '0'), c.product, 'EUR', 'alix', c.created_at, c.created_at, c.created_at, 'home'
	FROM n, card c WHERE c.id = $1 RETURNING id),
trail AS (
	INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state)
	SELECT c.created_at, e.actor, e.role, e.thing, e.prefix || no, e.event, e.from_state, e.to_state
	FROM n, card c, (VALUES
		('alix', 'account_manager', 'order', 'O-', 'submit', '', 'submitted', 1), ('irene', 'approver', 'order', 'O-', 'approve', 'submitted', 'approved', 2),
		('batch', 'system', 'order', 'O-', 'start', 'approved', 'in_progress', 3), ('post', 'system', 'order', 'O-', 'complete', 'in_progress', 'completed', 4),
		('alix', 'account_manager', 'card', 'C-', 'submit', '', 'ordered', 5), ('irene', 'approver', 'card', 'C-', 'approve', 'ordered', 'approved', 6),
		('leonie', 'operator', 'card', 'C-', 'seal', 'approved', 'personalising', 7), ('x', 'system', 'card', 'C-', 'personalise', 'personalising', 'personalised', 8),
		('x', 'system', 'card', 'C-', 'send', 'personalised', 'with_bureau', 9), ('x', 'system', 'card', 'C-', 'make', 'with_bureau', 'made', 10),
		('x', 'system', 'card', 'C-', 'post', 'made', 'posted', 11), ('x', 'holder', 'card', 'C-', 'activate', 'posted', 'active', 12)
	) e (actor, role, thing, prefix, event, from_state, to_state, step) WHERE c.id = $1 ORDER BY no, step)
INSERT INTO card (id, order_id, holder_id, state, product, profile, pan_sealed, pan_mark, last4, psn, expiry, delivery, place, created_at, updated_at)
SELECT 'C-' || no, 'O-' || no, 'H-' || lpad(((i - 1) % 7999 + 1)::text, 16, '0'), 'active', c.product, c.profile, c.pan_sealed, decode(lpad(to_hex(i), 64, '0'), 'hex'),
	c.last4, 1, c.expiry, 'home', 'C-' || no, c.created_at, c.created_at
FROM n, card c WHERE c.id = $1`
	// Foreign keys are looked at when the statement has ended.
	if _, err := h.pool.Exec(t.Context(), copies, first, n); err != nil {
		t.Fatal(err)
	}
	return cards
}

// expiring proposes to renew the cards of the sample bank, all of which expire in
// one month.
func expiring(pilot, hourly int) issuance.CampaignRequest {
	return issuance.CampaignRequest{
		Why: "they expire", Pilot: pilot, Hourly: hourly, Filter: issuance.Criteria{ExpiresFrom: monday, ExpiresTo: monday.AddDate(4, 0, 0)},
	}
}

func (h *house) campaign(t tb, id lifecycle.CampaignID) issuance.CampaignView {
	t.Helper()
	return must[issuance.CampaignView](t)(h.Campaign(t.Context(), id))
}

// begin proposes, approves and begins a campaign.
func (h *house) begin(t *testing.T, r issuance.CampaignRequest) lifecycle.CampaignID {
	t.Helper()
	p := must[issuance.Proposed](t)(h.ProposeCampaign(t.Context(), alix, r))
	h.event(t, h.DecideCampaign(t.Context(), irene, p.ID, h.campaign(t, p.ID).Hash(), true, ""))
	h.event(t, h.MoveCampaign(t.Context(), leonie, p.ID, lifecycle.Pilot))
	return p.ID
}

// chunks runs a campaign's chunks until its state is another.
func (h *house) chunks(t *testing.T, id lifecycle.CampaignID) (n int) {
	t.Helper()
	state := h.campaign(t, id).State
	for h.campaign(t, id).State == state {
		if wait := must[time.Duration](t)(h.RunCampaign(t.Context(), id, nil)); wait > 0 {
			t.Fatalf("the next cards wait for %s", wait)
		}
		if n++; n > 100 {
			t.Fatal("it never ends")
		}
	}
	return n
}

func (h *house) wantProgress(t *testing.T, id lifecycle.CampaignID, state lifecycle.CampaignState, progress map[string]int) {
	t.Helper()
	v := h.campaign(t, id)
	if v.State != state || fmt.Sprint(v.Progress) != fmt.Sprint(progress) {
		t.Errorf("the campaign is %s with %v, want %s with %v", v.State, v.Progress, state, progress)
	}
}

func TestACampaignRenewsThousandsOfCardsAfterItsPilot(t *testing.T) {
	t.Parallel()
	h := setup(t)
	const n = 2100
	cards := h.inUse(t, n)
	if picked := must[int](t)(h.PreviewCampaign(t.Context(), expiring(1, 0).Filter)); picked != n {
		t.Fatalf("the filter picks %d cards, want %d", picked, n)
	}
	h.oppose(t, cards[7])
	id := h.begin(t, expiring(5, 0))
	h.wantProgress(t, id, lifecycle.CampaignPiloting, map[string]int{"waiting": n - 1})
	h.chunks(t, id)
	h.wantProgress(t, id, lifecycle.CampaignPiloted, map[string]int{"waiting": n - 6, "personalising": 5})
	if wait := must[time.Duration](t)(h.RunCampaign(t.Context(), id, nil)); wait != 0 {
		t.Errorf("between pilot and go it waits for %s", wait)
	}
	h.wantProgress(t, id, lifecycle.CampaignPiloted, map[string]int{"waiting": n - 6, "personalising": 5})
	// What changes between the pilot and the run.
	h.oppose(t, cards[100])
	must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderRenewal, TargetCard: cards[200], Delivery: lifecycle.DeliverHome,
	}))
	h.event(t, h.move(t, alix, lifecycle.HolderID("H-0000000000000300"), issuance.Address{
		Street: "2 rue Neuve", Postcode: "35000", City: "Rennes", Country: "FR",
	}))
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Go))
	if steps := h.chunks(t, id); steps > 6 {
		t.Errorf("%d transactions for %d cards", steps, n)
	}
	h.wantProgress(t, id, lifecycle.CampaignCompleted, map[string]int{"failed": 3, "personalising": n - 4})
	failures := must[[]issuance.CampaignFailure](t)(h.CampaignFailures(t.Context(), id, ""))
	want := []issuance.CampaignFailure{
		{On: string(cards[100]), State: "failed", Why: "it is opposed"},
		{On: string(cards[200]), State: "failed", Why: "another card is on its way in its place"},
		{On: string(cards[300]), State: "failed", Why: "its holder's address has changed lately: order it by itself"},
	}
	if fmt.Sprint(failures) != fmt.Sprint(want) {
		t.Errorf("failures %v, want %v", failures, want)
	}
	h.wantRenewed(t, id, n-4)
	// In time the flag is gone, and the card can be renewed.
	h.clock.advance(60 * 24 * time.Hour)
	if retried := must[int](t)(h.RetryCampaign(t.Context(), leonie, id)); retried != 3 {
		t.Errorf("%d cards are tried again", retried)
	}
	h.chunks(t, id)
	h.wantProgress(t, id, lifecycle.CampaignCompleted, map[string]int{"failed": 2, "personalising": n - 3})
}

// wantRenewed proves that each renewed card is one, approved by the approver on
// what they were shown, in a batch of the campaign's urgency.
func (h *house) wantRenewed(t *testing.T, id lifecycle.CampaignID, n int) {
	t.Helper()
	hash := h.campaign(t, id).Hash()
	var orders, cards, batches, largest int
	err := h.pool.QueryRow(t.Context(), `
SELECT count(DISTINCT o.id), count(DISTINCT c.place), count(DISTINCT b.id), (SELECT max(n) FROM (SELECT count(*) AS n FROM batch_card GROUP BY batch_id) x)
FROM campaign_card w JOIN orders o ON o.id = w.order_id AND o.kind = 'renewal' AND o.urgency = 'campaign' AND o.state = 'in_progress'
JOIN approval a ON a.order_id = o.id AND a.decided_by = 'irene' AND a.requested_by = 'alix' AND a.content_hash = $2 AND a.note = 'campaign ' || w.campaign_id
JOIN card c ON c.order_id = o.id AND c.replaces = w.card_id JOIN batch b ON b.id = c.batch_id AND b.urgency = 'campaign' AND b.state = 'sealed'
WHERE w.campaign_id = $1`, id, hash[:]).Scan(&orders, &cards, &batches, &largest)
	if err != nil {
		t.Fatal(err)
	}
	if orders != n || cards != n || largest > h.Policy().BatchSize {
		t.Errorf("%d orders, %d places, %d batches of at most %d cards; want %d of each", orders, cards, batches, largest, n)
	}
}

func TestACampaignNeedsFourEyes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.inUse(t, 3)
	for _, by := range everyone {
		_, err := h.ProposeCampaign(t.Context(), by, expiring(1, 0))
		if may := by.Role == lifecycle.RoleAccountManager || by.Role == lifecycle.RoleOperator || by.Role == lifecycle.RoleSecurityOfficer; may != (err == nil) {
			t.Errorf("%s proposes: %v", by, err)
		}
	}
	p := must[issuance.Proposed](t)(h.ProposeCampaign(t.Context(), come, expiring(1, 0)))
	shown := h.campaign(t, p.ID).Hash()
	wantKind(t, h.DecideCampaign(t.Context(), comeToo, p.ID, shown, true, ""), lifecycle.Forbidden)
	wantKind(t, h.DecideCampaign(t.Context(), leonie, p.ID, shown, true, ""), lifecycle.Forbidden)
	wantKind(t, h.DecideCampaign(t.Context(), irene, p.ID, [32]byte{1}, true, ""), lifecycle.Conflict)
	wantKind(t, h.MoveCampaign(t.Context(), leonie, p.ID, lifecycle.Pilot), lifecycle.Illegal)
	// Nobody slips a card in between.
	other := h.card(t, lifecycle.CardActive)
	if _, err := h.pool.Exec(t.Context(), "INSERT INTO campaign_card (campaign_id, card_id) VALUES ($1, $2)", p.ID, other); err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.DecideCampaign(t.Context(), irene, p.ID, shown, true, ""), lifecycle.Conflict)
	if _, err := h.pool.Exec(t.Context(), "DELETE FROM campaign_card WHERE campaign_id = $1 AND card_id = $2", p.ID, other); err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.DecideCampaign(t.Context(), irene, p.ID, shown, false, ""), lifecycle.Invalid)
	h.event(t, h.DecideCampaign(t.Context(), irene, p.ID, shown, true, ""))
	wantKind(t, h.DecideCampaign(t.Context(), daan, p.ID, shown, true, ""), lifecycle.Illegal)
	wantKind(t, h.MoveCampaign(t.Context(), leonie, p.ID, lifecycle.Go), lifecycle.Illegal) // first the pilot
	wantKind(t, h.MoveCampaign(t.Context(), leonie, p.ID, lifecycle.Complete), lifecycle.Illegal)
}

func TestACampaignPausesResumesKeepsItsRateAndEnds(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.inUse(t, 40)
	h.clock.advance(72 * time.Hour)
	id := h.begin(t, expiring(2, 10))
	h.chunks(t, id)
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Go))
	run := func(want time.Duration, progress map[string]int) {
		t.Helper()
		if wait := must[time.Duration](t)(h.RunCampaign(t.Context(), id, nil)); wait != want {
			t.Errorf("the next cards wait for %s, want %s", wait, want)
		}
		h.wantProgress(t, id, h.campaign(t, id).State, progress)
	}
	run(12*time.Minute, map[string]int{"waiting": 38, "personalising": 2}) // two cards at ten an hour
	h.clock.advance(12 * time.Minute)
	run(0, map[string]int{"waiting": 28, "personalising": 12})
	h.clock.advance(59 * time.Minute)
	run(time.Minute, map[string]int{"waiting": 28, "personalising": 12})
	h.clock.advance(time.Minute)
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Pause))
	run(0, map[string]int{"waiting": 28, "personalising": 12})
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Resume))
	run(0, map[string]int{"waiting": 18, "personalising": 22})
	h.clock.advance(-48 * time.Hour) // set back: it does not wait for two days
	run(0, map[string]int{"waiting": 8, "personalising": 32})
	run(time.Hour, map[string]int{"waiting": 8, "personalising": 32})
	h.event(t, h.MoveCampaign(t.Context(), alix, id, lifecycle.Cancel))
	run(0, map[string]int{"waiting": 8, "personalising": 32})
	wantKind(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Resume), lifecycle.Illegal)
}

func TestACampaignLeavesSecondCardsToAnApproverUnlessOneHasSeenThem(t *testing.T) {
	t.Parallel()
	h := setup(t)
	cards := h.inUse(t, 4)
	// Two cards of one holder are no reason: who approved the campaign has seen both.
	if _, err := h.pool.Exec(t.Context(), "UPDATE card SET holder_id = (SELECT holder_id FROM card WHERE id = $1) WHERE id = $2", cards[1], cards[2]); err != nil {
		t.Fatal(err)
	}
	must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderNewCard, Holder: "H-0000000000000003", Delivery: lifecycle.DeliverHome,
	}))
	id := h.begin(t, expiring(2, 0))
	h.chunks(t, id)
	h.event(t, h.MoveCampaign(t.Context(), leonie, id, lifecycle.Go))
	h.chunks(t, id)
	h.wantProgress(t, id, lifecycle.CampaignCompleted, map[string]int{"failed": 1, "personalising": 3})
	failures := must[[]issuance.CampaignFailure](t)(h.CampaignFailures(t.Context(), id, ""))
	want := issuance.CampaignFailure{On: string(cards[3]), State: "failed", Why: "its holder had another card ordered lately: order it by itself"}
	if len(failures) != 1 || failures[0] != want {
		t.Errorf("failures %v", failures)
	}
	all := h.begin(t, issuance.CampaignRequest{Why: "seen", Pilot: 1, Cards: strings.NewReader(string(cards[3])), SecondCards: true})
	h.chunks(t, all)
	h.wantProgress(t, all, lifecycle.CampaignPiloted, map[string]int{"personalising": 1})
	if plain := h.campaign(t, all).CampaignContent; !plain.SecondCards {
		t.Error("the approver is not told")
	}
}

func TestACampaignThatLostItsJobGetsItBack(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.inUse(t, 3)
	id := h.begin(t, expiring(1, 0))
	if _, err := h.pool.Exec(t.Context(), "DELETE FROM river_job"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one job all the same
		if cards := must[int](t)(h.RetryCampaign(t.Context(), leonie, id)); cards != 0 {
			t.Errorf("%d cards had failed", cards)
		}
	}
	if jobs := h.queued(t, lifecycle.JobCampaign); len(jobs) != 1 {
		t.Errorf("jobs %v", jobs)
	}
	h.chunks(t, id)
	_, err := h.RetryCampaign(t.Context(), leonie, id)
	wantKind(t, err, lifecycle.Illegal) // piloted: nothing failed, nothing is under way
}

func TestACampaignsChunkIsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.inUse(t, 30)
	id := h.begin(t, expiring(20, 0))
	killed := errors.New("killed")
	if _, err := h.RunCampaign(t.Context(), id, func(pgx.Tx) error { return killed }); !errors.Is(err, killed) {
		t.Fatalf("error = %v", err)
	}
	h.wantProgress(t, id, lifecycle.CampaignPiloting, map[string]int{"waiting": 30})
	results := make(chan error, 2)
	for range 2 { // the rescued job beside the one that was thought dead
		go func() {
			_, err := h.RunCampaign(t.Context(), id, nil)
			results <- err
		}()
	}
	if err := errors.Join(<-results, <-results); err != nil {
		t.Fatal(err)
	}
	h.wantProgress(t, id, lifecycle.CampaignPiloted, map[string]int{"waiting": 10, "personalising": 20})
	h.wantRenewed(t, id, 20)
}

func TestACampaignsFilters(t *testing.T) {
	t.Parallel()
	h := setup(t)
	cards := h.inUse(t, 6)
	if _, err := h.pool.Exec(t.Context(), "UPDATE card SET last_atc = 60000 WHERE id = $1", cards[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := h.pool.Exec(t.Context(), "UPDATE card SET profile = 'weak' WHERE id = $1", cards[2]); err != nil {
		t.Fatal(err)
	}
	h.event(t, h.store.SetCardsKeys(t.Context(), db.SetCardsKeysParams{
		IDs: []string{string(cards[3]), string(cards[4])}, AC: []int32{2, 2}, SMI: []int32{1, 2}, SMC: []int32{1, 1},
	}))
	for _, test := range []struct {
		name   string
		filter issuance.Criteria
		want   int
	}{
		{"counter above its limit", issuance.Criteria{AboveATC: 59999}, 1},
		{"counter at the limit", issuance.Criteria{AboveATC: 60000}, 0},
		{"weak profile", issuance.Criteria{Profile: "weak"}, 1},
		{"first version, on record or not", issuance.Criteria{MasterKey: issuance.MasterKeyAC, Version: 1}, 4},
		{"second version", issuance.Criteria{MasterKey: issuance.MasterKeySMI, Version: 2}, 1},
		{"both", issuance.Criteria{MasterKey: issuance.MasterKeyAC, Version: 1, Profile: "weak"}, 1},
		{"another product", issuance.Criteria{Profile: "weak", Product: "bank-card"}, 0},
		{"expired before", issuance.Criteria{ExpiresFrom: monday, ExpiresTo: monday.AddDate(1, 0, 0)}, 0},
	} {
		if got := must[int](t)(h.PreviewCampaign(t.Context(), test.filter)); got != test.want {
			t.Errorf("%s: %d cards, want %d", test.name, got, test.want)
		}
	}
	for name, filter := range map[string]issuance.Criteria{
		"no criterion": {Product: "securaccess"}, "counter too high": {AboveATC: 70000}, "one day": {ExpiresTo: monday},
		"days the wrong way": {ExpiresFrom: monday, ExpiresTo: monday.AddDate(0, 0, -1)}, "key without version": {MasterKey: issuance.MasterKeyAC},
		"unknown key": {MasterKey: "imk", Version: 1},
	} {
		_, err := h.PreviewCampaign(t.Context(), filter)
		if !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := h.ProposeCampaign(t.Context(), alix, issuance.CampaignRequest{Why: "x", Pilot: 1, Filter: issuance.Criteria{Profile: "none"}})
	wantKind(t, err, lifecycle.Invalid)
}

func TestACampaignsListTellsItsWrongLines(t *testing.T) {
	t.Parallel()
	h := setup(t)
	cards := h.inUse(t, 4)
	h.oppose(t, cards[3])
	list := fmt.Sprintf("\uFEFF%s\r\n%s\n\nC-1\n%s\n%s\nC-ZZZZZZZZZZZZZZZZ\n%s", cards[0], cards[1], cards[1], cards[3], cards[2])
	p := must[issuance.Proposed](t)(h.ProposeCampaign(t.Context(), alix, issuance.CampaignRequest{
		Why: "named", Pilot: 1, Cards: strings.NewReader(list),
	}))
	want := []issuance.LineError{
		{Line: 4, Field: "card", Why: "is no card's identifier, as C-…16 characters"},
		{Line: 5, Field: "card", Why: "it stands in the list before"},
		{Line: 6, Field: "card", Why: "it is opposed: it cannot be renewed"},
		{Line: 7, Field: "card", Why: "there is no such card"},
	}
	if p.Size != 3 || p.Refused != 4 || fmt.Sprint(p.Wrong) != fmt.Sprint(want) {
		t.Errorf("%d cards, %d refused: %v", p.Size, p.Refused, p.Wrong)
	}
	for name, list := range map[string][]byte{"empty": nil, "too long": bytes.Repeat([]byte("C-0000000000000000\n"), 500_000), "no card": []byte("x\n")} {
		_, err := h.ProposeCampaign(t.Context(), alix, issuance.CampaignRequest{Why: "named", Pilot: 1, Cards: bytes.NewReader(list)})
		if !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
