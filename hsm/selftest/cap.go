package selftest

import (
	"bytes"
	"fmt"
	"strings"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

// capCard is one card of an end-to-end row: the bank's own profile with the row's
// bitmap, flags and issuer application data.
type capCard struct {
	profile emv.CAPProfile
	cvr     emv.CVR
	scripts int // issuer scripts that the card's CVR says it has seen
	imk     *crypt.TDES
	mk      *crypt.TDES
	pan     string
	psn     string
}

func (c *check) capCard(imk crypt.Hex, pan, psn string, ipb, iaf, iad crypt.Hex) *capCard {
	if len(iad) < 8 || len(iaf) != 1 {
		c.that("iad or iaf_9f55", false)
		return nil
	}
	card := &capCard{profile: emv.SecurAccess(), cvr: emv.CVR(iad[2:8]), imk: c.tdes("imk_ac", imk), pan: pan, psn: psn}
	if card.imk == nil {
		return nil
	}
	mk, err := emv.CardMasterKey(card.imk, card.profile.Option, pan, psn)
	if c.fails("icc_mk_ac", err) {
		return nil
	}
	if card.mk = c.tdes("icc_mk_ac", crypt.Hex(mk)); card.mk == nil {
		return nil
	}
	base := card.cvr
	base[2] &= 0x0F // what the card had before any script
	base[4] &^= 0x02
	card.scripts = int(card.cvr[2] >> 4)
	p := &card.profile
	p.IPB, p.IAF, p.CVR = ipb, iaf, base[:]
	p.IADPrefix, p.IADSuffix, p.PTL = iad[:2], iad[8:], int(base[2])
	return card
}

// code is what the card's reader shows for a transaction.
func (k *capCard) code(t emv.Transaction, atc uint16) (reader emv.ReaderData, input []byte, arqc [8]byte, err error) {
	terminal, err := emv.TerminalData(k.profile.CDOL1, k.profile.IAF[0], t)
	if err != nil {
		return reader, nil, arqc, fmt.Errorf("terminal data: %w", err)
	}
	input = k.profile.CryptogramInput(terminal, atc, k.cvr)
	arqc = k.profile.CardCryptogram(k.mk, terminal, atc, k.cvr)
	ac := arqc
	if t.Mode == emv.Mode2TDS {
		if ac, err = emv.MixTDS(arqc, t.TDS); err != nil {
			return reader, nil, arqc, fmt.Errorf("mix the data fields: %w", err)
		}
	}
	return emv.ReaderData{
		IPB: k.profile.IPB, IAF: k.profile.IAF[0], PSN: k.psn, CID: 0x80, ATC: atc, AC: ac, IAD: k.profile.IAD(k.cvr),
	}, input, arqc, nil
}

type codeRow struct {
	about
	IMKAC     crypt.Hex `json:"imk_ac"`
	PAN       string    `json:"pan"`
	PSN       string    `json:"psn"`
	ICCMK     crypt.Hex `json:"icc_mk_ac"`
	SKAC      crypt.Hex `json:"sk_ac"`
	IAF       crypt.Hex `json:"iaf_9f55"`
	IPB       crypt.Hex `json:"ipb_9f56"`
	CID       crypt.Hex `json:"cid"`
	IAD       crypt.Hex `json:"iad"`
	CVR       crypt.Hex `json:"cvr"`
	ATC       crypt.Hex `json:"atc"`
	Mode      string    `json:"mode"`
	Challenge string    `json:"challenge"`
	Amount    string    `json:"amount"`
	Currency  string    `json:"currency"`
	TDS       []string  `json:"tds_fields"`
	Input     crypt.Hex `json:"ac_input"`
	ARQC      crypt.Hex `json:"arqc"`
	ACUsed    crypt.Hex `json:"ac_used"`
	Bits      int       `json:"bits_selected"`
	Decimal   uint64    `json:"code_decimal"`
	Code      string    `json:"code_8"`
}

// runCode goes all the way: issuer's key, card, cryptogram, code; and the verifier
// finds that code and no other.
func runCode(c *check, row codeRow) {
	card := c.capCard(row.IMKAC, row.PAN, row.PSN, row.IPB, row.IAF, row.IAD)
	atc, ok := c.counter("atc", row.ATC)
	mode, err := emv.ParseMode(strings.TrimSuffix(row.Mode, " after script"))
	if card == nil || !ok || c.fails("mode", err) {
		return
	}
	mk, err := emv.CardMasterKey(card.imk, card.profile.Option, row.PAN, row.PSN)
	if !c.fails("icc_mk_ac", err) {
		c.bytes("icc_mk_ac", row.ICCMK, mk)
	}
	c.bytes("sk_ac", row.SKAC, emv.SessionKey(card.mk, emv.ATCDiversifier(atc)))
	c.bytes("cvr", row.CVR, card.cvr[:])
	c.that("mode", strings.HasSuffix(row.Mode, " after script") == (card.scripts > 0))
	t := emv.Transaction{Mode: mode, Challenge: row.Challenge, Amount: row.Amount, Currency: row.Currency, TDS: row.TDS}
	reader, input, arqc, err := card.code(t, atc)
	if c.fails("code_8", err) {
		return
	}
	c.bytes("cid", row.CID, []byte{reader.CID})
	c.bytes("iad", row.IAD, reader.IAD)
	c.bytes("ac_input", row.Input, input)
	c.bytes("arqc", row.ARQC, arqc[:])
	c.bytes("ac_used", row.ACUsed, reader.AC[:])
	c.selected(reader, row.Bits, row.Decimal, row.Code)
	v, err := emv.NewVerifier(card.profile, card.imk)
	if c.fails("verifier", err) {
		return
	}
	match, found, err := v.Verify(emv.Query{
		PAN: row.PAN, PSN: row.PSN, Transaction: t, Code: row.Code, LastATC: atc - 1, Window: 1, Scripts: []int{card.scripts},
	})
	c.that("code verified", err == nil && found && match == emv.Match{ATC: atc, Scripts: card.scripts})
}

// selected compares the bits that the bitmap selects, as number and as code.
func (c *check) selected(reader emv.ReaderData, bits int, decimal uint64, code string) {
	value, n, err := reader.Select()
	if c.fails("code_decimal", err) {
		return
	}
	got, err := reader.Code()
	c.that("code_8", err == nil && got == code)
	c.that("code_decimal", value == decimal)
	c.that("bits_selected", n == bits)
}

type resyncRow struct {
	about
	Kind     string      `json:"kind"`
	PAN      string      `json:"pan"`
	PSN      string      `json:"psn"`
	IMKAC    crypt.Hex   `json:"imk_ac"`
	IPB      crypt.Hex   `json:"ipb_9f56"`
	IAF      crypt.Hex   `json:"iaf_9f55"`
	IAD      crypt.Hex   `json:"iad"`
	Last     crypt.Hex   `json:"last_accepted_atc"`
	Window   int         `json:"window"`
	Code     string      `json:"code_8"`
	True     crypt.Hex   `json:"true_atc"`
	Accepted crypt.Hex   `json:"accepted_atc"`
	Matching []crypt.Hex `json:"all_matching_atcs_in_window"`
	Expect   string      `json:"expect"`
}

// runResync has the verifier look for every counter in the window that gives the
// code, and the card make the code again.
func runResync(c *check, row resyncRow) {
	c.that("kind", row.Kind == "verify")
	card := c.capCard(row.IMKAC, row.PAN, row.PSN, row.IPB, row.IAF, row.IAD)
	last, ok := c.counter("last_accepted_atc", row.Last)
	atc, also := c.counter("true_atc", row.True)
	if card == nil || !ok || !also || row.Window < 0 || row.Window > 0xFFFF {
		c.that("window", row.Window >= 0 && row.Window <= 0xFFFF)
		return
	}
	t := emv.Transaction{Mode: emv.Mode2}
	reader, _, _, err := card.code(t, atc)
	if !c.fails("code_8", err) {
		code, err := reader.Code()
		c.that("code_8", err == nil && code == row.Code)
	}
	v, err := emv.NewVerifier(card.profile, card.imk)
	if c.fails("verifier", err) {
		return
	}
	var found []crypt.Hex
	for end := int(last) + row.Window; int(last) < end; {
		m, ok, err := v.Verify(emv.Query{
			PAN: row.PAN, PSN: row.PSN, Transaction: t, Code: row.Code, LastATC: last, Window: end - int(last), Scripts: []int{card.scripts},
		})
		if c.fails("accepted_atc", err) {
			return
		}
		if !ok {
			break
		}
		last = m.ATC
		found = append(found, crypt.Hex{byte(last >> 8), byte(last & 0xFF)})
	}
	c.that("all_matching_atcs_in_window", fmt.Sprint(found) == fmt.Sprint(row.Matching))
	c.that("expect", (row.Expect == "accept") == (len(found) > 0) && (row.Expect == "accept" || row.Expect == "reject"))
	if len(found) == 0 {
		c.that("accepted_atc", row.Accepted == nil)
		return
	}
	c.that("accepted_atc", bytes.Equal(row.Accepted, found[0]))
}
