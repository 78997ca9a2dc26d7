// Package safe seals what the database must not hold in clear: card numbers,
// and a card's data on its way to the bureau. Its keys are data keys that Vault
// wraps (house/safe.go): the database has them wrapped, the processes that need
// card numbers have them in memory, so that to open a number costs no call.
//
// It computes over values and does no I/O; what it is given in clear it neither
// keeps nor puts in an error. Data runs issuance, authn → safe → store.
package safe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"sceau/lifecycle"
)

// KeySize is the length of a data key.
const KeySize = 32

// Safe seals and opens. It is safe for concurrent use. A nil Safe is that of a
// process without the keys: all it does is [lifecycle.Unavailable].
type Safe struct {
	seals []cipher.AEAD // by number of the data key, from 1
	marks []byte        // the key of marks: of the first data key, for ever
}

// New makes a safe of data keys, oldest first. New things are sealed under the
// last one; marks stay comparable, hence are made under the first.
func New(keys ...[]byte) (*Safe, error) {
	if len(keys) == 0 || len(keys) > 1<<16-1 {
		return nil, fmt.Errorf("%w: a safe has 1 to 65 535 data keys", lifecycle.Invalid)
	}
	s := &Safe{}
	for i, key := range keys {
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
		s.seals = append(s.seals, seal)
	}
	var err error
	if s.marks, err = hkdf.Key(sha256.New, keys[0], nil, "sceau safe: mark", KeySize); err != nil {
		return nil, fmt.Errorf("key of marks: %w", err)
	}
	return s, nil
}

var errClosed = fmt.Errorf("%w: this process has no key of the safe: give it Vault, with a role that opens card numbers", lifecycle.Unavailable)

const numberSize = 2 // of the data key, before what is sealed

// Seal enciphers and authenticates clear, as what belongs to whom: it opens
// under the same two names only, so that no row can be put in another's place.
func (s *Safe) Seal(what, whose string, clear []byte) ([]byte, error) {
	if s == nil {
		return nil, errClosed
	}
	sealed := binary.BigEndian.AppendUint16(nil, uint16(len(s.seals))) //nolint:gosec // New has looked
	return s.seals[len(s.seals)-1].Seal(sealed, nil, clear, name(what, whose)), nil
}

// Open gives back what Seal sealed.
func (s *Safe) Open(what, whose string, sealed []byte) ([]byte, error) {
	if s == nil {
		return nil, errClosed
	}
	if len(sealed) < numberSize {
		return nil, fmt.Errorf("%s of %s: what is sealed is too short", what, whose)
	}
	n := int(binary.BigEndian.Uint16(sealed))
	if n < 1 || n > len(s.seals) {
		return nil, fmt.Errorf("%s of %s: %w: sealed under data key %d, which this process has not: start it again", what, whose, lifecycle.Unavailable, n)
	}
	clear, err := s.seals[n-1].Open(nil, nil, sealed[numberSize:], name(what, whose))
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
	mac := hmac.New(sha256.New, s.marks)
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
