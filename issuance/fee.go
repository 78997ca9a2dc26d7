package issuance

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// chargeTx fills an order's fees by the tariff of today: its rows are a product
// and a reason, "new" for what is ordered for the first time. The approver sees
// the fee also where it is waived.
func (s *Service) chargeTx(ctx context.Context, tx store.Tx, o *db.InsertOrderParams, tariff string) error {
	why := "new"
	switch o.Kind {
	case lifecycle.OrderReplacementCard, lifecycle.OrderRenewal, lifecycle.OrderPINReissue:
		why = o.Reason
	case lifecycle.OrderPINReset:
		tariff, why = string(o.Kind), string(lifecycle.CardPINBlocked)
	case lifecycle.OrderPINChange:
		tariff = string(o.Kind)
	case lifecycle.OrderNewCertificate:
		tariff = "certificate"
	case lifecycle.OrderRegistration:
		why = "registration"
	case lifecycle.OrderNewCard:
	}
	var err error
	if o.FeeCents, o.Currency, err = s.priceTx(ctx, tx, tariff, why); err != nil {
		return err
	}
	o.ReaderFeeCents = 0
	if o.WithReader {
		cents, currency, err := s.priceTx(ctx, tx, "reader", "new")
		if err != nil {
			return err
		}
		if cents > 0 && o.FeeCents > 0 && currency != o.Currency {
			return fmt.Errorf("the tariff has card and reader in two currencies: %s, %s", o.Currency, currency)
		}
		if o.ReaderFeeCents = cents; o.FeeCents == 0 {
			o.Currency = currency
		}
	}
	if o.Waiver != "" && o.FeeCents+o.ReaderFeeCents == 0 {
		return &lifecycle.FieldError{Field: "waiver", Why: "there is no fee to waive: leave it empty"}
	}
	return nil
}

func (s *Service) priceTx(ctx context.Context, tx store.Tx, product, why string) (int64, string, error) {
	fee, err := tx.TariffFor(ctx, product, why, s.now())
	if isNotFound(err) {
		return 0, "EUR", nil // no row in the tariff: free
	}
	if err != nil {
		return 0, "", fmt.Errorf("tariff %s %s: %w", product, why, err)
	}
	return fee.AmountCents, fee.Currency, nil
}

// feeColumns is the header of the export for accounting.
var feeColumns = []string{
	"completed_at", "order", "kind", "item", "reason", "reference", "client_id", "company", "user_number", "tariff_cents", "due_cents",
	"currency", "waiver",
}

const feePage = 500

// ExportFees writes the fees of the orders completed from a time to another, that
// one left out, as CSV with semicolons: a line a card or service, and one a
// reader. What was cancelled, refused or failed is not charged. The same span
// gives the same lines, whenever it is asked for once it is past.
func (s *Service) ExportFees(ctx context.Context, from, to time.Time, out io.Writer) (lines int, err error) {
	if !from.Before(to) {
		return 0, &lifecycle.FieldError{Field: "to", Why: "must be later than from"}
	}
	w := csv.NewWriter(out)
	w.Comma = ';'
	if err := w.Write(feeColumns); err != nil {
		return 0, fmt.Errorf("write the fees: %w", err)
	}
	next := db.FeesDueParams{FromTime: &from, ToTime: &to, AfterTime: &time.Time{}, MaxRows: feePage}
	for {
		rows, err := s.store.FeesDue(ctx, next)
		if err != nil {
			return lines, fmt.Errorf("fees due: %w", err)
		}
		for _, r := range rows {
			for _, line := range feeLines(r) {
				if err := w.Write(line); err != nil {
					return lines, fmt.Errorf("write the fees: %w", err)
				}
				lines++
			}
			next.AfterTime, next.AfterID = r.CompletedAt, string(r.ID)
		}
		if len(rows) < feePage {
			w.Flush()
			return lines, w.Error()
		}
	}
}

// feeLines are an order's lines; a fee of nothing has none.
func feeLines(r db.FeesDueRow) [][]string {
	item := r.Product
	if item == "" {
		item = string(r.Kind)
	}
	var lines [][]string
	for _, f := range []struct {
		item  string
		cents int64
	}{{item, r.FeeCents}, {"reader", r.ReaderFeeCents}} {
		if f.cents == 0 {
			continue
		}
		due := f.cents
		if r.Waiver != "" {
			due = 0
		}
		line := []string{
			deref(r.CompletedAt).UTC().Format(time.RFC3339), string(r.ID), string(r.Kind), f.item, r.Reason, deref(r.Reference), r.ClientID,
			r.Company, r.UserNumber, strconv.FormatInt(f.cents, 10), strconv.FormatInt(due, 10), r.Currency, r.Waiver,
		}
		for i := range line {
			line[i] = inert(line[i])
		}
		lines = append(lines, line)
	}
	return lines
}

// inert keeps a spreadsheet from computing what somebody wrote.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n|", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
