package issuance_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

// bankCard is the nth card of the bank's card system.
func bankCard(n int) *issuance.RegisteredCard {
	body := fmt.Sprintf("97%013d", n)
	pan, _ := lifecycle.NewPAN(body + string(lifecycle.LuhnDigit(body))) // right by construction
	return &issuance.RegisteredCard{PAN: pan, PSN: 1, Expiry: monday.AddDate(2, 0, 0)}
}

func (h *house) register(t tb, holder lifecycle.HolderID, c *issuance.RegisteredCard) (lifecycle.OrderID, error) {
	t.Helper()
	return h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderRegistration, Holder: holder, Product: "bank-card", Registers: c})
}

func TestABankCardIsRegisteredAndNeitherMadeNorSent(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.holder(t)
	order := must[lifecycle.OrderID](t)(h.register(t, holder, bankCard(7)))
	view := h.order(t, order)
	if view.Card.State != lifecycle.CardOrdered || view.FeeCents != 200 || view.Registers != view.Card.Last4+"/01 2028-03" {
		t.Errorf("the approver is shown %+v of card %+v", view.OrderContent, view.Card)
	}
	if h.number(t, view.Card.ID) != bankCard(7).PAN.Reveal() {
		t.Error("another number was kept")
	}
	wantKind(t, h.Activate(t.Context(), online, view.Card.ID), lifecycle.Illegal) // nobody approved
	h.approve(t, order)
	h.wantOrder(t, order, lifecycle.OrderCompleted)
	h.wantCard(t, view.Card.ID, lifecycle.CardReceived)
	if _, n, err := h.SealBatch(t.Context(), leonie); err != nil || n != 0 {
		t.Errorf("a bank card went into a batch: %d, %v", n, err)
	}
	h.event(t, h.Activate(t.Context(), online, view.Card.ID))
	h.wantCard(t, view.Card.ID, lifecycle.CardActive)
	_, err := h.register(t, holder, bankCard(7))
	wantKind(t, err, lifecycle.Conflict)
	next := bankCard(7)
	next.PSN, next.Expiry = 2, monday.AddDate(5, 0, 0) // its renewal, as the card system made it
	renewed := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderRegistration, TargetCard: view.Card.ID, Registers: next,
	}))
	h.approve(t, renewed)
	h.event(t, h.Activate(t.Context(), online, h.order(t, renewed).Card.ID))
	if row := must[db.Card](t)(h.store.Card(t.Context(), view.Card.ID)); row.UsableUntil == nil {
		t.Error("the old bank card lives for ever")
	}
	_, err = h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderReplacementCard, TargetCard: h.order(t, renewed).Card.ID, Reason: lifecycle.CardDamaged, Delivery: "home",
	})
	wantField(t, err, "delivery") // nobody here makes one
}

func TestARegistrationThatCannotBeIsRefusedByFieldWithoutTheNumber(t *testing.T) {
	t.Parallel()
	h := setup(t)
	holder := h.holder(t)
	for _, test := range []struct {
		name, field string
		adapt       func(*issuance.OrderRequest)
	}{
		{"no card", "pan", func(r *issuance.OrderRequest) { r.Registers = nil }},
		{"no number", "pan", func(r *issuance.OrderRequest) { r.Registers.PAN = lifecycle.PAN{} }},
		{"sequence 0", "psn", func(r *issuance.OrderRequest) { r.Registers.PSN = 0 }},
		{"sequence 100", "psn", func(r *issuance.OrderRequest) { r.Registers.PSN = 100 }},
		{"a card that has expired", "expiry", func(r *issuance.OrderRequest) { r.Registers.Expiry = monday.AddDate(0, -1, 0) }},
		{"a card for ever", "expiry", func(r *issuance.OrderRequest) { r.Registers.Expiry = monday.AddDate(11, 0, 0) }},
		{"the product of this house", "card_product", func(r *issuance.OrderRequest) { r.Product = "securaccess" }},
		{"a product that is none", "card_product", func(r *issuance.OrderRequest) { r.Product = "badge" }},
		{"a new card of numbers", "pan", func(r *issuance.OrderRequest) { r.Kind = lifecycle.OrderNewCard }},
	} {
		r := issuance.OrderRequest{Kind: lifecycle.OrderRegistration, Holder: holder, Product: "bank-card", Registers: bankCard(3)}
		test.adapt(&r)
		_, err := h.Submit(t.Context(), alix, r)
		wantField(t, unlist(err), test.field)
		if err != nil && strings.Contains(err.Error(), bankCard(3).PAN.Reveal()) {
			t.Errorf("%s: the error has the number", test.name)
		}
	}
}

