package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// Authority is a CA as the ceremony leaves it: its certificate, and where in
// Vault its key is.
type Authority struct {
	ID          string
	Certificate []byte // DER
	Mount, Key  string // in Vault
	Shards      int    // CRLs that its certificates are spread over
	Online      bool   // workers sign with it
	Parent      string // "" for a root

	// PublicBase is where relying parties reach the revocation door, http://host.
	// It stands in the certificates that the CA signs and in its lists, so it is
	// fixed for the CA's life.
	PublicBase string
	// KeepsExpired has revoked certificates stay on the lists after their end
	// (ExpiredCertsOnCRL). It is fixed too.
	KeepsExpired bool

	State lifecycle.IssuerState // as it is on record
	Since time.Time             // it is so
}

// RecordAuthority records a CA and opens its CRL shards. The first online CA signs
// holders' certificates from now on, each other one once two people agree
// ([Service.SignWith]). A second time changes nothing.
func (s *Service) RecordAuthority(ctx context.Context, by lifecycle.Actor, a Authority) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		if _, err := tx.Issuer(ctx, a.ID); !isNotFound(err) {
			return err // recorded already, or the database is away
		}
		p := db.InsertIssuerParams{
			ID: a.ID, Certificate: a.Certificate, Mount: a.Mount, KeyName: a.Key, Shards: int32(a.Shards), //nolint:gosec // the schema holds 1 to 1024
			Online: a.Online, PublicBase: a.PublicBase, KeepsExpired: a.KeepsExpired, CreatedAt: s.now(),
		}
		if a.Parent != "" {
			p.ParentID = &a.Parent
		}
		var err error
		if p.State, err = firstState(ctx, tx, a); err != nil {
			return err
		}
		if err := tx.InsertIssuer(ctx, p); err != nil {
			return fmt.Errorf("issuer %s: %w", a.ID, err)
		}
		for shard := range int32(a.Shards) { //nolint:gosec // the schema holds 1 to 1024
			if err := tx.InsertCRLShard(ctx, a.ID, shard); err != nil {
				return fmt.Errorf("issuer %s: shard %d: %w", a.ID, shard, err)
			}
		}
		if a.Parent != "" {
			if err := s.recordHouseCertificateTx(ctx, tx, a.Parent, "ca", a.Certificate); err != nil {
				return err
			}
		}
		return s.born(ctx, tx, "issuer", a.ID, "recorded", by, map[string]string{"key": a.Mount + "/" + a.Key})
	})
}

// firstState is that of a CA that is recorded now.
func firstState(ctx context.Context, tx store.Tx, a Authority) (lifecycle.IssuerState, error) {
	all, err := tx.Issuers(ctx)
	if err != nil {
		return "", fmt.Errorf("issuer %s: %w", a.ID, err)
	}
	for _, other := range all {
		if a.Online && other.Online {
			return lifecycle.IssuerReady, nil
		}
	}
	return lifecycle.IssuerSigning, nil
}

// Authorities lists the CAs.
func (s *Service) Authorities(ctx context.Context) ([]Authority, error) {
	rows, err := s.store.Issuers(ctx)
	if err != nil {
		return nil, fmt.Errorf("issuers: %w", err)
	}
	all := make([]Authority, len(rows))
	for i, r := range rows {
		all[i] = Authority{
			ID: r.ID, Certificate: r.Certificate, Mount: r.Mount, Key: r.KeyName, Shards: int(r.Shards), Online: r.Online,
			Parent: deref(r.ParentID), PublicBase: r.PublicBase, KeepsExpired: r.KeepsExpired,
			State: r.State, Since: r.StateSince,
		}
	}
	return all, nil
}

// Delegation is what a CA's delegate signs.
type Delegation string

// The delegates of a CA.
const (
	DelegateOCSP      Delegation = "ocsp"      // answers on its certificates (RFC 6960 §4.2.2.2)
	DelegateBureau    Delegation = "bureau"    // files for the card bureau
	DelegateStatement Delegation = "statement" // statements to relying services
)

// Delegate is the certificate of a key that signs something for a CA.
type Delegate struct {
	Issuer      string
	Purpose     Delegation
	Certificate []byte // DER
	Key         string // in the key store
	NotAfter    time.Time
}

// RecordDelegate records a delegate's certificate.
func (s *Service) RecordDelegate(ctx context.Context, by lifecycle.Actor, d Delegate) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		err := tx.InsertDelegate(ctx, db.InsertDelegateParams{
			IssuerID: d.Issuer, Purpose: string(d.Purpose), Certificate: d.Certificate, KeyName: d.Key, NotAfter: d.NotAfter, CreatedAt: s.now(),
		})
		if err != nil {
			return fmt.Errorf("%s delegate of %s: %w", d.Purpose, d.Issuer, err)
		}
		if err := s.recordHouseCertificateTx(ctx, tx, d.Issuer, string(d.Purpose), d.Certificate); err != nil {
			return err
		}
		return s.born(ctx, tx, "delegate", d.Issuer+"/"+d.Key, "recorded", by, nil)
	})
}

// RecordServer records the certificate of one of the house's own TLS listeners.
func (s *Service) RecordServer(ctx context.Context, by lifecycle.Actor, issuer string, der []byte) error {
	serial, err := serialOf("server", der)
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		if err := s.recordHouseCertificateTx(ctx, tx, issuer, "server", der); err != nil {
			return err
		}
		return s.born(ctx, tx, "server certificate", serial.String(), "recorded", by, map[string]string{"issuer": issuer})
	})
}

// NewestDelegate is the issuer's delegate for the purpose whose certificate ends
// last.
func (s *Service) NewestDelegate(ctx context.Context, issuer string, purpose Delegation) (Delegate, error) {
	d, err := s.store.NewestDelegate(ctx, issuer, string(purpose))
	if err != nil {
		return Delegate{}, fmt.Errorf("%s delegate of %s: %w", purpose, issuer, err)
	}
	return Delegate{Issuer: d.IssuerID, Purpose: purpose, Certificate: d.Certificate, Key: d.KeyName, NotAfter: d.NotAfter}, nil
}

// Delegates are all delegates on record, those of one CA and purpose the oldest first.
func (s *Service) Delegates(ctx context.Context) ([]Delegate, error) {
	rows, err := s.store.Delegates(ctx)
	if err != nil {
		return nil, fmt.Errorf("delegates: %w", err)
	}
	all := make([]Delegate, len(rows))
	for i, d := range rows {
		all[i] = Delegate{Issuer: d.IssuerID, Purpose: Delegation(d.Purpose), Certificate: d.Certificate, Key: d.KeyName, NotAfter: d.NotAfter}
	}
	return all, nil
}

// FillHouseRecord puts certificates of CAs and delegates on record that older
// versions left out, so that they can be revoked.
func (s *Service) FillHouseRecord(ctx context.Context) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		issuers, err := tx.Issuers(ctx)
		if err != nil {
			return fmt.Errorf("issuers: %w", err)
		}
		for _, i := range issuers {
			if i.ParentID == nil {
				continue
			}
			if err := s.recordHouseCertificateTx(ctx, tx, *i.ParentID, "ca", i.Certificate); err != nil {
				return err
			}
		}
		delegates, err := tx.Delegates(ctx)
		if err != nil {
			return fmt.Errorf("delegates: %w", err)
		}
		for _, d := range delegates {
			if err := s.recordHouseCertificateTx(ctx, tx, d.IssuerID, d.Purpose, d.Certificate); err != nil {
				return err
			}
		}
		return nil
	})
}
