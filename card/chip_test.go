package card_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"sceau/card"
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	gp "sceau/hsm/globalplatform"
	"sceau/hsm/pinblock"
)

// smc is the issuer's master key for confidentiality in [newCard].
const smc = "89ABCDEF0123456776543210FEDCBA98"

// schemeScript makes an issuer's command, or a new PIN, as the engine does.
func (is issuer) schemeScript(t testing.TB, ask card.ScriptRequest, command emv.Command, newPIN string) []byte {
	t.Helper()
	scheme, err := emv.SchemeByName("MasterCardCVN20")
	if err != nil {
		t.Fatal(err)
	}
	c, err := scheme.Card(tdes(t, is.ac), tdes(t, is.smi), tdes(t, unhex(t, smc)), pan, psn)
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.Scripts(uint16(ask.ATC), ask.ARQC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if newPIN == "" {
		return session.APDU(command, nil)
	}
	apdu, err := c.PINChange(session, newPIN, "")
	if err != nil {
		t.Fatal(err)
	}
	return apdu
}

// live begins a transaction and gives the card an issuer's command in it.
func (is issuer) live(t testing.TB, c *card.Simulated, command emv.Command, newPIN string) error {
	t.Helper()
	reader := card.NewReader(c)
	ask, err := reader.AskScript(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return reader.ApplyScript(t.Context(), is.schemeScript(t, ask, command, newPIN))
}

func status(t testing.TB, c card.Transport, command string) string {
	t.Helper()
	answer, err := c.Transmit(t.Context(), unhex(t, command))
	if err != nil || len(answer) < 2 {
		t.Fatal(answer, err)
	}
	return strings.ToUpper(hex.EncodeToString(answer[len(answer)-2:]))
}

func TestANewPINTakesTheOldOnesPlace(t *testing.T) {
	t.Parallel()
	c, is := newCard(t)
	reader := card.NewReader(c)
	for range 3 {
		_, _ = reader.Code(t.Context(), pinOf(t, "0000"), emv.Transaction{Mode: emv.Mode2})
	}
	if err := is.live(t, c, emv.PINChangeWithoutOld, "7093"); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Code(t.Context(), pinOf(t, "4821"), emv.Transaction{Mode: emv.Mode2}); err == nil {
		t.Error("the old PIN still works")
	}
	code, err := reader.Code(t.Context(), pinOf(t, "7093"), emv.Transaction{Mode: emv.Mode2})
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := is.verify(t, code, emv.Transaction{Mode: emv.Mode2}, 4, 0, 1); !ok || m.Scripts != 1 {
		t.Errorf("after the change: %+v %v", m, ok)
	}
}

func TestABlockedApplicationDeclinesUntilItIsUnblockedAndABlockedCardIsSilent(t *testing.T) {
	t.Parallel()
	c, is := newCard(t)
	if err := is.live(t, c, emv.ApplicationBlock, ""); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "card.json")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	c, err := card.Open(path)
	if err != nil || !c.Status().Blocked {
		t.Fatal("the file forgot the block", err)
	}
	if got := status(t, c, selectCAP); got != "6283" {
		t.Errorf("SELECT of a blocked application: %s", got)
	}
	if _, err := card.NewReader(c).Code(t.Context(), pinOf(t, "4821"), emv.Transaction{Mode: emv.Mode2}); !errors.Is(err, card.ErrStopped) {
		t.Errorf("a code of a blocked application: %v", err)
	}
	if err := is.live(t, c, emv.ApplicationUnblock, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := card.NewReader(c).Code(t.Context(), pinOf(t, "4821"), emv.Transaction{Mode: emv.Mode2}); err != nil {
		t.Error("after the unblocking:", err)
	}
	if err := is.live(t, c, emv.CardBlock, ""); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{selectCAP, "80A8000002830000", "84180000080102030405060708"} {
		if got := status(t, c, command); got != "6A81" {
			t.Errorf("%s of a blocked card: %s", command, got)
		}
	}
}

// master is the issuer's key of personalisation.
const master = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"

// personalisation is what the host sends to a blank chip, from INITIALIZE UPDATE.
func personalisation(t testing.TB, blank *card.Simulated, masterKey string) (commands [][]byte, err error) {
	t.Helper()
	host := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	if got := status(t, blank, selectCAP); got != "9000" {
		t.Fatal(got)
	}
	answer, err := blank.Transmit(t.Context(), append([]byte{0x80, 0x50, 0, 0, 8}, append(host[:], 0)...))
	if err != nil || len(answer) != 31 {
		t.Fatal(answer, err)
	}
	keys, err := gp.Diversify(crypt.Key(unhex(t, masterKey)), gp.TemplateKDF3, [10]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	channel, err := gp.OpenSCP03(keys, host, answer[:29])
	if err != nil {
		return nil, err
	}
	block, err := pinblock.EncodeISO2("4821")
	if err != nil {
		t.Fatal(err)
	}
	dek, err := gp.NewDataKey(keys.DEK)
	if err != nil {
		t.Fatal(err)
	}
	dgis, err := emv.BuildDGIsUnder(emv.SecurAccess(), emv.CardData{
		PAN: pan, PSN: psn, Expiry: "2911", AC: unhex(t, "0123456789ABCDEFFEDCBA9876543210"),
		SMI: unhex(t, "FEDCBA98765432100123456789ABCDEF"), SMC: unhex(t, smc), PINBlock: block[:],
	}, dek.Encipher)
	if err != nil {
		t.Fatal(err)
	}
	authenticate, err := channel.ExternalAuthenticate(0x03)
	if err != nil {
		t.Fatal(err)
	}
	commands = append(commands, authenticate)
	for i, d := range dgis {
		grouping, err := emv.EncodeDGIs([]emv.DGI{d})
		if err != nil {
			t.Fatal(err)
		}
		command, err := channel.Wrap(gp.StoreData(byte(i), i == len(dgis)-1, d.ID&0xFFEF == 0x8000, grouping))
		if err != nil {
			t.Fatal(err)
		}
		commands = append(commands, command)
	}
	return commands, nil
}

func blankCard(t testing.TB) *card.Simulated {
	t.Helper()
	blank, err := card.NewBlank(unhex(t, master), [10]byte{9, 8, 7, 6, 5, 4, 3, 2, 1, 0})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "blank.json")
	if err := blank.Save(path); err != nil {
		t.Fatal(err)
	}
	if blank, err = card.Open(path); err != nil || !blank.Status().Blank {
		t.Fatal("a blank card's file:", err)
	}
	blank.Keep(path)
	return blank
}

func TestABlankCardIsMadeOverSCP03(t *testing.T) {
	t.Parallel()
	blank := blankCard(t)
	if _, err := personalisation(t, blank, strings.Repeat("AB", 32)); !errors.Is(err, crypt.ErrMismatch) {
		t.Fatal("another master key opens the card:", err)
	}
	commands, err := personalisation(t, blank, master)
	if err != nil {
		t.Fatal(err)
	}
	for i, command := range commands {
		if got := status(t, blank, hex.EncodeToString(command)); got != "9000" {
			t.Fatalf("command %d: %s", i, got)
		}
	}
	if blank.Status().Blank || blank.Status().Last4 != pan[12:] {
		t.Errorf("made: %+v", blank.Status())
	}
	if _, err := card.NewReader(blank).Code(t.Context(), pinOf(t, "4821"), emv.Transaction{Mode: emv.Mode2}); err != nil {
		t.Error(err)
	}
	if got := status(t, blank, "80500000080102030405060708"); got != "6D00" {
		t.Errorf("a made card is opened again: %s", got)
	}
}

func TestABlankCardThatIsInterruptedOrLiedToStaysBlank(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(c *card.Simulated, commands [][]byte) [][]byte{
		"pulled out in the middle": func(c *card.Simulated, commands [][]byte) [][]byte {
			for _, command := range commands[:4] {
				_, _ = c.Transmit(t.Context(), command)
			}
			c.Remove()
			return commands[4:]
		},
		"a byte changed":       func(_ *card.Simulated, c [][]byte) [][]byte { c[3][9] ^= 1; return c },
		"a command left out":   func(_ *card.Simulated, c [][]byte) [][]byte { return append(c[:2:2], c[3:]...) },
		"a command twice":      func(_ *card.Simulated, c [][]byte) [][]byte { return append(c[:3:3], c[2:]...) },
		"a wrong host":         func(_ *card.Simulated, c [][]byte) [][]byte { c[0][6] ^= 1; return c },
		"nobody authenticated": func(_ *card.Simulated, c [][]byte) [][]byte { return c[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blank := blankCard(t)
			commands, err := personalisation(t, blank, master)
			if err != nil {
				t.Fatal(err)
			}
			last := ""
			for _, command := range spoil(blank, commands) {
				last = status(t, blank, hex.EncodeToString(command))
			}
			if last == "9000" || !blank.Status().Blank {
				t.Errorf("%s, %+v", last, blank.Status())
			}
			if commands, err = personalisation(t, blank, master); err != nil {
				t.Fatal(err)
			}
			for _, command := range commands {
				last = status(t, blank, hex.EncodeToString(command))
			}
			if last != "9000" || blank.Status().Blank {
				t.Errorf("begun again: %s, %+v", last, blank.Status())
			}
		})
	}
}

func TestWhatACardCountsIsKeptBeforeItAnswers(t *testing.T) {
	t.Parallel()
	c, _ := newCard(t)
	path := filepath.Join(t.TempDir(), "card.json")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	c.Keep(path)
	for i, command := range []string{selectCAP, "80A8000002830000", "0020008008241111FFFFFFFFFF"} {
		status(t, c, command)
		kept, err := card.Open(path)
		if err != nil || kept.Status() != c.Status() {
			t.Errorf("after command %d: kept %+v, is %+v, %v", i, kept.Status(), c.Status(), err)
		}
	}
	if c.Status().TriesLeft != 2 || c.Status().ATC != 1 {
		t.Errorf("%+v", c.Status())
	}
	c.Keep(filepath.Join(path, "no", "folder"))
	if _, err := c.Transmit(t.Context(), unhex(t, "0020008008241111FFFFFFFFFF")); err == nil {
		t.Error("the card answers although it could not keep the wrong PIN")
	}
}

// say sends a message to a card in a virtual reader, and reads its answer if one
// is due.
func say(t *testing.T, reader net.Conn, message string, answers bool) string {
	t.Helper()
	data := unhex(t, message)
	if _, err := reader.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(data))), data...)); err != nil {
		t.Fatal(err)
	}
	if !answers {
		return ""
	}
	var n [2]byte
	if _, err := io.ReadFull(reader, n[:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(n[:]))
	if _, err := io.ReadFull(reader, answer); err != nil {
		t.Fatal(err)
	}
	return strings.ToUpper(hex.EncodeToString(answer))
}

