package house

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"sceau/hsm"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/statement"
)

// sealer signs statements by the delegate of the CA that signs now.
type sealer struct {
	house *House
	keys  *hsm.Keyring
}

// Seal makes a statement.
func (s sealer) Seal(ctx context.Context, claims []byte) (string, error) {
	issuer, err := s.house.Service.SigningCA(ctx)
	if err != nil {
		return "", err
	}
	delegate, err := s.house.Service.NewestDelegate(ctx, issuer, issuance.DelegateStatement)
	if errors.Is(err, lifecycle.NotFound) || err == nil && !delegate.NotAfter.After(s.house.config.Now()) {
		return "", fmt.Errorf("%w: %s has no signer of statements that is in time: hold a key ceremony", lifecycle.Unavailable, issuer)
	}
	if err != nil {
		return "", err
	}
	certificate, err := x509.ParseCertificate(delegate.Certificate)
	if err != nil {
		return "", fmt.Errorf("certificate of the statements' signer: %w", err)
	}
	signer, err := s.keys.Signer(ctx, delegate.Key, certificate.PublicKey)
	if err != nil {
		return "", err
	}
	return statement.Sign(claims, certificate, signer)
}

// KeySet has the keys of all signers of statements, the newest first: what was
// stated years ago is checked by it too.
func (s sealer) KeySet(ctx context.Context) ([]byte, error) {
	all, err := s.house.Service.Delegates(ctx)
	if err != nil {
		return nil, err
	}
	var certificates []*x509.Certificate
	for _, d := range slices.Backward(all) {
		if d.Purpose != issuance.DelegateStatement {
			continue
		}
		certificate, err := x509.ParseCertificate(d.Certificate)
		if err != nil {
			return nil, fmt.Errorf("certificate of a signer of statements: %w", err)
		}
		certificates = append(certificates, certificate)
	}
	return statement.KeySet(certificates)
}
