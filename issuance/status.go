package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// CertificateStatus is what OCSP answers from. A serial that no certificate was
// signed for is unknown, never good: Issued and Revoked are both false.
type CertificateStatus struct {
	Issued         bool
	Revoked        bool // or held
	RevokedAt      time.Time
	Reason         lifecycle.RevocationReason
	InvalidityDate time.Time
	Version        int32

	Answer     []byte // signed ahead for this version; nil for none
	ThisUpdate time.Time
	NextUpdate time.Time
}

// Status reads the status of a serial; an unknown one is no error.
func (s *Service) Status(ctx context.Context, issuer string, serial lifecycle.Serial) (CertificateStatus, error) {
	r, err := s.store.CertificateStatus(ctx, serial[:], &issuer)
	if isNotFound(err) {
		return CertificateStatus{}, nil
	}
	if err != nil {
		return CertificateStatus{}, fmt.Errorf("status of %s: %w", serial, err)
	}
	st := CertificateStatus{
		Version: r.StatusVersion, Answer: r.Answer, ThisUpdate: deref(r.ThisUpdate), NextUpdate: deref(r.NextUpdate),
		InvalidityDate: deref(r.InvalidityDate),
	}
	switch r.State {
	case lifecycle.CertIssued, lifecycle.CertActive, lifecycle.CertHeld, lifecycle.CertExpired, lifecycle.CertRevoked:
		st.Issued = true
	case lifecycle.CertOrdered, lifecycle.CertApproved, lifecycle.CertAwaitingKey, lifecycle.CertIssuing, lifecycle.CertCancelled:
		return st, nil
	}
	if r.RevokedAt != nil {
		st.Revoked, st.RevokedAt, st.Reason = true, *r.RevokedAt, lifecycle.RevocationReason(deref(r.Reason))
	}
	return st, nil
}

// OCSPPlan is an answer to sign ahead.
type OCSPPlan struct {
	Certificate lifecycle.CertificateID
	Issuer      string
	Serial      lifecycle.Serial
	Status      CertificateStatus
}

// PlanOCSP reads what the answer for a certificate says.
func (s *Service) PlanOCSP(ctx context.Context, id lifecycle.CertificateID) (OCSPPlan, error) {
	cert, err := s.store.Certificate(ctx, id)
	if err != nil {
		return OCSPPlan{}, fmt.Errorf("certificate %s: %w", id, err)
	}
	if cert.Serial == nil || cert.IssuerID == nil {
		return OCSPPlan{}, fmt.Errorf("certificate %s: %w: it has no serial", id, lifecycle.Illegal)
	}
	plan := OCSPPlan{Certificate: id, Issuer: *cert.IssuerID, Serial: lifecycle.Serial(cert.Serial)}
	plan.Status, err = s.Status(ctx, plan.Issuer, plan.Serial)
	return plan, err
}

// PutOCSP stores an answer signed ahead. One for an older status never replaces
// a newer one.
func (s *Service) PutOCSP(ctx context.Context, plan OCSPPlan, der []byte, thisUpdate, nextUpdate time.Time) error {
	err := s.store.PutOCSPAnswer(ctx, db.PutOCSPAnswerParams{
		Serial: plan.Serial[:], StatusVersion: plan.Status.Version, DER: der, ThisUpdate: thisUpdate, NextUpdate: nextUpdate,
	})
	if err != nil {
		return fmt.Errorf("OCSP answer for %s: %w", plan.Serial, err)
	}
	return nil
}

const staleBatch = 1000

// StaleOCSP lists certificates whose answer is missing, outdated, or past half
// of its life; at most a thousand.
func (s *Service) StaleOCSP(ctx context.Context) ([]lifecycle.CertificateID, error) {
	now := s.now()
	ids, err := s.store.StaleOCSPAnswers(ctx, &now, now.Add(s.policy.OCSPValidity/2), staleBatch)
	if err != nil {
		return nil, fmt.Errorf("stale OCSP answers: %w", err)
	}
	return ids, nil
}
