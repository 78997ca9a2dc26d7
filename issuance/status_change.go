package issuance

import (
	"context"
	"fmt"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// StatusChange is how a change of a certificate's status came to those who ask:
// a revocation, a hold or its release. It is measured from the moment when
// somebody asked for it.
type StatusChange struct {
	Certificate lifecycle.CertificateID
	Event       lifecycle.Event
	Issuer      string
	Requested   time.Time
	Recorded    time.Time
	Answered    time.Time // its OCSP answer was signed; zero: not yet
	Listed      time.Time // the first list that tells it was signed; zero: not yet
	ListNumber  int64
}

// Took is how long it took until OCSP and lists told it, or has lasted until now.
func (c StatusChange) Took(now time.Time) time.Duration {
	end := c.Answered
	if c.Listed.After(end) {
		end = c.Listed
	}
	if c.Pending() {
		end = now
	}
	return end.Sub(c.Requested)
}

// Pending tells whether somebody who asks may not be told yet.
func (c StatusChange) Pending() bool { return c.Answered.IsZero() || c.Listed.IsZero() }

// timeTx begins to measure a change of status that was just made; the locked row
// still has the version before it.
func (s *Service) timeTx(ctx context.Context, tx store.Tx, cert *db.Certificate, event lifecycle.Event, revision int64, requested time.Time) error {
	now := s.now()
	if requested.IsZero() || requested.After(now) {
		requested = now
	}
	err := tx.InsertStatusChange(ctx, db.InsertStatusChangeParams{
		CertificateID: cert.ID, Version: cert.StatusVersion + 1, Event: event, Serial: cert.Serial, IssuerID: deref(cert.IssuerID),
		Shard: deref(cert.Shard), Revision: revision, RequestedAt: requested, RecordedAt: now,
	})
	if err != nil {
		return fmt.Errorf("certificate %s: time its %s: %w", cert.ID, event, err)
	}
	return nil
}

func changesOf(rows []db.StatusChange) []StatusChange {
	all := make([]StatusChange, len(rows))
	for i, r := range rows {
		all[i] = StatusChange{
			Certificate: r.CertificateID, Event: r.Event, Issuer: r.IssuerID, Requested: r.RequestedAt.UTC(),
			Recorded: r.RecordedAt.UTC(), Answered: deref(r.OCSPAt), Listed: deref(r.CRLAt), ListNumber: deref(r.CRLNumber),
		}
	}
	return all
}

// StatusChangesOf are those of one certificate, in their order.
func (s *Service) StatusChangesOf(ctx context.Context, id lifecycle.CertificateID) ([]StatusChange, error) {
	rows, err := s.store.StatusChangesOf(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("changes of certificate %s: %w", id, err)
	}
	return changesOf(rows), nil
}

// SlowestChange is the change of the last day that took longest, or takes; false
// when there was none.
func (s *Service) SlowestChange(ctx context.Context) (StatusChange, bool, error) {
	const day = 24 * time.Hour
	rows, err := s.store.StatusChangesSince(ctx, s.now().Add(-day), s.now(), 1)
	if err != nil {
		return StatusChange{}, false, fmt.Errorf("slowest change of status: %w", err)
	}
	if len(rows) == 0 {
		return StatusChange{}, false, nil
	}
	return changesOf(rows)[0], true, nil
}

// lateChanges are alarms of changes that are still not told so long after they
// were recorded.
func (s *Service) lateChanges(ctx context.Context) ([]Alarm, error) {
	const some = 100
	rows, err := s.store.StatusChangesLate(ctx, s.now().Add(-s.policy.PublishAlarm), some)
	if err != nil {
		return nil, fmt.Errorf("late changes of status: %w", err)
	}
	var alarms []Alarm
	seen := map[string]bool{}
	for _, c := range changesOf(rows) {
		if seen[c.Issuer] {
			continue
		}
		seen[c.Issuer] = true
		alarms = append(alarms, Alarm{
			Issuer: c.Issuer, About: "publication",
			Why: fmt.Sprintf("%s of certificate %s, recorded %s, is not told by OCSP and lists yet: are workers running?",
				c.Event, c.Certificate, c.Recorded.Format(time.RFC3339)),
		})
	}
	return alarms, nil
}
