package jobs

import (
	"fmt"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// wantOneOfEach proves that a batch of n cards was made, sent and answered once.
func (h *house) wantOneOfEach(t testing.TB, batch lifecycle.BatchID, n int) {
	t.Helper()
	if file, images := h.bureauFile(t, batch); len(file.Cards) != n || len(images) != n {
		t.Errorf("the bureau gets %d cards", len(file.Cards))
	}
	for event, want := range map[lifecycle.Event]int{lifecycle.Personalise: n, lifecycle.Send: n, lifecycle.Make: n} {
		var moves, cards int
		must(t, h.admin.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT thing_id) FROM audit_entry WHERE thing = 'card' AND event = $1", event).
			Scan(&moves, &cards))
		if moves != want || cards != want {
			t.Errorf("%d times %s, of %d cards; want each of %d once", moves, event, cards, n)
		}
	}
	var documents, sent int
	must(t, h.admin.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM document WHERE id LIKE 'B-%'), (SELECT count(*) FROM batch WHERE sent_at IS NOT NULL)").
		Scan(&documents, &sent))
	if documents != 1 || sent != 1 {
		t.Errorf("%d files of %d batches that were sent", documents, sent)
	}
}

// Between seal and reconciliation a worker dies before each kind of write, in the
// midst of its transaction, or after the signature of the bureau's file.
func TestAWorkerKilledAtAnyStepOfABatchLeavesOneOfEach(t *testing.T) {
	t.Parallel()
	const n = 2
	for _, point := range []string{"FenceBatch", "SetCardsState", "SetBatchCardsDGIs", "SetCardsKeys", afterSign, "InsertDocument", "SetBatchSent"} {
		t.Run("before it is sent: "+point, func(t *testing.T) {
			t.Parallel()
			h := setup(t, sharedRealm(t))
			h.orders(t, "card", n)
			batch := h.seal(t)
			h.kill(t, point)
			h.timeout(t)
			h.work(t, h.tools(t))
			h.awaitBatch(t, batch, lifecycle.BatchSent)
			h.answer(t, batch)
			h.awaitBatch(t, batch, lifecycle.BatchReconciled)
			h.wantOneOfEach(t, batch, n)
		})
	}
	for _, point := range []string{"LockReturnFile", "SetCardsMade", "SetReturnFileApplied"} {
		t.Run("when the bureau has answered: "+point, func(t *testing.T) {
			t.Parallel()
			h := setup(t, sharedRealm(t))
			h.orders(t, "card", n)
			batch := h.seal(t)
			first := h.toil(t, h.tools(t))
			h.awaitBatch(t, batch, lifecycle.BatchSent)
			h.awaitIdle(t, QueueDefault)
			must(t, first.Stop(t.Context()))
			h.answer(t, batch)
			h.kill(t, point)
			h.timeout(t)
			h.work(t, h.tools(t))
			h.awaitBatch(t, batch, lifecycle.BatchReconciled)
			h.wantOneOfEach(t, batch, n)
		})
	}
}

// inUse takes the approved cards as far as their holders' hands, as the database
// sees it.
func (h *house) inUse(t testing.TB, n int) {
	t.Helper()
	h.orders(t, "card", n)
	for _, statement := range []string{
		"UPDATE card SET state = 'active'", "UPDATE orders SET state = 'completed', created_at = created_at - interval '2 years'", "UPDATE holder SET address_changed_at = NULL",
	} {
		_, err := h.admin.Exec(t.Context(), statement)
		must(t, err)
	}
}

// begin proposes, approves and begins a campaign for every card.
func (h *house) begin(t testing.TB, pilot int) lifecycle.CampaignID {
	t.Helper()
	p := get[issuance.Proposed](t)(h.ProposeCampaign(t.Context(), operator, issuance.CampaignRequest{
		Why: "the master key retires", Pilot: pilot, Filter: issuance.Criteria{MasterKey: issuance.MasterKeyAC, Version: 1},
	}))
	shown := get[issuance.CampaignView](t)(h.Campaign(t.Context(), p.ID)).Hash()
	must(t, h.DecideCampaign(t.Context(), approver, p.ID, shown, true, ""))
	must(t, h.MoveCampaign(t.Context(), operator, p.ID, lifecycle.Pilot))
	return p.ID
}

