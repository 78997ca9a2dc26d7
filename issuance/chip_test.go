package issuance_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// terminal is a branch terminal, by its API key.
var terminal = lifecycle.Actor{ID: "K-0000000000000001", Role: lifecycle.RoleRelyingService}

// inHouse is an order for a card that is made at a branch.
func (h *house) inHouse(t tb) issuance.OrderRequest {
	t.Helper()
	return issuance.OrderRequest{
		Kind: lifecycle.OrderNewCard, Holder: h.holder(t), Delivery: lifecycle.DeliverBranch, BranchCode: "FR01", InHouse: true,
	}
}

// approvedInHouse is such an order, approved, and its card.
func (h *house) approvedInHouse(t tb) (lifecycle.OrderID, lifecycle.CardID) {
	t.Helper()
	id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, h.inHouse(t)))
	h.approve(t, id)
	return id, h.order(t, id).Card.ID
}

// chip is what the engine makes for the nth chip.
func chip(n int) issuance.ChipData {
	return issuance.ChipData{Serial: fmt.Sprintf("%020X", n), Commands: [][]byte{{0x84, 0x82, 3, 0, 0}}, Keys: issuance.MasterKeyVersions{AC: 1, SMI: 1, SMC: 1}}
}

func (h *house) given(t tb, order lifecycle.OrderID, n int) issuance.ChipPlan {
	t.Helper()
	plan := must[issuance.ChipPlan](t)(h.PlanChip(t.Context(), terminal, order))
	h.event(t, h.GiveChip(t.Context(), terminal, plan, chip(n)))
	return plan
}

var firstCode = issuance.ChipProof{ATC: 1}

func TestACardIsMadeAtTheBranchAndItsPINFollowsByLetter(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order, card := h.approvedInHouse(t)
	h.wantCard(t, card, lifecycle.CardInHouse)
	if _, n, err := h.SealBatch(t.Context(), leonie); err != nil || n != 0 {
		t.Errorf("a bureau's batch takes %d cards, %v", n, err)
	}
	plan := h.given(t, order, 1)
	if plan.Card != card || plan.PINVersion != 1 || plan.PSN != 1 || plan.PAN.Reveal() != h.number(t, card) {
		t.Errorf("planned %+v", plan)
	}
	h.wantCard(t, card, lifecycle.CardWriting)
	h.wantOrder(t, order, lifecycle.OrderInProgress)
	wantKind(t, h.ChipMade(t.Context(), terminal, plan, issuance.ChipProof{}), lifecycle.Conflict) // a card counts from 1
	h.event(t, h.ChipMade(t.Context(), terminal, plan, firstCode))
	h.wantCard(t, card, lifecycle.CardAtBranch)
	row := must[db.Card](t)(h.store.Card(t.Context(), card))
	if row.LastATC != 1 || row.PlasticSerial == nil || *row.PlasticSerial != chip(1).Serial {
		t.Errorf("the card is %+v", row)
	}
	if h.under(t, issuance.MasterKeyAC, 1) != 1 {
		t.Error("nobody knows which master keys the card was made under")
	}
	letter := h.pinLetter(t, card)
	if due := time.Date(2026, 3, 4, 9, 30, 15, 0, time.UTC); letter.PostAfter.Before(due) || letter.State != lifecycle.LetterRequested {
		t.Errorf("its PIN letter may be posted at %s", letter.PostAfter)
	}
	h.printPINLetter(t, card)
	if posted := h.post(t); posted.PINLetters != 0 {
		t.Error("the PIN goes out on the day of its card")
	}
	h.event(t, h.collect(t.Context(), leonie, card))
	h.clock.advance(3 * 24 * time.Hour)
	if posted := h.post(t); posted.PINLetters != 1 {
		t.Errorf("posted %+v", posted)
	}
	h.wantOrder(t, order, lifecycle.OrderCompleted)
	h.event(t, h.Activate(t.Context(), online, card))
	if views := must[[]issuance.ChipView](t)(h.Chips(t.Context(), order)); len(views) != 1 || views[0].Result != "made" || views[0].Terminal != terminal.ID {
		t.Errorf("chips %+v", views)
	}
}

