package authn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// TooMany is a caller that is to wait: nothing of what it asked was looked at.
type TooMany struct{ Wait time.Duration }

func (e *TooMany) Error() string {
	return fmt.Sprintf("too many requests: wait %d seconds", int(e.Wait.Seconds()))
}

// Allowance is what is left to a service in this minute, as its door knows it.
type Allowance struct {
	Limit     int
	Remaining int
	Reset     time.Duration
}

const (
	shares    = 50 // a door takes this part of a minute's calls at a time
	everybody = "" // the subject of the estate's own limit
)

// limits are what this process has taken of the limits that all doors share.
type limits struct {
	mu    sync.Mutex
	taken map[string]*share // by subject; guarded by mu
}

// share is what a process has of one subject's minute.
type share struct {
	minute time.Time
	mine   int // taken and not used
	left   int // to everybody, when it was looked at last
	spent  bool
}

// Admit counts a call of a service against its own limit and that of all services. A
// call costs no statement while the door has some left of what it took.
func (s *Service) Admit(ctx context.Context, k APIKey) (Allowance, error) {
	own, err := s.take(ctx, string(k.Service), k.CallsAMinute)
	if err != nil || s.policy.CallsAMinute == 0 {
		return own, err
	}
	_, err = s.take(ctx, everybody, s.policy.CallsAMinute)
	return own, err
}

// take takes one call of a subject's minute.
func (s *Service) take(ctx context.Context, subject string, limit int) (Allowance, error) {
	now := s.now()
	minute := now.Truncate(time.Minute)
	a := Allowance{Limit: limit, Reset: minute.Add(time.Minute).Sub(now)}
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	if s.limits.taken == nil {
		s.limits.taken = map[string]*share{}
	}
	mine := s.limits.taken[subject]
	if mine == nil || !mine.minute.Equal(minute) {
		mine = &share{minute: minute}
		s.limits.taken[subject] = mine
	}
	if mine.mine == 0 && !mine.spent {
		some := max(1, limit/shares)
		taken, err := s.store.TakeCalls(ctx, subject, minute, int64(some))
		if err != nil {
			return a, fmt.Errorf("count calls: %w", err)
		}
		before := int(taken) - some
		mine.mine = max(0, min(some, limit-before))
		mine.left = max(0, limit-int(taken))
		mine.spent = mine.mine == 0
	}
	if mine.mine == 0 {
		return a, &TooMany{a.Reset}
	}
	mine.mine--
	a.Remaining = mine.mine + mine.left
	return a, nil
}

// The limits of guessing, beside each means' own: of one user through one service, and
// of a service whose proofs are mostly wrong, which then has a few judged a minute.
const (
	guessing    = 15 * time.Minute
	maxOfUser   = 10
	fewRefused  = 50 // below, a share says nothing
	slowedCalls = 60 // a minute
	tallied     = 200
)

// tallies are the accepted proofs of each service that are not counted yet.
type tallies struct {
	mu       sync.Mutex
	accepted map[string]int64 // guarded by mu
}

// Guarded has a proof judged unless too many were wrong: of this user through this
// service, or of this service. It never looks whether the user exists, and another
// service is not held up. What was refused is counted; what was accepted is, now and
// then.
func (s *Service) Guarded(ctx context.Context, by lifecycle.Actor, user string, judge func() error) error {
	if err := s.mayGuess(ctx, by.ID, user); err != nil {
		return err
	}
	err := judge()
	refused := errors.Is(err, ErrRefused) || errors.Is(err, lifecycle.Locked)
	if err != nil && !refused {
		return err
	}
	if told := s.countProof(context.WithoutCancel(ctx), by.ID, user, refused); told != nil && refused {
		return told // no verdict that is not counted
	}
	return err
}

func (s *Service) mayGuess(ctx context.Context, service, user string) error {
	now := s.now()
	counts, err := s.store.ProofCounts(ctx, service, user, now.Add(-guessing))
	if err != nil {
		return fmt.Errorf("count proofs: %w", err)
	}
	for _, c := range counts {
		switch {
		case c.Subject != everybody && c.Refused >= maxOfUser:
			return &TooMany{c.Began.Add(guessing).Sub(now)}
		case c.Subject == everybody && c.Refused >= fewRefused && 2*c.Refused > c.Proofs:
			if _, err := s.take(ctx, "slowed "+service, slowedCalls); err != nil {
				return err
			}
		}
	}
	return nil
}

// countProof counts a proof that was judged.
func (s *Service) countProof(ctx context.Context, service, user string, refused bool) error {
	s.tallies.mu.Lock()
	if s.tallies.accepted == nil {
		s.tallies.accepted = map[string]int64{}
	}
	if !refused {
		s.tallies.accepted[service]++
	}
	proofs := s.tallies.accepted[service]
	due := refused || proofs >= tallied
	if due {
		s.tallies.accepted[service] = 0
	}
	s.tallies.mu.Unlock()
	if !due {
		return nil
	}
	now := s.now()
	p := db.CountProofsParams{Service: service, Now: now, Since: now.Add(-guessing), Subjects: []string{everybody}, Proofs: []int64{proofs}}
	if refused {
		p.Refused, p.Proofs[0] = 1, proofs+1
		p.Subjects, p.Proofs = append(p.Subjects, user), append(p.Proofs, 1)
	}
	if err := s.store.CountProofs(ctx, p); err != nil {
		return fmt.Errorf("count proofs: %w", err)
	}
	return nil
}

// LimitService says how often a service may call.
func (s *Service) LimitService(ctx context.Context, by lifecycle.Actor, id lifecycle.ServiceID, calls int) error {
	const most = 10_000_000
	if calls < 1 || calls > most {
		return &lifecycle.FieldError{Field: "calls", Why: "a service calls 1 to 10000000 times a minute"}
	}
	return s.changeService(ctx, by, id, "limit", fmt.Sprintf(`{"calls_a_minute":"%d"}`, calls), func(q *db.Queries) error {
		return q.LimitService(ctx, int32(calls), id) //nolint:gosec // looked at above
	})
}
