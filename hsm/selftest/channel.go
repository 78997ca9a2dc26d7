package selftest

import (
	"sceau/hsm/crypt"
	"sceau/hsm/emv"
	gp "sceau/hsm/globalplatform"
)

type scp02SessionRow struct {
	about
	Op       string    `json:"op"`
	Key      crypt.Hex `json:"key"`
	Sequence crypt.Hex `json:"sequence_counter"`
	ENC      crypt.Hex `json:"s_enc"`
	MAC      crypt.Hex `json:"s_mac"`
	DEK      crypt.Hex `json:"s_dek"`
	RMAC     crypt.Hex `json:"s_rmac"`
	Constant string    `json:"constant"`
	Value    crypt.Hex `json:"value"`
}

func runSCP02Session(c *check, row scp02SessionRow) {
	if len(row.Sequence) != 2 {
		c.that("sequence_counter", false)
		return
	}
	derive := func(field string, want crypt.Hex, constant gp.SCP02Constant) {
		if want == nil {
			return
		}
		got, err := gp.SCP02SessionKey(crypt.Key(row.Key), constant, [2]byte(row.Sequence))
		c.that(field, err == nil && crypt.Equal(want, got))
	}
	derive("s_enc", row.ENC, gp.SCP02ENC)
	derive("s_mac", row.MAC, gp.SCP02MAC)
	derive("s_dek", row.DEK, gp.SCP02DEK)
	derive("s_rmac", row.RMAC, gp.SCP02RMAC)
	if row.Constant == "" && row.Value == nil {
		return
	}
	constant, ok := map[string]gp.SCP02Constant{
		"MAC 0101": gp.SCP02MAC, "RMAC 0102": gp.SCP02RMAC, "DEK 0181": gp.SCP02DEK, "ENC 0182": gp.SCP02ENC,
	}[row.Constant]
	if c.that("constant", ok); ok {
		derive("value", row.Value, constant)
	}
}

type scp02TraceRow struct {
	about
	Op        string    `json:"op"`
	ENC       crypt.Hex `json:"enc"`
	MAC       crypt.Hex `json:"mac"`
	DEK       crypt.Hex `json:"dek"`
	Challenge crypt.Hex `json:"host_challenge"`
	Answer    crypt.Hex `json:"init_update_resp"`
	External  crypt.Hex `json:"ext_auth_cmd"`
	Wrapped   []struct {
		Plain   crypt.Hex `json:"plain"`
		Wrapped crypt.Hex `json:"wrapped"`
	} `json:"wrapped"`
}

// runSCP02Trace opens the channel, and wraps the commands one after the other.
func runSCP02Trace(c *check, row scp02TraceRow) {
	challenge, ok := c.eight("host_challenge", row.Challenge)
	if !ok {
		return
	}
	static := gp.Keys{ENC: crypt.Key(row.ENC), MAC: crypt.Key(row.MAC), DEK: crypt.Key(row.DEK)}
	channel, err := gp.OpenSCP02(static, challenge, row.Answer)
	if c.fails("init_update_resp", err) {
		return
	}
	level := byte(0x01)
	if len(row.External) > 2 {
		level = row.External[2]
	}
	external, err := channel.ExternalAuthenticate(level)
	c.that("ext_auth_cmd", err == nil && crypt.Equal(row.External, external))
	for _, w := range row.Wrapped {
		got, err := channel.Wrap(w.Plain)
		c.that("wrapped", err == nil && crypt.Equal(w.Wrapped, got))
	}
}

type scp03SessionRow struct {
	about
	Op   string    `json:"op"`
	Key  crypt.Hex `json:"key"`
	Host crypt.Hex `json:"host_challenge"`
	Card crypt.Hex `json:"card_challenge"`
	ENC  crypt.Hex `json:"s_enc"`
	MAC  crypt.Hex `json:"s_mac"`
	RMAC crypt.Hex `json:"s_rmac"`
}

