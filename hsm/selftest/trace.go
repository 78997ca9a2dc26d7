package selftest

import (
	"bytes"
	"regexp"
	"strings"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
)

// traceCard is the card that the traces of a file were recorded with.
type traceCard struct {
	AID       crypt.Hex `json:"aid"`
	PAN       string    `json:"pan"`
	PSN       string    `json:"psn"`
	PIN       string    `json:"pin"`
	IMKAC     crypt.Hex `json:"imk_ac"`
	IMKSMI    crypt.Hex `json:"imk_smi"`
	IMKSMC    crypt.Hex `json:"imk_smc"`
	IAF       crypt.Hex `json:"iaf_9f55"`
	IPB       crypt.Hex `json:"ipb_9f56"`
	BeforeATC crypt.Hex `json:"atc_before_first_run"`
	Note      string    `json:"note"`
}

type traceRow struct {
	about
	What  string `json:"what"`
	PIN   string `json:"pin_typed"`
	Shows string `json:"reader_shows"`
	APDUs []struct {
		Command crypt.Hex `json:"c"`
		Answer  crypt.Hex `json:"r"`
	} `json:"apdus"`
}

// trace is a conversation as far as it was judged.
type trace struct {
	*check
	card    *traceCard
	row     traceRow
	record  []byte // template 70
	tries   int    // tries left, by GET DATA
	codes   int    // codes that were made
	refused bool   // a wrong PIN was typed, with tries left
	asked   bool   // a first cryptogram came
	atc     uint16
}

// runTrace judges each command of a reader and each answer of its card.
func runTrace(c *check, f file, row traceRow) {
	if f.Card == nil || len(f.Card.IAF) != 1 {
		c.that("card", false)
		return
	}
	t := trace{check: c, card: f.Card, row: row, tries: -1}
	for _, x := range row.APDUs {
		if len(x.Command) < 5 || len(x.Answer) < 2 {
			c.that("apdus", false)
			return
		}
		n := len(x.Answer) - 2
		t.exchange(x.Command, x.Answer[:n], [2]byte(x.Answer[n:]))
	}
	isCode := crypt.IsDigits(row.Shows, 8, 20)
	c.that("reader_shows", isCode == (t.codes == 1) && (!t.refused || row.Shows == "wrong PIN"))
}

func (t *trace) exchange(command, answer []byte, status [2]byte) {
	t.that("length of a command", int(command[4]) == len(command)-5 || int(command[4]) == len(command)-6 && command[len(command)-1] == 0)
	done := status == [2]byte{0x90, 0x00}
	data := command[5:min(len(command), 5+int(command[4]))]
	switch [2]byte(command) {
	case [2]byte{0x00, 0xA4}:
		name := emv.FindTLV(answer, 0x6F, 0x84)
		t.that("SELECT", done && bytes.Equal(data, t.card.AID) && bytes.Equal(name, t.card.AID))
	case [2]byte{0x80, 0xA8}:
		profile := emv.SecurAccess()
		t.that("GET PROCESSING OPTIONS", done && bytes.Equal(data, []byte{0x83, 0}) &&
			bytes.Equal(emv.FindTLV(answer, 0x77, 0x82), profile.AIP) && bytes.Equal(emv.FindTLV(answer, 0x77, 0x94), profile.AFL))
	case [2]byte{0x00, 0xB2}:
		t.that("READ RECORD", done && t.readRecord(command, answer))
	case [2]byte{0x80, 0xCA}:
		t.that("GET DATA", done && command[2] == 0x9F && command[3] == 0x17 && t.readTries(answer))
	case [2]byte{0x00, 0x20}:
		block, err := pinblock.EncodeISO2(t.row.PIN)
		t.refused = status[0] == 0x63
		t.that("VERIFY", err == nil && command[3] == 0x80 && bytes.Equal(data, block[:]) && status == t.verified())
	case [2]byte{0x80, 0xAE}:
		t.generate(command[2], data, answer, done)
	default:
		t.that("command", false)
	}
}

func (t *trace) readRecord(command, answer []byte) bool {
	t.record = answer
	field := func(tag uint32) crypt.Hex { return emv.FindTLV(answer, 0x70, tag) }
	afl := emv.SecurAccess().AFL
	pan := strings.TrimSuffix(field(0x5A).String(), "F")
	return command[2] == afl[1] && command[3] == afl[0]|0x04 && pan == t.card.PAN && field(0x5F34).String() == t.card.PSN &&
		bytes.Equal(field(0x9F55), t.card.IAF) && bytes.Equal(field(0x9F56), t.card.IPB) &&
		bytes.Equal(field(0x8D), append([]byte{0x8A, 2}, field(0x8C)...))
}

