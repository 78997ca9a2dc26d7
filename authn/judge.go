package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"sceau/lifecycle"
	"sceau/store/db"
)

// question is a code with the cards that may have made it. No two questions that
// are judged together have a card in common: see turns.
type question struct {
	Attempt

	cards  []lifecycle.CardID
	window int // counters after the last that are tried
}

// verdict is what became of a code.
type verdict struct {
	accepted Accepted
	err      error
}

// judged is a card that a code was tried on.
type judged struct {
	row    db.CountCAPAttemptsRow
	check  Check
	answer Answer
}

// trial is a question on its way through the engine.
type trial struct {
	question

	locked bool     // each of its cards is
	tried  []judged // the cards that are not
	fault  error    // nobody could judge
}

// judge counts a guess on each card, has the engine judge all codes in one call,
// and records what it said: three steps, however many codes they are. A code
// without a card that counts costs its caller the same time: it is judged in vain.
func (s *Service) judge(ctx context.Context, questions []question, ask func(context.Context, []Check) ([]Answer, error)) ([]verdict, error) {
	trials, err := s.count(ctx, questions)
	if err != nil {
		return nil, err
	}
	if err := s.try(ctx, trials, ask); err != nil {
		// Nobody guessed: the engine did not judge. The counts go back.
		return nil, errors.Join(err, s.giveBack(ctx, trials))
	}
	spent, err := s.record(ctx, trials)
	if err != nil {
		return nil, err
	}
	verdicts := make([]verdict, len(trials))
	for i := range trials {
		verdicts[i] = trials[i].verdict(spent)
	}
	return verdicts, nil
}

// count counts the guesses, in one statement.
func (s *Service) count(ctx context.Context, questions []question) ([]trial, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var ids []string
	for _, q := range questions {
		for _, id := range q.cards {
			ids = append(ids, string(id))
		}
	}
	rows, err := s.store.CountCAPAttempts(ctx, ids, int32(s.policy.MaxFailures)) //nolint:gosec // a small number of the configuration
	if err != nil {
		return nil, fmt.Errorf("count guesses: %w", err)
	}
	byID := make(map[lifecycle.CardID]db.CountCAPAttemptsRow, len(rows))
	for _, r := range rows {
		byID[lifecycle.CardID(r.ID)] = r
	}
	trials := make([]trial, len(questions))
	for i, q := range questions {
		t := &trials[i]
		t.question, t.locked = q, len(q.cards) > 0
		for _, id := range q.cards {
			row, ok := byID[id]
			if !ok || !row.Counted {
				continue
			}
			t.locked = false
			j := judged{row: row}
			if j.check, err = s.about(q, row); err != nil {
				t.fault = err // the row is wrong, or the key is away: not the caller's fault
			}
			t.tried = append(t.tried, j)
		}
	}
	return trials, nil
}

// about makes the question about a card.
func (s *Service) about(q question, row db.CountCAPAttemptsRow) (Check, error) {
	pan, err := s.safe.OpenPAN(lifecycle.CardID(row.ID), row.PANSealed)
	if err != nil {
		return Check{}, err
	}
	c := Check{
		PAN: pan, PSN: int(row.PSN), Profile: row.Profile, Operation: q.Operation, LastATC: int(row.LastATC), Window: q.window,
	}
	for _, n := range row.Scripts {
		c.Scripts = append(c.Scripts, int(n))
	}
	return c, nil
}

// try has the engine judge the codes.
func (s *Service) try(ctx context.Context, trials []trial, ask func(context.Context, []Check) ([]Answer, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var checks []Check
	for _, t := range trials {
		if t.fault == nil && len(t.tried) == 0 {
			checks = append(checks, s.decoy(t.question))
		}
		for _, j := range t.tried {
			if t.fault == nil {
				checks = append(checks, j.check)
			}
		}
	}
	if len(checks) == 0 {
		return nil
	}
	answers, err := ask(ctx, checks)
	if err != nil {
		return engineError(err)
	}
	if len(answers) != len(checks) {
		return fmt.Errorf("%d codes were checked, %d asked", len(answers), len(checks))
	}
	for i := range trials {
		t := &trials[i]
		if t.fault == nil && len(t.tried) == 0 {
			answers = answers[1:]
		}
		for n := range t.tried {
			if t.fault == nil {
				t.tried[n].answer, answers = answers[0], answers[1:]
			}
		}
	}
	return nil
}

// decoy is a question about a card that nobody has.
func (s *Service) decoy(q question) Check {
	return Check{PAN: s.nobody, PSN: 1, Profile: s.policy.Profile, Operation: q.Operation, Window: q.window, Scripts: []int{0}}
}

// giveBack undoes count where the engine was away.
func (s *Service) giveBack(ctx context.Context, trials []trial) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var ids []string
	for _, t := range trials {
		for _, j := range t.tried {
			ids = append(ids, j.row.ID)
		}
	}
	if err := s.store.GiveBackCAPAttempts(ctx, ids); err != nil {
		return fmt.Errorf("give guesses back: %w", err)
	}
	return nil
}

