package issuance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/internal/demodata"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/store/db"
)

func (h *house) pinLetter(t tb, id lifecycle.CardID) db.PINLetter {
	t.Helper()
	card := must[db.Card](t)(h.store.Card(t.Context(), id))
	return must[db.PINLetter](t)(h.store.PINLetterOfCard(t.Context(), id, card.PINVersion))
}

func (h *house) cardLetter(t tb, id lifecycle.CardID) db.CardLetter {
	t.Helper()
	card := must[db.Card](t)(h.store.Card(t.Context(), id))
	return must[db.CardLetter](t)(h.store.CardLetterOfCard(t.Context(), id, card.PSN))
}

func TestACardLetterIsForAMadeCardOnly(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, state := range []lifecycle.CardState{
		lifecycle.CardOrdered, lifecycle.CardApproved, lifecycle.CardWithBureau, lifecycle.CardPosted, lifecycle.CardActive, lifecycle.CardOpposed,
	} {
		_, err := h.BeginCardLetter(t.Context(), h.card(t, state))
		wantKind(t, err, lifecycle.Illegal)
	}
	_, err := h.BeginCardLetter(t.Context(), "C-0000000000000000")
	wantKind(t, err, lifecycle.NotFound)
}

func TestALateWorkerOfALetterLosesOnTheFenceAndTheLetterStaysOne(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.card(t, lifecycle.CardMade)
	late := must[issuance.CardLetterPlan](t)(h.BeginCardLetter(t.Context(), id))
	h.clock.advance(time.Hour)
	newest := must[issuance.CardLetterPlan](t)(h.BeginCardLetter(t.Context(), id))
	if newest.Letter != late.Letter || !newest.Date.Equal(late.Date) || newest.Fence != late.Fence+1 {
		t.Errorf("plans %+v and %+v, want one letter of one date", late, newest)
	}
	wantKind(t, h.FinishCardLetter(t.Context(), late, []byte("late"), nil), lifecycle.Conflict)
	h.event(t, h.FinishCardLetter(t.Context(), newest, []byte("newest"), nil))
	if got := must[[]byte](t)(h.Document(t.Context(), string(newest.Letter))); string(got) != "newest" {
		t.Errorf("the letter is %q", got)
	}
	_, err := h.BeginCardLetter(t.Context(), id)
	wantKind(t, err, lifecycle.Illegal)
	h.event(t, func() error { _, err := h.PrintCardLetters(t.Context(), leonie); return err }())
	h.post(t)

	first := must[issuance.PINLetterPlan](t)(h.BeginPINLetter(t.Context(), id))
	second := must[issuance.PINLetterPlan](t)(h.BeginPINLetter(t.Context(), id))
	if first.Letter != second.Letter || second.State != lifecycle.LetterRequested || second.PINVersion != 1 || second.Card != id {
		t.Errorf("plans %+v and %+v, want one letter", first, second)
	}
	wantKind(t, h.FinishPINLetter(t.Context(), first, []byte("late")), lifecycle.Conflict)
	h.event(t, h.FinishPINLetter(t.Context(), second, []byte("sealed")))
	third := must[issuance.PINLetterPlan](t)(h.BeginPINLetter(t.Context(), id))
	if third.Letter != first.Letter || third.State != lifecycle.LetterRendered {
		t.Errorf("after its rendering the plan is %+v: only the PIN is to be closed", third)
	}
	wantKind(t, h.FinishPINLetter(t.Context(), third, []byte("again")), lifecycle.Illegal) // never a second copy
	if got := must[[]byte](t)(h.Document(t.Context(), string(first.Letter))); string(got) != "sealed" {
		t.Errorf("the PIN letter is %q", got)
	}
}

func TestTheLettersSayWhereTheyGo(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order := h.submit(t, func(o *demodata.Order) { o.Delivery, o.Branch = "branch", "BE02" })
	h.approve(t, order)
	id := h.order(t, order).Card.ID
	h.walk(t, id, lifecycle.CardMade)
	plan := must[issuance.CardLetterPlan](t)(h.BeginCardLetter(t.Context(), id))
	if plan.PickUp != "Eupen Kirchstraße, Kirchstraße 4, 4700 Eupen" || plan.To.Name != "Hélène Montclair" ||
		plan.To.Address.City != "Rennes" || plan.UserNumber != "0001" || plan.Product != h.Policy().Product {
		t.Errorf("the card letter is made of %+v", plan)
	}
	if plan.Last4 == "" || strings.Contains(fmt.Sprintf("%+v", plan), h.number(t, id)) {
		t.Error("a plan shows more of the card number than its end")
	}
	h.sendLetter(t, plan)
	h.wantCard(t, id, lifecycle.CardAtBranch)
	pin := must[issuance.PINLetterPlan](t)(h.BeginPINLetter(t.Context(), id))
	if pin.To.Address.Street != "1 rue de l'Église" || pin.To.Language != "fr" {
		t.Errorf("the PIN letter goes to %+v, want the holder's home", pin.To)
	}
}

