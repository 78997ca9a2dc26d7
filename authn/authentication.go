package authn

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"sceau/lifecycle"
	"sceau/signing"
	"sceau/store"
	"sceau/store/db"
)

// Ask is a relying service's question: is this user there, and do they want this.
type Ask struct {
	By         lifecycle.Actor
	ClientID   string
	UserNumber string
	Proof      signing.Proof // the means, and a reader's mode; without a mode the policy's first of the means
	Operation  signing.Operation
}

// Authentication is a question with what became of it. It tells a caller nothing
// about whether the user exists before a proof is accepted.
type Authentication struct {
	ID        lifecycle.AuthenticationID
	State     lifecycle.AuthenticationState
	Holder    lifecycle.HolderID // of an accepted one
	Operation signing.Operation
	Proof     signing.Proof
	Linked    bool   // whether the proof is over the operation's data (RTS article 5)
	Text      []byte // what is signed
	TriesLeft int
	Policy    int // version of the signing policy
	Created   time.Time
	Expires   time.Time
	Decided   time.Time         // zero while it is pending
	Evidence  map[string]string // of an accepted one: means, what made the proof, its counter
}

// Digest is the SHA-256 of what is signed.
func (a Authentication) Digest() [32]byte { return signing.Digest(a.Text) }

// Typed is what the holder types into a CAP reader for it: nothing but the mode's
// key where the proof is not linked.
func (a Authentication) Typed(p Policy) Operation {
	o := Operation{Mode: a.Proof.Mode}
	switch a.Proof.Mode {
	case "1":
		o.Challenge = signing.Number(a.Digest())
		if p.SignsAmounts {
			o.Amount = a.Operation.Amount()
		}
	case "2+tds":
		o.TDS = a.Operation.Data(a.Digest())
	case "3":
		o.Challenge = signing.Number(a.Digest())
	}
	return o
}

// Typed is what the holder types into a CAP reader for an authentication.
func (s *Service) Typed(a Authentication) Operation { return a.Typed(s.policy) }

// Begin asks. The proof must be one that the bank's policy takes for the function. A
// user whom nobody knows is asked to sign in like any other, and what is sensitive is
// refused like that of a user without the entitlement: [lifecycle.Forbidden]. A second
// operation that the CODE key would confirm takes the place of the first.
func (s *Service) Begin(ctx context.Context, a Ask) (Authentication, error) {
	var errs lifecycle.FieldErrors
	if len(a.ClientID) != 8 || !digits(a.ClientID) {
		errs.Add("client_id", "has 8 digits")
	}
	if len(a.UserNumber) != 4 || !digits(a.UserNumber) {
		errs.Add("user_number", "has 4 digits")
	}
	version, policy, err := s.SigningPolicy(ctx)
	if err != nil {
		return Authentication{}, err
	}
	rule := policy[a.Operation.Function]
	if a.Proof.Mode == "" {
		a.Proof = firstOf(rule, a.Proof.Means)
	}
	if !rule.Allows(a.Proof) {
		errs.Add("means", fmt.Sprintf("the bank's policy takes for %s: %s", a.Operation.Function, names(rule)))
	}
	if err := errs.Err(); err != nil {
		return Authentication{}, err
	}
	if err := s.checkEntitled(ctx, a.ClientID, a.UserNumber, a.Operation); err != nil {
		return Authentication{}, err
	}
	switch a.Proof.Means {
	case lifecycle.MeansPasskey:
		if _, err := s.Passkeys(); err != nil {
			return Authentication{}, err
		}
	case lifecycle.MeansProvider:
		return Authentication{}, errNotJudged(a.Proof.Means)
	case lifecycle.MeansCAP, lifecycle.MeansCode, lifecycle.MeansCertificate, lifecycle.MeansForeign:
	}
	row, err := s.newAuthentication(ctx, a, version, rule)
	if err != nil {
		return Authentication{}, err
	}
	content, err := json.Marshal(a.Operation.Content)
	if err != nil {
		return Authentication{}, fmt.Errorf("begin an authentication: %w", err)
	}
	row.Content = content
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		if err := s.giveWay(ctx, tx, row, a.By); err != nil {
			return err
		}
		store.Made(ctx, string(row.ID))
		return tx.InsertAuthentication(ctx, db.InsertAuthenticationParams{
			ID: row.ID, Service: row.Service, ClientID: row.ClientID, UserNumber: row.UserNumber, HolderID: row.HolderID, State: row.State,
			Function: row.Function, Content: row.Content, Means: row.Means, Mode: row.Mode, Linked: row.Linked, Nonce: row.Nonce,
			PolicyVersion: row.PolicyVersion, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt,
		})
	})
	if err != nil {
		return Authentication{}, fmt.Errorf("begin an authentication: %w", err)
	}
	return s.authentication(row)
}

