package authn

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// How long an idempotency key is kept, and after how long without an answer the
// process that had the request is taken for dead: longer than a request may last.
const (
	keptAnswers = 24 * time.Hour
	inFlight    = time.Minute
)

// Once is a request that its caller has named, so that it acts once however often it
// is sent.
type Once struct {
	Service lifecycle.ServiceID
	Key     string // the caller's
	// Several says that the request acts in more than one transaction. One that was
	// begun is then never begun again.
	Several bool

	mark  []byte
	begun time.Time
}

// Kept is what is known of a request that was sent before. Without a status its answer
// is lost with the process that had it: Thing is what it made, if it is known.
type Kept struct {
	Status int
	Type   string // of the body
	Body   []byte
	Thing  string
}

// Answered tells whether the first answer was kept.
func (k Kept) Answered() bool { return k.Status != 0 }

// What can be wrong with a key that was used before.
var (
	ErrOtherRequest = &lifecycle.FieldError{Field: "Idempotency-Key", Why: "was used for another request in the last 24 hours: use a new key for each request"}
	ErrInFlight     = fmt.Errorf("%w: the request of this Idempotency-Key is being worked on: ask again in a second", lifecycle.Conflict)
)

// BeginOnce tells what is known of a request; nil: nothing, it is the caller's to act
// on, in the context that is answered. Of several at the same time one acts. What is
// sent may hold a code or a password: it is kept as a mark under the safe's key.
func (s *Service) BeginOnce(ctx context.Context, o *Once, sent []byte) (context.Context, *Kept, error) {
	var err error
	o.begun = s.now()
	if o.mark, err = s.safe.Mark("request "+string(o.Service), string(sent)); err != nil {
		return ctx, nil, err
	}
	now := o.begun
	n, err := s.store.BeginOnce(ctx, db.BeginOnceParams{
		Service: string(o.Service), Key: o.Key, Mark: o.mark, Acted: o.Several, Now: now, Forgotten: now.Add(-keptAnswers), Dead: now.Add(-inFlight),
	})
	if err != nil {
		return ctx, nil, fmt.Errorf("idempotency key: %w", err)
	}
	if n == 1 {
		return store.Marking(ctx, func(ctx context.Context, tx store.Tx, made string) error {
			n, err := tx.ActedOnce(ctx, db.ActedOnceParams{Made: made, Service: string(o.Service), Key: o.Key, BegunAt: now})
			if err == nil && n != 1 {
				err = ErrInFlight
			}
			return err
		}), nil, nil
	}
	row, err := s.store.Once(ctx, string(o.Service), o.Key)
	switch {
	case err != nil:
		return ctx, nil, fmt.Errorf("idempotency key: %w", err)
	case string(row.Mark) != string(o.mark):
		return ctx, nil, ErrOtherRequest
	case row.Status == 0 && row.BegunAt.After(now.Add(-inFlight)):
		return ctx, nil, ErrInFlight
	}
	return ctx, &Kept{Status: int(row.Status), Type: row.Type, Body: row.Answer, Thing: row.Made}, nil
}

// EndOnce keeps the answer. It is called even when the caller has left.
func (s *Service) EndOnce(ctx context.Context, o Once, k Kept) error {
	err := s.store.KeepAnswer(context.WithoutCancel(ctx), db.KeepAnswerParams{
		Status: int32(k.Status), Type: k.Type, Answer: k.Body, Service: string(o.Service), Key: o.Key, BegunAt: o.begun, //nolint:gosec // an HTTP status
	})
	if err != nil {
		return fmt.Errorf("keep an answer: %w", err)
	}
	return nil
}

// AgainOnce lets a request that changed nothing be sent again under its key.
func (s *Service) AgainOnce(ctx context.Context, o Once) error {
	if err := s.store.ForgetOnce(context.WithoutCancel(ctx), string(o.Service), o.Key, o.begun); err != nil {
		return fmt.Errorf("idempotency key: %w", err)
	}
	return nil
}
