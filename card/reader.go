package card

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
	"sceau/lifecycle"
)

// Reader is a CAP reader with a card in it: it types the holder's PIN and data
// and shows a code. It keeps nothing between two codes.
type Reader struct{ card Transport }

// NewReader puts a card into a reader.
func NewReader(card Transport) *Reader { return &Reader{card: card} }

// application is what a reader learns from a card before a transaction.
type application struct {
	cdol1, cdol2 []byte
	iaf          byte
	ipb          crypt.Hex
	psn          string
	pan          string
	blocked      bool // by the bank: it declines everything
}

// cryptogram is the card's answer to GENERATE AC.
type cryptogram struct {
	cid byte
	atc uint16
	ac  [8]byte
	iad crypt.Hex
}

// Code asks the card for a code: mode 2 is the key that takes no input. A wrong
// PIN is a [WrongPINError]; a card that takes none is [ErrBlocked].
func (r *Reader) Code(ctx context.Context, pin lifecycle.PIN, t emv.Transaction) (string, error) {
	if err := t.Check(); err != nil {
		return "", fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	app, err := r.begin(ctx)
	if err != nil {
		return "", err
	}
	if app.blocked {
		return "", ErrStopped
	}
	if err := r.verify(ctx, pin); err != nil {
		return "", err
	}
	c, err := r.generate(ctx, 0x80, app.cdol1, app.iaf, t)
	if err != nil {
		return "", err
	}
	if c.cid&0xC0 != 0x80 {
		return "", fmt.Errorf("%w: the card declined", errAnswer)
	}
	// The reader cancels the transaction: its "purchase" never happens.
	if _, err := r.generate(ctx, 0x00, app.cdol2, app.iaf, t); err != nil {
		return "", err
	}
	if t.Mode == emv.Mode2TDS {
		if c.ac, err = emv.MixTDS(c.ac, t.TDS); err != nil {
			return "", err
		}
	}
	return emv.ReaderData{IPB: app.ipb, IAF: app.iaf, PSN: app.psn, CID: c.cid, ATC: c.atc, AC: c.ac, IAD: c.iad}.Code()
}

// ScriptRequest is what a branch terminal sends to the bank to be given a script
// for the card: proof that the card is there, now.
type ScriptRequest struct {
	Last4 string
	ATC   int
	ARQC  [8]byte
}

// AskScript begins a transaction without a PIN. The card stays in the terminal
// until [Reader.ApplyScript].
func (r *Reader) AskScript(ctx context.Context) (ScriptRequest, error) {
	app, err := r.begin(ctx)
	if err != nil {
		return ScriptRequest{}, err
	}
	c, err := r.generate(ctx, 0x80, app.cdol1, app.iaf, emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		return ScriptRequest{}, err
	}
	return ScriptRequest{Last4: app.pan[max(0, len(app.pan)-4):], ATC: int(c.atc), ARQC: c.ac}, nil
}

// ErrScript is a card that refused the issuer's script: nothing has changed on it.
var ErrScript = fmt.Errorf("%w: the card refuses the script", lifecycle.Forbidden)

// TriesLeft reads the PIN try counter.
func (r *Reader) TriesLeft(ctx context.Context) (int, error) {
	answer, err := r.ask(ctx, "GET DATA", []byte{0x80, 0xCA, 0x9F, 0x17, 0})
	if err != nil {
		return 0, err
	}
	tries := emv.FindTLV(answer, 0x9F17)
	if len(tries) != 1 || tries[0] > 15 {
		return 0, fmt.Errorf("%w: GET DATA lacks 9F17", errAnswer)
	}
	return int(tries[0]), nil
}

// ApplyScript gives the issuer's script to the card.
func (r *Reader) ApplyScript(ctx context.Context, script []byte) error {
	if len(script) < 5 || len(script) > maxCommand {
		return fmt.Errorf("%w: a script is a command of 5 to %d bytes", lifecycle.Invalid, maxCommand)
	}
	_, status, err := r.send(ctx, script)
	switch {
	case err != nil:
		return err
	case status == swSecureMessaging:
		return fmt.Errorf("%w: it was made for another card or transaction", ErrScript)
	case status != swOK:
		return fmt.Errorf("%w: it answers %04X", ErrScript, status)
	}
	return nil
}

// begin selects the application, initiates a transaction and reads the record.
func (r *Reader) begin(ctx context.Context) (application, error) {
	aid := emv.SecurAccess().AID
	selection := append([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(aid))}, aid...) //nolint:gosec // 5 to 16
	_, status, err := r.send(ctx, append(selection, 0))
	switch {
	case err != nil:
		return application{}, err
	case status == swNotSupported:
		return application{}, ErrStopped
	case status != swInvalidated && status != swOK:
		return application{}, expect("SELECT", status)
	}
	options, err := r.ask(ctx, "GET PROCESSING OPTIONS", []byte{0x80, 0xA8, 0, 0, 2, 0x83, 0, 0})
	if err != nil {
		return application{}, err
	}
	afl := emv.FindTLV(options, 0x77, 0x94)
	if len(afl) != 4 || afl[1] != 1 || afl[2] != 1 {
		return application{}, fmt.Errorf("%w: the file locator names more than one record", errAnswer)
	}
	record, err := r.ask(ctx, "READ RECORD", []byte{0x00, 0xB2, 1, afl[0]&0xF8 | 0x04, 0})
	if err != nil {
		return application{}, err
	}
	app, err := readApplication(record)
	app.blocked = status == swInvalidated
	return app, err
}

