package revocation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Holding tells how much is held, for the health page: [Memory.Held].
type Holding func(now time.Time) (certificates int, asOf, until time.Time)

// health is the page about the door itself, made again every few seconds at
// most: looking at every answer is work that anybody could ask for.
type health struct {
	mu   sync.Mutex
	at   time.Time // guarded by mu, as is page
	page []byte
	ok   bool
}

const healthEvery = 5 * time.Second

// state is what the page says.
type state struct {
	Status       string     `json:"status"` // "ok", or "degraded" while nobody can tell what changed
	Certificates int        `json:"certificates"`
	AsOf         *time.Time `json:"status_known_as_of"` // nil: nothing yet
	AnswersUntil *time.Time `json:"answers_until"`      // of those signed ahead, the first to end
}

// tellHealth tells whether the door knows what it says: 200 while it follows the
// database, else 503, with how long the answers that were signed ahead go on.
func (h *Handler) tellHealth(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	page, ok, err := h.look()
	if err != nil {
		return err
	}
	header := w.Header()
	header["Content-Type"] = []string{"application/json"}
	header["Cache-Control"] = []string{"no-store"}
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(page) // a client that left needs no answer
	}
	return nil
}

func (h *Handler) look() (page []byte, ok bool, err error) {
	now := h.config.Now()
	h.health.mu.Lock()
	defer h.health.mu.Unlock()
	if age := now.Sub(h.health.at); h.health.page != nil && age >= 0 && age < healthEvery {
		return h.health.page, h.health.ok, nil
	}
	s := state{Status: "ok"}
	if h.config.Holding != nil {
		var asOf, until time.Time
		s.Certificates, asOf, until = h.config.Holding(now)
		s.AsOf, s.AnswersUntil = orNothing(asOf), orNothing(until)
		if now.Sub(asOf) > h.config.Fresh {
			s.Status = "degraded"
		}
	}
	if page, err = json.Marshal(s); err != nil {
		return nil, false, fmt.Errorf("tell the door's health: %w", err)
	}
	h.health.at, h.health.page, h.health.ok = now, append(page, '\n'), s.Status == "ok"
	return h.health.page, h.health.ok, nil
}

func orNothing(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
