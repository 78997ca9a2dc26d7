// Package decision answers relying services whether an operation goes through: allow,
// needs strong authentication, or refuse, by the settings that hold, the entitlements
// of the user, and what went out before. Each answer is counted once, under the locks
// of the company's, the user's and the account's counters, and kept under the caller's
// reference of the operation.
//
// It never changes a setting, an entitlement or an authentication's state, and knows
// no rule: settings does. Data runs web → decision → store.
package decision

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"sceau/gather"
	"sceau/lifecycle"
	"sceau/settings"
	"sceau/store"
)

// Question is an operation on which a relying service asks.
type Question struct {
	By         lifecycle.Actor
	Operation  string // the caller's reference: the same one gets the same answer
	ClientID   string
	UserNumber string // "" of a direct debit or a card
	Facts      settings.Facts
	Signatures []lifecycle.AuthenticationID // accepted, each over exactly these facts
}

// Answer is the decision. One that needs a signature is not kept: the caller asks
// again with it.
type Answer struct {
	settings.Verdict

	Again   bool // it was decided before
	Decided time.Time
}

// Service decides. Its methods are safe for concurrent use.
type Service struct {
	store  *store.Store
	now    func() time.Time
	asking gather.Calls[Question, outcome]
}

// outcome is an answer, or why this one question has none.
type outcome struct {
	answer Answer
	err    error
}

// maxTogether are the questions that share a transaction.
const maxTogether = 128

// patience is how long the database may take.
const patience = 5 * time.Second

// New makes the service.
func New(st *store.Store, now func() time.Time) (*Service, error) {
	if st == nil || now == nil {
		return nil, fmt.Errorf("%w: decisions need a store and a clock", lifecycle.Invalid)
	}
	s := &Service{store: st, now: func() time.Time { return now().UTC().Truncate(time.Microsecond) }}
	s.asking.Doing, s.asking.Most, s.asking.Call = "decide", maxTogether, s.decide
	return s, nil
}

var (
	operationForm = regexp.MustCompile(`^[A-Za-z0-9._:/+-]{1,64}$`)
	clientForm    = regexp.MustCompile(`^[0-9]{8}$`)
	userForm      = regexp.MustCompile(`^[0-9]{4}$`)
)

const maxSignatures = 5

// Decide answers. Of the same operation, asked again with the same facts, the answer
// is the first; with others it is [lifecycle.Conflict].
func (s *Service) Decide(ctx context.Context, q Question) (Answer, error) {
	var errs lifecycle.FieldErrors
	if !operationForm.MatchString(q.Operation) {
		errs.Add("operation", "has 1 to 64 letters, digits and . _ : / + -")
	}
	if !clientForm.MatchString(q.ClientID) {
		errs.Add("client_id", "has 8 digits")
	}
	if (q.UserNumber != "" || q.Facts.Kind.Initiated()) && !userForm.MatchString(q.UserNumber) {
		errs.Add("user_number", "has 4 digits; a direct debit or a card may leave it out")
	}
	if len(q.Signatures) > maxSignatures {
		errs.Add("signatures", "are 5 at most")
	}
	for _, id := range q.Signatures {
		if lifecycle.CheckID(lifecycle.PrefixAuthentication, string(id)) != nil {
			errs.Add("signatures", "are identifiers of operations that were signed")
			break
		}
	}
	errs.Merge(q.Facts.Check())
	if err := errs.Err(); err != nil {
		return Answer{}, err
	}
	got, err := s.asking.Ask(ctx, q)
	if err != nil {
		return Answer{}, fmt.Errorf("decide: %w", err)
	}
	return got[0].answer, got[0].err
}

// errTwice is that an operation was decided by somebody else in the same moment.
var errTwice = errors.New("an operation was decided meanwhile")

// decide answers questions together, in one transaction; when one of them meets its
// twin of another process, one by one.
func (s *Service) decide(ctx context.Context, questions []Question) ([]outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	outcomes, err := s.together(ctx, questions)
	if !errors.Is(err, errTwice) {
		return outcomes, err
	}
	outcomes = make([]outcome, len(questions))
	for i, q := range questions {
		one, err := s.together(ctx, []Question{q})
		if errors.Is(err, errTwice) { // it is there now
			one, err = s.together(ctx, []Question{q})
		}
		if err != nil {
			outcomes[i].err = fmt.Errorf("decide %s: %w", q.Operation, err)
			continue
		}
		outcomes[i] = one[0]
	}
	return outcomes, nil
}

func (s *Service) together(ctx context.Context, questions []Question) ([]outcome, error) {
	var outcomes []outcome
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		c := &court{Tx: tx, at: s.now(), cases: make([]*matter, len(questions))}
		for i, q := range questions {
			c.cases[i] = &matter{Question: q, sum: q.sum()}
		}
		for _, step := range []func(context.Context) error{c.users, c.values, c.counters, c.before, c.signatures} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		if err := c.judge(); err != nil {
			return err
		}
		outcomes = make([]outcome, len(c.cases))
		for i, m := range c.cases {
			outcomes[i] = m.outcome
		}
		return c.record(ctx)
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// sum is the SHA-256 of whose operation it is and all that is said of it, but for the
// signatures: they come later.
func (q Question) sum() [32]byte {
	text, err := json.Marshal(struct {
		Client, User string
		Facts        settings.Facts
	}{q.ClientID, q.UserNumber, q.Facts})
	if err != nil {
		return [32]byte{} // texts and numbers only: cannot happen
	}
	return sha256.Sum256(text)
}
