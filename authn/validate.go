package authn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store/db"
	"sceau/trust"
)

// Result is the answer about a certificate.
type Result string

// The answers. What is unknown is not accepted: who revoked it could not be asked.
const (
	Valid   Result = "valid"
	Invalid Result = "invalid"
	Unknown Result = "unknown"
)

// House is the source of a certificate that the house issued.
const House = "house"

// CertificateAsk is a relying service's question about a certificate.
type CertificateAsk struct {
	Certificate []byte // DER
	ClientID    string // whose it should be, with UserNumber
	UserNumber  string
	At          time.Time // zero: now
	Purpose     trust.Purpose
}

// CertificateVerdict is what was found of a certificate.
type CertificateVerdict struct {
	trust.Judged

	Source      string                  // [House], or the name of the trust list's entry; "": nobody's
	Level       string                  // as the entry ranks its CA
	Status      trust.Status            // where it was looked up, and what it says
	House       lifecycle.CertificateID // of one that the house issued
	Means       lifecycle.MeansID       // of one that is bound
	Holder      lifecycle.HolderID      // whose it is: of the user that was asked about only
	Fingerprint [32]byte
	At          time.Time

	owner lifecycle.HolderID
}

// Result sums the verdict up.
func (v CertificateVerdict) Result() Result {
	unknown := false
	for _, code := range v.Codes {
		if code != trust.NoStatus && code != trust.ListEnded {
			return Invalid
		}
		unknown = true
	}
	if unknown {
		return Unknown
	}
	return Valid
}

// ValidateCertificate answers whether a certificate may be accepted from a user for a
// purpose: what it is, who signed it, whether it was revoked, whose it is.
func (s *Service) ValidateCertificate(ctx context.Context, a CertificateAsk) (CertificateVerdict, error) {
	var errs lifecycle.FieldErrors
	if len(a.ClientID) != 8 || !digits(a.ClientID) {
		errs.Add("client_id", "has 8 digits")
	}
	if len(a.UserNumber) != 4 || !digits(a.UserNumber) {
		errs.Add("user_number", "has 4 digits")
	}
	if err := errs.Err(); err != nil {
		return CertificateVerdict{}, err
	}
	v, err := s.CheckCertificate(ctx, a.Certificate, a.At, a.Purpose)
	if err != nil || v.Certificate == nil {
		return v, err
	}
	holder, err := s.store.HolderByUser(ctx, a.ClientID, a.UserNumber)
	switch {
	case err != nil && !errors.Is(err, lifecycle.NotFound):
		return v, fmt.Errorf("validate a certificate: %w", err)
	case v.owner == "":
		v.Add(trust.NotBound, "it is bound to no user")
	case err != nil || holder.ID != v.owner:
		v.Add(trust.BoundToOther, "it is another user's")
		v.House, v.Means = "", ""
	default:
		v.Holder = holder.ID
		v.Checks = append(v.Checks, "binding", "emergency_stop")
		stopped, err := s.store.Stopped(ctx, string(holder.ID))
		if err != nil {
			return v, fmt.Errorf("validate a certificate: %w", err)
		}
		if stopped {
			v.Add(trust.Stopped, "an emergency stop concerns its user")
		}
	}
	return v, nil
}

// CheckCertificate tells whether a certificate would be accepted, whoever brings it, and
// why not.
func (s *Service) CheckCertificate(ctx context.Context, der []byte, at time.Time, purpose trust.Purpose) (CertificateVerdict, error) {
	if s.certificates == nil {
		return CertificateVerdict{}, errNoCertificates
	}
	now := s.now()
	if at.IsZero() {
		at = now
	}
	var errs lifecycle.FieldErrors
	if at.After(now.Add(time.Minute)) {
		errs.Add("at", "is to come: nobody knows what will be revoked")
	}
	if !slices.Contains(trust.Purposes(), purpose) {
		errs.Add("purpose", fmt.Sprintf("use one of %v", trust.Purposes()))
	}
	if err := errs.Err(); err != nil {
		return CertificateVerdict{}, err
	}
	v, err := s.weigh(ctx, der, at, purpose)
	if err != nil {
		return v, err
	}
	if v.Source != "" && v.Source != House {
		err = s.bound(ctx, &v)
	}
	return v, err
}

// weigh judges a certificate without asking whose it is.
func (s *Service) weigh(ctx context.Context, der []byte, at time.Time, purpose trust.Purpose) (CertificateVerdict, error) {
	v := CertificateVerdict{Judged: s.certificates.Judge(&trust.Entry{}, der, at, purpose), At: at, Fingerprint: sha256.Sum256(der)}
	if v.Certificate == nil {
		return v, nil
	}
	house, issuers, err := s.house(ctx)
	if err != nil {
		return v, err
	}
	if house.Names(v.Certificate.RawIssuer) {
		v.Judged, v.Source = s.certificates.Judge(house, der, at, purpose), House
		if v.Chain == nil {
			return v, nil
		}
		return v, s.ownStatus(ctx, &v, issuers)
	}
	entries, err := s.trustList(ctx)
	if err != nil {
		return v, err
	}
	var by *trust.Entry
	for _, e := range entries {
		if !e.Names(v.Certificate.RawIssuer) || v.Chain != nil && v.OK() {
			continue
		}
		// Two CAs may have one name: that of who signed it counts, and of two the one
		// under which nothing is wrong.
		if j := s.certificates.Judge(e, der, at, purpose); by == nil || j.Chain != nil && (v.Chain == nil || j.OK()) {
			v.Judged, v.Source, v.Level, by = j, e.Name, e.Level, e
		}
	}
	if by == nil {
		return v, nil
	}
	if by.Ended(s.now()) {
		v.Add(trust.TrustEnded, "the bank accepted its CA until "+by.Until)
	}
	if v.Chain == nil {
		return v, nil
	}
	v.Checks = append(v.Checks, "revocation")
	if v.Status, err = s.status(ctx, by, v.Judged); err != nil {
		return v, err
	}
	v.addStatus()
	return v, nil
}

