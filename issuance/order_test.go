package issuance_test

import (
	"strings"
	"testing"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func (h *house) holder(t tb) lifecycle.HolderID {
	t.Helper()
	return must[db.Order](t)(h.store.Order(t.Context(), h.submitCard(t))).HolderID
}

func TestARequestThatCannotBeMetIsRefusedByField(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder, other := h.holder(t), h.holder(t)
	card := h.card(t, lifecycle.CardActive)
	newCard := issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: holder, Delivery: "home"}
	replacement := issuance.OrderRequest{Kind: lifecycle.OrderReplacementCard, TargetCard: card, Reason: "damaged", Delivery: "home"}
	for _, test := range []struct {
		name, field string
		request     issuance.OrderRequest
		adapt       func(*issuance.OrderRequest)
	}{
		{"no kind", "kind", newCard, func(r *issuance.OrderRequest) { r.Kind = "" }},
		{"an unknown kind", "kind", newCard, func(r *issuance.OrderRequest) { r.Kind = "badge" }},
		{"no delivery", "delivery", newCard, func(r *issuance.OrderRequest) { r.Delivery = "" }},
		{"a branch nobody knows", "branch", newCard, func(r *issuance.OrderRequest) { r.Delivery, r.BranchCode = "branch", "FR99" }},
		{"a formula for reference", "reference", newCard, func(r *issuance.OrderRequest) { r.Reference = "=1+1" }},
		{"no card to replace", "card", replacement, func(r *issuance.OrderRequest) { r.TargetCard = "" }},
		{"a path for a card", "card", replacement, func(r *issuance.OrderRequest) { r.TargetCard = "C-../../../../sys/s" }},
		{"another holder's card", "card", replacement, func(r *issuance.OrderRequest) { r.Holder = other }},
		{"no reason", "reason", replacement, func(r *issuance.OrderRequest) { r.Reason = "" }},
		{"a reason that replaces nothing", "reason", replacement, func(r *issuance.OrderRequest) { r.Reason = "death" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.adapt(&test.request)
			_, err := h.Submit(t.Context(), alix, test.request)
			wantField(t, err, test.field)
		})
	}
	t.Run("what is not there", func(t *testing.T) {
		t.Parallel()
		newCard.Holder, replacement.TargetCard = "H-0000000000000000", "C-0000000000000000"
		for _, r := range []issuance.OrderRequest{newCard, replacement} {
			_, err := h.Submit(t.Context(), alix, r)
			wantKind(t, err, lifecycle.NotFound)
		}
	})
}

func TestOnlyThoseWhoOrderMayOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	r := issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: h.holder(t), Delivery: "home"}
	for _, by := range []lifecycle.Actor{irene, owen, helene, online, system} {
		_, err := h.Submit(t.Context(), by, r)
		wantKind(t, err, lifecycle.Forbidden)
	}
}

func TestAFeeFollowsProductReasonAndDate(t *testing.T) {
	t.Parallel()
	h := setup(t)
	card := h.card(t, lifecycle.CardActive)
	holder := must[issuance.CardView](t)(h.Card(t.Context(), card)).Holder
	replace := func(reason lifecycle.CardReason) issuance.OrderRequest {
		return issuance.OrderRequest{
			Kind: lifecycle.OrderReplacementCard, TargetCard: h.card(t, lifecycle.CardActive), Reason: reason, Delivery: "home",
		}
	}
	other := func(r issuance.OrderRequest) issuance.OrderRequest {
		r.TargetCard, r.Delivery = h.card(t, lifecycle.CardActive), "home"
		return r
	}
	for _, test := range []struct {
		name    string
		request issuance.OrderRequest
		years   int // after monday
		cents   int64
	}{
		{"a new card", issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: holder, Delivery: "home"}, 0, 1500},
		{"a certificate", issuance.OrderRequest{Kind: lifecycle.OrderNewCertificate, Holder: holder}, 0, 9000},
		{"a reset", issuance.OrderRequest{Kind: lifecycle.OrderPINReset, Identity: passport, TargetCard: card}, 0, 500},
		{"a damaged card", replace("damaged"), 0, 1200},
		{"a change of name, of which the tariff says nothing", replace("name_change"), 0, 0},
		{"a renewal, of which the tariff says nothing", other(issuance.OrderRequest{Kind: lifecycle.OrderRenewal}), 0, 0},
		{"another PIN", other(issuance.OrderRequest{Kind: lifecycle.OrderPINReissue}), 0, 700},
		{"a damaged card by the next tariff", replace("damaged"), 1, 9900},
	} {
		h.clock.set(monday.AddDate(test.years, 0, 0))
		id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, test.request))
		if got := h.order(t, id); got.FeeCents != test.cents || got.Currency != "EUR" {
			t.Errorf("%s: %d cents of %s, want %d", test.name, got.FeeCents, got.Currency, test.cents)
		}
	}
}

