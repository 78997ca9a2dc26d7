package issuance_test

import (
	"context"
	"testing"
	"time"

	"sceau/issuance"
	"sceau/lifecycle"
)

// waiting waits until so many sessions of the test's database wait for a lock.
func (d *desk) waiting(t *testing.T, sessions int) {
	t.Helper()
	for {
		var n int
		works(t, d.store.Pool().QueryRow(t.Context(),
			"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n))
		if n >= sessions {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Before, the post locked the letter and then its card, an opposition the card
// and then its letter: the database ended one of them, and a holder who reported
// a theft could be told to try again.
func TestAnOppositionAndThePostDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	stolen := d.cardOf(t, d.approved(t, "card"))
	other := d.cardOf(t, d.approved(t, "card"))
	works(t, d.returned(t, d.atBureau(t), madeAs(stolen, "PL-1"), madeAs(other, "PL-2")))
	works(t, d.press().gather(t.Context()))
	gives[[]string](t)(d.press().print(t.Context()))

	tx, err := d.store.Pool().Begin(t.Context()) // holds the card until both wait for it
	works(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = tx.Exec(t.Context(), "SELECT FROM card WHERE id = $1 FOR UPDATE", stolen)
	works(t, err)
	opposed, posted := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := d.Oppose(t.Context(), ann, stolen, lifecycle.CardStolen)
		opposed <- err
	}()
	d.waiting(t, 1)
	var out issuance.Posted
	go func() {
		var err error
		out, err = d.PostLetters(t.Context())
		posted <- err
	}()
	d.waiting(t, 2)
	works(t, tx.Rollback(t.Context()))
	if err := <-opposed; err != nil {
		t.Errorf("the opposition: %v", err)
	}
	if err := <-posted; err != nil {
		t.Errorf("the post: %v", err)
	}
	if out.CardLetters != 1 {
		t.Errorf("%d letters were posted, want the other card's", out.CardLetters)
	}
	for card, want := range map[lifecycle.CardID]lifecycle.CardState{stolen: lifecycle.CardOpposed, other: lifecycle.CardPosted} {
		if got := gives[issuance.CardView](t)(d.Card(t.Context(), card)).State; got != want {
			t.Errorf("card %s is %s, want %s", card, got, want)
		}
	}
}
