package keyblock_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
)

func key(size int) crypt.Key {
	out := make(crypt.Key, size)
	for i := range out {
		out[i] = byte(17*i + 3)
	}
	return out
}

func TestAWrappedKeyComesOutAgainWithItsHeader(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("L", 300)
	for _, version := range []byte("ABCD") {
		for _, size := range []int{16, 24, 32} {
			if (version != 'D') && size == 32 {
				continue
			}
			for _, optional := range [][]keyblock.OptionalBlock{
				nil,
				{{ID: "KS", Data: "00604B120F9292800000"}},
				{{ID: "KS", Data: "00604B120F929280"}, {ID: "T1"}, {ID: "T2", Data: "00"}},
				{{ID: "LG", Data: long}},
			} {
				t.Run(fmt.Sprintf("version %c, %d bytes, %d optional blocks", version, size, len(optional)), func(t *testing.T) {
					t.Parallel()
					h := keyblock.Header{Version: version, Usage: "E0", Algorithm: 'T', Mode: 'X', KeyVersion: "12", Exportability: 'E', Optional: optional}
					if size == 32 {
						h.Algorithm = 'A'
					}
					block, err := keyblock.Wrap(key(size), h, key(size), rand.Reader)
					if err != nil {
						t.Fatal(err)
					}
					got, k, err := keyblock.Unwrap(key(size), block)
					if err != nil || !crypt.Equal(k, key(size)) || fmt.Sprint(got) != fmt.Sprint(h) {
						t.Errorf("it opens with %v, header %v", err, got)
					}
					other := key(size)
					other[0] ^= 0x10
					if _, k, err := keyblock.Unwrap(other, block); !errors.Is(err, crypt.ErrMismatch) || k != nil {
						t.Errorf("under another key it answers %v", err)
					}
				})
			}
		}
	}
}

func TestTheLengthOfABlockDoesNotTellTheLengthOfItsKey(t *testing.T) {
	t.Parallel()
	h := keyblock.Header{Version: 'B', Usage: "P0", Algorithm: 'T', Mode: 'B', KeyVersion: "00", Exportability: 'N'}
	double, err := keyblock.Wrap(key(24), h, key(16), rand.Reader)
	triple, err2 := keyblock.Wrap(key(24), h, key(24), rand.Reader)
	if err != nil || err2 != nil || len(double) != len(triple) {
		t.Error(len(double), len(triple), err, err2)
	}
}

func TestEveryCharacterOfABlockIsAuthenticated(t *testing.T) {
	t.Parallel()
	for _, version := range []byte("ABCD") {
		h := keyblock.Header{Version: version, Usage: "K0", Algorithm: 'T', Mode: 'B', KeyVersion: "00", Exportability: 'N', Optional: []keyblock.OptionalBlock{{ID: "KS", Data: "00604B120F929280"}}}
		block, err := keyblock.Wrap(key(16), h, key(16), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for i := range block {
			digit := "1"
			if block[i] == '1' {
				digit = "2"
			}
			if _, k, err := keyblock.Unwrap(key(16), block[:i]+digit+block[i+1:]); err == nil || k != nil {
				t.Errorf("version %c opens with another character %d", version, i)
			}
			if _, k, err := keyblock.Unwrap(key(16), block[:i]); err == nil || k != nil {
				t.Errorf("version %c opens cut at %d", version, i)
			}
		}
	}
}

func TestAWeakerKeyProtectsNone(t *testing.T) {
	t.Parallel()
	h := keyblock.Header{Version: 'B', Usage: "E0", Algorithm: 'T', Mode: 'X', KeyVersion: "00", Exportability: 'E'}
	aes := h
	aes.Version, aes.Algorithm = 'D', 'A'
	underTDES := aes
	underTDES.Version = 'B'
	other := h
	other.Version = 'E'
	cut := h
	cut.Usage = "E"
	outside := h
	outside.Optional = []keyblock.OptionalBlock{{ID: "KS", Data: "\x00"}}
	for _, test := range []struct {
		name        string
		h           keyblock.Header
		kbpk, inner int
	}{
		{"a triple TDES key under a double one", h, 16, 24},
		{"an AES key under TDES", underTDES, 24, 16},
		{"AES-256 under AES-128", aes, 16, 32},
		{"single DES as protection key", h, 8, 8},
		{"no key", h, 16, 0},
		{"a long key", aes, 32, 33},
		{"an unknown version", other, 16, 16},
		{"half a usage", cut, 16, 16},
		{"an optional block that does not print", outside, 16, 16},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := keyblock.Wrap(key(test.kbpk), test.h, key(test.inner), rand.Reader); !errors.Is(err, crypt.ErrMalformed) {
				t.Errorf("it answers %v", err)
			}
		})
	}
	if _, err := keyblock.Wrap(key(16), h, key(16), bytes.NewReader(nil)); err == nil {
		t.Error("a block without randomness")
	}
}

func FuzzUnwrap(f *testing.F) {
	kbpk, err := crypt.ParseHex("89E88CF7931444F334BD7547FC3F380C")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("A0072P0TE00E0000F5161ED902807AF26F1D62263644BD24192FDB3193C730301CEE8701")
	f.Add("B0120P0TE12E0100KS1800604B120F9292800000E6E28F097CB0350B2EB2DF520947F779FA34D9759CEE7E0DEEACF8353DB778D47FA4EC20DA3A9754")
	f.Add("D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34")
	f.Add("B0056P0TE00N0400KS1800604B120F9292800000T104T20600PB0600")
	f.Fuzz(func(t *testing.T, block string) {
		h, k, err := keyblock.Unwrap(crypt.Key(kbpk), block)
		if err != nil {
			if k != nil || h.Usage != "" && !errors.Is(err, crypt.ErrMalformed) {
				t.Error("a refused block answers something", err)
			}
			return
		}
		again, err := keyblock.Wrap(crypt.Key(kbpk), h, k, rand.Reader)
		if err != nil && !errors.Is(err, crypt.ErrMalformed) {
			t.Error(err)
		}
		if _, got, err := keyblock.Unwrap(crypt.Key(kbpk), again); again != "" && (err != nil || !crypt.Equal(got, k)) {
			t.Error("made again it does not open", err)
		}
	})
}
