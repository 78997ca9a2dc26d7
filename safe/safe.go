// Package safe seals what the database must not hold in clear: card numbers,
// and a card's data on its way to the bureau. Its keys are data keys that Vault
// wraps (house/safe.go): the database has them wrapped, the processes that need
// card numbers have them in memory, so that to open a number costs no call.
//
// It computes over values and does no I/O; what it is given in clear it neither
// keeps nor puts in an error. Where to look for a newer key is a function that the
// house hands in. Data runs issuance, authn → safe → store.
package safe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"sceau/lifecycle"
)

// KeySize is the length of a data key.
const KeySize = 32

// Safe seals and opens. It is safe for concurrent use. A nil Safe is that of a
// process without the keys: all it does is [lifecycle.Unavailable].
type Safe struct {
	keys atomic.Pointer[keys]
	load func() ([][]byte, error) // asked for keys that are newer; nil: there are none
	mu   sync.Mutex               // held while it is asked
}

// keys are what a safe has at one time; never changed.
type keys struct {
	seals []cipher.AEAD // by number of the data key, from 1; nil of one that is retired
	marks []byte        // the key of marks: of the first data key, for ever
}

// New makes a safe of data keys, oldest first. New things are sealed under the
// last one; marks stay comparable, hence are made under the first. A key between
// them that is retired is nil: nothing sealed under it is left.
func New(dataKeys ...[]byte) (*Safe, error) {
	k, err := newKeys(dataKeys)
	if err != nil {
		return nil, err
	}
	s := &Safe{}
	s.keys.Store(k)
	return s, nil
}

// Loading makes a safe that asks for its data keys when it is made, and again
// when it meets what is sealed under one that it has not: another process has
// had a new one made. It clears what it was given.
func Loading(load func() ([][]byte, error)) (*Safe, error) {
	s := &Safe{load: load}
	return s, s.reload()
}

func (s *Safe) reload() error {
	dataKeys, err := s.load()
	if err != nil {
		return err
	}
	k, err := newKeys(dataKeys)
	for _, key := range dataKeys {
		clear(key)
	}
	if err == nil {
		s.keys.Store(k)
	}
	return err
}

func newKeys(dataKeys [][]byte) (*keys, error) {
	if len(dataKeys) == 0 || len(dataKeys) > 1<<16-1 {
		return nil, fmt.Errorf("%w: a safe has 1 to 65 535 data keys", lifecycle.Invalid)
	}
	k := &keys{}
	for i, key := range dataKeys {
		if key == nil && i > 0 && i < len(dataKeys)-1 {
			k.seals = append(k.seals, nil)
			continue
		}
		if len(key) != KeySize {
			return nil, fmt.Errorf("%w: data key %d has %d bytes, not %d", lifecycle.Invalid, i+1, len(key), KeySize)
		}
		// HKDF gives each use a key of its own (RFC 5869).
		sealing, err := hkdf.Key(sha256.New, key, nil, "sceau safe: seal", KeySize)
		if err != nil {
			return nil, fmt.Errorf("data key %d: %w", i+1, err)
		}
		block, err := aes.NewCipher(sealing)
		if err != nil {
			return nil, fmt.Errorf("data key %d: %w", i+1, err)
		}
		seal, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("data key %d: %w", i+1, err)
		}
		k.seals = append(k.seals, seal)
	}
	var err error
	if k.marks, err = hkdf.Key(sha256.New, dataKeys[0], nil, "sceau safe: mark", KeySize); err != nil {
		return nil, fmt.Errorf("key of marks: %w", err)
	}
	return k, nil
}

// Newest is the number of the data key under which new things are sealed.
func (s *Safe) Newest() int {
	if s == nil {
		return 0
	}
	return len(s.keys.Load().seals)
}

// Under is the number of the data key under which something is sealed.
func Under(sealed []byte) int {
	if len(sealed) < numberSize {
		return 0
	}
	return int(binary.BigEndian.Uint16(sealed))
}

