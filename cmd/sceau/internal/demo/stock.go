package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sceau/issuance"
	"sceau/lifecycle"
)

// keepers are who shows what stock needs two or three people for.
type keepers struct{ first, second, approver lifecycle.Actor }

// What the sample bank keeps: see internal/demodata.
var (
	bureauPlastics = issuance.StockAt{Item: "plastic-securaccess", Place: "bureau-1"}
	vaultReaders   = issuance.StockAt{Item: "reader-cap", Place: "vault"}
	branchReaders  = issuance.StockAt{Item: "reader-cap", Place: "FR01"}
	pinPaper       = issuance.StockAt{Item: "paper-pin", Place: "print-room"}
)

// keepStock shows what becomes of plastics, paper and readers.
func (d *demonstration) keepStock(ctx context.Context) error {
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	officer, err := d.staff(ctx, lifecycle.RoleSecurityOfficer)
	if err != nil {
		return err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	k := keepers{operator, officer, approver}
	for _, part := range []func(context.Context, keepers) error{d.tallyPlastics, d.moveReaders, d.countPaper, d.destroySpoiled} {
		if err := part(ctx, k); err != nil {
			return err
		}
	}
	return d.showStock(ctx)
}

// inStock is how much of an item is at a place in a condition.
func (d *demonstration) inStock(ctx context.Context, at issuance.StockAt, condition lifecycle.StockCondition) (int64, error) {
	for _, of := range []issuance.StockLog{issuance.CardLog, issuance.PINLog} {
		all, err := d.house.Service.StockBalances(ctx, of)
		if err != nil {
			return 0, err
		}
		for _, b := range all {
			if b.Item == at.Item && b.Place == at.Place && b.Condition == condition {
				return b.Quantity, nil
			}
		}
	}
	return 0, nil
}

// tallyPlastics compares the books with what the bureau knows that it used.
func (d *demonstration) tallyPlastics(ctx context.Context, _ keepers) error {
	used, err := d.inStock(ctx, bureauPlastics, lifecycle.StockUsed)
	if err != nil {
		return err
	}
	rejected, err := d.inStock(ctx, bureauPlastics, lifecycle.StockRejected)
	if err != nil {
		return err
	}
	d.screen.note("the bureau used %d plastics and spoiled %d", d.plastics, d.spoiled)
	d.screen.check("the bureau's stock went down by each plastic of its return files", errors.Join(
		equal(used, int64(d.plastics-d.spoiled)), equal(rejected, int64(d.spoiled))))
	branch := issuance.StockAt{Item: bureauPlastics.Item, Place: d.bank.Branches[0].Code}
	made, err := d.inStock(ctx, branch, lifecycle.StockUsed)
	if err != nil {
		return err
	}
	pulled, err := d.inStock(ctx, branch, lifecycle.StockRejected)
	d.screen.check("the branch's stock went down by the chips that its terminal wrote", errors.Join(err, equal(made, 1), equal(pulled, 1)))
	sheets, err := d.inStock(ctx, pinPaper, lifecycle.StockUsed)
	d.screen.check("the print room's stock went down by each sheet of its PIN runs", errors.Join(err, equal(sheets, int64(d.printRoom.pinPaper))))
	return nil
}

// moveReaders takes a delivery and sends some of it to a branch, where one of them
// does not arrive.
func (d *demonstration) moveReaders(ctx context.Context, k keepers) error {
	some := func(first, last int64) issuance.Goods {
		return issuance.Goods{Serials: []issuance.SerialRange{{First: first, Last: last}}}
	}
	service := d.house.Service
	if err := service.ReceiveStock(ctx, k.first, vaultReaders, some(1001, 1100), "delivery note 26-0311"); err != nil {
		return err
	}
	err := service.ReceiveStock(ctx, k.first, vaultReaders, some(1100, 1200), "delivery note 26-0312")
	d.screen.check("a serial number is received once", refused(err, lifecycle.Invalid))
	sent, err := service.SendStock(ctx, k.first, vaultReaders, branchReaders.Place, issuance.Goods{Quantity: 20})
	if err != nil {
		return err
	}
	_, err = service.ArriveStock(ctx, k.first, sent, some(1, 20))
	d.screen.check("who sends a consignment does not receive it", refused(err, lifecycle.Forbidden))
	missing, err := service.ArriveStock(ctx, k.second, sent, some(1, 19))
	if err != nil {
		return err
	}
	matters, err := service.StockMatters(ctx, issuance.CardLog)
	if err != nil {
		return err
	}
	waits := equal(len(matters), 1)
	if waits == nil {
		waits = errors.Join(equal(matters[0].ID, string(sent)), equal(matters[0].Goods, "1 (RD000020)"))
	}
	d.screen.check("what does not arrive waits for staff, by its serial number", errors.Join(equal(missing.Quantity, 1), waits))
	if err := service.SettleStock(ctx, k.approver, string(sent), "lost by the carrier, complaint 4711"); err != nil {
		return err
	}
	place, condition, err := service.FindSerial(ctx, vaultReaders.Item, "RD000020")
	d.screen.check("a piece is found by its serial number", errors.Join(err, equal(place, "FR01"), equal(condition, lifecycle.StockMissing)))
	return nil
}

// countPaper has two people count the paper of PIN letters; both find less than
// the books say.
func (d *demonstration) countPaper(ctx context.Context, k keepers) error {
	service := d.house.Service
	book, err := d.inStock(ctx, pinPaper, lifecycle.StockGood)
	if err != nil {
		return err
	}
	found := issuance.Goods{Quantity: book - 12}
	if _, err := service.CountStock(ctx, k.first, pinPaper, found); err != nil {
		return err
	}
	_, err = service.CountStock(ctx, k.first, pinPaper, found)
	d.screen.check("nobody counts twice", refused(err, lifecycle.Forbidden))
	matters, err := service.StockMatters(ctx, issuance.PINLog)
	if err != nil {
		return err
	}
	blind := equal(len(matters), 1)
	if blind == nil {
		blind = equal(matters[0].Goods, "")
	}
	d.screen.check("the second to count is not told the first figure", blind)
	counted, err := service.CountStock(ctx, k.second, pinPaper, found)
	if err != nil {
		return err
	}
	if err := service.SettleStock(ctx, k.approver, string(counted.ID), "test pages of the new printer"); err != nil {
		return err
	}
	after, err := d.inStock(ctx, pinPaper, lifecycle.StockGood)
	d.screen.check("a difference that both found is booked by a third, with a reason", errors.Join(err,
		equal(counted.State, lifecycle.CountDiffering), equal(after, found.Quantity)))
	return nil
}

// destroySpoiled destroys the plastic that the bureau spoiled, and writes the
// certificate in each language.
func (d *demonstration) destroySpoiled(ctx context.Context, k keepers) error {
	service := d.house.Service
	spoiled := issuance.Goods{Serials: []issuance.SerialRange{{First: 1, Last: 1}}} // the first that the bureau took
	id, err := service.ProposeDestruction(ctx, k.first, bureauPlastics, spoiled, "Broyage, particules de 2 mm", "Rebut de personnalisation")
	if err != nil {
		return err
	}
	d.screen.check("who lists a destruction does not confirm it", refused(service.ConfirmDestruction(ctx, k.first, id), lifecycle.Forbidden))
	if err := service.ConfirmDestruction(ctx, k.second, id); err != nil {
		return err
	}
	var errs []error
	for _, language := range []string{"fr", "nl", "de", "en"} {
		pdf, err := d.house.DestructionCertificate(ctx, d.bank, id, language)
		if err == nil {
			err = os.WriteFile(d.destructionFile(language), pdf, 0o600)
		}
		if err != nil {
			return fmt.Errorf("certificate of destruction: %w", err)
		}
		text, err := pdfText(ctx, d.destructionFile(language))
		errs = append(errs, err, equal(strings.Contains(text, string(id)) && strings.Contains(text, "PL000000001"), true))
	}
	_, condition, err := service.FindSerial(ctx, bureauPlastics.Item, "PL000000001")
	d.screen.check("a spoiled plastic is destroyed before two people, and the certificate names it", errors.Join(
		append(errs, err, equal(condition, lifecycle.StockDestroyed))...))
	return nil
}

func (d *demonstration) destructionFile(language string) string {
	return filepath.Join(d.folder, "stock", "destruction-"+language+".pdf")
}

// showStock shows the alarm of what is low, and that nothing is left to see to.
func (d *demonstration) showStock(ctx context.Context) error {
	service := d.house.Service
	before, err := service.StockAlarms(ctx)
	if err != nil {
		return err
	}
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	sent, err := service.SendStock(ctx, operator, issuance.StockAt{Item: "reader-cap", Place: "BE02"}, "FR01", issuance.Goods{Quantity: 6})
	if err != nil {
		return err
	}
	low, err := service.StockAlarms(ctx)
	if err != nil {
		return err
	}
	alarm := equal(len(low), 1)
	if alarm == nil {
		d.screen.note("%d of %s at %s, below the minimum of %d", low[0].Quantity, low[0].Item, low[0].Place, low[0].Minimum)
	}
	d.screen.check("a place that falls below its minimum raises an alarm", errors.Join(equal(len(before), 0), alarm))
	if err := service.CancelConsignment(ctx, operator, sent); err != nil {
		return err
	}
	left := 0
	for _, of := range []issuance.StockLog{issuance.CardLog, issuance.PINLog} {
		matters, err := service.StockMatters(ctx, of)
		if err != nil {
			return err
		}
		left += len(matters)
	}
	d.screen.check("nothing in stock differs", equal(left, 0))
	return nil
}
