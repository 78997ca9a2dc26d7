package issuance

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// ActKeyEnd begins the name of the act by which two officers have a CA's keys
// destroyed; ActKeyDestroyed of the one that tells that a key is gone.
const (
	ActKeyEnd       = "key-end "
	ActKeyDestroyed = "key-destroyed "
)

// EndedKey is a key of a CA that is over, with the newest certificate that names it.
type EndedKey struct {
	Name        string
	Certificate []byte // DER
}

// KeysOf are a CA's own key and its delegates'.
func (s *Service) KeysOf(ctx context.Context, issuer string) ([]EndedKey, error) {
	i, err := s.store.Issuer(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("CA %s: %w", issuer, err)
	}
	delegates, err := s.store.Delegates(ctx)
	if err != nil {
		return nil, fmt.Errorf("delegates: %w", err)
	}
	keys := []EndedKey{{i.KeyName, i.Certificate}}
	for _, d := range delegates { // of each purpose the one that ends last comes last
		if d.IssuerID != issuer {
			continue
		}
		if slices.ContainsFunc(delegates, func(o db.DelegatesRow) bool { return o.IssuerID != issuer && o.KeyName == d.KeyName }) {
			return nil, fmt.Errorf("keys of CA %s: %w: %s is another CA's delegate's too", issuer, lifecycle.Conflict, d.KeyName)
		}
		if at := slices.IndexFunc(keys, func(k EndedKey) bool { return k.Name == d.KeyName }); at >= 0 {
			keys[at].Certificate = d.Certificate
		} else {
			keys = append(keys, EndedKey{d.KeyName, d.Certificate})
		}
	}
	return keys, nil
}

// EndKeys has the keys of a CA destroyed in a ceremony, once two security officers
// agree, and records that they do with the witnesses. It is refused until the CA has
// ended with all that it signed, its last lists are published, and its own certificate
// has expired or is revoked. What was agreed on is agreed on for good: the same
// ceremony goes on, for either of them.
func (s *Service) EndKeys(ctx context.Context, by lifecycle.Actor, ceremony, issuer string, witnesses []string) (Agreement, error) {
	all, err := s.Acts(ctx, ceremony)
	if err != nil {
		return Agreement{}, err
	}
	for _, a := range all {
		if a.Name == ActKeyEnd+issuer && by.Role == lifecycle.RoleSecurityOfficer {
			return Agreement{Done: true, Proposer: a.Detail["proposed_by"]}, nil
		}
	}
	told := strings.Join(witnesses, ", ")
	return s.agreedTx(ctx, by, "destroy the keys of "+issuer, []string{ceremony, told}, func(tx store.Tx, detail map[string]string) (err error) {
		detail["subject"], err = s.keysMayEndTx(ctx, tx, issuer)
		return err
	}, func(tx store.Tx, detail map[string]string) error {
		detail["witnesses"] = told
		done := change{id: ceremony, on: ActKeyEnd + lifecycle.Event(issuer), by: by, detail: detail}
		if err := s.audit(ctx, tx, thingCeremony, done, "", "done"); err != nil {
			return fmt.Errorf("ceremony %s: record the end of the keys of %s: %w", ceremony, issuer, err)
		}
		done.id, done.on, done.detail = issuer, "destroy-keys", map[string]string{"ceremony": ceremony, "proposed_by": detail["proposed_by"]}
		return s.audit(ctx, tx, "issuer", done, string(lifecycle.IssuerEnded), string(lifecycle.IssuerEnded))
	})
}

// keysMayEndTx tells whether nobody needs a CA's keys any more, and how the CA is called.
func (s *Service) keysMayEndTx(ctx context.Context, tx store.Tx, issuer string) (subject string, err error) {
	i, err := lockOnlineTx(ctx, tx, issuer)
	if err != nil {
		return "", err
	}
	if i.State != lifecycle.IssuerEnded {
		return "", fmt.Errorf("keys of CA %s: %w: it is %s: once no certificate of it lives, end it by sceau crl last, and wait for its last lists", issuer, lifecycle.Illegal, i.State)
	}
	entries, err := tx.AuditOfThings(ctx, thingCeremony)
	if err != nil {
		return "", fmt.Errorf("audit of the ceremonies: %w", err)
	}
	for _, e := range entries {
		if e.Event == ActKeyEnd+issuer {
			return "", fmt.Errorf("keys of CA %s: %w: their end was agreed on in the ceremony %s: go on under this name", issuer, lifecycle.Conflict, e.ThingID)
		}
	}
	now := s.now()
	alive, err := tx.AliveOf(ctx, &issuer, &now)
	if err != nil {
		return "", fmt.Errorf("certificates of CA %s: %w", issuer, err)
	}
	delegates, err := tx.LockHouseUnrevoked(ctx, issuer, &now)
	if err != nil {
		return "", fmt.Errorf("delegates of CA %s: %w", issuer, err)
	}
	if live := int(alive) + len(delegates); live > 0 {
		return "", fmt.Errorf("keys of CA %s: %w: %d of its certificates are neither expired nor revoked", issuer, lifecycle.Conflict, live)
	}
	for shard := range int(i.Shards) {
		switch head, err := newestCRL(ctx, tx.Queries, issuer, shard); {
		case err != nil && !isNotFound(err):
			return "", err
		case err != nil || !head.last():
			return "", fmt.Errorf("keys of CA %s: %w: the last list of shard %d is not published", issuer, lifecycle.Conflict, shard)
		}
	}
	return caIsOverTx(ctx, tx, i, now)
}

// caIsOverTx tells whether a CA's own certificate has expired or is revoked, and gives
// its subject.
func caIsOverTx(ctx context.Context, tx store.Tx, i db.Issuer, now time.Time) (subject string, err error) {
	certificate, err := x509.ParseCertificate(i.Certificate)
	if err != nil {
		return "", fmt.Errorf("certificate of CA %s: %w", i.ID, err)
	}
	if now.After(certificate.NotAfter) {
		return certificate.Subject.String(), nil
	}
	serial, err := serialOf("ca", i.Certificate)
	if err != nil {
		return "", err
	}
	own, err := tx.LockHouseCertificate(ctx, serial[:])
	if err != nil {
		return "", fmt.Errorf("certificate of CA %s: %w", i.ID, err)
	}
	if own.RevokedAt == nil {
		return "", fmt.Errorf("keys of CA %s: %w: its own certificate is good until %s: revoke it first, by sceau crl revoke %s",
			i.ID, lifecycle.Conflict, certificate.NotAfter.Format(time.DateOnly), serial)
	}
	return certificate.Subject.String(), nil
}
