package globalplatform_test

import (
	"errors"
	"testing"

	"sceau/hsm/crypt"
	gp "sceau/hsm/globalplatform"
)

func unhex(t testing.TB, s string) crypt.Hex {
	t.Helper()
	b, err := crypt.ParseHex(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keySet(t testing.TB) gp.Keys {
	t.Helper()
	return gp.Keys{
		ENC: crypt.Key(unhex(t, "000102030405060708090A0B0C0D0E0F")),
		MAC: crypt.Key(unhex(t, "101112131415161718191A1B1C1D1E1F")),
		DEK: crypt.Key(unhex(t, "202122232425262728292A2B2C2D2E2F")),
	}
}

// The check values are those of GlobalPlatformPro's TestPlaintextKeys.
func TestEachTemplateTakesItsOwnBytes(t *testing.T) {
	t.Parallel()
	master := crypt.Key(unhex(t, "404142434445464748494A4B4C4D4E4F"))
	data := [10]byte(unhex(t, "00010203040506070809"))
	for _, test := range []struct {
		template gp.Template
		isAES    bool
		want     [3]string // check values
	}{
		{gp.TemplateEMV, false, [3]string{"C33013", "6F4CA6", "BB8179"}},
		{gp.TemplateVisa2, false, [3]string{"2BE598", "58DA38", "3C328E"}},
		{gp.TemplateKDF3, true, [3]string{"E79C05", "D1BD77", "3FDE8C"}},
	} {
		t.Run(string(test.template), func(t *testing.T) {
			t.Parallel()
			keys, err := gp.Diversify(master, test.template, data)
			if err != nil {
				t.Fatal(err)
			}
			for i, key := range []crypt.Key{keys.ENC, keys.MAC, keys.DEK} {
				kcv, err := gp.CheckValue(key, test.isAES)
				if err != nil || crypt.Hex(kcv[:]).String() != test.want[i] {
					t.Errorf("key %d: %X, %v", i+1, kcv, err)
				}
			}
		})
	}
	visa, err := gp.Diversify(master, gp.TemplateVisa, data)
	visa2, err2 := gp.Diversify(master, gp.TemplateVisa2, data)
	if err != nil || err2 != nil || crypt.Equal(visa.ENC, visa2.ENC) {
		t.Error("visa and visa2 take the same bytes", err, err2)
	}
	if _, err := gp.Diversify(master, "none", data); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("an unknown template:", err)
	}
}

// What a real card answered (osmocom/pysim, AES-128, level 33).
const (
	challenge = "FDF38259A1E0DE44"
	answer    = "000000000000000000003003703B1ACA81E821F219081CDC01C26B372D000003"
	eidPlain  = "80E2910006BF3E035C015A00"
	eidAnswer = "F3BA2B1013AA6224F5E1C138D71805C569E5439B47576260B75FC021B25097CB2E68F8A0144975B9"
)

func open(t testing.TB) *gp.SCP03 {
	t.Helper()
	channel, err := gp.OpenSCP03(keySet(t), [8]byte(unhex(t, challenge)), unhex(t, answer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := channel.ExternalAuthenticate(0x33); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.Wrap(unhex(t, eidPlain)); err != nil {
		t.Fatal(err)
	}
	return channel
}

func TestACardWithOtherKeysIsNotBelieved(t *testing.T) {
	t.Parallel()
	other := keySet(t)
	other.MAC = other.ENC
	if _, err := gp.OpenSCP03(other, [8]byte(unhex(t, challenge)), unhex(t, answer)); !errors.Is(err, crypt.ErrMismatch) {
		t.Error("SCP03:", err)
	}
	scp02 := unhex(t, "00000000000000000000700200016B4524ABEE7CF32EA3838BC148F3")
	if _, err := gp.OpenSCP02(keySet(t), [8]byte(unhex(t, "40A62C37FA6304F8")), scp02); !errors.Is(err, crypt.ErrMismatch) {
		t.Error("SCP02:", err)
	}
	for _, cut := range []string{"", "00", answer[:40], answer + "00"} {
		if _, err := gp.OpenSCP03(keySet(t), [8]byte(unhex(t, challenge)), unhex(t, cut)); !errors.Is(err, crypt.ErrMalformed) {
			t.Errorf("SCP03 with an answer of %d bytes: %v", len(cut)/2, err)
		}
		if _, err := gp.OpenSCP02(keySet(t), [8]byte(unhex(t, challenge)), unhex(t, cut)); !errors.Is(err, crypt.ErrMalformed) {
			t.Errorf("SCP02 with an answer of %d bytes: %v", len(cut)/2, err)
		}
	}
}

func TestAChangedAnswerIsNotDeciphered(t *testing.T) {
	t.Parallel()
	if plain, err := open(t).Unwrap(unhex(t, eidAnswer), [2]byte{0x90, 0}); err != nil || plain[0] != 0xBF {
		t.Fatal("the answer as it came:", err)
	}
	for i := range unhex(t, eidAnswer) {
		changed := unhex(t, eidAnswer)
		changed[i] ^= 1
		if plain, err := open(t).Unwrap(changed, [2]byte{0x90, 0}); !errors.Is(err, crypt.ErrMismatch) || plain != nil {
			t.Errorf("with another byte %d: %v", i, err)
		}
	}
	if _, err := open(t).Unwrap(unhex(t, eidAnswer), [2]byte{0x63, 0}); !errors.Is(err, crypt.ErrMismatch) {
		t.Error("with another status:", err)
	}
	if _, err := open(t).Unwrap([]byte{1, 2, 3}, [2]byte{0x90, 0}); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("without a MAC:", err)
	}
}

func TestTheSameCommandIsNeverWrappedTwiceAlike(t *testing.T) {
	t.Parallel()
	channel := open(t)
	first, err := channel.Wrap(unhex(t, eidPlain))
	second, err2 := channel.Wrap(unhex(t, eidPlain))
	if err != nil || err2 != nil || crypt.Equal(first, second) {
		t.Error("two wrapped commands are equal", err, err2)
	}
}

func TestARefusedCommandLeavesTheChannelAsItWas(t *testing.T) {
	t.Parallel()
	channel := open(t)
	if _, err := channel.Wrap(append([]byte{0x80, 0xE2, 0, 0, 250}, make([]byte, 250)...)); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("250 bytes beside a MAC:", err)
	}
	if _, err := channel.Wrap([]byte{0x80, 0xE2, 0, 0, 9, 1}); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("a length that lies:", err)
	}
	if _, err := channel.Unwrap(unhex(t, eidAnswer), [2]byte{0x90, 0}); err != nil {
		t.Error("the answer to the command before:", err)
	}
}

