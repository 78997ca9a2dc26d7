package selftest

import (
	"sceau/hsm/crypt"
	"sceau/hsm/pinblock"
)

type pinBlockRow struct {
	about
	Format     int       `json:"format"`
	PIN        string    `json:"pin"`
	PAN        string    `json:"pan"`
	Key        crypt.Hex `json:"key"`
	Block      crypt.Hex `json:"block"`
	ToDecode   crypt.Hex `json:"block_to_decode"`
	Prefix     string    `json:"fixed_prefix"`
	Enciphered crypt.Hex `json:"enciphered_block_to_decode"`
	PANField   crypt.Hex `json:"pan_field"`
}

// runPINBlock makes and opens the blocks of formats 0 and 2, and opens those of
// formats 3 and 4, whose fill is random; of those it makes one that opens again.
func runPINBlock(c *check, row pinBlockRow) {
	switch row.Format {
	case 0:
		block, err := pinblock.EncodeISO0(row.PIN, row.PAN)
		if !c.fails("block", err) {
			c.that("block", crypt.Equal(row.Block, block[:]))
		}
		pin, err := pinblock.DecodeISO0(row.Block, row.PAN)
		c.opens(row.PIN, pin, err)
	case 2:
		block, err := pinblock.EncodeISO2(row.PIN)
		if !c.fails("block", err) {
			c.that("block", crypt.Equal(row.Block, block[:]))
		}
		pin, err := pinblock.DecodeISO2(row.Block)
		c.opens(row.PIN, pin, err)
	case 3:
		runISO3(c, row)
	case 4:
		runISO4(c, row)
	default:
		c.that("format", false)
	}
}

func runISO3(c *check, row pinBlockRow) {
	pin, err := pinblock.DecodeISO3(row.ToDecode, row.PAN)
	c.opens(row.PIN, pin, err)
	made, err := pinblock.EncodeISO3(row.PIN, row.PAN, zeros{})
	if c.fails("block", err) {
		return
	}
	text := crypt.Hex(made[:]).String()
	c.text("fixed_prefix", row.Prefix, text[:min(len(row.Prefix), len(text))])
	pin, err = pinblock.DecodeISO3(made[:], row.PAN)
	c.opens(row.PIN, pin, err)
}

func runISO4(c *check, row pinBlockRow) {
	field, err := pinblock.PANFieldISO4(row.PAN)
	if !c.fails("pan_field", err) {
		c.bytes("pan_field", row.PANField, field[:])
	}
	if row.Enciphered == nil {
		c.that("pin", row.PIN == "") // a row about the card number alone
		return
	}
	pin, err := pinblock.DecodeISO4(crypt.Key(row.Key), row.Enciphered, row.PAN)
	c.opens(row.PIN, pin, err)
	made, err := pinblock.EncodeISO4(crypt.Key(row.Key), row.PIN, row.PAN, zeros{})
	if c.fails("block", err) {
		return
	}
	pin, err = pinblock.DecodeISO4(crypt.Key(row.Key), made[:], row.PAN)
	c.opens(row.PIN, pin, err)
}

func (c *check) opens(want, got string, err error) {
	c.that("pin", err == nil && want != "" && want == got)
}

type pvvRow struct {
	about
	Op    string    `json:"op"`
	PVK   crypt.Hex `json:"pvk"`
	Index string    `json:"pvki"`
	PIN   string    `json:"pin"`
	PAN   string    `json:"pan"`
	PVV   string    `json:"pvv"`
}

func runPVV(c *check, row pvvRow) {
	key := c.tdes("pvk", row.PVK)
	if c.that("op", row.Op == "PVV"); key == nil || len(row.Index) != 1 {
		c.that("pvki", len(row.Index) == 1)
		return
	}
	pvv, err := pinblock.PVV(key, row.Index[0], row.PIN, row.PAN)
	if !c.fails("pvv", err) {
		c.that("pvv", row.PVV == pvv)
	}
	same, err := pinblock.VerifyPVV(key, row.Index[0], row.PIN, row.PAN, row.PVV)
	c.that("pvv verified", err == nil && same)
}

type ibmRow struct {
	about
	Op     string    `json:"op"`
	PVK    crypt.Hex `json:"pvk"`
	Table  string    `json:"decimalisation_table"`
	Offset string    `json:"offset"`
	PIN    string    `json:"pin"`
	PAN    string    `json:"pan"`
	Start  int       `json:"pan_verify_offset"`
	Length int       `json:"pan_verify_length"`
	Pad    string    `json:"pan_pad"`
}

// runIBM3624 computes both ways: the PIN of the offset and the offset of the PIN.
func runIBM3624(c *check, row ibmRow) {
	key := c.tdes("pvk", row.PVK)
	if key == nil || len(row.Pad) != 1 || len(row.PIN) != len(row.Offset) {
		c.that("pan_pad or offset", false)
		return
	}
	c.that("op", row.Op == "IBM3624-PIN" || row.Op == "IBM3624-OFFSET")
	rule := pinblock.IBM3624{Decimalisation: row.Table, Offset: row.Start, Length: row.Length, Pad: row.Pad[0]}
	pin, err := rule.PIN(key, row.PAN, row.Offset)
	if !c.fails("pin", err) {
		c.that("pin", row.PIN == pin)
	}
	offset, err := rule.PINOffset(key, row.PAN, row.PIN)
	if !c.fails("offset", err) {
		c.that("offset", row.Offset == offset)
	}
	same, err := rule.Verify(key, row.PAN, row.PIN, row.Offset)
	c.that("pin verified", err == nil && same)
}