// unlist is the first of several wrong fields.
func unlist(err error) error {
	var all lifecycle.FieldErrors
	all.Merge(err)
	if len(all) == 0 {
		return err
	}
	return all[0]
}

func TestAnOrderFileHasOptionalColumns(t *testing.T) {
	t.Parallel()
	h := setup(t)
	plain, bank, reader, wrong := sample(901), sample(902), sample(903), sample(904)
	bank.Product, bank.Delivery, wrong.Product, wrong.Delivery = "bank_card", "-", "bank_card", "-"
	reader.Delivery = "branch"
	number := bankCard(9).PAN.Reveal()
	lines := []string{strings.Join(append(demodata.Header(), "reader", "pan", "psn", "expiry", "card_product", "in_house"), ";")}
	for _, l := range []struct {
		order demodata.Order
		more  []string
	}{
		{plain, []string{"", "", "", "", "", ""}},
		{bank, []string{"no", number, "1", "2028-11", "bank-card", "no"}},
		{reader, []string{"yes", "", "", "", "securaccess", "yes"}},
		{wrong, []string{"perhaps", number[:15] + "x", "0", "11/28", "bank-card", "maybe"}},
	} {
		lines = append(lines, strings.Join(append(columns(l.order), l.more...), ";"))
	}
	report := h.take1(t, strings.Join(lines, "\n")+"\n")
	if report.Kept != 3 || report.Cards != 2 || report.Registered != 1 || report.Refused != 1 {
		t.Errorf("report %+v", report)
	}
	if want := []string{"5 reader", "5 in_house", "5 pan", "5 psn", "5 expiry"}; !slices.Equal(wrongs(report), want) {
		t.Errorf("wrong %q, want %q", wrongs(report), want)
	}
	if strings.Contains(fmt.Sprint(report), number[:15]) {
		t.Error("the report has a card number")
	}
	with := h.order(t, must[lifecycle.OrderID](t)(h.OrderByReference(t.Context(), reader.Reference)))
	if !with.WithReader || !with.InHouse || with.ReaderFeeCents != 2500 || with.FeeCents != 1500 {
		t.Errorf("a card with its reader: %+v", with.OrderContent)
	}
	for _, header := range []string{"reader;reader", "colour", "card_product;;"} {
		_, err := h.ImportOrders(t.Context(), stijn, strings.NewReader(strings.Join(demodata.Header(), ";")+";"+header+"\n"), nil)
		wantField(t, err, "file")
	}
}

func TestAnApproverIsToldOfASecondCardAndOfAMove(t *testing.T) {
	t.Parallel()
	h := setup(t)
	first := h.submitCard(t)
	holder := h.order(t, first).Card.Holder
	flags := func(after time.Duration) []issuance.Flag {
		t.Helper()
		h.clock.set(monday.Add(after))
		id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: holder, Delivery: "home"}))
		shown := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), id))
		bare := shown
		bare.Flags = nil
		if len(shown.Flags) > 0 && shown.Hash() == bare.Hash() {
			t.Error("an approval does not cover the flags")
		}
		h.event(t, h.Cancel(t.Context(), alix, id, "only asked"))
		return shown.Flags
	}
	day := 24 * time.Hour
	if got := h.order(t, first).Flags; len(got) > 0 {
		t.Errorf("a first card raises %v", got)
	}
	if got := flags(89 * day); !slices.Equal(got, []issuance.Flag{issuance.SecondCard}) {
		t.Errorf("a second card within 90 days raises %v", got)
	}
	if got := flags(91 * day); len(got) > 0 { // the one between was cancelled
		t.Errorf("a card after 91 days raises %v", got)
	}
	waiting := h.shown(t, first)
	err := h.move(t, alix, holder, issuance.Address{Street: strings.Repeat("x", 60), Postcode: "35000", City: "Rennes", Country: "FR"})
	wantField(t, unlist(err), "street")
	wantKind(t, h.move(t, owen, holder, issuance.Address{}), lifecycle.Forbidden)
	h.event(t, h.move(t, alix, holder, issuance.Address{Street: "2 rue du Bois", Postcode: "35000", City: "Rennes", Country: "FR"}))
	wantKind(t, h.Approve(t.Context(), irene, first, waiting), lifecycle.Conflict) // it goes elsewhere now
	if got := flags(120 * day); !slices.Equal(got, []issuance.Flag{issuance.AddressChanged}) {
		t.Errorf("a card 29 days after a move raises %v", got)
	}
	if got := flags(122 * day); len(got) > 0 {
		t.Errorf("a card 31 days after a move raises %v", got)
	}
}

