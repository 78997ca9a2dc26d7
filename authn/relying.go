package authn

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"sceau/lifecycle"
	"sceau/store"
	"sceau/store/db"
)

// serviceThing names relying services in the trail.
const serviceThing = "relying service"

// newID makes an identifier of a prefix.
func newID(prefix string, now time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	return lifecycle.NewID(prefix, now, binary.BigEndian.Uint32(random[:]))
}

func (s *Service) newServiceTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, key APIKey) error {
	now := s.now()
	if err := tx.InsertService(ctx, key.Service, key.Name, now); err != nil {
		return err
	}
	return tx.InsertAudit(ctx, db.InsertAuditParams{
		At: now, Actor: by.ID, Role: string(by.Role), Thing: serviceThing, ThingID: string(key.Service), Event: string(lifecycle.Submit),
		ToState: "active", Detail: []byte("{}"),
	})
}

// newKeyTx makes a key for the service, of which it has at most two at a time.
func (s *Service) newKeyTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, key APIKey) (APIKey, Secret, error) {
	now := s.now()
	// Two that make keys at once come one after the other.
	service, err := tx.LockService(ctx, key.Service)
	if err != nil {
		return key, Secret{}, fmt.Errorf("relying service %s: %w", key.Service, err)
	}
	if service.EndedAt != nil {
		return key, Secret{}, fmt.Errorf("relying service %s: %w: it has ended", key.Service, lifecycle.Conflict)
	}
	n, err := tx.CountAPIKeys(ctx, key.Service, now)
	if err != nil {
		return key, Secret{}, err
	}
	if n >= maxKeys {
		return key, Secret{}, fmt.Errorf("relying service %s: %w: it has two keys: end one first", key.Service, lifecycle.Conflict)
	}
	var random [keyLength]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24: it ends the process instead
	text := keyPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	digest := sha256.Sum256([]byte(text))
	key.ID, key.Name = lifecycle.APIKeyID(newID(lifecycle.PrefixAPIKey, now)), service.Name
	var branch *lifecycle.BranchID
	if key.Branch != "" {
		branch = &key.Branch
	}
	err = tx.InsertAPIKey(ctx, db.InsertAPIKeyParams{
		ID: key.ID, ServiceID: key.Service, Name: key.Name, SHA256: digest[:], Scopes: namesOf(key.Scopes), CreatedAt: now, ExpiresAt: key.Expires,
		BranchID: branch,
	})
	if err != nil {
		return key, Secret{}, err
	}
	err = tx.InsertAudit(ctx, db.InsertAuditParams{
		At: now, Actor: by.ID, Role: string(by.Role), Thing: "API key", ThingID: string(key.ID), Event: string(lifecycle.Submit),
		ToState: "active", Detail: []byte(`{"service":"` + string(key.Service) + `"}`),
	})
	return key, newSecret(text), err
}

// AddAPIKey makes another key for a relying service.
func (s *Service) AddAPIKey(ctx context.Context, by lifecycle.Actor, service lifecycle.ServiceID, scopes []Scope, branch string, life time.Duration) (APIKey, Secret, error) {
	if err := mayKeep(by); err != nil {
		return APIKey{}, Secret{}, err
	}
	var errs lifecycle.FieldErrors
	errs.AddError("service", lifecycle.CheckID(lifecycle.PrefixService, string(service)))
	at, err := s.checkKey(ctx, &errs, scopes, branch, life)
	if err != nil {
		return APIKey{}, Secret{}, err
	}
	key := APIKey{Service: service, Scopes: slices.Clone(scopes), Expires: s.now().Add(life)}
	if at != nil {
		key.Branch = *at
	}
	var secret Secret
	err = s.store.InTx(ctx, func(tx store.Tx) (err error) {
		key, secret, err = s.newKeyTx(ctx, tx, by, key)
		return err
	})
	if err != nil {
		return APIKey{}, Secret{}, fmt.Errorf("make an API key: %w", err)
	}
	return key, secret, nil
}

// RotateAPIKey makes the key that takes another's place, with its scopes and branch.
// The old one goes on for the overlap, so that the service can change over.
func (s *Service) RotateAPIKey(ctx context.Context, by lifecycle.Actor, id lifecycle.APIKeyID, life, overlap time.Duration) (APIKey, Secret, error) {
	if err := mayKeep(by); err != nil {
		return APIKey{}, Secret{}, err
	}
	var errs lifecycle.FieldErrors
	errs.AddError("key", lifecycle.CheckID(lifecycle.PrefixAPIKey, string(id)))
	if life <= 0 || life > maxKeyLife {
		errs.Add("life", "a key lives for a moment to two years")
	}
	if overlap < 0 || overlap > life {
		errs.Add("overlap", "both keys are good for no time at all, or at most the new one's life")
	}
	if err := errs.Err(); err != nil {
		return APIKey{}, Secret{}, err
	}
	now := s.now()
	var key APIKey
	var secret Secret
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		old, err := tx.LockAPIKey(ctx, id)
		if err != nil {
			return err
		}
		if !now.Before(old.ExpiresAt) {
			return fmt.Errorf("%w: it has ended: make another", lifecycle.Conflict)
		}
		key = APIKey{Service: old.ServiceID, Scopes: scopesOf(old.Scopes), Expires: now.Add(life)}
		if old.BranchID != nil {
			key.Branch = *old.BranchID
		}
		// The old one's end first: without an overlap it makes room.
		if err := s.endKeyTx(ctx, tx, by, id, now.Add(overlap)); err != nil && !errors.Is(err, lifecycle.NotFound) {
			return err
		}
		key, secret, err = s.newKeyTx(ctx, tx, by, key)
		return err
	})
	if err != nil {
		return APIKey{}, Secret{}, fmt.Errorf("rotate API key %s: %w", id, err)
	}
	return key, secret, nil
}

