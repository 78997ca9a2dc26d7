package authn

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"sceau/certprofile"
	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store/db"
)

// maxCertificates bounds those of one user that a signature is tried on, the newest
// first.
const maxCertificates = 8

// judgeCertificate judges a signature over the authentication's text by the key of a
// certificate of the user's: active, within its time, of a CA that is not revoked, of
// a person, and with the key usage. A signature of nobody is judged in vain.
func (s *Service) judgeCertificate(ctx context.Context, row db.Authentication, asked Authentication, given Given) (proven, error) {
	var rows []db.ProvingCertificatesRow
	if row.HolderID != nil {
		var err error
		now := s.now()
		if rows, err = s.store.ProvingCertificates(ctx, *row.HolderID, &now, maxCertificates); err != nil {
			return proven{}, fmt.Errorf("certificates of %s: %w", *row.HolderID, err)
		}
	}
	if len(rows) == 0 {
		_ = signing.CheckSignature(s.noKey, asked.Text, given.Signature)
		return proven{}, ErrRefused
	}
	for _, r := range rows {
		certificate, err := x509.ParseCertificate(r.DER)
		if err != nil {
			return proven{}, fmt.Errorf("certificate %s on record: %w", r.ID, err)
		}
		if signing.CheckSignature(certificate.PublicKey, asked.Text, given.Signature) != nil {
			continue
		}
		kind, err := s.kindOfCertificate(ctx, r)
		if err != nil {
			return proven{}, err
		}
		if !mayProve(kind, certificate.KeyUsage, asked.Operation.Function) {
			return proven{}, ErrRefused
		}
		return proven{holder: *row.HolderID, evidence: map[string]string{
			"certificate": string(r.ID), "serial": hex.EncodeToString(certificate.SerialNumber.Bytes()),
		}}, nil
	}
	return proven{}, ErrRefused
}

// mayProve tells whether a certificate is for it: a person's, to sign in with one for
// authentication, to sign an operation also with one for signatures.
func mayProve(kind certprofile.Kind, usage x509.KeyUsage, f signing.Function) bool {
	if kind != certprofile.PersonAuthentication && kind != certprofile.PersonSignature {
		return false
	}
	allowed := x509.KeyUsageDigitalSignature
	if f.Sensitive() {
		allowed |= x509.KeyUsageContentCommitment
	}
	return usage&allowed != 0
}

// kindOfCertificate is whose certificates a profile is of.
func (s *Service) kindOfCertificate(ctx context.Context, r db.ProvingCertificatesRow) (certprofile.Kind, error) {
	if r.ProfileVersion == 0 {
		p, ok := certprofile.BuiltIn(r.Profile)
		if !ok {
			return "", fmt.Errorf("certificate profile %q: %w", r.Profile, lifecycle.NotFound)
		}
		return p.Kind, nil
	}
	kept, err := s.store.Edition(ctx, lifecycle.Profiles.Thing, r.Profile, r.ProfileVersion)
	if err != nil {
		return "", fmt.Errorf("certificate profile %s, version %d: %w", r.Profile, r.ProfileVersion, err)
	}
	p, err := certprofile.Read(kept.Content)
	return p.Kind, err
}
