// Package crypt is what the algorithms of cards, PIN blocks and key blocks stand
// on: keys that hide themselves, triple DES with its schedules kept, MACs,
// hexadecimal and packed decimal digits. Values come in, values go out.
//
// It never knows what a key is for, does I/O, draws randomness or imports
// anything but the standard library. It never panics on foreign bytes: what is
// malformed answers [ErrMalformed].
//
// Clauses: ISO/IEC 9797-1 (padding methods 1 and 2, MAC algorithms 1, 3 and 5),
// NIST SP 800-38B (CMAC), ISO/IEC 18033-3 (triple DES).
package crypt

import (
	"crypto/subtle"
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

// IsDigits tells whether s has min to max characters, all decimal digits.
func IsDigits(s string, minLen, maxLen int) bool {
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

// PackBCD packs decimal digits two to a byte, right-aligned in size bytes. The
// digits are checked by the caller.
func PackBCD(digits string, size int) []byte {
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

// Decimalise takes hexadecimal digits and answers the first count decimal ones
// among them; if there are fewer, letters follow in order with A read as 0 up
// to F read as 5 (EMV Book 2 A1.4.2 step 3; the Visa PVV has the same rule).
func Decimalise(hexDigits string, count int) string {
	var digits, letters strings.Builder
	for _, c := range hexDigits {
		switch {
		case c >= '0' && c <= '9':
			digits.WriteRune(c)
		case c >= 'A' && c <= 'F':
			letters.WriteRune('0' + c - 'A')
		}
	}
	all := digits.String() + letters.String()
	return all[:min(count, len(all))]
}

// Equal compares secrets in constant time.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
