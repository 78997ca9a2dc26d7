package house

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"

	"sceau/ca"
	"sceau/web/holder"
)

// Holders opens the door for holders. It needs no Vault.
func (h *House) Holders() (http.Handler, error) {
	return holder.New(holder.Config{
		Service: h.Service, Chain: h.chain, Bundle: bundle, Ready: h.Store.Ping, Now: h.config.Now, Logger: h.config.Logger,
	})
}

// chain are the certificates of an issuer and of those above it, DER.
func (h *House) chain(ctx context.Context, issuer string) ([][]byte, error) {
	all, err := h.Service.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for range all { // no chain is longer
		for _, a := range all {
			if a.ID == issuer {
				chain, issuer = append(chain, a.Certificate), a.Parent
				break
			}
		}
	}
	return chain, nil
}

func bundle(certificates ...[]byte) ([]byte, error) {
	all := make([]*x509.Certificate, len(certificates))
	for i, der := range certificates {
		var err error
		if all[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("bundle certificates: %w", err)
		}
	}
	return ca.CertsOnly(all...)
}
