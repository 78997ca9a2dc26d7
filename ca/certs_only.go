package ca

import (
	"crypto/x509"
	"fmt"

	"github.com/smallstep/pkcs7"
)

// CertsOnly bundles certificates in a CMS message without a signer (RFC 5652,
// the "certs-only" message that RFC 5280 §4.2.2.1 names for caIssuers), for
// /ca/{issuer}.p7c.
func CertsOnly(certificates ...*x509.Certificate) ([]byte, error) {
	var all []byte
	for _, c := range certificates {
		all = append(all, c.Raw...)
	}
	der, err := pkcs7.DegenerateCertificate(all)
	if err != nil {
		return nil, fmt.Errorf("bundle certificates: %w", err)
	}
	return der, nil
}
