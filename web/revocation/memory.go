package revocation

import (
	"context"
	"crypto"
	"fmt"
	"slices"
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
//
// What is held has no pointers in it: collecting garbage costs the same for ten
// certificates and a million.
type Memory struct {
	behind StatusSource

	mu      sync.RWMutex
	held    map[string]map[lifecycle.Serial]held // by issuer; guarded by mu, as are the others
	answers shelf
	asOf    time.Time
}

// held is what is known of a certificate. Times are in Unix seconds, 0 for none.
type held struct {
	revokedAt, invalidSince int64
	version                 int32
	state                   ca.OCSPState
	reason                  uint8
	ahead                   [2]kept
}

// kept is an answer on the shelf.
type kept struct {
	thisUpdate, nextUpdate int64
	spot                   spot
	tag                    [tagSize]byte
}

// NewMemory makes one that holds nothing yet.
func NewMemory(behind StatusSource) *Memory {
	return &Memory{behind: behind, held: map[string]map[lifecycle.Serial]held{}}
}

// Learned is what is known of one certificate.
type Learned struct {
	IssuerID string
	Serial   lifecycle.Serial
	Known
}

// learnedAtOnce is how many are learned before those who ask get a turn.
const learnedAtOnce = 100

// Learn takes what the database says, where it is not older than what is held.
// The AsOf of each is not looked at: a status that was learned holds until
// another is.
func (m *Memory) Learn(all []Learned) {
	for some := range slices.Chunk(all, learnedAtOnce) {
		m.mu.Lock()
		for i := range some {
			m.learn(&some[i])
		}
		m.mu.Unlock()
	}
}

func (m *Memory) learn(l *Learned) {
	of := m.held[l.IssuerID]
	if of == nil {
		of = make(map[lifecycle.Serial]held)
		m.held[l.IssuerID] = of
	}
	old, there := of[l.Serial]
	if there && l.Version < old.version {
		return
	}
	h := held{
		revokedAt: seconds(l.Status.RevokedAt), invalidSince: seconds(l.Status.InvalidityDate),
		version: l.Version, state: l.Status.State, reason: uint8(l.Status.Reason), //nolint:gosec // 0 to 10
	}
	for i, was := range old.ahead {
		next := l.Ahead[i]
		if next != nil && next.State != h.state {
			next = nil // it says something else than the status beside it
		}
		if old.version == h.version && (next == nil || was.nextUpdate > next.NextUpdate.Unix()) {
			h.ahead[i] = was // the same status: keep what answers for it
			continue
		}
		m.answers.giveBack(was.spot)
		h.ahead[i] = m.keep(next)
	}
	of[l.Serial] = h
}

// Answered is the answer that was signed ahead for one version of a certificate's
// status, for a CertID with SHA-1.
type Answered struct {
	Serial  lifecycle.Serial
	Version int32
	ca.Answer
}

// LearnAnswers takes answers for statuses that are held, where they are of the same
// version and none that lasts longer is there.
func (m *Memory) LearnAnswers(all []Answered) {
	for some := range slices.Chunk(all, learnedAtOnce) {
		m.mu.Lock()
		for i := range some {
			m.learnAnswer(&some[i])
		}
		m.mu.Unlock()
	}
}

func (m *Memory) learnAnswer(a *Answered) {
	for _, of := range m.held { // a serial is one issuer's
		h, there := of[a.Serial]
		if !there {
			continue
		}
		ahead := &h.ahead[slot(crypto.SHA1)]
		if a.Version == h.version && a.NextUpdate.Unix() > ahead.nextUpdate {
			m.answers.giveBack(ahead.spot)
			*ahead = m.keep(NewPresigned(h.state, a.Answer))
			of[a.Serial] = h
		}
		return
	}
}

// keep puts an answer on the shelf.
func (m *Memory) keep(answer *Presigned) kept {
	if answer == nil {
		return kept{}
	}
	return kept{seconds(answer.ThisUpdate), seconds(answer.NextUpdate), m.answers.put(answer.DER), answer.tag}
}

// known is what is held, as those who ask have it.
func (m *Memory) known(h held) Known {
	k := Known{Version: h.version, AsOf: m.asOf, Status: ca.Status{
		State: h.state, RevokedAt: moment(h.revokedAt), Reason: lifecycle.RevocationReason(h.reason), InvalidityDate: moment(h.invalidSince),
	}}
	for i, a := range h.ahead {
		if a.spot.size > 0 {
			k.Ahead[i] = &Presigned{State: h.state, tag: a.tag, Answer: ca.Answer{
				DER: m.answers.get(a.spot), ThisUpdate: moment(a.thisUpdate), NextUpdate: moment(a.nextUpdate),
			}}
		}
	}
	return k
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
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
	k, there, followed := m.look(issuerID, key)
	if there {
		return k, nil
	}
	k, err := m.behind.Status(ctx, issuerID, serial)
	if err != nil {
		return Known{}, fmt.Errorf("status of %s: %w", key, err)
	}
	if followed && (k.Status.State == ca.StateGood || k.Status.State == ca.StateRevoked) {
		m.Learn([]Learned{{issuerID, key, k}})
	}
	return k, nil
}

// look tells what is held, and whether anybody has followed the database yet.
func (m *Memory) look(issuerID string, serial lifecycle.Serial) (k Known, there, followed bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	h, there := m.held[issuerID][serial]
	if there {
		k = m.known(h)
	}
	return k, there, !m.asOf.IsZero()
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
	if h, there := of[key]; there && h.version == version && h.state == answer.State {
		m.answers.giveBack(h.ahead[slot(hash)].spot)
		h.ahead[slot(hash)] = m.keep(answer)
		of[key] = h
	}
}

// Held tells how many certificates are held, up to when the changes of status
// are, and until when all of them can be answered without database and key
// store: the first end of an answer that has not ended. It looks at each.
func (m *Memory) Held(now time.Time) (certificates int, asOf, until time.Time) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	first := int64(0)
	for _, of := range m.held {
		certificates += len(of)
		for _, h := range of {
			if ends := h.ahead[slot(crypto.SHA1)].nextUpdate; ends > now.Unix() && (first == 0 || ends < first) {
				first = ends
			}
		}
	}
	return certificates, m.asOf, moment(first)
}
