// Package pcsc reaches a smart card in a reader of this machine, over the socket
// of pcscd (PC/SC lite). It speaks the daemon's protocol itself, so that Sceau
// needs neither cgo nor libpcsclite.
//
// It never understands what it carries, logs nothing and keeps nothing: names of
// readers and commands go in, answers come out.
//
// The protocol is pcsc-lite's own (winscard_msg.h, version 4): a header of length
// and command, then a structure of 32-bit numbers in the machine's byte order,
// answered by the same structure.
package pcsc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"sceau/lifecycle"
)

// DefaultSocket is where pcscd listens.
const DefaultSocket = "/run/pcscd/pcscd.comm"

// Commands of the daemon.
const (
	establishContext = 0x01
	connect          = 0x04
	disconnect       = 0x06
	transmit         = 0x09
	protocolVersion  = 0x11
	readersState     = 0x12
	waitForChange    = 0x13
)

const (
	major, minor    = 4, 4
	scopeSystem     = 2
	shareExclusive  = 1
	anyProtocol     = 3 // T=0 or T=1
	protocolT0      = 1
	resetCard       = 1
	statePresent    = 0x04
	nameSize        = 128
	stateSize       = nameSize + 3*4 + 36 + 2*4 // name, three numbers, ATR of 33 bytes padded, two numbers
	statesCount     = 16
	maxAnswer       = 258
	ioRequestLength = 16
)

// A daemon's word for success, and those that people can do something about.
const (
	success          = 0
	sharingViolation = 0x8010000B
	noSmartCard      = 0x8010000C
	unknownReader    = 0x80100009
	unresponsiveCard = 0x80100066
	unpoweredCard    = 0x80100067
	resetByOther     = 0x80100068
	removedCard      = 0x80100069
)

// Reader is one that the daemon knows.
type Reader struct {
	Name    string
	Present bool // a card is in it
}

// Card is a card in a reader, held by this program alone until [Card.Close].
type Card struct {
	conn     net.Conn
	stop     func() bool
	handle   uint32
	protocol uint32
}

// Readers asks the daemon at socket.
func Readers(ctx context.Context, socket string) ([]Reader, error) {
	conn, stop, err := dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	defer func() { stop(); _ = conn.Close() }()
	return readers(conn)
}

// Open takes the card in a reader. Without a name it takes the only card that is
// in a reader: with two in it is a [lifecycle.Conflict], with none
// [lifecycle.Unavailable].
func Open(ctx context.Context, socket, name string) (*Card, error) {
	conn, stop, err := dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	c := &Card{conn: conn, stop: stop}
	if err := c.open(name); err != nil {
		c.stop()
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *Card) open(name string) error {
	if len(name) >= nameSize {
		return &lifecycle.FieldError{Field: "reader", Why: fmt.Sprintf("a reader's name has fewer than %d bytes", nameSize)}
	}
	known, err := readers(c.conn)
	if err != nil {
		return err
	}
	if name == "" {
		if name, err = onlyCard(known); err != nil {
			return err
		}
	}
	context, err := c.call(establishContext, []uint32{scopeSystem, 0, success}, nil)
	if err != nil {
		return err
	}
	body := binary.NativeEndian.AppendUint32(nil, context[1])
	body = append(body, make([]byte, nameSize)...)
	copy(body[4:], name)
	for _, n := range []uint32{shareExclusive, anyProtocol, 0, 0, success} {
		body = binary.NativeEndian.AppendUint32(body, n)
	}
	if err := send(c.conn, connect, body, nil); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.conn, body); err != nil {
		return fmt.Errorf("take the card in %s: %w", name, err)
	}
	numbers := numbersOf(body[4+nameSize:])
	if err := wordOf(numbers[4]); err != nil {
		return fmt.Errorf("take the card in %s: %w", name, err)
	}
	c.handle, c.protocol = numbers[2], numbers[3]
	return nil
}

// onlyCard is the name of the one reader with a card in it.
func onlyCard(known []Reader) (string, error) {
	var with, all []string
	for _, r := range known {
		all = append(all, r.Name)
		if r.Present {
			with = append(with, r.Name)
		}
	}
	switch {
	case len(with) == 1:
		return with[0], nil
	case len(with) > 1:
		return "", fmt.Errorf("%w: cards are in several readers, name one: %s", lifecycle.Conflict, strings.Join(with, "; "))
	case len(all) == 0:
		return "", fmt.Errorf("%w: no reader is connected", lifecycle.Unavailable)
	}
	return "", fmt.Errorf("%w: no card is in a reader: %s", lifecycle.Unavailable, strings.Join(all, "; "))
}

// Transmit sends one command and answers data and status word. Under T=0 it
// fetches what the card has ready (ISO/IEC 7816-3 §12.2.1).
func (c *Card) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	const header = 5
	if c.protocol != protocolT0 {
		return c.exchange(command)
	}
	if len(command) > header && len(command) == header+1+int(command[4]) {
		command = command[:len(command)-1] // T=0 says no Le beside data
	}
	answer, err := c.exchange(command)
	if err != nil || len(answer) != 2 {
		return answer, err
	}
	switch answer[0] {
	case 0x61:
		return c.exchange([]byte{command[0] & 0x03, 0xC0, 0, 0, answer[1]})
	case 0x6C:
		return c.exchange(append(append([]byte{}, command[:4]...), answer[1]))
	}
	return answer, nil
}

