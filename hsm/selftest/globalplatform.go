package selftest

import (
	"encoding/json"
	"errors"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	gp "sceau/hsm/globalplatform"
)

// runGlobalPlatform judges by the row's operation; each has a shape of its own.
func runGlobalPlatform(f file, text json.RawMessage) error {
	var op struct {
		Op string `json:"op"`
	}
	if err := json.Unmarshal(text, &op); err != nil {
		return errors.New("field op is of another type")
	}
	shapes := map[string]func(file, json.RawMessage) error{
		"diversify":      of(runDiversify),
		"SCP02 session":  of(runSCP02Session),
		"SCP02 trace":    of(runSCP02Trace),
		"SCP03 session":  of(runSCP03Session),
		"SCP03 trace":    of(runSCP03Trace),
		"KDF3 diversify": of(runKDF3),
		"KDF3 diversify, KCV only (AES-CBC of 16x01, first 3 bytes)": of(runKDF3),
		"KCV AES (16x01)": of(runKCVList),
	}
	run, ok := shapes[op.Op]
	if !ok {
		return errors.New("unknown op")
	}
	return run(f, text)
}

type diversifyRow struct {
	about
	Op       string      `json:"op"`
	Template string      `json:"template"`
	KMC      crypt.Hex   `json:"kmc"`
	Data     crypt.Hex   `json:"key_diversification_data"`
	ENC      crypt.Hex   `json:"enc"`
	MAC      crypt.Hex   `json:"mac"`
	DEK      crypt.Hex   `json:"dek"`
	KCV      []crypt.Hex `json:"kcv"`
	Twice    bool        `json:"same_as_psec_computation"`
}

func runDiversify(c *check, row diversifyRow) {
	keys, ok := c.diversified(row.KMC, gp.Template(row.Template), row.Data)
	if !ok {
		return
	}
	c.bytes("enc", row.ENC, keys.ENC)
	c.bytes("mac", row.MAC, keys.MAC)
	c.bytes("dek", row.DEK, keys.DEK)
	if row.KCV == nil {
		return
	}
	c.checkValues(row.KCV, []crypt.Key{keys.ENC, keys.MAC, keys.DEK}, row.Template == string(gp.TemplateKDF3))
}

func (c *check) diversified(master crypt.Hex, t gp.Template, data crypt.Hex) (gp.Keys, bool) {
	if len(data) != 10 {
		c.that("key_diversification_data", false)
		return gp.Keys{}, false
	}
	keys, err := gp.Diversify(crypt.Key(master), t, [10]byte(data))
	return keys, !c.fails("keys", err)
}

func (c *check) checkValues(want []crypt.Hex, keys []crypt.Key, isAES bool) {
	if len(want) != len(keys) {
		c.that("kcv", false)
		return
	}
	for i, key := range keys {
		got, err := gp.CheckValue(key, isAES)
		c.that("kcv", err == nil && crypt.Equal(want[i], got[:]))
	}
}

type kdf3Row struct {
	about
	Op     string    `json:"op"`
	Master crypt.Hex `json:"master"`
	Data   crypt.Hex `json:"key_diversification_data"`
	ENC    crypt.Hex `json:"enc"`
	MAC    crypt.Hex `json:"mac"`
	DEK    crypt.Hex `json:"dek"`
	KCVENC crypt.Hex `json:"kcv_enc"`
	KCVMAC crypt.Hex `json:"kcv_mac"`
	KCVDEK crypt.Hex `json:"kcv_dek"`
}

func runKDF3(c *check, row kdf3Row) {
	keys, ok := c.diversified(row.Master, gp.TemplateKDF3, row.Data)
	if !ok {
		return
	}
	for _, k := range []struct {
		name      string
		want, kcv crypt.Hex
		key       crypt.Key
	}{{"enc", row.ENC, row.KCVENC, keys.ENC}, {"mac", row.MAC, row.KCVMAC, keys.MAC}, {"dek", row.DEK, row.KCVDEK, keys.DEK}} {
		c.bytes(k.name, k.want, k.key)
		if k.kcv != nil {
			got, err := gp.CheckValue(k.key, true)
			c.that("kcv_"+k.name, err == nil && crypt.Equal(k.kcv, got[:]))
		}
	}
}

type kcvListRow struct {
	about
	Op   string      `json:"op"`
	Keys []crypt.Hex `json:"keys"`
	KCV  []crypt.Hex `json:"kcv"`
}

func runKCVList(c *check, row kcvListRow) {
	keys := make([]crypt.Key, len(row.Keys))
	for i, k := range row.Keys {
		keys[i] = crypt.Key(k)
	}
	c.checkValues(row.KCV, keys, true)
}

type dgiRow struct {
	about
	KMC        crypt.Hex `json:"kmc"`
	Data       crypt.Hex `json:"key_diversification_data"`
	DEK        crypt.Hex `json:"k_dek"`
	Key        crypt.Hex `json:"key"`
	Sequence   crypt.Hex `json:"sequence_counter"`
	SKUDEK     crypt.Hex `json:"skudek"`
	DGI        crypt.Hex `json:"dgi"`
	Plain      crypt.Hex `json:"plain"`
	Enciphered crypt.Hex `json:"enciphered"`
	Record     crypt.Hex `json:"dgi_record"`
}

// runDGI goes from the maker's key to the enciphered data grouping (EMV CPS).
func runDGI(c *check, row dgiRow) {
	dek := crypt.Key(row.Key)
	if row.KMC != nil {
		keys, ok := c.diversified(row.KMC, gp.TemplateEMV, row.Data)
		if !ok {
			return
		}
		dek = keys.DEK
		c.bytes("k_dek", row.DEK, dek)
	}
	if len(row.Sequence) != 2 {
		c.that("sequence_counter", false)
		return
	}
	skudek, err := gp.SCP02SessionKey(dek, gp.SCP02DEK, [2]byte(row.Sequence))
	if c.fails("skudek", err) {
		return
	}
	c.bytes("skudek", row.SKUDEK, skudek)
	enciphered, err := gp.EncipherDGI(skudek, row.Plain)
	if c.fails("enciphered", err) {
		return
	}
	c.that("enciphered", crypt.Equal(row.Enciphered, enciphered))
	if row.Record == nil && row.DGI == nil {
		return
	}
	if len(row.DGI) != 2 {
		c.that("dgi", false)
		return
	}
	record, err := emv.EncodeDGIs([]emv.DGI{{ID: uint16(row.DGI[0])<<8 | uint16(row.DGI[1]), Value: enciphered}})
	c.that("dgi_record", err == nil && crypt.Equal(row.Record, record))
}
