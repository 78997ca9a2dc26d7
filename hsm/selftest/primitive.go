package selftest

import (
	"strings"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
)

type macRow struct {
	about
	Op   string    `json:"op"`
	Key  crypt.Hex `json:"key"`
	Data crypt.Hex `json:"data"`
	MAC  crypt.Hex `json:"mac"`
}

func runMAC(c *check, row macRow) {
	if strings.HasPrefix(row.Op, "AES-CMAC") {
		mac, err := crypt.AESCMAC(row.Key, row.Data)
		if !c.fails("mac", err) {
			c.bytes("mac", row.MAC, mac)
		}
		return
	}
	var pad crypt.Padding
	switch row.Op {
	case "ISO 9797-1 alg 3, padding 1":
		pad = crypt.PadZeros
	case "ISO 9797-1 alg 3, padding 2":
		pad = crypt.PadOne
	default:
		c.that("op", false)
		return
	}
	if key := c.tdes("key", row.Key); key != nil {
		mac := crypt.RetailMAC(key, row.Data, pad)
		c.bytes("mac", row.MAC, mac[:])
	}
}

type checkValueRow struct {
	about
	Alg  string    `json:"alg"`
	Key  crypt.Hex `json:"key"`
	KCV6 string    `json:"kcv6"`
	CMAC string    `json:"kcv_cmac_16x00_5bytes"`
}

func runCheckValue(c *check, row checkValueRow) {
	switch row.Alg {
	case "TDES-ECB 8x00":
		kcv, err := keyblock.CheckValueTDES(row.Key)
		if !c.fails("kcv6", err) {
			c.text("kcv6", row.KCV6, kcv)
		}
		c.that("kcv_cmac_16x00_5bytes", row.CMAC == "")
	case "AES":
		kcv, err := keyblock.CheckValueAES(row.Key)
		if !c.fails("kcv_cmac_16x00_5bytes", err) {
			c.text("kcv_cmac_16x00_5bytes", row.CMAC, kcv)
		}
		c.that("kcv6", row.KCV6 == "")
	default:
		c.that("alg", false)
	}
}

type keyBlockRow struct {
	about
	KBPK          crypt.Hex `json:"kbpk"`
	Key           crypt.Hex `json:"key"`
	Block         string    `json:"block"`
	Version       string    `json:"version"`
	Usage         string    `json:"key_usage"`
	Algorithm     string    `json:"algorithm"`
	Mode          string    `json:"mode_of_use"`
	Exportability string    `json:"exportability"`
}

// runKeyBlock opens the block, and makes one of the same header that opens again:
// the block itself cannot be made, its padding was random.
func runKeyBlock(c *check, row keyBlockRow) {
	h, key, err := keyblock.Unwrap(crypt.Key(row.KBPK), row.Block)
	if c.fails("block", err) {
		return
	}
	c.bytes("key", row.Key, key)
	c.text("version", row.Version, string(h.Version))
	c.text("key_usage", row.Usage, h.Usage)
	c.text("algorithm", row.Algorithm, string(h.Algorithm))
	c.text("mode_of_use", row.Mode, string(h.Mode))
	c.text("exportability", row.Exportability, string(h.Exportability))
	again, err := keyblock.Wrap(crypt.Key(row.KBPK), h, key, zeros{})
	if c.fails("block", err) {
		return
	}
	_, opened, err := keyblock.Unwrap(crypt.Key(row.KBPK), again)
	c.that("block made again", err == nil && crypt.Equal(opened, key))
}

// zeros stands in for randomness where a vector must be made twice alike.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
