package pinblock_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/hsm/crypt"
	"sceau/hsm/pinblock"
)

func TestWhatABlockIsMadeOfComesOutAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pin, pan := rapid.StringMatching(`[0-9]{4,12}`).Draw(t, "pin"), rapid.StringMatching(`[0-9]{13,19}`).Draw(t, "pan")
		key := crypt.Key(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))[:rapid.SampledFrom([]int{16, 24, 32}).Draw(t, "key bytes")]
		iso0, err := pinblock.EncodeISO0(pin, pan)
		opens(t, "format 0", pin, err, func() (string, error) { return pinblock.DecodeISO0(iso0[:], pan) })
		iso2, err := pinblock.EncodeISO2(pin)
		opens(t, "format 2", pin, err, func() (string, error) { return pinblock.DecodeISO2(iso2[:]) })
		iso3, err := pinblock.EncodeISO3(pin, pan, rand.Reader)
		opens(t, "format 3", pin, err, func() (string, error) { return pinblock.DecodeISO3(iso3[:], pan) })
		iso4, err := pinblock.EncodeISO4(key, pin, pan, rand.Reader)
		opens(t, "format 4", pin, err, func() (string, error) { return pinblock.DecodeISO4(key, iso4[:], pan) })
	})
}

func opens(t *rapid.T, name, pin string, err error, open func() (string, error)) {
	if err != nil {
		t.Fatal(name, err)
	}
	if got, err := open(); err != nil || got != pin {
		t.Fatalf("%s opens to another PIN: %v", name, err)
	}
}

func TestABlockOfAnotherFormatOrFillDoesNotOpen(t *testing.T) {
	t.Parallel()
	const pan = "5555555551234567"
	for _, test := range []struct {
		name, block string
		open        func([]byte) (string, error)
	}{
		{"format 0 as format 2", "041234FFFFFFFFFF", pinblock.DecodeISO2},
		{"a PIN of three digits", "23123FFFFFFFFFFF", pinblock.DecodeISO2},
		{"a PIN of thirteen", "2D1234567890123F", pinblock.DecodeISO2},
		{"a letter in the PIN", "24123AFFFFFFFFFF", pinblock.DecodeISO2},
		{"a digit in the fill", "241234FFFFFFFFF0", pinblock.DecodeISO2},
		{"half a block", "241234FF", pinblock.DecodeISO2},
		{"format 3 with a digit in the fill", "341261AAAAEDCBA0", func(b []byte) (string, error) { return pinblock.DecodeISO3(b, pan) }},
		{"format 0 as format 3", "041261AAAAEDCBA9", func(b []byte) (string, error) { return pinblock.DecodeISO3(b, pan) }},
		{"format 4 of half a block", "0CCEF38A6B477CB9", func(b []byte) (string, error) { return pinblock.DecodeISO4(make([]byte, 16), b, pan) }},
		{"format 4 under another key", "0CCEF38A6B477CB9902696915FE42FC3", func(b []byte) (string, error) { return pinblock.DecodeISO4(make([]byte, 16), b, pan) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			block, err := crypt.ParseHex(test.block)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := test.open(block); !errors.Is(err, crypt.ErrMismatch) {
				t.Errorf("it answers %v", err)
			}
		})
	}
}

func TestRandomFillsMakeEqualPINsUnequal(t *testing.T) {
	t.Parallel()
	const pin, pan = "4821", "4970123412341234"
	key := crypt.Key(make([]byte, 16))
	a3, err3 := pinblock.EncodeISO3(pin, pan, rand.Reader)
	b3, _ := pinblock.EncodeISO3(pin, pan, rand.Reader)
	a4, err4 := pinblock.EncodeISO4(key, pin, pan, rand.Reader)
	b4, _ := pinblock.EncodeISO4(key, pin, pan, rand.Reader)
	if err3 != nil || err4 != nil || a3 == b3 || a4 == b4 {
		t.Error("two blocks of one PIN are equal, or none was made", err3, err4)
	}
	if _, err := pinblock.EncodeISO3(pin, pan, strings.NewReader("")); err == nil {
		t.Error("a block without randomness")
	}
	if _, err := pinblock.EncodeISO4(key, pin, pan, strings.NewReader("")); err == nil {
		t.Error("a block without randomness")
	}
}