func runSCP03Session(c *check, row scp03SessionRow) {
	host, ok := c.eight("host_challenge", row.Host)
	card, also := c.eight("card_challenge", row.Card)
	if !ok || !also {
		return
	}
	enc, mac, rmac, err := gp.SCP03SessionKeys(crypt.Key(row.Key), crypt.Key(row.Key), host, card)
	if c.fails("s_enc", err) {
		return
	}
	c.bytes("s_enc", row.ENC, enc)
	c.bytes("s_mac", row.MAC, mac)
	c.bytes("s_rmac", row.RMAC, rmac)
}

type scp03TraceRow struct {
	about
	Op       string    `json:"op"`
	Level    crypt.Hex `json:"security_level"`
	ENC      crypt.Hex `json:"enc"`
	MAC      crypt.Hex `json:"mac"`
	DEK      crypt.Hex `json:"dek"`
	SENC     crypt.Hex `json:"s_enc"`
	SMAC     crypt.Hex `json:"s_mac"`
	SRMAC    crypt.Hex `json:"s_rmac"`
	Card     crypt.Hex `json:"card_cryptogram"`
	Host     crypt.Hex `json:"host_cryptogram"`
	Init     crypt.Hex `json:"init_upd_cmd"`
	Answer   crypt.Hex `json:"init_upd_rsp"`
	External crypt.Hex `json:"ext_auth_cmd"`
	GetEID   crypt.Hex `json:"get_eid_cmd"`
	EID      crypt.Hex `json:"get_eid_rsp"`
	Case1    crypt.Hex `json:"case_1_apdu"`
	Case2    crypt.Hex `json:"case_2_apdu"`
	Case3    crypt.Hex `json:"case_3_apdu"`
	Case4    crypt.Hex `json:"case_4_apdu"`
	Plain    struct {
		GetEID crypt.Hex `json:"get_eid"`
		Case1  crypt.Hex `json:"case_1"`
		Case2  crypt.Hex `json:"case_2"`
		Case3  crypt.Hex `json:"case_3"`
		Case4  crypt.Hex `json:"case_4"`
	} `json:"plain"`
}

// runSCP03Trace opens the channel of a recorded card and has it wrap and unwrap in
// the recording's order: GET EID, then one command of each case.
func runSCP03Trace(c *check, row scp03TraceRow) {
	if len(row.Level) != 1 || len(row.Init) != 14 {
		c.that("security_level or init_upd_cmd", false)
		return
	}
	c.that("init_upd_cmd", crypt.Equal(row.Init[:2], []byte{0x80, 0x50}) && row.Init[4] == 8 && row.Init[13] == 0)
	static := gp.Keys{ENC: crypt.Key(row.ENC), MAC: crypt.Key(row.MAC), DEK: crypt.Key(row.DEK)}
	channel, err := gp.OpenSCP03(static, [8]byte(row.Init[5:13]), row.Answer)
	if c.fails("init_upd_rsp", err) {
		return
	}
	c.bytes("s_enc", row.SENC, channel.ENC)
	c.bytes("s_mac", row.SMAC, channel.MAC)
	c.bytes("s_rmac", row.SRMAC, channel.RMAC)
	c.bytes("card_cryptogram", row.Card, channel.Card[:])
	c.bytes("host_cryptogram", row.Host, channel.Host[:])
	external, err := channel.ExternalAuthenticate(row.Level[0])
	c.that("ext_auth_cmd", err == nil && crypt.Equal(row.External, external))
	wrap := func(field string, plain, want crypt.Hex) {
		got, err := channel.Wrap(plain)
		c.that(field, err == nil && crypt.Equal(want, got))
	}
	wrap("get_eid_cmd", row.Plain.GetEID, row.GetEID)
	eid, err := channel.Unwrap(row.EID, [2]byte{0x90, 0x00})
	c.that("get_eid_rsp", err == nil && len(emv.FindTLV(eid, 0xBF3E, 0x5A)) == 16)
	wrap("case_1_apdu", row.Plain.Case1, row.Case1)
	wrap("case_2_apdu", row.Plain.Case2, row.Case2)
	wrap("case_3_apdu", row.Plain.Case3, row.Case3)
	wrap("case_4_apdu", row.Plain.Case4, row.Case4)
}
