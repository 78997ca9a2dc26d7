package issuance

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// PublishedList is a shard's newest full list, as relying parties have it. The
// caller has verified its signature and that it is this shard's.
type PublishedList struct {
	Shard                  int
	Number                 int64
	ThisUpdate, NextUpdate time.Time
	DER                    []byte
	Entries                iter.Seq2[CRLEntry, error]
}

// ShardRepair is what a list says that a restored database does not know.
type ShardRepair struct {
	Shard       int
	Number      int64 // of the list
	Mark        Mark  // what the numbers are raised to
	Same        int   // entries that both have
	BroughtBack int   // certificates that the database has, not revoked or only held
	Lost        int   // serials that it never saw: recorded as revoked, never good
	OnlyHere    int   // revoked in the database alone: they stay so
}

// Repair is a restored database's way back.
type Repair struct {
	Shards   []ShardRepair
	Proposer string // who proposed it
	Done     bool   // another person agreed: the database has all that the lists say
}

// RepairRevocation brings back what a restored database has lost, from the
// newest published lists: revocations with their dates and reasons, and serials
// that were issued since. Numbers and revisions rise to the marks. Two people
// agree on it: the first call tells what would be done and proposes it, the same
// call of somebody else does it, each shard's part in one transaction. A list that
// is not the one the marks name is refused unless older ones are accepted: then
// what the missing one said is lost.
func (s *Service) RepairRevocation(ctx context.Context, by lifecycle.Actor, issuer string, marks map[string]int64, lists []PublishedList, older bool) (Repair, error) {
	var r Repair
	if by.Role != lifecycle.RoleSecurityOfficer {
		return r, fmt.Errorf("repair of %s: %w: a security officer repairs revocation", issuer, lifecycle.Forbidden)
	}
	behind, err := s.Restored(ctx, issuer, marks)
	if err != nil {
		return r, err
	}
	if len(behind) == 0 {
		return r, fmt.Errorf("repair of %s: %w: no shard stands below its mark", issuer, lifecycle.Illegal)
	}
	content := sha256.New()
	var chosen []PublishedList
	for _, shard := range behind {
		i := slices.IndexFunc(lists, func(l PublishedList) bool { return l.Shard == shard.Shard })
		if i < 0 {
			return r, fmt.Errorf("repair of %s/%d: %w: its newest list, number %d, is missing", issuer, shard.Shard, lifecycle.NotFound, shard.Mark.Number)
		}
		l := lists[i]
		if l.Number > shard.Mark.Number || l.Number < shard.Mark.Number && !older {
			return r, fmt.Errorf("repair of %s/%d: %w: the marks name list %d, this one is %d", issuer, shard.Shard, lifecycle.Conflict, shard.Mark.Number, l.Number)
		}
		sr, err := s.compareList(ctx, issuer, l)
		if err != nil {
			return r, err
		}
		sr.Mark = shard.Mark
		r.Shards, chosen = append(r.Shards, sr), append(chosen, l)
		sum := sha256.Sum256(l.DER)
		for _, n := range []int64{int64(l.Shard), sr.Mark.Number, sr.Mark.Revision, int64(sr.BroughtBack), int64(sr.Lost), int64(sr.OnlyHere)} {
			_ = binary.Write(content, binary.BigEndian, n) // a hash takes all
		}
		content.Write(sum[:])
	}
	var agreed bool
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		var err error
		if agreed, r.Proposer, err = s.agreeTx(ctx, tx, by, "repair "+issuer, [32]byte(content.Sum(nil))); err != nil || !agreed {
			return err
		}
		for i, l := range chosen {
			if err := s.repairShardTx(ctx, tx, by, issuer, r.Shards[i], r.Proposer, l); err != nil {
				return fmt.Errorf("repair of %s/%d: %w", issuer, l.Shard, err)
			}
		}
		return nil
	})
	r.Done = agreed && err == nil
	return r, err
}

const repairedAtOnce = 1000

// known is what the database says of a list's entry.
type known struct {
	CRLEntry

	there  bool
	id     lifecycle.CertificateID // "" for one of the house's own
	missed bool                    // not revoked, or only held, in the database
}

// compareWith looks the entries up, some at a time.
func compareWith(ctx context.Context, q *db.Queries, issuer string, entries iter.Seq2[CRLEntry, error], each func(known) error) error {
	var some []CRLEntry
	look := func() error {
		serials := make([][]byte, len(some))
		for i := range some {
			serials[i] = some[i].Serial[:]
		}
		rows, err := q.StatusOfSerials(ctx, serials, &issuer)
		if err != nil {
			return fmt.Errorf("look up %d serials: %w", len(serials), err)
		}
		found := make(map[lifecycle.Serial]db.StatusOfSerialsRow, len(rows))
		for _, r := range rows {
			found[lifecycle.Serial(r.Serial)] = r
		}
		for _, e := range some {
			row, there := found[e.Serial]
			held := row.Reason != nil && *row.Reason == int32(lifecycle.ReasonCertificateHold)
			k := known{CRLEntry: e, there: there, id: row.ID, missed: row.RevokedAt == nil || held && e.Reason != lifecycle.ReasonCertificateHold}
			if err := each(k); err != nil {
				return err
			}
		}
		some = some[:0]
		return nil
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		if some = append(some, e); len(some) == repairedAtOnce {
			if err := look(); err != nil {
				return err
			}
		}
	}
	return look()
}

