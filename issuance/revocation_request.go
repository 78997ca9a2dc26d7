package issuance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"sceau/certprofile"
	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// RevocationCall is what somebody asks of a certificate, on the phone, at the desk
// or by themselves.
type RevocationCall struct {
	Act            lifecycle.Event // Revoke, Hold or Release
	Revocation                     // of a Revoke
	Caller         lifecycle.Caller
	Representative lifecycle.RepresentativeID // who calls for the company
	Answers        []Answer
	Requested      time.Time // when the call came in; zero: now
	Due            time.Time // when it is to be carried out; zero: now
	Note           string    // of the member of staff; it is kept
}

// Answer is whether a caller answered a question right. What they answered is not
// kept.
type Answer struct {
	Question lifecycle.Question
	Right    bool
}

// RevocationRequest is a request on record; its identifier is the receipt.
type RevocationRequest struct {
	ID             lifecycle.RevocationRequestID
	Certificate    lifecycle.CertificateID
	State          lifecycle.RevocationState
	Act            lifecycle.Event
	Reason         lifecycle.RevocationReason
	InvalidityDate time.Time
	Caller         lifecycle.Caller
	Representative lifecycle.RepresentativeID
	RecognisedBy   lifecycle.Recognition
	TakenBy        string
	Role           lifecycle.Role
	Note           string
	Requested      time.Time
	Recorded       time.Time
	Due            time.Time
	Ended          time.Time
	Why            string // it is not confirmed, or was closed
}

func requestOf(r db.RevocationRequest) RevocationRequest {
	return RevocationRequest{
		ID: r.ID, Certificate: r.CertificateID, State: r.State, Act: r.Act, Reason: lifecycle.RevocationReason(r.Reason),
		InvalidityDate: deref(r.InvalidityDate), Caller: r.Caller, Representative: deref(r.RepresentativeID), RecognisedBy: r.RecognisedBy,
		TakenBy: r.TakenBy, Role: lifecycle.Role(r.Role), Note: r.Note, Requested: r.RequestedAt.UTC(), Recorded: r.RecordedAt.UTC(),
		Due: r.DueAt.UTC(), Ended: deref(r.EndedAt), Why: r.Why,
	}
}

// CallRevocation takes what a member of staff was asked for, or asks themselves.
// A caller other than the bank answers as many questions right as the profile
// says, or the request stays unconfirmed: it is recorded, nothing is done, and
// it waits a day as work. An account manager takes those of their own branch.
func (s *Service) CallRevocation(ctx context.Context, by lifecycle.Actor, id lifecycle.CertificateID, call RevocationCall) (RevocationRequest, error) {
	if !slices.Contains(lifecycle.TakesRevocations(), by.Role) {
		return RevocationRequest{}, fmt.Errorf("certificate %s: %w: %s takes no revocation", id, lifecycle.Forbidden, by.Role)
	}
	now := s.now()
	if call.Requested.IsZero() {
		call.Requested = now
	}
	if err := call.check(by, now); err != nil {
		return RevocationRequest{}, err
	}
	var made RevocationRequest
	err := s.withCertificate(ctx, id, func(tx store.Tx, cert *db.Certificate) error {
		company, err := companyOfTx(ctx, tx, cert)
		if err != nil {
			return err
		}
		if err := ownBranchTx(ctx, tx, by, company); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		if err := call.checkDue(cert, now); err != nil {
			return err
		}
		profile, err := profileOf(ctx, tx.Queries, *cert)
		if err != nil {
			return err
		}
		how, why, err := recogniseTx(ctx, tx, call, company, profile.Profile)
		if err != nil {
			return err
		}
		made, err = s.requestTx(ctx, tx, by, cert, call, how, why, nil)
		return err
	})
	return made, err
}

