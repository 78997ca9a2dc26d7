package issuance

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
	"sceau/trust"
)

// ForeignList is a list of another CA that was fetched and believed.
type ForeignList struct {
	Trusted    string // the entry's name
	Address    string
	IssuerKey  [32]byte // of who signed it: [trust.KeyOf]
	Number     [20]byte
	ThisUpdate time.Time
	NextUpdate time.Time
	Points     []string
	SHA256     [32]byte
	Entries    iter.Seq2[ForeignEntry, error]
}

// ForeignEntry is what a list says of a serial.
type ForeignEntry struct {
	Serial []byte
	At     time.Time
	Reason lifecycle.RevocationReason
}

// When a list is fetched again: so long after it was, or before its end.
const (
	foreignListAge    = time.Hour
	foreignListBefore = 30 * time.Minute
)

// ForeignListDue is a list that is to be fetched.
type ForeignListDue struct {
	Address string
	Entry   *trust.Entry
}

// ForeignListsDue are the lists of accepted CAs that were not fetched for an hour, or
// whose last try failed, or that end soon.
func (s *Service) ForeignListsDue(ctx context.Context) ([]ForeignListDue, error) {
	live, err := s.LiveTrust(ctx)
	if err != nil {
		return nil, err
	}
	var due []ForeignListDue
	for _, ca := range live {
		sources, err := s.ForeignSources(ctx, ca.Name)
		if err != nil {
			return nil, err
		}
		for _, address := range ca.Entry.Lists {
			at := slices.IndexFunc(sources, func(f ForeignSource) bool { return f.Address == address })
			if at < 0 || sources[at].due(s.now()) {
				due = append(due, ForeignListDue{address, ca.Entry})
			}
		}
	}
	return due, nil
}

// ForeignSource is where a list is fetched, and what is on record of it.
type ForeignSource struct {
	Address    string
	Tried      time.Time
	Failure    string // of the last try
	Number     []byte // nil: there is none
	ThisUpdate time.Time
	NextUpdate time.Time
	Entries    int
	Fetched    time.Time
}

func (f ForeignSource) due(now time.Time) bool {
	return f.Number == nil || f.Failure != "" || now.Sub(f.Fetched) >= foreignListAge || f.NextUpdate.Sub(now) < foreignListBefore
}

// ForeignSources tells what is on record of an entry's lists.
func (s *Service) ForeignSources(ctx context.Context, name string) ([]ForeignSource, error) {
	rows, err := s.store.ForeignSources(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("lists of %s: %w", name, err)
	}
	all := make([]ForeignSource, len(rows))
	for i, r := range rows {
		all[i] = ForeignSource{
			Address: r.Address, Tried: r.TriedAt.UTC(), Failure: r.Failure, Number: r.Number, ThisUpdate: deref(r.ThisUpdate).UTC(),
			NextUpdate: deref(r.NextUpdate).UTC(), Entries: int(deref(r.Entries)), Fetched: deref(r.FetchedAt).UTC(),
		}
	}
	return all, nil
}

// RecordForeignList puts a list in the place of the one before. A number that falls, or
// that two different lists have, is refused: somebody plays an old list back.
func (s *Service) RecordForeignList(ctx context.Context, l ForeignList) error {
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		source, err := lockSourceTx(ctx, tx, l.Trusted, l.Address, s.now())
		if err != nil {
			return err
		}
		if source.ListID != nil {
			before, err := tx.ForeignList(ctx, *source.ListID)
			if err != nil {
				return err
			}
			if err := succeeds(l, before); err != nil {
				return err
			}
		}
		id, err := s.putListTx(ctx, tx, l)
		if err != nil {
			return err
		}
		if err := tx.PointForeignSource(ctx, db.PointForeignSourceParams{ListID: id, TriedAt: s.now(), Trusted: l.Trusted, Address: l.Address}); err != nil {
			return err
		}
		if source.ListID == nil {
			return nil
		}
		return tx.DeleteForeignList(ctx, *source.ListID)
	})
	if err != nil {
		return fmt.Errorf("list of %s at %s: %w", l.Trusted, l.Address, err)
	}
	return nil
}

