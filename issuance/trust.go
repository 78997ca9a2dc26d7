package issuance

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
	"sceau/trust"
)

func trustTable() editionTable {
	return editionTable{lifecycle.TrustList, lifecycle.TrustAuthors()}
}

// TrustedCA is a version of an entry of the trust list, decoded.
type TrustedCA struct {
	Edition

	Entry *trust.Entry
}

// ProposeTrust records another CA, or another version of one, that an approver looks
// at.
func (s *Service) ProposeTrust(ctx context.Context, by lifecycle.Actor, e *trust.Entry) (int, error) {
	if err := trustTable().mayPropose(by); err != nil {
		return 0, err
	}
	if err := s.trustAllowed(ctx, s.store.Queries, e); err != nil {
		return 0, err
	}
	return s.proposeEdition(ctx, by, trustTable(), e.Name, e.Canonical())
}

// ApproveTrust makes a version the one by which certificates of that CA are judged from
// then on, if its hash is that of what the approver saw.
func (s *Service) ApproveTrust(ctx context.Context, by lifecycle.Actor, name string, version int, seen [32]byte) error {
	return s.approveEdition(ctx, by, trustTable(), name, version, seen, func(tx store.Tx, kept db.Edition) error {
		e, err := trust.Read(kept.Content)
		if err != nil {
			return err
		}
		return s.trustAllowed(ctx, tx.Queries, e)
	})
}

// trustAllowed refuses an entry whose CAs are weak or have ended, whose time is over,
// or that bears the name of a CA of the house: its certificates are judged by the
// house's own books.
func (s *Service) trustAllowed(ctx context.Context, q *db.Queries, e *trust.Entry) error {
	var errs lifecycle.FieldErrors
	errs.Merge(s.ca.CheckTrusted(e, s.now()))
	if e.Ended(s.now()) {
		errs.Add("until", "is over")
	}
	own, err := q.Issuers(ctx)
	if err != nil {
		return fmt.Errorf("trust list: %w", err)
	}
	for _, row := range own {
		c, err := x509.ParseCertificate(row.Certificate)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", row.ID, err)
		}
		for _, other := range e.CAs() {
			if bytes.Equal(other.RawSubject, c.RawSubject) {
				errs.Add("certificates", trust.Subject(other)+" is a CA of the house, whose certificates are judged by its own books")
			}
		}
	}
	return errs.Err()
}

// RefuseTrust turns a version down, with the reason.
func (s *Service) RefuseTrust(ctx context.Context, by lifecycle.Actor, name string, version int, why string) error {
	return s.refuseEdition(ctx, by, trustTable(), name, version, why)
}

// WithdrawTrust ends the trust in a CA at once: none of its certificates is accepted
// from then on. One person does, because what is refused can be brought back by two.
func (s *Service) WithdrawTrust(ctx context.Context, by lifecycle.Actor, name, why string) error {
	if err := checkNote("why", why); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		live, err := tx.LockLiveEdition(ctx, lifecycle.TrustList.Thing, name)
		if err != nil {
			return err
		}
		return s.moveEdition(ctx, tx, trustTable(), live, lifecycle.Withdraw, by, map[string]string{"why": why},
			func(to lifecycle.EditionState) (int64, error) {
				return tx.SetEditionState(ctx, db.SetEditionStateParams{
					ToState: to, Thing: lifecycle.TrustList.Thing, Name: name, Version: live.Version, FromState: live.State,
				})
			})
	})
	if err != nil {
		return fmt.Errorf("withdraw the trust in %s: %w", name, err)
	}
	return nil
}

// Trusted reads a version of an entry, whatever its state; 0 is the live one.
func (s *Service) Trusted(ctx context.Context, name string, version int) (TrustedCA, error) {
	if err := checkVersion(version); err != nil {
		return TrustedCA{}, err
	}
	number := int32(version) //nolint:gosec // bounded by checkVersion
	if number == BuiltIn {
		live, err := s.store.LiveEdition(ctx, lifecycle.TrustList.Thing, name)
		if err == nil && live == BuiltIn {
			err = lifecycle.NotFound
		}
		if err != nil {
			return TrustedCA{}, fmt.Errorf("live entry %q of the trust list: %w", name, err)
		}
		number = live
	}
	kept, err := edition(ctx, s.store.Queries, trustTable(), name, number)
	if err != nil {
		return TrustedCA{}, err
	}
	e, err := trust.Read(kept.Content)
	return TrustedCA{kept, e}, err
}

// TrustList lists the versions on record of all entries, newest first.
func (s *Service) TrustList(ctx context.Context) ([]Edition, error) {
	return s.editions(ctx, trustTable())
}

// LiveTrust reads the entries by which certificates are judged now.
func (s *Service) LiveTrust(ctx context.Context) ([]TrustedCA, error) {
	live, err := s.store.LiveEditionsOf(ctx, lifecycle.TrustList.Thing)
	if err != nil {
		return nil, fmt.Errorf("trust list: %w", err)
	}
	all := make([]TrustedCA, len(live))
	for i, l := range live {
		if all[i], err = s.Trusted(ctx, l.Name, int(l.Version)); err != nil {
			return nil, err
		}
	}
	return all, nil
}
