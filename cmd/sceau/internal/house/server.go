package house

import (
	"context"
	"crypto/x509"
	"net"
	"strings"

	"sceau/ca"
	"sceau/hsm"
)

// ServerRequest asks for the certificate of one of the house's own TLS listeners.
// The house sees no key: the request brings its public half.
type ServerRequest struct {
	CSR   []byte   // PKCS #10; what it says but for the key is not read
	Hosts []string // DNS names and IP addresses
}

// CertifyServer has the CA that signs now certify a listener's key. The certificate
// is on record before it leaves, so that it can be revoked.
func (h *House) CertifyServer(ctx context.Context, c Ceremony, r ServerRequest) (*x509.Certificate, error) {
	c.ledger = h.Service
	request, err := ca.ParseRequest(r.CSR)
	if err != nil {
		return nil, err
	}
	id, err := h.Service.SigningCA(ctx)
	if err != nil {
		return nil, err
	}
	issuer, err := c.issuer(ctx, id)
	if err != nil {
		return nil, err
	}
	signer, err := hsm.NewKeyring(c.Online).Signer(ctx, id, issuer.Certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	var names []string
	var addresses []net.IP
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			addresses = append(addresses, ip)
		} else {
			names = append(names, strings.ToLower(host))
		}
	}
	certificate, err := ca.SignServer(issuer, signer, request.PublicKey(), c.caName("TLS server"), names, addresses, newSerial(), h.config.Now())
	if err != nil {
		return nil, err
	}
	if err := h.Service.RecordServer(ctx, c.By, id, certificate.Raw); err != nil {
		return nil, err
	}
	detail := certified("", certificate)
	delete(detail, "key")
	detail["name"] = strings.Join(r.Hosts, ", ")
	return certificate, c.act(ctx, "server "+detail["sha256"][:8], detail)
}
