package issuance

import (
	"context"
	"fmt"

	"sceau/certprofile"
	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// CertificateProfile is a version of a certificate profile, decoded: whoever decides
// something about a certificate asks its profile for level and switches.
//
// The version of a certificate is fixed when its order is approved, and what it says
// never changes, so that [Service.ProfileOf] answers the same for ever.
type CertificateProfile struct {
	certprofile.Profile

	Version int // 0: built in
	State   lifecycle.EditionState
	SHA256  [32]byte // of the canonical form, which an approver approves by
}

func profileTable() editionTable {
	return editionTable{lifecycle.Profiles, lifecycle.ProfileAuthors()}
}

// ProposeProfile records a version of a certificate profile that an approver looks
// at. A name keeps its kind: what was ordered by it stays what it was.
func (s *Service) ProposeProfile(ctx context.Context, by lifecycle.Actor, p certprofile.Profile) (int, error) {
	if err := profileTable().mayPropose(by); err != nil {
		return 0, err
	}
	content := p.Canonical()
	if _, err := certprofile.Read(content); err != nil {
		return 0, err
	}
	live, err := s.LiveProfile(ctx, p.Name)
	if err != nil && !isNotFound(err) {
		return 0, err
	}
	if err == nil && live.Kind != p.Kind {
		return 0, &lifecycle.FieldError{Field: "kind", Why: fmt.Sprintf("certificates of %s are of kind %s: give another kind another name", p.Name, live.Kind)}
	}
	if err := policiesAllowed(ctx, s.store.Queries, p); err != nil {
		return 0, err
	}
	return s.proposeEdition(ctx, by, profileTable(), p.Name, content)
}

// ApproveProfile makes a version the one by which certificates are approved from
// then on, if its hash is that of what the approver saw. The version before retires;
// what was approved by it is issued by it. Another CA may sign since it was proposed:
// its policies are held against the certificate of that one.
func (s *Service) ApproveProfile(ctx context.Context, by lifecycle.Actor, name string, version int, seen [32]byte) error {
	return s.approveEdition(ctx, by, profileTable(), name, version, seen, func(tx store.Tx, e db.Edition) error {
		p, err := certprofile.Read(e.Content)
		if err != nil {
			return err
		}
		return policiesAllowed(ctx, tx.Queries, p)
	})
}

// RefuseProfile turns a version down, with the reason.
func (s *Service) RefuseProfile(ctx context.Context, by lifecycle.Actor, name string, version int, why string) error {
	return s.refuseEdition(ctx, by, profileTable(), name, version, why)
}

// Profile reads a version, whatever its state.
func (s *Service) Profile(ctx context.Context, name string, version int) (CertificateProfile, error) {
	if err := checkVersion(version); err != nil {
		return CertificateProfile{}, err
	}
	return certificateProfile(ctx, s.store.Queries, name, int32(version)) //nolint:gosec // bounded by checkVersion
}

// LiveProfile is the version by which certificates are approved now.
func (s *Service) LiveProfile(ctx context.Context, name string) (CertificateProfile, error) {
	return liveProfile(ctx, s.store.Queries, name)
}

// Profiles lists the versions on record of all names, newest first.
func (s *Service) Profiles(ctx context.Context) ([]Edition, error) {
	return s.editions(ctx, profileTable())
}

// ProfileOf is the profile of a certificate: the version that was approved with its
// order; before that, the one that is live.
func (s *Service) ProfileOf(ctx context.Context, id lifecycle.CertificateID) (CertificateProfile, error) {
	cert, err := s.store.Certificate(ctx, id)
	if err != nil {
		return CertificateProfile{}, fmt.Errorf("certificate %s: %w", id, err)
	}
	return profileOf(ctx, s.store.Queries, cert)
}

func profileOf(ctx context.Context, q *db.Queries, cert db.Certificate) (CertificateProfile, error) {
	if cert.ProfileVersion == nil {
		return liveProfile(ctx, q, cert.Profile)
	}
	return certificateProfile(ctx, q, cert.Profile, *cert.ProfileVersion)
}

func liveProfile(ctx context.Context, q *db.Queries, name string) (CertificateProfile, error) {
	version, err := q.LiveEdition(ctx, lifecycle.Profiles.Thing, name)
	if err != nil {
		return CertificateProfile{}, fmt.Errorf("live certificate profile %s: %w", name, err)
	}
	return certificateProfile(ctx, q, name, version)
}

func certificateProfile(ctx context.Context, q *db.Queries, name string, version int32) (CertificateProfile, error) {
	kept, err := edition(ctx, q, profileTable(), name, version)
	if err != nil {
		return CertificateProfile{}, err
	}
	p := CertificateProfile{Version: kept.Version, State: kept.State, SHA256: kept.SHA256}
	if version == BuiltIn {
		built, ok := certprofile.BuiltIn(name)
		if !ok {
			return p, fmt.Errorf("certificate profile %q: %w", name, lifecycle.NotFound)
		}
		p.Profile, p.SHA256 = built, built.Sum()
		return p, nil
	}
	if p.Profile, err = certprofile.Read(kept.Content); err != nil {
		return p, fmt.Errorf("version %d of the certificate profile %s: %w", version, name, err)
	}
	return p, nil
}

// checkProfileTx tells whether a certificate can be ordered by the profile that is
// named. The version is fixed later, when the order is approved.
func checkProfileTx(ctx context.Context, tx store.Tx, r OrderRequest) error {
	profile, err := liveProfile(ctx, tx.Queries, r.Profile)
	switch {
	case isNotFound(err):
		return &lifecycle.FieldError{Field: "profile", Why: "the bank has no certificate profile of this name"}
	case err != nil:
		return err
	case profile.Kind == certprofile.Staff:
		return &lifecycle.FieldError{Field: "profile", Why: "is of the bank's own staff: no holder has such a certificate"}
	case profile.Kind == certprofile.ServiceClient:
		return party.CheckOrganisation("service", r.Service)
	case r.Service != "":
		return &lifecycle.FieldError{Field: "service", Why: "is named in a system's certificate only: use a profile of kind service_client"}
	}
	return nil
}

func (s *Service) newCertificateTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, o db.InsertOrderParams, r OrderRequest) error {
	id := lifecycle.CertificateID(s.newID(lifecycle.PrefixCertificate))
	err := tx.InsertCertificate(ctx, db.InsertCertificateParams{
		ID: id, OrderID: o.ID, HolderID: o.HolderID, State: lifecycle.CertOrdered, Profile: r.Profile, Service: r.Service, CreatedAt: s.now(),
	})
	if err != nil {
		return fmt.Errorf("insert certificate: %w", err)
	}
	return s.born(ctx, tx, "certificate", string(id), string(lifecycle.CertOrdered), by, nil)
}
