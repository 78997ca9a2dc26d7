package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Revocation asks to end a certificate for ever.
type Revocation struct {
	Reason         lifecycle.RevocationReason
	InvalidityDate time.Time // since when the key was not to be trusted (RFC 5280 §5.3.2); zero if unknown

	requested time.Time                     // when it was asked for; zero: now
	request   lifecycle.RevocationRequestID // that it carries out; "": none is on record
}

// check refuses what a list cannot hold: one such entry would stop every list of
// its shard, and with it every other revocation.
func (r Revocation) check(now time.Time) error {
	if err := lifecycle.MayGive(lifecycle.RoleSystem, r.Reason); err != nil {
		return err
	}
	const earliest = 2000 // no key of ours is older
	switch {
	case r.InvalidityDate.IsZero():
		return nil
	case r.InvalidityDate.After(now):
		return &lifecycle.FieldError{Field: "invalidity_date", Why: "lies in the future: give the moment since when the key is not to be trusted"}
	case r.InvalidityDate.UTC().Year() < earliest:
		return &lifecycle.FieldError{Field: "invalidity_date", Why: "lies before the year 2000: give the moment since when the key is not to be trusted"}
	}
	return nil
}

// CertificateBySerial finds a certificate by its serial number.
func (s *Service) CertificateBySerial(ctx context.Context, serial lifecycle.Serial) (lifecycle.CertificateID, error) {
	id, err := s.store.CertificateIDBySerial(ctx, serial[:])
	if err != nil {
		return "", fmt.Errorf("serial %s: %w", serial, err)
	}
	return id, nil
}

// Revoke ends a certificate. One that is on hold keeps the date of its hold: it
// was never good in between. One that is being signed reaches nobody any more,
// so its order fails. Revoking again changes nothing.
func (s *Service) Revoke(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, r Revocation) error {
	if err := r.check(s.now()); err != nil {
		return err
	}
	if err := lifecycle.MayGive(by.Role, r.Reason); err != nil {
		return err
	}
	return s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		if cert.State == lifecycle.CertRevoked {
			return nil
		}
		return s.revokeTx(ctx, tx, by, cert, s.revokedAt(cert), r)
	})
}

// revokedAt is the date of a revocation now, as the CRL has it.
func (s *Service) revokedAt(cert *db.Certificate) time.Time {
	if cert.RevokedAt != nil { // on hold
		return *cert.RevokedAt
	}
	return s.now().Truncate(time.Second)
}

// revokeTx ends a locked certificate. A key that was compromised is blocked for
// ever.
func (s *Service) revokeTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cert *db.Certificate, at time.Time, r Revocation) error {
	was := cert.State
	detail := map[string]string{"reason": r.Reason.String()}
	if err := s.moveCertificate(ctx, tx, cert, lifecycle.Revoke, by, "", detail); err != nil {
		return err
	}
	if err := s.setRevokedTx(ctx, tx, cert, at, r); err != nil {
		return err
	}
	if err := s.closeRequestsTx(ctx, tx, cert.ID, r.request, "the certificate was revoked"); err != nil {
		return err
	}
	if r.Reason == lifecycle.ReasonKeyCompromise && cert.SPKISHA256 != nil {
		if err := s.blockKeyTx(ctx, tx, by, cert.SPKISHA256, r.Reason.String()); err != nil {
			return err
		}
	}
	if was != lifecycle.CertIssuing && was != lifecycle.CertStopped {
		return nil
	}
	failure := "its certificate was revoked before it was issued: " + r.Reason.String()
	return s.failOrderTx(ctx, tx, cert.OrderID, lifecycle.System("revocation"), failure)
}

// Hold suspends a certificate: certificateHold (RFC 5280 §5.3.1), where its
// profile allows it.
func (s *Service) Hold(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error {
	return s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		return s.holdTx(ctx, tx, by, cert, time.Time{})
	})
}

func (s *Service) holdTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cert *db.Certificate, requested time.Time) error {
	profile, err := profileOf(ctx, tx.Queries, *cert)
	if err != nil {
		return err
	}
	if !profile.Hold {
		return fmt.Errorf("certificate %s: %w: its profile %s allows no hold: revoke it, which is for ever", cert.ID, lifecycle.Illegal, cert.Profile)
	}
	if err := s.moveCertificate(ctx, tx, cert, lifecycle.Hold, by, "", nil); err != nil {
		return err
	}
	return s.setRevokedTx(ctx, tx, cert, s.now().Truncate(time.Second), Revocation{Reason: lifecycle.ReasonCertificateHold, requested: requested})
}

// Release ends a hold. The certificate leaves the CRL.
func (s *Service) Release(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error {
	return s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		return s.releaseTx(ctx, tx, by, cert, time.Time{})
	})
}

func (s *Service) releaseTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cert *db.Certificate, requested time.Time) error {
	if err := s.moveCertificate(ctx, tx, cert, lifecycle.Release, by, "", nil); err != nil {
		return err
	}
	revision, err := tx.RaiseCRLRevision(ctx, deref(cert.IssuerID), deref(cert.Shard))
	if err != nil {
		return fmt.Errorf("certificate %s: raise CRL revision: %w", cert.ID, err)
	}
	entry, err := s.ca.EncodeEntry(CRLEntry{
		Serial: lifecycle.Serial(cert.Serial), At: s.now().Truncate(time.Second), Reason: lifecycle.ReasonRemoveFromCRL,
	})
	if err != nil {
		return fmt.Errorf("certificate %s: %w", cert.ID, err)
	}
	if err := tx.SetCertificateReleased(ctx, revision, entry, cert.ID); err != nil {
		return fmt.Errorf("certificate %s: %w", cert.ID, err)
	}
	return s.timeTx(ctx, tx, cert, lifecycle.Release, revision, requested)
}

func (s *Service) setRevokedTx(ctx context.Context, tx store.Tx, cert *db.Certificate, at time.Time, r Revocation) error {
	revision, err := tx.RaiseCRLRevision(ctx, deref(cert.IssuerID), deref(cert.Shard))
	if err != nil {
		return fmt.Errorf("certificate %s: raise CRL revision: %w", cert.ID, err)
	}
	p := db.SetCertificateRevokedParams{
		RevokedAt: &at, Reason: new(int32(r.Reason)), CRLRevision: revision, ID: cert.ID, //nolint:gosec // 0 to 10
	}
	e := CRLEntry{Serial: lifecycle.Serial(cert.Serial), At: at, Reason: r.Reason, InvalidityDate: r.InvalidityDate.UTC().Truncate(time.Second)}
	if !r.InvalidityDate.IsZero() {
		p.InvalidityDate = &e.InvalidityDate
	}
	if p.CRLEntry, err = s.ca.EncodeEntry(e); err != nil {
		return fmt.Errorf("certificate %s: %w", cert.ID, err)
	}
	if err := tx.SetCertificateRevoked(ctx, p); err != nil {
		return fmt.Errorf("certificate %s: %w", cert.ID, err)
	}
	event := lifecycle.Revoke
	if r.Reason == lifecycle.ReasonCertificateHold {
		event = lifecycle.Hold
	}
	return s.timeTx(ctx, tx, cert, event, revision, r.requested)
}