// sendLetter ends a letter that was begun, prints and posts it.
func (h *house) sendLetter(t tb, plan issuance.CardLetterPlan) {
	t.Helper()
	h.event(t, h.FinishCardLetter(t.Context(), plan, []byte("%PDF"), nil))
	must[[]lifecycle.CardLetterID](t)(h.PrintCardLetters(t.Context(), leonie))
	h.post(t)
}

func TestAPINLetterIsNeverPostedBeforeItsDelay(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	for _, test := range []struct {
		name     string
		delay    int
		post, at time.Time
	}{
		{"from Monday to Wednesday", 2, day(0), day(2)},
		{"from Thursday to Monday", 2, day(3), day(7)},
		{"from Friday to Tuesday", 2, day(4), day(8)},
		{"from Saturday to Tuesday", 2, day(5), day(8)},
		{"from Sunday to Tuesday", 2, day(6), day(8)},
		{"a week of business days", 5, day(2), day(9)},
		{"no delay is the next run", 0, day(0), day(0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := setupProduct(t, func(p *issuance.Product) { p.PINDelay = test.delay })
			h.clock.set(test.post)
			id := h.card(t, lifecycle.CardPosted)
			if got := h.queued(t, lifecycle.JobPINLetter); !slices.Equal(got, []string{fmt.Sprintf(`{"card": "%s"}`, id)}) {
				t.Errorf("jobs %q", got)
			}
			h.printPINLetter(t, id)
			h.clock.set(test.at.Add(-time.Microsecond))
			if posted := h.post(t); test.delay > 0 && posted.PINLetters != 0 {
				t.Errorf("a microsecond early: %+v", posted)
			}
			h.clock.set(test.at)
			h.post(t)
			letter := h.pinLetter(t, id)
			if letter.State != lifecycle.LetterPosted || letter.PostedAt == nil || letter.PostedAt.Before(letter.PostAfter) || !letter.PostAfter.Equal(test.at) {
				t.Errorf("the PIN letter is %s, posted at %v, not before %s; want %s", letter.State, letter.PostedAt, letter.PostAfter, test.at)
			}
			if posted := deref(h.cardLetter(t, id).PostedAt); !posted.Equal(test.post) {
				t.Errorf("the card was posted at %s", posted)
			}
		})
	}
}

func TestOneRunNeverPostsBothLettersOfACard(t *testing.T) {
	t.Parallel()
	h := setupProduct(t, func(p *issuance.Product) { p.PINDelay = 0 })
	id := h.card(t, lifecycle.CardMade)
	h.printCardLetter(t, id)
	if posted := h.post(t); posted != (issuance.Posted{CardLetters: 1}) {
		t.Errorf("the first run posted %+v", posted)
	}
	h.wantOrder(t, must[issuance.CardView](t)(h.Card(t.Context(), id)).Order, lifecycle.OrderInProgress)
	h.printPINLetter(t, id)
	if posted := h.post(t); posted != (issuance.Posted{PINLetters: 1}) {
		t.Errorf("the second run posted %+v", posted)
	}
	h.wantOrder(t, must[issuance.CardView](t)(h.Card(t.Context(), id)).Order, lifecycle.OrderCompleted)
	if posted := h.post(t); posted != (issuance.Posted{}) {
		t.Errorf("the third run posted %+v", posted)
	}
}

func TestTheLettersOfAnOpposedCardNeverGoOut(t *testing.T) {
	t.Parallel()
	for _, state := range []lifecycle.LetterState{lifecycle.LetterRequested, lifecycle.LetterRendered, lifecycle.LetterPrinted} {
		t.Run("card letter "+string(state), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			id := h.card(t, lifecycle.CardMade)
			plan := must[issuance.CardLetterPlan](t)(h.BeginCardLetter(t.Context(), id))
			if state != lifecycle.LetterRequested {
				h.event(t, h.FinishCardLetter(t.Context(), plan, []byte("%PDF"), nil))
			}
			if state == lifecycle.LetterPrinted {
				must[[]lifecycle.CardLetterID](t)(h.PrintCardLetters(t.Context(), leonie))
			}
			h.oppose(t, id)
			if state == lifecycle.LetterRequested { // the worker comes back
				h.event(t, h.FinishCardLetter(t.Context(), plan, []byte("%PDF"), nil))
				_, err := h.Document(t.Context(), string(plan.Letter))
				wantKind(t, err, lifecycle.NotFound)
			}
			if posted := h.post(t); posted != (issuance.Posted{}) || h.cardLetter(t, id).State != lifecycle.LetterCancelled {
				t.Errorf("posted %+v, the letter is %s", posted, h.cardLetter(t, id).State)
			}
		})
		t.Run("PIN letter "+string(state), func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			id := h.card(t, lifecycle.CardPosted)
			plan := must[issuance.PINLetterPlan](t)(h.BeginPINLetter(t.Context(), id))
			if state != lifecycle.LetterRequested {
				h.event(t, h.FinishPINLetter(t.Context(), plan, []byte("sealed")))
			}
			if state == lifecycle.LetterPrinted {
				must[[]lifecycle.PINLetterID](t)(h.PrintPINLetters(t.Context(), leonie))
			}
			h.oppose(t, id)
			if state == lifecycle.LetterRequested {
				h.event(t, h.FinishPINLetter(t.Context(), plan, []byte("sealed")))
			}
			_, err := h.Document(t.Context(), string(plan.Letter)) // not even as ciphertext
			wantKind(t, err, lifecycle.NotFound)
			_, err = h.BeginPINLetter(t.Context(), id)
			wantKind(t, err, lifecycle.Illegal)
			h.clock.advance(30 * 24 * time.Hour)
			if posted := h.post(t); posted != (issuance.Posted{}) || h.pinLetter(t, id).State != lifecycle.LetterCancelled {
				t.Errorf("posted %+v, the letter is %s", posted, h.pinLetter(t, id).State)
			}
			if got := h.queued(t, lifecycle.JobPINDestroy); !slices.Equal(got, []string{fmt.Sprintf(`{"card": "%s", "pin_version": 1}`, id)}) {
				t.Errorf("PINs to destroy: %q", got)
			}
		})
	}
}

