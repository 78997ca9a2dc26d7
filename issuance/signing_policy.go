package issuance

import (
	"context"

	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

func signingPolicyTable() editionTable {
	return editionTable{lifecycle.SigningPolicies, lifecycle.PolicyAuthors()}
}

// SigningPolicy is a version of the bank's signing policy, decoded.
type SigningPolicy struct {
	Edition

	Policy signing.Policy
}

// ProposeSigningPolicy records a version of what suffices to sign, which an approver
// looks at.
func (s *Service) ProposeSigningPolicy(ctx context.Context, by lifecycle.Actor, p signing.Policy) (int, error) {
	if err := signingPolicyTable().mayPropose(by); err != nil {
		return 0, err
	}
	content := p.Canonical()
	if _, err := signing.Read(content); err != nil {
		return 0, err
	}
	return s.proposeEdition(ctx, by, signingPolicyTable(), signing.PolicyName, content)
}

// ApproveSigningPolicy makes a version the one by which relying services ask from
// then on, if its hash is that of what the approver saw. What was asked before goes
// on by its own.
func (s *Service) ApproveSigningPolicy(ctx context.Context, by lifecycle.Actor, version int, seen [32]byte) error {
	return s.approveEdition(ctx, by, signingPolicyTable(), signing.PolicyName, version, seen, func(store.Tx, db.Edition) error { return nil })
}

// RefuseSigningPolicy turns a version down, with the reason.
func (s *Service) RefuseSigningPolicy(ctx context.Context, by lifecycle.Actor, version int, why string) error {
	return s.refuseEdition(ctx, by, signingPolicyTable(), signing.PolicyName, version, why)
}

// SigningPolicy reads a version, whatever its state; 0 is the built-in one.
func (s *Service) SigningPolicy(ctx context.Context, version int) (SigningPolicy, error) {
	if err := checkVersion(version); err != nil {
		return SigningPolicy{}, err
	}
	kept, err := edition(ctx, s.store.Queries, signingPolicyTable(), signing.PolicyName, int32(version)) //nolint:gosec // bounded by checkVersion
	if err != nil {
		return SigningPolicy{}, err
	}
	p := SigningPolicy{Edition: kept, Policy: signing.BuiltIn()}
	if version == BuiltIn {
		p.Content, p.SHA256 = p.Policy.Canonical(), p.Policy.Sum()
		return p, nil
	}
	p.Policy, err = signing.Read(kept.Content)
	return p, err
}

// SigningPolicies lists the versions on record, newest first.
func (s *Service) SigningPolicies(ctx context.Context) ([]Edition, error) {
	return s.editions(ctx, signingPolicyTable())
}