// right is the first card whose code is right, -1 for none.
func (t trial) right() int {
	return slices.IndexFunc(t.tried, func(j judged) bool { return t.fault == nil && j.answer.Err == nil && j.answer.Valid })
}

// record burns the counters of right codes, gives the guesses back on their
// holders' other cards and on cards that could not be judged, and writes the
// trail: all in one statement, together or not at all.
func (s *Service) record(ctx context.Context, trials []trial) (spent map[lifecycle.CardID]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p := db.RecordCAPAttemptsParams{
		Usable: states(lifecycle.CardState.Usable), Activatable: states(lifecycle.CardState.Activatable),
		At: s.now(), AcceptEvent: string(acceptCode), RefuseEvent: string(refuseCode),
	}
	for _, t := range trials {
		rightID, right := "", t.right()
		if right >= 0 {
			rightID = t.tried[right].row.ID
		}
		for _, j := range t.tried {
			accepted, refused, err := told(t.question, j)
			if err != nil {
				return nil, err
			}
			p.IDs, p.RightIDs = append(p.IDs, j.row.ID), append(p.RightIDs, rightID)
			p.Unjudged = append(p.Unjudged, t.fault != nil || j.answer.Err != nil)
			p.PSNs, p.ATCs = append(p.PSNs, j.row.PSN), append(p.ATCs, int32(j.answer.ATC)) //nolint:gosec // two bytes on the card
			p.ScriptCounts = append(p.ScriptCounts, int32(j.answer.Scripts))                //nolint:gosec // half a byte on the card
			p.Activations, p.States = append(p.Activations, t.Purpose == Activate), append(p.States, string(j.row.State))
			p.Actors, p.Roles = append(p.Actors, t.By.ID), append(p.Roles, string(t.By.Role))
			p.Accepted, p.Refused = append(p.Accepted, accepted), append(p.Refused, refused)
		}
	}
	ids, err := s.store.RecordCAPAttempts(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("record codes: %w", err)
	}
	spent = make(map[lifecycle.CardID]bool, len(ids))
	for _, id := range ids {
		spent[lifecycle.CardID(id)] = true
	}
	return spent, nil
}

// told is what the trail says of a code on a card, accepted and refused: enough
// to explain it to staff, and nothing of the code.
func told(q question, j judged) (accepted, refused string, err error) {
	detail := map[string]string{
		"purpose": string(q.Purpose), "mode": q.Mode, "last_atc": strconv.Itoa(int(j.row.LastATC)), "window": strconv.Itoa(q.window),
	}
	no, err := json.Marshal(withPair(detail, "failures", strconv.Itoa(int(j.row.CAPFailures)+1)))
	if err != nil {
		return "", "", fmt.Errorf("audit card %s: %w", j.row.ID, err)
	}
	yes, err := json.Marshal(withPair(detail, "atc", strconv.Itoa(j.answer.ATC)))
	if err != nil {
		return "", "", fmt.Errorf("audit card %s: %w", j.row.ID, err)
	}
	return string(yes), string(no), nil
}

// verdict tells the caller: accepted, refused, locked, or that nobody judged.
func (t trial) verdict(spent map[lifecycle.CardID]bool) verdict {
	if t.fault != nil {
		return verdict{err: t.fault}
	}
	if t.locked {
		return verdict{err: errLocked}
	}
	if right := t.right(); right >= 0 {
		// A code that another request spent, or whose card was stopped meanwhile, is
		// refused like a wrong one.
		if j := t.tried[right]; spent[lifecycle.CardID(j.row.ID)] {
			return verdict{accepted: Accepted{Card: lifecycle.CardID(j.row.ID), Holder: j.row.HolderID, ATC: j.answer.ATC}}
		}
	}
	var faults []error
	for _, j := range t.tried {
		if j.answer.Err != nil {
			faults = append(faults, fmt.Errorf("card %s: %w", j.row.ID, engineError(j.answer.Err)))
		}
	}
	if len(faults) > 0 {
		return verdict{err: errors.Join(faults...)}
	}
	return verdict{err: ErrRefused}
}

func states(which func(lifecycle.CardState) bool) []string {
	var all []string
	for _, s := range lifecycle.Cards.States {
		if which(s) {
			all = append(all, string(s))
		}
	}
	return all
}
