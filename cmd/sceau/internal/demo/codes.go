package demo

import (
	"context"
	"errors"
	"fmt"

	"sceau/authn"
	"sceau/card"
	"sceau/hsm/emv"
	"sceau/lifecycle"
)

// showCodes has a holder use every key of the reader, play with it until its
// codes are refused, and guess until the card is locked.
func (d *demonstration) showCodes(ctx context.Context) error {
	h, err := d.activeCard(ctx, 5)
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context, *hand) error{d.signOperations, d.runAhead, d.lockCodes} {
		if err := part(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// typed makes a code over what the holder types.
func (h *hand) typed(ctx context.Context, what emv.Transaction) (string, error) {
	code, err := card.NewReader(h.chip).Code(ctx, h.pin, what)
	return code, errors.Join(err, h.chip.Save(h.path))
}

// ask asks the bank about a code at one of its doors, and gives its answer.
func (d *demonstration) ask(ctx context.Context, h *hand, path string, body map[string]any) (string, error) {
	var answer struct {
		Result string `json:"result"`
	}
	body["client_id"], body["user_number"] = h.holder.ClientID, h.holder.UserNumber
	err := d.online.Post(ctx, path, body, &answer)
	return answer.Result, err
}

// signOperations signs a challenge and a transfer's data, and tries to have
// another transfer pass for it.
func (d *demonstration) signOperations(ctx context.Context, h *hand) error {
	const verify = "/v1/cap/verify"
	for _, mode := range []emv.Mode{emv.Mode1, emv.Mode3} {
		code, err := h.typed(ctx, emv.Transaction{Mode: mode, Challenge: "20261125"})
		if err != nil {
			return err
		}
		result, err := d.ask(ctx, h, verify, map[string]any{"mode": mode, "code": code, "challenge": "20261125", "purpose": "sign"})
		d.screen.check(fmt.Sprintf("mode %s: a code signs the challenge that was typed", mode), errors.Join(err, equal(result, "accepted")))
	}
	code, err := h.typed(ctx, emv.Transaction{Mode: emv.Mode2TDS, TDS: []string{"299010009", "125000"}})
	if err != nil {
		return err
	}
	result, err := d.ask(ctx, h, verify, map[string]any{"mode": "2+tds", "code": code, "tds": []string{"299010009", "925000"}, "purpose": "sign"})
	d.screen.check("mode 2+TDS: another amount than the signed one is refused", errors.Join(err, equal(result, "refused")))
	result, err = d.ask(ctx, h, verify, map[string]any{"mode": "2+tds", "code": code, "tds": []string{"299010009", "125000"}, "purpose": "sign"})
	d.screen.check("mode 2+TDS: the account and amount that were signed are accepted", errors.Join(err, equal(result, "accepted")))
	if code, err = h.code(ctx, h.pin); err != nil {
		return err
	}
	_, err = d.ask(ctx, h, verify, map[string]any{"mode": "2", "code": code, "purpose": "sign"})
	d.screen.check("a code for signing in never signs", refused(err, lifecycle.Invalid))
	return nil
}

// runAhead makes so many codes that the next is beyond the window; two in a row
// bring the card back.
func (d *demonstration) runAhead(ctx context.Context, h *hand) error {
	for range authn.DefaultPolicy().Window + 1 {
		if _, err := h.code(ctx, h.pin); err != nil {
			return err
		}
	}
	first, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	next, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	result, err := d.verify(ctx, h.holder, first)
	d.screen.check("a card that ran far ahead is refused", errors.Join(err, equal(result, "refused")))
	result, err = d.ask(ctx, h, "/v1/cap/resync", map[string]any{"code": first, "next_code": next})
	d.screen.check("two of its codes in a row bring it back", errors.Join(err, equal(result, "accepted")))
	return nil
}

// lockCodes guesses until the card is locked, has staff look why, and unlock it.
func (d *demonstration) lockCodes(ctx context.Context, h *hand) error {
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	guess := string([]byte{code[0], code[1], code[2], code[3], code[4], code[5], code[6], '0' + (code[7]-'0'+1)%10})
	result := ""
	for range authn.DefaultPolicy().MaxFailures {
		if result, err = d.verify(ctx, h.holder, guess); err != nil {
			return err
		}
	}
	d.screen.check("each guess is refused, and not said why", equal(result, "refused"))
	result, err = d.verify(ctx, h.holder, code)
	d.screen.check("too many guesses lock the card for a right code too", errors.Join(err, equal(result, "locked")))
	codes, err := d.house.CodesDesk()
	if err != nil {
		return err
	}
	auditor, err := d.staff(ctx, lifecycle.RoleAuditor)
	if err != nil {
		return err
	}
	const shown = 6
	all, err := codes.Explain(ctx, auditor, h.ID, shown)
	if err != nil {
		return err
	}
	for _, j := range all {
		d.screen.note("%s, mode %s, after counter %d: counter %d, %d skipped, %d wrong in a row", j.Event, j.Mode, j.LastATC, j.ATC, j.Skipped, j.Failures)
	}
	back := all[len(all)-1] // the resynchronisation
	d.screen.check("staff see which counter matched and how many were skipped", errors.Join(
		equal(string(back.Event), "accept_code"), equal(back.Skipped > authn.DefaultPolicy().Window, true)))
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	d.screen.check("an auditor looks and unlocks nothing", refused(codes.Unlock(ctx, auditor, h.ID, "asked to"), lifecycle.Forbidden))
	if err := codes.Unlock(ctx, operator, h.ID, "holder called back at the number on record"); err != nil {
		return err
	}
	result, err = d.verify(ctx, h.holder, code)
	d.screen.check("unlocked by staff, the right code signs in", errors.Join(err, equal(result, "accepted")))
	return nil
}
