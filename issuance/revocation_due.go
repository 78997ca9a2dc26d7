package issuance

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// closeRequestsTx closes the requests on a locked certificate that wait, all but
// one.
func (s *Service) closeRequestsTx(ctx context.Context, tx store.Tx, id lifecycle.CertificateID, but lifecycle.RevocationRequestID, why string) error {
	open, err := tx.LockOpenRequests(ctx, id)
	if err != nil {
		return fmt.Errorf("requests on certificate %s: %w", id, err)
	}
	for _, r := range open {
		if r.ID == but {
			continue
		}
		if err := s.moveRequest(ctx, tx, r.ID, r.State, lifecycle.Cancel, lifecycle.System("revocation"), why); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) moveRequest(ctx context.Context, tx store.Tx, id lifecycle.RevocationRequestID, from lifecycle.RevocationState,
	on lifecycle.Event, by lifecycle.Actor, why string,
) error {
	detail := map[string]string{}
	if why != "" {
		detail["why"] = why
	}
	_, err := apply(ctx, s, tx, lifecycle.RevocationRequests, from, change{id: string(id), on: on, by: by, detail: detail},
		func(to lifecycle.RevocationState) (int64, error) {
			p := db.SetRequestStateParams{ToState: to, Why: why, ID: id, FromState: from}
			if lifecycle.RevocationRequests.Final(to) {
				p.EndedAt = new(s.now())
			}
			return tx.SetRequestState(ctx, p)
		}, noJob)
	return err
}

// requestsRun is how many requests one run takes.
const requestsRun = 500

// RevokeDue carries out the revocations that were asked for a moment that has come,
// revokes certificates that others have replaced, closes calls that nobody confirmed
// in time, and forgets codes that were tried a while ago. What is late before the
// world is an alarm. One of them that fails keeps no other.
func (s *Service) RevokeDue(ctx context.Context, done Done) error {
	due, err := s.store.RequestsDue(ctx, s.now(), requestsRun)
	if err != nil {
		return fmt.Errorf("requests that are due: %w", err)
	}
	var errs []error
	for _, r := range due {
		errs = append(errs, s.endRequest(ctx, lifecycle.System("revocation"), r.ID, r.CertificateID, ""))
	}
	errs = append(errs, s.supersedeDue(ctx))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := s.store.ForgetRevocationTries(ctx, s.now().Add(-s.policy.RevocationTryWindow)); err != nil {
		return fmt.Errorf("codes that were tried: %w", err)
	}
	late, err := s.lateChanges(ctx)
	if err != nil {
		return err
	}
	return s.RaiseAlarms(ctx, late, done)
}

// endRequest carries a scheduled request out, or closes what is past its time, or
// by staff with a reason.
func (s *Service) endRequest(ctx context.Context, by lifecycle.Actor, id lifecycle.RevocationRequestID, certificate lifecycle.CertificateID, closing string) error {
	return s.withCertificate(ctx, certificate, func(tx store.Tx, cert *db.Certificate) error {
		company, err := companyOfTx(ctx, tx, cert)
		if err != nil {
			return err
		}
		if err := ownBranchTx(ctx, tx, by, company); err != nil {
			return fmt.Errorf("request %s: %w", id, err)
		}
		r, err := tx.LockRevocationRequest(ctx, id)
		if err != nil {
			return fmt.Errorf("request %s: %w", id, err)
		}
		system := by.Role == lifecycle.RoleSystem
		switch {
		case system && (r.State == lifecycle.RevocationDone || r.State == lifecycle.RevocationClosed || r.DueAt.After(s.now())):
			return nil // another worker was first, or the clock went back
		case closing != "":
			return s.moveRequest(ctx, tx, id, r.State, lifecycle.Cancel, by, closing)
		case system && r.State == lifecycle.RevocationUnconfirmed:
			return s.moveRequest(ctx, tx, id, r.State, lifecycle.Expire, by, "nobody confirmed it in time: "+r.Why)
		case !lifecycle.Certificates.Can(cert.State, lifecycle.Revoke):
			return s.moveRequest(ctx, tx, id, r.State, lifecycle.Cancel, by, "the certificate is "+string(cert.State))
		}
		if err := s.moveRequest(ctx, tx, id, r.State, lifecycle.Complete, by, ""); err != nil {
			return err
		}
		call := RevocationCall{
			Act: lifecycle.Revoke, Requested: s.now(),
			Revocation: Revocation{Reason: lifecycle.RevocationReason(r.Reason), InvalidityDate: deref(r.InvalidityDate)},
		}
		if r.DueAt.Before(s.now()) { // measured from the moment that was asked for
			call.Requested = r.DueAt
		}
		return s.carryOutTx(ctx, tx, by, cert, id, call)
	})
}

// BringForward carries a scheduled revocation out now.
func (s *Service) BringForward(ctx context.Context, by lifecycle.Actor, id lifecycle.RevocationRequestID) error {
	r, err := s.RevocationRequest(ctx, id)
	if err != nil {
		return err
	}
	return s.endRequest(ctx, by, id, r.Certificate, "")
}

// WithdrawRequest closes a request that waits, with a reason: an unconfirmed one
// that was a mistake, or a scheduled one that is not wanted any more.
func (s *Service) WithdrawRequest(ctx context.Context, by lifecycle.Actor, id lifecycle.RevocationRequestID, why string) error {
	const longest = 400
	if n := utf8.RuneCountInString(why); n == 0 || n > longest || !utf8.ValidString(why) {
		return &lifecycle.FieldError{Field: "why", Why: fmt.Sprintf("has 1 to %d characters: say who wants it withdrawn and why", longest)}
	}
	r, err := s.RevocationRequest(ctx, id)
	if err != nil {
		return err
	}
	return s.endRequest(ctx, by, id, r.Certificate, why)
}

// RevocationRequest is one of them.
func (s *Service) RevocationRequest(ctx context.Context, id lifecycle.RevocationRequestID) (RevocationRequest, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixRevocationRequest, string(id)); err != nil {
		return RevocationRequest{}, err
	}
	r, err := s.store.RevocationRequest(ctx, id)
	if err != nil {
		return RevocationRequest{}, fmt.Errorf("request %s: %w", id, err)
	}
	return requestOf(r), nil
}

