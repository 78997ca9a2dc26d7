package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Renew orders a certificate in the place of one that ends soon, of the same
// profile, for the same holder or system: a new key, hence a new certificate, and
// everything between order and acceptance again. The old one stays what it is
// until some days after the new one was accepted. One order is under way at a time.
func (s *Service) Renew(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) (lifecycle.OrderID, error) {
	var order lifecycle.OrderID
	err := s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		company, err := companyOfTx(ctx, tx, cert)
		if err != nil {
			return err
		}
		if err := ownBranchTx(ctx, tx, by, company); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		if cert.State != lifecycle.CertActive && cert.State != lifecycle.CertHeld {
			return fmt.Errorf("certificate %s: %w: one that is %s is not renewed: order a new one", id, lifecycle.Illegal, cert.State)
		}
		if from := deref(cert.NotAfter).Add(-s.policy.RenewWithin); s.now().Before(from) {
			return fmt.Errorf("certificate %s: %w: it is renewed from %s on", id, lifecycle.Illegal, from.Format(time.DateOnly))
		}
		if open, err := tx.LiveRenewal(ctx, id); err == nil {
			return fmt.Errorf("certificate %s: %w: %s renews it already", id, lifecycle.Conflict, open)
		} else if !isNotFound(err) {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		order, err = s.submitTx(ctx, tx, by, OrderRequest{
			Kind: lifecycle.OrderNewCertificate, Holder: cert.HolderID, Profile: cert.Profile, Service: cert.Service,
		})
		if err != nil {
			return err
		}
		made, err := tx.CertificateByOrder(ctx, order)
		if err != nil {
			return fmt.Errorf("certificate of order %s: %w", order, err)
		}
		return tx.InsertRenewal(ctx, db.InsertRenewalParams{CertificateID: made.ID, Renews: id, Reason: string(lifecycle.RenewExpiry), OrderedBy: by.ID, OrderedAt: s.now()})
	})
	return order, err
}

// CertificatesToRenew pages through certificates that end before a moment and that
// no other renews yet, of one profile or of all.
func (s *Service) CertificatesToRenew(ctx context.Context, before time.Time, profile string, after lifecycle.CertificateID) ([]lifecycle.CertificateID, error) {
	now := s.now()
	if last := now.Add(s.policy.RenewWithin); before.After(last) {
		before = last
	}
	ids, err := s.store.CertificatesToRenew(ctx, db.CertificatesToRenewParams{At: &now, Before: &before, Profile: profile, After: after, MaxRows: pageSize})
	if err != nil {
		return nil, fmt.Errorf("certificates to renew: %w", err)
	}
	return ids, nil
}

// Renewal is how far a renewal is.
type Renewal struct {
	Certificate lifecycle.CertificateID // the new one
	State       lifecycle.CertificateState
	Renews      lifecycle.CertificateID
	Ends        time.Time // of the one that it renews
	Invited     time.Time // the last code was handed over; zero: none was
	Accepted    time.Time
	Over        bool // nothing is left to do
}

// Renewals pages through them, oldest first.
func (s *Service) Renewals(ctx context.Context, after lifecycle.CertificateID) ([]Renewal, error) {
	rows, err := s.store.Renewals(ctx, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("renewals: %w", err)
	}
	all := make([]Renewal, len(rows))
	for i, r := range rows {
		all[i] = Renewal{
			Certificate: r.CertificateID, State: r.State, Renews: r.Renews, Ends: deref(r.NotAfter), Invited: deref(r.InvitedAt),
			Accepted: deref(r.AcceptedAt), Over: r.EndedAt != nil,
		}
	}
	return all, nil
}

// supersedeDue revokes certificates whose successors were accepted some days ago.
func (s *Service) supersedeDue(ctx context.Context) error {
	due, err := s.store.RenewalsDue(ctx, s.now().Add(-s.policy.SupersedeAfter), requestsRun)
	if err != nil {
		return fmt.Errorf("renewals that are due: %w", err)
	}
	for _, r := range due {
		err := s.withCertificate(ctx, r.Renews, func(tx store.Tx, old *db.Certificate) error {
			successor, err := tx.Certificate(ctx, r.CertificateID)
			if err != nil {
				return fmt.Errorf("certificate %s: %w", r.CertificateID, err)
			}
			switch {
			case successor.State == lifecycle.CertHeld: // the old one may be needed yet
				return nil
			case successor.State == lifecycle.CertActive && lifecycle.Certificates.Can(old.State, lifecycle.Revoke):
				if err := s.revokeTx(ctx, tx, lifecycle.System("renewal"), old, s.revokedAt(old), Revocation{Reason: lifecycle.ReasonSuperseded}); err != nil {
					return err
				}
			}
			return tx.EndRenewal(ctx, s.now(), r.CertificateID)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