func (h *house) awaitCampaign(t testing.TB, id lifecycle.CampaignID, state lifecycle.CampaignState) {
	t.Helper()
	h.await(t, "campaign "+string(state), "SELECT state = $2::campaign_state FROM campaign WHERE id = $1", id, state)
}

func TestACampaignKilledAtAnyStepOrdersEachCardOnce(t *testing.T) {
	t.Parallel()
	const n = 7
	for _, point := range []string{"LockWaitingCards", "InsertRenewedCards", "InsertBatchCards", "SetCampaignCards", "SetCampaignReached"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h := setup(t, sharedRealm(t))
			h.inUse(t, n)
			id := h.begin(t, 2)
			h.kill(t, point)
			h.timeout(t)
			h.work(t, h.tools(t))
			h.awaitCampaign(t, id, lifecycle.CampaignPiloted)
			must(t, h.MoveCampaign(t.Context(), operator, id, lifecycle.Go))
			h.awaitCampaign(t, id, lifecycle.CampaignCompleted)
			h.await(t, "every card at the bureau", "SELECT count(*) = $1 FROM card WHERE state = 'with_bureau'", n)
			var orders, approvals int
			must(t, h.admin.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM orders WHERE kind = 'renewal'), (SELECT count(*) FROM approval WHERE note = 'campaign ' || $1)", id).
				Scan(&orders, &approvals))
			if orders != n || approvals != n {
				t.Errorf("%d orders and %d approvals for %d cards", orders, approvals, n)
			}
		})
	}
}

// A campaign that is paused and resumed while its job waits has one job, not two.
func TestACampaignHasOneJobAtATime(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	h.inUse(t, 5)
	id := h.begin(t, 1)
	client := h.toil(t, h.tools(t))
	h.awaitCampaign(t, id, lifecycle.CampaignPiloted)
	must(t, client.Stop(t.Context()))
	must(t, h.MoveCampaign(t.Context(), operator, id, lifecycle.Go))
	for range 3 {
		must(t, h.MoveCampaign(t.Context(), operator, id, lifecycle.Pause))
		must(t, h.MoveCampaign(t.Context(), operator, id, lifecycle.Resume))
	}
	waiting := 0
	for _, j := range h.jobsOf(t, lifecycle.JobCampaign) {
		if j.State == "available" {
			waiting++
		}
	}
	if waiting != 1 {
		t.Errorf("%d jobs wait: %v", waiting, h.jobsOf(t, lifecycle.JobCampaign))
	}
	h.toil(t, h.tools(t))
	h.awaitCampaign(t, id, lifecycle.CampaignCompleted)
}

// A batch waits for a bureau with which nothing is agreed, rather than go to
// another one; each bureau's file is under its own key.
func TestABatchGoesToItsOwnBureauOrNowhere(t *testing.T) {
	t.Parallel()
	h := setup(t, sharedRealm(t))
	h.orders(t, "card", 1)
	batch := h.seal(t)
	tools := h.tools(t)
	agreed := tools.Bureaux["bureau-1"]
	tools.Bureaux = map[string]Bureau{"bureau-2": agreed}
	lone := h.toil(t, tools)
	h.await(t, "the job to wait", "SELECT EXISTS (SELECT FROM river_job WHERE kind = $1 AND state = 'scheduled' OR kind = $1 AND (metadata ->> 'snoozes')::int > 1)", lifecycle.JobPersonalise)
	must(t, lone.Stop(t.Context()))
	if _, err := h.Document(t.Context(), string(batch)); err == nil {
		t.Error("another bureau got the file")
	}
	h.toil(t, h.tools(t))
	h.awaitBatch(t, batch, lifecycle.BatchSent)
	if file, _ := h.bureauFile(t, batch); file.Bureau != "bureau-1" || fmt.Sprint(file.Urgency) != "standard" || file.Created.After(h.clock.now().Add(time.Second)) {
		t.Errorf("the file is %+v", file)
	}
}
