package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
)

// CertificateStatus is what OCSP answers from. A serial that no certificate was
// signed for is never good: Issued and Revoked are both false.
type CertificateStatus struct {
	Reserved       bool // the serial is some certificate's, issued or about to be
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

// OCSPStatus is one certificate's status.
type OCSPStatus struct {
	Certificate lifecycle.CertificateID
	Issuer      string
	Serial      lifecycle.Serial
	CertificateStatus
}

func statusOf(r db.CertificateStatus) OCSPStatus {
	st := OCSPStatus{Certificate: r.ID, Issuer: deref(r.IssuerID), Serial: lifecycle.Serial(r.Serial), CertificateStatus: CertificateStatus{
		Reserved: true, Version: r.StatusVersion, Answer: r.Answer, ThisUpdate: deref(r.ThisUpdate), NextUpdate: deref(r.NextUpdate),
		InvalidityDate: deref(r.InvalidityDate),
	}}
	switch r.State {
	case lifecycle.CertIssued, lifecycle.CertActive, lifecycle.CertHeld, lifecycle.CertExpired, lifecycle.CertRevoked:
		st.Issued = true
	case lifecycle.CertOrdered, lifecycle.CertApproved, lifecycle.CertAwaitingKey, lifecycle.CertIssuing, lifecycle.CertStopped, lifecycle.CertCancelled:
		return st
	}
	if r.RevokedAt != nil {
		st.Revoked, st.RevokedAt, st.Reason = true, *r.RevokedAt, lifecycle.RevocationReason(deref(r.Reason))
	}
	return st
}

// houseStatusOf is the status of a certificate of the house: it is revoked once and
// for all, and nobody signs its answers ahead.
func houseStatusOf(r db.HouseStatus) OCSPStatus {
	st := OCSPStatus{Issuer: r.IssuerID, Serial: lifecycle.Serial(r.Serial), CertificateStatus: CertificateStatus{
		Reserved: true, Issued: true, InvalidityDate: deref(r.InvalidityDate),
	}}
	if r.RevokedAt != nil {
		st.Revoked, st.RevokedAt, st.Reason, st.Version = true, *r.RevokedAt, lifecycle.RevocationReason(deref(r.Reason)), 1
	}
	return st
}

func statusesOf(rows []db.CertificateStatus) []OCSPStatus {
	all := make([]OCSPStatus, len(rows))
	for i, r := range rows {
		all[i] = statusOf(r)
	}
	return all
}

func houseStatusesOf(rows []db.HouseStatus) []OCSPStatus {
	all := make([]OCSPStatus, len(rows))
	for i, r := range rows {
		all[i] = houseStatusOf(r)
	}
	return all
}

// HouseStatuses reads the statuses of the house's own certificates, which are few.
func (s *Service) HouseStatuses(ctx context.Context) ([]OCSPStatus, error) {
	rows, err := s.store.HouseStatuses(ctx)
	if err != nil {
		return nil, fmt.Errorf("statuses of the house: %w", err)
	}
	return houseStatusesOf(rows), nil
}

// Status reads the status of a serial; an unknown one is no error.
func (s *Service) Status(ctx context.Context, issuer string, serial lifecycle.Serial) (CertificateStatus, error) {
	r, err := s.store.CertificateStatus(ctx, serial[:], &issuer)
	if isNotFound(err) {
		return s.houseStatus(ctx, issuer, serial)
	}
	if err != nil {
		return CertificateStatus{}, fmt.Errorf("status of %s: %w", serial, err)
	}
	return statusOf(r).CertificateStatus, nil
}

// houseStatus reads the status of a serial that no order's certificate has.
func (s *Service) houseStatus(ctx context.Context, issuer string, serial lifecycle.Serial) (CertificateStatus, error) {
	r, err := s.store.HouseStatus(ctx, serial[:], issuer)
	if isNotFound(err) {
		return CertificateStatus{}, nil
	}
	if err != nil {
		return CertificateStatus{}, fmt.Errorf("status of %s: %w", serial, err)
	}
	return houseStatusOf(r).CertificateStatus, nil
}

// statusPage is how many new answers are read at a time.
const statusPage = 5000

// EveryStatus reads all statuses but those of the house's own certificates, in no
// order and without their answers, and gives some at a time to take.
func (s *Service) EveryStatus(ctx context.Context, take func([]OCSPStatus)) error {
	err := s.store.EveryStatus(ctx, func(rows []db.EveryStatusRow) {
		all := make([]OCSPStatus, len(rows))
		for i, r := range rows {
			all[i] = statusOf(db.CertificateStatus{
				IssuerID: r.IssuerID, Serial: r.Serial, State: r.State, RevokedAt: r.RevokedAt, Reason: r.Reason,
				InvalidityDate: r.InvalidityDate, StatusVersion: r.StatusVersion,
			})
		}
		take(all)
	})
	if err != nil {
		return fmt.Errorf("all statuses: %w", err)
	}
	return nil
}

// EveryAnswer does the same for the answers signed ahead.
func (s *Service) EveryAnswer(ctx context.Context, take func([]OCSPAnswer)) error {
	err := s.store.EveryAnswer(ctx, func(rows []db.EveryAnswerRow) {
		all := make([]OCSPAnswer, len(rows))
		for i, r := range rows {
			all[i] = OCSPAnswer{
				Serial: lifecycle.Serial(r.Serial), Version: r.StatusVersion, DER: r.DER, ThisUpdate: r.ThisUpdate, NextUpdate: r.NextUpdate,
			}
		}
		take(all)
	})
	if err != nil {
		return fmt.Errorf("all OCSP answers: %w", err)
	}
	return nil
}

// StatusMark is up to where somebody knows the statuses.
type StatusMark struct {
	revisions map[shardOf]int64
	answers   int64
}

type shardOf struct {
	issuer string
	shard  int32
}

// Behind tells whether a mark stands before another in any shard: what was known
// then is not known now.
func (m StatusMark) Behind(other StatusMark) bool {
	for shard, revision := range other.revisions {
		if m.revisions[shard] < revision {
			return true
		}
	}
	return false
}

// MarkStatuses is up to where the database knows the statuses now. What is read
// after it includes all up to it: a shard's revision rises under the lock of its
// row, hence in the order of commits.
func (s *Service) MarkStatuses(ctx context.Context) (StatusMark, error) {
	m := StatusMark{revisions: map[shardOf]int64{}}
	rows, err := s.store.StatusRevisions(ctx)
	if err != nil {
		return m, fmt.Errorf("revisions of statuses: %w", err)
	}
	for _, r := range rows {
		m.revisions[shardOf{r.IssuerID, r.Shard}] = r.Revision
	}
	if m.answers, err = s.store.NewestAnswer(ctx); err != nil {
		return m, fmt.Errorf("newest OCSP answer: %w", err)
	}
	return m, nil
}

// StatusesSince reads what changed between two marks, and perhaps some of it
// again.
func (s *Service) StatusesSince(ctx context.Context, seen, now StatusMark) ([]OCSPStatus, error) {
	var issuers []string
	var shards []int32
	var revisions, upto []int64
	for shard, revision := range now.revisions {
		if before := seen.revisions[shard]; before < revision {
			issuers, shards = append(issuers, shard.issuer), append(shards, shard.shard)
			revisions, upto = append(revisions, before), append(upto, revision)
		}
	}
	if issuers == nil {
		return nil, nil
	}
	rows, err := s.store.StatusesSince(ctx, db.StatusesSinceParams{Issuers: issuers, Shards: shards, Seen: revisions, Upto: upto})
	if err != nil {
		return nil, fmt.Errorf("changed statuses: %w", err)
	}
	house, err := s.store.HouseStatusesSince(ctx, issuers, shards, revisions)
	if err != nil {
		return nil, fmt.Errorf("changed statuses of the house: %w", err)
	}
	return append(statusesOf(rows), houseStatusesOf(house)...), nil
}

// answersAgain is how many answers are read again with the new ones: some are
// numbered before others and committed after them.
const answersAgain = 1000

// AnswersSince reads the statuses whose answers were signed between two marks,
// and gives each page to take. Nothing rests on its reading all: an answer that
// is missing is signed when it is asked for.
func (s *Service) AnswersSince(ctx context.Context, seen, now StatusMark, take func([]OCSPStatus)) error {
	if seen.answers == now.answers {
		return nil
	}
	for after := max(seen.answers-answersAgain, 0); ; {
		rows, err := s.store.AnswersSince(ctx, after, statusPage)
		if err != nil {
			return fmt.Errorf("new OCSP answers: %w", err)
		}
		take(statusesOf(rows))
		if len(rows) < statusPage {
			return nil
		}
		after = deref(rows[len(rows)-1].Stored)
	}
}

// ListenStatuses calls heard when a status may have changed, until ctx ends or
// the database goes away.
func (s *Service) ListenStatuses(ctx context.Context, heard func()) error {
	return s.store.ListenStatuses(ctx, heard)
}

// PlanOCSP reads what the answer for a certificate says.
func (s *Service) PlanOCSP(ctx context.Context, id lifecycle.CertificateID) (OCSPStatus, error) {
	cert, err := s.store.Certificate(ctx, id)
	if err != nil {
		return OCSPStatus{}, fmt.Errorf("certificate %s: %w", id, err)
	}
	if cert.Serial == nil || cert.IssuerID == nil {
		return OCSPStatus{}, fmt.Errorf("certificate %s: %w: it has no serial", id, lifecycle.Illegal)
	}
	r, err := s.store.CertificateStatus(ctx, cert.Serial, cert.IssuerID)
	if err != nil {
		return OCSPStatus{}, fmt.Errorf("status of certificate %s: %w", id, err)
	}
	return statusOf(r), nil
}

// OCSPAnswer is an answer signed ahead, for one version of a status.
type OCSPAnswer struct {
	Serial                 lifecycle.Serial
	Version                int32
	DER                    []byte
	ThisUpdate, NextUpdate time.Time
}

// PutOCSP stores answers signed ahead. One for an older status never replaces a
// newer one.
func (s *Service) PutOCSP(ctx context.Context, answers []OCSPAnswer) error {
	var p db.PutOCSPAnswersParams
	for _, a := range answers {
		p.Serials, p.StatusVersions, p.DERs = append(p.Serials, a.Serial[:]), append(p.StatusVersions, a.Version), append(p.DERs, a.DER)
		p.ThisUpdates, p.NextUpdates = append(p.ThisUpdates, a.ThisUpdate), append(p.NextUpdates, a.NextUpdate)
	}
	if err := s.store.PutOCSPAnswers(ctx, p); err != nil {
		return fmt.Errorf("store %d OCSP answers: %w", len(answers), err)
	}
	if err := s.store.StatusAnswered(ctx, s.now(), p.Serials, p.StatusVersions); err != nil {
		return fmt.Errorf("time %d OCSP answers: %w", len(answers), err)
	}
	return nil
}

const staleBatch = 1000

// StaleOCSP reads certificates whose answer is missing, outdated, or past half
// of its life, after the given one and in the order of their identifiers; at most
// a thousand.
func (s *Service) StaleOCSP(ctx context.Context, after lifecycle.CertificateID) (page []OCSPStatus, last bool, err error) {
	now := s.now()
	renew := now.Add(s.policy.OCSPValidity / 2)
	rows, err := s.store.StaleOCSPAnswers(ctx, db.StaleOCSPAnswersParams{After: after, At: &now, RenewBefore: &renew, MaxRows: staleBatch})
	if err != nil {
		return nil, false, fmt.Errorf("stale OCSP answers: %w", err)
	}
	return statusesOf(rows), len(rows) < staleBatch, nil
}
