package issuance

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// How many certificates are looked at from outside in one round.
const (
	watchedOfShard = 4  // the newest changes of status of each shard
	watchedDrawn   = 64 // behind a point in the order of serials
)

// WatchedCertificate is a certificate whose status is looked at from outside, as
// the database has it.
type WatchedCertificate struct {
	ID        lifecycle.CertificateID
	Issuer    string
	Shard     int
	Profile   string
	DER       []byte
	Revoked   bool      // or held
	ChangedAt time.Time // lists and answers of before may say something else
}

// WatchedCertificates is a sample of those that were issued and have not ended:
// of every shard the newest changes of status, some behind a point that the
// caller draws, and those whose serials are named.
func (s *Service) WatchedCertificates(ctx context.Context, behind lifecycle.Serial, named ...lifecycle.Serial) ([]WatchedCertificate, error) {
	p := db.CertificatesToWatchParams{At: s.now(), Newest: watchedOfShard, Behind: behind[:], Drawn: watchedDrawn}
	for _, serial := range named {
		p.Named = append(p.Named, serial[:])
	}
	rows, err := s.store.CertificatesToWatch(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("certificates to watch: %w", err)
	}
	all := make([]WatchedCertificate, len(rows))
	for i, r := range rows {
		all[i] = WatchedCertificate{
			ID: r.ID, Issuer: deref(r.IssuerID), Shard: int(deref(r.Shard)), Profile: r.Profile, DER: r.DER, Revoked: r.Revoked, ChangedAt: r.UpdatedAt.UTC(),
		}
	}
	return all, nil
}

// Alarm tells that something about revocation is wrong, seen from outside.
type Alarm struct {
	Issuer string
	About  string // "lists", "answers", "certificates"
	Why    string
}

// thing is what a work item of an alarm is on. There is one open at a time.
func (a Alarm) thing() string { return a.Issuer + ": " + a.About }

const (
	alarmThing = "revocation"
	longestWhy = 400
)

// RaiseAlarms opens a work item for each alarm that has none open. What was mended
// meanwhile leaves its work item open: somebody looks at why it was wrong.
func (s *Service) RaiseAlarms(ctx context.Context, alarms []Alarm, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error {
		open, err := tx.OpenWorkOn(ctx, alarmThing)
		if err != nil {
			return fmt.Errorf("open alarms: %w", err)
		}
		for _, a := range alarms {
			if slices.Contains(open, a.thing()) {
				continue
			}
			open = append(open, a.thing())
			if _, err := s.openWorkTx(ctx, tx, lifecycle.System("revocation-watch"), alarmThing, a.thing(), nil, shorten(a.Why, longestWhy)); err != nil {
				return err
			}
		}
		return done.run(tx)
	})
}

// shorten keeps the first characters of a text.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
