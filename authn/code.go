package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// ErrRefused is a code that is not accepted, whatever the reason.
var ErrRefused = fmt.Errorf("%w: the code is not accepted", lifecycle.Forbidden)

// errLocked is a card at which too many wrong codes were aimed.
var errLocked = fmt.Errorf("%w: too many wrong codes: the account manager can help", lifecycle.Locked)

// Accepted is a code that was right and is spent now.
type Accepted struct {
	Card   lifecycle.CardID
	Holder lifecycle.HolderID
	ATC    int
}

const (
	maxCandidates = 8               // cards of one user that a code is tried on
	maxTogether   = 100             // codes that are judged together
	patience      = 5 * time.Second // for each statement and call that several wait for
)

// VerifyCode tells whether a code is right, and spends it. The guess is counted
// before the engine is asked, so that a process that dies gives nobody another
// one; the right code clears the count. Two requests with the same code are
// told apart by the counter in the card's row: one wins. Codes that arrive
// together are judged together, each card's one after the other, and one that
// was judged stays on record though its caller has left.
func (s *Service) VerifyCode(ctx context.Context, a Attempt) (Accepted, error) {
	if err := a.check(s.policy); err != nil {
		return Accepted{}, err
	}
	cards, err := s.candidates(ctx, a)
	if err != nil {
		return Accepted{}, err
	}
	release, err := s.turns.take(ctx, cards)
	if err != nil {
		return Accepted{}, err
	}
	defer release()
	verdicts, err := s.judging.Ask(ctx, question{a, cards, s.policy.Window})
	if err != nil {
		return Accepted{}, err
	}
	return verdicts[0].accepted, verdicts[0].err
}

// Resynchronise is [Service.VerifyCode] for a card whose counter ran ahead of the
// window: it takes two codes that the reader showed one right after the other, in
// the same mode with the same data, and looks much further. Both are spent.
func (s *Service) Resynchronise(ctx context.Context, a Attempt, next string) (Accepted, error) {
	var errs lifecycle.FieldErrors
	errs.Merge(a.check(s.policy))
	if !isCode(next) {
		errs.Add("next_code", "a code has 8 digits: type what the reader shows the second time")
	} else if next == a.Code {
		errs.Add("next_code", "is the first code again: have the reader make another one")
	}
	if err := errs.Err(); err != nil {
		return Accepted{}, err
	}
	cards, err := s.candidates(ctx, a)
	if err != nil {
		return Accepted{}, err
	}
	release, err := s.turns.take(ctx, cards)
	if err != nil {
		return Accepted{}, err
	}
	defer release()
	verdicts, err := s.judge(context.WithoutCancel(ctx), []question{{a, cards, s.policy.ResyncWindow}}, func(ctx context.Context, checks []Check) ([]Answer, error) {
		answers := make([]Answer, len(checks))
		for i, c := range checks {
			var err error
			if answers[i], err = s.verifier.ResyncCAP(ctx, c, next); err != nil {
				return nil, err
			}
		}
		return answers, nil
	})
	if err != nil {
		return Accepted{}, err
	}
	return verdicts[0].accepted, verdicts[0].err
}

// candidates are the cards that may have made the code for its purpose, in the
// order of their identifiers. Those who ask at the same time share a query.
func (s *Service) candidates(ctx context.Context, a Attempt) ([]lifecycle.CardID, error) {
	found, err := s.finding.Ask(ctx, a)
	if err != nil {
		return nil, err
	}
	var usable []lifecycle.CardID
	for _, c := range found[0] {
		if s.usable(c, a.Purpose) && len(usable) < maxCandidates {
			usable = append(usable, c.ID)
		}
	}
	return usable, nil
}

// find looks for the cards of several attempts.
func (s *Service) find(ctx context.Context, attempts []Attempt) ([][]db.CandidateCardsRow, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var p db.CandidateCardsParams
	for i, a := range attempts {
		p.Asks, p.Cards = append(p.Asks, int32(i)), append(p.Cards, string(a.Card)) //nolint:gosec // at most maxTogether
		p.ClientIDs, p.UserNumbers = append(p.ClientIDs, a.ClientID), append(p.UserNumbers, a.UserNumber)
	}
	rows, err := s.store.CandidateCards(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("look for the cards of a code: %w", err)
	}
	found := make([][]db.CandidateCardsRow, len(attempts))
	for _, r := range rows {
		found[r.Ask] = append(found[r.Ask], r)
	}
	return found, nil
}

// usable tells whether a card may make a code for the purpose now. A card is
// good to the last day of its month, and one that was replaced until its grace
// ends.
func (s *Service) usable(c db.CandidateCardsRow, p Purpose) bool {
	now := s.now()
	if !now.Before(c.Expiry.AddDate(0, 0, 1)) || c.UsableUntil != nil && now.After(*c.UsableUntil) {
		return false
	}
	if p == Activate {
		return c.State.Activatable()
	}
	return c.State.Usable()
}

// engineError keeps of the engine's error what a caller can act on: to try
// later. Its other kinds are about keys, profiles and tokens of this house, and
// would read as an answer about the code.
func engineError(err error) error {
	if errors.Is(err, lifecycle.Unavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("check a code: %w", err)
	}
	return errors.New("check a code: " + err.Error())
}