func TestAWaiverIsApprovedWithItsOrderAndFeesGoToAccounting(t *testing.T) {
	t.Parallel()
	h := setup(t)
	_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderReplacementCard, TargetCard: h.card(t, lifecycle.CardActive), Reason: lifecycle.CardLost, Delivery: "home", Waiver: "why not",
	})
	wantField(t, err, "waiver") // lost is free in this tariff
	complete := func(r issuance.OrderRequest) lifecycle.OrderID {
		t.Helper()
		id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, r))
		content := must[issuance.OrderContent](t)(h.ShowOrder(t.Context(), id))
		full := content
		full.Waiver = ""
		if r.Waiver != "" {
			wantKind(t, h.Approve(t.Context(), irene, id, full.Hash()), lifecycle.Conflict)
		}
		h.approve(t, id)
		card := content.ID
		h.walk(t, h.order(t, card).Card.ID, lifecycle.CardPosted)
		h.printPINLetter(t, h.order(t, id).Card.ID)
		h.clock.advance(7 * 24 * time.Hour)
		h.post(t)
		h.wantOrder(t, id, lifecycle.OrderCompleted)
		return id
	}
	h.printAll(t) // the first card's order is done before
	h.clock.advance(7 * 24 * time.Hour)
	h.post(t)
	h.clock.advance(time.Second)
	from := h.clock.now()
	charged := complete(issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: h.holder(t), Delivery: "home", WithReader: true, Reference: "R-1"})
	waived := complete(issuance.OrderRequest{Kind: lifecycle.OrderNewCard, Holder: h.holder(t), Delivery: "home", Waiver: "=2+5 a good customer"})
	refused := h.submitCard(t)
	h.event(t, h.Refuse(t.Context(), irene, refused, h.shown(t, refused), "no"))
	to := h.clock.now().Add(time.Second)
	var out bytes.Buffer
	if n := must[int](t)(h.ExportFees(t.Context(), from, to, &out)); n != 3 {
		t.Errorf("%d lines", n)
	}
	reader := csv.NewReader(bytes.NewReader(out.Bytes()))
	reader.Comma = ';'
	rows := must[[][]string](t)(reader.ReadAll())
	var got []string
	for _, r := range rows[1:] {
		got = append(got, strings.Join([]string{r[1], r[3], r[5], r[9], r[10], r[12]}, " "))
	}
	want := []string{
		fmt.Sprintf("%s securaccess R-1 1500 1500 ", charged), fmt.Sprintf("%s reader R-1 2500 2500 ", charged),
		fmt.Sprintf("%s securaccess  1500 0 '=2+5 a good customer", waived),
	}
	if !slices.Equal(got, want) {
		t.Errorf("exported\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := must[int](t)(h.ExportFees(t.Context(), to, to.Add(time.Hour), &out)); n != 0 {
		t.Errorf("%d lines of the next hour", n)
	}
	_, err = h.ExportFees(t.Context(), to, from, &out)
	wantField(t, err, "to")
}

func TestACardIsReplacedByOneAtATime(t *testing.T) {
	t.Parallel()
	h := setup(t)
	old := h.card(t, lifecycle.CardActive)
	renew := issuance.OrderRequest{Kind: lifecycle.OrderRenewal, TargetCard: old, Delivery: "home"}
	var orders sync.Map
	var race sync.WaitGroup
	for range 6 {
		race.Go(func() {
			id, err := h.Submit(t.Context(), alix, renew)
			if err != nil {
				wantKind(t, err, lifecycle.Conflict)
				return
			}
			orders.Store(id, true)
		})
	}
	race.Wait()
	var all []lifecycle.OrderID
	orders.Range(func(id, _ any) bool { all = append(all, id.(lifecycle.OrderID)); return true })
	if len(all) != 1 {
		t.Fatalf("%d renewals of one card", len(all))
	}
	h.event(t, h.Cancel(t.Context(), alix, all[0], "a mistake"))
	second := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, renew))
	h.approve(t, second)
	next := h.order(t, second).Card.ID
	h.walk(t, next, lifecycle.CardPosted)
	// Lost in the post: another takes its place, and the oldest one's days are counted.
	third := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{
		Kind: lifecycle.OrderReplacementCard, TargetCard: next, Reason: lifecycle.CardNotReceived, Delivery: "home",
	}))
	h.wantCard(t, next, lifecycle.CardOpposed)
	_, err := h.Submit(t.Context(), alix, renew)
	wantKind(t, err, lifecycle.Conflict)
	h.approve(t, third)
	h.walk(t, h.order(t, third).Card.ID, lifecycle.CardActive)
	if row := must[db.Card](t)(h.store.Card(t.Context(), old)); row.UsableUntil == nil {
		t.Error("the first card and the third are both in use for ever")
	}
}

