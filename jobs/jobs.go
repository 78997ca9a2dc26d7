// Package jobs is Sceau's background work: River's clients, one worker per
// kind of job, periodic jobs, and the queue options of each kind in one place
// (opts.go). A worker asks issuance for a plan (Begin…), acts through hsm, ca,
// letter, cms, bureau, notice and mail with no transaction open, and hands the result back
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

// Bureau is what is agreed with a card bureau.
type Bureau struct {
	TransportKey string            // enciphers keys and PINs; by its name in the engine
	Certificate  *x509.Certificate // its files are encrypted for it
}

func (b Bureau) check(name string) error {
	if b.TransportKey == "" || b.Certificate == nil {
		return fmt.Errorf("%w: bureau %s needs a transport key and a certificate", lifecycle.Invalid, name)
	}
	if err := cms.CheckRecipient(b.Certificate); err != nil {
		return fmt.Errorf("certificate of bureau %s: %w", name, err)
	}
	return nil
}

// bureau is the one that a batch goes to: never another one in its place.
func (t Tools) bureau(name string) (Bureau, error) {
	b, ok := t.Bureaux[name]
	if !ok {
		return b, fmt.Errorf("%w: nothing is agreed with the bureau %q here: give its transport key and certificate", lifecycle.Unavailable, name)
	}
	return b, nil
}

// Marks are numbers that only rise, kept where no database backup reaches.
type Marks interface {
	Marks(ctx context.Context, name string) (map[string]int64, error)
	RaiseMarks(ctx context.Context, name string, to map[string]int64) error
}

// Watcher looks at lists, OCSP answers and CA certificates from outside, as
// relying parties do, and tells what is wrong.
type Watcher interface {
	WatchRevocation(ctx context.Context) ([]issuance.Alarm, error)
}

// Tools are what workers act with. A process that does not work a queue leaves
// that queue's tools out; Service, Now and Logger are always needed.
type Tools struct {
	Service *issuance.Service
	Now     func() time.Time
	Logger  *slog.Logger

	Engine        CardEngine        // default queue
	Signers       Signers           // default queue
	Bureaux       map[string]Bureau // default queue; by name
	Marks         Marks             // default queue
	Watcher       Watcher           // default queue
	Lists         ListFetcher       // default queue; nil: other CAs' lists are not fetched
	PublicBase    string            // of the revocation door, "http://host:port"
	TestSubjects  bool              // certificates say TEST (RGS A4 II.4)
	Bank          letter.Bank       // both letter queues, and mail
	Phones        map[string]string // of the bank, by the country a letter goes to; else Bank.Phone
	BankCountry   string
	CardName      string            // commercial name of the card, on its letter
	PINs          PINSource         // PIN queue
	PrintRoomCert *x509.Certificate // both letter queues: print runs are encrypted for it
	Mail          Mailer            // mail queue
}

// check tells what a process that works the queues lacks.
func (t Tools) check(queues []Queue) error {
	if t.Service == nil || t.Now == nil || t.Logger == nil {
		return fmt.Errorf("%w: workers need the use cases, a clock and a logger", lifecycle.Invalid)
	}
	for _, q := range queues {
		switch q {
		case QueueDefault:
			if t.Engine == nil || t.Signers == nil || t.Marks == nil || t.Watcher == nil || len(t.Bureaux) == 0 || t.PrintRoomCert == nil || t.PublicBase == "" {
				return fmt.Errorf("%w: queue %s needs the card engine, signers, marks, a watcher, a bureau, the print room's certificate and the public base", lifecycle.Invalid, q)
			}
			if err := cms.CheckRecipient(t.PrintRoomCert); err != nil {
				return fmt.Errorf("print room certificate: %w", err)
			}
			for name, b := range t.Bureaux {
				if err := b.check(name); err != nil {
					return err
				}
			}
		case QueuePIN:
			if t.PINs == nil || t.PrintRoomCert == nil {
				return fmt.Errorf("%w: queue %s needs the PIN policy and the print room's certificate", lifecycle.Invalid, q)
			}
			if err := cms.CheckRecipient(t.PrintRoomCert); err != nil {
				return fmt.Errorf("print room certificate: %w", err)
			}
		case QueueMail:
			if t.Mail == nil {
				return fmt.Errorf("%w: queue %s needs a mail server", lifecycle.Invalid, q)
			}
		default:
			return fmt.Errorf("%w: there is no queue %q: use one of %v", lifecycle.Invalid, q, Queues())
		}
	}
	return nil
}
