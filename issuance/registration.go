package issuance

import (
	"context"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// RegisteredCard is a card that the bank's card system made and its holder has.
// Its keys come from master keys that the engine has too, so that its codes can
// be verified; it is never personalised or sent here.
type RegisteredCard struct {
	PAN    lifecycle.PAN
	PSN    int       // sequence number
	Expiry time.Time // a day of its last month
}

// registeredCardTx writes the card of a registration. Nothing is usable before a
// second person has approved.
func (s *Service) registeredCardTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o db.InsertOrderParams, c *RegisteredCard) error {
	product, err := s.productTx(ctx, tx.Queries, o.Product)
	if err != nil {
		return err
	}
	var errs lifecycle.FieldErrors
	if c.PAN.Last4() == "" {
		errs.Add("pan", "give the card's number")
	}
	if c.PSN < 1 || c.PSN > 99 {
		errs.Add("psn", "a sequence number is 1 to 99")
	}
	expiry := cardExpiry(c.Expiry, 0)
	if !expiry.After(s.now()) || expiry.After(s.now().AddDate(maxCardYears, 0, 0)) {
		errs.Add("expiry", "give a month to come, within ten years")
	}
	if err := errs.Err(); err != nil {
		return err
	}
	return s.bornCardTx(ctx, tx, by, o, product, RegisteredCard{PAN: c.PAN, PSN: c.PSN, Expiry: expiry})
}

const maxCardYears = 10
