package issuance

import (
	"context"
	"fmt"

	"sceau/certprofile"
	"sceau/lifecycle"
)

// SystemCertificate finds a certificate that an organisation's system has as TLS
// client; a person's is [lifecycle.Invalid]. Relying services may call by one.
func (s *Service) SystemCertificate(ctx context.Context, serial lifecycle.Serial) (lifecycle.CertificateID, error) {
	id, err := s.CertificateBySerial(ctx, serial)
	if err != nil {
		return "", err
	}
	profile, err := s.ProfileOf(ctx, id)
	if err != nil {
		return "", err
	}
	if profile.Kind != certprofile.ServiceClient {
		return "", fmt.Errorf("certificate %s: %w: its profile is of kind %s: a service calls by one of kind %s", id, lifecycle.Invalid, profile.Kind, certprofile.ServiceClient)
	}
	return id, nil
}
