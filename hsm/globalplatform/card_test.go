package globalplatform_test

import (
	"bytes"
	"errors"
	"testing"

	"sceau/hsm/crypt"
	gp "sceau/hsm/globalplatform"
)

func TestHostAndCardUnderstandEachOther(t *testing.T) {
	t.Parallel()
	keys := keySet(t)
	host, challenge := [8]byte{1, 2, 3}, [8]byte{4, 5, 6}
	card, answer, err := gp.AnswerSCP03(keys, [10]byte{7}, 1, host, challenge)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := gp.OpenSCP03(keys, host, answer)
	if err != nil {
		t.Fatal(err)
	}
	authenticate, err := channel.ExternalAuthenticate(0x03)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := card.Open(authenticate); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 200; n += 17 {
		plain := bytes.Repeat([]byte{0x5A}, n)
		command, err := channel.Wrap(gp.StoreData(byte(n), n > 180, true, plain))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(command, plain[:min(n, 4)]) && n > 3 {
			t.Error("the data stand in clear in the command")
		}
		if got, err := card.Open(command); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes: %X, %v", n, got, err)
		}
	}
	if _, err := card.Open(authenticate); !errors.Is(err, crypt.ErrMismatch) {
		t.Error("a command played again:", err)
	}
	next, err := channel.Wrap(gp.StoreData(0, false, false, []byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := card.Open(next); !errors.Is(err, crypt.ErrMismatch) {
		t.Error("a channel goes on after a forged command:", err)
	}
}

func TestACardTakesItsLevelOnly(t *testing.T) {
	t.Parallel()
	for _, level := range []byte{0x00, 0x01, 0x33} {
		card, answer, err := gp.AnswerSCP03(keySet(t), [10]byte{}, 1, [8]byte{}, [8]byte{})
		if err != nil {
			t.Fatal(err)
		}
		channel, err := gp.OpenSCP03(keySet(t), [8]byte{}, answer)
		if err != nil {
			t.Fatal(err)
		}
		command, err := channel.ExternalAuthenticate(level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := card.Open(command); !errors.Is(err, crypt.ErrMismatch) {
			t.Errorf("level %02X: %v", level, err)
		}
	}
}

func TestDataUnderTheDEKComeBack(t *testing.T) {
	t.Parallel()
	key, err := gp.NewDataKey(keySet(t).DEK)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{8, 32, 48} {
		plain := bytes.Repeat([]byte{0x24}, n)
		under, err := key.Encipher(plain)
		if err != nil || bytes.Contains(under, plain[:8]) {
			t.Fatal(under, err)
		}
		if got, err := key.Decipher(under); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %X, %v", n, got, err)
		}
	}
	if _, err := key.Decipher([]byte{1, 2, 3}); !errors.Is(err, crypt.ErrMalformed) {
		t.Error(err)
	}
}

func FuzzCardSCP03(f *testing.F) {
	f.Add([]byte{0x84, 0x82, 3, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, apdu []byte) {
		card, _, err := gp.AnswerSCP03(keySet(t), [10]byte{}, 1, [8]byte{1}, [8]byte{2})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := card.Open(apdu); err == nil {
			t.Error("a command without the keys was taken")
		}
	})
}
