package jobs

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

// authority is a CA that certificates and lists are signed for.
type authority struct {
	*ca.Issuer

	key          string // by its name in the key store
	keepsExpired bool
}

// authorities reads CAs from the database as they are needed and keeps them: a
// ceremony may be held while the workers run.
type authorities struct {
	service    *issuance.Service
	publicBase string

	mu    sync.Mutex
	known map[string]authority // guarded by mu
}

func (a *authorities) get(ctx context.Context, id string) (authority, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if found, ok := a.known[id]; ok {
		return found, nil
	}
	all, err := a.service.Authorities(ctx)
	if err != nil {
		return authority{}, err
	}
	for _, r := range all {
		if r.ID != id || !r.Online {
			continue
		}
		certificate, err := x509.ParseCertificate(r.Certificate)
		if err != nil {
			return authority{}, fmt.Errorf("certificate of issuer %s: %w", id, err)
		}
		found := authority{
			Issuer: &ca.Issuer{ID: id, Certificate: certificate, PublicBase: cmp.Or(r.PublicBase, a.publicBase)},
			key:    r.Key, keepsExpired: r.KeepsExpired,
		}
		if a.known == nil {
			a.known = make(map[string]authority)
		}
		a.known[id] = found
		return found, nil
	}
	return authority{}, fmt.Errorf("issuer %s: %w: no online CA has this name", id, lifecycle.NotFound)
}

// responder is the delegated responder of an issuer with its key.
func (a *authorities) responder(ctx context.Context, issuer authority, validity time.Duration, signers Signers) (*ca.Responder, crypto.Signer, error) {
	delegate, err := a.service.NewestDelegate(ctx, issuer.ID, issuance.DelegateOCSP)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(delegate.Certificate)
	if err != nil {
		return nil, nil, fmt.Errorf("responder certificate of %s: %w", issuer.ID, err)
	}
	responder, err := ca.NewResponder(issuer.Certificate, certificate, validity)
	if err != nil {
		return nil, nil, err
	}
	signer, err := signers.Signer(ctx, delegate.Key, certificate.PublicKey)
	return responder, signer, err
}
