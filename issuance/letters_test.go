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

func TestACardHasALetterOnceItIsMade(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, state := range []lifecycle.CardState{lifecycle.CardOrdered, lifecycle.CardApproved, lifecycle.CardWithBureau} {
		id := h.card(t, state)
		if view := must[issuance.CardView](t)(h.Card(t.Context(), id)); view.CardLetter != "" {
			t.Errorf("a card that is %s has letter %s", state, view.CardLetter)
		}
	}
	id := h.card(t, lifecycle.CardMade)
	if letter := h.cardLetter(t, id); letter.State != lifecycle.LetterRequested {
		t.Errorf("the letter of a card that is made is %s", letter.State)
	}
	_, err := h.BeginCardRun(t.Context(), "PR-0000000000000000")
	wantKind(t, err, lifecycle.NotFound)
}

// gathered makes the runs of what waits, and gives the one of a kind.
func (h *house) gathered(t tb, kind lifecycle.PrintKind) lifecycle.PrintRunID {
	t.Helper()
	must[[]lifecycle.PrintRunID](t)(h.GatherLetters(t.Context(), leonie))
	for _, run := range must[[]issuance.PrintRun](t)(h.PrintRuns(t.Context(), lifecycle.PrintRunRequested)) {
		if run.Kind == kind {
			return run.ID
		}
	}
	t.Fatalf("no run of %s letters", kind)
	return ""
}

func TestALateWorkerOfARunLosesOnTheFenceAndTheLetterStaysOne(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.card(t, lifecycle.CardMade)
	run := h.gathered(t, lifecycle.PrintCard)
	late := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
	h.clock.advance(time.Hour)
	newest := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
	if len(newest.Letters) != 1 || newest.Letters[0].Letter != late.Letters[0].Letter || !newest.Created.Equal(late.Created) || newest.Fence != late.Fence+1 {
		t.Errorf("plans %+v and %+v, want one letter of one date", late, newest)
	}
	wantKind(t, h.FinishCardRun(t.Context(), late, []byte("late"), cardPages(late), nil, nil), lifecycle.Conflict)
	h.event(t, h.FinishCardRun(t.Context(), newest, []byte("newest"), cardPages(newest), nil, nil))
	if got := must[[]byte](t)(h.Document(t.Context(), issuance.RunDocument(run, 1))); string(got) != "newest" {
		t.Errorf("the run's file is %q", got)
	}
	_, err := h.BeginCardRun(t.Context(), run)
	wantKind(t, err, lifecycle.Illegal)
	must[[]string](t)(h.press().print(t.Context()))
	h.post(t)

	run = h.gathered(t, lifecycle.PrintPIN)
	_, err = h.BeginCardRun(t.Context(), run)
	wantKind(t, err, lifecycle.Illegal)
	first := must[issuance.PINRunPlan](t)(h.pins.BeginPINRun(t.Context(), run))
	second := must[issuance.PINRunPlan](t)(h.pins.BeginPINRun(t.Context(), run))
	if len(second.Sections) != 1 || second.Sections[0].Stored || second.Sections[0].Letters[0].Card != id || second.Sections[0].Letters[0].PINVersion != 1 {
		t.Errorf("plan %+v, want one letter", second)
	}
	pages := pinPages(second.Sections[0])
	wantKind(t, h.pins.FinishPINSection(t.Context(), first, 1, []byte("late"), pages, nil), lifecycle.Conflict)
	h.event(t, h.pins.FinishPINSection(t.Context(), second, 1, []byte("sealed"), pages, nil))
	third := must[issuance.PINRunPlan](t)(h.pins.BeginPINRun(t.Context(), run))
	if len(third.Sections) != 1 || !third.Sections[0].Stored {
		t.Errorf("after its section is stored the plan is %+v: only the PIN is to be closed", third)
	}
	wantKind(t, h.pins.FinishPINSection(t.Context(), third, 1, []byte("again"), pages, nil), lifecycle.Illegal) // never a second copy
	wantKind(t, h.pins.FinishPINRun(t.Context(), second, nil), lifecycle.Conflict)
	h.event(t, h.pins.FinishPINRun(t.Context(), third, nil))
	if got := must[[]byte](t)(h.Document(t.Context(), issuance.RunDocument(run, 1))); string(got) != "sealed" {
		t.Errorf("the section's file is %q", got)
	}
}

