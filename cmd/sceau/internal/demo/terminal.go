package demo

import (
	"context"
	"errors"

	"sceau/card"
	"sceau/issuance"
	"sceau/lifecycle"
)

// changePIN gives a card another PIN at the branch, which its holder reads in a
// letter.
func (d *demonstration) changePIN(ctx context.Context) error {
	h, err := d.activeCard(ctx, 2)
	if err != nil {
		return err
	}
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	_, err = d.house.Service.Submit(ctx, manager, issuance.OrderRequest{Kind: lifecycle.OrderPINChange, TargetCard: h.ID})
	d.screen.check("no PIN is changed without proof of who asks", refused(err, lifecycle.Invalid))
	order, err := d.house.Service.Submit(ctx, manager, issuance.OrderRequest{
		Kind: lifecycle.OrderPINChange, TargetCard: h.ID, Identity: "identity_card 0QZ9", BranchCode: d.bank.Branches[0].Code,
	})
	if err != nil {
		return err
	}
	content, err := d.house.Service.ShowOrder(ctx, order)
	if err != nil {
		return err
	}
	if err := d.approve(ctx, []issuance.OrderContent{content}); err != nil {
		return err
	}
	if _, err := d.terminal.Script(ctx, order, card.NewReader(h.chip)); err != nil {
		return err
	}
	_, err = h.code(ctx, h.pin)
	var wrong *card.WrongPINError
	if !errors.As(err, &wrong) {
		err = errors.Join(errors.New("the old PIN was taken"), err)
	} else {
		err = nil
	}
	d.screen.check("the card's old PIN is wrong after the script", err)
	return d.newPINByLetter(ctx, h)
}

func (d *demonstration) newPINByLetter(ctx context.Context, h *hand) error {
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	if err := d.printAll(ctx, operator, lifecycle.PrintPIN); err != nil {
		return err
	}
	if _, err := d.house.Service.PostLetters(ctx); err != nil {
		return err
	}
	view, err := d.house.Service.Card(ctx, h.ID)
	if err != nil {
		return err
	}
	d.screen.check("the new PIN has a letter of its own", equal(view.PINLetter != h.PINLetter, true))
	if h.pin, err = readPIN(ctx, d.pinLetter(view.PINLetter)); err != nil {
		return err
	}
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	result, err := d.verify(ctx, h.holder, code)
	d.screen.check("the PIN of the new letter works, and its code signs in", errors.Join(err, equal(result, "accepted")))
	return nil
}