func readApplication(record []byte) (application, error) {
	iaf := emv.FindTLV(record, 0x70, 0x9F55)
	app := application{
		cdol1: emv.FindTLV(record, 0x70, 0x8C), cdol2: emv.FindTLV(record, 0x70, 0x8D), ipb: emv.FindTLV(record, 0x70, 0x9F56),
		psn: crypt.Hex(emv.FindTLV(record, 0x70, 0x5F34)).String(), pan: crypt.Hex(emv.FindTLV(record, 0x70, 0x5A)).String(),
	}
	if len(iaf) != 1 || len(app.cdol1) == 0 || len(app.cdol2) == 0 || len(app.ipb) == 0 || app.pan == "" {
		return app, fmt.Errorf("%w: the record lacks 5A, 8C, 8D, 9F55 or 9F56", errAnswer)
	}
	app.iaf = iaf[0]
	if n := len(app.pan); app.pan[n-1] == 'F' {
		app.pan = app.pan[:n-1]
	}
	return app, nil
}

// verify types the PIN, unless the card says that it would not take it.
func (r *Reader) verify(ctx context.Context, pin lifecycle.PIN) error {
	tries, err := r.TriesLeft(ctx)
	if err != nil {
		return err
	}
	if tries == 0 {
		return ErrBlocked
	}
	block, err := pinblock.EncodeISO2(pin.Reveal())
	if err != nil {
		return fmt.Errorf("%w: type the PIN of the letter", lifecycle.Invalid)
	}
	_, status, err := r.send(ctx, append([]byte{0x00, 0x20, 0x00, 0x80, 8}, block[:]...))
	switch {
	case err != nil:
		return err
	case status&0xFFF0 == swWrongPIN:
		return &WrongPINError{TriesLeft: int(status & 0x0F)}
	case status == swBlocked:
		return ErrBlocked
	}
	return expect("VERIFY", status)
}

func (r *Reader) generate(ctx context.Context, kind byte, dol []byte, iaf byte, t emv.Transaction) (cryptogram, error) {
	data, err := emv.TerminalData(dol, iaf, t)
	if err != nil || len(data) == 0 || len(data) > 255 {
		return cryptogram{}, fmt.Errorf("%w: its data object list cannot be filled", errors.Join(errAnswer, err))
	}
	command := append([]byte{0x80, 0xAE, kind, 0, byte(len(data))}, data...) //nolint:gosec // TerminalData bounds it
	answer, err := r.ask(ctx, "GENERATE AC", append(command, 0))
	if err != nil {
		return cryptogram{}, err
	}
	cid, atc := emv.FindTLV(answer, 0x77, 0x9F27), emv.FindTLV(answer, 0x77, 0x9F36)
	ac, iad := emv.FindTLV(answer, 0x77, 0x9F26), emv.FindTLV(answer, 0x77, 0x9F10)
	if len(cid) != 1 || len(atc) != 2 || len(ac) != 8 || len(iad) == 0 {
		return cryptogram{}, fmt.Errorf("%w: GENERATE AC lacks 9F27, 9F36, 9F26 or 9F10", errAnswer)
	}
	return cryptogram{cid: cid[0], atc: binary.BigEndian.Uint16(atc), ac: [8]byte(ac), iad: iad}, nil
}

// ask sends a command that must succeed.
func (r *Reader) ask(ctx context.Context, name string, command []byte) ([]byte, error) {
	data, status, err := r.send(ctx, command)
	if err != nil {
		return nil, err
	}
	return data, expect(name, status)
}

func (r *Reader) send(ctx context.Context, command []byte) ([]byte, uint16, error) {
	answer, err := r.card.Transmit(ctx, command)
	if err != nil {
		return nil, 0, fmt.Errorf("talk to the card: %w", err)
	}
	return answerOf(answer)
}

func expect(name string, status uint16) error {
	if status != swOK {
		return fmt.Errorf("%w: %s answered %04X", errAnswer, name, status)
	}
	return nil
}
