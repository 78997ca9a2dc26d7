package selftest

import (
	"strings"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/keyblock"
)

type masterKeyRow struct {
	about
	Option   string    `json:"option"`
	IMK      crypt.Hex `json:"imk"`
	IMKKCV   string    `json:"imk_kcv"`
	PAN      string    `json:"pan"`
	PSN      string    `json:"psn"`
	PSNGiven *bool     `json:"psn_given"` // false: the row's 00 is what a missing number means
	ICCMK    crypt.Hex `json:"icc_mk"`
	ICCMKKCV string    `json:"icc_mk_kcv"`
	HSMKCV   string    `json:"hsm_kcv"`
	Y        crypt.Hex `json:"y"`
}

func runMasterKey(c *check, row masterKeyRow) {
	c.that("icc_mk", len(row.ICCMK) > 0)
	if row.PSNGiven != nil && !*row.PSNGiven {
		c.that("psn", row.PSN == "00")
	}
	if row.Option == "C" {
		mk, err := emv.CardMasterKeyAES(crypt.Key(row.IMK), row.PAN, row.PSN)
		if !c.fails("icc_mk", err) {
			c.bytes("icc_mk", row.ICCMK, mk)
		}
		c.bytes("y", row.Y, crypt.PackBCD(row.PAN+row.PSN, 16))
		return
	}
	imk := c.tdes("imk", row.IMK)
	if imk == nil {
		return
	}
	mk, err := emv.CardMasterKey(imk, emv.Option(row.Option), row.PAN, row.PSN)
	if c.fails("icc_mk", err) {
		return
	}
	c.bytes("icc_mk", row.ICCMK, mk)
	c.kcv("imk_kcv", row.IMKKCV, row.IMK)
	c.kcv("icc_mk_kcv", row.ICCMKKCV, mk)
	c.hsmKCV(row.HSMKCV, mk)
}

// kcv compares a check value, unless the row leaves it out.
func (c *check) kcv(field, want string, key []byte) {
	if want == "" {
		return
	}
	got, err := keyblock.CheckValueTDES(key)
	c.that(field, err == nil && got == want)
}

// hsmKCV compares the two bytes that an HSM showed. Where an HSM was asked
// another way, the field says so in words.
func (c *check) hsmKCV(want string, key []byte) {
	if _, err := crypt.ParseHex(want); err != nil || want == "" {
		return
	}
	got, err := keyblock.CheckValueTDES(key)
	c.that("hsm_kcv", err == nil && strings.HasPrefix(got, want))
}

type decimaliseRow struct {
	about
	Option string    `json:"option"`
	SHA1   crypt.Hex `json:"sha1"`
	Y      string    `json:"y"`
}

func runDecimalise(c *check, row decimaliseRow) {
	c.that("option", row.Option == "B step 3")
	c.that("y", crypt.Decimalise(row.SHA1.String(), 16) == row.Y)
}

type sessionKeyRow struct {
	about
	Method     string    `json:"method"`
	ICCMK      crypt.Hex `json:"icc_mk"`
	R          crypt.Hex `json:"diversifier_r"`
	ATC        crypt.Hex `json:"atc"`
	Height     int       `json:"height"`
	Branch     int       `json:"branch"`
	IV         crypt.Hex `json:"iv"`
	SK         crypt.Hex `json:"sk"`
	OddParity  crypt.Hex `json:"sk_with_odd_parity"`
	SKKCV      string    `json:"sk_kcv"`
	HSMKCVNote string    `json:"hsm_kcv"`
}

func runSessionKey(c *check, row sessionKeyRow) {
	sk := c.sessionKey(row)
	if sk == nil {
		return
	}
	if row.OddParity != nil { // the source leaves the parity bits as they fall
		c.bytes("sk_with_odd_parity", row.OddParity, sk)
		c.that("sk", crypt.Equal(crypt.OddParity(row.SK), sk))
	} else {
		c.that("sk", crypt.Equal(row.SK, sk))
	}
	if !strings.HasPrefix(row.Method, "CSK-AES") {
		c.kcv("sk_kcv", row.SKKCV, sk)
		c.hsmKCV(row.HSMKCVNote, sk)
	}
}

func (c *check) sessionKey(row sessionKeyRow) crypt.Key {
	var sk crypt.Key
	var err error
	switch row.Method {
	case "CSK", "CSK-MCHIP":
		r, ok := c.eight("diversifier_r", row.R)
		mk := c.tdes("icc_mk", row.ICCMK)
		if !ok || mk == nil {
			return nil
		}
		sk = emv.SessionKey(mk, r)
	case "VISA-SM":
		atc, ok := c.counter("atc", row.ATC)
		if !ok {
			return nil
		}
		sk, err = emv.SessionKeyVisa(crypt.Key(row.ICCMK), atc)
	case "EMV2000-TREE":
		atc, ok := c.counter("atc", row.ATC)
		if !ok || len(row.IV) != 16 {
			c.that("iv", len(row.IV) == 16)
			return nil
		}
		sk, err = emv.SessionKeyTree(crypt.Key(row.ICCMK), atc, row.Height, row.Branch, [16]byte(row.IV))
	case "CSK-AES128", "CSK-AES192", "CSK-AES256":
		if len(row.R) != 16 {
			c.that("diversifier_r", false)
			return nil
		}
		sk, err = emv.SessionKeyAES(crypt.Key(row.ICCMK), [16]byte(row.R))
	default:
		c.that("method", false)
		return nil
	}
	if c.fails("sk", err) {
		return nil
	}
	return sk
}