func TestOnlyThePostRoomPrints(t *testing.T) {
	t.Parallel()
	h := setup(t)
	cardLetter := h.card(t, lifecycle.CardMade)
	h.event(t, h.FinishCardLetter(t.Context(), must[issuance.CardLetterPlan](t)(h.BeginCardLetter(t.Context(), cardLetter)), []byte("%PDF"), nil))
	pinLetter := h.card(t, lifecycle.CardPosted) // prints the other's letter too
	h.event(t, h.FinishPINLetter(t.Context(), must[issuance.PINLetterPlan](t)(h.BeginPINLetter(t.Context(), pinLetter)), []byte("sealed")))
	waiting := h.card(t, lifecycle.CardMade)
	h.event(t, h.FinishCardLetter(t.Context(), must[issuance.CardLetterPlan](t)(h.BeginCardLetter(t.Context(), waiting)), []byte("%PDF"), nil))
	for _, by := range []lifecycle.Actor{alix, irene, maxence, owen, helene, online} {
		_, err := h.PrintCardLetters(t.Context(), by)
		wantKind(t, err, lifecycle.Forbidden)
		_, err = h.PrintPINLetters(t.Context(), by)
		wantKind(t, err, lifecycle.Forbidden)
	}
	if got := must[[]lifecycle.PINLetterID](t)(h.PrintPINLetters(t.Context(), leonie)); len(got) != 1 {
		t.Errorf("%d PIN letters are printed, want one", len(got))
	}
	if got := must[[]lifecycle.CardLetterID](t)(h.PrintCardLetters(t.Context(), leonie)); len(got) != 1 {
		t.Errorf("%d card letters are printed, want one", len(got))
	}
}

// A stop must not be refused because the post is being handed over: both take
// the card before its letters, so that neither waits for the other.
func TestAStopAndThePostNeverWaitForEachOther(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.card(t, lifecycle.CardMade)
	letter := h.printCardLetter(t, id)
	tx, err := h.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), "SELECT id FROM card WHERE id = $1 FOR UPDATE", id); err != nil {
		t.Fatal(err)
	}
	posted := make(chan error, 1)
	go func() {
		_, err := h.PostLetters(t.Context())
		posted <- err
	}()
	h.waitForALock(t)
	if _, err := tx.Exec(t.Context(), "SELECT id FROM card_letter WHERE id = $1 FOR UPDATE NOWAIT", letter); err != nil {
		t.Errorf("whoever posts the letter holds it and waits for the card: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-posted; err != nil {
		t.Errorf("post: %v", err)
	}
}

func TestALetterCancelledWhileOthersArePostedHoldsUpNone(t *testing.T) {
	t.Parallel()
	h := setup(t)
	first, second := h.card(t, lifecycle.CardPosted), h.card(t, lifecycle.CardPosted)
	h.printPINLetter(t, first)
	h.printPINLetter(t, second)
	if h.pinLetter(t, first).ID > h.pinLetter(t, second).ID {
		first, second = second, first // in the order of the run
	}
	h.clock.advance(7 * 24 * time.Hour)
	tx, err := h.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), "SELECT id FROM pin_letter WHERE id = $1 FOR UPDATE", h.pinLetter(t, first).ID); err != nil {
		t.Fatal(err)
	}
	runs := make(chan issuance.Posted, 1)
	go func() {
		posted, err := h.PostLetters(t.Context())
		if err != nil {
			t.Errorf("post: %v", err)
		}
		runs <- posted
	}()
	h.waitForALock(t) // the run has listed both
	h.oppose(t, second)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if posted := <-runs; posted != (issuance.Posted{PINLetters: 1}) {
		t.Errorf("posted %+v, want the one that was not cancelled", posted)
	}
	if got := h.pinLetter(t, second).State; got != lifecycle.LetterCancelled {
		t.Errorf("the stopped card's PIN letter is %s", got)
	}
}

// waitForALock returns once a session of this database waits for a lock.
func (h *house) waitForALock(t tb) {
	t.Helper()
	h.waitForLocks(t, 1)
}

func (h *house) waitForLocks(t tb, n int) {
	t.Helper()
	for range 3000 {
		var waiting int
		err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity "+
			"WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d sessions never wait for a lock", n)
}
