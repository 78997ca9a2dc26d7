package issuance

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// HouseCertificate is a certificate that no order asked for: a CA's, or a
// delegate's. A lost one is a serial of which nobody knows more than that it is
// revoked, since the database was restored to a day before it was issued.
type HouseCertificate struct {
	Serial   lifecycle.Serial
	Issuer   string
	Kind     string // ca, ocsp, bureau, lost
	Subject  string
	NotAfter time.Time // zero: nobody knows
	Revoked  *CRLEntry // nil: it is not
}

// recordHouseCertificateTx puts a certificate on record, so that it can be
// revoked.
func (s *Service) recordHouseCertificateTx(ctx context.Context, tx store.Tx, issuer, kind string, der []byte) error {
	serial, err := serialOf(kind, der)
	if err != nil {
		return err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("%w: certificate of a %s: %w", lifecycle.Invalid, kind, err)
	}
	err = tx.InsertHouseCertificate(ctx, db.InsertHouseCertificateParams{
		Serial: serial[:], IssuerID: issuer, Kind: kind, Subject: certificate.Subject.String(), NotAfter: &certificate.NotAfter, CreatedAt: s.now(),
	})
	if err != nil {
		return fmt.Errorf("certificate %s: %w", serial, err)
	}
	return nil
}

// HouseCertificates are those on record.
func (s *Service) HouseCertificates(ctx context.Context) ([]HouseCertificate, error) {
	rows, err := s.store.HouseCertificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("certificates of the house: %w", err)
	}
	all := make([]HouseCertificate, len(rows))
	for i, r := range rows {
		all[i] = HouseCertificate{
			Serial: lifecycle.Serial(r.Serial), Issuer: r.IssuerID, Kind: r.Kind, Subject: r.Subject, NotAfter: deref(r.NotAfter),
		}
		if r.RevokedAt != nil {
			all[i].Revoked = &CRLEntry{
				Serial: all[i].Serial, At: *r.RevokedAt, Reason: lifecycle.RevocationReason(deref(r.Reason)), InvalidityDate: deref(r.InvalidityDate),
			}
		}
	}
	return all, nil
}

// RevokeHouseCertificate revokes a CA's certificate or a delegate's. The list
// that tells it is its issuer's: of an online CA it follows at once, the root's is
// signed at a ceremony. Revoking again changes nothing.
func (s *Service) RevokeHouseCertificate(ctx context.Context, by lifecycle.Actor, serial lifecycle.Serial, r Revocation) error {
	now := s.now().Truncate(time.Second)
	if err := r.checkHouse(now, "ca"); err != nil {
		return err
	}
	if by.Role != lifecycle.RoleSecurityOfficer {
		return fmt.Errorf("certificate %s: %w: a security officer revokes certificates of the house", serial, lifecycle.Forbidden)
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		c, err := tx.LockHouseCertificate(ctx, serial[:])
		if err != nil {
			return fmt.Errorf("certificate %s: %w", serial, err)
		}
		if c.RevokedAt != nil {
			return nil
		}
		if err := r.checkHouse(now, c.Kind); err != nil {
			return err
		}
		id, err := onlineCAOf(ctx, tx, serial)
		if err != nil {
			return err
		}
		if id != "" {
			return fmt.Errorf("certificate %s: %w: it is the CA %s, with which all ends that it signed: sceau crl revoke-ca --issuer %s",
				serial, lifecycle.Illegal, id, id)
		}
		e := CRLEntry{Serial: serial, At: now, Reason: r.Reason, InvalidityDate: r.InvalidityDate}
		return s.endHouseCertificateTx(ctx, tx, by, houseRow{c.IssuerID, c.Shard, c.Kind, c.Subject}, e, nil)
	})
}

// checkHouse is check for certificates of the house: cACompromise, which no
// person's certificate has of itself, is for a CA's.
func (r Revocation) checkHouse(now time.Time, kind string) error {
	if r.Reason == lifecycle.ReasonCACompromise {
		if kind != "ca" {
			return &lifecycle.FieldError{Field: "reason", Why: "cACompromise is for a CA's certificate: use keyCompromise"}
		}
		r.Reason = lifecycle.ReasonKeyCompromise
	}
	return r.check(now)
}

// onlineCAOf is the CA that a certificate is of, when it is one that signs for us and
// is not revoked yet; else none. With it much more ends ([Service.RevokeAuthority]).
func onlineCAOf(ctx context.Context, tx store.Tx, serial lifecycle.Serial) (string, error) {
	all, err := tx.Issuers(ctx)
	if err != nil {
		return "", fmt.Errorf("issuers: %w", err)
	}
	for _, i := range all {
		if !i.Online || i.ParentID == nil || !lifecycle.Issuers.Can(i.State, lifecycle.Revoke) {
			continue
		}
		if own, err := serialOf("ca", i.Certificate); err == nil && own == serial {
			return i.ID, nil
		}
	}
	return "", nil
}

// houseRow is what is needed of a certificate of the house to end it.
type houseRow struct {
	issuer  string
	shard   int32
	kind    string
	subject string
}

// endHouseCertificateTx revokes a certificate of the house, and asks for the list
// that tells it when workers sign it.
func (s *Service) endHouseCertificateTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, c houseRow, e CRLEntry, more map[string]string) error {
	if !e.InvalidityDate.IsZero() {
		e.InvalidityDate = e.InvalidityDate.UTC().Truncate(time.Second)
	}
	if err := s.setHouseRevokedTx(ctx, tx, c.issuer, c.shard, e); err != nil {
		return err
	}
	detail := map[string]string{"reason": e.Reason.String(), "kind": c.kind, "issuer": c.issuer, "subject": c.subject}
	maps.Copy(detail, more)
	err := s.audit(ctx, tx, "house_certificate", change{id: e.Serial.String(), on: lifecycle.Revoke, by: by, detail: detail}, "valid", "revoked")
	if err != nil {
		return err
	}
	issuer, err := tx.Issuer(ctx, c.issuer)
	if err != nil || !issuer.Online {
		return err //nolint:wrapcheck // translated
	}
	return s.queue.EnqueueTx(ctx, tx.Pgx(), CRLPublishArgs{Issuer: c.issuer, Shard: c.shard})
}

// setHouseRevokedTx sets the status of a certificate of the house.
func (s *Service) setHouseRevokedTx(ctx context.Context, tx store.Tx, issuer string, shard int32, e CRLEntry) error {
	p := db.SetHouseCertificateRevokedParams{RevokedAt: &e.At, Reason: new(int32(e.Reason)), Serial: e.Serial[:]} //nolint:gosec // 0 to 10
	if !e.InvalidityDate.IsZero() {
		p.InvalidityDate = &e.InvalidityDate
	}
	var err error
	if p.CRLEntry, err = s.ca.EncodeEntry(e); err != nil {
		return fmt.Errorf("certificate %s: %w", e.Serial, err)
	}
	if p.CRLRevision, err = tx.RaiseCRLRevision(ctx, issuer, shard); err != nil {
		return fmt.Errorf("certificate %s: raise CRL revision: %w", e.Serial, err)
	}
	if err := tx.SetHouseCertificateRevoked(ctx, p); err != nil {
		return fmt.Errorf("certificate %s: %w", e.Serial, err)
	}
	return nil
}
