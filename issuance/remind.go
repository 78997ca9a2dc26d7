package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

const remindRun = 500

// expires tells whether the end of a certificate is news to its holder.
func expires(state lifecycle.CertificateState) bool {
	return state == lifecycle.CertActive || state == lifecycle.CertHeld
}

// expiryNotice is the nearest notice that is due of a certificate with this end,
// by its days, 0 for none; and when the next one is, zero for never.
func expiryNotice(now, end time.Time) (days int, next time.Time) {
	if !now.Before(end) {
		return 0, time.Time{}
	}
	for _, d := range lifecycle.ExpiryNotices() {
		at := end.Add(-time.Duration(d) * 24 * time.Hour)
		if now.Before(at) {
			return days, at
		}
		days = d
	}
	return days, time.Time{}
}

// leftAlone is until when a holder is told nothing who was told at a moment; zero: they
// may be told. A clock that was set back leaves them alone no longer than usual.
func (s *Service) leftAlone(told time.Time) time.Time {
	now := s.now()
	if told.After(now) {
		told = now
	}
	if until := told.Add(s.policy.TellEvery); until.After(now) {
		return until
	}
	return time.Time{}
}

// RemindDue makes the notices of certificates that expire soon, some hundreds in
// a transaction: what it was killed in has not happened. After a pause only the
// nearest is made; one whose holder a campaign told lately waits. It answers how
// many it made.
func (s *Service) RemindDue(ctx context.Context) (int, error) {
	return s.remindAll(ctx, func(tx store.Tx) (looked, made int, err error) {
		due, err := tx.DueReminders(ctx, s.now(), remindRun)
		if err != nil {
			return 0, 0, fmt.Errorf("reminders: %w", err)
		}
		made, err = s.remindTx(ctx, tx, due)
		return len(due), made, err
	})
}

// remindAll makes reminders, some hundreds in a transaction, until none is left, and by
// one process at a time.
func (s *Service) remindAll(ctx context.Context, some func(tx store.Tx) (looked, made int, err error)) (all int, err error) {
	for {
		looked, made := 0, 0
		err := s.store.InTx(ctx, func(tx store.Tx) (err error) {
			if err = tx.LockReminders(ctx); err != nil {
				return fmt.Errorf("reminders: %w", err)
			}
			looked, made, err = some(tx)
			return err
		})
		if err != nil || looked == 0 {
			return all, err
		}
		all += made
	}
}

func (s *Service) remindTx(ctx context.Context, tx store.Tx, due []db.DueRemindersRow) (int, error) {
	now := s.now()
	var notices []db.InsertNoticeParams
	var over, later []string
	var times []time.Time
	for _, r := range due {
		days, next := expiryNotice(now, deref(r.NotAfter))
		tell := days != 0 && !r.Renewed && expires(r.State)
		if until := s.leftAlone(r.ToldAt); tell && !until.IsZero() {
			if tell, next = false, until; !next.Before(deref(r.NotAfter)) {
				next = time.Time{}
			}
		}
		if next.IsZero() || lifecycle.Certificates.Final(r.State) {
			over = append(over, string(r.CertificateID))
		} else {
			later, times = append(later, string(r.CertificateID)), append(times, next)
		}
		if tell {
			notices = append(notices, db.InsertNoticeParams{
				CertificateID: string(r.CertificateID), HolderID: r.HolderID, Kind: string(lifecycle.NoticeExpiring),
				Occasion: int32(days), DueAt: now, //nolint:gosec // below 100
			})
		}
	}
	made, err := s.tellManyTx(ctx, tx, notices, lifecycle.System("remind"))
	if err != nil {
		return 0, err
	}
	if err := tx.SetReminders(ctx, later, times); err != nil {
		return 0, fmt.Errorf("reminders: %w", err)
	}
	if err := tx.DropReminders(ctx, over); err != nil {
		return 0, fmt.Errorf("reminders: %w", err)
	}
	return made, nil
}

// tellManyTx makes notices with their jobs, and answers how many: what was told on the
// same occasion is left out.
func (s *Service) tellManyTx(ctx context.Context, tx store.Tx, notices []db.InsertNoticeParams, by lifecycle.Actor) (int, error) {
	var made []string
	var details []map[string]string
	for i, id := range s.newIDs(lifecycle.PrefixNotice, len(notices)) {
		n := notices[i]
		n.ID = id
		inserted, err := tx.InsertNotice(ctx, n)
		if err != nil {
			return 0, fmt.Errorf("notice of certificate %s: %w", n.CertificateID, err)
		}
		if inserted == 0 {
			continue
		}
		if err := s.queue.EnqueueTx(ctx, tx.Pgx(), NoticeArgs{Notice: lifecycle.NoticeID(id)}); err != nil {
			return 0, fmt.Errorf("notice %s: %w", id, err)
		}
		made, details = append(made, id), append(details, noticeDetail(n))
	}
	return len(made), s.bornMany(ctx, tx, lifecycle.Notices.Thing, made, string(lifecycle.NoticeRequested), by,
		func(n int) map[string]string { return details[n] })
}
