package selftest

import (
	"strings"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

type cryptogramRow struct {
	about
	Op      string    `json:"op"`
	SKAC    crypt.Hex `json:"sk_ac"`
	Data    crypt.Hex `json:"data"`
	Padding string    `json:"padding"`
	AC      crypt.Hex `json:"ac"`
	// Where the row begins with the issuer's key:
	IMKAC   crypt.Hex `json:"imk_ac"`
	Option  string    `json:"mk_option"`
	PAN     string    `json:"pan"`
	PSN     string    `json:"psn"`
	Session string    `json:"session"`
	ATC     crypt.Hex `json:"atc"`
	UN      crypt.Hex `json:"un"`
}

func runCryptogram(c *check, row cryptogramRow) {
	c.that("op", row.Op == "AC")
	pad, ok := c.padding(row.Padding)
	if !ok {
		return
	}
	sk := row.SKAC
	if row.IMKAC != nil {
		derived := c.cryptogramKey(row)
		if derived == nil {
			return
		}
		c.bytes("sk_ac", row.SKAC, derived)
		sk = crypt.Hex(derived)
	}
	if key := c.tdes("sk_ac", sk); key != nil {
		ac := emv.Cryptogram(key, row.Data, pad)
		c.that("ac", crypt.Equal(row.AC, ac[:]))
	}
}

func (c *check) padding(text string) (crypt.Padding, bool) {
	switch text {
	case "80", "ISO9797-1 method 2 (80..)":
		return crypt.PadOne, true
	case "00", "ISO9797-1 method 1 (00..)":
		return crypt.PadZeros, true
	}
	c.that("padding", false)
	return 0, false
}

func (c *check) cryptogramKey(row cryptogramRow) crypt.Key {
	imk := c.tdes("imk_ac", row.IMKAC)
	atc, ok := c.counter("atc", row.ATC)
	if !ok || imk == nil || len(row.UN) != 4 {
		c.that("un", len(row.UN) == 4)
		return nil
	}
	mk, err := emv.CardMasterKey(imk, emv.Option(row.Option), row.PAN, row.PSN)
	if c.fails("sk_ac", err) {
		return nil
	}
	block := c.tdes("sk_ac", crypt.Hex(mk))
	if block == nil {
		return nil
	}
	switch row.Session {
	case "none (ICC MK)":
		return mk
	case "M/Chip SKD":
		return emv.SessionKey(block, emv.MChipDiversifier(atc, [4]byte(row.UN)))
	case "EMV CSK":
		return emv.SessionKey(block, emv.ATCDiversifier(atc))
	}
	c.that("session", false)
	return nil
}

type answerRow struct {
	about
	Op      string    `json:"op"`
	Key     crypt.Hex `json:"key"`
	KeyKind string    `json:"key_kind"`
	SKAC    crypt.Hex `json:"sk_ac"`
	ARQC    crypt.Hex `json:"arqc"`
	ARC     crypt.Hex `json:"arc"`
	CSU     crypt.Hex `json:"csu"`
	Auth    crypt.Hex `json:"prop_auth_data"`
	ARPC    crypt.Hex `json:"arpc"`
	Tag91   crypt.Hex `json:"tag91"`
	IMKAC   crypt.Hex `json:"imk_ac"`
	PAN     string    `json:"pan"`
	PSN     string    `json:"psn"`
}

func runAnswer(c *check, row answerRow) {
	text := row.Key
	if text == nil {
		text = row.SKAC
	}
	key := c.tdes("key", text)
	arqc, ok := c.eight("arqc", row.ARQC)
	if key == nil || !ok {
		return
	}
	if row.IMKAC != nil && row.KeyKind == "ICC MK" {
		c.derived("key", row.Key, row.IMKAC, row.PAN, row.PSN)
	}
	var arpc, response []byte
	switch {
	case row.Op == "ARPC1" && len(row.ARC) == 2 && row.CSU == nil:
		out := emv.ARPC1(key, arqc, [2]byte(row.ARC))
		arpc, response = out[:], row.ARC
	case row.Op == "ARPC2" && len(row.CSU) == 4 && len(row.Auth) <= 8 && row.ARC == nil:
		out := emv.ARPC2(key, arqc, [4]byte(row.CSU), row.Auth)
		arpc, response = out[:], append(row.CSU[:4:4], row.Auth...)
	default:
		c.that("op, arc or csu", false)
		return
	}
	c.that("arpc", crypt.Equal(row.ARPC, arpc))
	c.bytes("tag91", row.Tag91, append(arpc, response...))
}

// derived compares a card's master key with the one that option A gives.
func (c *check) derived(field string, want, imk crypt.Hex, pan, psn string) {
	block := c.tdes(field, imk)
	if block == nil {
		return
	}
	mk, err := emv.CardMasterKey(block, emv.OptionA, pan, psn)
	if !c.fails(field, err) {
		c.bytes(field, want, mk)
	}
}

type profileRow struct {
	about
	Profile     string    `json:"profile"`
	IMKAC       crypt.Hex `json:"imk_ac"`
	IMKSMI      crypt.Hex `json:"imk_smi"`
	IMKSMC      crypt.Hex `json:"imk_smc"`
	PAN         string    `json:"pan"`
	PSN         string    `json:"psn"`
	AC          crypt.Hex `json:"icc_mk_ac"`
	SMI         crypt.Hex `json:"icc_mk_smi"`
	SMC         crypt.Hex `json:"icc_mk_smc"`
	Inputs      inputs    `json:"inputs"`
	ARQC        crypt.Hex `json:"arqc"`
	Response    crypt.Hex `json:"arc_or_csu"`
	ARPC        crypt.Hex `json:"arpc"`
	Unblock     crypt.Hex `json:"pin_unblock_apdu"`
	NewPIN      string    `json:"new_pin"`
	Change      crypt.Hex `json:"pin_change_apdu_p2_02"`
	CurrentPIN  string    `json:"current_pin"`
	ChangeWith  crypt.Hex `json:"pin_change_apdu_p2_01"`
	NotAsserted []string  `json:"not_in_hsm_test"`
}

type inputs struct {
	Amount   crypt.Hex `json:"tag_9f02"`
	Other    crypt.Hex `json:"tag_9f03"`
	Country  crypt.Hex `json:"tag_9f1a"`
	TVR      crypt.Hex `json:"tag_95"`
	Currency crypt.Hex `json:"tag_5f2a"`
	Date     crypt.Hex `json:"tag_9a"`
	Type     crypt.Hex `json:"tag_9c"`
	UN       crypt.Hex `json:"tag_9f37"`
	AIP      crypt.Hex `json:"tag_82"`
	ATC      crypt.Hex `json:"tag_9f36"`
	IAD      crypt.Hex `json:"tag_9f10"`
	CVR      crypt.Hex `json:"cvr"`
	Counters crypt.Hex `json:"counters"`
}

func (i inputs) transaction() emv.SchemeTransaction {
	return emv.SchemeTransaction{
		Amount9F02: i.Amount, Other9F03: i.Other, Country9F1A: i.Country, TVR95: i.TVR,
		Currency5F2A: i.Currency, Date9A: i.Date, Type9C: i.Type, UN9F37: i.UN, AIP82: i.AIP,
		ATC9F36: i.ATC, IAD9F10: i.IAD, CVR: i.CVR, Counters: i.Counters,
	}
}

func runProfile(c *check, row profileRow) {
	scheme, err := emv.SchemeByName(row.Profile)
	imkAC, imkSMI, imkSMC := c.tdes("imk_ac", row.IMKAC), c.tdes("imk_smi", row.IMKSMI), c.tdes("imk_smc", row.IMKSMC)
	if c.fails("profile", err) || imkAC == nil || imkSMI == nil || imkSMC == nil {
		return
	}
	card, err := scheme.Card(imkAC, imkSMI, imkSMC, row.PAN, row.PSN)
	if c.fails("icc_mk_ac", err) {
		return
	}
	c.bytes("icc_mk_ac", row.AC, card.AC)
	c.bytes("icc_mk_smi", row.SMI, card.SMI)
	c.bytes("icc_mk_smc", row.SMC, card.SMC)
	arqc, err := card.Cryptogram(row.Inputs.transaction())
	if c.fails("arqc", err) {
		return
	}
	c.that("arqc", crypt.Equal(row.ARQC, arqc[:]))
	if row.ARPC != nil {
		arpc, err := card.ARPC(row.Inputs.transaction(), arqc, row.Response)
		c.that("arpc", err == nil && crypt.Equal(row.ARPC, arpc))
	}
	atc, ok := c.counter("tag_9f36", row.Inputs.ATC)
	if !ok {
		return
	}
	session, err := card.Scripts(atc, arqc, 0)
	if c.fails("scripts", err) {
		return
	}
	c.bytes("pin_unblock_apdu", row.Unblock, session.APDU(emv.PINUnblockCommand, nil))
	c.change("pin_change_apdu_p2_02", row.Change, card, session, row.NewPIN, "")
	c.change("pin_change_apdu_p2_01", row.ChangeWith, card, session, row.NewPIN, row.CurrentPIN)
}

func (c *check) change(field string, want crypt.Hex, card emv.SchemeCard, s emv.ScriptSession, newPIN, currentPIN string) {
	if want == nil {
		return
	}
	apdu, err := card.PINChange(s, newPIN, currentPIN)
	c.that(field, err == nil && crypt.Equal(want, apdu))
}

type treeProfileRow struct {
	about
	Profile string    `json:"profile"`
	IMKAC   crypt.Hex `json:"imk_ac"`
	PAN     string    `json:"pan"`
	PSN     string    `json:"psn"`
	ICCMK   crypt.Hex `json:"icc_mk_ac"`
	ATC     crypt.Hex `json:"atc"`
	Height  int       `json:"height"`
	Branch  int       `json:"branch"`
	IV      crypt.Hex `json:"iv"`
	SKAC    crypt.Hex `json:"sk_ac"`
	Data    crypt.Hex `json:"data"`
	Padding string    `json:"padding"`
	AC      crypt.Hex `json:"ac"`
	ACZeros crypt.Hex `json:"ac_padding_00"`
}

// runTreeProfile computes VIS CVN 14. Public texts do not fix its padding, so the
// row has the cryptogram of both.
func runTreeProfile(c *check, row treeProfileRow) {
	c.that("profile", strings.HasPrefix(row.Profile, "VIS CVN14"))
	c.derived("icc_mk_ac", row.ICCMK, row.IMKAC, row.PAN, row.PSN)
	sk := c.sessionKey(sessionKeyRow{
		Method: "EMV2000-TREE", ICCMK: row.ICCMK, ATC: row.ATC, Height: row.Height, Branch: row.Branch, IV: row.IV,
	})
	pad, ok := c.padding(row.Padding)
	if sk == nil || !ok {
		return
	}
	c.bytes("sk_ac", row.SKAC, sk)
	key := c.tdes("sk_ac", crypt.Hex(sk))
	if key == nil {
		return
	}
	ac, zero := emv.Cryptogram(key, row.Data, pad), emv.Cryptogram(key, row.Data, crypt.PadZeros)
	c.that("ac", crypt.Equal(row.AC, ac[:]))
	c.bytes("ac_padding_00", row.ACZeros, zero[:])
}
