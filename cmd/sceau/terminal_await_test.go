package main

import (
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// A wait that is over while the daemon is still being reached is over all the same:
// the clocks of a dial and of its context are two.
func TestAWaitForACardEndsWithoutAnErrorWhereverItIs(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	w := &world{ctx: t.Context(), out: io.Discard}
	for n := range 2000 {
		f := readerFlags{pcscFlags: pcscFlags{PCSCD: socket}, Wait: time.Duration(n%200) * time.Microsecond}
		if err := f.await(w); err != nil {
			t.Fatalf("a wait of %s: %v", f.Wait, err)
		}
	}
}