// newAuthentication is the row of a question.
func (s *Service) newAuthentication(ctx context.Context, a Ask, version int, rule signing.Rule) (db.Authentication, error) {
	var holder *lifecycle.HolderID
	found, err := s.store.HolderByUser(ctx, a.ClientID, a.UserNumber)
	switch {
	case err == nil:
		holder = &found.ID
	case !errors.Is(err, lifecycle.NotFound):
		return db.Authentication{}, fmt.Errorf("begin an authentication: %w", err)
	}
	var random [20]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	now := s.now()
	return db.Authentication{
		ID:      lifecycle.AuthenticationID(lifecycle.NewID(lifecycle.PrefixAuthentication, now, binary.BigEndian.Uint32(random[16:]))),
		Service: a.By.ID, ClientID: a.ClientID, UserNumber: a.UserNumber, HolderID: holder, State: lifecycle.AuthenticationPending,
		Function: string(a.Operation.Function), Means: a.Proof.Means, Mode: a.Proof.Mode, Linked: a.Proof.Linked(), Nonce: random[:16],
		PolicyVersion: int32(version), CreatedAt: now, ExpiresAt: now.Add(time.Duration(rule.Seconds) * time.Second), //nolint:gosec // few versions
		Evidence: []byte("{}"),
	}, nil
}

// giveWay cancels what the holder's CODE key would have confirmed until now: a code
// that takes no input is for the one operation that was shown last.
func (s *Service) giveWay(ctx context.Context, tx store.Tx, row db.Authentication, by lifecycle.Actor) error {
	if row.Linked || row.HolderID == nil || !signing.Function(row.Function).Sensitive() {
		return nil
	}
	// Two that begin at once come one after the other.
	if _, err := tx.LockHolder(ctx, *row.HolderID); err != nil {
		return err
	}
	waiting, err := tx.WaitingForCodeKey(ctx, row.HolderID)
	if err != nil {
		return err
	}
	for _, id := range waiting {
		before, err := tx.Authentication(ctx, id)
		if err != nil {
			return err
		}
		if err := s.moveAuthentication(ctx, tx, &before, lifecycle.Cancel, by, map[string]string{"for": string(row.ID)}); err != nil {
			return err
		}
	}
	return nil
}

// firstOf is the policy's first proof by a means.
func firstOf(rule signing.Rule, means lifecycle.MeansKind) signing.Proof {
	for _, p := range rule.Proofs {
		if p.Means == means {
			return p
		}
	}
	return signing.Proof{Means: means}
}

// names lists what a rule takes.
func names(rule signing.Rule) string {
	text := ""
	for i, p := range rule.Proofs {
		if i > 0 {
			text += ", "
		}
		text += string(p.Means)
		if p.Mode != "" {
			text += " in mode " + p.Mode
		}
	}
	return text
}

// Authentication reads one of the caller's; another's is [lifecycle.NotFound].
func (s *Service) Authentication(ctx context.Context, by lifecycle.Actor, id lifecycle.AuthenticationID) (Authentication, error) {
	row, err := s.readAuthentication(ctx, by, id)
	if err != nil {
		return Authentication{}, err
	}
	return s.authentication(row)
}

func (s *Service) readAuthentication(ctx context.Context, by lifecycle.Actor, id lifecycle.AuthenticationID) (db.Authentication, error) {
	if err := lifecycle.CheckID(lifecycle.PrefixAuthentication, string(id)); err != nil {
		return db.Authentication{}, err
	}
	row, err := s.store.Authentication(ctx, id)
	if err == nil && row.Service != by.ID {
		err = lifecycle.NotFound
	}
	if err != nil {
		return row, fmt.Errorf("authentication %s: %w", id, err)
	}
	return row, nil
}