// lockSourceTx locks where a list comes from; the first time it is made.
func lockSourceTx(ctx context.Context, tx store.Tx, trusted, address string, now time.Time) (db.ForeignSource, error) {
	if err := tx.PutForeignTry(ctx, db.PutForeignTryParams{Trusted: trusted, Address: address, TriedAt: now}); err != nil {
		return db.ForeignSource{}, err
	}
	return tx.LockForeignSource(ctx, trusted, address)
}

// succeeds tells whether a list may take the place of another. Numbers are compared
// between lists of one signer: another one begins anew, with a later list.
func succeeds(l ForeignList, before db.ForeignList) error {
	order := bytes.Compare(l.Number[:], before.Number)
	switch {
	case !bytes.Equal(l.IssuerKey[:], before.IssuerKey) && l.ThisUpdate.Before(before.ThisUpdate),
		bytes.Equal(l.IssuerKey[:], before.IssuerKey) && (order < 0 || l.ThisUpdate.Before(before.ThisUpdate)):
		return fmt.Errorf("%w: it is older than the one on record: its number or its time has fallen", lifecycle.Invalid)
	case bytes.Equal(l.IssuerKey[:], before.IssuerKey) && order == 0 && !bytes.Equal(l.SHA256[:], before.SHA256):
		return fmt.Errorf("%w: it has the number of the one on record, and is another list", lifecycle.Invalid)
	}
	return nil
}

// putListTx writes a list, some thousands of entries at a time.
func (s *Service) putListTx(ctx context.Context, tx store.Tx, l ForeignList) (int64, error) {
	rows := make([]db.InsertForeignRevokedParams, 0, listChunk)
	// Counted first: the row is written once.
	entries := 0
	for _, err := range l.Entries {
		if err != nil {
			return 0, err
		}
		entries++
	}
	points := l.Points
	if points == nil {
		points = []string{}
	}
	id, err := tx.InsertForeignList(ctx, db.InsertForeignListParams{
		IssuerKey: l.IssuerKey[:], Number: l.Number[:], ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, Points: points,
		Entries: int32(entries), SHA256: l.SHA256[:], FetchedAt: s.now(), //nolint:gosec // bounded by the list's size
	})
	if err != nil {
		return 0, err
	}
	flush := func() error {
		_, err := tx.InsertForeignRevoked(ctx, rows)
		rows = rows[:0]
		return err
	}
	for e, err := range l.Entries {
		if err != nil {
			return 0, err
		}
		rows = append(rows, db.InsertForeignRevokedParams{ListID: id, Serial: e.Serial, RevokedAt: e.At, Reason: int32(e.Reason)}) //nolint:gosec // 0 to 10
		if len(rows) == listChunk {
			if err := flush(); err != nil {
				return 0, err
			}
		}
	}
	return id, flush()
}

const listChunk = 5000

// ForeignListFailed records why a list could not be had. The one before stays.
func (s *Service) ForeignListFailed(ctx context.Context, trusted, address, why string) error {
	err := s.store.PutForeignTry(ctx, db.PutForeignTryParams{Trusted: trusted, Address: address, TriedAt: s.now(), Failure: shorten(why, longestWhy)})
	if err != nil {
		return fmt.Errorf("list of %s at %s: %w", trusted, address, err)
	}
	return nil
}

// ForeignListsLate are alarms of the lists that have ended, or were never had: nobody's
// certificate of those CAs is accepted by them.
func (s *Service) ForeignListsLate(ctx context.Context) ([]Alarm, error) {
	live, err := s.LiveTrust(ctx)
	if err != nil {
		return nil, err
	}
	var late []Alarm
	for _, ca := range live {
		sources, err := s.ForeignSources(ctx, ca.Name)
		if err != nil {
			return nil, err
		}
		for _, f := range sources {
			if f.Failure != "" && (f.Number == nil || !s.now().Before(f.NextUpdate)) {
				late = append(late, Alarm{Issuer: "trusted CA " + ca.Name, About: "lists", Why: f.Address + ": " + f.Failure})
				break
			}
		}
	}
	return late, nil
}