// endKeyTx ends a key at a moment; one that ends sooner already is not found.
func (s *Service) endKeyTx(ctx context.Context, tx store.Tx, by lifecycle.Actor, id lifecycle.APIKeyID, at time.Time) error {
	n, err := tx.EndAPIKey(ctx, at, id)
	if err != nil {
		return err
	}
	if n != 1 {
		return lifecycle.NotFound
	}
	return tx.InsertAudit(ctx, db.InsertAuditParams{
		At: s.now(), Actor: by.ID, Role: string(by.Role), Thing: "API key", ThingID: string(id), Event: string(lifecycle.Revoke),
		FromState: "active", ToState: "ended", Detail: []byte(`{"at":"` + at.Format(time.RFC3339) + `"}`),
	})
}

// EndAPIKey ends a key at once: it was lost, or its service is gone. One that is
// unknown, or has ended, is [lifecycle.NotFound].
func (s *Service) EndAPIKey(ctx context.Context, by lifecycle.Actor, id lifecycle.APIKeyID) error {
	if err := mayKeep(by); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error { return s.endKeyTx(ctx, tx, by, id, s.now()) })
	if err != nil {
		return fmt.Errorf("end API key %s: %w", id, err)
	}
	return nil
}

// EndService ends a relying service: nothing of it opens the door any more.
func (s *Service) EndService(ctx context.Context, by lifecycle.Actor, id lifecycle.ServiceID) error {
	now := s.now()
	return s.changeService(ctx, by, id, lifecycle.Revoke, "{}", func(q *db.Queries) error { return q.EndService(ctx, &now, id) })
}

// changeService changes a service that has not ended, on record.
func (s *Service) changeService(ctx context.Context, by lifecycle.Actor, id lifecycle.ServiceID, on lifecycle.Event, detail string, change func(q *db.Queries) error) error {
	if err := mayKeep(by); err != nil {
		return err
	}
	to := "active"
	if on == lifecycle.Revoke {
		to = "ended"
	}
	err := s.store.InTx(ctx, func(tx store.Tx) error {
		service, err := tx.LockService(ctx, id)
		if err != nil {
			return err
		}
		if service.EndedAt != nil {
			return fmt.Errorf("%w: it has ended", lifecycle.Conflict)
		}
		if err := change(tx.Queries); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, db.InsertAuditParams{
			At: s.now(), Actor: by.ID, Role: string(by.Role), Thing: serviceThing, ThingID: string(id), Event: string(on),
			FromState: "active", ToState: to, Detail: []byte(detail),
		})
	})
	if err != nil {
		return fmt.Errorf("%s relying service %s: %w", on, id, err)
	}
	return nil
}

// RelyingService is a service with what it calls by.
type RelyingService struct {
	ID           lifecycle.ServiceID
	Name         string
	Created      time.Time
	Ended        time.Time // zero: it has not
	CallsAMinute int
	Keys         []KeyView
	Certificates []BoundCertificate
}

// KeyView is a key as lists show it.
type KeyView struct {
	ID       lifecycle.APIKeyID
	Scopes   []Scope
	Branch   string // its code, of a terminal's
	Created  time.Time
	Expires  time.Time
	LastUsed time.Time // to the minute; zero: never
}

// BoundCertificate is a certificate by which a service calls.
type BoundCertificate struct {
	ID     lifecycle.CertificateID
	State  lifecycle.CertificateState
	Scopes []Scope
}

// RelyingServices lists services with their keys and certificates; with ended, also
// what opens nothing any more.
func (s *Service) RelyingServices(ctx context.Context, ended bool) ([]RelyingService, error) {
	services, err := s.store.Services(ctx)
	if err != nil {
		return nil, fmt.Errorf("relying services: %w", err)
	}
	keys, err := s.store.APIKeys(ctx, ended, s.now())
	if err != nil {
		return nil, fmt.Errorf("API keys: %w", err)
	}
	bound, err := s.store.BoundCertificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("certificates of relying services: %w", err)
	}
	var all []RelyingService
	for _, row := range services {
		if row.EndedAt != nil && !ended {
			continue
		}
		one := RelyingService{ID: row.ID, Name: row.Name, Created: row.CreatedAt.UTC(), CallsAMinute: int(row.CallsAMinute)}
		if row.EndedAt != nil {
			one.Ended = row.EndedAt.UTC()
		}
		for _, k := range keys {
			if k.ServiceID == row.ID {
				one.Keys = append(one.Keys, keyView(k))
			}
		}
		for _, b := range bound {
			if b.ServiceID == row.ID {
				one.Certificates = append(one.Certificates, BoundCertificate{ID: b.CertificateID, State: b.State, Scopes: scopesOf(b.Scopes)})
			}
		}
		all = append(all, one)
	}
	return all, nil
}

func keyView(k db.APIKeysRow) KeyView {
	v := KeyView{ID: k.ID, Scopes: scopesOf(k.Scopes), Created: k.CreatedAt.UTC(), Expires: k.ExpiresAt.UTC()}
	if k.Branch != nil {
		v.Branch = *k.Branch
	}
	if k.LastUsedAt != nil {
		v.LastUsed = k.LastUsedAt.UTC()
	}
	return v
}

func namesOf(scopes []Scope) []string {
	names := make([]string, len(scopes))
	for i, sc := range scopes {
		names[i] = string(sc)
	}
	return names
}

func scopesOf(names []string) []Scope {
	scopes := make([]Scope, len(names))
	for i, name := range names {
		scopes[i] = Scope(name)
	}
	return scopes
}
