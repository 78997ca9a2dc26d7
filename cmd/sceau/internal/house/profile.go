package house

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"sceau/ca"
	"sceau/certprofile"
	"sceau/lifecycle"
)

// ReadProfile reads an author's file and makes its sample, which the linter passed.
func ReadProfile(file []byte, now time.Time) (certprofile.Profile, *x509.Certificate, error) {
	p, err := certprofile.Parse(file)
	if err != nil {
		return p, nil, err
	}
	sample, err := ca.Sample(ca.ProfileOf(p), now)
	if err != nil {
		return p, nil, fmt.Errorf("the sample of %s: %w", p.Name, err)
	}
	return p, sample, nil
}

// ProposeProfile reads, tries and records a certificate profile that an approver
// looks at.
func (h *House) ProposeProfile(ctx context.Context, by lifecycle.Actor, file []byte) (certprofile.Profile, int, error) {
	p, _, err := ReadProfile(file, h.config.Now())
	if err != nil {
		return p, 0, err
	}
	version, err := h.Service.ProposeProfile(ctx, by, p)
	return p, version, err
}

// CeremonyProfile is one by which certificates are made at ceremonies: it stands in
// the code.
func CeremonyProfile(name string) (ca.Profile, bool) {
	for _, p := range ca.CeremonyProfiles() {
		if p.Name == name {
			return p, true
		}
	}
	return ca.Profile{}, false
}
