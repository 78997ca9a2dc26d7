// Package card is the holder's side of an authentication card: the APDU
// transport (ISO/IEC 7816-4), a CAP reader and a branch terminal that speak
// over it, and a simulated card that answers like a chip, made from what the
// bureau was sent.
//
// It never holds an issuer's key, never decides anything for the bank, and logs
// nothing. A simulated card's file holds that card's keys and PIN, as a chip
// does: it is for demonstrations and tests. Commands go in by [Transport],
// codes and cryptograms come out.
package card

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"sceau/lifecycle"
)

// Transport carries commands to a card and its answers back: PC/SC, or a
// simulated card in the same process. The answer ends with the status word.
type Transport interface {
	Transmit(ctx context.Context, command []byte) (answer []byte, err error)
}

// Status words (ISO/IEC 7816-4 §5.6).
const (
	swOK               = 0x9000
	swInvalidated      = 0x6283 // a blocked application
	swWrongPIN         = 0x63C0 // the low nibble counts the tries left
	swWrongLength      = 0x6700
	swAuthentication   = 0x6300 // the host cryptogram is wrong
	swBlocked          = 0x6983
	swConditions       = 0x6985
	swSecureMessaging  = 0x6988
	swWrongData        = 0x6A80
	swNotSupported     = 0x6A81 // a blocked card
	swFileNotFound     = 0x6A82
	swRecordNotFound   = 0x6A83
	swWrongParameters  = 0x6A86
	swDataNotFound     = 0x6A88
	swUnknownCommand   = 0x6D00
	swUnknownClass     = 0x6E00
	swNothingDiagnosed = 0x6F00
)

// maxCommand bounds a short command APDU.
const maxCommand = 5 + 255 + 1

// ErrBlocked is a card that takes no PIN any more: its try counter must be
// reset at a branch. It is [lifecycle.Locked].
var ErrBlocked = fmt.Errorf("%w: the card refuses its PIN after too many wrong ones", lifecycle.Locked)

// ErrStopped is a card that its bank blocked by a script: no PIN helps.
var ErrStopped = fmt.Errorf("%w: the bank has blocked this card", lifecycle.Locked)

// WrongPINError is a PIN that the card refused.
type WrongPINError struct{ TriesLeft int }

func (e *WrongPINError) Error() string {
	return fmt.Sprintf("wrong PIN, %d tries left", e.TriesLeft)
}

// Unwrap makes it [ErrBlocked] when no try is left, [lifecycle.Forbidden] else.
func (e *WrongPINError) Unwrap() error {
	if e.TriesLeft == 0 {
		return ErrBlocked
	}
	return lifecycle.Forbidden
}

// errAnswer is a card that does not answer as a card does.
var errAnswer = errors.New("the card's answer is not understood")

// answerOf splits an answer into data and status word.
func answerOf(answer []byte) ([]byte, uint16, error) {
	if len(answer) < 2 || len(answer) > 258 {
		return nil, 0, fmt.Errorf("%w: %d bytes", errAnswer, len(answer))
	}
	n := len(answer) - 2
	return answer[:n], binary.BigEndian.Uint16(answer[n:]), nil
}