// under gives the key of a number, and asks for newer ones when it is unknown.
func (s *Safe) under(n int) (cipher.AEAD, error) {
	if seal := s.keys.Load().at(n); seal != nil {
		return seal, nil
	}
	if s.load == nil {
		return nil, errNoKey
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seal := s.keys.Load().at(n); seal != nil { // who held the lock has asked
		return seal, nil
	}
	if err := s.reload(); err != nil {
		return nil, err
	}
	if seal := s.keys.Load().at(n); seal != nil {
		return seal, nil
	}
	return nil, errNoKey
}

func (k *keys) at(n int) cipher.AEAD {
	if n < 1 || n > len(k.seals) {
		return nil
	}
	return k.seals[n-1]
}

var errNoKey = errors.New("no such data key")

var errClosed = fmt.Errorf("%w: this process has no key of the safe: give it Vault, with a role that opens card numbers", lifecycle.Unavailable)

const numberSize = 2 // of the data key, before what is sealed

// Seal enciphers and authenticates clear, as what belongs to whom: it opens
// under the same two names only, so that no row can be put in another's place.
func (s *Safe) Seal(what, whose string, clear []byte) ([]byte, error) {
	if s == nil {
		return nil, errClosed
	}
	seals := s.keys.Load().seals
	sealed := binary.BigEndian.AppendUint16(nil, uint16(len(seals))) //nolint:gosec // newKeys has looked
	return seals[len(seals)-1].Seal(sealed, nil, clear, name(what, whose)), nil
}

// Reseal seals again, under the newest data key, what is sealed under another.
func (s *Safe) Reseal(what, whose string, sealed []byte) ([]byte, error) {
	text, err := s.Open(what, whose, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	return s.Seal(what, whose, text)
}

// Open gives back what Seal sealed.
func (s *Safe) Open(what, whose string, sealed []byte) ([]byte, error) {
	if s == nil {
		return nil, errClosed
	}
	if len(sealed) < numberSize {
		return nil, fmt.Errorf("%s of %s: what is sealed is too short", what, whose)
	}
	n := Under(sealed)
	seal, err := s.under(n)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: sealed under data key %d, which this process has not: %w: %w", what, whose, n, lifecycle.Unavailable, err)
	}
	clear, err := seal.Open(nil, nil, sealed[numberSize:], name(what, whose))
	if err != nil {
		return nil, fmt.Errorf("%s of %s: what is sealed was changed, or is another's", what, whose)
	}
	return clear, nil
}

// Mark is equal for equal texts of one kind and tells nothing of them to who has
// not the key: an index over what is sealed, or the trace of a document that was
// seen.
func (s *Safe) Mark(what, text string) ([]byte, error) {
	if s == nil {
		return nil, errClosed
	}
	mac := hmac.New(sha256.New, s.keys.Load().marks)
	mac.Write(name(what, text))
	return mac.Sum(nil), nil
}

// name joins two texts so that no other two give the same.
func name(what, whose string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(what))), what+whose...) //nolint:gosec // a constant of the caller's
}

const panName = "card number"

// SealPAN seals a card's number, with the mark by which an equal one is found.
func (s *Safe) SealPAN(card lifecycle.CardID, pan lifecycle.PAN) (sealed, mark []byte, err error) {
	digits := pan.Reveal()
	if sealed, err = s.Seal(panName, string(card), []byte(digits)); err != nil {
		return nil, nil, err
	}
	mark, err = s.Mark(panName, digits)
	return sealed, mark, err
}

// ResealPAN seals a card's number again; its mark stays.
func (s *Safe) ResealPAN(card lifecycle.CardID, sealed []byte) ([]byte, error) {
	return s.Reseal(panName, string(card), sealed)
}

// OpenPAN gives back a card's number.
func (s *Safe) OpenPAN(card lifecycle.CardID, sealed []byte) (lifecycle.PAN, error) {
	digits, err := s.Open(panName, string(card), sealed)
	if err != nil {
		return lifecycle.PAN{}, err
	}
	pan, err := lifecycle.NewPAN(string(digits))
	if err != nil {
		return pan, fmt.Errorf("card number of %s: what was sealed is none", card) // the row is wrong, not the caller
	}
	return pan, nil
}
