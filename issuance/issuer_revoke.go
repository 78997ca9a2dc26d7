package issuance

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// AuthorityRevocation ends a CA before its time.
type AuthorityRevocation struct {
	Revocation // of the CA's certificate

	// Issued is the reason for the certificates that it signed: cACompromise or
	// superseded. Their holders get others, of the next CA.
	Issued lifecycle.RevocationReason
}

// RevokeAuthority revokes an issuing CA, and everything that must follow. Two
// officers agree. In one transaction it signs no more certificates, its own stands
// on the root's next list, its delegates are revoked; then a job revokes what it
// signed and publishes its lists. Orders wait for the next CA: a work item says so.
func (s *Service) RevokeAuthority(ctx context.Context, by lifecycle.Actor, issuer string, r AuthorityRevocation) (Agreement, error) {
	now := s.now().Truncate(time.Second)
	if err := r.checkHouse(now, "ca"); err != nil {
		return Agreement{}, err
	}
	if r.Issued != lifecycle.ReasonCACompromise && r.Issued != lifecycle.ReasonSuperseded {
		return Agreement{}, &lifecycle.FieldError{Field: "issued", Why: "give the reason for the certificates that it signed: cACompromise or superseded"}
	}
	content := []string{r.Reason.String(), r.InvalidityDate.UTC().Format(time.RFC3339), r.Issued.String()}
	return s.agreedTx(ctx, by, "revoke "+issuer, content, func(tx store.Tx, _ map[string]string) error {
		i, err := lockOnlineTx(ctx, tx, issuer)
		if err == nil {
			_, err = lifecycle.Issuers.Next(i.State, lifecycle.Revoke, by.Role)
		}
		if err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
		return nil
	}, func(tx store.Tx, detail map[string]string) error {
		i, err := lockOnlineTx(ctx, tx, issuer)
		if err != nil {
			return err
		}
		detail["reason"] = r.Reason.String()
		if err := s.revokeAuthorityTx(ctx, tx, by, i, r.Revocation, now); err != nil {
			return err
		}
		return s.stopIssuerTx(ctx, tx, by, i, r.Issued, detail)
	})
}

// stopIssuerTx has a CA whose certificate is revoked sign no more, and what it
// signed revoked.
func (s *Service) stopIssuerTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, i db.Issuer, issued lifecycle.RevocationReason, detail map[string]string) error {
	detail["issued"] = issued.String()
	if err := s.moveIssuer(ctx, tx, &i, lifecycle.Revoke, by, detail); err != nil {
		return err
	}
	if err := tx.SetIssuedReason(ctx, new(int32(issued)), i.ID); err != nil { //nolint:gosec // 0 to 10
		return fmt.Errorf("CA %s: %w", i.ID, err)
	}
	if err := s.revokeDelegatesTx(ctx, tx, by, i.ID, issued); err != nil {
		return err
	}
	return s.queue.EnqueueTx(ctx, tx.Pgx(), RevokeIssuedArgs{Issuer: i.ID})
}

// stopBroughtBackTx is for a CA whose revocation a restored database had lost and a
// list has brought back: it must not sign again.
func (s *Service) stopBroughtBackTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, e CRLEntry) error {
	id, err := onlineCAOf(ctx, tx, e.Serial)
	if err != nil || id == "" {
		return err
	}
	i, err := lockOnlineTx(ctx, tx, id)
	if err != nil {
		return err
	}
	issued := lifecycle.ReasonSuperseded
	if e.Reason == lifecycle.ReasonCACompromise || e.Reason == lifecycle.ReasonKeyCompromise {
		issued = lifecycle.ReasonCACompromise
	}
	return s.stopIssuerTx(ctx, tx, by, i, issued, map[string]string{"reason": e.Reason.String(), "from_list": "yes"})
}

// revokeAuthorityTx sets the status of a CA's own certificate.
func (s *Service) revokeAuthorityTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, i db.Issuer, r Revocation, now time.Time) error {
	serial, err := serialOf("ca", i.Certificate)
	if err != nil {
		return err
	}
	c, err := tx.LockHouseCertificate(ctx, serial[:])
	if err != nil {
		return fmt.Errorf("certificate %s of CA %s: %w", serial, i.ID, err)
	}
	if c.RevokedAt != nil { // by an older version, which stopped nothing else
		return nil
	}
	e := CRLEntry{Serial: serial, At: now, Reason: r.Reason, InvalidityDate: r.InvalidityDate}
	return s.endHouseCertificateTx(ctx, tx, by, houseRow{c.IssuerID, c.Shard, c.Kind, c.Subject}, e, map[string]string{"ca": i.ID})
}

