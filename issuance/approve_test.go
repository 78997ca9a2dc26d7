package issuance_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func TestWhoAskedDecidesNothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(t, func(o *demodata.Order) { o.RequestedBy = come.ID })
	wantKind(t, h.Approve(t.Context(), comeToo, id, h.shown(t, id)), lifecycle.Forbidden)
	wantKind(t, h.Refuse(t.Context(), comeToo, id, h.shown(t, id), "mine"), lifecycle.Forbidden)
	h.wantOrder(t, id, lifecycle.OrderSubmitted)
	h.approve(t, id)
	h.wantOrder(t, id, lifecycle.OrderApproved)
}

func TestOnlyApproversDecide(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, by := range everyone {
		id := h.submitCard(t)
		err := h.Approve(t.Context(), by, id, h.shown(t, id))
		if by.Role == lifecycle.RoleApprover {
			if err != nil {
				t.Errorf("%s: %v", by, err)
			}
			continue
		}
		wantKind(t, err, lifecycle.Forbidden)
		h.wantOrder(t, id, lifecycle.OrderSubmitted)
	}
}

func TestWhatWasNotShownIsNotApproved(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for name, change := range map[string]func(t *testing.T, id lifecycle.OrderID) [32]byte{
		"nothing was shown": func(*testing.T, lifecycle.OrderID) [32]byte { return [32]byte{} },
		"another order": func(t *testing.T, _ lifecycle.OrderID) [32]byte {
			t.Helper()
			return h.shown(t, h.submitCard(t))
		},
		"edited since": func(t *testing.T, id lifecycle.OrderID) [32]byte {
			t.Helper()
			shown := h.shown(t, id)
			h.event(t, h.Edit(t.Context(), alix, id, issuance.OrderEdit{Revision: 1, Delivery: "branch", BranchCode: "BE02"}))
			return shown
		},
		"edited to the same since": func(t *testing.T, id lifecycle.OrderID) [32]byte {
			t.Helper()
			shown := h.shown(t, id)
			h.event(t, h.Edit(t.Context(), alix, id, issuance.OrderEdit{Revision: 1, Delivery: "home"}))
			return shown
		},
		"the holder has moved since": func(t *testing.T, id lifecycle.OrderID) [32]byte {
			t.Helper()
			shown := h.shown(t, id)
			order := must[db.Order](t)(h.store.Order(t.Context(), id))
			h.event(t, h.store.UpdateHolderAddress(t.Context(), db.UpdateHolderAddressParams{
				Street: "2 rue du Moulin", Postcode: "44000", City: "Nantes", Country: "FR", UpdatedAt: monday, ID: order.HolderID,
			}))
			return shown
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := h.submitCard(t)
			shown := change(t, id)
			wantKind(t, h.Approve(t.Context(), irene, id, shown), lifecycle.Conflict)
			wantKind(t, h.Refuse(t.Context(), irene, id, shown, "no"), lifecycle.Conflict)
			h.wantOrder(t, id, lifecycle.OrderSubmitted)
		})
	}
}

func TestAnEditVoidsAnApproval(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submitCard(t)
	card := h.order(t, id).Card.ID
	shown := h.shown(t, id)
	h.approve(t, id)
	h.event(t, h.Edit(t.Context(), come, id, issuance.OrderEdit{Revision: 1, Delivery: "branch", BranchCode: "BE02"}))
	h.wantOrder(t, id, lifecycle.OrderSubmitted)
	h.wantCard(t, card, lifecycle.CardOrdered)
	if batch, n, err := h.SealBatch(t.Context(), leonie); err != nil || n != 0 {
		t.Errorf("a card whose approval is void went into batch %s: %v", batch, err)
	}
	wantKind(t, h.Approve(t.Context(), irene, id, shown), lifecycle.Conflict)
	wantKind(t, h.Approve(t.Context(), comeToo, id, h.shown(t, id)), lifecycle.Forbidden) // come edited it last
	h.approve(t, id)
	row := must[db.Card](t)(h.store.Card(t.Context(), card))
	if row.Delivery != lifecycle.DeliverBranch || row.BranchID == nil {
		t.Errorf("the card goes %s, to branch %v", row.Delivery, row.BranchID)
	}
	approvals := must[[]db.Approval](t)(h.store.Approvals(t.Context(), id))
	if len(approvals) != 2 || approvals[0].Revision != 1 || approvals[1].Revision != 2 || approvals[1].RequestedBy != come.ID {
		t.Errorf("approvals %+v, want one of each revision", approvals)
	}
}

func TestOneOfManyApproversWins(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submitCard(t)
	shown := h.shown(t, id)
	const many = 64
	errs := make([]error, many)
	start := make(chan struct{})
	var race sync.WaitGroup
	for i := range many {
		by := []lifecycle.Actor{irene, daan, comeToo}[i%3]
		race.Go(func() {
			<-start
			if i%8 == 7 {
				errs[i] = h.Refuse(t.Context(), by, id, shown, "too late")
			} else {
				errs[i] = h.Approve(t.Context(), by, id, shown)
			}
		})
	}
	close(start)
	race.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantKind(t, err, lifecycle.Conflict)
		}
	}
	approvals := must[[]db.Approval](t)(h.store.Approvals(t.Context(), id))
	if won != 1 || len(approvals) != 1 {
		t.Errorf("%d won and %d decisions are kept, want 1 and 1", won, len(approvals))
	}
}

