package issuance_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"sceau/issuance"
	"sceau/lifecycle"
)

// draws are dice that a property can roll again when it shrinks a failure.
type draws struct{ t *rapid.T }

func (d draws) roll(what string, sides int) int { return rapid.IntRange(0, sides-1).Draw(d.t, what) }

// chance is a die for one of several players at once.
type chance struct{ *rand.Rand }

func (c chance) roll(_ string, sides int) int { return c.IntN(sides) }

// refusal tells an error that a caller can act on from a fault of the house.
func refusal(err error) bool {
	return slices.ContainsFunc([]error{
		lifecycle.NotFound, lifecycle.Invalid, lifecycle.Forbidden, lifecycle.Illegal, lifecycle.Conflict, lifecycle.Locked,
	}, func(kind error) bool { return errors.Is(err, kind) })
}

// Whatever is done by whomever in whatever order: each thing's entries are legal
// moves from its birth to where it stands, one a change, nobody decides what they
// asked for, and what is refused changes nothing.
func TestNoSequenceOfUseCasesLeavesTheTables(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.authority(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		h.drain(t)
		w := newWorld(t, h)
		steps := map[string]func(*rapid.T){}
		for name, do := range w.actions() {
			steps[name] = func(t *rapid.T) { w.step(t, name, do) }
		}
		t.Repeat(steps)
		for _, wrong := range h.wrongBooks(t.Context(), t) {
			t.Error(wrong)
		}
	})
	h.wantReached(t, "with_bureau", "active", "cancelled", "issued", "held", "completed")
}

// wantReached tells a walk that got nowhere from one that proves something.
func (h *house) wantReached(t *testing.T, states ...string) {
	t.Helper()
	reached, err := h.pairs(t.Context(), "SELECT to_state, count(*)::text FROM audit_entry GROUP BY to_state")
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states {
		if reached[state] == "" {
			t.Errorf("nothing ever was %s: %v", state, reached)
		}
	}
	t.Logf("reached: %v", reached)
}

// drain takes the cards of earlier cases out of the way of the next batch.
func (h *house) drain(t tb) {
	t.Helper()
	for {
		_, n, err := h.SealBatch(t.Context(), leonie)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func (w *world) step(t *rapid.T, name string, do action) {
	before, err := w.store.CountAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = do(t.Context(), draws{t})
	switch {
	case err == nil, errors.Is(err, errNothing):
		return
	case !refusal(err):
		t.Fatalf("%s: %v: not an error that a caller can act on", name, err)
	}
	after, err := w.store.CountAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after != before && !several(name) {
		t.Fatalf("%s was refused and left %d entries", name, after-before)
	}
}

// several tells the actions that are more than one transaction.
func several(name string) bool {
	return name == "print" || name == "stock count alike" || strings.HasPrefix(name, "bureau ") || strings.HasPrefix(name, "further ")
}

// The same with several players at once, on one set of things.
func TestManyAtOnceKeepTheBooks(t *testing.T) {
	t.Parallel()
	const players, turns = 6, 400
	h := setupWith(t, func(p *issuance.Policy) { p.BatchSize = 3 })
	h.authority(t, 2)
	w := newWorld(t, h)
	actions := w.actions()
	names := make([]string, 0, len(actions))
	for name := range actions {
		names = append(names, name)
	}
	slices.Sort(names)
	var play sync.WaitGroup
	for player := range players {
		play.Go(func() {
			die := chance{rand.New(rand.NewPCG(uint64(player), 20260302))}
			for range turns {
				name := names[die.IntN(len(names))]
				err := actions[name](context.WithoutCancel(t.Context()), die)
				if err != nil && !errors.Is(err, errNothing) && !refusal(err) {
					t.Errorf("%s: %v: not an error that a caller can act on", name, err)
				}
			}
		})
	}
	play.Wait()
	h.wantReached(t, "with_bureau", "active", "issued")
}