// serialOf is the serial of a certificate of the house.
func serialOf(kind string, der []byte) (serial lifecycle.Serial, err error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return serial, fmt.Errorf("%w: certificate of a %s: %w", lifecycle.Invalid, kind, err)
	}
	if certificate.SerialNumber.Sign() <= 0 || certificate.SerialNumber.BitLen() > 8*len(serial) {
		return serial, fmt.Errorf("%w: certificate of a %s: its serial has more than %d octets", lifecycle.Invalid, kind, len(serial))
	}
	certificate.SerialNumber.FillBytes(serial[:])
	return serial, nil
}

// RevokeIssued revokes some hundreds of the certificates that a revoked CA signed,
// and tells how many there were; none are left when it says 0. A request that it
// had not begun to sign goes back to its holder, who makes another for the next CA.
// Lists of all shards are asked for with the last.
func (s *Service) RevokeIssued(ctx context.Context, issuer string, done Done) (n int, err error) {
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		i, err := tx.Issuer(ctx, issuer)
		if err != nil {
			return fmt.Errorf("CA %s: %w", issuer, err)
		}
		if i.IssuedReason == nil {
			return fmt.Errorf("CA %s: %w: it is not revoked", issuer, lifecycle.Illegal)
		}
		certs, err := tx.LockIssuedBy(ctx, &issuer, new(s.now()), bulkSize)
		if err != nil {
			return fmt.Errorf("certificates of CA %s: %w", issuer, err)
		}
		if n = len(certs); n == 0 {
			if err := s.publishAllTx(ctx, tx, i); err != nil {
				return err
			}
			if err := s.queue.EnqueueTx(ctx, tx.Pgx(), OCSPRefreshArgs{}); err != nil {
				return fmt.Errorf("answers of CA %s: %w", issuer, err)
			}
			return done.run(tx)
		}
		byState := map[lifecycle.CertificateState][]db.Certificate{}
		for _, c := range certs {
			if c.State == lifecycle.CertIssuing && c.TBS == nil {
				if err := s.giveBackTx(ctx, tx, c, issuer); err != nil {
					return err
				}
				continue
			}
			byState[c.State] = append(byState[c.State], c)
		}
		for _, state := range lifecycle.Certificates.States { // in an order of its own
			if err := s.revokeManyTx(ctx, tx, byState[state], lifecycle.RevocationReason(*i.IssuedReason)); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// giveBackTx gives a request that was never signed back to its holder.
func (s *Service) giveBackTx(ctx context.Context, tx store.Tx, c db.Certificate, issuer string) error {
	why := "the CA " + issuer + " was revoked before it signed: send a request of a new key"
	if err := s.moveCertificate(ctx, tx, &c, lifecycle.RejectKey, lifecycle.System("revocation"), "", map[string]string{"why": why}); err != nil {
		return err
	}
	return tx.RejectCertificateKey(ctx, why, c.ID)
}

// revokeManyTx revokes certificates of one CA that are in one state.
func (s *Service) revokeManyTx(ctx context.Context, tx store.Tx, certs []db.Certificate, reason lifecycle.RevocationReason) error {
	if len(certs) == 0 {
		return nil
	}
	system, now := lifecycle.System("revocation"), s.now().Truncate(time.Second)
	ids, revisions := texts(certs, func(c db.Certificate) lifecycle.CertificateID { return c.ID }), map[int32]int64{}
	p := db.SetCertificatesRevokedParams{Reason: new(int32(reason)), IDs: ids} //nolint:gosec // 0 to 10
	for _, c := range certs {
		at := now
		if c.RevokedAt != nil { // held: it was never good in between
			at = *c.RevokedAt
		}
		shard := deref(c.Shard)
		if _, raised := revisions[shard]; !raised {
			revision, err := tx.RaiseCRLRevision(ctx, deref(c.IssuerID), shard)
			if err != nil {
				return fmt.Errorf("certificate %s: raise CRL revision: %w", c.ID, err)
			}
			revisions[shard] = revision
		}
		entry, err := s.ca.EncodeEntry(CRLEntry{Serial: lifecycle.Serial(c.Serial), At: at, Reason: reason})
		if err != nil {
			return fmt.Errorf("certificate %s: %w", c.ID, err)
		}
		p.RevokedAts, p.CRLRevisions, p.CRLEntries = append(p.RevokedAts, at), append(p.CRLRevisions, revisions[shard]), append(p.CRLEntries, entry)
	}
	_, err := applyMany(ctx, s, tx, lifecycle.Certificates, certs, several[db.Certificate, lifecycle.CertificateState]{
		on: lifecycle.Revoke, by: system,
		detail: func(c db.Certificate) map[string]string {
			return map[string]string{"reason": reason.String(), "with": deref(c.IssuerID)}
		},
		together: true, // the lists and answers of all are asked for with the last
		set: func(ids []string, from, to lifecycle.CertificateState) (int64, error) {
			if n, err := tx.SetCertificatesState(ctx, db.SetCertificatesStateParams{ToState: to, At: s.now(), IDs: ids, FromState: from}); err != nil || n != int64(len(ids)) {
				return n, err
			}
			return tx.SetCertificatesRevoked(ctx, p)
		},
	}, func(c db.Certificate) (string, lifecycle.CertificateState) { return string(c.ID), c.State }, nil)
	if err != nil {
		return err
	}
	for _, c := range certs {
		tell := s.noticeOf(&c, lifecycle.Revoke)
		if err := s.tellTx(ctx, tx, c, tell); err != nil {
			return err
		}
		if err := s.queue.EnqueueTx(ctx, tx.Pgx(), NoticeArgs{Notice: lifecycle.NoticeID(tell.ID)}); err != nil {
			return fmt.Errorf("notice of certificate %s: %w", c.ID, err)
		}
	}
	if certs[0].State != lifecycle.CertIssuing && certs[0].State != lifecycle.CertStopped {
		return nil
	}
	for _, c := range certs {
		if err := s.failOrderTx(ctx, tx, c.OrderID, system, "its CA was revoked while it was signed"); err != nil {
			return err
		}
	}
	return nil
}

// Concerned is somebody whose certificate ended with its CA: to be told.
type Concerned struct {
	Certificate lifecycle.CertificateID
	Serial      lifecycle.Serial
	Holder      lifecycle.HolderID
	Name        string
	Company     string
	NotAfter    time.Time
}

// ConcernedBy pages through those whose certificates were revoked with a CA, after
// the given certificate.
func (s *Service) ConcernedBy(ctx context.Context, issuer string, after lifecycle.CertificateID) ([]Concerned, error) {
	rows, err := s.store.RevokedWith(ctx, &issuer, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("certificates revoked with CA %s: %w", issuer, err)
	}
	all := make([]Concerned, len(rows))
	for i, r := range rows {
		all[i] = Concerned{
			Certificate: r.ID, Serial: lifecycle.Serial(r.Serial), Holder: r.HolderID, Name: r.GivenName + " " + r.Surname, Company: r.Company,
			NotAfter: deref(r.NotAfter),
		}
	}
	return all, nil
}

// RevokedOpen is what is still to be done of a revoked CA.
type RevokedOpen struct {
	Alive       int  // certificates that are not revoked yet
	Listed      bool // its issuer's list says that it is revoked
	Compromised bool // its key: what it signs is not to be trusted
}

// OpenOfRevoked tells it.
func (s *Service) OpenOfRevoked(ctx context.Context, issuer string) (RevokedOpen, error) {
	i, err := s.store.Issuer(ctx, issuer)
	if err != nil {
		return RevokedOpen{}, fmt.Errorf("CA %s: %w", issuer, err)
	}
	alive, err := s.store.AliveOf(ctx, &issuer, new(s.now()))
	if err != nil {
		return RevokedOpen{}, fmt.Errorf("certificates of CA %s: %w", issuer, err)
	}
	serial, err := serialOf("ca", i.Certificate)
	if err != nil {
		return RevokedOpen{}, err
	}
	c, err := s.store.HouseStatus(ctx, serial[:], deref(i.ParentID))
	if err != nil {
		return RevokedOpen{}, fmt.Errorf("certificate of CA %s: %w", issuer, err)
	}
	head, err := newestCRL(ctx, s.store.Queries, c.IssuerID, int(c.Shard))
	if err != nil && !isNotFound(err) {
		return RevokedOpen{}, err
	}
	reason := lifecycle.RevocationReason(deref(c.Reason))
	return RevokedOpen{
		Alive: int(alive), Listed: head.revision >= c.CRLRevision,
		Compromised: reason == lifecycle.ReasonCACompromise || reason == lifecycle.ReasonKeyCompromise,
	}, nil
}
