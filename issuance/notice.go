package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/party"
	"sceau/store"
	"sceau/store/db"
)

// noticeOf is what the holder is told of an event, under the version of the
// status that it ends: the event happens to it once. Its kind is empty when
// nothing is told. The job that sends it follows from the table.
func (s *Service) noticeOf(c *db.Certificate, on lifecycle.Event) db.InsertNoticeParams {
	return db.InsertNoticeParams{
		ID: s.newID(lifecycle.PrefixNotice), CertificateID: string(c.ID), HolderID: c.HolderID,
		Kind: string(lifecycle.NoticeOf(on)), Occasion: c.StatusVersion, DueAt: s.now(),
	}
}

// tellTx makes the notice of a move, in its transaction. Of a certificate that was
// issued it notes when its end is to be told.
func (s *Service) tellTx(ctx context.Context, tx store.Tx, c db.Certificate, n db.InsertNoticeParams) error {
	made, err := tx.InsertNotice(ctx, n)
	if err == nil && made != 1 {
		err = fmt.Errorf("%w: it has been made for this change already", lifecycle.Conflict)
	}
	if err != nil {
		return fmt.Errorf("notice of certificate %s: %w", c.ID, err)
	}
	if err := s.born(ctx, tx, lifecycle.Notices.Thing, n.ID, string(lifecycle.NoticeRequested), lifecycle.System("notice"), noticeDetail(n)); err != nil {
		return err
	}
	if n.Kind != string(lifecycle.NoticeIssued) {
		return nil
	}
	if _, next := expiryNotice(s.now(), deref(c.NotAfter)); !next.IsZero() {
		if err := tx.InsertReminder(ctx, c.ID, next); err != nil {
			return fmt.Errorf("reminder of certificate %s: %w", c.ID, err)
		}
	}
	return nil
}

func noticeDetail(n db.InsertNoticeParams) map[string]string {
	return map[string]string{"certificate": n.CertificateID, "kind": n.Kind}
}

// NoticePlan is a notice that a worker sends. Its address is the holder's of
// this moment, or the one before a correction, its language that of the moment when it was made.
type NoticePlan struct {
	Notice       lifecycle.NoticeID
	Over         bool // nothing is left to send
	Kind         lifecycle.NoticeKind
	Days         int // before the end, of an expiry notice
	Corrected    lifecycle.Corrections
	Setting      int                 // its number
	Change       lifecycle.SettingID // of a setting
	Attempts     int                 // this one among them
	Address      string
	Language     party.Language
	Country      string // where the holder lives
	GivenName    string
	Surname      string
	Organisation string
	Serial       lifecycle.Serial
	At           time.Time // when it happened
	Ends         time.Time // of the certificate, zero of one that was revoked while it was signed; or when a setting's change takes effect
	Reason       lifecycle.RevocationReason
}

// BeginNotice records the attempt to send a notice. An expiry or a renewal that is no
// news any more is not told.
func (s *Service) BeginNotice(ctx context.Context, id lifecycle.NoticeID) (NoticePlan, error) {
	plan := NoticePlan{Notice: id}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.LockNotice(ctx, id)
		if err != nil {
			return fmt.Errorf("notice %s: %w", id, err)
		}
		if n.State != lifecycle.NoticeRequested {
			plan.Over = true
			return nil
		}
		var cert db.Certificate
		if n.CertificateID != nil {
			if cert, err = tx.Certificate(ctx, *n.CertificateID); err != nil {
				return fmt.Errorf("certificate %s: %w", *n.CertificateID, err)
			}
		}
		if stale, err := staleTx(ctx, tx, n, cert); err != nil {
			return err
		} else if stale {
			plan.Over = true
			return s.moveNotice(ctx, tx, n, lifecycle.Cancel, lifecycle.System("notice"), sent{})
		}
		holder, err := tx.Holder(ctx, n.HolderID)
		if err != nil {
			return fmt.Errorf("holder %s: %w", n.HolderID, err)
		}
		company, err := tx.Company(ctx, holder.CompanyID)
		if err != nil {
			return fmt.Errorf("company %s: %w", holder.CompanyID, err)
		}
		plan = NoticePlan{
			Notice: id, Kind: n.Kind, Attempts: int(n.Attempts) + 1, Address: holder.Email, Language: party.Language(n.Language),
			Country: holder.Country, GivenName: holder.GivenName, Surname: holder.Surname, Organisation: company.Name,
			At: n.DueAt, Ends: deref(cert.NotAfter), Reason: lifecycle.RevocationReason(deref(cert.Reason)),
		}
		switch n.Kind { //nolint:exhaustive // the others have no more to tell
		case lifecycle.NoticeExpiring:
			plan.Days = int(n.Occasion)
		case lifecycle.NoticeCorrected:
			plan.Corrected = lifecycle.Corrections(n.Occasion)
		case lifecycle.NoticeSetting:
			change, err := tx.SettingChange(ctx, *n.SettingID)
			if err != nil {
				return fmt.Errorf("setting change %s: %w", *n.SettingID, err)
			}
			plan.Setting, plan.Change, plan.Ends = int(n.Occasion), change.ID, deref(change.EffectiveFrom)
		}
		if len(cert.Serial) > 0 {
			plan.Serial = lifecycle.Serial(cert.Serial)
		}
		if n.FormerAddress != nil {
			plan.Address = *n.FormerAddress
		}
		return tx.TryNotice(ctx, plan.Address, id)
	})
	return plan, err
}

