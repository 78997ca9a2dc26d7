package issuance

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"sceau/certprofile"
	"sceau/lifecycle"
	"sceau/store/db"
)

// anyPolicy in a CA's certificate allows every policy below it (RFC 5280 §4.2.1.4).
const anyPolicy = "2.5.29.32.0"

// policiesAllowed refuses a profile of which the CA that signs now may not assert some
// policy: whoever validates by policy would refuse its certificates (RFC 5280
// §6.1.3). Where no CA signs yet, nothing is refused.
func policiesAllowed(ctx context.Context, q *db.Queries, p certprofile.Profile) error {
	id, err := q.SigningIssuerID(ctx)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("who signs certificates: %w", err)
	}
	issuer, err := q.Issuer(ctx, id)
	if err != nil {
		return fmt.Errorf("CA %s: %w", id, err)
	}
	return policiesAllowedBy(issuer, p)
}

func policiesAllowedBy(issuer db.Issuer, profiles ...certprofile.Profile) error {
	certificate, err := x509.ParseCertificate(issuer.Certificate)
	if err != nil {
		return fmt.Errorf("certificate of CA %s: %w", issuer.ID, err)
	}
	allowed := make([]string, len(certificate.Policies))
	for i, oid := range certificate.Policies {
		allowed[i] = oid.String()
	}
	if slices.Contains(allowed, anyPolicy) {
		return nil
	}
	var wrong []string
	for _, p := range profiles {
		missing := slices.DeleteFunc(slices.Clone(p.Policies), func(oid string) bool { return slices.Contains(allowed, oid) })
		if len(missing) > 0 {
			wrong = append(wrong, p.Name+": "+strings.Join(missing, ", "))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &lifecycle.FieldError{Field: "policies", Why: fmt.Sprintf(
		"the certificate of CA %s does not allow those of %s: hold a key ceremony for a new issuing CA first, whose plan names them under policies, and have that CA sign",
		issuer.ID, strings.Join(wrong, "; "))}
}

// liveProfilesAllowed is what policiesAllowedBy says of all profiles that are live.
func liveProfilesAllowed(ctx context.Context, q *db.Queries, issuer db.Issuer) error {
	names, err := q.LiveEditionNames(ctx, lifecycle.Profiles.Thing)
	if err != nil {
		return fmt.Errorf("certificate profiles: %w", err)
	}
	for _, p := range certprofile.BuiltIns() {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	var live []certprofile.Profile
	for _, name := range names {
		p, err := liveProfile(ctx, q, name)
		if err != nil {
			return err
		}
		live = append(live, p.Profile)
	}
	return policiesAllowedBy(issuer, live...)
}

// PoliciesAllowed tells whether the CA that signs now may assert the policies of all
// profiles that are live.
func (s *Service) PoliciesAllowed(ctx context.Context) error {
	id, err := s.SigningCA(ctx)
	if err != nil {
		return err
	}
	issuer, err := s.store.Issuer(ctx, id)
	if err != nil {
		return fmt.Errorf("CA %s: %w", id, err)
	}
	return liveProfilesAllowed(ctx, s.store.Queries, issuer)
}
