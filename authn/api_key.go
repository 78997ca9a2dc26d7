package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store"
)

// Scope is what an API key may be used for.
type Scope string

// The scopes.
const (
	ScopeVerifyCAP          Scope = "cap:verify"
	ScopeAuthenticate       Scope = "authentications"
	ScopeOperate            Scope = "operations"
	ScopeStop               Scope = "stops"
	ScopeReportFraud        Scope = "fraud:report"
	ScopeEntitlements       Scope = "entitlements"
	ScopeSettings           Scope = "settings"
	ScopeDecide             Scope = "decisions"
	ScopeReadMeans          Scope = "means:read"
	ScopeWriteMeans         Scope = "means:write"
	ScopeActivateCards      Scope = "cards:activate"
	ScopeBlockCards         Scope = "cards:block"
	ScopeRevokeCertificates Scope = "certificates:revoke"
	ScopeValidate           Scope = "certificates:validate"
	ScopeReadOrders         Scope = "orders:read"
	ScopeReadEvents         Scope = "events:read"
	ScopeResetPIN           Scope = "terminal:pin-reset"
	ScopePersonalise        Scope = "terminal:personalise"
)

// Scopes lists them.
func Scopes() []Scope {
	return []Scope{ScopeVerifyCAP, ScopeAuthenticate, ScopeOperate, ScopeStop, ScopeReportFraud, ScopeReadMeans, ScopeWriteMeans, ScopeEntitlements, ScopeSettings, ScopeDecide, ScopeActivateCards, ScopeBlockCards, ScopeRevokeCertificates, ScopeValidate, ScopeReadOrders, ScopeReadEvents, ScopeResetPIN, ScopePersonalise}
}

// Secret is an API key in clear: shown once, when it is made. It hides itself,
// behind a pointer because fmt and slog print what they find in an unexported
// field without calling any method of it. It has no ==.
type Secret struct {
	_    [0]func()
	text *string
}

func newSecret(text string) Secret { return Secret{text: &text} }

// Reveal gives the key.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String, Format, LogValue and MarshalText keep it out of every output.
func (Secret) String() string               { return "[API key]" }
func (Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte("[API key]")) }
func (Secret) LogValue() slog.Value         { return slog.StringValue("[API key]") }
func (Secret) MarshalText() ([]byte, error) { return nil, errors.New("a secret is never serialised") }

// AtBranch tells whether the scope is that of a branch's terminal, whose key names
// the branch.
func (s Scope) AtBranch() bool { return s == ScopeResetPIN || s == ScopePersonalise }

// APIKey is a relying service's key, or the certificate by which it calls in place of
// one: that has no identifier and no end of its own.
type APIKey struct {
	ID      lifecycle.APIKeyID
	Service lifecycle.ServiceID
	Name    string // of the service
	Scopes  []Scope
	Branch  lifecycle.BranchID // of a terminal's
	Expires time.Time

	Certificate  lifecycle.CertificateID // in place of a key
	CallsAMinute int                     // the service's limit
}

// Allows tells whether the key has the scope.
func (k APIKey) Allows(s Scope) bool { return slices.Contains(k.Scopes, s) }

// Actor is the relying service that the key stands for.
func (k APIKey) Actor() lifecycle.Actor {
	return lifecycle.Actor{ID: string(k.Service), Role: lifecycle.RoleRelyingService}
}

// Credential names what the service called by, for the log.
func (k APIKey) Credential() string {
	if k.ID == "" {
		return string(k.Certificate)
	}
	return string(k.ID)
}

const (
	keyPrefix  = "sceau_live_" // found by secret scanners
	olderKeys  = "sceau_"      // of keys that were made before
	keyLength  = 32            // bytes
	maxKeys    = 2             // of a service at a time: one, and the one that takes its place
	maxKeyName = 64
	maxKeyLife = 2 * 366 * 24 * time.Hour
)

// ErrBadKey is a key that is unknown, malformed or expired, whichever.
var ErrBadKey = fmt.Errorf("%w: the API key is not accepted", lifecycle.Forbidden)

// mayKeep tells who may make and end keys: the security officer alone.
func mayKeep(by lifecycle.Actor) error {
	if by.Role != lifecycle.RoleSecurityOfficer {
		return fmt.Errorf("%w: %s may not make or end API keys", lifecycle.Forbidden, by.Role)
	}
	return nil
}

