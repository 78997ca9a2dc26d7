package authn

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// Event is what a relying service is told: that something of one of its users, or of
// its own authentications, has moved. What it is now, it reads for itself.
type Event struct {
	ID      lifecycle.EventID
	Type    string // "card.opposed": thing and state
	Subject string // the thing's identifier
	At      time.Time
}

// Events gives a service its events after one that it has, in an order that no event
// joins later from behind; more says that there are others. Users are a service's once
// they have proven themselves to it.
func (s *Service) Events(ctx context.Context, by lifecycle.Actor, after lifecycle.EventID, most int) (events []Event, more bool, err error) {
	p := db.EventsAfterParams{Service: by.ID, MaxRows: int32(most) + 1} //nolint:gosec // a page
	if after != "" {
		if p.Tx, p.ID, err = placeOf(after); err != nil {
			return nil, false, err
		}
	}
	rows, err := s.store.EventsAfter(ctx, p)
	if err != nil {
		return nil, false, fmt.Errorf("events: %w", err)
	}
	if more = len(rows) > most; more {
		rows = rows[:most]
	}
	events = make([]Event, len(rows))
	for i, r := range rows {
		events[i] = Event{ID: eventID(r.Tx, r.ID), Type: r.Type, Subject: r.Subject, At: r.At.UTC()}
	}
	return events, more, nil
}

// eventDigits are those of either number in an event's identifier: hexadecimal, so that
// identifiers sort as events do.
const eventDigits = 12

func eventID(tx, id int64) lifecycle.EventID {
	return lifecycle.EventID(fmt.Sprintf("%s-%0*X%0*X", lifecycle.PrefixEvent, eventDigits, tx, eventDigits, id))
}

// placeOf reads an event's identifier.
func placeOf(e lifecycle.EventID) (tx, id int64, err error) {
	const start = len(lifecycle.PrefixEvent) + 1
	wrong := &lifecycle.FieldError{Field: "after", Why: "is the identifier of an event that was read: give the last one's, or nothing"}
	if len(e) != start+2*eventDigits || string(e[:start]) != lifecycle.PrefixEvent+"-" {
		return 0, 0, wrong
	}
	if tx, err = strconv.ParseInt(string(e[start:start+eventDigits]), 16, 64); err != nil {
		return 0, 0, wrong
	}
	if id, err = strconv.ParseInt(string(e[start+eventDigits:]), 16, 64); err != nil {
		return 0, 0, wrong
	}
	if eventID(tx, id) != e { // a sign, or small letters
		return 0, 0, wrong
	}
	return tx, id, nil
}