func TestWhatIsNoPINOrCardNumberIsRefusedWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	pvk, err := crypt.NewTDES(bytes.Repeat([]byte{1, 2}, 8))
	if err != nil {
		t.Fatal(err)
	}
	rule := pinblock.IBM3624{Decimalisation: "0123456789012345", Length: 12, Pad: 'F'}
	for _, test := range []struct {
		name string
		run  func() error
	}{
		{"a short PIN", func() error { _, err := pinblock.EncodeISO2("987"); return err }},
		{"a PIN with a letter", func() error { _, err := pinblock.EncodeISO0("987X", "4970123412341234"); return err }},
		{"a short card number", func() error { _, err := pinblock.EncodeISO0("9876", "987"); return err }},
		{"a PIN of format 4", func() error { _, err := pinblock.EncodeISO4(make([]byte, 16), "987", "987", rand.Reader); return err }},
		{"a key of format 4", func() error { _, err := pinblock.EncodeISO4(make([]byte, 15), "9876", "987", rand.Reader); return err }},
		{"a PVV of a short PIN", func() error { _, err := pinblock.PVV(pvk, '1', "987", "4970123412341234"); return err }},
		{"a PVV under a letter", func() error { _, err := pinblock.PVV(pvk, 'A', "9876", "4970123412341234"); return err }},
		{"a PVV of a short card number", func() error { _, err := pinblock.PVV(pvk, '1', "9876", "987"); return err }},
		{"an offset with a letter", func() error { _, err := rule.PIN(pvk, "4970123412341234", "987X"); return err }},
		{"validation data beyond the card number", func() error { _, err := rule.PIN(pvk, "9879879", "9876"); return err }},
		{"a pad that is no digit", func() error {
			_, err := pinblock.IBM3624{Decimalisation: rule.Decimalisation, Length: 12, Pad: 'X'}.PIN(pvk, "4970123412341234", "9876")
			return err
		}},
		{"a short table", func() error {
			_, err := pinblock.IBM3624{Decimalisation: "012", Length: 12, Pad: 'F'}.PINOffset(pvk, "4970123412341234", "9876")
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := test.run(); !errors.Is(err, crypt.ErrMalformed) || strings.Contains(err.Error(), "987") {
				t.Errorf("it answers %v", err)
			}
		})
	}
}

func TestAnotherPINDoesNotVerify(t *testing.T) {
	t.Parallel()
	pvk, err := crypt.NewTDES(bytes.Repeat([]byte{1, 2}, 8))
	if err != nil {
		t.Fatal(err)
	}
	const pan = "4970123412341234"
	pvv, err := pinblock.PVV(pvk, '1', "4821", pan)
	if err != nil {
		t.Fatal(err)
	}
	right, err := pinblock.VerifyPVV(pvk, '1', "4821", pan, pvv)
	wrong, err2 := pinblock.VerifyPVV(pvk, '1', "4822", pan, pvv)
	if !right || wrong || err != nil || err2 != nil {
		t.Error("PVV:", right, wrong, err, err2)
	}
	rule := pinblock.IBM3624{Decimalisation: "0123456789012345", Offset: 4, Length: 12, Pad: 'D'}
	offset, err := rule.PINOffset(pvk, pan, "4821")
	if err != nil {
		t.Fatal(err)
	}
	right, err = rule.Verify(pvk, pan, "4821", offset)
	wrong, err2 = rule.Verify(pvk, pan, "4822", offset)
	if !right || wrong || err != nil || err2 != nil {
		t.Error("IBM 3624:", right, wrong, err, err2)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x24, 0x48, 0x21, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, "4970123412341234")
	f.Add([]byte{0x34, 0x48, 0x20, 0xFC, 0xAF, 0xF8, 0xEF, 0x9C}, "4970123412341234")
	f.Add([]byte{0x04, 0x48, 0x20, 0xDC, 0xBE, 0xDC, 0xBE, 0xDC}, "4970123412341234")
	f.Add(make([]byte, 16), "432198765432109870")
	key := crypt.Key(make([]byte, 16))
	f.Fuzz(func(t *testing.T, block []byte, pan string) {
		if pin, err := pinblock.DecodeISO2(block); err == nil {
			if again, err := pinblock.EncodeISO2(pin); err != nil || !bytes.Equal(again[:], block) {
				t.Error("format 2 opens to what does not make it")
			}
		}
		if pin, err := pinblock.DecodeISO0(block, pan); err == nil {
			if again, err := pinblock.EncodeISO0(pin, pan); err != nil || !bytes.Equal(again[:], block) {
				t.Error("format 0 opens to what does not make it")
			}
		}
		for _, open := range []func() (string, error){
			func() (string, error) { return pinblock.DecodeISO3(block, pan) },
			func() (string, error) { return pinblock.DecodeISO4(key, block, pan) },
		} {
			if pin, err := open(); err == nil && !crypt.IsDigits(pin, 4, 12) {
				t.Error("a block opens to what is no PIN")
			}
		}
	})
}