// NewAPIKey makes a relying service, or the terminal of a branch whose code it names,
// with its first key. Only the key's hash is kept.
func (s *Service) NewAPIKey(ctx context.Context, by lifecycle.Actor, name string, scopes []Scope, branch string, life time.Duration) (APIKey, Secret, error) {
	if err := mayKeep(by); err != nil {
		return APIKey{}, Secret{}, err
	}
	var errs lifecycle.FieldErrors
	if name == "" || len(name) > maxKeyName {
		errs.Add("name", "name the relying service, in at most 64 characters")
	}
	at, err := s.checkKey(ctx, &errs, scopes, branch, life)
	if err != nil {
		return APIKey{}, Secret{}, err
	}
	now := s.now()
	key := APIKey{Service: lifecycle.ServiceID(newID(lifecycle.PrefixService, now)), Name: name, Scopes: slices.Clone(scopes), Expires: now.Add(life)}
	if at != nil {
		key.Branch = *at
	}
	var secret Secret
	err = s.store.InTx(ctx, func(tx store.Tx) (err error) {
		if err := s.newServiceTx(ctx, tx, by, key); err != nil {
			return err
		}
		key, secret, err = s.newKeyTx(ctx, tx, by, key)
		return err
	})
	if err != nil {
		return APIKey{}, Secret{}, fmt.Errorf("make an API key: %w", err)
	}
	return key, secret, nil
}

// checkKey looks at what a new key is asked to be, and finds its branch.
func (s *Service) checkKey(ctx context.Context, errs *lifecycle.FieldErrors, scopes []Scope, branch string, life time.Duration) (*lifecycle.BranchID, error) {
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(sc Scope) bool { return !slices.Contains(Scopes(), sc) }) {
		errs.Add("scopes", fmt.Sprintf("use some of %v", Scopes()))
	}
	if life <= 0 || life > maxKeyLife {
		errs.Add("life", "a key lives for a moment to two years")
	}
	at, why, err := s.branchOfKey(ctx, scopes, branch)
	if err != nil {
		return nil, err
	}
	if why != "" {
		errs.Add("branch", why)
	}
	return at, errs.Err()
}

// branchOfKey finds the branch of a terminal's key, or says what is wrong.
func (s *Service) branchOfKey(ctx context.Context, scopes []Scope, code string) (at *lifecycle.BranchID, why string, err error) {
	terminal := slices.ContainsFunc(scopes, Scope.AtBranch)
	switch {
	case terminal && code == "":
		return nil, "a terminal's key names its branch: give the branch's code", nil
	case !terminal && code != "":
		return nil, "only a terminal's key names a branch", nil
	case !terminal:
		return nil, "", nil
	}
	branch, err := s.store.BranchByCode(ctx, code)
	if errors.Is(err, lifecycle.NotFound) {
		return nil, "no branch has this code", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("branch of an API key: %w", err)
	}
	return &branch.ID, "", nil
}

// CheckAPIKey finds the key that a caller presents. It is looked up by its
// hash, so that nothing is learnt from how long that takes.
func (s *Service) CheckAPIKey(ctx context.Context, presented string) (APIKey, error) {
	if !strings.HasPrefix(presented, olderKeys) || len(presented) > 128 {
		return APIKey{}, ErrBadKey
	}
	digest := sha256.Sum256([]byte(presented))
	row, err := s.store.APIKeyByHash(ctx, digest[:])
	if errors.Is(err, lifecycle.NotFound) {
		return APIKey{}, ErrBadKey
	}
	if err != nil {
		return APIKey{}, fmt.Errorf("look an API key up: %w", err)
	}
	now := s.now()
	if !now.Before(row.ExpiresAt) {
		return APIKey{}, ErrBadKey
	}
	// When it was used is known to the minute: not every call writes.
	if before := now.Add(-time.Minute); row.LastUsedAt == nil || row.LastUsedAt.Before(before) {
		if err := s.store.UseAPIKey(ctx, &now, row.ID, &before); err != nil {
			return APIKey{}, fmt.Errorf("use API key %s: %w", row.ID, err)
		}
	}
	key := APIKey{ID: row.ID, Service: row.ServiceID, Name: row.Name, Scopes: scopesOf(row.Scopes), Expires: row.ExpiresAt, CallsAMinute: int(row.CallsAMinute)}
	if row.BranchID != nil {
		key.Branch = *row.BranchID
	}
	return key, nil
}
