// Package jobs is Sceau's background work: River's clients, one worker per
// kind of job, periodic jobs, and the queue options of each kind in one place
// (opts.go). A worker asks issuance for a plan (Begin…), acts through hsm, ca,
// letter, cms and bureau with no transaction open, and hands the result back
// (Finish…), which completes the job in the same transaction.
//
// It never decides what is legal, never writes SQL of its own, and its jobs'
// arguments hold identifiers only: River stores them, and error texts, as
// readable rows. Data runs issuance → River → worker → tool rooms → issuance.
package jobs

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"sceau/ca"
	"sceau/cms"
	"sceau/hsm"
	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
)

// CardEngine is what personalisation asks of the card engine.
type CardEngine interface {
	Personalise(ctx context.Context, r hsm.PersonaliseRequest) ([]hsm.PersonalisedCard, error)
	DestroyPIN(ctx context.Context, card lifecycle.CardID, pinVersion int) error
}

// PINSource releases PINs: only a process with the PIN-letter policy has one.
type PINSource interface {
	ReleasePIN(ctx context.Context, r hsm.PINRelease) (lifecycle.PIN, error)
	ClosePIN(ctx context.Context, r hsm.PINRelease) error
}

// Signers gives the online signing keys, by their names in the key store and
// the public half that a certificate names, each bound to one operation.
type Signers interface {
	Signer(ctx context.Context, key string, public crypto.PublicKey) (crypto.Signer, error)
}

// Marks are numbers that only rise, kept where no database backup reaches.
type Marks interface {
	Marks(ctx context.Context, name string) (map[string]int64, error)
	RaiseMarks(ctx context.Context, name string, to map[string]int64) error
}

// Tools are what workers act with. A process that does not work a queue leaves
// that queue's tools out; Service, Now and Logger are always needed.
type Tools struct {
	Service *issuance.Service
	Now     func() time.Time
	Logger  *slog.Logger

	Engine        CardEngine        // default queue
	Signers       Signers           // default queue
	Marks         Marks             // default queue
	TransportKey  string            // the bureau's transport key, by name in the engine
	BureauCert    *x509.Certificate // bureau files are encrypted for it
	PublicBase    string            // of the revocation door, "http://host:port"
	TestSubjects  bool              // certificates say TEST (RGS A4 II.4)
	CertProfiles  []ca.Profile      // profiles of persons' certificates, by name
	Bank          letter.Bank       // both letter queues
	Phones        map[string]string // of the bank, by the country a letter goes to; else Bank.Phone
	BankCountry   string
	CardName      string            // commercial name of the card, on its letter
	PINs          PINSource         // PIN queue
	PrintRoomCert *x509.Certificate // both letter queues: print runs are encrypted for it
}

// check tells what a process that works the queues lacks.
func (t Tools) check(queues []Queue) error {
	if t.Service == nil || t.Now == nil || t.Logger == nil {
		return fmt.Errorf("%w: workers need the use cases, a clock and a logger", lifecycle.Invalid)
	}
	for _, q := range queues {
		switch q {
		case QueueDefault:
			if t.Engine == nil || t.Signers == nil || t.Marks == nil || t.TransportKey == "" || t.BureauCert == nil || t.PrintRoomCert == nil || t.PublicBase == "" {
				return fmt.Errorf("%w: queue %s needs the card engine, signers, marks, transport key, certificates of bureau and print room, and public base", lifecycle.Invalid, q)
			}
			if err := cms.CheckRecipient(t.PrintRoomCert); err != nil {
				return fmt.Errorf("print room certificate: %w", err)
			}
			if err := cms.CheckRecipient(t.BureauCert); err != nil {
				return fmt.Errorf("bureau certificate: %w", err)
			}
		case QueuePIN:
			if t.PINs == nil || t.PrintRoomCert == nil {
				return fmt.Errorf("%w: queue %s needs the PIN policy and the print room's certificate", lifecycle.Invalid, q)
			}
			if err := cms.CheckRecipient(t.PrintRoomCert); err != nil {
				return fmt.Errorf("print room certificate: %w", err)
			}
		default:
			return fmt.Errorf("%w: there is no queue %q: use %s or %s", lifecycle.Invalid, q, QueueDefault, QueuePIN)
		}
	}
	return nil
}