// addStatus says what the status has wrong, at the moment that is asked about. A key
// that was compromised is believed for no moment: nobody knows since when it was.
func (v *CertificateVerdict) addStatus() {
	st := v.Status
	if st.Code == "" || st.Code == trust.Revoked && st.Revoked.After(v.At) && lifecycle.RevocationReason(st.Reason) != lifecycle.ReasonKeyCompromise {
		return
	}
	v.Add(st.Code, map[trust.Code]string{
		trust.Revoked: "it was revoked at " + st.Revoked.Format(time.RFC3339), trust.OnHold: "it is on hold",
		trust.NoStatus: "no list and no answer says whether it was revoked", trust.ListEnded: "the newest list that speaks of it ended at " + st.Until.Format(time.RFC3339),
		trust.CARevoked: "a CA above it was revoked", trust.NotIssued: "its CA does not know it", trust.NotActive: "its holder has not accepted it",
	}[st.Code])
}

// house is the house's own CAs as an entry, and their states.
func (s *Service) house(ctx context.Context) (*trust.Entry, []db.Issuer, error) {
	rows, err := s.store.Issuers(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("issuers: %w", err)
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	s.trusted.mu.Lock()
	defer s.trusted.mu.Unlock()
	if s.trusted.house != nil && slices.Equal(ids, s.trusted.issuers) {
		return s.trusted.house, rows, nil
	}
	ders := make([][]byte, len(rows))
	for i, r := range rows {
		ders[i] = r.Certificate
	}
	own, err := trust.Own(ders)
	if err != nil {
		return nil, nil, fmt.Errorf("issuers: %w", err)
	}
	s.trusted.house, s.trusted.issuers = own, ids
	return own, rows, nil
}

// ownStatus looks a certificate of the house up in its books.
func (s *Service) ownStatus(ctx context.Context, v *CertificateVerdict, issuers []db.Issuer) error {
	v.Checks = append(v.Checks, "revocation")
	v.Status = trust.Status{Source: House, Time: s.now(), Code: trust.NotIssued}
	at := slices.IndexFunc(issuers, func(r db.Issuer) bool { return bytes.Equal(r.Certificate, v.Chain[1].Raw) })
	var serial lifecycle.Serial
	if at >= 0 && v.Certificate.SerialNumber.BitLen() <= 8*len(serial) {
		v.Certificate.SerialNumber.FillBytes(serial[:])
		row, err := s.store.HouseCertificate(ctx, serial[:], &issuers[at].ID)
		switch {
		case err == nil && bytes.Equal(row.DER, v.Certificate.Raw):
			v.House, v.owner = row.ID, row.HolderID
			v.Status.Code = codeOf(row.State)
			if row.RevokedAt != nil {
				v.Status.Revoked = row.RevokedAt.UTC()
			}
			if row.Reason != nil {
				v.Status.Reason = int(*row.Reason)
			}
			if row.Service != "" {
				v.Add(trust.NotNominative, "it is a system's, not a person's")
			}
		case err != nil && !errors.Is(err, lifecycle.NotFound):
			return fmt.Errorf("validate a certificate: %w", err)
		}
		if issuers[at].State == lifecycle.IssuerRevoked {
			v.Add(trust.CARevoked, "the CA above it was revoked")
		}
	}
	v.addStatus()
	return nil
}

// codeOf is what a state in the books says.
func codeOf(state lifecycle.CertificateState) trust.Code {
	switch state { //nolint:exhaustive // the others were never issued, or not accepted
	case lifecycle.CertActive, lifecycle.CertExpired:
		return ""
	case lifecycle.CertHeld:
		return trust.OnHold
	case lifecycle.CertRevoked:
		return trust.Revoked
	}
	return trust.NotActive
}

// bound finds whose means a foreign certificate is.
func (s *Service) bound(ctx context.Context, v *CertificateVerdict) error {
	rows, err := s.store.ForeignBinding(ctx, v.Fingerprint[:])
	if err != nil {
		return fmt.Errorf("validate a certificate: %w", err)
	}
	for _, r := range rows {
		v.Means, v.owner = r.ID, r.HolderID
		if r.State == lifecycle.MeansSuspended {
			v.Add(trust.Suspended, "its binding is suspended")
		}
	}
	return nil
}