// CallerAnswers are what a request's caller was asked.
func (s *Service) CallerAnswers(ctx context.Context, id lifecycle.RevocationRequestID) ([]Answer, error) {
	rows, err := s.store.CallerAnswers(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("answers of request %s: %w", id, err)
	}
	answers := make([]Answer, len(rows))
	for i, r := range rows {
		answers[i] = Answer{r.Question, r.IsRight}
	}
	return answers, nil
}

// RequestFilter chooses what to see. The zero filter is everything.
type RequestFilter struct {
	Certificate lifecycle.CertificateID
	State       lifecycle.RevocationState
	After       lifecycle.RevocationRequestID // the last of the page before
}

// RevocationRequests pages through requests, oldest first.
func (s *Service) RevocationRequests(ctx context.Context, f RequestFilter) ([]RevocationRequest, error) {
	rows, err := s.store.RevocationRequests(ctx, db.RevocationRequestsParams{
		Certificate: string(f.Certificate), State: string(f.State), After: f.After, MaxRows: pageSize,
	})
	if err != nil {
		return nil, fmt.Errorf("requests: %w", err)
	}
	all := make([]RevocationRequest, len(rows))
	for i, r := range rows {
		all[i] = requestOf(r)
	}
	return all, nil
}

// Representative is somebody whom a company names to speak for it.
type Representative struct {
	ID           lifecycle.RepresentativeID
	Name, Office string
	Recorded     time.Time
	Ended        time.Time // zero: they still do
}

// NameRepresentative records that somebody represents a company.
func (s *Service) NameRepresentative(ctx context.Context, by lifecycle.Actor, clientID, name, office string) (lifecycle.RepresentativeID, error) {
	id := lifecycle.RepresentativeID(s.newID(lifecycle.PrefixRepresentative))
	var errs lifecycle.FieldErrors
	for field, text := range map[string]string{"name": name, "office": office} {
		const longest = 100
		if n := utf8.RuneCountInString(text); n == 0 || n > longest || !printable(text) {
			errs.Add(field, "has 1 to 100 printable characters")
		}
	}
	if err := errs.Err(); err != nil {
		return "", err
	}
	return id, s.withCompany(ctx, by, clientID, func(tx store.Tx, company db.Company) error {
		err := tx.InsertRepresentative(ctx, db.InsertRepresentativeParams{
			ID: id, CompanyID: company.ID, Name: name, Office: office, RecordedBy: by.ID, RecordedAt: s.now(),
		})
		if err != nil {
			return fmt.Errorf("representative of %s: %w", clientID, err)
		}
		return s.audit(ctx, tx, "representative", change{id: string(id), on: lifecycle.Submit, by: by, detail: map[string]string{"company": string(company.ID)}}, "", "named")
	})
}

// EndRepresentative records that somebody does not represent their company any
// more.
func (s *Service) EndRepresentative(ctx context.Context, by lifecycle.Actor, clientID string, id lifecycle.RepresentativeID) error {
	return s.withCompany(ctx, by, clientID, func(tx store.Tx, company db.Company) error {
		r, err := tx.Representative(ctx, id)
		if err != nil || r.CompanyID != company.ID {
			return fmt.Errorf("representative %s of %s: %w", id, clientID, lifecycle.NotFound)
		}
		n, err := tx.EndRepresentative(ctx, s.now(), id)
		if err != nil || n == 0 { // 0: ended already
			return err //nolint:wrapcheck // translated
		}
		const end lifecycle.Event = "end"
		return s.audit(ctx, tx, "representative", change{id: string(id), on: end, by: by}, "named", "ended")
	})
}

// Representatives are those of a company, also of earlier days.
func (s *Service) Representatives(ctx context.Context, clientID string) ([]Representative, error) {
	company, err := s.store.CompanyByClientID(ctx, clientID)
	if err != nil {
		return nil, fmt.Errorf("client %s: %w", clientID, err)
	}
	rows, err := s.store.Representatives(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("representatives of %s: %w", clientID, err)
	}
	all := make([]Representative, len(rows))
	for i, r := range rows {
		all[i] = Representative{r.ID, r.Name, r.Office, r.RecordedAt.UTC(), deref(r.EndedAt)}
	}
	return all, nil
}

// withCompany works on a company, of their own branch for an account manager.
func (s *Service) withCompany(ctx context.Context, by lifecycle.Actor, clientID string, work func(store.Tx, db.Company) error) error {
	if by.Role != lifecycle.RoleAccountManager && by.Role != lifecycle.RoleOperator && by.Role != lifecycle.RoleSecurityOfficer {
		return fmt.Errorf("client %s: %w: %s records no representative", clientID, lifecycle.Forbidden, by.Role)
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		company, err := tx.CompanyByClientID(ctx, clientID)
		if err != nil {
			return fmt.Errorf("client %s: %w", clientID, err)
		}
		if err := ownBranchTx(ctx, tx, by, company); err != nil {
			return fmt.Errorf("client %s: %w", clientID, err)
		}
		return work(tx, company)
	})
}