func (t *trace) readTries(answer []byte) bool {
	v := emv.FindTLV(answer, 0x9F17)
	if len(v) != 1 {
		return false
	}
	t.tries = int(v[0])
	return t.tries <= 15
}

// verified is the status word that VERIFY must have (EMV Book 3 §6.5.12).
func (t *trace) verified() [2]byte {
	switch {
	case t.tries == 0:
		return [2]byte{0x69, 0x83}
	case t.row.PIN == t.card.PIN:
		return [2]byte{0x90, 0x00}
	}
	return [2]byte{0x63, 0xC0 | byte((t.tries-1)&0x0F)}
}

var numbers = regexp.MustCompile(`\d+`)

// typed reads what was typed out of the row's words, "mode 1, challenge 1234", and
// out of the number that reached the card.
func (t *trace) typed(un string) (emv.Transaction, bool) {
	words := numbers.FindAllString(t.row.What, -1)
	if len(words) == 0 || !strings.HasPrefix(t.row.What, "mode ") {
		return emv.Transaction{}, false
	}
	tx := emv.Transaction{Mode: emv.Mode(words[0])}
	challenge := strings.TrimLeft(un, "0")
	switch {
	case tx.Mode != emv.Mode2:
		tx.Challenge = challenge
		if len(words) > 1 && strings.TrimLeft(words[len(words)-1], "0") != challenge {
			return tx, false
		}
	case len(words) > 1:
		tx.Mode, tx.TDS = emv.Mode2TDS, words[1:]
	}
	return tx, tx.Check() == nil
}

// generate judges GENERATE AC: the reader's data, the card's cryptogram, and after
// the first one the code.
func (t *trace) generate(p1 byte, data, answer []byte, done bool) {
	first := p1 == 0x80
	profile := emv.SecurAccess()
	dol := emv.FindTLV(t.record, 0x70, 0x8C)
	un := "" // the unpredictable number ends this card's list
	if len(data) >= 4 && bytes.HasSuffix(dol, []byte{0x9F, 0x37, 4}) {
		un = crypt.Hex(data[len(data)-4:]).String()
	}
	tx, ok := t.typed(un)
	terminal, err := emv.TerminalData(dol, t.card.IAF[0], tx)
	ac, counter := emv.FindTLV(answer, 0x77, 0x9F26), emv.FindTLV(answer, 0x77, 0x9F36)
	if !ok || !done || err != nil || len(ac) != 8 || len(counter) != 2 || len(t.card.BeforeATC) != 2 {
		t.that("GENERATE AC", false)
		return
	}
	atc := uint16(counter[0])<<8 | uint16(counter[1])
	cid, cvr, want := byte(0x80), profile.ExpectedCVR(0), terminal
	if !first { // the response code is no part of this card's cryptogram
		cid, cvr, want = 0, cvr.SecondAAC(), append([]byte{0x5A, 0x33}, terminal...)
		t.that("ATC", t.asked && atc == t.atc)
	}
	t.asked, t.atc = true, atc
	t.that("GENERATE AC data", bytes.Equal(data, want) && (first || p1 == 0))
	t.that("ATC", bytes.Compare(counter, t.card.BeforeATC) > 0)
	imk := t.tdes("imk_ac", t.card.IMKAC)
	if imk == nil {
		return
	}
	mk, err := emv.CardMasterKey(imk, emv.OptionA, t.card.PAN, t.card.PSN)
	if t.fails("imk_ac", err) {
		return
	}
	key := t.tdes("imk_ac", crypt.Hex(mk))
	if key == nil {
		return
	}
	made := profile.CardCryptogram(key, terminal, atc, cvr)
	t.that("GENERATE AC answer", bytes.Equal(emv.FindTLV(answer, 0x77, 0x9F27), []byte{cid}) &&
		bytes.Equal(ac, made[:]) && bytes.Equal(emv.FindTLV(answer, 0x77, 0x9F10), profile.IAD(cvr)))
	if first {
		t.code(tx, atc, made, profile.IAD(cvr))
	}
}

func (t *trace) code(tx emv.Transaction, atc uint16, ac [8]byte, iad crypt.Hex) {
	if tx.Mode == emv.Mode2TDS {
		mixed, err := emv.MixTDS(ac, tx.TDS)
		if t.fails("reader_shows", err) {
			return
		}
		ac = mixed
	}
	shows, err := emv.ReaderData{IPB: t.card.IPB, IAF: t.card.IAF[0], PSN: t.card.PSN, CID: 0x80, ATC: atc, AC: ac, IAD: iad}.Code()
	t.that("reader_shows", err == nil && shows == t.row.Shows)
	t.codes++
}
