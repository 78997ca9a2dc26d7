package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sceau/card"
	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
)

// orderLives shows what orders and cards can do besides: each of its parts leaves
// the house as the next acts expect it.
func (d *demonstration) orderLives(ctx context.Context) error {
	for _, part := range []func(context.Context) error{d.showProducts, d.registerBankCard, d.suspendCard, d.waiveFee, d.showNumber, d.exportFees} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demonstration) showProducts(ctx context.Context) error {
	products, err := d.house.Service.Products(ctx)
	if err != nil {
		return err
	}
	for _, p := range products {
		d.screen.note("%s: %s, profile %s, bitmap %s, PIN of %d digits, %d months", p.Code, p.Kind, p.CAPProfile, p.IPB, p.PINLength, p.Validity)
	}
	d.screen.check("the bank's products are those of its file", equal(len(products), len(d.bank.Products)))
	return nil
}

// registerBankCard takes in a card that the bank's card system made, under the
// same master keys, and signs its holder in with it.
func (d *demonstration) registerBankCard(ctx context.Context) error {
	owner, err := d.activeCard(ctx, 2)
	if err != nil {
		return err
	}
	const body = "979999000000042"
	pan, err := lifecycle.NewPAN(body + string(lifecycle.LuhnDigit(body)))
	if err != nil {
		return err
	}
	made := issuance.RegisteredCard{PAN: pan, PSN: 1, Expiry: d.clock.Now().AddDate(2, 0, 0)}
	chip, pin, err := d.cardSystem(ctx, made)
	if err != nil {
		return err
	}
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	order, err := d.house.Service.Submit(ctx, manager, issuance.OrderRequest{
		Kind: lifecycle.OrderRegistration, Holder: owner.Holder, Product: "bank-card", Registers: &made,
	})
	if err != nil {
		return err
	}
	content, err := d.house.Service.ShowOrder(ctx, order)
	if err != nil {
		return err
	}
	d.screen.note("registers the card ending in %s, fee %d cents", content.Registers, content.FeeCents)
	if err := d.approve(ctx, []issuance.OrderContent{content}); err != nil {
		return err
	}
	view, err := d.house.Service.Order(ctx, order)
	if err != nil {
		return err
	}
	bankCard := &hand{CardView: *view.Card, holder: owner.holder, pin: pin, chip: chip, path: d.bankCardImage()}
	if err := d.activate(ctx, bankCard); err != nil {
		return err
	}
	code, err := bankCard.code(ctx, pin)
	if err != nil {
		return err
	}
	result, err := d.verify(ctx, owner.holder, code)
	d.screen.check("a professional bank card, registered from its number, signs in by CAP", errors.Join(err, equal(result, "accepted")))
	return nil
}

// cardSystem makes a card as the bank's card system does, which shares the master
// keys.
func (d *demonstration) cardSystem(ctx context.Context, c issuance.RegisteredCard) (*card.Simulated, lifecycle.PIN, error) {
	id := lifecycle.CardID(lifecycle.NewID(lifecycle.PrefixCard, d.clock.Now(), 1))
	made, err := d.vaults.worker.Personalise(ctx, hsm.PersonaliseRequest{
		Attempt: lifecycle.AttemptID(lifecycle.NewID(lifecycle.PrefixAttempt, d.clock.Now(), 1)), Profile: "securaccess",
		TransportKey: house.DefaultTransportKey, Cards: []hsm.CardToPersonalise{{Card: id, PINVersion: 1, PAN: c.PAN, PSN: c.PSN, Expiry: c.Expiry}},
	})
	if err != nil {
		return nil, lifecycle.PIN{}, err
	}
	chip, err := card.FromDGIs(id, made[0].DGIs, d.transport)
	if err != nil {
		return nil, lifecycle.PIN{}, err
	}
	pin, err := d.vaults.pins.ReleasePIN(ctx, hsm.PINRelease{
		Card: id, PINVersion: 1, Letter: lifecycle.PINLetterID(lifecycle.NewID(lifecycle.PrefixPINLetter, d.clock.Now(), 1)),
	})
	return chip, pin, err
}

func (d *demonstration) bankCardImage() string {
	return filepath.Join(d.folder, "bureau", "bank-card.json")
}

