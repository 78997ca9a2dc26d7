package issuance

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"time"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// Subject is the approved content of a certificate: every field comes from the
// order, none from the certificate request.
type Subject struct {
	GivenName, Surname string
	Organization       string
	OrganizationID     string // ETSI TS 119 412-1 §5.1.4
	RegistryNumber     string
	Country            string
	HolderNumber       string
	Email              string
}

// SubjectOf reads the approved subject of a certificate.
func (s *Service) SubjectOf(ctx context.Context, id lifecycle.CertificateID) (Subject, error) {
	cert, err := s.store.Certificate(ctx, id)
	if err != nil {
		return Subject{}, fmt.Errorf("certificate %s: %w", id, err)
	}
	return subjectOf(ctx, s.store.Queries, cert)
}

func subjectOf(ctx context.Context, q *db.Queries, cert db.Certificate) (Subject, error) {
	h, err := q.Holder(ctx, cert.HolderID)
	if err != nil {
		return Subject{}, fmt.Errorf("holder of certificate %s: %w", cert.ID, err)
	}
	c, err := q.Company(ctx, h.CompanyID)
	if err != nil {
		return Subject{}, fmt.Errorf("company of certificate %s: %w", cert.ID, err)
	}
	organization, err := party.OrganizationIdentifier(c.Country, c.RegistryNumber)
	if err != nil {
		return Subject{}, fmt.Errorf("company of certificate %s: %w", cert.ID, err)
	}
	return Subject{
		GivenName: h.GivenName, Surname: h.Surname, Organization: c.Name, OrganizationID: organization,
		RegistryNumber: c.RegistryNumber,
		Country:        c.Country, HolderNumber: c.ClientID + "-" + h.UserNumber, Email: h.Email,
	}, nil
}

// TakeKey takes the holder's certificate request. It is refused, and nothing
// changes, unless it proves possession of a good key, names nobody else, and
// its key is in no other certificate. Serial and CRL shard are reserved here,
// long before the signature: whatever happens, they can be revoked.
func (s *Service) TakeKey(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, csr []byte) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCertificate, string(id)); err != nil {
		return err
	}
	subject, err := s.SubjectOf(ctx, id)
	if err != nil {
		return err
	}
	spki, err := s.ca.CheckCSR(csr, subject) // outside the transaction: it costs a signature check
	if err != nil {
		return fmt.Errorf("certificate %s: %w", id, err)
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		cert, err := tx.LockCertificate(ctx, id)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		if cert.State == lifecycle.CertIssuing && subtle.ConstantTimeCompare(cert.SPKISHA256, spki[:]) == 1 {
			return nil // the same key again: taken already
		}
		if err := s.reserveTx(ctx, tx, &cert); err != nil {
			return err
		}
		if err := tx.SetCertificateKey(ctx, csr, spki[:], id); err != nil {
			if errors.Is(err, lifecycle.Conflict) {
				return &lifecycle.FieldError{Field: "csr", Why: "this key is in another certificate: make a new key"}
			}
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		return s.moveCertificate(ctx, tx, &cert, lifecycle.TakeKey, by, "", nil)
	})
}

// reserveTx draws serial and shard.
func (s *Service) reserveTx(ctx context.Context, tx store.Tx, cert *db.Certificate) error {
	if cert.State != lifecycle.CertAwaitingKey {
		return nil // the move will say what is wrong
	}
	issuer, err := tx.SigningIssuer(ctx)
	if isNotFound(err) {
		return fmt.Errorf("certificate %s: %w", cert.ID, errNoCA)
	}
	if err != nil {
		return fmt.Errorf("certificate %s: who signs it: %w", cert.ID, err)
	}
	var random [16]byte
	_, _ = rand.Read(random[:])
	serial := lifecycle.SerialFrom(random)
	shard, err := rand.Int(rand.Reader, big.NewInt(int64(issuer.Shards)))
	if err != nil {
		return fmt.Errorf("draw a CRL shard: %w", err)
	}
	cert.IssuerID, cert.Shard, cert.Serial = &issuer.ID, new(int32(shard.Int64())), serial[:] //nolint:gosec // below Shards
	err = tx.ReserveSerial(ctx, db.ReserveSerialParams{
		IssuerID: cert.IssuerID, Shard: cert.Shard, Serial: cert.Serial, ReservedAt: new(s.now()), ID: cert.ID,
	})
	if err != nil {
		return fmt.Errorf("reserve serial of certificate %s: %w", cert.ID, err)
	}
	return nil
}

// CertificatePlan is a certificate that a worker issues. What it drafts depends
// on the plan alone, so that a second worker drafts the same bytes.
type CertificatePlan struct {
	Certificate lifecycle.CertificateID
	Fence       int32
	Issuer      string
	Shard       int
	Serial      lifecycle.Serial
	ReservedAt  time.Time // the draft's clock
	Profile     string
	Subject     Subject
	CSR         []byte
	TBS         []byte // the stored draft, nil the first time
}

