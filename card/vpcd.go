package card

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Commands of the virtual reader (vsmartcard's vpcd): one byte each. Everything
// longer is for the card.
const (
	vpcdOff   = 0x00
	vpcdOn    = 0x01
	vpcdReset = 0x02
	vpcdATR   = 0x04
)

// simulatedATR offers T=1 and says nothing else of the card (ISO/IEC 7816-3 §8).
func simulatedATR() []byte { return []byte{0x3B, 0x80, 0x80, 0x01, 0x01} }

// ServeVPCD puts a card into a virtual reader: reader is the connection to its
// daemon, which sends messages with their length in two bytes and takes answers
// in the same form. Loss of power and reset end the card's session. It returns
// nil when the daemon closes the connection.
func ServeVPCD(ctx context.Context, reader io.ReadWriter, card *Simulated) error {
	defer card.Remove()
	for {
		message, err := readVPCD(reader)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		var answer []byte
		switch {
		case len(message) == 0:
			continue
		case len(message) > 1:
			if answer, err = card.Transmit(ctx, message); err != nil {
				return err
			}
		case message[0] == vpcdOff, message[0] == vpcdOn, message[0] == vpcdReset:
			card.Remove()
			continue
		case message[0] == vpcdATR:
			answer = simulatedATR()
		default:
			continue // a later version's command that wants no answer
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(answer))) //nolint:gosec // at most 258 bytes
		if _, err := reader.Write(append(framed, answer...)); err != nil {
			return fmt.Errorf("answer the virtual reader: %w", err)
		}
	}
}

// readVPCD reads one message; [io.EOF] between two.
func readVPCD(reader io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(reader, length[:]); err != nil {
		if errors.Is(err, io.EOF) { // a cut length is io.ErrUnexpectedEOF
			return nil, io.EOF
		}
		return nil, fmt.Errorf("listen to the virtual reader: %w", err)
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(reader, message); err != nil {
		return nil, fmt.Errorf("listen to the virtual reader: a message was cut: %w", io.ErrUnexpectedEOF)
	}
	return message, nil
}
