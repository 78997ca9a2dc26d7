// Package emv is the arithmetic of EMV cards and of the Chip Authentication
// Program (CAP): key derivation, cryptograms, codes, issuer scripts and data
// groupings for personalisation. Keys and card data come in as values, results
// go out as values.
//
// It never does I/O, reads a clock, draws randomness by itself or keeps state.
// It never panics on foreign bytes: what is malformed answers
// [crypt.ErrMalformed].
//
// Clauses: EMV 4.3 Book 2 (A1.3 session keys, A1.4 master keys, 8.1.2 ARPC),
// Book 3 §6.5.10 (PIN CHANGE/UNBLOCK), EMV CPS v1.1 (data groupings). CAP itself
// has no public specification; the rules come from captured cards and readers
// (hsm/selftest/vectors).
package emv

import (
	"fmt"

	"sceau/hsm/crypt"
)

// CheckCard checks the digits of a card number (12 to 19, ISO/IEC 7812-1) and
// of its sequence number (2).
func CheckCard(pan, psn string) error {
	if !crypt.IsDigits(pan, 12, 19) {
		return fmt.Errorf("%w: a card number has 12 to 19 digits", crypt.ErrMalformed)
	}
	if !crypt.IsDigits(psn, 2, 2) {
		return fmt.Errorf("%w: a card sequence number has 2 digits", crypt.ErrMalformed)
	}
	return nil
}
