package authn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sceau/lifecycle"
	"sceau/store"
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
	patience      = 5 * time.Second // for what must be written though the caller has left
)

// VerifyCode tells whether a code is right, and spends it. The guess is counted
// before the engine is asked, so that a process that dies gives nobody another
// one; the right code clears the count. Two requests with the same code are
// told apart by the counter in the card's row: one wins.
func (s *Service) VerifyCode(ctx context.Context, a Attempt) (Accepted, error) {
	if err := a.check(s.policy); err != nil {
		return Accepted{}, err
	}
	cards, err := s.candidates(ctx, a)
	if err != nil {
		return Accepted{}, err
	}
	all, err := s.against(a, cards)
	if err != nil {
		return Accepted{}, err
	}
	counted, err := s.count(ctx, all)
	if err != nil {
		return Accepted{}, err
	}
	if len(counted) == 0 {
		if len(cards) > 0 {
			return Accepted{}, errLocked
		}
		return Accepted{}, ErrRefused
	}
	if err := s.ask(ctx, counted); err != nil {
		// Nobody guessed: the engine did not judge. The counts go back.
		return Accepted{}, errors.Join(err, s.giveBack(ctx, counted))
	}
	return s.judge(ctx, a, counted)
}

// candidate is a card that may have made the code, and what became of the code
// on it.
type candidate struct {
	card   db.Card
	check  Check
	answer Answer
}

// candidates are the cards that may have made the code for this purpose.
func (s *Service) candidates(ctx context.Context, a Attempt) ([]db.Card, error) {
	var cards []db.Card
	if a.Card != "" {
		card, err := s.store.Card(ctx, a.Card)
		if errors.Is(err, lifecycle.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("card %s: %w", a.Card, err)
		}
		cards = []db.Card{card}
	} else {
		holder, err := s.store.HolderByUser(ctx, a.ClientID, a.UserNumber)
		if errors.Is(err, lifecycle.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("user %s/%s: %w", a.ClientID, a.UserNumber, err)
		}
		if cards, err = s.store.CardsOfHolder(ctx, holder.ID); err != nil {
			return nil, fmt.Errorf("cards of holder %s: %w", holder.ID, err)
		}
	}
	var usable []db.Card
	for _, c := range cards {
		if s.usable(c, a.Purpose) && len(usable) < maxCandidates {
			usable = append(usable, c)
		}
	}
	return usable, nil
}

// usable tells whether a card may make a code for the purpose now. A card is
// good to the last day of its month, and one that was replaced until its grace
// ends.
func (s *Service) usable(c db.Card, p Purpose) bool {
	now := s.now()
	if !now.Before(c.Expiry.AddDate(0, 0, 1)) || c.UsableUntil != nil && now.After(*c.UsableUntil) {
		return false
	}
	if p == Activate {
		return c.State.Activatable()
	}
	return c.State.Usable()
}

func states(p Purpose) []string {
	if p != Activate {
		return []string{string(lifecycle.CardActive)}
	}
	var all []string
	for _, s := range lifecycle.Cards.States {
		if s.Activatable() {
			all = append(all, string(s))
		}
	}
	return all
}

// count counts the guess on each card that is not locked.
func (s *Service) count(ctx context.Context, all []candidate) ([]candidate, error) {
	var counted []candidate
	for _, c := range all {
		n, err := s.store.CountCAPAttempt(ctx, c.card.ID, int32(s.policy.MaxFailures))
		if err != nil {
			err = fmt.Errorf("count an attempt on card %s: %w", c.card.ID, err)
			return nil, errors.Join(err, s.giveBack(ctx, counted))
		}
		if n == 1 {
			counted = append(counted, c)
		}
	}
	return counted, nil
}

// ask has the engine judge the code on each card.
func (s *Service) ask(ctx context.Context, counted []candidate) error {
	checks := make([]Check, len(counted))
	for i, c := range counted {
		checks[i] = c.check
	}
	answers, err := s.verifier.VerifyCAP(ctx, checks)
	if err != nil {
		return engineError(err)
	}
	if len(answers) != len(counted) {
		return fmt.Errorf("%d codes were checked, %d asked", len(answers), len(counted))
	}
	for i := range counted {
		counted[i].answer = answers[i]
	}
	return nil
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

// giveBack undoes count where the engine was away, also when the caller has
// left.
func (s *Service) giveBack(ctx context.Context, cards []candidate) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var errs []error
	for _, c := range cards {
		if err := s.store.GiveBackCAPAttempt(ctx, c.card.ID); err != nil {
			errs = append(errs, fmt.Errorf("give back an attempt on card %s: %w", c.card.ID, err))
		}
	}
	return errors.Join(errs...)
}