func TestAReplacementStopsACardThatMayBeInWrongHands(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for reason, state := range map[lifecycle.CardReason]lifecycle.CardState{
		lifecycle.CardLost: lifecycle.CardOpposed, lifecycle.CardStolen: lifecycle.CardOpposed, lifecycle.CardFraud: lifecycle.CardOpposed,
		lifecycle.CardNotReceived: lifecycle.CardOpposed, lifecycle.CardDamaged: lifecycle.CardActive,
		lifecycle.CardPINBlocked: lifecycle.CardActive, lifecycle.CardNameChange: lifecycle.CardActive,
	} {
		card := h.card(t, lifecycle.CardActive)
		id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
			Kind: lifecycle.OrderReplacementCard, TargetCard: card, Reason: reason, Delivery: "home",
		}))
		old := must[issuance.CardView](t)(h.Card(t.Context(), card))
		if old.State != state || (old.Receipt != "") != (state == lifecycle.CardOpposed) {
			t.Errorf("replaced because %s: the card is %s with receipt %q, want %s", reason, old.State, old.Receipt, state)
		}
		if replacement := h.order(t, id).Card; replacement.Replaces != card {
			t.Errorf("the new card replaces %q", replacement.Replaces)
		}
	}
}

func TestAnEditIsJudgedAsTheRequestWas(t *testing.T) {
	t.Parallel()
	h := setup(t)
	plain := h.submitCard(t)
	certificate := h.submitCertificate(t)
	card := h.card(t, lifecycle.CardActive)
	replacement := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderReplacementCard, TargetCard: card, Reason: "damaged", Delivery: "home",
	}))
	edit := func(id lifecycle.OrderID, e issuance.OrderEdit) error { return h.Edit(t.Context(), alix, id, e) }
	wantField(t, edit(plain, issuance.OrderEdit{Revision: 1, Delivery: "pigeon"}), "delivery")
	wantField(t, edit(plain, issuance.OrderEdit{Revision: 1, Delivery: "branch", BranchCode: "FR99"}), "branch")
	wantKind(t, edit(plain, issuance.OrderEdit{Revision: 2, Delivery: "home"}), lifecycle.Conflict)
	wantKind(t, edit(certificate, issuance.OrderEdit{Revision: 1, Delivery: "home"}), lifecycle.Illegal)
	wantKind(t, h.Edit(t.Context(), irene, plain, issuance.OrderEdit{Revision: 1, Delivery: "home"}), lifecycle.Forbidden)
	// A reason that the tariff does not know would be free.
	wantField(t, edit(replacement, issuance.OrderEdit{Revision: 1, Delivery: "home", Reason: "because"}), "reason")
	h.wantCard(t, card, lifecycle.CardActive)
	if got := h.order(t, replacement); got.FeeCents != 1200 || got.Revision != 1 {
		t.Errorf("refused edits left a fee of %d in revision %d", got.FeeCents, got.Revision)
	}
	h.event(t, edit(replacement, issuance.OrderEdit{Revision: 1, Delivery: "home", Reason: "stolen"}))
	h.wantCard(t, card, lifecycle.CardOpposed)
	if got := h.order(t, replacement); got.FeeCents != 0 || got.Reason != "stolen" || got.Revision != 2 {
		t.Errorf("after the edit: reason %s, %d cents, revision %d", got.Reason, got.FeeCents, got.Revision)
	}
}

func TestAnOrderIsFollowedByItsReferenceAndShowsNoCardNumber(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(t, func(o *demodata.Order) { o.Reference = "AUB/7 é" })
	if got := must[lifecycle.OrderID](t)(h.OrderByReference(t.Context(), "AUB/7 é")); got != id {
		t.Errorf("the reference leads to %s, want %s", got, id)
	}
	_, err := h.OrderByReference(t.Context(), "AUB/8")
	wantKind(t, err, lifecycle.NotFound)
	_, err = h.Order(t.Context(), "O-1")
	wantKind(t, err, lifecycle.Invalid)
	order := h.order(t, id)
	number := h.number(t, order.Card.ID)
	if !lifecycle.Luhn(number) || len(number) != 16 || !strings.HasPrefix(number, h.Policy().IIN) || order.Card.Last4 != number[12:] {
		t.Errorf("a card number of %d digits, shown as %s", len(number), order.Card.Last4)
	}
	if want := "2029-03-31"; order.Card.Expiry.Format("2006-01-02") != want {
		t.Errorf("the card expires on %s, want %s: the last day of a month", order.Card.Expiry, want)
	}
}

func TestOrdersOfAStateComeInPages(t *testing.T) {
	t.Parallel()
	h := setup(t)
	first, second, third := h.submitCard(t), h.submitCard(t), h.submitCard(t)
	h.approve(t, second)
	submitted := must[[]lifecycle.OrderID](t)(h.OrdersInState(t.Context(), lifecycle.OrderSubmitted, ""))
	if len(submitted) != 2 {
		t.Fatalf("%d orders are submitted, want 2", len(submitted))
	}
	rest := must[[]lifecycle.OrderID](t)(h.OrdersInState(t.Context(), lifecycle.OrderSubmitted, submitted[0]))
	if len(rest) != 1 || rest[0] != submitted[1] || submitted[0]+submitted[1] != first+third && submitted[0]+submitted[1] != third+first {
		t.Errorf("pages %v and %v of %s, %s", submitted, rest, first, third)
	}
}
