package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/card"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
)

// cardFile is the file of a card whose PIN is 4821.
func cardFile(t *testing.T) string {
	t.Helper()
	key := func(b byte) crypt.Key { return bytes.Repeat([]byte{b, b + 2}, 8) }
	block, err := pinblock.EncodeISO2("4821")
	if err != nil {
		t.Fatal(err)
	}
	transport, err := crypt.NewTDES(key(0x10))
	if err != nil {
		t.Fatal(err)
	}
	dgis, err := emv.BuildDGIs(emv.SecurAccess(), emv.CardData{
		PAN: "9250004123456789", PSN: "01", Expiry: "2911", AC: key(0x20), SMI: key(0x40), SMC: key(0x70), PINBlock: block[:],
	}, transport)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := emv.EncodeDGIs(dgis)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := card.FromDGIs("C-0000000000000001", raw, transport)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "card.json")
	if err := sim.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func play(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(in), &out, &errs)
	return out.String(), err
}

func TestCodesDifferAndTheCounterIsKept(t *testing.T) {
	t.Parallel()
	path := cardFile(t)
	first, err := play(t, "4821\n", "--card", path, "code")
	if err != nil || len(strings.TrimSpace(first)) != 8 {
		t.Fatalf("%q %v", first, err)
	}
	second, err := play(t, "4821", "--card", path, "--json", "code")
	if err != nil || !strings.Contains(second, `"atc":2`) || strings.Contains(second, strings.TrimSpace(first)) {
		t.Fatalf("%q %v", second, err)
	}
	status, err := play(t, "", "--card", path, "status")
	if err != nil || !strings.Contains(status, "counter 2, 3 PIN tries left") {
		t.Errorf("%q %v", status, err)
	}
}

func TestAWrongPINCountsAlthoughTheCommandFails(t *testing.T) {
	t.Parallel()
	path := cardFile(t)
	if out, err := play(t, "1111\n", "--card", path, "code"); err == nil || strings.Contains(err.Error()+out, "1111") {
		t.Fatalf("%q %v", out, err)
	}
	if status, err := play(t, "", "--card", path, "status"); err != nil || !strings.Contains(status, "2 PIN tries left") {
		t.Errorf("%q %v", status, err)
	}
}

func TestWrongUseIsRefused(t *testing.T) { //nolint:tparallel // the cases share a card, which is in one reader at a time
	t.Parallel()
	path := cardFile(t)
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no card": {"code"}, "a card that is none": {"--card", broken, "status"}, "an odd mode": {"--card", path, "code", "--mode", "9"},
		"a challenge in mode 2": {"--card", path, "code", "--challenge", "1"}, "no script": {"--card", path, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := play(t, "4821\n", args...); err == nil {
				t.Error("taken")
			}
		})
	}
}

func TestTwoReadersDoNotShareACard(t *testing.T) {
	t.Parallel()
	path := cardFile(t)
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := play(t, "", "--card", path, "status"); err == nil {
		t.Error("the card is in two readers")
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := play(t, "", "--card", path, "status"); err != nil {
		t.Error(err)
	}
}

func TestTheCardComesBackToAVirtualReaderThatWasAway(t *testing.T) {
	t.Parallel()
	path := cardFile(t)
	daemon, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := daemon.Addr().String()
	_ = daemon.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"--card", path, "--vpcd", address}, strings.NewReader(""), io.Discard, io.Discard)
	}()
	for range 2 {
		if daemon, err = net.Listen("tcp", address); err != nil {
			t.Fatal(err)
		}
		reader, err := daemon.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Write([]byte{0, 1, 4}); err != nil {
			t.Fatal(err)
		}
		atr := make([]byte, 7)
		if _, err := io.ReadFull(reader, atr); err != nil || !bytes.Equal(atr, []byte{0, 5, 0x3B, 0x80, 0x80, 1, 1}) {
			t.Errorf("ATR %X, %v", atr, err)
		}
		_ = reader.Close()
		_ = daemon.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestABlankChipHasAFileOfItsOwn(t *testing.T) {
	t.Parallel()
	key, path := filepath.Join(t.TempDir(), "kmc"), filepath.Join(t.TempDir(), "chip.json")
	if err := os.WriteFile(key, []byte(strings.Repeat("4B", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := play(t, "", "--card", path, "blank", "--master-key-file", key, "--serial", "00112233445566778899")
	if err != nil || !strings.Contains(out, "serial 00112233445566778899") {
		t.Fatalf("%q %v", out, err)
	}
	chip, err := card.Open(path)
	if err != nil || !chip.Status().Blank {
		t.Errorf("%+v %v", chip.Status(), err)
	}
	if _, err := play(t, "", "--card", path, "blank", "--master-key-file", key); err == nil {
		t.Error("a chip was written over another")
	}
	if _, err := play(t, "", "--card", path+"2", "blank", "--master-key-file", key, "--serial", "0011"); err == nil {
		t.Error("half a serial was taken")
	}
}
