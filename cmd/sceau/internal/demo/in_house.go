package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sceau/card"
	"sceau/cmd/sceau/internal/house"
	"sceau/hsm"
	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
	"sceau/issuance"
	"sceau/lifecycle"
)

// shareChipKey has two custodians enter the master key of blank chips, which their
// maker shares: it plays both. Its copy stays beside Vault, whose key outlives a
// demonstration too.
func (d *demonstration) shareChipKey(ctx context.Context) error {
	path := filepath.Join(d.options.Dir, "chip-maker.key")
	info, err := d.vaults.online.KeyInfo(ctx, house.DefaultPersoKey)
	if err != nil && !errors.Is(err, lifecycle.NotFound) {
		return err
	}
	there := err == nil
	if text, err := os.ReadFile(path); err == nil && there { //nolint:gosec // of this environment
		d.chipMaster, _ = crypt.ParseHex(string(text))
		if kcv, err := keyblock.CheckValueAES(d.chipMaster); err == nil && kcv == info.KCV {
			return nil
		}
	}
	d.chipMaster = make([]byte, 32)
	for i, custodian := range []*hsm.Client{d.vaults.custodian1, d.vaults.custodian2} {
		component := make([]byte, len(d.chipMaster))
		_, _ = rand.Read(component) // never fails since Go 1.24: it ends the process instead
		for j, b := range component {
			d.chipMaster[j] ^= b
		}
		kcv, err := keyblock.CheckValueAES(component)
		if err != nil {
			return err
		}
		if _, _, err := custodian.EnterComponent(ctx, hsm.KeyComponent{
			Key: house.DefaultPersoKey, Usage: hsm.UsageIMKPerso, Algorithm: "aes256", Index: i + 1, Total: 2,
			Component: fmt.Sprintf("%X", component), KCV: kcv, Rotate: there,
		}); err != nil {
			return err
		}
	}
	if err := os.WriteFile(path, []byte(fmt.Sprintf("%X", d.chipMaster)), 0o600); err != nil {
		return fmt.Errorf("keep the chip maker's key: %w", err)
	}
	return nil
}

// blankChip is one as its maker delivers it to the branch.
func (d *demonstration) blankChip() (*card.Simulated, string, error) {
	var serial [10]byte
	_, _ = rand.Read(serial[:]) // never fails since Go 1.24: it ends the process instead
	chip, err := card.NewBlank(bytes.Clone(d.chipMaster), serial)
	return chip, crypt.Hex(serial[:]).String(), err
}

// shaky is a reader out of which the card is pulled after some commands.
type shaky struct {
	card.Transport

	left int
}

var errPulled = errors.New("the card was pulled out")

// Transmit passes commands on while there are some left.
func (s *shaky) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if s.left--; s.left < 0 {
		return nil, errPulled
	}
	return s.Transport.Transmit(ctx, command)
}

