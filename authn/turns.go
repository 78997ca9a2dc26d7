package authn

import (
	"context"
	"fmt"
	"sync"

	"sceau/lifecycle"
)

// turns has the codes of one card judged one after the other in this process, so
// that none of those judged together is for the same card, and so that a card at
// which somebody throws codes holds nobody else up. Other processes are held off
// by the card's row.
type turns struct {
	mu   sync.Mutex
	held map[lifecycle.CardID]chan struct{} // closed when it is let go; guarded by mu
}

// take waits for the turn of each card, in their order, and gives what ends them.
func (t *turns) take(ctx context.Context, cards []lifecycle.CardID) (release func(), err error) {
	taken := 0
	release = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, id := range cards[:taken] {
			close(t.held[id])
			delete(t.held, id)
		}
	}
	for _, id := range cards {
		if err := t.one(ctx, id); err != nil {
			release()
			return nil, err
		}
		taken++
	}
	return release, nil
}

func (t *turns) one(ctx context.Context, id lifecycle.CardID) error {
	for {
		t.mu.Lock()
		before, busy := t.held[id]
		if !busy {
			if t.held == nil {
				t.held = make(map[lifecycle.CardID]chan struct{})
			}
			t.held[id] = make(chan struct{})
		}
		t.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-before:
		case <-ctx.Done():
			return fmt.Errorf("wait for the codes of card %s: %w", id, ctx.Err())
		}
	}
}
