package issuance

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// correction is what is about to be corrected.
type correction struct {
	kinds            lifecycle.Corrections
	thing, id, state string // as the trail has it
	subject, why     string // of the proposal
	former           *string
	write            func() error
}

// named tells whether it takes two people: cards or certificates say it.
func (n correction) named() bool {
	return n.kinds&(lifecycle.CorrectedName|lifecycle.CorrectedCompany) != 0
}

// certified tells whether certificates say it.
func (n correction) certified() bool { return n.named() || n.kinds&lifecycle.CorrectedEmail != 0 }

// correct does what the correction of a holder and of a company have in common.
// Locks are taken in the order of [lockOrderTx]; holders last, behind which nobody
// approves.
func (s *Service) correct(ctx context.Context, by lifecycle.Actor, company lifecycle.CompanyID, holders []lifecycle.HolderID,
	plan func(tx store.Tx, company db.Company, made *Corrected) (correction, error),
) (Corrected, error) {
	made := Corrected{Changes: map[string]string{}}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		concerned, orders, err := s.lockConcernedTx(ctx, tx, company, holders)
		if err != nil {
			return err
		}
		c, err := tx.LockCompany(ctx, company)
		if err != nil {
			return fmt.Errorf("company %s: %w", company, err)
		}
		if err := ownBranchTx(ctx, tx, by, c); err != nil {
			return err
		}
		n, err := plan(tx, c, &made)
		if err != nil {
			return err
		}
		if n.kinds == 0 {
			return &lifecycle.FieldError{Field: "correction", Why: "changes nothing: it is so already"}
		}
		if made.Done = !n.named(); made.Done {
			err = mayOrder(by)
		} else {
			err = s.agreedCorrectionTx(ctx, tx, by, n, &made)
		}
		if err != nil {
			return err
		}
		void, err := voidedBy(n, orders)
		if err != nil {
			return err
		}
		made.Void = void
		if err := s.carriersTx(ctx, tx, by, n, concerned, &made); err != nil || !made.Done {
			return err
		}
		return s.recordCorrectionTx(ctx, tx, by, n, concerned, &made)
	})
	if err != nil {
		return Corrected{}, err
	}
	return made, nil
}

// lockConcernedTx locks the orders that are approved or wait for a key, and what they
// make, then the holders: none named, all of the company.
func (s *Service) lockConcernedTx(ctx context.Context, tx store.Tx, company lifecycle.CompanyID, holders []lifecycle.HolderID) ([]string, []db.OrdersOnHoldersRow, error) {
	var err error
	all := len(holders) == 0
	if all {
		if holders, err = tx.HoldersOfCompany(ctx, company); err != nil {
			return nil, nil, fmt.Errorf("holders of company %s: %w", company, err)
		}
	}
	ids := make([]string, len(holders))
	for i, h := range holders {
		ids[i] = string(h)
	}
	orders, err := tx.OrdersOnHolders(ctx, ids, true)
	if err != nil {
		return nil, nil, fmt.Errorf("orders of company %s: %w", company, err)
	}
	if err := lockOrdersTx(ctx, tx, orders); err != nil {
		return nil, nil, err
	}
	locked := holders
	if all {
		locked, err = tx.LockHoldersOfCompany(ctx, company)
	} else {
		_, err = tx.LockHolder(ctx, holders[0])
	}
	if err != nil {
		return nil, nil, fmt.Errorf("holders of company %s: %w", company, err)
	}
	now, err := tx.OrdersOnHolders(ctx, ids, true)
	if err == nil && (!slices.Equal(now, orders) || !slices.Equal(locked, holders)) {
		err = fmt.Errorf("%w: something of it was ordered, approved or begun in this moment: give the command again", lifecycle.Conflict)
	}
	return ids, orders, err
}

// lockOrdersTx locks orders behind their cards and certificates.
func lockOrdersTx(ctx context.Context, tx store.Tx, rows []db.OrdersOnHoldersRow) error {
	var cards, certificates, orders []string
	for _, r := range rows {
		orders = append(orders, string(r.ID))
		for _, id := range []string{r.CardID, r.Replaced} {
			if id != "" {
				cards = append(cards, id)
			}
		}
		if r.CertificateID != "" {
			certificates = append(certificates, r.CertificateID)
		}
	}
	if _, err := tx.LockCards(ctx, cards); err != nil {
		return fmt.Errorf("cards: %w", err)
	}
	slices.Sort(certificates)
	for _, id := range certificates {
		if _, err := tx.LockCertificate(ctx, lifecycle.CertificateID(id)); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
	}
	if _, err := tx.LockOrders(ctx, orders); err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	return nil
}

// voidedBy are the orders that were approved with what was wrong. A certificate that
// is being signed says it already, or is about to.
func voidedBy(n correction, rows []db.OrdersOnHoldersRow) ([]lifecycle.OrderID, error) {
	var void []lifecycle.OrderID
	for _, r := range rows {
		if r.CertificateState != "" && !n.certified() {
			continue // it says nothing of where its holder lives
		}
		if r.CertificateState == string(lifecycle.CertIssuing) {
			return nil, fmt.Errorf("certificate %s: %w: it is being signed: wait until it is issued, or revoke it, and give the command again",
				r.CertificateID, lifecycle.Conflict)
		}
		void = append(void, r.ID)
	}
	return void, nil
}

// recordCorrectionTx writes it, voids approvals and has holders told.
func (s *Service) recordCorrectionTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, n correction, holders []string, made *Corrected) error {
	if err := n.write(); err != nil {
		return err
	}
	detail := maps.Clone(made.Changes)
	detail["why"] = n.why
	who := by.ID
	if made.Proposer != "" {
		detail["proposed_by"], who = made.Proposer, made.Proposer
	}
	if err := s.audit(ctx, tx, n.thing, change{id: n.id, on: lifecycle.Correct, by: by, detail: detail}, n.state, n.state); err != nil {
		return err
	}
	for _, id := range made.Void {
		if err := s.voidTx(ctx, tx, id, map[string]string{"by": who, "of": n.id}); err != nil {
			return err
		}
	}
	for _, id := range holders {
		if err := s.tellCorrectionTx(ctx, tx, lifecycle.HolderID(id), n); err != nil {
			return err
		}
	}
	return nil
}

// voidTx takes an order's approval back: it is looked at and approved anew. A
// certificate's holder gets another code then, and brings the key again.
func (s *Service) voidTx(ctx context.Context, tx store.Tx, id lifecycle.OrderID, detail map[string]string) error {
	o, its, err := lockOrderTx(ctx, tx, id)
	if err != nil {
		return err
	}
	system := lifecycle.System("correction")
	if err := s.moveOrder(ctx, tx, &o, lifecycle.Correct, system, detail); err != nil {
		return err
	}
	if err := tx.RaiseOrderRevision(ctx, id); err != nil {
		return fmt.Errorf("order %s: %w", id, err)
	}
	if its.card != nil {
		return s.moveCard(ctx, tx, its.card, lifecycle.Correct, system, "", nil)
	}
	if its.certificate == nil {
		return nil
	}
	if err := s.moveCertificate(ctx, tx, its.certificate, lifecycle.Correct, system, "", nil); err != nil {
		return err
	}
	if err := tx.UnapproveCertificate(ctx, its.certificate.ID); err != nil {
		return fmt.Errorf("certificate %s: %w", its.certificate.ID, err)
	}
	return s.endCodeTx(ctx, tx, its.certificate.ID)
}
