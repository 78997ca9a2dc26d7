package jobs

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/ca"
	"sceau/issuance"
	"sceau/lifecycle"
)

var (
	hugo  = lifecycle.Actor{ID: "hugo", Role: lifecycle.RoleSecurityOfficer}
	ines  = lifecycle.Actor{ID: "ines", Role: lifecycle.RoleSecurityOfficer}
	clerk = lifecycle.Actor{ID: "olga", Role: lifecycle.RoleOperator}
)

// backup copies the database as it stands, and gives where the copy is.
func (p *publisher) backup(t *testing.T) (copied string) {
	t.Helper()
	p.pool.Close()
	at, err := url.Parse(p.url)
	ok(t, err)
	name := strings.TrimPrefix(at.Path, "/")
	elsewhere := *at
	elsewhere.Path = "/postgres"
	connection, err := pgx.Connect(t.Context(), elsewhere.String())
	ok(t, err)
	_, err = connection.Exec(t.Context(), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", pgx.Identifier{name + "_backup"}.Sanitize(), pgx.Identifier{name}.Sanitize()))
	ok(t, err)
	ok(t, connection.Close(t.Context()))
	p.connect(t, p.url)
	at.Path = "/" + name + "_backup"
	return at.String()
}

// restore goes on with the copy.
func (p *publisher) restore(t *testing.T, copied string) {
	t.Helper()
	p.pool.Close()
	p.connect(t, copied)
}

func (p *publisher) serialOf(t *testing.T, id lifecycle.CertificateID) string {
	t.Helper()
	view, err := p.Service.Certificate(t.Context(), id)
	ok(t, err)
	return view.Serial
}

// full is the newest full list: reasons by serial.
func (p *publisher) full(t *testing.T) (number int64, reasons map[string]int) {
	t.Helper()
	newest, err := p.Service.NewestCRL(t.Context(), "issuing-1", 0)
	ok(t, err)
	list, err := x509.ParseRevocationList(newest.Full)
	ok(t, err)
	ok(t, list.CheckSignatureFrom(p.issuing))
	reasons = map[string]int{}
	for _, e := range list.RevokedCertificateEntries {
		reasons[fmt.Sprintf("%032x", e.SerialNumber)] = e.ReasonCode
	}
	return list.Number.Int64(), reasons
}

// published is the newest list as somebody who fetched it has it.
func (p *publisher) published(t *testing.T) issuance.PublishedList {
	t.Helper()
	newest, err := p.Service.NewestCRL(t.Context(), "issuing-1", 0)
	ok(t, err)
	return publishedList(t, newest.Full)
}

func publishedList(t *testing.T, der []byte) issuance.PublishedList {
	t.Helper()
	list, err := ca.ReadCRL(der)
	ok(t, err)
	var entries iter.Seq2[issuance.CRLEntry, error] = func(yield func(issuance.CRLEntry, error) bool) {
		for e, err := range list.All() {
			if !yield(issuance.CRLEntry{Serial: e.Serial, At: e.At, Reason: e.Reason, InvalidityDate: e.InvalidityDate}, err) {
				return
			}
		}
	}
	return issuance.PublishedList{Number: list.Number, ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate, DER: der, Entries: entries}
}

func wantKind(t *testing.T, err error, kind lifecycle.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v, want %s", err, kind)
	}
}

