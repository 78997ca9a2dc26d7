package emv

// CVR is the card verification results of an M/Chip card, six bytes inside the
// issuer application data (9F10) and at the end of the cryptogram's input.
// Byte numbers below count from one, as the field's tables do.
type CVR [6]byte

// PINOutcome is what happened to the PIN in a transaction.
type PINOutcome int

// The outcomes that the CVR tells apart.
const (
	PINVerified     PINOutcome = iota // offline PIN verified: byte 1 bits 04 and 01
	PINNotPerformed                   // no VERIFY was sent: byte 4 bit 20
	PINFailed                         // VERIFY answered 63Cx or 6983: byte 1 bit 04, byte 4 bit 10
)

const (
	cvrSecondNotRequested = 0x80 // byte 1
	cvrPINPerformed       = 0x04 // byte 1
	cvrPINEnciphered      = 0x02 // byte 1
	cvrPINSuccessful      = 0x01 // byte 1
	cvrPINNotPerformed    = 0x20 // byte 4
	cvrPINFailed          = 0x10 // byte 4
	cvrTryLimitExceeded   = 0x08 // byte 4
	cvrScriptReceived     = 0x02 // byte 5

	// MaxScripts is where the script counter in the CVR stops.
	MaxScripts = 15
)

// WithScripts is the CVR of a card that has carried out n issuer scripts: the
// high nibble of byte 3 counts them (up to 15, where it stays) and byte 5 says
// that one was received. No script leaves the CVR as it is.
func (c CVR) WithScripts(n int) CVR {
	if n <= 0 {
		return c
	}
	c[2] = c[2]&0x0F | byte(min(n, MaxScripts)<<4)
	c[4] |= cvrScriptReceived
	return c
}

// WithPIN is the CVR after the outcome, with the tries that are left. No try
// left also sets the try-limit bit.
func (c CVR) WithPIN(outcome PINOutcome, triesLeft int) CVR {
	c[0] &^= cvrPINPerformed | cvrPINEnciphered | cvrPINSuccessful
	c[3] &^= cvrPINNotPerformed | cvrPINFailed | cvrTryLimitExceeded
	switch outcome {
	case PINVerified:
		c[0] |= cvrPINPerformed | cvrPINSuccessful
	case PINNotPerformed:
		c[3] |= cvrPINNotPerformed
	case PINFailed:
		c[0] |= cvrPINPerformed
		c[3] |= cvrPINFailed
	}
	tries := byte(min(max(triesLeft, 0), 15))
	c[2] = c[2]&0xF0 | tries
	if tries == 0 {
		c[3] |= cvrTryLimitExceeded
	}
	return c
}

// SecondAAC is the CVR of the second cryptogram, with which the reader cancels
// the transaction: bit 80 of byte 1, "second cryptogram not requested", is off.
func (c CVR) SecondAAC() CVR {
	c[0] &^= cvrSecondNotRequested
	return c
}

// unblockForms are the CVRs with which a card may ask for its try counter to
// be reset: PIN not entered, or entered wrong, with every number of tries left.
func unblockForms(base CVR, scripts, limit int) []CVR {
	base = base.WithScripts(scripts)
	forms := make([]CVR, 0, 2*limit+1)
	for tries := 0; tries <= limit; tries++ {
		forms = append(forms, base.WithPIN(PINNotPerformed, tries))
		if tries < limit {
			forms = append(forms, base.WithPIN(PINFailed, tries))
		}
	}
	return forms
}
