// Package issuance is what Sceau does with an order from the request to the end
// of the card or certificate: orders, approvals, personalisation, custody of
// letters, hand-over, opposition, certificates, revocation, lists. It is the
// one door for every state change: apply looks the move up in the lifecycle
// table and writes state, audit entry and follow-up job in one transaction.
//
// It never talks to Vault, River, HTTP or a PDF, and never opens a transaction
// around one: workers call Begin… (intent, with attempt ID and fence), act, and
// call Finish…, where a late worker loses on the fence. Data runs web, jobs →
// issuance → store.
package issuance

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sceau/certprofile"
	"sceau/lifecycle"
	"sceau/safe"
	"sceau/store"
	"sceau/trust"
)

// Policy are the bank's choices that the use cases obey.
type Policy struct {
	IIN          string        // first digits of card numbers, 6 to 8
	Product      string        // the card product ordered when none is named
	PrintRoom    string        // place of stock from which cards and readers are posted
	PINPaper     string        // stock item on which PIN letters are printed there
	BatchSize    int           // cards in a personalisation batch, at most 500
	RunFileAge   time.Duration // how long a print run's file is kept, encrypted as it is
	CertProfile  string        // profile of certificates when none is named
	CodeLife     time.Duration // of an enrolment code
	CodeTries    int           // wrong codes before another must be handed over
	CRLInterval  time.Duration // between scheduled full lists, the bases of deltas
	CRLValidity  time.Duration // nextUpdate - thisUpdate
	OCSPValidity time.Duration // of an answer signed ahead
	// RevocationWatch is how often lists and answers are looked at from outside.
	RevocationWatch time.Duration
	// PublishWithin is how long a change of status may take from the call to OCSP
	// and lists before the doctor warns, PublishAlarm before it is work.
	PublishWithin, PublishAlarm time.Duration
	ConfirmWithin               time.Duration // that a caller who was not recognised has
	RevocationTryWindow         time.Duration // in which wrong revocation codes are counted together
	RenewWithin                 time.Duration // before its end a certificate can be renewed
	SupersedeAfter              time.Duration // of its successor's acceptance it is revoked
	TellEvery                   time.Duration // the least between two of a campaign's notices to one holder
	TellAtMost                  int           // notices that a campaign sends of one certificate
	UnusedDossier               time.Duration // how long a dossier is kept that led to no certificate
	SettingDelay                time.Duration // before a setting that is loosened takes effect
	// Within these of an earlier card order, or of a change of address, an order
	// raises a flag to its approver.
	SecondCardWithin, AddressChangeWithin time.Duration
}

// DefaultPolicy is a bank that keeps the advice of cards.md and pki.md.
func DefaultPolicy() Policy {
	return Policy{
		IIN: "925000", Product: "securaccess", PrintRoom: "print-room", PINPaper: "paper-pin",
		BatchSize: 100, RunFileAge: 30 * 24 * time.Hour,
		SecondCardWithin: 90 * 24 * time.Hour, AddressChangeWithin: 30 * 24 * time.Hour,
		CertProfile: certprofile.NominativeAuthentication,
		CodeLife:    30 * 24 * time.Hour, CodeTries: 5,
		CRLInterval: 24 * time.Hour, CRLValidity: 7 * 24 * time.Hour, OCSPValidity: 12 * time.Hour, RevocationWatch: 15 * time.Minute,
		PublishWithin: 10 * time.Minute, PublishAlarm: time.Hour, ConfirmWithin: 24 * time.Hour,
		RenewWithin: 90 * 24 * time.Hour, SupersedeAfter: 14 * 24 * time.Hour,
		TellEvery: 7 * 24 * time.Hour, TellAtMost: 8,
		RevocationTryWindow: 15 * time.Minute,
		UnusedDossier:       365 * 24 * time.Hour,
		SettingDelay:        4 * time.Hour,
	}
}

