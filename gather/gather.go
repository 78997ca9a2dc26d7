// Package gather has questions that are asked at the same time travel in one
// call, for calls that cost several times what they carry: to Vault, to the
// database.
//
// It never waits for a clock, never asks a question twice, and never knows what
// is asked. Data runs callers → one call → callers.
package gather

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"sceau/lifecycle"
)

// Calls gathers questions. While its calls are under way, what arrives waits,
// and goes out together when one of them returns: a lone caller's question goes
// at once. Its fields are set before the first question and not changed.
type Calls[Q, A any] struct {
	Doing string // for errors
	Most  int    // questions in a call; one caller never asks more
	// Call answers the questions in their order, or none. Its context has no end:
	// it belongs to several callers.
	Call func(ctx context.Context, questions []Q) ([]A, error)

	mu      sync.Mutex
	calls   int            // under way; guarded by mu
	waiting []*asked[Q, A] // oldest first; guarded by mu
}

// One call is under way, and one more for each sixteen questions that wait, up to
// four: a call that is slow or lost must not hold everybody up, each further one
// carries less, and who has many questions gains nothing by waiting.
const (
	waitingPerCall = 16
	maxCalls       = 4
)

// asked is what one caller waits for.
type asked[Q, A any] struct {
	ctx       context.Context // the caller's, to see whether it still waits
	questions []Q
	answers   []A
	err       error
	done      chan struct{}
}

// Ask gives the answers in the order of the questions, or the error of the call
// that carried them. A caller whose context ends leaves, with
// [lifecycle.Unavailable] when its time was up; those who share its call are
// still answered, and its own question may be too.
func (c *Calls[Q, A]) Ask(ctx context.Context, questions ...Q) ([]A, error) {
	mine := &asked[Q, A]{ctx: ctx, questions: questions, done: make(chan struct{})}
	c.mu.Lock()
	c.waiting = append(c.waiting, mine)
	waiting := 0
	for _, a := range c.waiting {
		waiting += len(a.questions)
	}
	start := c.calls < min(1+waiting/waitingPerCall, maxCalls)
	if start {
		c.calls++
	}
	c.mu.Unlock()
	if start {
		go c.run(context.WithoutCancel(ctx))
	}
	select {
	case <-mine.done:
		return mine.answers, mine.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("%s: %w: no answer in time", c.Doing, lifecycle.Unavailable)
		}
		return nil, fmt.Errorf("%s: %w", c.Doing, ctx.Err())
	}
}

// run makes calls until nobody waits.
func (c *Calls[Q, A]) run(ctx context.Context) {
	for together := c.take(); len(together) > 0; together = c.take() {
		var questions []Q
		for _, a := range together {
			questions = append(questions, a.questions...)
		}
		answers, err := c.Call(ctx, questions)
		if err == nil && len(answers) != len(questions) {
			err = fmt.Errorf("%s: %d answers to %d questions", c.Doing, len(answers), len(questions))
		}
		for _, a := range together {
			if a.err = err; err == nil {
				n := len(a.questions)
				a.answers, answers = answers[:n:n], answers[n:]
			}
			close(a.done)
		}
		runtime.Gosched() // let those who were answered ask again, to share the next call
	}
}

// take is whose questions go out next; when it is nobody's, the caller's run is
// over.
func (c *Calls[Q, A]) take() []*asked[Q, A] {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(a *asked[Q, A]) bool { return a.ctx.Err() != nil })
	n, questions := 0, 0
	for n < len(c.waiting) && (n == 0 || questions+len(c.waiting[n].questions) <= c.Most) {
		questions += len(c.waiting[n].questions)
		n++
	}
	if n == 0 {
		c.calls--
	}
	together := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	return together
}
