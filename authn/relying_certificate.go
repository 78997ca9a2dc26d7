package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// BindCertificate lets a service call by an active certificate in place of a key. The
// caller has looked that it is a system's (issuance.SystemCertificate).
func (s *Service) BindCertificate(ctx context.Context, by lifecycle.Actor, service lifecycle.ServiceID, id lifecycle.CertificateID, scopes []Scope) error {
	if err := mayKeep(by); err != nil {
		return err
	}
	var errs lifecycle.FieldErrors
	errs.AddError("service", lifecycle.CheckID(lifecycle.PrefixService, string(service)))
	if slices.ContainsFunc(scopes, Scope.AtBranch) {
		errs.Add("scopes", "a terminal calls by a key, which names its branch")
	} else if _, err := s.checkKey(ctx, &errs, scopes, "", time.Hour); err != nil {
		return err
	}
	if err := errs.Err(); err != nil {
		return err
	}
	now := s.now()
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		found, err := tx.LockService(ctx, service)
		if err != nil {
			return fmt.Errorf("relying service %s: %w", service, err)
		}
		cert, err := tx.Certificate(ctx, id)
		switch {
		case err != nil:
			return err
		case found.EndedAt != nil:
			return fmt.Errorf("relying service %s: %w: it has ended", service, lifecycle.Conflict)
		case cert.State != lifecycle.CertActive || len(cert.DER) == 0:
			return fmt.Errorf("%w: it is %s: bind one that is active", lifecycle.Conflict, cert.State)
		}
		digest := sha256.Sum256(cert.DER)
		err = tx.BindCertificate(ctx, db.BindCertificateParams{SHA256: digest[:], ServiceID: service, CertificateID: id, Scopes: namesOf(scopes), BoundAt: now})
		if err != nil {
			return err
		}
		return s.auditBinding(ctx, tx, by, service, id, "bind_certificate")
	})
	if err != nil {
		return fmt.Errorf("bind certificate %s: %w", id, err)
	}
	return nil
}

// UnbindCertificate takes that back.
func (s *Service) UnbindCertificate(ctx context.Context, by lifecycle.Actor, service lifecycle.ServiceID, id lifecycle.CertificateID) error {
	if err := mayKeep(by); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.UnbindCertificate(ctx, service, id)
		if err != nil {
			return err
		}
		if n != 1 {
			return lifecycle.NotFound
		}
		return s.auditBinding(ctx, tx, by, service, id, "unbind_certificate")
	})
	if err != nil {
		return fmt.Errorf("unbind certificate %s of %s: %w", id, service, err)
	}
	return nil
}

func (s *Service) auditBinding(ctx context.Context, tx store.Tx, by lifecycle.Actor, service lifecycle.ServiceID, id lifecycle.CertificateID, on lifecycle.Event) error {
	return tx.InsertAudit(ctx, db.InsertAuditParams{
		At: s.now(), Actor: by.ID, Role: string(by.Role), Thing: serviceThing, ThingID: string(service), Event: string(on),
		FromState: "active", ToState: "active", Detail: []byte(`{"certificate":"` + string(id) + `"}`),
	})
}

// CheckCallerCertificate finds the service that calls by a client certificate. That the
// caller holds its key TLS has proven; that the certificate is still good the house's
// own database knows, whatever chain came with it.
func (s *Service) CheckCallerCertificate(ctx context.Context, der []byte) (APIKey, error) {
	digest := sha256.Sum256(der)
	row, err := s.store.ServiceByCertificate(ctx, digest[:], s.now())
	if errors.Is(err, lifecycle.NotFound) {
		return APIKey{}, ErrBadKey
	}
	if err != nil {
		return APIKey{}, fmt.Errorf("look a client certificate up: %w", err)
	}
	return APIKey{Service: row.ID, Name: row.Name, Scopes: scopesOf(row.Scopes), Certificate: row.CertificateID, CallsAMinute: int(row.CallsAMinute)}, nil
}
