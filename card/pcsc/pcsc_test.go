package pcsc

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"sceau/lifecycle"
)

// daemon answers one client as pcscd does, with a card that echoes.
func daemon(t *testing.T, states []byte, words map[uint32]uint32) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for {
			var header [8]byte
			if _, err := io.ReadFull(conn, header[:]); err != nil {
				return
			}
			body := make([]byte, binary.NativeEndian.Uint32(header[:]))
			if _, err := io.ReadFull(conn, body); err != nil {
				return
			}
			command := binary.NativeEndian.Uint32(header[4:])
			var after []byte
			switch command {
			case readersState, waitForChange:
				body = states
			case connect:
				binary.NativeEndian.PutUint32(body[len(body)-12:], 7)
				binary.NativeEndian.PutUint32(body[len(body)-8:], words[connect+0x100])
			case transmit:
				after = make([]byte, binary.NativeEndian.Uint32(body[12:]))
				_, _ = io.ReadFull(conn, after)
				if string(after) == "\x00\xB0\x00\x00\x00" { // T=0: say how much there is
					after = []byte{0x6C, 2}
				}
				binary.NativeEndian.PutUint32(body[24:], uint32(len(after)))
			}
			if word, ok := words[command]; ok {
				binary.NativeEndian.PutUint32(body[len(body)-4:], word)
				after = nil
			}
			_, _ = conn.Write(append(body, after...))
		}
	}()
	return socket
}

func statesOf(readers ...Reader) []byte {
	states := make([]byte, statesCount*stateSize)
	for i, r := range readers {
		copy(states[i*stateSize:], r.Name)
		if r.Present {
			binary.NativeEndian.PutUint32(states[i*stateSize+nameSize+4:], statePresent)
		}
	}
	return states
}

func TestACommandGoesToTheOnlyCardAndItsAnswerComesBack(t *testing.T) {
	t.Parallel()
	socket := daemon(t, statesOf(Reader{Name: "empty"}, Reader{Name: "full", Present: true}), nil)
	c, err := Open(t.Context(), socket, "")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Transmit(t.Context(), []byte("echo"))
	if err != nil || string(answer) != "echo" {
		t.Errorf("%q, %v", answer, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnderT0TheAnswerIsFetched(t *testing.T) {
	t.Parallel()
	socket := daemon(t, statesOf(Reader{Name: "full", Present: true}), map[uint32]uint32{connect + 0x100: protocolT0})
	c, err := Open(t.Context(), socket, "full")
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := c.Transmit(t.Context(), []byte{0, 0xB0, 0, 0, 0}); err != nil || string(answer) != "\x00\xB0\x00\x00\x02" {
		t.Errorf("%X, %v", answer, err)
	}
	if answer, err := c.Transmit(t.Context(), []byte{0, 0xA4, 4, 0, 1, 9, 0}); err != nil || len(answer) != 6 {
		t.Errorf("Le beside data: %X, %v", answer, err)
	}
}

func TestWhatIsWrongWithAReaderIsSaid(t *testing.T) {
	t.Parallel()
	full := Reader{Name: "full", Present: true}
	for _, test := range []struct {
		name   string
		states []byte
		word   uint32
		want   lifecycle.Kind
		says   string
	}{
		{"no reader", statesOf(), 0, lifecycle.Unavailable, "no reader is connected"},
		{"no card", statesOf(Reader{Name: "one"}), 0, lifecycle.Unavailable, "no card is in a reader: one"},
		{"two cards", statesOf(full, Reader{Name: "other", Present: true}), 0, lifecycle.Conflict, "full; other"},
		{"somebody else's", statesOf(full), sharingViolation, lifecycle.Conflict, "another program"},
		{"upside down", statesOf(full), unpoweredCard, lifecycle.Unavailable, "right way round"},
		{"anything else", statesOf(full), 0x80100016, lifecycle.Unavailable, "80100016"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			words := map[uint32]uint32{}
			if test.word != 0 {
				words[connect] = test.word
			}
			_, err := Open(t.Context(), daemon(t, test.states, words), "")
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Error(err)
			}
		})
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, lifecycle.Unavailable) {
		t.Error("no daemon:", err)
	}
	if _, err := Open(t.Context(), daemon(t, statesOf(full), nil), strings.Repeat("x", 128)); !errors.Is(err, lifecycle.Invalid) {
		t.Error("a name that is too long:", err)
	}
	if _, err := Readers(t.Context(), daemon(t, []byte{1, 2, 3}, map[uint32]uint32{protocolVersion: 0x8010001D})); err == nil {
		t.Error("another protocol is spoken")
	}
}

func FuzzStates(f *testing.F) {
	f.Add(statesOf(Reader{Name: "full", Present: true}))
	f.Fuzz(func(t *testing.T, states []byte) {
		for _, r := range parseStates(states) {
			if r.Name == "" || len(r.Name) > 3*nameSize {
				t.Errorf("%q", r.Name)
			}
		}
	})
}
