package jobs

import (
	"context"
	"slices"

	"sceau/ca"
	"sceau/issuance"
)

type answers struct {
	Tools

	authorities *authorities
}

// together is how many answers are signed in one call and stored in one
// statement: more of a call gains nothing, and what is stored is not signed again
// after a crash.
const together = 100

// pagesOfRefresh bounds one job; the next one goes on.
const pagesOfRefresh = 100

// refresh signs answers ahead: for one certificate whose status changed, or for
// all whose answer is past half of its life.
func (a answers) refresh(ctx context.Context, args issuance.OCSPRefreshArgs, done issuance.Done) error {
	if args.Certificate != "" {
		of, err := a.Service.PlanOCSP(ctx, args.Certificate)
		if err != nil {
			return err
		}
		if err := a.sign(ctx, []issuance.OCSPStatus{of}); err != nil {
			return err
		}
		return a.Service.Complete(ctx, done)
	}
	for range pagesOfRefresh {
		page, last, err := a.Service.StaleOCSP(ctx, args.Certificate)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(page, together) {
			if err := a.sign(ctx, some); err != nil {
				return err
			}
		}
		if last {
			break
		}
		args.Certificate = page[len(page)-1].Certificate
	}
	return a.Service.Complete(ctx, done)
}

// sign makes the answers for certificates, one call to the key store for each
// issuer. Clients that ask for something else are answered live.
func (a answers) sign(ctx context.Context, of []issuance.OCSPStatus) error {
	byIssuer := map[string][]issuance.OCSPStatus{}
	for _, o := range of {
		if o.Issued {
			byIssuer[o.Issuer] = append(byIssuer[o.Issuer], o)
		}
	}
	for issuer, theirs := range byIssuer {
		if err := a.signFor(ctx, issuer, theirs); err != nil {
			return err
		}
	}
	return nil
}

func (a answers) signFor(ctx context.Context, name string, all []issuance.OCSPStatus) error {
	issuer, err := a.authorities.get(ctx, name)
	if err != nil {
		return err
	}
	responder, signer, err := a.authorities.responder(ctx, issuer, a.Service.Policy().OCSPValidity, a.Signers)
	if err != nil {
		return err
	}
	of := make([]ca.CertificateStatus, len(all))
	for i, o := range all {
		of[i] = ca.CertificateStatus{Serial: o.Serial, Status: StatusOf(o.CertificateStatus)}
	}
	signed, err := responder.AnswerAhead(of, a.Now(), signer)
	if err != nil {
		return err
	}
	put := make([]issuance.OCSPAnswer, len(signed))
	for i, answer := range signed {
		put[i] = issuance.OCSPAnswer{
			Serial: all[i].Serial, Version: all[i].Version, DER: answer.DER, ThisUpdate: answer.ThisUpdate, NextUpdate: answer.NextUpdate,
		}
	}
	return a.Service.PutOCSP(ctx, put)
}

// StatusOf is what OCSP says of a certificate's status.
func StatusOf(s issuance.CertificateStatus) ca.Status {
	switch {
	case s.Revoked:
		return ca.Status{State: ca.StateRevoked, RevokedAt: s.RevokedAt, Reason: s.Reason, InvalidityDate: s.InvalidityDate}
	case s.Issued:
		return ca.Status{State: ca.StateGood}
	case s.Reserved:
		return ca.Status{State: ca.StateUnknown}
	}
	return ca.Status{State: ca.StateNeverIssued}
}