func TestAnotherPINIsAnotherCard(t *testing.T) {
	t.Parallel()
	h := setup(t)
	received, active := h.card(t, lifecycle.CardReceived), h.card(t, lifecycle.CardActive)
	for card, was := range map[lifecycle.CardID]lifecycle.CardState{received: lifecycle.CardOpposed, active: lifecycle.CardActive} {
		id := must[lifecycle.OrderID](t)(h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderPINReissue, TargetCard: card, Delivery: "home"}))
		view := h.order(t, id)
		if view.Reason != string(lifecycle.CardPINForgotten) || view.FeeCents != 700 || view.Card.Replaces != card || view.Card.ID == card {
			t.Errorf("a re-issue is %+v with card %+v", view.OrderContent, view.Card)
		}
		h.wantCard(t, card, was) // one that nobody used is worthless, one in use works on
		h.approve(t, id)
	}
	_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: lifecycle.OrderPINReissue, TargetCard: h.card(t, lifecycle.CardOrdered), Delivery: "home"})
	wantKind(t, err, lifecycle.Illegal)
	stolen := h.card(t, lifecycle.CardOpposed)
	for _, kind := range []lifecycle.OrderKind{lifecycle.OrderPINReissue, lifecycle.OrderRenewal} {
		_, err := h.Submit(t.Context(), alix, issuance.OrderRequest{Kind: kind, TargetCard: stolen, Delivery: "home"})
		wantKind(t, err, lifecycle.Illegal)
	}
}

func TestALetterThatCannotBeWrittenIsAFailedOrderUntilStaffMendIt(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.card(t, lifecycle.CardMade)
	order := must[issuance.CardView](t)(h.Card(t.Context(), id)).Order
	letter := string(h.cardLetter(t, id).ID)
	fails := func(why string) {
		plan := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), h.gathered(t, lifecycle.PrintCard)))
		h.event(t, h.FinishCardRun(t.Context(), plan, nil, nil, []issuance.LetterFailure{{Letter: letter, Why: why}}, nil))
	}
	fails("street: does not fit")
	if view := h.order(t, order); view.State != lifecycle.OrderFailed || !strings.Contains(view.Failure, "street: does not fit") {
		t.Errorf("the order is %s: %s", view.State, view.Failure)
	}
	failed := must[[]lifecycle.OrderID](t)(h.OrdersInState(t.Context(), lifecycle.OrderFailed, ""))
	if !slices.Equal(failed, []lifecycle.OrderID{order}) {
		t.Errorf("staff find %v", failed)
	}
	wantKind(t, h.Retry(t.Context(), alix, order), lifecycle.Forbidden)
	h.event(t, h.Retry(t.Context(), leonie, order))
	h.wantOrder(t, order, lifecycle.OrderInProgress)
	wantKind(t, h.Retry(t.Context(), leonie, order), lifecycle.Illegal)
	fails("again")
	if out := h.printAll(t); len(out) != 0 { // nothing goes out of an order that failed
		t.Errorf("printed %v", out)
	}
	h.event(t, h.RetryLetter(t.Context(), leonie, letter)) // the same by the letter
	h.wantOrder(t, order, lifecycle.OrderInProgress)
	fails("and again")
	wantKind(t, h.Cancel(t.Context(), alix, order, "enough"), lifecycle.Forbidden) // its approver's word
	wantField(t, h.Cancel(t.Context(), irene, order, ""), "why")
	h.event(t, h.Cancel(t.Context(), irene, order, "enough"))
	h.wantOrder(t, order, lifecycle.OrderCancelled)
	h.wantCard(t, id, lifecycle.CardOpposed) // what was made is worthless
	wantKind(t, h.Retry(t.Context(), leonie, order), lifecycle.Illegal)
	stopped := h.card(t, lifecycle.CardPosted)
	h.oppose(t, stopped)
	wantKind(t, h.Retry(t.Context(), leonie, must[issuance.CardView](t)(h.Card(t.Context(), stopped)).Order), lifecycle.Illegal)
}
