package issuance

import (
	"context"
	"fmt"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// CrossCertificate is what one root signed of another's key.
type CrossCertificate struct {
	Issuer, Subject string // roots
	Certificate     []byte // DER
	Revoked         bool
}

// RecordCross records a cross-certificate as one of the house, which the root that
// signed it can revoke. Of two roots each signs the other's key once: a second time
// changes nothing.
func (s *Service) RecordCross(ctx context.Context, by lifecycle.Actor, c CrossCertificate) error {
	serial, err := serialOf("cross-certificate", c.Certificate)
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.InsertCrossCertificate(ctx, db.InsertCrossCertificateParams{
			IssuerID: c.Issuer, SubjectID: c.Subject, Serial: serial[:], Certificate: c.Certificate, CreatedAt: s.now(),
		})
		if err != nil {
			return fmt.Errorf("cross-certificate of %s by %s: %w", c.Subject, c.Issuer, err)
		}
		if n == 0 {
			return nil // recorded already
		}
		if err := s.recordHouseCertificateTx(ctx, tx, c.Issuer, "ca", c.Certificate); err != nil {
			return err
		}
		return s.born(ctx, tx, "issuer", c.Subject, "cross-certified", by, map[string]string{"by": c.Issuer, "serial": serial.String()})
	})
}

// CrossCertificates are those on record, the oldest first.
func (s *Service) CrossCertificates(ctx context.Context) ([]CrossCertificate, error) {
	rows, err := s.store.CrossCertificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("cross-certificates: %w", err)
	}
	all := make([]CrossCertificate, len(rows))
	for i, r := range rows {
		all[i] = CrossCertificate{Issuer: r.IssuerID, Subject: r.SubjectID, Certificate: r.Certificate, Revoked: r.Revoked}
	}
	return all, nil
}