// suspendCard has the bank suspend what its holder suspended: the holder cannot
// lift it any more.
func (d *demonstration) suspendCard(ctx context.Context) error {
	h, err := d.activeCard(ctx, 3)
	if err != nil {
		return err
	}
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	holder := lifecycle.Actor{ID: string(h.Holder), Role: lifecycle.RoleHolder}
	code, err := h.code(ctx, h.pin)
	if err != nil {
		return err
	}
	if err := d.house.Service.Suspend(ctx, holder, h.ID); err != nil {
		return err
	}
	told := time.Now()
	result, err := d.verify(ctx, h.holder, code)
	d.screen.check("a suspended card is refused within a second", errors.Join(err, equal(result, "refused"), equal(time.Since(told) < time.Second, true)))
	if err := d.house.Service.Suspend(ctx, operator, h.ID); err != nil {
		return err
	}
	d.screen.check("its holder cannot lift what the bank suspended", refused(d.house.Service.Resume(ctx, holder, h.ID), lifecycle.Forbidden))
	stranger := lifecycle.Actor{ID: "H-0000000000000000", Role: lifecycle.RoleHolder}
	_, err = d.house.Service.Oppose(ctx, stranger, h.ID, lifecycle.CardLost)
	d.screen.check("nobody opposes another holder's card", refused(err, lifecycle.Forbidden))
	if err := d.house.Service.Resume(ctx, operator, h.ID); err != nil {
		return err
	}
	result, err = d.verify(ctx, h.holder, code)
	d.screen.check("lifted by the bank, the card works on", errors.Join(err, equal(result, "accepted")))
	return nil
}

// waiveFee orders a renewal with a reader whose fee is waived, and looks at what
// the approver is shown; it is cancelled again.
func (d *demonstration) waiveFee(ctx context.Context) error {
	h, err := d.activeCard(ctx, 4)
	if err != nil {
		return err
	}
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	request := issuance.OrderRequest{
		Kind: lifecycle.OrderRenewal, TargetCard: h.ID, Delivery: lifecycle.DeliverHome, WithReader: true, Waiver: "twenty years a client",
	}
	order, err := d.house.Service.Submit(ctx, manager, request)
	if err != nil {
		return err
	}
	content, err := d.house.Service.ShowOrder(ctx, order)
	if err != nil {
		return err
	}
	d.screen.note("renewal with a reader, %d cents, waived because: %s; flags %v", content.FeeCents+content.ReaderFeeCents, content.Waiver, content.Flags)
	d.screen.check("the approver is shown the waiver and that it is a second card", errors.Join(
		equal(content.Waiver, request.Waiver), equal(fmt.Sprint(content.Flags), "[second_card]")))
	_, err = d.house.Service.Submit(ctx, manager, request)
	d.screen.check("a card is replaced by one card at a time", refused(err, lifecycle.Conflict))
	return d.house.Service.Cancel(ctx, manager, order, "only shown")
}

// showNumber opens a card's number, on record.
func (d *demonstration) showNumber(ctx context.Context) error {
	h, err := d.activeCard(ctx, 0)
	if err != nil {
		return err
	}
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	_, err = d.house.Service.ShowPAN(ctx, operator, h.ID, "curiosity")
	d.screen.check("an operator sees four digits of a card number and no more", refused(err, lifecycle.Forbidden))
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	pan, err := d.house.Service.ShowPAN(ctx, officer, h.ID, "asked by the fraud desk")
	if err != nil {
		return err
	}
	trail, err := d.house.Service.AuditOf(ctx, string(h.ID))
	if err != nil {
		return err
	}
	last := trail[len(trail)-1]
	d.screen.check("a security officer is shown all of them, and the trail says so", errors.Join(
		equal(pan.Last4(), h.Last4), equal(last.Event, string(lifecycle.ShowPAN)), equal(last.Actor, officer.ID)))
	return nil
}

// exportFees writes what accounting gets.
func (d *demonstration) exportFees(ctx context.Context) error {
	var out bytes.Buffer
	to := d.clock.Now().Add(time.Hour)
	lines, err := d.house.Service.ExportFees(ctx, to.AddDate(0, -2, 0), to, &out)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.folder, "fees.csv"), out.Bytes(), 0o600); err != nil {
		return fmt.Errorf("keep the fees: %w", err)
	}
	d.screen.note("%d fees for accounting in %s", lines, filepath.Join(d.folder, "fees.csv"))
	d.screen.check("the fees of completed orders go to accounting", equal(lines > wantCards, true))
	return nil
}
