package issuance

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// Subject is the approved content of a certificate: every field comes from the
// order, none from the certificate request. A system has a name of its own and
// none of a person.
type Subject struct {
	GivenName, Surname string
	Service            string
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
	subject, _, err := subjectOf(ctx, s.store.Queries, cert)
	return subject, err
}

// subjectOf gives the subject, and who has its distinguished name for ever: the
// holder, or of a system the company.
func subjectOf(ctx context.Context, q *db.Queries, cert db.Certificate) (subject Subject, owner string, err error) {
	h, err := q.Holder(ctx, cert.HolderID)
	if err != nil {
		return subject, "", fmt.Errorf("holder of certificate %s: %w", cert.ID, err)
	}
	c, err := q.Company(ctx, h.CompanyID)
	if err != nil {
		return subject, "", fmt.Errorf("company of certificate %s: %w", cert.ID, err)
	}
	organization, err := party.OrganizationIdentifier(c.Country, c.RegistryNumber)
	if err != nil {
		return subject, "", fmt.Errorf("company of certificate %s: %w", cert.ID, err)
	}
	if cert.Service != "" {
		return Subject{
			Service: cert.Service, Organization: c.Name, OrganizationID: organization, RegistryNumber: c.RegistryNumber, Country: c.Country,
		}, string(c.ID), nil
	}
	return Subject{
		GivenName: h.GivenName, Surname: h.Surname, Organization: c.Name, OrganizationID: organization,
		RegistryNumber: c.RegistryNumber,
		Country:        c.Country, HolderNumber: c.ClientID + "-" + h.UserNumber, Email: h.Email,
	}, string(h.ID), nil
}

// drawSerialTx reserves serial and shard.
func (s *Service) drawSerialTx(ctx context.Context, tx store.Tx, cert *db.Certificate) error {
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
	Profile     CertificateProfile
	Subject     Subject
	CSR         []byte
	TBS         []byte // the stored draft, nil the first time

	owner string // of the subject's distinguished name
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
			Serial: lifecycle.Serial(cert.Serial), ReservedAt: deref(cert.ReservedAt), CSR: cert.CSR, TBS: cert.TBS,
		}
		if plan.Profile, err = profileOf(ctx, tx.Queries, cert); err != nil {
			return err
		}
		plan.Subject, plan.owner, err = subjectOf(ctx, tx.Queries, cert)
		return err
	})
	return plan, err
}

// LintedDraft is what a worker made of a plan and the linter let pass.
type LintedDraft struct {
	TBS                 []byte
	SubjectSHA256       [32]byte // of the distinguished name, encoded
	NotBefore, NotAfter time.Time
}

// RecordDraft stores the linted draft before the key is used. A distinguished name
// that was ever another holder's is [lifecycle.Invalid]: it is never given to
// another person (EN 319 412-2 NAT-4.2.4-13, RGS A2 III.1.5).
func (s *Service) RecordDraft(ctx context.Context, plan CertificatePlan, d LintedDraft) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.SetCertificateTBS(ctx, db.SetCertificateTBSParams{
			TBS: d.TBS, NotBefore: &d.NotBefore, NotAfter: &d.NotAfter, ID: plan.Certificate, Fence: plan.Fence,
		})
		if err != nil {
			return fmt.Errorf("certificate %s: store draft: %w", plan.Certificate, err)
		}
		if n != 1 {
			return fmt.Errorf("certificate %s: %w: another worker took over", plan.Certificate, lifecycle.Conflict)
		}
		if err := tx.BindSubject(ctx, d.SubjectSHA256[:], plan.owner, s.now()); err != nil {
			return fmt.Errorf("certificate %s: store subject: %w", plan.Certificate, err)
		}
		owner, err := tx.SubjectOwner(ctx, d.SubjectSHA256[:])
		if err != nil {
			return fmt.Errorf("certificate %s: whose subject: %w", plan.Certificate, err)
		}
		if owner != plan.owner {
			return &lifecycle.FieldError{Field: "subject", Why: "was the distinguished name of " + owner + ", whose it stays: give this holder another user number, this system another name"}
		}
		return nil
	})
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

// StopIssue has staff look at a certificate whose draft breaks a rule through no
// fault of its holder. Only before a draft was stored: nothing was signed.
func (s *Service) StopIssue(ctx context.Context, plan CertificatePlan, why string, done Done) error {
	const most = 2000
	why = strings.ToValidUTF8(why[:min(most, len(why))], "")
	return s.store.InTx(ctx, func(tx store.Tx) error {
		cert, err := s.fencedCertificateTx(ctx, tx, plan)
		if err != nil {
			return err
		}
		if cert.TBS != nil {
			return fmt.Errorf("certificate %s: %w: its draft is stored", cert.ID, lifecycle.Illegal)
		}
		if err := s.moveCertificate(ctx, tx, &cert, lifecycle.Stop, lifecycle.System("issue"), "", map[string]string{"why": why}); err != nil {
			return err
		}
		if err := tx.StopCertificate(ctx, why, cert.ID); err != nil {
			return fmt.Errorf("certificate %s: %w", cert.ID, err)
		}
		return done.run(tx)
	})
}

// RetryCertificate has a certificate that was stopped drafted again, once what was
// wrong is mended: with another serial, and by the profile that is live by then, if
// it is ordered and revoked as the one that was approved.
func (s *Service) RetryCertificate(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID) error {
	return s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		approved, err := profileOf(ctx, tx.Queries, *cert)
		if err != nil {
			return err
		}
		live, err := liveProfile(ctx, tx.Queries, cert.Profile)
		if err != nil {
			return err
		}
		detail := map[string]string{"profile_version": strconv.Itoa(live.Version)}
		if err := s.moveCertificate(ctx, tx, cert, lifecycle.Retry, by, "", detail); err != nil {
			return err
		}
		if !live.SameTreatment(approved.Profile) {
			return fmt.Errorf("certificate %s: %w: version %d of its profile asks for another level: revoke it and order again", id, lifecycle.Illegal, live.Version)
		}
		if err := tx.UnreserveSerial(ctx, id); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		if err := s.drawSerialTx(ctx, tx, cert); err != nil {
			return err
		}
		if cert.DossierID != nil { // it may have to be kept for longer
			err := tx.SetDossierRelied(ctx, db.SetDossierReliedParams{RetentionYears: int32(live.RetentionYears), ID: *cert.DossierID}) //nolint:gosec // of a profile
			if err != nil {
				return fmt.Errorf("dossier of certificate %s: %w", id, err)
			}
		}
		return setProfileTx(ctx, tx, cert, live.Version)
	})
}

// setProfileTx fixes the version of its profile by which a certificate is issued.
func setProfileTx(ctx context.Context, tx store.Tx, cert *db.Certificate, version int) error {
	v := int32(version) //nolint:gosec // of a row
	if err := tx.SetProfileVersion(ctx, v, cert.ID); err != nil {
		return fmt.Errorf("certificate %s: %w", cert.ID, err)
	}
	cert.ProfileVersion = &v
	return nil
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