// personaliseInHouse replaces a damaged card while its holder waits at the branch:
// the first chip is pulled out and given up, the second becomes the card.
func (d *demonstration) personaliseInHouse(ctx context.Context) error {
	damaged, err := d.activeCard(ctx, 6)
	if err != nil {
		return err
	}
	manager, err := d.staff(ctx, lifecycle.RoleAccountManager)
	if err != nil {
		return err
	}
	order, err := d.house.Service.Submit(ctx, manager, issuance.OrderRequest{
		Kind: lifecycle.OrderReplacementCard, TargetCard: damaged.ID, Reason: lifecycle.CardDamaged,
		Delivery: lifecycle.DeliverBranch, BranchCode: d.bank.Branches[0].Code, InHouse: true,
	})
	if err != nil {
		return err
	}
	first, firstSerial, err := d.blankChip()
	if err != nil {
		return err
	}
	_, err = d.desk.Personalise(ctx, order, card.NewReader(first))
	d.screen.check("no chip is written before a second person has approved", refused(err, lifecycle.Conflict))
	content, err := d.house.Service.ShowOrder(ctx, order)
	if err != nil {
		return err
	}
	if err := d.approve(ctx, []issuance.OrderContent{content}); err != nil {
		return err
	}
	stranger, err := card.NewBlank(bytes.Repeat([]byte{1}, 32), [10]byte{})
	if err != nil {
		return err
	}
	_, err = d.desk.Personalise(ctx, order, card.NewReader(stranger))
	d.screen.check("a chip of another maker is not written", refused(err, lifecycle.Invalid))
	const afterSome = 5
	_, err = d.desk.Personalise(ctx, order, card.NewReader(&shaky{first, afterSome}))
	first.Remove()
	if !errors.Is(err, errPulled) || !first.Status().Blank {
		return errors.Join(errors.New("a chip that is pulled out in the middle is not blank any more"), err)
	}
	second, serial, err := d.blankChip()
	if err != nil {
		return err
	}
	_, err = d.desk.Personalise(ctx, order, card.NewReader(second))
	d.screen.check("a second chip is not written while the first may still live", refused(err, lifecycle.Conflict))
	if err := d.desk.SpoilChip(ctx, order, "pulled out, and dropped"); err != nil {
		return err
	}
	_, err = d.desk.Personalise(ctx, order, card.NewReader(first))
	d.screen.check("a chip that was given up is not written again", refused(err, lifecycle.Conflict))
	const all = 10 // two that open the chip, eight of the bank's
	_, err = d.desk.Personalise(ctx, order, card.NewReader(&shaky{second, all}))
	second.Remove()
	if !errors.Is(err, errPulled) || second.Status().Blank {
		return errors.Join(errors.New("a chip that is pulled out behind its last command is blank still"), err)
	}
	_, err = d.desk.Personalise(ctx, order, card.NewReader(damaged.chip))
	d.screen.check("another card in the reader proves nothing", refused(err, lifecycle.Conflict))
	made, err := d.desk.Personalise(ctx, order, card.NewReader(second))
	d.screen.check("a chip that was finished when the terminal died proves itself", err)
	if err != nil {
		return err
	}
	chips, err := d.house.Service.Chips(ctx, order)
	if err != nil {
		return err
	}
	d.screen.check("both chips are on record, the spoiled one as evidence", errors.Join(
		equal(len(chips), 2), equal(chips[0].Serial+" "+chips[0].Result, firstSerial+" spoiled"), equal(chips[1].Serial+" "+chips[1].Result, serial+" made")))
	if err := second.Save(d.cardImage(made.Card)); err != nil {
		return err
	}
	return d.useInHouse(ctx, order)
}

// useInHouse lets the holder collect the card, wait for the PIN's letter, and sign
// in.
func (d *demonstration) useInHouse(ctx context.Context, order lifecycle.OrderID) error {
	if err := d.settle(ctx, "PIN letter"); err != nil {
		return err
	}
	view, err := d.house.Service.Order(ctx, order)
	if err != nil {
		return err
	}
	d.screen.check("the card waits at the branch, without a card letter", errors.Join(
		equal(view.Card.State, lifecycle.CardAtBranch), equal(view.Card.CardLetter, "")))
	round, err := d.postRound(ctx)
	if err != nil {
		return err
	}
	d.screen.check("its PIN letter comes from the print room, and days later", errors.Join(equal(round.early, 0), equal(round.pins, 1)))
	holders, err := d.holders(ctx)
	if err != nil {
		return err
	}
	if view, err = d.house.Service.Order(ctx, order); err != nil {
		return err
	}
	fresh, err := d.take(ctx, *view.Card, holders)
	if err != nil {
		return err
	}
	if err := d.activate(ctx, fresh); err != nil {
		return err
	}
	code, err := fresh.code(ctx, fresh.pin)
	if err != nil {
		return err
	}
	result, err := d.verify(ctx, fresh.holder, code)
	d.screen.check("the card made at the branch signs in with the PIN of its letter", errors.Join(err, equal(result, "accepted")))
	return nil
}
