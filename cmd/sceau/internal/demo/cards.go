package demo

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sceau/bureau"
	"sceau/card"
	"sceau/cmd/sceau/internal/house"
	"sceau/cms"
	"sceau/issuance"
	"sceau/jobs"
	"sceau/lifecycle"
)

// makeCards seals batches until no approved card waits; the bureau spoils one.
func (d *demonstration) makeCards(ctx context.Context) error {
	rounds, err := d.bureauRounds(ctx, true)
	if err != nil {
		return err
	}
	batches, err := d.house.Service.Batches(ctx)
	if err != nil {
		return err
	}
	for _, b := range batches {
		err = errors.Join(err, equal(b.State, lifecycle.BatchReconciled))
	}
	d.screen.check("every batch is reconciled to its last card", err)
	made, err := filepath.Glob(filepath.Join(d.folder, "bureau", "cards", "*.json"))
	if err != nil {
		return fmt.Errorf("list the cards: %w", err)
	}
	d.screen.check("the bureau made 120 cards; the spoiled one was made again", errors.Join(equal(len(made), wantCards), equal(rounds > 1, true)))
	return nil
}

// bureauRounds plays house and bureau in turn until no card waits.
func (d *demonstration) bureauRounds(ctx context.Context, spoilOne bool) (rounds int, err error) {
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return 0, err
	}
	for {
		if _, err := d.house.Service.SealBatches(ctx, operator); err != nil {
			return rounds, err
		}
		if err := d.settle(ctx, "personalisation"); err != nil {
			return rounds, err
		}
		batches, err := d.house.Service.Batches(ctx)
		if err != nil {
			return rounds, err
		}
		batches = slices.DeleteFunc(batches, func(b issuance.BatchView) bool { return b.State != lifecycle.BatchSent })
		if len(batches) == 0 {
			return rounds, nil
		}
		rounds++
		for _, b := range batches {
			if err := d.playBureau(ctx, operator, b.ID, spoilOne); err != nil {
				return rounds, fmt.Errorf("batch %s: %w", b.ID, err)
			}
			spoilOne = false
		}
		if err := d.settle(ctx, "card letters"); err != nil {
			return rounds, err
		}
	}
}

// playBureau opens a batch's file with the bureau's keys, makes a simulated card
// of each record, and sends the return file back.
func (d *demonstration) playBureau(ctx context.Context, operator lifecycle.Actor, id lifecycle.BatchID, spoilOne bool) error {
	sealed, err := d.house.Service.Document(ctx, string(id))
	if err != nil {
		return err
	}
	name := filepath.Join(d.folder, "bureau", string(id))
	if err := os.WriteFile(name+".p7m", sealed, 0o600); err != nil {
		return fmt.Errorf("send the bureau its file: %w", err)
	}
	file, err := d.openBureauFile(ctx, sealed)
	if err != nil {
		return err
	}
	answer := bureau.Return{Batch: file.Batch, Sequence: 1}
	bar := d.screen.bar(len(file.Cards), "cards at the bureau")
	defer func() { _ = bar.Finish() }()
	for i, r := range file.Cards {
		line := bureau.ReturnLine{Card: r.Card, Result: lifecycle.BureauMade, Plastic: d.nextPlastic()}
		if spoilOne && i == 0 {
			line.Result, line.Reason = lifecycle.BureauSpoiled, "scratched by the embosser"
			d.spoiled++
		} else if err := d.makeCard(r); err != nil {
			return err
		}
		answer.Cards = append(answer.Cards, line)
		_ = bar.Add(1)
	}
	returned, err := bureau.EncodeReturn(answer)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".return", returned, 0o600); err != nil {
		return fmt.Errorf("keep the return file: %w", err)
	}
	if _, err := jobs.TakeReturn(ctx, d.house.Service, operator, returned); err != nil {
		return err
	}
	if spoilOne {
		_, err := jobs.TakeReturn(ctx, d.house.Service, operator, returned)
		d.screen.check("a return file is taken once", refused(err, lifecycle.Conflict))
	}
	return nil
}

// nextPlastic takes the bureau's plastics lowest first.
func (d *demonstration) nextPlastic() string {
	d.plastics++
	return fmt.Sprintf("PL%09d", d.plastics)
}

// openBureauFile opens a file with the bureau's key, and takes it when the bank's
// signer of bureau files has signed it.
func (d *demonstration) openBureauFile(ctx context.Context, sealed []byte) (bureau.File, error) {
	signed, err := cms.Open(sealed, d.bureau.certificate, d.bureau.key)
	if err != nil {
		return bureau.File{}, err
	}
	delegate, err := d.house.Service.NewestDelegate(ctx, house.IssuingID, issuance.DelegateBureau)
	if err != nil {
		return bureau.File{}, err
	}
	signer, err := x509.ParseCertificate(delegate.Certificate)
	if err != nil {
		return bureau.File{}, fmt.Errorf("certificate of the bureau files' signer: %w", err)
	}
	clear, err := cms.Verify(signed, signer)
	if err != nil {
		return bureau.File{}, err
	}
	return bureau.Decode(clear)
}

func (d *demonstration) makeCard(r bureau.Record) error {
	made, err := card.FromDGIs(r.Card, r.DGIs, d.transport)
	if err != nil {
		return fmt.Errorf("card %s: %w", r.Card, err)
	}
	return made.Save(d.cardImage(r.Card))
}

func (d *demonstration) cardImage(id lifecycle.CardID) string {
	return filepath.Join(d.folder, "bureau", "cards", string(id)+".json")
}