func TestATerminalThatDiedGoesOnWithTheSameChipOrGivesItUp(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order, card := h.approvedInHouse(t)
	plan := must[issuance.ChipPlan](t)(h.PlanChip(t.Context(), terminal, order))
	again := h.given(t, order, 1) // the first died before it had an answer
	if again.Attempt != plan.Attempt || again.Serial != "" {
		t.Errorf("planned %+v, then %+v", plan, again)
	}
	resumed := must[issuance.ChipPlan](t)(h.PlanChip(t.Context(), terminal, order))
	if resumed.Attempt != plan.Attempt || resumed.Serial != chip(1).Serial {
		t.Errorf("resumed %+v", resumed)
	}
	wantKind(t, h.GiveChip(t.Context(), terminal, resumed, chip(2)), lifecycle.Conflict)
	h.event(t, h.GiveChip(t.Context(), terminal, resumed, chip(1)))

	wantField(t, h.ChipSpoiled(t.Context(), terminal, order, ""), "reason")
	h.event(t, h.ChipSpoiled(t.Context(), terminal, order, "it answers nothing"))
	h.wantCard(t, card, lifecycle.CardInHouse)
	if got := h.queued(t, lifecycle.JobPINDestroy); len(got) != 1 || !strings.Contains(got[0], `"pin_version": 1`) {
		t.Errorf("PINs to destroy: %v", got)
	}
	wantKind(t, h.ChipMade(t.Context(), terminal, resumed, firstCode), lifecycle.Conflict) // it lives in spite of it all
	next := must[issuance.ChipPlan](t)(h.PlanChip(t.Context(), terminal, order))
	if next.Attempt == plan.Attempt || next.PSN != 2 || next.PINVersion != 2 || next.Serial != "" {
		t.Errorf("the next is %+v", next)
	}
	for serial, want := range map[int]error{1: lifecycle.Conflict, 2: nil} { // spoiled is spoiled
		if err := h.AdmitChip(t.Context(), next, chip(serial).Serial); !errors.Is(err, want) {
			t.Errorf("chip %d: %v", serial, err)
		}
	}
	if err := h.AdmitChip(t.Context(), resumed, chip(2).Serial); !errors.Is(err, lifecycle.Conflict) {
		t.Error(err)
	}
	wantKind(t, h.GiveChip(t.Context(), terminal, next, chip(1)), lifecycle.Conflict)
	wantKind(t, h.GiveChip(t.Context(), terminal, resumed, chip(1)), lifecycle.Conflict)
	if got := h.queued(t, lifecycle.JobPINDestroy); len(got) != 2 || !strings.Contains(got[1], `"pin_version": 1`) {
		t.Errorf("PINs to destroy: %v", got)
	}
	h.event(t, h.GiveChip(t.Context(), terminal, next, chip(2)))
	h.event(t, h.ChipMade(t.Context(), terminal, next, firstCode))
	wantKind(t, h.GiveChip(t.Context(), terminal, next, chip(2)), lifecycle.Illegal) // a second terminal, late
	if got := h.queued(t, lifecycle.JobPINDestroy); len(got) != 2 {
		t.Errorf("a live card's PIN is to be destroyed: %v", got)
	}
	views := must[[]issuance.ChipView](t)(h.Chips(t.Context(), order))
	if len(views) != 2 || views[0].Serial != chip(1).Serial || views[0].Result != "spoiled" || views[1].Result != "made" {
		t.Errorf("chips %+v", views)
	}
	other, _ := h.approvedInHouse(t)
	plan = must[issuance.ChipPlan](t)(h.PlanChip(t.Context(), terminal, other))
	for _, used := range []int{1, 2} {
		wantKind(t, h.GiveChip(t.Context(), terminal, plan, chip(used)), lifecycle.Conflict)
	}
}

func TestThreeSpoiledChipsEndTheOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order, card := h.approvedInHouse(t)
	wantKind(t, h.ChipSpoiled(t.Context(), terminal, order, "nothing was begun"), lifecycle.Illegal)
	for n := range 3 {
		plan := must[issuance.ChipPlan](t)(h.PlanChip(t.Context(), terminal, order))
		if n > 0 { // the first is given up before it has data
			h.event(t, h.GiveChip(t.Context(), terminal, plan, chip(n)))
		}
		h.event(t, h.ChipSpoiled(t.Context(), terminal, order, "cracked"))
	}
	h.wantOrder(t, order, lifecycle.OrderFailed)
	_, err := h.PlanChip(t.Context(), terminal, order)
	wantKind(t, err, lifecycle.Illegal)
	wantKind(t, h.Retry(t.Context(), leonie, order), lifecycle.Illegal)
	h.event(t, h.Cancel(t.Context(), irene, order, "the branch has bad chips"))
	h.wantCard(t, card, lifecycle.CardOpposed)
	if got := h.queued(t, lifecycle.JobPINDestroy); len(got) != 4 {
		t.Errorf("PINs to destroy: %v", got)
	}
}

func TestACardThatIsStoppedWhileItsChipIsWrittenNeverLives(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order, card := h.approvedInHouse(t)
	plan := must[issuance.ChipPlan](t)(h.PlanChip(t.Context(), terminal, order))
	h.oppose(t, card)
	wantKind(t, h.GiveChip(t.Context(), terminal, plan, chip(1)), lifecycle.Illegal)
	if got := h.queued(t, lifecycle.JobPINDestroy); len(got) != 2 { // of the opposition, and what the engine drew since
		t.Errorf("PINs to destroy: %v", got)
	}
	order, card = h.approvedInHouse(t)
	h.oppose(t, card) // before any terminal has begun
	h.wantOrder(t, order, lifecycle.OrderFailed)
	order, card = h.approvedInHouse(t)
	plan = h.given(t, order, 2)
	h.oppose(t, card)
	wantKind(t, h.ChipMade(t.Context(), terminal, plan, firstCode), lifecycle.Illegal)
	h.wantCard(t, card, lifecycle.CardOpposed)
	h.wantOrder(t, order, lifecycle.OrderFailed)
}

func TestWhichOrdersAreMadeAtABranch(t *testing.T) {
	t.Parallel()
	h := setup(t)
	r := h.inHouse(t)
	r.Delivery, r.BranchCode = lifecycle.DeliverHome, ""
	_, err := h.Submit(t.Context(), alix, r)
	wantField(t, err, "in_house")
	_, err = h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderNewCertificate, Holder: r.Holder, InHouse: true})
	wantField(t, err, "in_house")
	atBureau := h.submitCard(t)
	h.approve(t, atBureau)
	_, err = h.PlanChip(t.Context(), terminal, atBureau)
	wantKind(t, err, lifecycle.Illegal)
	waiting := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, h.inHouse(t)))
	_, err = h.PlanChip(t.Context(), terminal, waiting)
	wantKind(t, err, lifecycle.Illegal)
	if content := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), waiting)); !content.InHouse {
		t.Error("the approver is not shown that the card is made at the branch")
	}

	order, card := h.approvedInHouse(t)
	h.event(t, h.Edit(t.Context(), stijn, order, issuance.OrderEdit{Revision: 1, Delivery: lifecycle.DeliverHome}))
	h.approve(t, order)
	h.wantCard(t, card, lifecycle.CardApproved)
	order, card = h.approvedInHouse(t)
	h.event(t, h.Cancel(t.Context(), alix, order, "no use"))
	h.wantCard(t, card, lifecycle.CardCancelled)
	order, _ = h.approvedInHouse(t)
	_ = must[issuance.ChipPlan](t)(h.PlanChip(t.Context(), terminal, order))
	wantKind(t, h.Edit(t.Context(), stijn, order, issuance.OrderEdit{Revision: 1, Delivery: lifecycle.DeliverHome}), lifecycle.Illegal)

	bureauOnly := setupProduct(t, func(p *issuance.Product) { p.InHouse = false })
	_, err = bureauOnly.Submit(t.Context(), alix, bureauOnly.inHouse(t))
	wantField(t, err, "in_house")
	branchOnly := setupProduct(t, func(p *issuance.Product) { p.Bureau = "" })
	order = branchOnly.submit(t, func(o *demodata.Order) { o.Delivery = "branch" })
	branchOnly.approve(t, order)
	branchOnly.wantCard(t, branchOnly.order(t, order).Card.ID, lifecycle.CardInHouse)
}
