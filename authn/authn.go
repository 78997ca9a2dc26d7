// Package authn is strong authentication: whether a code of the Chip
// Authentication Program is right, counts once, and comes from a card that may
// be used; and whether an API key is good. Each guess is counted before it is
// judged, and a card that is guessed at too often is locked.
//
// It never issues, activates or blocks anything (issuance does), and never
// tells a caller why a code was refused: unknown user, wrong code, replay and
// wrong card all answer [ErrRefused]. It computes no cryptogram; a [CAPVerifier]
// does, with no transaction open. Data runs web → authn → store.
package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"sceau/gather"
	"sceau/lifecycle"
	"sceau/passcode"
	"sceau/passkey"
	"sceau/safe"
	"sceau/store"
	"sceau/store/db"
)

// CAPVerifier computes codes: the card engine.
type CAPVerifier interface {
	// VerifyCAP answers each check, in order. It keeps no counter.
	VerifyCAP(ctx context.Context, checks []Check) ([]Answer, error)
	// ResyncCAP looks in a large window for the check's code with the next one
	// right behind it; the counter that it answers is the second's.
	ResyncCAP(ctx context.Context, check Check, next string) (Answer, error)
}

// Check is one code against one card.
type Check struct {
	PAN     lifecycle.PAN
	PSN     int
	Profile string
	Operation
	LastATC int
	Window  int
	Scripts []int // issuer-script counters that the card may show
}

// Answer is the engine's word on a check.
type Answer struct {
	Valid   bool
	ATC     int // of a valid code
	Scripts int
	Err     error // this check could not be made
}

// Operation is what the holder typed into the reader, and the code that it
// showed.
type Operation struct {
	Mode      string // "1", "2", "2+tds" or "3"
	Code      string // 8 digits
	Challenge string
	Amount    string
	Currency  string
	TDS       []string
}

// Policy are the limits of guessing, and what the bank's cards can do.
type Policy struct {
	MaxFailures  int    // wrong codes in a row before a card is locked
	Window       int    // counters after the last that are tried: codes made and not sent
	ResyncWindow int    // the same, for two codes in a row
	Profile      string // of the bank's cards in the engine: codes of nobody are judged by it
	// SignsAmounts says that the bank's cards sign an amount typed into the reader
	// (their profile's IAF, 9F55). Others show the same code for every amount.
	SignsAmounts bool
	Issuer       string        // of statements: the house, as relying services know it
	SecretCode   passcode.Cost // of judging a secret code
	CallsAMinute int           // of all relying services together; 0: no limit but each one's own
}

// DefaultPolicy locks a card after five wrong codes: one of 131 072 is right by
// chance with a bitmap of 17 cryptogram bits. Its cards sign no amount.
func DefaultPolicy() Policy {
	return Policy{MaxFailures: 5, Window: 64, ResyncWindow: 1024, Profile: "securaccess", Issuer: "sceau", SecretCode: passcode.DefaultCost(), CallsAMinute: 240_000}
}

// Service authenticates. Its methods are safe for concurrent use.
type Service struct {
	store    *store.Store
	safe     *safe.Safe
	verifier CAPVerifier
	sealer   Sealer
	policy   Policy
	now      func() time.Time
	nobody   lifecycle.PAN // number of no card
	codes    *passcode.Hasher
	noKey    *ecdsa.PublicKey // of no certificate
	passkeys *passkey.RelyingParty

	certificates Certificates
	trusted      trusted

	policies policies
	limits   limits
	tallies  tallies
	turns    turns
	finding  gather.Calls[Attempt, []db.CandidateCardsRow]
	judging  gather.Calls[question, verdict]
}

// Config is what the service needs. Without Safe and Sealer API keys can be made, no
// code judged and nothing stated; everything else is required.
type Config struct {
	Store    *store.Store
	Safe     *safe.Safe // of card numbers
	Verifier CAPVerifier
	Sealer   Sealer
	Passkeys *passkey.RelyingParty // nil: no passkey is asked for
	Policy   Policy
	Now      func() time.Time

	Certificates Certificates // nil: no certificate is judged
}

// New makes the service.
func New(c Config) (*Service, error) {
	policy := c.Policy
	if c.Store == nil || c.Verifier == nil || c.Now == nil {
		return nil, fmt.Errorf("%w: authentication needs a store, a verifier and a clock", lifecycle.Invalid)
	}
	if policy.MaxFailures < 1 || policy.Window < 1 || policy.Window > 256 {
		return nil, fmt.Errorf("%w: a card takes at least one wrong code, and a window is 1 to 256", lifecycle.Invalid)
	}
	if policy.ResyncWindow < policy.Window || policy.ResyncWindow > 4096 {
		return nil, fmt.Errorf("%w: the window of two codes is at least that of one, at most 4096", lifecycle.Invalid)
	}
	const body = "925000000000000"
	nobody, err := lifecycle.NewPAN(body + string(lifecycle.LuhnDigit(body)))
	if err != nil {
		return nil, fmt.Errorf("make the number of nobody: %w", err)
	}
	noKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key of nobody: %w", err)
	}
	clock := func() time.Time { return c.Now().UTC().Truncate(time.Microsecond) }
	s := &Service{store: c.Store, safe: c.Safe, verifier: c.Verifier, sealer: c.Sealer, policy: policy, now: clock, nobody: nobody, certificates: c.Certificates}
	s.codes, s.noKey, s.passkeys = passcode.New(c.Safe, policy.SecretCode), &noKey.PublicKey, c.Passkeys
	if c.Passkeys != nil {
		if err := c.Passkeys.Check(); err != nil {
			return nil, err
		}
	}
	s.finding.Doing, s.finding.Most, s.finding.Call = "look for a code's cards", maxTogether, s.find
	s.judging.Doing, s.judging.Most = "judge a code", maxTogether
	s.judging.Call = func(ctx context.Context, questions []question) ([]verdict, error) {
		return s.judge(ctx, questions, c.Verifier.VerifyCAP)
	}
	return s, nil
}

// audit records what staff did to a card's codes.
func audit(ctx context.Context, q *db.Queries, at time.Time, by lifecycle.Actor, card db.Card, on lifecycle.Event, detail map[string]string) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("audit card %s: %w", card.ID, err)
	}
	err = q.InsertAudit(ctx, db.InsertAuditParams{
		At: at, Actor: by.ID, Role: string(by.Role), Thing: "card", ThingID: string(card.ID), Event: string(on),
		FromState: string(card.State), ToState: string(card.State), Detail: text,
	})
	if err != nil {
		return fmt.Errorf("audit card %s: %w", card.ID, err)
	}
	return nil
}
