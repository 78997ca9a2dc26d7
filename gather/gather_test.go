package gather

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"sceau/lifecycle"
)

// held is gathered questions whose calls wait until they are let go.
type held struct {
	Calls[int, int]

	mu      sync.Mutex
	sent    [][]int
	release chan error
}

func newHeld(most int) *held {
	h := &held{release: make(chan error)}
	h.Calls = Calls[int, int]{Doing: "double", Most: most, Call: func(_ context.Context, questions []int) ([]int, error) {
		h.mu.Lock()
		h.sent = append(h.sent, questions)
		h.mu.Unlock()
		if err := <-h.release; err != nil {
			return nil, err
		}
		answers := make([]int, len(questions))
		for i, q := range questions {
			answers[i] = 2 * q
		}
		return answers, nil
	}}
	return h
}

// sizes are how many questions each call carried.
func (h *held) sizes() []int {
	var sizes []int
	for _, questions := range h.sent {
		sizes = append(sizes, len(questions))
	}
	return sizes
}

// alone are so many callers with one question each.
func alone(n int) [][]int {
	questions := make([][]int, n)
	for i := range questions {
		questions[i] = []int{i}
	}
	return questions
}

// askEach has each caller ask, one after the other has begun to wait.
func (h *held) askEach(t *testing.T, group *sync.WaitGroup, questions ...[]int) {
	t.Helper()
	for _, mine := range questions {
		group.Go(func() {
			answers, err := h.Ask(t.Context(), mine...)
			if err != nil {
				t.Errorf("ask %v: %v", mine, err)
			}
			for i, answer := range answers {
				if answer != 2*mine[i] {
					t.Errorf("asked %v, answered %v", mine, answers)
				}
			}
		})
		synctest.Wait()
	}
}

func TestWhatIsAskedMeanwhileGoesOutTogether(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		most  int
		asked [][]int
		want  []int
	}{
		{"a lone caller's question goes at once", 10, alone(1), []int{1}},
		{"five more share one call", 10, alone(6), []int{1, 5}},
		{"several questions of one caller stay together", 4, [][]int{{0}, {1, 2, 3}, {4, 5}, {6}}, []int{1, 3, 3}},
		{"a call carries no more than it may", 2, alone(4), []int{1, 2, 1}},
		{"a caller with sixteen questions has a call of its own", 100, [][]int{{0}, make([]int, 16), {0}}, []int{1, 16, 1}},
		{"with sixteen waiting a second call goes out", 100, alone(19), []int{1, 16, 2}},
		{"however many wait, four calls are under way", 1000, alone(1 + 16 + 32 + 48 + 200), []int{1, 16, 32, 48, 200}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHeld(test.most)
				var group sync.WaitGroup
				h.askEach(t, &group, test.asked...)
				close(h.release)
				group.Wait()
				if got := h.sizes(); !slices.Equal(got, test.want) {
					t.Errorf("calls of %v questions, want %v", got, test.want)
				}
				synctest.Wait()
				if h.calls != 0 || len(h.waiting) != 0 {
					t.Errorf("%d calls and %d callers are left", h.calls, len(h.waiting))
				}
			})
		})
	}
}

func TestAFailedCallFailsThoseItCarriedAndNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(2)
		failed := make(chan error, 3)
		for i := range cap(failed) { // one alone, then two together
			go func() { _, err := h.Ask(t.Context(), i); failed <- err }()
			synctest.Wait()
		}
		var group sync.WaitGroup
		h.askEach(t, &group, []int{4}, []int{5})
		h.release <- nil
		if err := <-failed; err != nil {
			t.Errorf("the first call: %v", err)
		}
		h.release <- lifecycle.Unavailable
		for range 2 {
			if err := <-failed; !errors.Is(err, lifecycle.Unavailable) {
				t.Errorf("error = %v, want the call's", err)
			}
		}
		close(h.release)
		group.Wait()
	})
}

func TestACallerThatLeavesIsNotAskedForAndStopsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(10)
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 2)
		go func() { _, err := h.Ask(ctx, 1); left <- err }() // its call is under way
		synctest.Wait()
		var group sync.WaitGroup
		h.askEach(t, &group, []int{2})
		go func() { _, err := h.Ask(ctx, 3); left <- err }() // waits
		synctest.Wait()
		h.askEach(t, &group, []int{4})
		leave()
		for range cap(left) {
			if err := <-left; !errors.Is(err, context.Canceled) || errors.Is(err, lifecycle.Unavailable) {
				t.Errorf("error = %v, want a cancellation without a kind", err)
			}
		}
		close(h.release)
		group.Wait()
		if got := slices.Concat(h.sent...); slices.Contains(got, 3) || !slices.Contains(got, 4) {
			t.Errorf("asked %v, want 4 and not 3", got)
		}
	})
}

func TestAnAnswerTooFewIsNobodysAnswer(t *testing.T) {
	t.Parallel()
	c := Calls[int, int]{Doing: "double", Most: 10, Call: func(context.Context, []int) ([]int, error) { return nil, nil }}
	if answers, err := c.Ask(t.Context(), 1); err == nil || len(answers) > 0 {
		t.Errorf("answers %v, error %v", answers, err)
	}
}
