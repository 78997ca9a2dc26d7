package issuance_test

import (
	"testing"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func TestAProductIsWhatItWasOnTheDayOfTheOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	next := issuance.DefaultProducts()[0]
	next.Validity, next.CAPProfile, next.ValidFrom = 24, "securaccess-2", monday.AddDate(0, 1, 0)
	h.event(t, h.SetUpBank(t.Context(), system, issuance.Bank{Products: []issuance.Product{next}}))
	first := h.submitCard(t)
	h.clock.set(next.ValidFrom)
	second := h.submitCard(t)
	for order, want := range map[lifecycle.OrderID]struct{ profile, expiry string }{
		first: {"securaccess", "2029-03-31"}, second: {"securaccess-2", "2028-04-30"},
	} {
		h.approve(t, order)
		row := must[db.Card](t)(h.store.Card(t.Context(), h.order(t, order).Card.ID))
		if row.Profile != want.profile || row.Expiry.Format("2006-01-02") != want.expiry {
			t.Errorf("a card of profile %s to %s, want %+v", row.Profile, row.Expiry, want)
		}
	}
	// A batch is of one profile: two cards, two batches.
	for range 2 {
		batch := h.seal(t)
		plan := h.personalise(t, batch)
		if len(plan.Cards) != 1 || plan.Profile == "" {
			t.Errorf("a batch of %d cards for profile %q", len(plan.Cards), plan.Profile)
		}
	}
	before := must[int64](t)(h.store.CountAudit(t.Context()))
	h.event(t, h.SetUpBank(t.Context(), system, issuance.Bank{Products: []issuance.Product{next}}))
	later := next
	later.ValidFrom = monday.AddDate(0, 2, 0) // says nothing new
	h.event(t, h.SetUpBank(t.Context(), system, issuance.Bank{Products: []issuance.Product{later}}))
	if after := must[int64](t)(h.store.CountAudit(t.Context())); after != before {
		t.Errorf("the same product again left %d entries", after-before)
	}
	products := must[[]issuance.Product](t)(h.Products(t.Context()))
	if len(products) != 2 || products[1].Validity != 24 || products[0].Kind != lifecycle.BankCard {
		t.Errorf("the bank has %+v", products)
	}
}

func TestAProductThatCannotBeIsRefusedByField(t *testing.T) {
	t.Parallel()
	h := setup(t)
	made, registered := issuance.DefaultProducts()[0], issuance.DefaultProducts()[1]
	for _, test := range []struct {
		name, field string
		product     issuance.Product
		adapt       func(*issuance.Product)
	}{
		{"no code", "code", made, func(p *issuance.Product) { p.Code = "" }},
		{"a code with a slash", "code", made, func(p *issuance.Product) { p.Code = "a/b" }},
		{"no profile", "cap_profile", made, func(p *issuance.Product) { p.CAPProfile = "" }},
		{"a bitmap of letters", "ipb", made, func(p *issuance.Product) { p.IPB = "8000FF00000000GG" }},
		{"a PIN of three digits", "pin_length", made, func(p *issuance.Product) { p.PINLength = 3 }},
		{"sixteen tries", "pin_tries", made, func(p *issuance.Product) { p.PINTries = 16 }},
		{"a card for ever", "validity_months", made, func(p *issuance.Product) { p.Validity = 121 }},
		{"a PIN with the card", "pin_delay_days", made, func(p *issuance.Product) { p.PINDelay = -1 }},
		{"nobody makes it", "kind", made, func(p *issuance.Product) { p.Bureau, p.InHouse = "", false }},
		{"nowhere to go", "kind", made, func(p *issuance.Product) { p.Deliveries = nil }},
		{"by pigeon", "deliveries", made, func(p *issuance.Product) { p.Deliveries = []lifecycle.Delivery{"pigeon"} }},
		{"a bank card of a bureau", "kind", registered, func(p *issuance.Product) { p.Bureau = "bureau-1" }},
		{"no kind", "kind", made, func(p *issuance.Product) { p.Kind = "" }},
		{"another kind under a code", "kind", registered, func(p *issuance.Product) { p.Code = made.Code }},
	} {
		test.adapt(&test.product)
		wantField(t, unlist(h.SetUpBank(t.Context(), system, issuance.Bank{Products: []issuance.Product{test.product}})), test.field)
	}
	_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: h.holder(t), Product: "bank-card", Delivery: "home"})
	wantField(t, err, "delivery")
}