// compareList tells what a list has that the database has not.
func (s *Service) compareList(ctx context.Context, issuer string, l PublishedList) (ShardRepair, error) {
	sr := ShardRepair{Shard: l.Shard, Number: l.Number}
	err := compareWith(ctx, s.store.Queries, issuer, l.Entries, func(k known) error {
		switch {
		case !k.there:
			sr.Lost++
		case k.missed:
			sr.BroughtBack++
		default:
			sr.Same++
		}
		return nil
	})
	if err != nil {
		return sr, fmt.Errorf("list %s/%d number %d: %w", issuer, l.Shard, l.Number, err)
	}
	n, err := s.store.CountListed(ctx, &issuer, new(int32(l.Shard))) //nolint:gosec // below 1024
	sr.OnlyHere = max(0, int(n)-sr.Same)
	return sr, err
}

// repairShardTx brings back what a list says. Only its last statements raise the
// numbers: until it is committed nothing is published.
func (s *Service) repairShardTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, issuer string, sr ShardRepair, proposer string, l PublishedList) error {
	shard := int32(l.Shard) //nolint:gosec // below 1024
	if _, err := tx.LockCRLShard(ctx, issuer, shard); err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	if err := tx.RaiseCRLRevisionTo(ctx, sr.Mark.Revision, issuer, shard); err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	count := 0
	err := compareWith(ctx, tx.Queries, issuer, l.Entries, func(k known) error {
		count++
		switch {
		case !k.there:
			return s.recordLostTx(ctx, tx, issuer, shard, k.CRLEntry)
		case k.missed && k.id == "":
			if err := s.setHouseRevokedTx(ctx, tx, issuer, shard, k.CRLEntry); err != nil {
				return err
			}
			return s.stopBroughtBackTx(ctx, tx, by, k.CRLEntry)
		case k.missed:
			return s.bringBackTx(ctx, tx, by, k, l.Number, proposer)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(l.DER)
	if err := tx.DropUnfinishedCRL(ctx, issuer, shard, l.Number); err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	err = tx.TakeBackCRL(ctx, db.TakeBackCRLParams{
		IssuerID: issuer, Shard: shard, Number: l.Number, Revision: sr.Mark.Revision, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate,
		FullSize: new(int32(len(l.DER))), SHA256: sum[:], Entries: new(int32(count)), //nolint:gosec // bounded by what a list can hold
	})
	if err == nil {
		err = putPiecesTx(ctx, tx, CRLPlan{Issuer: issuer, Shard: l.Shard, Number: l.Number}, false, l.DER)
	}
	if err != nil {
		return fmt.Errorf("take back list %d: %w", l.Number, err)
	}
	if err := tx.RaiseCRLNumber(ctx, sr.Mark.Number, issuer, shard); err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	err = s.audit(ctx, tx, "crl", change{id: issuer + "/" + strconv.Itoa(l.Shard), on: repaired, by: by, detail: map[string]string{
		"proposed_by": proposer, "list": strconv.FormatInt(l.Number, 10), "sha256": fmt.Sprintf("%X", sum), "brought_back": strconv.Itoa(sr.BroughtBack),
		"lost": strconv.Itoa(sr.Lost), "same": strconv.Itoa(sr.Same), "only_here": strconv.Itoa(sr.OnlyHere),
	}}, "restored", "repaired")
	if err != nil {
		return err
	}
	row, err := tx.Issuer(ctx, issuer)
	if err != nil || !row.Online {
		return err //nolint:wrapcheck // by the caller
	}
	return s.queue.EnqueueTx(ctx, tx.Pgx(), CRLPublishArgs{Issuer: issuer, Shard: shard, Scheduled: true})
}

// bringBackTx revokes or holds a certificate again, as the list says. One that
// cannot be held where it stands now is revoked: it must not be good.
func (s *Service) bringBackTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, k known, number int64, proposer string) error {
	cert, err := tx.LockCertificate(ctx, k.id)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", k.id, err)
	}
	r := Revocation{Reason: k.Reason, InvalidityDate: k.InvalidityDate}
	on := lifecycle.Revoke
	if k.Reason == lifecycle.ReasonCertificateHold {
		if on = lifecycle.Hold; !lifecycle.Certificates.Can(cert.State, on) {
			on, r.Reason = lifecycle.Revoke, lifecycle.ReasonUnspecified
		}
	}
	detail := map[string]string{"reason": r.Reason.String(), "from_list": strconv.FormatInt(number, 10), "proposed_by": proposer}
	if lifecycle.Certificates.Can(cert.State, on) { // one that has expired since stays so, and is listed
		if err := s.moveCertificate(ctx, tx, &cert, on, by, "", detail); err != nil {
			return err
		}
	}
	return s.setRevokedTx(ctx, tx, &cert, k.At, r)
}

// recordLostTx records a serial that was issued after the day of the backup.
func (s *Service) recordLostTx(ctx context.Context, tx store.Tx, issuer string, shard int32, e CRLEntry) error {
	p := db.InsertLostCertificateParams{
		Serial: e.Serial[:], IssuerID: issuer, Shard: shard, RevokedAt: &e.At, Reason: new(int32(e.Reason)), CreatedAt: s.now(), //nolint:gosec // 0 to 10
	}
	if !e.InvalidityDate.IsZero() {
		p.InvalidityDate = &e.InvalidityDate
	}
	var err error
	if p.CRLEntry, err = s.ca.EncodeEntry(e); err != nil {
		return fmt.Errorf("serial %s: %w", e.Serial, err)
	}
	if p.CRLRevision, err = tx.RaiseCRLRevision(ctx, issuer, shard); err != nil {
		return fmt.Errorf("serial %s: raise CRL revision: %w", e.Serial, err)
	}
	n, err := tx.InsertLostCertificate(ctx, p)
	if err == nil && n != 1 {
		err = lifecycle.Conflict
	}
	if err != nil {
		return fmt.Errorf("serial %s: %w", e.Serial, err)
	}
	return nil
}