// staleTx tells whether a notice of a coming end is no news any more: the certificate has
// ended, or the new one waits for nothing that its holder does.
func staleTx(ctx context.Context, tx store.Tx, n db.Notice, cert db.Certificate) (bool, error) {
	switch {
	case n.Kind != lifecycle.NoticeExpiring && n.Kind != lifecycle.NoticeRenewal:
		return false, nil
	case !expires(cert.State) || n.Kind == lifecycle.NoticeExpiring:
		return !expires(cert.State), nil
	}
	waits, err := tx.RenewalWaits(ctx, cert.ID)
	if err != nil {
		return false, fmt.Errorf("renewal of certificate %s: %w", cert.ID, err)
	}
	return !waits, nil
}

// FinishNotice records that the mail server has taken a notice.
func (s *Service) FinishNotice(ctx context.Context, plan NoticePlan, messageID string, done Done) error {
	return s.endNotice(ctx, plan, lifecycle.SendNotice, sent{messageID: messageID}, done)
}

// FailNotice records that a notice cannot be sent, for a person to look at.
func (s *Service) FailNotice(ctx context.Context, plan NoticePlan, why string, done Done) error {
	return s.endNotice(ctx, plan, lifecycle.Fail, sent{failure: why}, done)
}

// endNotice moves a notice that still waits; another worker may have been first.
func (s *Service) endNotice(ctx context.Context, plan NoticePlan, on lifecycle.Event, what sent, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.LockNotice(ctx, plan.Notice)
		if err != nil {
			return fmt.Errorf("notice %s: %w", plan.Notice, err)
		}
		if n.State == lifecycle.NoticeRequested {
			if err := s.moveNotice(ctx, tx, n, on, lifecycle.System("notice"), what); err != nil {
				return err
			}
		}
		return done.run(tx)
	})
}

// RetryNotice has a notice that was refused sent again, to the address that its
// holder has now.
func (s *Service) RetryNotice(ctx context.Context, by lifecycle.Actor, id lifecycle.NoticeID) error {
	if err := lifecycle.CheckID(lifecycle.PrefixNotice, string(id)); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.LockNotice(ctx, id)
		if err != nil {
			return fmt.Errorf("notice %s: %w", id, err)
		}
		return s.moveNotice(ctx, tx, n, lifecycle.Retry, by, sent{})
	})
}

// sent is what came of sending a notice.
type sent struct{ messageID, failure string }

func (s *Service) moveNotice(ctx context.Context, tx store.Tx, n db.Notice, on lifecycle.Event, by lifecycle.Actor, what sent) error {
	_, err := apply(ctx, s, tx, lifecycle.Notices, n.State, change{id: string(n.ID), on: on, by: by},
		func(to lifecycle.NoticeState) (int64, error) {
			p := db.SetNoticeStateParams{
				ToState: to, Failure: what.failure, MessageID: what.messageID, Attempts: n.Attempts, At: s.now(), ID: n.ID, FromState: n.State,
			}
			switch to { //nolint:exhaustive // the others keep what there is
			case lifecycle.NoticeSent:
				p.SentAt = &p.At
			case lifecycle.NoticeRequested:
				p.Attempts = 0
			}
			return tx.SetNoticeState(ctx, p)
		},
		func(lifecycle.JobKind) Job { return NoticeArgs{Notice: n.ID} })
	return err
}

// NoticeView is a notice as staff see it.
type NoticeView struct {
	ID          lifecycle.NoticeID
	Certificate lifecycle.CertificateID // "" of a correction
	Holder      lifecycle.HolderID
	Kind        lifecycle.NoticeKind
	Days        int // before the end, of an expiry notice
	State       lifecycle.NoticeState
	Language    party.Language
	Due         time.Time
	Attempts    int
	Address     string // "" before the first attempt
	MessageID   string
	Sent        time.Time // zero when it was not
	Failure     string
}

// NoticeFilter chooses what to see. The zero filter is everything.
type NoticeFilter struct {
	State       lifecycle.NoticeState
	Certificate lifecycle.CertificateID
	After       lifecycle.NoticeID // the last of the page before
}

// Notices pages through notices, oldest first.
func (s *Service) Notices(ctx context.Context, f NoticeFilter) ([]NoticeView, error) {
	if f.State != "" && !slices.Contains(lifecycle.Notices.States, f.State) {
		return nil, &lifecycle.FieldError{Field: "state", Why: fmt.Sprintf("use one of %v", lifecycle.Notices.States)}
	}
	rows, err := s.store.Notices(ctx, db.NoticesParams{
		State: string(f.State), Certificate: string(f.Certificate), After: f.After, MaxRows: pageSize,
	})
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	views := make([]NoticeView, len(rows))
	for i, n := range rows {
		views[i] = noticeView(n)
	}
	return views, nil
}

// Notice is one of them.
func (s *Service) Notice(ctx context.Context, id lifecycle.NoticeID) (NoticeView, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixNotice, string(id)); err != nil {
		return NoticeView{}, err
	}
	n, err := s.store.Notice(ctx, id)
	if err != nil {
		return NoticeView{}, fmt.Errorf("notice %s: %w", id, err)
	}
	return noticeView(n), nil
}

func noticeView(n db.Notice) NoticeView {
	v := NoticeView{
		ID: n.ID, Certificate: deref(n.CertificateID), Holder: n.HolderID, Kind: n.Kind, State: n.State, Language: party.Language(n.Language),
		Due: n.DueAt, Attempts: int(n.Attempts), Address: n.Address, MessageID: n.MessageID, Sent: deref(n.SentAt), Failure: n.Failure,
	}
	if n.Kind == lifecycle.NoticeExpiring {
		v.Days = int(n.Occasion)
	}
	return v
}
