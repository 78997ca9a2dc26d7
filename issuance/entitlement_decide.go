package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// ApproveEntitlements gives a user what somebody else of the staff proposed, if its
// hash is that of what the approver was shown ([signing.Entitlements.Sum]).
func (s *Service) ApproveEntitlements(ctx context.Context, by lifecycle.Actor, id lifecycle.EntitlementID, seen [32]byte) error {
	return s.decideEntitlements(ctx, by, id, lifecycle.Approve, "", func(tx store.Tx, row db.Entitlement, company db.Company, holder db.Holder) error {
		e, err := entitlementOf(row)
		if err != nil {
			return err
		}
		if e.Grants.Sum(company.ClientID+"/"+holder.UserNumber) != seen {
			return fmt.Errorf("%w: these are not the entitlements that were shown", lifecycle.Conflict)
		}
		if err := s.mayHaveTx(ctx, tx, company.ID, holder.ID, e.Grants); err != nil {
			return err
		}
		live, err := tx.EntitlementsInState(ctx, holder.ID, lifecycle.EntitlementsLive)
		if err != nil {
			return err
		}
		for _, before := range live {
			if err := s.moveEntitlement(ctx, tx, by, before, lifecycle.Retire, before.Why); err != nil {
				return err
			}
		}
		return nil
	})
}

// RefuseEntitlements turns a proposal down, with the reason.
func (s *Service) RefuseEntitlements(ctx context.Context, by lifecycle.Actor, id lifecycle.EntitlementID, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	return s.decideEntitlements(ctx, by, id, lifecycle.Refuse, why, func(store.Tx, db.Entitlement, db.Company, db.Holder) error { return nil })
}

func (s *Service) decideEntitlements(ctx context.Context, by lifecycle.Actor, id lifecycle.EntitlementID, on lifecycle.Event, why string, first func(store.Tx, db.Entitlement, db.Company, db.Holder) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixEntitlement, string(id)); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		found, err := tx.Entitlement(ctx, id)
		if err != nil {
			return err
		}
		holder, err := tx.Holder(ctx, found.HolderID)
		if err != nil {
			return err
		}
		company, err := tx.LockCompany(ctx, holder.CompanyID)
		if err != nil {
			return err
		}
		row, err := tx.Entitlement(ctx, id) // as it is now that nobody else changes it
		if err != nil {
			return err
		}
		if _, err := allowed(lifecycle.Entitlements, row.State, change{id: string(id), on: on, by: by, requester: row.RequestedBy}); err != nil {
			return err
		}
		if err := first(tx, row, company, db.Holder(holder)); err != nil {
			return err
		}
		return s.moveEntitlement(ctx, tx, by, row, on, why)
	})
	if err != nil {
		return fmt.Errorf("%s entitlements %s: %w", on, id, err)
	}
	return nil
}

// UserEntitlements reads what a user may sign, newest version first.
func (s *Service) UserEntitlements(ctx context.Context, clientID, userNumber string) (UserEntitlements, error) {
	var u UserEntitlements
	err := s.store.Snapshot(ctx, func(tx store.Tx) error {
		holder, err := tx.HolderByUser(ctx, clientID, userNumber)
		if err != nil {
			return err
		}
		if u.Strong, err = tx.HasStrongMeans(ctx, holder.ID, usableCards(), s.now()); err != nil {
			return err
		}
		rows, err := tx.EntitlementsOf(ctx, holder.ID)
		if err != nil {
			return err
		}
		u.Versions, err = entitlementsOf(rows)
		return err
	})
	if err != nil {
		return UserEntitlements{}, fmt.Errorf("entitlements of %s/%s: %w", clientID, userNumber, err)
	}
	return u, nil
}

// ProposedEntitlements pages through what waits for an approver.
func (s *Service) ProposedEntitlements(ctx context.Context, after lifecycle.EntitlementID) ([]Entitlement, error) {
	rows, err := s.store.EntitlementsProposed(ctx, string(after), pageSize)
	if err != nil {
		return nil, fmt.Errorf("proposed entitlements: %w", err)
	}
	return entitlementsOf(rows)
}

func entitlementsOf(rows []db.Entitlement) ([]Entitlement, error) {
	list := make([]Entitlement, len(rows))
	for i, row := range rows {
		e, err := entitlementOf(row)
		if err != nil {
			return nil, err
		}
		list[i] = e
	}
	return list, nil
}
