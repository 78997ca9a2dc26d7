package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Address is where a holder lives.
type Address struct {
	Complement, Street, Postcode, City, Country string
}

// ChangeAddress records where a holder has moved. What is waiting for approval
// must be looked at again, and card orders of the next weeks raise a flag.
func (s *Service) ChangeAddress(ctx context.Context, by lifecycle.Actor, id lifecycle.HolderID, a Address) error {
	if err := mayOrder(by); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		h, err := tx.LockHolder(ctx, id)
		if err != nil {
			return fmt.Errorf("holder %s: %w", id, err)
		}
		c, err := tx.Company(ctx, h.CompanyID)
		if err != nil {
			return fmt.Errorf("company of holder %s: %w", id, err)
		}
		moved := Holder{
			GivenName: h.GivenName, Surname: h.Surname, Complement: a.Complement, Street: a.Street, Postcode: a.Postcode, City: a.City,
			Country: a.Country,
		}
		var errs lifecycle.FieldErrors
		mergeAddress(&errs, moved.address(c.Name).Check())
		if err := errs.Err(); err != nil {
			return err
		}
		err = tx.UpdateHolderAddress(ctx, db.UpdateHolderAddressParams{
			Complement: a.Complement, Street: a.Street, Postcode: a.Postcode, City: a.City, Country: a.Country, UpdatedAt: s.now(), ID: id,
		})
		if err != nil {
			return fmt.Errorf("holder %s: %w", id, err)
		}
		return s.audit(ctx, tx, "holder", change{id: string(id), on: lifecycle.Edit, by: by}, "enrolled", "enrolled")
	})
}
