package revocation

import (
	"context"
	"crypto"
	"fmt"
	"sync"
	"time"

	"sceau/ca"
	"sceau/lifecycle"
)

// Memory keeps what is known of certificates, with the answers signed ahead, so
// that a request costs no read of the database and is answered while the
// database is down. Somebody follows the database and tells it what changed
// ([Memory.Learn]) and up to when it has everything ([Memory.CaughtUp]). What it
// does not hold it asks of the source behind it, and then holds.
//
// A status only moves forward: one of an older version than the one held changes
// nothing.
type Memory struct {
	behind StatusSource

	mu   sync.RWMutex
	held map[string]map[lifecycle.Serial]*Known // by issuer; guarded by mu, what it points to is not changed
	asOf time.Time                              // guarded by mu
}

// NewMemory makes one that holds nothing yet.
func NewMemory(behind StatusSource) *Memory {
	return &Memory{behind: behind, held: map[string]map[lifecycle.Serial]*Known{}}
}

// Learned is what is known of one certificate.
type Learned struct {
	IssuerID string
	Serial   lifecycle.Serial
	Known
}

// Learn takes what the database says, where it is not older than what is held.
// The AsOf of each is not looked at: a status that was learned holds until
// another is.
func (m *Memory) Learn(all []Learned) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range all {
		of := m.held[l.IssuerID]
		if of == nil {
			of = make(map[lifecycle.Serial]*Known)
			m.held[l.IssuerID] = of
		}
		old := of[l.Serial]
		if old != nil && l.Version < old.Version {
			continue
		}
		k := l.Known
		if old != nil && old.Version == k.Version { // the same status: keep what answers for it
			for i, ahead := range old.Ahead {
				if k.Ahead[i] == nil || ahead != nil && ahead.NextUpdate.After(k.Ahead[i].NextUpdate) {
					k.Ahead[i] = ahead
				}
			}
		}
		of[l.Serial] = &k
	}
}

// CaughtUp tells that every change up to a moment was learned.
func (m *Memory) CaughtUp(asOf time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if asOf.After(m.asOf) {
		m.asOf = asOf
	}
}

// Status is what is held, and what the source behind knows of a certificate that
// is not. Only certificates that exist are held: who asks for others fills no
// memory.
func (m *Memory) Status(ctx context.Context, issuerID string, serial []byte) (Known, error) {
	if len(serial) != len(lifecycle.Serial{}) {
		return m.behind.Status(ctx, issuerID, serial) //nolint:wrapcheck // nothing was done here
	}
	key := lifecycle.Serial(serial)
	m.mu.RLock()
	held, asOf := m.held[issuerID][key], m.asOf
	m.mu.RUnlock()
	if held != nil {
		k := *held
		k.AsOf = asOf
		return k, nil
	}
	k, err := m.behind.Status(ctx, issuerID, serial)
	if err != nil {
		return Known{}, fmt.Errorf("status of %s: %w", key, err)
	}
	if !asOf.IsZero() && (k.Status.State == ca.StateGood || k.Status.State == ca.StateRevoked) {
		m.Learn([]Learned{{issuerID, key, k}})
	}
	return k, nil
}

// Keep keeps an answer that was signed for one request, for the next who asks
// the same.
func (m *Memory) Keep(issuerID string, serial []byte, version int32, hash crypto.Hash, answer *Presigned) {
	if len(serial) != len(lifecycle.Serial{}) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	of, key := m.held[issuerID], lifecycle.Serial(serial)
	if held := of[key]; held != nil && held.Version == version {
		k := *held
		k.Ahead[slot(hash)] = answer
		of[key] = &k
	}
}

// Held tells how many certificates are held, up to when the changes of status
// are, and until when all of them can be answered without database and key
// store: the first end of an answer that has not ended. It looks at each.
func (m *Memory) Held(now time.Time) (certificates int, asOf, until time.Time) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, of := range m.held {
		certificates += len(of)
		for _, k := range of {
			ahead := k.Ahead[slot(crypto.SHA1)]
			if ahead != nil && ahead.NextUpdate.After(now) && (until.IsZero() || ahead.NextUpdate.Before(until)) {
				until = ahead.NextUpdate
			}
		}
	}
	return certificates, m.asOf, until
}
