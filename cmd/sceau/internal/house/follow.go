package house

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/web/revocation"
)

const (
	listsEvery    = 2 * time.Second // at the latest; sooner when the database tells that a status changed
	statusesEvery = time.Second     // likewise
	speakersEvery = 5 * time.Second // responders are renewed; a CA is made, and soon signs
	againAfter    = time.Second     // what failed is tried again
)

// Follow keeps the door up to date until ctx ends: lists in their folder,
// statuses and answers in memory, for whom it speaks. What fails is tried again;
// while the database is down the door says what it knows, as long as that may be
// said.
func (d *PublicDoor) Follow(ctx context.Context) {
	told := make(chan struct{}, 1)
	var group sync.WaitGroup
	group.Go(func() {
		d.again(ctx, "listen", func() error {
			return d.house.Service.ListenStatuses(ctx, func() {
				select {
				case told <- struct{}{}:
				default: // it will look anyway
				}
			})
		})
	})
	group.Go(func() {
		d.again(ctx, "statuses", func() error { return d.followStatuses(ctx, told) })
	})
	group.Go(func() {
		d.repeat(ctx, "lists", listsEvery, func() error { return d.house.SyncLists(ctx, d.lists) })
	})
	group.Go(func() {
		d.repeat(ctx, "responders", speakersEvery, func() error {
			authorities, responders, err := d.speakers(ctx)
			if err != nil {
				return err
			}
			return d.Speak(authorities, responders)
		})
	})
	group.Wait()
}

// again does something that goes on until it fails, again and again.
func (d *PublicDoor) again(ctx context.Context, what string, work func() error) {
	for {
		d.complain(ctx, what, work())
		if !sleep(ctx, againAfter) {
			return
		}
	}
}

// repeat does something once in every interval.
func (d *PublicDoor) repeat(ctx context.Context, what string, interval time.Duration, work func() error) {
	for sleep(ctx, interval) {
		d.complain(ctx, what, work())
	}
}

func (d *PublicDoor) complain(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		d.house.config.Logger.WarnContext(ctx, "the public door cannot follow", slog.String("what", what), slog.String("error", err.Error()))
	}
}

// sleep tells whether ctx has not ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// followStatuses reads all statuses, then what changes.
func (d *PublicDoor) followStatuses(ctx context.Context, told <-chan struct{}) error {
	if err := d.readAll(ctx); err != nil {
		return err
	}
	for {
		timer := time.NewTimer(statusesEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-told:
			timer.Stop()
		case <-timer.C:
		}
		if err := d.readChanges(ctx); err != nil {
			return err
		}
	}
}

// readAll reads all statuses, and what changed meanwhile. After an interruption
// it is done again: it costs seconds, and nothing is taken on trust.
func (d *PublicDoor) readAll(ctx context.Context) error {
	if err := d.compareMarks(ctx); err != nil {
		return err
	}
	if err := d.mark(ctx); err != nil {
		return err
	}
	own, err := d.house.Service.HouseStatuses(ctx)
	if err != nil {
		return err
	}
	d.learn(own)
	if err := d.house.Service.EveryStatus(ctx, d.learn); err != nil {
		return err
	}
	if err := d.house.Service.EveryAnswer(ctx, d.learnAnswers); err != nil {
		return err
	}
	return d.readChanges(ctx)
}

// readChanges reads what changed since the last time.
func (d *PublicDoor) readChanges(ctx context.Context) error {
	asOf, before := d.house.config.Now(), d.seen
	if err := d.mark(ctx); err != nil {
		return err
	}
	after := d.seen
	d.seen = before // until all of it is learned
	changed, err := d.house.Service.StatusesSince(ctx, before, after)
	if err != nil {
		return err
	}
	d.learn(changed)
	if err := d.house.Service.AnswersSince(ctx, before, after, d.learn); err != nil {
		return err
	}
	d.seen = after
	d.memory.CaughtUp(asOf)
	return nil
}

// errRestored is a database that knows less than it did, or than its marks say.
var errRestored = fmt.Errorf("%w: the database was restored to an earlier day: repair it (sceau doctor revocation), then open this door again", lifecycle.Unavailable)

// compareMarks looks whether the database stands below the marks of its lists.
// Without the key store that has them it cannot tell: what was signed ahead may
// be given all the same.
func (d *PublicDoor) compareMarks(ctx context.Context) error {
	if d.marks == nil {
		return nil
	}
	behind, err := d.house.Restored(ctx, d.marks)
	if errors.Is(err, lifecycle.Unavailable) && !d.restored.Load() {
		d.complain(ctx, "marks", err)
		return nil
	}
	if err != nil {
		return err
	}
	if len(behind) > 0 {
		d.restored.Store(true)
		return fmt.Errorf("%w: %w", errRestored, behind[0])
	}
	return nil
}

// mark notes up to where the database knows the statuses. One that knows less
// than it did was restored from a backup: from then on nothing is learned from
// it, and the door says what it knows as long as that may be said. Somebody
// repairs the database and opens the door again.
func (d *PublicDoor) mark(ctx context.Context) error {
	now, err := d.house.Service.MarkStatuses(ctx)
	if err != nil {
		return err
	}
	if now.Behind(d.seen) {
		d.restored.Store(true)
	}
	if d.restored.Load() {
		return errRestored
	}
	d.seen = now
	return nil
}

// learn tells the memory of certificates that exist.
func (d *PublicDoor) learn(all []issuance.OCSPStatus) {
	learned := make([]revocation.Learned, 0, len(all))
	for _, st := range all {
		if st.Issued || st.Revoked {
			learned = append(learned, revocation.Learned{IssuerID: st.Issuer, Serial: st.Serial, Known: knownOf(st.CertificateStatus)})
		}
	}
	d.memory.Learn(learned)
}

func (d *PublicDoor) learnAnswers(all []issuance.OCSPAnswer) {
	answered := make([]revocation.Answered, len(all))
	for i, a := range all {
		answered[i] = revocation.Answered{Serial: a.Serial, Version: a.Version, Answer: ca.Answer{DER: a.DER, ThisUpdate: a.ThisUpdate, NextUpdate: a.NextUpdate}}
	}
	d.memory.LearnAnswers(answered)
}