func TestARestoredDatabasePublishesNothingUntilTwoPeopleHaveRepairedIt(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	ctx := t.Context()
	old, held, kept, lost := p.certificate(t), p.certificate(t), p.certificate(t), p.certificate(t)
	ok(t, p.Service.Hold(ctx, clerk, held))
	ok(t, p.Service.Revoke(ctx, clerk, old, issuance.Revocation{Reason: lifecycle.ReasonSuperseded}))
	ok(t, p.list(t))
	yesterday := p.backup(t)

	invalid := p.at.Add(-48 * time.Hour)
	ok(t, p.Service.Revoke(ctx, clerk, lost, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise, InvalidityDate: invalid}))
	revokedAt := p.at
	ok(t, p.list(t))
	ok(t, p.Service.Revoke(ctx, clerk, held, issuance.Revocation{Reason: lifecycle.ReasonPrivilegeWithdrawn}))
	young := p.certificate(t) // issued after the backup
	ok(t, p.Service.Revoke(ctx, clerk, young, issuance.Revocation{Reason: lifecycle.ReasonKeyCompromise}))
	ok(t, p.list(t))
	youngSerial := p.serialOf(t, young)
	before, reasons := p.full(t)
	newest := p.published(t)
	marks := func() map[string]int64 { all, _ := p.Marks(ctx, ""); return all }
	if restored, err := p.Service.Restored(ctx, "issuing-1", marks()); err != nil || len(restored) != 0 {
		t.Fatalf("before the restore: %v %v", restored, err)
	}
	wantKind(t, second(p.Service.RepairRevocation(ctx, hugo, "issuing-1", marks(), []issuance.PublishedList{newest}, false)), lifecycle.Illegal)

	p.restore(t, yesterday)
	restored, err := p.Service.Restored(ctx, "issuing-1", marks())
	if err != nil || len(restored) != 1 || restored[0].Mark.Number != before {
		t.Fatalf("after the restore: %v %v", restored, err)
	}
	// Nothing is published, also once somebody has revoked something again.
	wantKind(t, p.list(t), lifecycle.Unavailable)
	ok(t, p.Service.Revoke(ctx, clerk, kept, issuance.Revocation{Reason: lifecycle.ReasonCessationOfOperation}))
	var told *issuance.RestoredError
	if err := p.list(t); !errors.As(err, &told) {
		t.Fatalf("a list of the restored database: %v", err)
	}

	repair := func(by lifecycle.Actor, lists ...issuance.PublishedList) (issuance.Repair, error) {
		return p.Service.RepairRevocation(ctx, by, "issuing-1", marks(), lists, false)
	}
	yesterdays := p.published(t) // the restored database's own newest list
	wantKind(t, second(repair(hugo)), lifecycle.NotFound)
	wantKind(t, second(repair(hugo, yesterdays)), lifecycle.Conflict)
	wantKind(t, second(repair(clerk, newest)), lifecycle.Forbidden)
	plan, err := repair(hugo, newest)
	ok(t, err)
	// Only here: what was revoked since the restore, and what is held here only.
	want := issuance.ShardRepair{Number: before, Mark: told.Mark, Same: 1, BroughtBack: 2, Lost: 1, OnlyHere: 2}
	if plan.Done || plan.Proposer != "hugo" || len(plan.Shards) != 1 || plan.Shards[0] != want {
		t.Fatalf("proposed is %+v, want %+v", plan, want)
	}
	wantKind(t, second(repair(hugo, newest)), lifecycle.Forbidden) // not the same person
	wantKind(t, p.list(t), lifecycle.Unavailable)                  // nothing is done yet
	plan, err = repair(ines, newest)
	ok(t, err)
	if !plan.Done || plan.Proposer != "hugo" {
		t.Fatalf("agreed: %+v", plan)
	}
	if restored, err := p.Service.Restored(ctx, "issuing-1", marks()); err != nil || len(restored) != 0 {
		t.Fatalf("after the repair: %v %v", restored, err)
	}

	ok(t, p.list(t))
	number, now := p.full(t)
	if number != before+1 {
		t.Errorf("the next list has number %d, want %d", number, before+1)
	}
	reasons[p.serialOf(t, kept)] = int(lifecycle.ReasonCessationOfOperation)
	if fmt.Sprint(now) != fmt.Sprint(reasons) {
		t.Errorf("it lists %v, want %v", now, reasons)
	}
	serial := func(text string) lifecycle.Serial {
		octets, err := hex.DecodeString(text)
		ok(t, err)
		return lifecycle.Serial(octets)
	}
	status, err := p.Service.Status(ctx, "issuing-1", serial(p.serialOf(t, lost)))
	if err != nil || !status.Revoked || !status.RevokedAt.Equal(revokedAt) || status.Reason != lifecycle.ReasonKeyCompromise || !status.InvalidityDate.Equal(invalid) {
		t.Errorf("what was brought back is %+v %v", status, err)
	}
	if status, err := p.Service.Status(ctx, "issuing-1", serial(youngSerial)); err != nil || status.Issued && !status.Revoked {
		t.Errorf("what nobody knows any more is %+v %v", status, err)
	}
	audit, err := p.Service.AuditOf(ctx, "issuing-1/0")
	if err != nil || len(audit) != 1 || audit[0].Actor != "ines" || !strings.Contains(string(audit[0].Detail), `"hugo"`) {
		t.Errorf("the trail has %+v %v", audit, err)
	}
	// Life goes on.
	ok(t, p.Service.Hold(ctx, clerk, p.certificate(t)))
	ok(t, p.list(t))
}

func second[T any](_ T, err error) error { return err }

// A worker killed between the mark and the record leaves its number reserved; the
// next takes it over, and nothing is taken for a restore.
func TestAListWhoseMarkIsRaisedAndThatIsNotRecordedIsMadeAgain(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	ok(t, p.list(t))
	ok(t, p.Service.Hold(t.Context(), clerk, p.certificate(t)))
	crash := errors.New("killed")
	for _, when := range []string{"before the mark", "after the mark"} {
		p.raise = func() error {
			if when == "after the mark" {
				p.raise = nil
				ok(t, p.RaiseMarks(t.Context(), "", map[string]int64{"0.number": 2, "0.revision": 1}))
			}
			return crash
		}
		if err := p.list(t); !errors.Is(err, crash) {
			t.Fatalf("%s: %v", when, err)
		}
		p.raise = nil
		if restored, err := p.Service.Restored(t.Context(), "issuing-1", p.marks); err != nil || len(restored) != 0 {
			t.Errorf("%s: taken for restored: %v %v", when, restored, err)
		}
	}
	ok(t, p.list(t))
	if number, reasons := p.full(t); number != 2 || len(reasons) != 1 {
		t.Errorf("list %d has %v", number, reasons)
	}
}