func (c *Card) exchange(command []byte) ([]byte, error) {
	length := uint32(len(command)) //nolint:gosec // a command has at most 261 bytes
	request := []uint32{c.handle, c.protocol, ioRequestLength, length, c.protocol, ioRequestLength, maxAnswer, success}
	numbers, err := c.call(transmit, request, command)
	if err != nil {
		return nil, err
	}
	if numbers[6] > maxAnswer {
		return nil, fmt.Errorf("hear the card: an answer of %d bytes", numbers[6])
	}
	answer := make([]byte, numbers[6])
	if _, err := io.ReadFull(c.conn, answer); err != nil {
		return nil, fmt.Errorf("hear the card: %w", err)
	}
	return answer, nil
}

// Close resets the card, so that it forgets the transaction, and lets others
// have it.
func (c *Card) Close() error {
	_, err := c.call(disconnect, []uint32{c.handle, resetCard, success}, nil)
	c.stop()
	return errors.Join(err, c.conn.Close())
}

// call sends a structure of numbers that ends with the daemon's word, and reads
// it back.
func (c *Card) call(command uint32, numbers []uint32, after []byte) ([]uint32, error) {
	var body []byte
	for _, n := range numbers {
		body = binary.NativeEndian.AppendUint32(body, n)
	}
	if err := send(c.conn, command, body, after); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(c.conn, body); err != nil {
		return nil, fmt.Errorf("hear pcscd: %w", err)
	}
	numbers = numbersOf(body)
	return numbers, wordOf(numbers[len(numbers)-1])
}

func numbersOf(body []byte) []uint32 {
	numbers := make([]uint32, len(body)/4)
	for i := range numbers {
		numbers[i] = binary.NativeEndian.Uint32(body[4*i:])
	}
	return numbers
}

func send(conn net.Conn, command uint32, body, after []byte) error {
	message := binary.NativeEndian.AppendUint32(nil, uint32(len(body))) //nolint:gosec // fixed structures
	message = binary.NativeEndian.AppendUint32(message, command)
	if _, err := conn.Write(append(append(message, body...), after...)); err != nil {
		return fmt.Errorf("ask pcscd: %w", err)
	}
	return nil
}

// dial reaches the daemon and agrees on the protocol. The context's end closes
// the connection, and with it the daemon lets the card go.
func dial(ctx context.Context, socket string) (net.Conn, func() bool, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: no pcscd answers: is it started? %w", lifecycle.Unavailable, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c := Card{conn: conn}
	if _, err := c.call(protocolVersion, []uint32{major, minor, success}, nil); err != nil {
		stop()
		return nil, nil, errors.Join(fmt.Errorf("agree with pcscd on protocol %d.%d: %w", major, minor, err), conn.Close())
	}
	return conn, stop, nil
}

// Watch waits until the readers are as enough wants them, looking whenever a
// card or a reader comes or goes.
func Watch(ctx context.Context, socket string, enough func([]Reader) bool) error {
	conn, stop, err := dial(ctx, socket)
	if err != nil {
		return err
	}
	defer func() { stop(); _ = conn.Close() }()
	for {
		known, err := table(conn, waitForChange)
		if err == nil && enough(known) {
			return nil
		}
		if err == nil { // two numbers say that something has changed
			_, err = io.ReadFull(conn, make([]byte, 2*4))
		}
		if ctx.Err() != nil {
			return fmt.Errorf("watch the readers: %w", ctx.Err())
		}
		if err != nil {
			return fmt.Errorf("watch the readers: %w", err)
		}
	}
}

func readers(conn net.Conn) ([]Reader, error) { return table(conn, readersState) }

// table reads the readers' states, which answer two commands.
func table(conn net.Conn, command uint32) ([]Reader, error) {
	if err := send(conn, command, nil, nil); err != nil {
		return nil, err
	}
	states := make([]byte, statesCount*stateSize)
	if _, err := io.ReadFull(conn, states); err != nil {
		return nil, fmt.Errorf("hear of the readers: %w", err)
	}
	return parseStates(states), nil
}

// parseStates reads the daemon's table; a place without a name is empty.
func parseStates(states []byte) []Reader {
	var all []Reader
	for ; len(states) >= stateSize; states = states[stateSize:] {
		name, _, _ := bytes.Cut(states[:nameSize], []byte{0})
		if len(name) == 0 {
			continue
		}
		present := binary.NativeEndian.Uint32(states[nameSize+4:])&statePresent != 0
		all = append(all, Reader{Name: string(bytes.ToValidUTF8(name, []byte("?"))), Present: present})
	}
	return all
}

// wordOf turns the daemon's word into an error.
func wordOf(word uint32) error {
	switch word {
	case success:
		return nil
	case sharingViolation:
		return fmt.Errorf("%w: another program uses the card", lifecycle.Conflict)
	case unknownReader:
		return fmt.Errorf("%w: no reader has this name", lifecycle.NotFound)
	case noSmartCard, removedCard:
		return fmt.Errorf("%w: no card is in the reader, or it was pulled out", lifecycle.Unavailable)
	case unresponsiveCard, unpoweredCard:
		return fmt.Errorf("%w: the card does not answer: is it the right way round?", lifecycle.Unavailable)
	case resetByOther:
		return fmt.Errorf("%w: the card was reset in between: begin again", lifecycle.Conflict)
	}
	return fmt.Errorf("%w: pcscd answers %08X", lifecycle.Unavailable, word)
}