func TestTheLettersSayWhereTheyGo(t *testing.T) {
	t.Parallel()
	h := setup(t)
	order := h.submit(t, func(o *demodata.Order) { o.Delivery, o.Branch = "branch", "BE02" })
	h.approve(t, order)
	id := h.order(t, order).Card.ID
	h.walk(t, id, lifecycle.CardMade)
	plan := must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), h.gathered(t, lifecycle.PrintCard))).Letters[0]
	if plan.PickUp != "Eupen Kirchstraße, Kirchstraße 4, 4700 Eupen" || plan.To.Name != "Hélène Montclair" ||
		plan.To.Address.City != "Rennes" || plan.UserNumber != "0001" || plan.Product != h.Policy().Product {
		t.Errorf("the card letter is made of %+v", plan)
	}
	if plan.Last4 == "" || strings.Contains(fmt.Sprintf("%+v", plan), h.number(t, id)) {
		t.Error("a plan shows more of the card number than its end")
	}
	h.event(t, h.press().render(t.Context()))
	must[[]string](t)(h.press().print(t.Context()))
	h.post(t)
	h.wantCard(t, id, lifecycle.CardAtBranch)
	pin := must[issuance.PINRunPlan](t)(h.pins.BeginPINRun(t.Context(), h.gathered(t, lifecycle.PrintPIN))).Sections[0].Letters[0]
	if pin.To.Address.Street != "1 rue de l'Église" || pin.To.Language != "fr" {
		t.Errorf("the PIN letter goes to %+v, want the holder's home", pin.To)
	}
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
	for _, card := range []bool{true, false} {
		for _, state := range []lifecycle.LetterState{lifecycle.LetterRequested, lifecycle.LetterRendered, lifecycle.LetterPrinted} {
			kind, from := lifecycle.PrintPIN, lifecycle.CardPosted
			if card {
				kind, from = lifecycle.PrintCard, lifecycle.CardMade
			}
			t.Run(fmt.Sprintf("%s letter %s", kind, state), func(t *testing.T) {
				t.Parallel()
				h := setup(t)
				id := h.card(t, from)
				run := h.gathered(t, kind)
				cards, pins := issuance.CardRunPlan{}, issuance.PINRunPlan{}
				if card {
					cards = must[issuance.CardRunPlan](t)(h.BeginCardRun(t.Context(), run))
				} else {
					pins = must[issuance.PINRunPlan](t)(h.pins.BeginPINRun(t.Context(), run))
				}
				finish := func() {
					if card {
						h.event(t, h.FinishCardRun(t.Context(), cards, []byte("sealed"), cardPages(cards), nil, nil))
						return
					}
					h.event(t, h.pins.FinishPINSection(t.Context(), pins, 1, []byte("sealed"), pinPages(pins.Sections[0]), nil))
					h.event(t, h.pins.FinishPINRun(t.Context(), pins, nil))
				}
				if state != lifecycle.LetterRequested {
					finish()
				}
				if state == lifecycle.LetterPrinted {
					must[[]string](t)(h.press().print(t.Context()))
				}
				h.oppose(t, id)
				if state == lifecycle.LetterRequested { // the worker comes back
					finish()
				}
				if state != lifecycle.LetterPrinted {
					if out := must[[]string](t)(h.press().print(t.Context())); len(out) != 0 {
						t.Errorf("printed %v", out)
					}
				}
				h.clock.advance(30 * 24 * time.Hour)
				if posted := h.post(t); posted != (issuance.Posted{}) {
					t.Errorf("posted %+v", posted)
				}
				got := must[issuance.CardView](t)(h.Card(t.Context(), id))
				letter := string(got.PINLetter)
				if card {
					letter = string(got.CardLetter)
				}
				var now lifecycle.LetterState
				err := h.pool.QueryRow(t.Context(), "SELECT state FROM card_letter WHERE id = $1 UNION SELECT state FROM pin_letter WHERE id = $1", letter).Scan(&now)
				if err != nil || now != lifecycle.LetterCancelled {
					t.Errorf("the letter is %s, %v", now, err)
				}
				if got := h.queued(t, lifecycle.JobPINDestroy); !slices.Equal(got, []string{fmt.Sprintf(`{"card": "%s", "pin_version": 1}`, id)}) {
					t.Errorf("PINs to destroy: %q", got)
				}
				h.event(t, h.DestroyLetter(t.Context(), leonie, letter))
			})
		}
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