func FuzzWrap(f *testing.F) {
	f.Add([]byte(unhex(f, eidPlain)), []byte(unhex(f, eidAnswer)))
	f.Add([]byte{0x80, 0xF2, 0x20, 0x02}, []byte{})
	f.Fuzz(func(t *testing.T, apdu, answer []byte) {
		channel := open(t)
		wrapped, err := channel.Wrap(apdu)
		if err == nil && (len(wrapped) < 13 || len(wrapped) > 261 || wrapped[0]&0x04 == 0) {
			t.Errorf("a command of %d bytes", len(wrapped))
		}
		if err != nil {
			return // a refused command leaves the channel as it was
		}
		if plain, err := channel.Unwrap(answer, [2]byte{0x90, 0}); err == nil {
			t.Errorf("an answer of %d bytes was believed", len(plain))
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(unhex(f, answer)))
	f.Add([]byte(unhex(f, "00000000000000000000700200016B4524ABEE7CF32EA3838BC148F3")))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if channel, err := gp.OpenSCP02(keySet(t), [8]byte{1}, answer); (channel == nil) != (err != nil) {
			t.Error("SCP02:", err)
		}
		if channel, err := gp.OpenSCP03(keySet(t), [8]byte{1}, answer); (channel == nil) != (err != nil) {
			t.Error("SCP03:", err)
		}
	})
}