// check says what is wrong with a call by itself.
func (c RevocationCall) check(by lifecycle.Actor, now time.Time) error {
	var errs lifecycle.FieldErrors
	const longest, farthest = 400, 30 * 24 * time.Hour
	switch c.Act { //nolint:exhaustive // the others are no callers'
	case lifecycle.Revoke:
		errs.AddError("reason", lifecycle.MayGive(by.Role, c.Reason))
		errs.AddError("invalidity_date", c.Revocation.check(now))
	case lifecycle.Hold, lifecycle.Release:
		if c.Due.After(now) {
			errs.Add("due", "only a revocation is asked for a later moment")
		}
	default:
		errs.Add("act", "use revoke, hold or release")
	}
	if c.Requested.After(now.Add(time.Minute)) || c.Requested.Before(now.Add(-farthest)) {
		errs.Add("requested", "is the moment when the call came in, within the last 30 days")
	}
	if utf8.RuneCountInString(c.Note) > longest || !utf8.ValidString(c.Note) {
		errs.Add("note", fmt.Sprintf("has at most %d characters", longest))
	}
	for i, a := range c.Answers {
		if !slices.Contains(lifecycle.Questions(), a.Question) || slices.ContainsFunc(c.Answers[:i], func(b Answer) bool { return b.Question == a.Question }) {
			errs.Add("question", fmt.Sprintf("use each of %v once", lifecycle.Questions()))
			break
		}
	}
	switch c.Caller {
	case lifecycle.CallerHolder, lifecycle.CallerBank:
		if c.Representative != "" {
			errs.Add("representative", "is named when a representative calls")
		}
	case lifecycle.CallerRepresentative:
		errs.AddError("representative", lifecycle.CheckID(lifecycle.PrefixRepresentative, string(c.Representative)))
	default:
		errs.Add("caller", "use holder, representative or bank")
	}
	return errs.Err()
}

// checkDue refuses a moment at which nothing would be left to revoke.
func (c RevocationCall) checkDue(cert *db.Certificate, now time.Time) error {
	if c.Due.After(now) && cert.NotAfter != nil && !c.Due.Before(*cert.NotAfter) {
		return &lifecycle.FieldError{Field: "due", Why: "lies behind the certificate's end, " + cert.NotAfter.Format(time.DateOnly)}
	}
	return nil
}

// recogniseTx tells how a caller is recognised, and why not.
func recogniseTx(ctx context.Context, tx store.Tx, c RevocationCall, company db.Company, profile certprofile.Profile) (how lifecycle.Recognition, why string, err error) {
	switch c.Caller {
	case lifecycle.CallerBank:
		return lifecycle.ByOwn, "", nil
	case lifecycle.CallerRepresentative:
		r, err := tx.Representative(ctx, c.Representative)
		if err != nil {
			return "", "", fmt.Errorf("representative %s: %w", c.Representative, err)
		}
		if r.CompanyID != company.ID || r.EndedAt != nil {
			return "", "", &lifecycle.FieldError{Field: "representative", Why: "does not represent this certificate's company"}
		}
	case lifecycle.CallerHolder:
	}
	right, secret := 0, false
	for _, a := range c.Answers {
		if a.Right {
			right++
			secret = secret || a.Question.Secret()
		}
	}
	switch {
	case right < profile.RevocationQuestions:
		why = fmt.Sprintf("%d of %d answers were right: the profile asks for %d", right, len(c.Answers), profile.RevocationQuestions)
	case profile.Level == certprofile.LevelThree && !secret:
		why = "no answer that only the person knows was right: level *** asks for one"
	}
	return lifecycle.ByQuestions, why, nil
}

