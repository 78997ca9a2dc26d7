package emv_test

import (
	"errors"
	"strings"
	"testing"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

func unhex(t testing.TB, s string) crypt.Hex {
	t.Helper()
	b, err := crypt.ParseHex(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tdes(t testing.TB, key []byte) *crypt.TDES {
	t.Helper()
	k, err := crypt.NewTDES(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const pan, psn = "9250004123456789", "01"

func schemeCard(t testing.TB, name string) emv.SchemeCard {
	t.Helper()
	scheme, err := emv.SchemeByName(name)
	if err != nil {
		t.Fatal(err)
	}
	imk := func(first string) *crypt.TDES { return tdes(t, unhex(t, first+"23456789ABCDEFFEDCBA9876543210")) }
	card, err := scheme.Card(imk("01"), imk("FE"), imk("89"), pan, psn)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// unblocks tells whether a card takes the script as PIN UNBLOCK, which has no data.
func unblocks(smi *crypt.TDES, arqc [8]byte, apdu []byte) bool {
	command, data, err := emv.OpenScript(smi, nil, 0x0102, arqc, apdu)
	return err == nil && command == emv.PINUnblockCommand && data == nil
}

func TestASchemesUnblockIsTheCardEnginesOwn(t *testing.T) {
	t.Parallel()
	arqc := [8]byte{0x0D, 0x9F, 0x9F, 0x7A, 0x24, 0x71, 0xC0, 0x39}
	card := schemeCard(t, "MasterCardCVN20")
	session, err := card.Scripts(0x0102, arqc, 0)
	if err != nil {
		t.Fatal(err)
	}
	apdu := session.APDU(emv.PINUnblockCommand, nil)
	smi := tdes(t, card.SMI)
	if !unblocks(smi, arqc, apdu) {
		t.Error("the card refuses it")
	}
	next, err := card.Scripts(0x0102, arqc, 1)
	if err != nil {
		t.Fatal(err)
	}
	if unblocks(smi, arqc, next.APDU(emv.PINUnblockCommand, nil)) {
		t.Error("the second command of a transaction has the keys of the first")
	}
	arqc[7]++ // M/Chip: one more for each further command
	if !unblocks(smi, arqc, next.APDU(emv.PINUnblockCommand, nil)) {
		t.Error("the second command has other keys than those of the cryptogram plus one")
	}
	for i := range apdu {
		apdu[i] ^= 1
		arqc[7] = 0x39
		if unblocks(smi, arqc, apdu) {
			t.Errorf("the card takes it with another byte %d", i)
		}
		apdu[i] ^= 1
	}
}

func TestEachCommandHasItsOwnHeaderAndMAC(t *testing.T) {
	t.Parallel()
	session, err := schemeCard(t, "MasterCardCVN20").Scripts(1, [8]byte{1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, test := range []struct {
		command emv.Command
		header  string
	}{
		{emv.PINUnblockCommand, "8424000008"},
		{emv.ApplicationBlock, "841E000008"},
		{emv.ApplicationUnblock, "8418000008"},
		{emv.CardBlock, "8416000008"},
	} {
		apdu := crypt.Hex(session.APDU(test.command, nil)).String()
		if len(apdu) != 26 || !strings.HasPrefix(apdu, test.header) || seen[apdu[10:]] {
			t.Errorf("%s, want %s and a MAC of its own", apdu, test.header)
		}
		seen[apdu[10:]] = true
	}
}

func TestWhatASchemeDoesNotAskForIsRefused(t *testing.T) {
	t.Parallel()
	complete := func() emv.SchemeTransaction {
		return emv.SchemeTransaction{
			Amount9F02: make(crypt.Hex, 6), Other9F03: make(crypt.Hex, 6), Country9F1A: make(crypt.Hex, 2), TVR95: make(crypt.Hex, 5),
			Currency5F2A: make(crypt.Hex, 2), Date9A: make(crypt.Hex, 3), Type9C: make(crypt.Hex, 1), UN9F37: make(crypt.Hex, 4),
			AIP82: make(crypt.Hex, 2), ATC9F36: make(crypt.Hex, 2), CVR: make(crypt.Hex, 6),
		}
	}
	card := schemeCard(t, "MasterCardCVN20")
	if _, err := card.Cryptogram(complete()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*emv.SchemeTransaction)
	}{
		{"an amount of five bytes", func(x *emv.SchemeTransaction) { x.Amount9F02 = x.Amount9F02[1:] }},
		{"a counter of three bytes", func(x *emv.SchemeTransaction) { x.ATC9F36 = make(crypt.Hex, 3) }},
		{"no CVR", func(x *emv.SchemeTransaction) { x.CVR = nil }},
		{"issuer application data beside the CVR", func(x *emv.SchemeTransaction) { x.IAD9F10 = make(crypt.Hex, 7) }},
		{"counters that go into other schemes", func(x *emv.SchemeTransaction) { x.Counters = make(crypt.Hex, 8) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := complete()
			test.change(&x)
			if _, err := card.Cryptogram(x); !errors.Is(err, crypt.ErrMalformed) {
				t.Errorf("it answers %v", err)
			}
		})
	}
	if _, err := card.ARPC(complete(), [8]byte{}, make([]byte, 4)); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("an answer of method 1 with a card status update:", err)
	}
	if _, err := emv.SchemeByName("none"); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("an unknown scheme:", err)
	}
	session, err := card.Scripts(1, [8]byte{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := card.PINChange(session, "4821", "1234"); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("M/Chip with the current PIN:", err)
	}
	if _, err := card.PINChange(session, "48X1", ""); !errors.Is(err, crypt.ErrMalformed) || strings.Contains(err.Error(), "48X1") {
		t.Error("a PIN with a letter:", err)
	}
}

func TestAnAESSessionKeyIsAsLongAsItsMasterKey(t *testing.T) {
	t.Parallel()
	r := [16]byte{0, 1}
	for _, size := range []int{16, 24, 32} {
		sk, err := emv.SessionKeyAES(make(crypt.Key, size), r)
		if err != nil || len(sk) != size {
			t.Errorf("%d bytes from %d, %v", len(sk), size, err)
		}
	}
	if _, err := emv.SessionKeyAES(make(crypt.Key, 17), r); !errors.Is(err, crypt.ErrMalformed) {
		t.Error("a key of 17 bytes:", err)
	}
}