func TestACardInTheVirtualReader(t *testing.T) {
	t.Parallel()
	c, _ := newCard(t)
	daemon, chip := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- card.ServeVPCD(t.Context(), chip, c) }()
	say(t, daemon, "01", false)
	if atr := say(t, daemon, "04", true); atr != "3B80800101" {
		t.Errorf("ATR %s", atr)
	}
	if pse := say(t, daemon, "00A404000E315041592E5359532E444446303100", true); pse != "6A82" {
		t.Errorf("PSE: %s", pse)
	}
	if got := say(t, daemon, selectCAP, true); !strings.HasSuffix(got, "9000") {
		t.Error(got)
	}
	if got := say(t, daemon, "80CA9F1700", true); got != "9F1701039000" {
		t.Error(got)
	}
	say(t, daemon, "02", false)
	if got := say(t, daemon, "80CA9F1700", true); got != "6985" {
		t.Errorf("after a reset the application is still selected: %s", got)
	}
	if _, err := daemon.Write([]byte{0, 9, 0}); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Close()
	if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut message: %v", err)
	}
}

// FuzzSession plays several commands, each with its length in front, to a card
// and to a blank one: whatever comes, they answer, and no blank card is made.
func FuzzSession(f *testing.F) {
	var whole []byte
	for _, command := range []string{selectCAP, "80A8000002830000", "00B2010C00", "80CA9F1700", "0020008008244821FFFFFFFFFF", "84240000080102030405060708", "80500000080102030405060708", "84E28000080102030405060708"} {
		data := unhex(f, command)
		whole = append(append(whole, byte(len(data))), data...)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, stream []byte) {
		made, _ := newCard(t)
		blank, err := card.NewBlank(bytes.Repeat([]byte{7}, 16), [10]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		for len(stream) > 0 {
			n := min(int(stream[0]), len(stream)-1)
			for _, c := range []*card.Simulated{made, blank} {
				if answer, err := c.Transmit(t.Context(), stream[1:1+n]); err != nil || len(answer) < 2 || len(answer) > 258 {
					t.Fatalf("answer of %d bytes, %v", len(answer), err)
				}
			}
			stream = stream[1+n:]
		}
		if s := made.Status(); s.TriesLeft > 3 || s.Blocked || s.Scripts != 0 || !blank.Status().Blank {
			t.Errorf("without the issuer: %+v, blank %v", s, blank.Status().Blank)
		}
	})
}