// Cancel ends a question that waits: the holder changed their mind.
func (s *Service) Cancel(ctx context.Context, by lifecycle.Actor, id lifecycle.AuthenticationID) (Authentication, error) {
	row, err := s.readAuthentication(ctx, by, id)
	if err != nil {
		return Authentication{}, err
	}
	return s.conclude(ctx, row, lifecycle.Cancel, by, nil)
}

// conclude moves an authentication, in a transaction of its own.
func (s *Service) conclude(ctx context.Context, row db.Authentication, on lifecycle.Event, by lifecycle.Actor, evidence map[string]string) (Authentication, error) {
	err := s.store.InTx(ctx, func(tx store.Tx) error { return s.moveAuthentication(ctx, tx, &row, on, by, evidence) })
	if err != nil {
		return Authentication{}, err
	}
	return s.authentication(row)
}

// moveAuthentication is the one door of an authentication's life: the move is
// looked up, the state set by compare-and-set, the trail written.
func (s *Service) moveAuthentication(ctx context.Context, tx store.Tx, row *db.Authentication, on lifecycle.Event, by lifecycle.Actor, evidence map[string]string) error {
	move, err := lifecycle.Authentications.Next(row.State, on, by.Role)
	if err != nil {
		return fmt.Errorf("authentication %s: %w", row.ID, err)
	}
	if evidence == nil {
		evidence = map[string]string{}
	}
	kept, err := json.Marshal(evidence)
	if err != nil {
		return fmt.Errorf("authentication %s: %w", row.ID, err)
	}
	at := s.now()
	n, err := tx.SetAuthenticationState(ctx, db.SetAuthenticationStateParams{
		ToState: move.To, At: &at, Evidence: kept, ID: row.ID, FromState: row.State,
	})
	if err != nil {
		return fmt.Errorf("authentication %s: %w", row.ID, err)
	}
	if n != 1 {
		return fmt.Errorf("authentication %s: %w: it is no longer %s", row.ID, lifecycle.Conflict, row.State)
	}
	told := map[string]string{"function": row.Function}
	maps.Copy(told, evidence)
	detail, err := json.Marshal(told)
	if err != nil {
		return fmt.Errorf("authentication %s: %w", row.ID, err)
	}
	err = tx.InsertAudit(ctx, db.InsertAuditParams{
		At: at, Actor: by.ID, Role: string(by.Role), Thing: lifecycle.Authentications.Thing, ThingID: string(row.ID), Event: string(on),
		FromState: string(row.State), ToState: string(move.To), Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("audit authentication %s: %w", row.ID, err)
	}
	row.State, row.DecidedAt, row.Evidence = move.To, &at, kept
	return nil
}

// authentication is a row as callers see it.
func (s *Service) authentication(row db.Authentication) (Authentication, error) {
	a := Authentication{
		ID: row.ID, State: row.State, Proof: signing.Proof{Means: row.Means, Mode: row.Mode}, Linked: row.Linked,
		TriesLeft: max(0, maxProofs-int(row.Tries)), Policy: int(row.PolicyVersion), Created: row.CreatedAt.UTC(), Expires: row.ExpiresAt.UTC(),
	}
	var content map[string]string
	if err := json.Unmarshal(row.Content, &content); err != nil {
		return a, fmt.Errorf("authentication %s: %w", row.ID, err)
	}
	a.Operation = signing.Operation{Function: signing.Function(row.Function), Content: content}
	a.Text = a.Operation.Text(subject(row), [16]byte(row.Nonce))
	if row.DecidedAt != nil {
		a.Decided = row.DecidedAt.UTC()
	}
	if row.State == lifecycle.AuthenticationPending && !s.now().Before(row.ExpiresAt) {
		a.State = lifecycle.AuthenticationExpired
	}
	if row.State == lifecycle.AuthenticationAccepted {
		a.Holder = *row.HolderID
		if err := json.Unmarshal(row.Evidence, &a.Evidence); err != nil {
			return a, fmt.Errorf("authentication %s: %w", row.ID, err)
		}
	}
	return a, nil
}

// subject is who signs, as the text names them: by what the relying service asked
// with, so that the text tells nothing about whether they exist.
func subject(row db.Authentication) string { return row.ClientID + "/" + row.UserNumber }
