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

// RemindDue makes the notices of certificates that expire soon, some hundreds in
// a transaction: what it was killed in has not happened. After a pause only the
// nearest is made. It answers how many it made.
func (s *Service) RemindDue(ctx context.Context) (int, error) {
	made := 0
	for {
		looked := 0
		err := s.store.InTx(ctx, func(tx store.Tx) error {
			due, err := tx.DueReminders(ctx, s.now(), remindRun)
			if err != nil {
				return fmt.Errorf("reminders: %w", err)
			}
			looked = len(due)
			n, err := s.remindTx(ctx, tx, due)
			made += n
			return err
		})
		if err != nil || looked == 0 {
			return made, err
		}
	}
}

func (s *Service) remindTx(ctx context.Context, tx store.Tx, due []db.DueRemindersRow) (int, error) {
	now := s.now()
	var made []db.InsertNoticeParams
	var over, later []string
	var times []time.Time
	for i, id := range s.newIDs(lifecycle.PrefixNotice, len(due)) {
		r := due[i]
		days, next := expiryNotice(now, deref(r.NotAfter))
		if next.IsZero() || lifecycle.Certificates.Final(r.State) {
			over = append(over, string(r.CertificateID))
		} else {
			later, times = append(later, string(r.CertificateID)), append(times, next)
		}
		if days == 0 || r.Renewed || !expires(r.State) {
			continue
		}
		n := db.InsertNoticeParams{
			ID: id, CertificateID: string(r.CertificateID), HolderID: r.HolderID, Kind: string(lifecycle.NoticeExpiring),
			Occasion: int32(days), DueAt: now, //nolint:gosec // below 100
		}
		inserted, err := tx.InsertNotice(ctx, n)
		if err != nil {
			return 0, fmt.Errorf("notice of certificate %s: %w", r.CertificateID, err)
		}
		if inserted == 0 {
			continue // made already
		}
		if err := s.queue.EnqueueTx(ctx, tx.Pgx(), NoticeArgs{Notice: lifecycle.NoticeID(id)}); err != nil {
			return 0, fmt.Errorf("notice %s: %w", id, err)
		}
		made = append(made, n)
	}
	ids := make([]string, len(made))
	for i, n := range made {
		ids[i] = n.ID
	}
	err := s.bornMany(ctx, tx, lifecycle.Notices.Thing, ids, string(lifecycle.NoticeRequested), lifecycle.System("remind"),
		func(n int) map[string]string { return noticeDetail(made[n]) })
	if err != nil {
		return 0, err
	}
	if err := tx.SetReminders(ctx, later, times); err != nil {
		return 0, fmt.Errorf("reminders: %w", err)
	}
	if err := tx.DropReminders(ctx, over); err != nil {
		return 0, fmt.Errorf("reminders: %w", err)
	}
	return len(made), nil
}