// BeginIssue records the intent to sign a certificate.
func (s *Service) BeginIssue(ctx context.Context, id lifecycle.CertificateID) (CertificatePlan, error) {
	var plan CertificatePlan
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		cert, err := tx.LockCertificate(ctx, id)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		if _, err := lifecycle.Certificates.Next(cert.State, lifecycle.Issue, lifecycle.RoleSystem); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		issuer, err := tx.Issuer(ctx, deref(cert.IssuerID))
		if err != nil {
			return fmt.Errorf("issuer of certificate %s: %w", id, err)
		}
		if issuer.State != lifecycle.IssuerSigning && issuer.State != lifecycle.IssuerRetired {
			return fmt.Errorf("certificate %s: %w: CA %s is %s and signs none", id, lifecycle.Unavailable, issuer.ID, issuer.State)
		}
		fence, err := tx.FenceCertificate(ctx, id)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		plan = CertificatePlan{
			Certificate: id, Fence: fence, Issuer: deref(cert.IssuerID), Shard: int(deref(cert.Shard)),
			Serial: lifecycle.Serial(cert.Serial), ReservedAt: deref(cert.ReservedAt), Profile: cert.Profile,
			CSR: cert.CSR, TBS: cert.TBS,
		}
		plan.Subject, err = subjectOf(ctx, tx.Queries, cert)
		return err
	})
	return plan, err
}

// RecordTBS stores the linted draft before the key is used.
func (s *Service) RecordTBS(ctx context.Context, plan CertificatePlan, tbs []byte, notBefore, notAfter time.Time) error {
	n, err := s.store.SetCertificateTBS(ctx, db.SetCertificateTBSParams{
		TBS: tbs, NotBefore: &notBefore, NotAfter: &notAfter, ID: plan.Certificate, Fence: plan.Fence,
	})
	if err != nil {
		return fmt.Errorf("certificate %s: store draft: %w", plan.Certificate, err)
	}
	if n != 1 {
		return fmt.Errorf("certificate %s: %w: another worker took over", plan.Certificate, lifecycle.Conflict)
	}
	return nil
}

// FinishIssue records the signed certificate. One revoked while it was signed
// stays revoked; its bytes are kept as evidence.
func (s *Service) FinishIssue(ctx context.Context, plan CertificatePlan, der []byte, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		cert, err := s.fencedCertificateTx(ctx, tx, plan)
		if err != nil {
			return err
		}
		if err := tx.SetCertificateDER(ctx, der, cert.ID); err != nil {
			return fmt.Errorf("certificate %s: %w", cert.ID, err)
		}
		if cert.State == lifecycle.CertRevoked {
			return done.run(tx)
		}
		system := lifecycle.System("issue")
		if err := s.moveCertificate(ctx, tx, &cert, lifecycle.Issue, system, "", map[string]string{"serial": plan.Serial.String()}); err != nil {
			return err
		}
		order, err := tx.LockOrder(ctx, cert.OrderID)
		if err != nil {
			return fmt.Errorf("order %s: %w", cert.OrderID, err)
		}
		if err := s.moveOrder(ctx, tx, &order, lifecycle.Complete, system, nil); err != nil {
			return err
		}
		return done.run(tx)
	})
}

// RejectKey gives a certificate whose request cannot be signed back to its
// holder, with the reason. Only before a draft was stored.
func (s *Service) RejectKey(ctx context.Context, plan CertificatePlan, why string, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		cert, err := s.fencedCertificateTx(ctx, tx, plan)
		if err != nil {
			return err
		}
		if cert.TBS != nil {
			return fmt.Errorf("certificate %s: %w: its draft is stored", cert.ID, lifecycle.Illegal)
		}
		if err := s.moveCertificate(ctx, tx, &cert, lifecycle.RejectKey, lifecycle.System("issue"), "", map[string]string{"why": why}); err != nil {
			return err
		}
		if err := tx.RejectCertificateKey(ctx, why, cert.ID); err != nil {
			return fmt.Errorf("certificate %s: %w", cert.ID, err)
		}
		return done.run(tx)
	})
}

func (s *Service) fencedCertificateTx(ctx context.Context, tx store.Tx, plan CertificatePlan) (db.Certificate, error) {
	cert, err := tx.LockCertificate(ctx, plan.Certificate)
	if err != nil {
		return cert, fmt.Errorf("certificate %s: %w", plan.Certificate, err)
	}
	if cert.Fence != plan.Fence {
		return cert, fmt.Errorf("certificate %s: %w: another worker took over", plan.Certificate, lifecycle.Conflict)
	}
	return cert, nil
}

// Accept records that the holder has the certificate and finds its content
// right (ETSI EN 319 411-1 §6.3.4).
func (s *Service) Accept(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error {
	return s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		return s.moveCertificate(ctx, tx, cert, lifecycle.Accept, by, "", nil)
	})
}

// withCertificate works on a locked certificate in one transaction.
func (s *Service) withCertificate(ctx context.Context, id lifecycle.CertificateID, work func(tx store.Tx, cert *db.Certificate) error) error {
	if err := lifecycle.CheckID(lifecycle.PrefixCertificate, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		cert, err := tx.LockCertificate(ctx, id)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		return work(tx, &cert)
	})
}
