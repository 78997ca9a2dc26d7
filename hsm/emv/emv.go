// Package emv is the arithmetic of EMV cards and of the Chip Authentication
// Program (CAP): key derivation, cryptograms, codes, issuer scripts, data
// groupings for personalisation and TR-31 key blocks. Keys and card data come
// in as values, results go out as values.
//
// It never does I/O, reads a clock, draws randomness by itself, keeps state, or
// imports anything but the standard library. It never panics on foreign bytes:
// what is malformed answers [ErrMalformed].
//
// Clauses: EMV 4.3 Book 2 (A1.3 session keys, A1.4 master keys, 8.1.2 ARPC),
// Book 3 §6.5.10 (PIN CHANGE/UNBLOCK), EMV CPS v1.1 (data groupings),
// ISO/IEC 9797-1 (MAC algorithms 3 and 5), ISO 9564-1 (PIN blocks), ANSI
// X9.143/TR-31 (key blocks). CAP itself has no public specification; the rules
// come from captured cards and readers (testdata/vectors).
package emv

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrMalformed is the class of every error about the form of an input.
var ErrMalformed = errors.New("malformed")

// ErrMismatch is the class of every failed authentication: a key block whose
// MAC is wrong, a PIN block that does not open, a key that does not answer to
// its check value.
var ErrMismatch = errors.New("does not authenticate")

// Key is key material in clear. It hides itself from fmt and from JSON; use it
// as []byte to compute.
type Key []byte

func (Key) String() string { return "[key]" }

// GoString keeps %#v silent.
func (Key) GoString() string { return "[key]" }

// Format keeps every verb silent.
func (Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[key]")) }

// MarshalText refuses: a key is never serialised by accident.
func (Key) MarshalText() ([]byte, error) { return nil, errKeyText }

// MarshalJSON refuses: a key is never serialised by accident.
func (Key) MarshalJSON() ([]byte, error) { return nil, errKeyText }

var errKeyText = errors.New("a key is never serialised")

// Hex is a byte string that is written as upper-case hexadecimal.
type Hex []byte

func (h Hex) String() string { return strings.ToUpper(hex.EncodeToString(h)) }

// MarshalText writes upper-case hexadecimal.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads hexadecimal of either case.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := ParseHex(string(text))
	if err != nil {
		return err
	}
	*h = b
	return nil
}

// ParseHex reads hexadecimal of either case. The error never repeats the input,
// which may be secret.
func ParseHex(s string) (Hex, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%w: not hexadecimal, or an odd number of digits", ErrMalformed)
	}
	return b, nil
}

// isDigits tells whether s has min to max characters, all decimal digits.
func isDigits(s string, minLen, maxLen int) bool {
	if len(s) < minLen || len(s) > maxLen {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// packBCD packs decimal digits two to a byte, right-aligned in size bytes. The
// digits are checked by the caller.
func packBCD(digits string, size int) []byte {
	out := make([]byte, size)
	for i, j := len(digits)-1, 2*size-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		d := digits[i] - '0'
		if j%2 == 0 {
			d <<= 4
		}
		out[j/2] |= d
	}
	return out
}

// CheckCard checks the digits of a card number (12 to 19, ISO/IEC 7812-1) and
// of its sequence number (2).
func CheckCard(pan, psn string) error {
	if !isDigits(pan, 12, 19) {
		return fmt.Errorf("%w: a card number has 12 to 19 digits", ErrMalformed)
	}
	if !isDigits(psn, 2, 2) {
		return fmt.Errorf("%w: a card sequence number has 2 digits", ErrMalformed)
	}
	return nil
}
