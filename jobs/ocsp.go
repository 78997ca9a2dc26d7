package jobs

import (
	"context"
	"crypto"

	"sceau/ca"
	"sceau/issuance"
)

type answers struct {
	Tools

	authorities *authorities
}

// refresh signs answers ahead: for one certificate whose status changed, or for
// all whose answer is past half of its life.
func (a answers) refresh(ctx context.Context, args issuance.OCSPRefreshArgs, done issuance.Done) error {
	if args.Certificate != "" {
		if err := a.sign(ctx, args); err != nil {
			return err
		}
		return a.Service.Complete(ctx, done)
	}
	stale, err := a.Service.StaleOCSP(ctx)
	if err != nil {
		return err
	}
	for _, id := range stale {
		if err := a.sign(ctx, issuance.OCSPRefreshArgs{Certificate: id}); err != nil {
			return err
		}
	}
	return a.Service.Complete(ctx, done)
}

// sign makes the answer that most clients ask for: CertID with SHA-1
// (RFC 5019 §2.1.1), no nonce. Others are answered live.
func (a answers) sign(ctx context.Context, args issuance.OCSPRefreshArgs) error {
	plan, err := a.Service.PlanOCSP(ctx, args.Certificate)
	if err != nil || !plan.Status.Issued {
		return err
	}
	issuer, err := a.authorities.get(ctx, plan.Issuer)
	if err != nil {
		return err
	}
	responder, signer, err := a.authorities.responder(ctx, issuer, a.Service.Policy().OCSPValidity, a.Signers)
	if err != nil {
		return err
	}
	request, err := responder.Request(plan.Serial, crypto.SHA1)
	if err != nil {
		return err
	}
	answer, err := responder.Answer(request, []ca.Status{StatusOf(plan.Status)}, a.Now(), signer)
	if err != nil {
		return err
	}
	return a.Service.PutOCSP(ctx, plan, answer.DER, answer.ThisUpdate, answer.NextUpdate)
}

// StatusOf is what OCSP says of a certificate's status.
func StatusOf(s issuance.CertificateStatus) ca.Status {
	switch {
	case s.Revoked:
		return ca.Status{State: ca.StateRevoked, RevokedAt: s.RevokedAt, Reason: s.Reason, InvalidityDate: s.InvalidityDate}
	case s.Issued:
		return ca.Status{State: ca.StateGood}
	}
	return ca.Status{State: ca.StateUnknown}
}
