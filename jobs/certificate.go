package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

type certificates struct {
	Tools

	authorities *authorities
}

// issue signs a certificate: draft, lint and store first, then the key. The
// draft depends on the stored plan alone, so that a second worker makes the
// same bytes.
func (c certificates) issue(ctx context.Context, args issuance.CertificateIssueArgs, done issuance.Done) error {
	plan, err := c.Service.BeginIssue(ctx, args.Certificate)
	if err != nil {
		return err
	}
	issuer, err := c.authorities.get(ctx, plan.Issuer)
	if err != nil {
		return err
	}
	draft, err := c.draft(issuer, plan)
	if errors.Is(err, lifecycle.Invalid) && plan.TBS == nil {
		return c.Service.RejectKey(ctx, plan, err.Error(), done)
	}
	if err != nil {
		return err
	}
	if plan.TBS == nil {
		err = c.Service.RecordTBS(ctx, plan, draft.TBS(), draft.NotBefore(), draft.NotAfter())
	} else if !bytes.Equal(plan.TBS, draft.TBS()) {
		err = fmt.Errorf("certificate %s: %w: the draft differs from the stored one", plan.Certificate, lifecycle.Illegal)
	}
	if err != nil {
		return err
	}
	signer, err := c.Signers.Signer(ctx, issuer.key, issuer.Certificate.PublicKey)
	if err != nil {
		return err
	}
	certificate, err := issuer.Sign(draft, signer)
	if err != nil {
		return err
	}
	return c.Service.FinishIssue(ctx, plan, certificate.Raw, done)
}

func (c certificates) draft(issuer authority, plan issuance.CertificatePlan) (*ca.Draft, error) {
	profile, err := c.profile(plan.Profile)
	if err != nil {
		return nil, err
	}
	request, err := ca.ParseRequest(plan.CSR)
	if err != nil {
		return nil, err
	}
	return issuer.Prepare(profile, request, subjectOf(plan.Subject, c.TestSubjects), plan.Serial, plan.Shard, plan.ReservedAt)
}

func (c certificates) profile(name string) (ca.Profile, error) {
	for _, p := range c.CertProfiles {
		if p.Name == name {
			return p, nil
		}
	}
	return ca.Profile{}, fmt.Errorf("%w: there is no certificate profile %q", lifecycle.Illegal, name)
}

func subjectOf(s issuance.Subject, test bool) ca.Subject {
	return ca.Subject{
		GivenName: s.GivenName, Surname: s.Surname, Organization: s.Organization, OrganizationID: s.OrganizationID,
		RegistryNumber: s.RegistryNumber, Country: s.Country, HolderNumber: s.HolderNumber, Email: s.Email, Test: test,
	}
}

// CSRChecker is what the use cases ask of the ca room: its judgement of
// certificate requests, and what lists say of a certificate.
type CSRChecker struct{ Test bool }

// CheckCSR checks proof of possession, the key, and that the request names
// nobody but the subject.
func (c CSRChecker) CheckCSR(csr []byte, s issuance.Subject) ([32]byte, error) {
	request, err := ca.ParseRequest(csr)
	if err != nil {
		return [32]byte{}, err
	}
	if err := request.CheckSubject(subjectOf(s, c.Test)); err != nil {
		return [32]byte{}, err
	}
	return request.SPKIHash(), nil
}

// CheckAcceptance checks a holder's signature by their certificate.
func (CSRChecker) CheckAcceptance(certificate, statement, signature []byte) error {
	return ca.CheckStatement(certificate, statement, signature)
}

// EncodeEntry encodes a list's entry.
func (CSRChecker) EncodeEntry(e issuance.CRLEntry) ([]byte, error) {
	return ca.EncodeEntry(ca.Revoked{Serial: e.Serial, At: e.At, Reason: e.Reason, InvalidityDate: e.InvalidityDate})
}
