package jobs

import (
	"context"
	"slices"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

type answers struct {
	Tools

	authorities *authorities
}

// together is how many answers are planned, signed in one call, and stored: more
// of a call gains nothing, and what is stored is not signed again after a crash.
const together = 100

// refresh signs answers ahead: for one certificate whose status changed, or for
// all whose answer is past half of its life.
func (a answers) refresh(ctx context.Context, args issuance.OCSPRefreshArgs, done issuance.Done) error {
	certificates := []lifecycle.CertificateID{args.Certificate}
	if args.Certificate == "" {
		stale, err := a.Service.StaleOCSP(ctx)
		if err != nil {
			return err
		}
		certificates = stale
	}
	for some := range slices.Chunk(certificates, together) {
		if err := a.sign(ctx, some); err != nil {
			return err
		}
	}
	return a.Service.Complete(ctx, done)
}

// sign makes the answers for certificates, one call to the key store for each
// issuer. Clients that ask for something else are answered live.
func (a answers) sign(ctx context.Context, certificates []lifecycle.CertificateID) error {
	plans := map[string][]issuance.OCSPPlan{} // by issuer
	for _, id := range certificates {
		plan, err := a.Service.PlanOCSP(ctx, id)
		if err != nil {
			return err
		}
		if plan.Status.Issued {
			plans[plan.Issuer] = append(plans[plan.Issuer], plan)
		}
	}
	for issuer, theirs := range plans {
		if err := a.signFor(ctx, issuer, theirs); err != nil {
			return err
		}
	}
	return nil
}

func (a answers) signFor(ctx context.Context, name string, plans []issuance.OCSPPlan) error {
	issuer, err := a.authorities.get(ctx, name)
	if err != nil {
		return err
	}
	responder, signer, err := a.authorities.responder(ctx, issuer, a.Service.Policy().OCSPValidity, a.Signers)
	if err != nil {
		return err
	}
	of := make([]ca.CertificateStatus, len(plans))
	for i, plan := range plans {
		of[i] = ca.CertificateStatus{Serial: plan.Serial, Status: StatusOf(plan.Status)}
	}
	signed, err := responder.AnswerAhead(of, a.Now(), signer)
	if err != nil {
		return err
	}
	for i, answer := range signed {
		if err := a.Service.PutOCSP(ctx, plans[i], answer.DER, answer.ThisUpdate, answer.NextUpdate); err != nil {
			return err
		}
	}
	return nil
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