// Job is a follow-up job: a plain struct of identifiers. River stores it as
// readable JSON, so it never holds a name, a PIN or a key.
type Job interface{ Kind() string }

// Enqueuer inserts a follow-up job in the transaction that caused it.
type Enqueuer interface {
	EnqueueTx(ctx context.Context, tx pgx.Tx, job Job) error
}

// CA is what the use cases ask of the ca room.
type CA interface {
	// CheckCSR tells whether a certificate request proves possession of a good key of
	// a kind that the profile takes, and names nobody else: asked at the door so that
	// the holder learns at once what is wrong.
	CheckCSR(csr []byte, subject Subject, profile certprofile.Profile) (spkiSHA256 [32]byte, err error)
	// CheckAcceptance tells whether the certificate's key signed the statement.
	CheckAcceptance(certificate, statement, signature []byte) error
	// EncodeEntry encodes what lists say of a certificate, once, when its status
	// changes.
	EncodeEntry(e CRLEntry) ([]byte, error)
	// CheckTrusted tells what is wrong with the CAs of an entry of the trust list.
	CheckTrusted(e *trust.Entry, at time.Time) error
	// JudgeForeign judges a certificate by itself, under an entry.
	JudgeForeign(e *trust.Entry, certificate []byte, at time.Time, purpose trust.Purpose) trust.Judged
}

// Service is the use cases. Its methods are safe for concurrent use.
type Service struct {
	store  *store.Store
	safe   *safe.Safe
	queue  Enqueuer
	ca     CA
	policy Policy
	now    func() time.Time
}

// New makes the service; every argument is required but the safe: a process that
// has none deals with no card number.
func New(st *store.Store, numbers *safe.Safe, queue Enqueuer, ca CA, policy Policy, now func() time.Time) (*Service, error) {
	if st == nil || queue == nil || ca == nil || now == nil {
		return nil, fmt.Errorf("%w: issuance needs a store, an enqueuer, a CA room and a clock", lifecycle.Invalid)
	}
	if policy.BatchSize < 1 || policy.BatchSize > 500 {
		return nil, fmt.Errorf("%w: a batch holds 1 to 500 cards", lifecycle.Invalid)
	}
	if policy.SettingDelay < time.Minute {
		return nil, fmt.Errorf("%w: a setting that is loosened waits, so that it can be stopped", lifecycle.Invalid)
	}
	if policy.RunFileAge < 24*time.Hour {
		return nil, fmt.Errorf("%w: a print run's file is kept for a day at least", lifecycle.Invalid)
	}
	// PostgreSQL keeps microseconds: what is written is what is read.
	clock := func() time.Time { return now().UTC().Truncate(time.Microsecond) }
	return &Service{store: st, safe: numbers, queue: queue, ca: ca, policy: policy, now: clock}, nil
}

// Policy is what the service obeys.
func (s *Service) Policy() Policy { return s.policy }

// newID makes an identifier with the prefix.
func (s *Service) newID(prefix string) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	return lifecycle.NewID(prefix, s.now(), binary.BigEndian.Uint32(random[:]))
}

// newIDs makes so many identifiers, each another.
func (s *Service) newIDs(prefix string, n int) []string {
	seen := make(map[string]bool, n)
	ids := make([]string, 0, n)
	for len(ids) < n {
		id := s.newID(prefix)
		if !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	return ids
}

// Done finishes something of the caller's in the same transaction: a worker
// completes its job with it. nil does nothing.
type Done func(tx pgx.Tx) error

func (d Done) run(tx store.Tx) error {
	if d == nil {
		return nil
	}
	return d(tx.Pgx())
}

// Complete finishes something of the caller's that no use case finished: a
// worker's job whose work is done already.
func (s *Service) Complete(ctx context.Context, done Done) error {
	return s.store.InTx(ctx, func(tx store.Tx) error { return done.run(tx) })
}

// deref is the value of a nullable column, zero for null.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
