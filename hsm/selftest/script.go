package selftest

import (
	"bytes"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	"sceau/hsm/pinblock"
)

type scriptRow struct {
	about
	IMKSMI      crypt.Hex `json:"imk_smi"`
	IMKSMC      crypt.Hex `json:"imk_smc"`
	IMKAC       crypt.Hex `json:"imk_ac"`
	PAN         string    `json:"pan"`
	PSN         string    `json:"psn"`
	Session     string    `json:"session"`
	Diversifier crypt.Hex `json:"diversifier"`
	SMI         crypt.Hex `json:"sk_smi"`
	SMC         crypt.Hex `json:"sk_smc"`
	Header      crypt.Hex `json:"header"`
	NewPIN      string    `json:"new_pin"`
	CurrentPIN  string    `json:"current_pin"`
	PINFormat   string    `json:"pin_block_format"`
	PINBlock    crypt.Hex `json:"pin_block"`
	Encryption  string    `json:"encryption"`
	Enciphered  crypt.Hex `json:"enciphered"`
	MACInput    crypt.Hex `json:"mac_input"`
	MAC         crypt.Hex `json:"mac"`
	APDU        crypt.Hex `json:"apdu"`
}

// runScript computes one script command from the issuer's keys. The header is the
// row's: some sources keep a length that is not that of the data.
func runScript(c *check, row scriptRow) {
	smi, smc := c.scriptKey(row, "sk_smi", row.IMKSMI), c.scriptKey(row, "sk_smc", row.IMKSMC)
	if smi == nil || smc == nil || len(row.Header) != 5 {
		c.that("header", len(row.Header) == 5)
		return
	}
	c.bytes("sk_smi", row.SMI, smi)
	c.bytes("sk_smc", row.SMC, smc)
	command := emv.Command(row.Header[1:4])
	c.that("header", row.Header[0] == 0x84 && known(command, row))
	var data []byte
	if row.NewPIN != "" {
		data = c.pinData(row, crypt.Hex(smc))
	}
	key := c.tdes("sk_smi", crypt.Hex(smi))
	if key == nil {
		return
	}
	mac := emv.ScriptMAC(key, row.Header, data)
	c.bytes("mac_input", row.MACInput, append(row.Header[:5:5], data...))
	c.that("mac", crypt.Equal(row.MAC, mac[:]))
	c.that("apdu", bytes.Equal(row.APDU, bytes.Join([][]byte{row.Header, data, mac[:]}, nil)))
	if int(row.Header[4]) == len(data)+8 {
		c.that("whole command", bytes.Equal(row.APDU, emv.ScriptSession{SMI: key}.APDU(command, data)))
	}
}

// known tells whether the command is one of the issuer's, and the row has the
// PINs that it takes.
func known(command emv.Command, row scriptRow) bool {
	switch command {
	case emv.PINUnblockCommand, emv.ApplicationBlock, emv.ApplicationUnblock, emv.CardBlock:
		return row.NewPIN == "" && row.CurrentPIN == ""
	case emv.PINChangeWithOld:
		return row.NewPIN != "" && row.CurrentPIN != ""
	case emv.PINChangeWithoutOld:
		return row.NewPIN != "" && row.CurrentPIN == ""
	}
	return false
}

func (c *check) scriptKey(row scriptRow, field string, imk crypt.Hex) crypt.Key {
	block := c.tdes(field, imk)
	if block == nil {
		return nil
	}
	mk, err := emv.CardMasterKey(block, emv.OptionA, row.PAN, row.PSN)
	if c.fails(field, err) {
		return nil
	}
	method := map[string]string{"CSK (R=ARQC)": "CSK", "Visa SM (ATC)": "VISA-SM"}[row.Session]
	return c.sessionKey(sessionKeyRow{Method: method, ICCMK: crypt.Hex(mk), R: row.Diversifier, ATC: row.Diversifier})
}

// pinData is the new PIN's block, enciphered.
func (c *check) pinData(row scriptRow, smc crypt.Hex) []byte {
	var block [8]byte
	var err error
	switch row.PINFormat {
	case "ISO-2":
		block, err = pinblock.EncodeISO2(row.NewPIN)
	case "VIS":
		imk := c.tdes("imk_ac", row.IMKAC)
		if imk == nil {
			return nil
		}
		var mk crypt.Key
		if mk, err = emv.CardMasterKey(imk, emv.OptionA, row.PAN, row.PSN); err == nil {
			block, err = emv.VISPINBlock(mk, row.NewPIN, row.CurrentPIN)
		}
	default:
		c.that("pin_block_format", false)
		return nil
	}
	key := c.tdes("sk_smc", smc)
	if c.fails("pin_block", err) || key == nil {
		return nil
	}
	c.bytes("pin_block", row.PINBlock, block[:])
	how := map[string]emv.Encipherment{"VISA": emv.EncipherVisa, "MASTERCARD": emv.EncipherMChip, "EMV": emv.EncipherCCD}[row.Encryption]
	data, err := emv.EncipherScript(key, how, block[:])
	if c.fails("enciphered", err) {
		return nil
	}
	c.bytes("enciphered", row.Enciphered, data)
	return data
}
