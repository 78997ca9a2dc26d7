package issuance_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func TestAHolderActsOnTheirOwnAndNobodyElsesThings(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 1)
	stranger := lifecycle.Actor{ID: string(h.holder(t)), Role: lifecycle.RoleHolder}
	for _, m := range h.moves() {
		if _, err := lifecycle.Cards.Next(m.from, m.on, lifecycle.RoleHolder); err != nil || m.on == lifecycle.Resume { // of a suspension of their own
			continue
		}
		id := h.card(t, m.from)
		wantKind(t, m.do(t.Context(), stranger, id), lifecycle.Forbidden)
		h.wantCard(t, id, m.from)
		h.event(t, m.do(t.Context(), helene, id))
	}
	stolen := h.card(t, lifecycle.CardOpposed)
	if got, err := h.Oppose(t.Context(), stranger, stolen, lifecycle.CardLost); err == nil {
		t.Errorf("a stranger is told receipt %s", got.Receipt)
	}
	waiting := h.certificate(t, lifecycle.CertAwaitingKey)
	wantKind(t, h.TakeKey(t.Context(), stranger, waiting, newKey(t)), lifecycle.Forbidden)
	issued := h.certificate(t, lifecycle.CertIssued)
	wantKind(t, h.Accept(t.Context(), stranger, issued), lifecycle.Forbidden)
	h.event(t, h.Accept(t.Context(), helene, issued))
	wantKind(t, h.Hold(t.Context(), stranger, issued), lifecycle.Forbidden)
}

func TestOfADeathTheBankDecides(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, reason := range lifecycle.OppositionReasons() {
		id := h.card(t, lifecycle.CardActive)
		_, err := h.Oppose(t.Context(), helene, id, reason)
		if reason == lifecycle.CardDeath || reason == lifecycle.CardEndOfService {
			wantKind(t, err, lifecycle.Forbidden)
			_, err = h.Oppose(t.Context(), alix, id, reason)
		}
		h.event(t, err)
		h.wantCard(t, id, lifecycle.CardOpposed)
	}
}

func TestAHolderLiftsTheirOwnSuspensionAndNotTheBanks(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, test := range []struct {
		name   string
		by     []lifecycle.Actor // suspend, one after the other
		lifts  lifecycle.Actor
		lifted bool
	}{
		{"the holder their own", []lifecycle.Actor{helene}, helene, true},
		{"online banking the holder's", []lifecycle.Actor{helene}, online, true},
		{"the holder online banking's", []lifecycle.Actor{online}, helene, false},
		{"the holder the bank's", []lifecycle.Actor{leonie}, helene, false},
		{"the holder their own that the bank made its own", []lifecycle.Actor{helene, leonie}, helene, false},
		{"online banking the bank's", []lifecycle.Actor{maxence}, online, false},
		{"online banking the bank's, having suspended too", []lifecycle.Actor{maxence, online}, online, false},
		{"the bank its own", []lifecycle.Actor{leonie}, alix, true},
		{"the bank the holder's", []lifecycle.Actor{helene}, alix, true},
	} {
		id := h.card(t, lifecycle.CardActive)
		for _, by := range test.by {
			h.event(t, h.Suspend(t.Context(), by, id))
			h.wantCard(t, id, lifecycle.CardSuspended)
		}
		err := h.Resume(t.Context(), test.lifts, id)
		if !test.lifted {
			wantKind(t, err, lifecycle.Forbidden)
			h.wantCard(t, id, lifecycle.CardSuspended)
			h.event(t, h.Resume(t.Context(), leonie, id))
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		h.event(t, h.Suspend(t.Context(), helene, id)) // nothing is remembered of the last time
		h.event(t, h.Resume(t.Context(), helene, id))
	}
}

func TestACardIsCollectedWithADocumentWhoseNumberIsNotKept(t *testing.T) {
	t.Parallel()
	h := setup(t)
	at := func(reader bool) lifecycle.CardID {
		t.Helper()
		order := h.submit(t, func(o *demodata.Order) { o.Delivery = "branch" })
		if reader {
			h.event(t, h.Edit(t.Context(), stijn, order, issuance.OrderEdit{Revision: 1, Delivery: "branch", BranchCode: "FR01", WithReader: true}))
		}
		h.approve(t, order)
		id := h.order(t, order).Card.ID
		h.walk(t, id, lifecycle.CardAtBranch)
		return id
	}
	id := at(true)
	wantKind(t, h.Receive(t.Context(), leonie, id), lifecycle.Illegal) // without a document
	for field, shown := range map[string]issuance.Identity{
		"document": {Document: "library_card", Number: "1"}, "number": {Document: "passport"},
	} {
		wantField(t, unlist(h.Collect(t.Context(), leonie, id, shown)), field)
	}
	const number = "12AB34567"
	h.event(t, h.Collect(t.Context(), leonie, id, issuance.Identity{Document: "passport", Number: "12ab 34567"}))
	h.wantCard(t, id, lifecycle.CardReceived)
	detail := h.lastDetail(t, id)
	if detail["document"] != "passport" || len(detail["number_mark"]) != 64 || detail["reader"] != "reader-cap" {
		t.Errorf("the trail says %v", detail)
	}
	if strings.Contains(strings.ToUpper(h.everything(t)), number) {
		t.Error("the number of the document is in the database")
	}
	again := at(false)
	h.event(t, h.Collect(t.Context(), alix, again, issuance.Identity{Document: "passport", Number: number}))
	if other := h.lastDetail(t, again); other["number_mark"] != detail["number_mark"] || other["reader"] != "" {
		t.Errorf("the same passport for another card: %v, first %v", other, detail)
	}
}

func TestAReaderIsPostedWithTheCard(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order := h.submitCard(t)
	h.event(t, h.Edit(t.Context(), stijn, order, issuance.OrderEdit{Revision: 1, Delivery: "home", WithReader: true}))
	if got := h.order(t, order); !got.WithReader || got.ReaderFeeCents != 2500 {
		t.Errorf("the order is %+v", got.OrderContent)
	}
	h.approve(t, order)
	id := h.order(t, order).Card.ID
	h.walk(t, id, lifecycle.CardPosted)
	if detail := h.lastDetail(t, id); detail["reader"] != "reader-cap" {
		t.Errorf("posted with %v", detail)
	}
	plain := h.card(t, lifecycle.CardPosted)
	if detail := h.lastDetail(t, plain); detail["reader"] != "" {
		t.Errorf("a card alone was posted with %v", detail)
	}
}

// lastDetail is what the last entry about a card says.
func (h *house) lastDetail(t tb, id lifecycle.CardID) map[string]string {
	t.Helper()
	entries := must[[]db.AuditEntry](t)(h.AuditOf(context.WithoutCancel(t.Context()), string(id)))
	detail := map[string]string{}
	if err := json.Unmarshal(entries[len(entries)-1].Detail, &detail); err != nil {
		t.Fatal(err)
	}
	return detail
}
