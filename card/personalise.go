package card

import (
	"context"
	"fmt"

	"sceau/hsm/emv"
	"sceau/lifecycle"
)

// ErrMade is a chip that is a card already: it takes no data any more.
var ErrMade = fmt.Errorf("%w: the chip is a card already", lifecycle.Conflict)

// ErrChip is a blank chip that does not carry out what it is given: it is as
// blank as before.
var ErrChip = fmt.Errorf("%w: the chip refuses its data", lifecycle.Forbidden)

// OpenBlank challenges the blank chip in the terminal (INITIALIZE UPDATE,
// GlobalPlatform amendment D §7.1.1), and gives its answer. A chip that was made
// is [ErrMade].
func (r *Reader) OpenBlank(ctx context.Context, challenge []byte) ([]byte, error) {
	if len(challenge) != 8 {
		return nil, fmt.Errorf("%w: a challenge has 8 bytes", lifecycle.Invalid)
	}
	aid := emv.SecurAccess().AID
	selection := append([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(aid))}, aid...) //nolint:gosec // 5 to 16
	if _, err := r.ask(ctx, "SELECT", append(selection, 0)); err != nil {
		return nil, err
	}
	answer, status, err := r.send(ctx, append(append([]byte{0x80, 0x50, 0, 0, 8}, challenge...), 0))
	switch {
	case err != nil:
		return nil, err
	case status == swUnknownCommand, status == swUnknownClass:
		return nil, ErrMade
	}
	return answer, expect("INITIALIZE UPDATE", status)
}

// Personalise gives the opened chip the bank's commands, in their order.
func (r *Reader) Personalise(ctx context.Context, commands [][]byte) error {
	for i, command := range commands {
		if len(command) < 5 || len(command) > maxCommand {
			return fmt.Errorf("%w: command %d is not one of 5 to %d bytes", lifecycle.Invalid, i+1, maxCommand)
		}
		_, status, err := r.send(ctx, command)
		if err != nil {
			return err
		}
		if status != swOK {
			return fmt.Errorf("%w: command %d of %d answered %04X", ErrChip, i+1, len(commands), status)
		}
	}
	return nil
}

// Proof is a live cryptogram of a card without its PIN, over what a terminal gave
// it: whoever has its keys can tell that it is this card.
type Proof struct {
	Last4     string
	ATC       int
	ARQC      [8]byte
	Data, IAD []byte // what GENERATE AC brought, and the card's 9F10
}

// Prove has the card make one.
func (r *Reader) Prove(ctx context.Context) (Proof, error) {
	app, err := r.begin(ctx)
	if err != nil {
		return Proof{}, err
	}
	t := emv.Transaction{Mode: emv.Mode2}
	c, err := r.generate(ctx, 0x80, app.cdol1, app.iaf, t)
	if err != nil {
		return Proof{}, err
	}
	data, err := emv.TerminalData(app.cdol1, app.iaf, t)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return Proof{Last4: app.pan[max(0, len(app.pan)-4):], ATC: int(c.atc), ARQC: c.ac, Data: data, IAD: c.iad}, nil
}
