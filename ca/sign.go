package ca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/smallstep/certificates/cas/apiv1"
	"github.com/smallstep/certificates/cas/softcas"

	"sceau/lifecycle"
)

// Sign signs a draft with the CA key. A draft signs once, concurrent calls
// included, and also when the signer fails: whether the key was used is then
// unknown, so the caller prepares the same certificate again (same arguments,
// same bytes) under its stored reservation. The certificate equals the linted
// draft but for the signature; anything else is an error and must be looked at.
//
// A second call is [lifecycle.Conflict]; errors of the signer keep their kind.
func (i *Issuer) Sign(d *Draft, signer crypto.Signer) (*x509.Certificate, error) {
	return sign(d, i.Certificate, signer)
}

//nolint:contextcheck // softcas does no I/O: the signer is bound to its caller's context
func sign(d *Draft, parent *x509.Certificate, signer crypto.Signer) (*x509.Certificate, error) {
	if signer == nil || !samePublicKey(signer.Public(), parent.PublicKey) {
		return nil, errors.New("sign certificate: the signer holds another key than the issuer's certificate")
	}
	if !d.used.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("%w: draft %s was already given to the signer", lifecycle.Conflict, d.serial)
	}
	cas, err := softcas.New(context.Background(), apiv1.Options{
		CertificateSigner: func() ([]*x509.Certificate, crypto.Signer, error) {
			return []*x509.Certificate{parent}, signer, nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open the certificate authority service: %w", err)
	}
	template := *d.template // softcas writes into it
	done, err := cas.CreateCertificate(&apiv1.CreateCertificateRequest{
		Template: &template,
		Lifetime: template.NotAfter.Sub(template.NotBefore),
	})
	if err != nil {
		return nil, fmt.Errorf("sign certificate %s: %w", d.serial, err)
	}
	if !bytes.Equal(done.Certificate.RawTBSCertificate, d.linted.RawTBSCertificate) {
		return nil, fmt.Errorf("certificate %s differs from its linted draft", d.serial)
	}
	return done.Certificate, nil
}
