package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sceau/ca"
	"sceau/certprofile"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/trust"
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
	if err == nil && plan.TBS == nil {
		err = c.Service.RecordDraft(ctx, plan, issuance.LintedDraft{
			TBS: draft.TBS(), SubjectSHA256: draft.SubjectHash(), NotBefore: draft.NotBefore(), NotAfter: draft.NotAfter(),
		})
	}
	switch {
	case errors.Is(err, lifecycle.Invalid) && plan.TBS == nil && ofTheRequest(err):
		return c.Service.RejectKey(ctx, plan, err.Error(), done)
	case errors.Is(err, lifecycle.Invalid) && plan.TBS == nil:
		return c.Service.StopIssue(ctx, plan, err.Error(), done)
	case err == nil && plan.TBS != nil && !bytes.Equal(plan.TBS, draft.TBS()):
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

// ofTheRequest tells whether the holder can mend it, with another request. All else
// is for staff.
func ofTheRequest(err error) bool {
	field, ok := errors.AsType[*lifecycle.FieldError](err)
	return ok && strings.HasPrefix(field.Field, "csr")
}

func (c certificates) draft(issuer authority, plan issuance.CertificatePlan) (*ca.Draft, error) {
	request, err := ca.ParseRequest(plan.CSR)
	if err != nil {
		return nil, err
	}
	subject := subjectOf(plan.Subject, c.TestSubjects)
	return issuer.Prepare(ca.ProfileOf(plan.Profile.Profile), request, subject, plan.Serial, plan.Shard, plan.ReservedAt)
}

func subjectOf(s issuance.Subject, test bool) ca.Subject {
	return ca.Subject{
		Service: s.Service, GivenName: s.GivenName, Surname: s.Surname, Organization: s.Organization, OrganizationID: s.OrganizationID,
		RegistryNumber: s.RegistryNumber, Country: s.Country, HolderNumber: s.HolderNumber, Email: s.Email, Test: test,
	}
}

// CSRChecker is what the use cases ask of the ca room: its judgement of
// certificate requests, and what lists say of a certificate.
type CSRChecker struct{ Test bool }

// CheckCSR checks proof of possession, the key by the profile, and that the request
// names nobody but the subject.
func (c CSRChecker) CheckCSR(csr []byte, s issuance.Subject, p certprofile.Profile) ([32]byte, error) {
	request, err := ca.ParseRequest(csr)
	if err != nil {
		return [32]byte{}, err
	}
	if err := request.CheckKey(ca.ProfileOf(p)); err != nil {
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

// CheckTrusted looks at the CAs of an entry of the trust list.
func (CSRChecker) CheckTrusted(e *trust.Entry, at time.Time) error {
	return ca.CheckAnchors(e.CAs(), at)
}

// JudgeForeign judges a certificate under an entry.
func (CSRChecker) JudgeForeign(e *trust.Entry, certificate []byte, at time.Time, purpose trust.Purpose) trust.Judged {
	return ca.JudgeForeign(e, certificate, at, purpose)
}