// requestTx records a request on a locked certificate, and carries it out unless
// its caller was not recognised or it is for later.
func (s *Service) requestTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cert *db.Certificate, call RevocationCall,
	how lifecycle.Recognition, unconfirmed string, evidence []byte,
) (RevocationRequest, error) {
	now := s.now()
	id := lifecycle.RevocationRequestID(s.newID(lifecycle.PrefixRevocationRequest))
	p := db.InsertRevocationRequestParams{
		ID: id, CertificateID: cert.ID, State: lifecycle.RevocationUnconfirmed, Act: call.Act, Reason: int32(call.Reason), //nolint:gosec // 0 to 10
		Caller: call.Caller, RecognisedBy: how, Evidence: evidence, TakenBy: by.ID, Role: string(by.Role), Note: call.Note,
		RequestedAt: call.Requested, RecordedAt: now, DueAt: now, Why: unconfirmed,
	}
	if !call.InvalidityDate.IsZero() {
		p.InvalidityDate = &call.InvalidityDate
	}
	if call.Representative != "" {
		p.RepresentativeID = &call.Representative
	}
	switch {
	case unconfirmed != "":
		p.DueAt = now.Add(s.policy.ConfirmWithin)
	case call.Due.After(now):
		p.DueAt = call.Due
	}
	if !lifecycle.Certificates.Can(cert.State, call.Act) {
		return RevocationRequest{}, fmt.Errorf("certificate %s: %w: cannot %s one that is %s", cert.ID, lifecycle.Illegal, call.Act, cert.State)
	}
	if err := tx.InsertRevocationRequest(ctx, p); err != nil {
		return RevocationRequest{}, fmt.Errorf("certificate %s: record the request: %w", cert.ID, err)
	}
	for _, a := range call.Answers {
		if err := tx.InsertCallerAnswer(ctx, id, a.Question, a.Right); err != nil {
			return RevocationRequest{}, fmt.Errorf("request %s: %w", id, err)
		}
	}
	detail := map[string]string{
		"certificate": string(cert.ID), "act": string(call.Act), "caller": string(call.Caller), "recognised_by": string(how),
		"asked": strconv.Itoa(len(call.Answers)),
	}
	if err := s.born(ctx, tx, lifecycle.RevocationRequests.Thing, string(id), string(p.State), by, detail); err != nil {
		return RevocationRequest{}, err
	}
	if unconfirmed == "" {
		if err := s.recognisedRequestTx(ctx, tx, by, cert, id, call); err != nil {
			return RevocationRequest{}, err
		}
	}
	row, err := tx.RevocationRequest(ctx, id)
	if err != nil {
		return RevocationRequest{}, fmt.Errorf("request %s: %w", id, err)
	}
	return requestOf(row), nil
}

// recognisedRequestTx carries out what was asked for now; the rest waits.
func (s *Service) recognisedRequestTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cert *db.Certificate, id lifecycle.RevocationRequestID, call RevocationCall) error {
	if err := s.moveRequest(ctx, tx, id, lifecycle.RevocationUnconfirmed, lifecycle.Recognise, by, ""); err != nil || call.Due.After(s.now()) {
		return err
	}
	if err := s.moveRequest(ctx, tx, id, lifecycle.RevocationScheduled, lifecycle.Complete, by, ""); err != nil {
		return err
	}
	return s.carryOutTx(ctx, tx, by, cert, id, call)
}

// carryOutTx does what was asked.
func (s *Service) carryOutTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, cert *db.Certificate, id lifecycle.RevocationRequestID, call RevocationCall) error {
	switch call.Act { //nolint:exhaustive // checked
	case lifecycle.Hold:
		return s.holdTx(ctx, tx, by, cert, call.Requested)
	case lifecycle.Release:
		return s.releaseTx(ctx, tx, by, cert, call.Requested)
	}
	r := call.Revocation
	r.requested, r.request = call.Requested, id
	return s.revokeTx(ctx, tx, by, cert, s.revokedAt(cert), r)
}

func companyOfTx(ctx context.Context, tx store.Tx, cert *db.Certificate) (db.Company, error) {
	holder, err := tx.Holder(ctx, cert.HolderID)
	if err != nil {
		return db.Company{}, fmt.Errorf("holder of certificate %s: %w", cert.ID, err)
	}
	company, err := tx.Company(ctx, holder.CompanyID)
	if err != nil {
		return db.Company{}, fmt.Errorf("company of certificate %s: %w", cert.ID, err)
	}
	return company, nil
}

// ownBranchTx keeps an account manager to the companies of their branch.
func ownBranchTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, company db.Company) error {
	if by.Role != lifecycle.RoleAccountManager {
		return nil
	}
	member, err := tx.StaffByLogin(ctx, by.ID)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("staff %s: %w", by.ID, err)
	}
	if err != nil || member.BranchID != company.BranchID {
		return fmt.Errorf("%w: its company is of another branch: the back office takes the call", lifecycle.Forbidden)
	}
	return nil
}