func TestAnApprovalNeverCoversAnEditThatItRaces(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for range 20 {
		id := h.submitCard(t)
		shown := h.shown(t, id)
		var approved, edited error
		var race sync.WaitGroup
		race.Go(func() { approved = h.Approve(t.Context(), irene, id, shown) })
		race.Go(func() {
			edited = h.Edit(t.Context(), alix, id, issuance.OrderEdit{Revision: 1, Delivery: "branch", BranchCode: "BE02"})
		})
		race.Wait()
		if edited != nil {
			t.Fatalf("the edit: %v", edited)
		}
		if approved != nil {
			wantKind(t, approved, lifecycle.Conflict)
		}
		h.wantOrder(t, id, lifecycle.OrderSubmitted) // whoever came first: the edit has to be approved
	}
}

func TestARefusalNeedsANoteAndEndsTheOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	for _, product := range []string{"card", "certificate"} {
		t.Run(product, func(t *testing.T) {
			t.Parallel()
			id := h.submit(t, func(o *demodata.Order) {
				if o.Product = product; product == "certificate" {
					o.Delivery = "-"
				}
			})
			wantField(t, h.Refuse(t.Context(), irene, id, h.shown(t, id), ""), "note")
			wantField(t, h.Refuse(t.Context(), irene, id, h.shown(t, id), strings.Repeat("x", 501)), "note")
			h.event(t, h.Refuse(t.Context(), irene, id, h.shown(t, id), "nobody knows this person"))
			order := h.order(t, id)
			if order.State != lifecycle.OrderRefused {
				t.Errorf("order is %s", order.State)
			}
			if order.Card != nil && order.Card.State != lifecycle.CardCancelled ||
				order.Certificate != nil && order.Certificate.State != lifecycle.CertCancelled {
				t.Errorf("card %+v, certificate %+v, want it cancelled", order.Card, order.Certificate)
			}
			approvals := must[[]db.Approval](t)(h.store.Approvals(t.Context(), id))
			if len(approvals) != 1 || approvals[0].Decision != "refused" || approvals[0].Note != "nobody knows this person" {
				t.Errorf("decisions %+v", approvals)
			}
			wantKind(t, h.Approve(t.Context(), daan, id, h.shown(t, id)), lifecycle.Conflict)
			wantKind(t, h.Cancel(t.Context(), alix, id, "not needed"), lifecycle.Illegal)
		})
	}
}

func TestAnOrderIsCancelledUntilItIsUnderWay(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, by := range everyone {
		id := h.submitCard(t)
		err := h.Cancel(t.Context(), by, id, "not needed")
		if slices.Contains([]lifecycle.Role{lifecycle.RoleAccountManager, lifecycle.RoleOperator, lifecycle.RoleSecurityOfficer}, by.Role) {
			if err != nil {
				t.Errorf("%s: %v", by, err)
			}
			h.wantOrder(t, id, lifecycle.OrderCancelled)
			continue
		}
		wantKind(t, err, lifecycle.Forbidden)
		h.event(t, h.Cancel(t.Context(), alix, id, "not needed"))
	}
	approved := h.submitCard(t)
	h.approve(t, approved)
	h.event(t, h.Cancel(t.Context(), alix, approved, "not needed"))
	h.wantCard(t, h.order(t, approved).Card.ID, lifecycle.CardCancelled)
	certificate := h.submitCertificate(t)
	h.event(t, h.Cancel(t.Context(), alix, certificate, "not needed"))
	h.wantCertificate(t, h.order(t, certificate).Certificate.ID, lifecycle.CertCancelled)
	underWay := h.submitCard(t)
	h.approve(t, underWay)
	h.seal(t)
	wantKind(t, h.Cancel(t.Context(), alix, underWay, "not needed"), lifecycle.Illegal)
	wantKind(t, h.Edit(t.Context(), alix, underWay, issuance.OrderEdit{Revision: 1, Delivery: "home"}), lifecycle.Illegal)
	wantKind(t, h.Cancel(t.Context(), alix, "O-0000000000000000", "not needed"), lifecycle.NotFound)
}

func TestABulkApprovalAnswersRowByRow(t *testing.T) {
	t.Parallel()
	h := setup(t)
	right, mine := h.submitCard(t), h.submit(t, func(o *demodata.Order) { o.RequestedBy = come.ID })
	stale := h.submitCard(t)
	shown := map[lifecycle.OrderID][32]byte{right: h.shown(t, right), mine: h.shown(t, mine), stale: h.shown(t, right)}
	want := map[lifecycle.OrderID]error{right: nil, mine: lifecycle.Forbidden, stale: lifecycle.Conflict}
	results := h.ApproveMany(t.Context(), comeToo, shown)
	if len(results) != len(want) {
		t.Fatalf("%d answers for %d orders", len(results), len(want))
	}
	for _, r := range results {
		if kind := want[r.Order]; kind == nil && r.Err != nil || !errors.Is(r.Err, kind) {
			t.Errorf("order %s: %v, want %v", r.Order, r.Err, kind)
		}
	}
}
