package ca

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sceau/lifecycle"
)

// entryWalk runs through the encoded entries of a list as they come from a
// reader, and takes none apart but for its serial. It refuses a serial that is
// not above the one before.
type entryWalk struct {
	in   *bufio.Reader
	left int    // octets of entries ahead
	used int    // of the entry that was given last
	last []byte // its serial, content octets of an INTEGER
	done bool
	raw  []byte // the entry, good until the next step
}

const walkBuffer = 64 << 10

// step goes to the next entry; at the end raw is nil.
func (w *entryWalk) step() error {
	if _, err := w.in.Discard(w.used); err != nil {
		return err //nolint:wrapcheck // the caller says of which list
	}
	w.left, w.used, w.raw = w.left-w.used, 0, nil
	if w.left == 0 {
		w.done = true
		return nil
	}
	head, err := w.in.Peek(4)
	if err != nil {
		return err //nolint:wrapcheck // the caller says of which list
	}
	n := int(head[1]) + 2
	if head[0] != tagSequence || n >= 0x82 || n > w.left || head[2] != tagInteger || head[3] == 0 || int(head[3]) > n-4 {
		return fmt.Errorf("%w: an entry is malformed", errList)
	}
	if w.raw, err = w.in.Peek(n); err != nil {
		return err //nolint:wrapcheck // the caller says of which list
	}
	serial := serialOf(w.raw)
	if w.last != nil && compareSerials(w.last, serial) >= 0 {
		return fmt.Errorf("%w: its serials do not rise: one stands twice, or in the wrong place", lifecycle.Invalid)
	}
	w.last, w.used = append(w.last[:0], serial...), n
	return nil
}

// serialOf is the serial in an encoded entry.
func serialOf(entry []byte) []byte { return entry[4 : 4+int(entry[3])] }

// compareSerials compares two positive INTEGERs in DER by their values.
func compareSerials(a, b []byte) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}

// walk runs through the entries of a list that is in memory.
func (l *List) walk() *entryWalk {
	return &entryWalk{in: bufio.NewReaderSize(bytes.NewReader(l.entries), walkBuffer), left: len(l.entries)}
}

// openCRL reads the start of a list from a stream and stands before its entries.
// What follows them is read by finish.
func openCRL(stream io.Reader) (*List, *entryWalk, error) {
	in := bufio.NewReaderSize(stream, walkBuffer)
	start, err := in.Peek(headOfList)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err //nolint:wrapcheck // the caller says of which list
	}
	l, body, name := &List{}, cryptobyte.String(start), cryptobyte.String(nil)
	if _, ok := readHeader(&body); !ok {
		return nil, nil, errList
	}
	tbs, ok := readHeader(&body)
	at := len(body)
	if !ok || !readCRLHead(&body, &name, &l.ThisUpdate, &l.NextUpdate) {
		return nil, nil, errList
	}
	l.Issuer = bytes.Clone(name)
	entries := 0
	if body.PeekASN1Tag(cbasn1.SEQUENCE) {
		if entries, ok = readHeader(&body); !ok {
			return nil, nil, errList
		}
	}
	l.tail = tbs - (at - len(body)) - entries
	if l.tail < 0 || l.tail > maxTail {
		return nil, nil, errList
	}
	if _, err := in.Discard(len(start) - len(body)); err != nil {
		return nil, nil, err //nolint:wrapcheck // the caller says of which list
	}
	return l, &entryWalk{in: in, left: entries}, nil
}

// CRLNumber reads the number of a list from a stream: it stands behind the entries,
// which are passed over.
func CRLNumber(stream io.Reader) (int64, error) {
	l, walk, err := openCRL(stream)
	if err == nil {
		_, err = walk.in.Discard(walk.left)
	}
	if err == nil {
		err = l.finish(walk)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: read a list's number: %w", lifecycle.Invalid, err)
	}
	return l.Number, nil
}

// Bounds of what stands before and after the entries.
const (
	headOfList = 4096
	maxTail    = 64 << 10
)

// finish reads the extensions behind the last entry.
func (l *List) finish(w *entryWalk) error {
	tail := make([]byte, l.tail)
	if _, err := io.ReadFull(w.in, tail); err != nil {
		return err //nolint:wrapcheck // the caller says of which list
	}
	return l.readTail(tail)
}
