package authn

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
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
	ScopeReadMeans          Scope = "means:read"
	ScopeWriteMeans         Scope = "means:write"
	ScopeActivateCards      Scope = "cards:activate"
	ScopeBlockCards         Scope = "cards:block"
	ScopeRevokeCertificates Scope = "certificates:revoke"
	ScopeReadOrders         Scope = "orders:read"
	ScopeResetPIN           Scope = "terminal:pin-reset"
	ScopePersonalise        Scope = "terminal:personalise"
)

// Scopes lists them.
func Scopes() []Scope {
	return []Scope{ScopeVerifyCAP, ScopeAuthenticate, ScopeOperate, ScopeStop, ScopeReportFraud, ScopeReadMeans, ScopeWriteMeans, ScopeActivateCards, ScopeBlockCards, ScopeRevokeCertificates, ScopeReadOrders, ScopeResetPIN, ScopePersonalise}
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

// APIKey is a relying service's key.
type APIKey struct {
	ID      lifecycle.APIKeyID
	Name    string
	Scopes  []Scope
	Branch  lifecycle.BranchID // of a terminal's
	Expires time.Time
}

// Allows tells whether the key has the scope.
func (k APIKey) Allows(s Scope) bool { return slices.Contains(k.Scopes, s) }

// Actor is the relying service that the key stands for.
func (k APIKey) Actor() lifecycle.Actor {
	return lifecycle.Actor{ID: string(k.ID), Role: lifecycle.RoleRelyingService}
}

const (
	keyPrefix  = "sceau_" // found by secret scanners
	keyLength  = 32       // bytes
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

// NewAPIKey makes a key for a relying service, or for the terminal of a branch,
// whose code it names. Only its hash is kept.
func (s *Service) NewAPIKey(ctx context.Context, by lifecycle.Actor, name string, scopes []Scope, branch string, life time.Duration) (APIKey, Secret, error) {
	if err := mayKeep(by); err != nil {
		return APIKey{}, Secret{}, err
	}
	var errs lifecycle.FieldErrors
	if name == "" || len(name) > maxKeyName {
		errs.Add("name", "name the relying service, in at most 64 characters")
	}
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(sc Scope) bool { return !slices.Contains(Scopes(), sc) }) {
		errs.Add("scopes", fmt.Sprintf("use some of %v", Scopes()))
	}
	if life <= 0 || life > maxKeyLife {
		errs.Add("life", "a key lives for a moment to two years")
	}
	at, why, err := s.branchOfKey(ctx, scopes, branch)
	if err != nil {
		return APIKey{}, Secret{}, err
	}
	if why != "" {
		errs.Add("branch", why)
	}
	if err := errs.Err(); err != nil {
		return APIKey{}, Secret{}, err
	}
	var random [keyLength + 4]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	text := keyPrefix + base64.RawURLEncoding.EncodeToString(random[:keyLength])
	digest := sha256.Sum256([]byte(text))
	now := s.now()
	tail := uint32(random[32])<<24 | uint32(random[33])<<16 | uint32(random[34])<<8 | uint32(random[35])
	key := APIKey{
		ID: lifecycle.APIKeyID(lifecycle.NewID(lifecycle.PrefixAPIKey, now, tail)), Name: name, Scopes: slices.Clone(scopes), Expires: now.Add(life),
	}
	if at != nil {
		key.Branch = *at
	}
	names := make([]string, len(scopes))
	for i, sc := range scopes {
		names[i] = string(sc)
	}
	err = s.store.InTx(ctx, func(tx store.Tx) error {
		if err := tx.InsertAPIKey(ctx, db.InsertAPIKeyParams{
			ID: key.ID, Name: name, SHA256: digest[:], Scopes: names, CreatedAt: now, ExpiresAt: key.Expires, BranchID: at,
		}); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, db.InsertAuditParams{
			At: now, Actor: by.ID, Role: string(by.Role), Thing: "API key", ThingID: string(key.ID), Event: string(lifecycle.Submit),
			ToState: "active", Detail: []byte("{}"),
		})
	})
	if err != nil {
		return APIKey{}, Secret{}, fmt.Errorf("make an API key: %w", err)
	}
	return key, newSecret(text), nil
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

// EndAPIKey ends a key at once: it was lost, or its service is gone. One that is
// unknown, or has ended, is [lifecycle.NotFound].
func (s *Service) EndAPIKey(ctx context.Context, by lifecycle.Actor, id lifecycle.APIKeyID) error {
	if err := mayKeep(by); err != nil {
		return err
	}
	now := s.now()
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		n, err := tx.EndAPIKey(ctx, now, id)
		if err != nil {
			return err
		}
		if n != 1 {
			return lifecycle.NotFound
		}
		return tx.InsertAudit(ctx, db.InsertAuditParams{
			At: now, Actor: by.ID, Role: string(by.Role), Thing: "API key", ThingID: string(id), Event: string(lifecycle.Revoke),
			FromState: "active", ToState: "ended", Detail: []byte("{}"),
		})
	})
	if err != nil {
		return fmt.Errorf("end API key %s: %w", id, err)
	}
	return nil
}

// CheckAPIKey finds the key that a caller presents. It is looked up by its
// hash, so that nothing is learnt from how long that takes.
func (s *Service) CheckAPIKey(ctx context.Context, presented string) (APIKey, error) {
	if !strings.HasPrefix(presented, keyPrefix) || len(presented) > 128 {
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
	if !s.now().Before(row.ExpiresAt) {
		return APIKey{}, ErrBadKey
	}
	key := APIKey{ID: row.ID, Name: row.Name, Expires: row.ExpiresAt}
	if row.BranchID != nil {
		key.Branch = *row.BranchID
	}
	for _, sc := range row.Scopes {
		key.Scopes = append(key.Scopes, Scope(sc))
	}
	return key, nil
}