// against makes the question about each card.
func (s *Service) against(a Attempt, cards []db.Card) ([]candidate, error) {
	all := make([]candidate, len(cards))
	for i, c := range cards {
		pan, err := s.safe.OpenPAN(c.ID, c.PANSealed)
		if err != nil {
			return nil, err // the row is wrong or the key is away, not the caller's fault
		}
		all[i] = candidate{card: c, check: Check{
			PAN: pan, PSN: int(c.PSN), Profile: c.Profile, Operation: a.Operation, LastATC: int(c.LastATC), Window: s.policy.Window,
		}}
		for _, n := range c.Scripts {
			all[i].check.Scripts = append(all[i].check.Scripts, int(n))
		}
	}
	return all, nil
}

// judge accepts the first card whose code is right and whose counter is still
// unspent. What the engine said is recorded also when the caller has left:
// nobody guesses unseen by hanging up.
func (s *Service) judge(ctx context.Context, a Attempt, tried []candidate) (Accepted, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	right := slices.IndexFunc(tried, func(c candidate) bool { return c.answer.Err == nil && c.answer.Valid })
	if right < 0 {
		return Accepted{}, s.refuse(ctx, a, tried)
	}
	err := s.spend(ctx, a, tried, right)
	if errors.Is(err, errSpent) { // another request spent it, or the card was stopped meanwhile
		return Accepted{}, s.refuse(ctx, a, tried)
	}
	if err != nil {
		return Accepted{}, err
	}
	c := tried[right]
	return Accepted{Card: c.card.ID, Holder: c.card.HolderID, ATC: c.answer.ATC}, nil
}

var errSpent = errors.New("the code is spent, or its card may not be used any more")

// spend burns the code's counter, gives the guess back on the holder's other
// cards and records it, together or not at all. Cards are locked in the order of
// their identifiers, by every request alike.
func (s *Service) spend(ctx context.Context, a Attempt, tried []candidate, right int) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		for i, c := range tried {
			if i != right {
				if err := tx.GiveBackCAPAttempt(ctx, c.card.ID); err != nil {
					return fmt.Errorf("give back an attempt on card %s: %w", c.card.ID, err)
				}
				continue
			}
			n, err := tx.BurnATC(ctx, db.BurnATCParams{
				ATC: int32(c.answer.ATC), Scripts: []int32{int32(c.answer.Scripts)}, ID: c.card.ID, PSN: c.card.PSN, States: states(a.Purpose),
			})
			if err != nil {
				return fmt.Errorf("spend the code of card %s: %w", c.card.ID, err)
			}
			if n != 1 {
				return errSpent
			}
			detail := map[string]string{"purpose": string(a.Purpose), "atc": strconv.Itoa(c.answer.ATC), "mode": a.Mode}
			if err := audit(ctx, tx.Queries, s.now(), a.By, c.card, acceptCode, detail); err != nil {
				return err
			}
		}
		return nil
	})
}

// refuse records the refusal on each card that was judged, and gives the guess
// back on one that the engine could not check: its error is the answer then.
func (s *Service) refuse(ctx context.Context, a Attempt, tried []candidate) error {
	var faults []error
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		for _, c := range tried {
			if c.answer.Err != nil {
				faults = append(faults, fmt.Errorf("card %s: %w", c.card.ID, engineError(c.answer.Err)))
				if err := tx.GiveBackCAPAttempt(ctx, c.card.ID); err != nil {
					return fmt.Errorf("give back an attempt on card %s: %w", c.card.ID, err)
				}
				continue
			}
			detail := map[string]string{"purpose": string(a.Purpose)}
			if err := audit(ctx, tx.Queries, s.now(), a.By, c.card, refuseCode, detail); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(faults) == 0 {
		return ErrRefused
	}
	return errors.Join(append(faults, err)...)
}
