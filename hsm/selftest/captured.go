package selftest

import (
	"bytes"
	"slices"
	"strings"

	"sceau/hsm/crypt"
	"sceau/hsm/emv"
)

type capturedRow struct {
	about
	Mode      string      `json:"mode"`
	Data      []string    `json:"data"`
	CID       crypt.Hex   `json:"cid"`
	ATC       crypt.Hex   `json:"atc"`
	BeforeTDS crypt.Hex   `json:"ac_before_tds"`
	TDS       []string    `json:"tds_fields"`
	ACUsed    crypt.Hex   `json:"ac_used"`
	IAD       crypt.Hex   `json:"iad"`
	IPB       crypt.Hex   `json:"ipb"`
	PSN       string      `json:"psn"`
	Decimal   uint64      `json:"code_decimal"`
	Code      string      `json:"code_8"`
	Bits      int         `json:"bits_selected"`
	APDUs     []crypt.Hex `json:"generate_ac_apdus"`
}

// runCaptured makes the code of a card whose keys nobody knows from what the card
// answered.
func runCaptured(c *check, row capturedRow) {
	atc, ok := c.counter("atc", row.ATC)
	ac, also := c.eight("ac_used", row.ACUsed)
	if !ok || !also || len(row.CID) != 1 {
		c.that("cid", len(row.CID) == 1)
		return
	}
	if row.BeforeTDS != nil || row.TDS != nil {
		before, ok := c.eight("ac_before_tds", row.BeforeTDS)
		if !ok {
			return
		}
		mixed, err := emv.MixTDS(before, row.TDS)
		c.that("ac_used", err == nil && mixed == ac)
		c.that("data", slices.Equal(row.Data, row.TDS))
	}
	reader := emv.ReaderData{IPB: row.IPB, CID: row.CID[0], ATC: atc, AC: ac, IAD: row.IAD}
	if row.PSN != "" {
		reader.IAF, reader.PSN = 0x40, row.PSN
	}
	c.selected(reader, row.Bits, row.Decimal, row.Code)
	if row.APDUs != nil {
		c.capturedAPDUs(row)
	}
}

// capturedAPDUs compares the reader's two GENERATE AC commands with the rule by
// which it fills any object list: the constants of a reader, a typed challenge in
// packed decimal, and zeros for the rest. The card's lists are not in the row.
func (c *check) capturedAPDUs(row capturedRow) {
	if len(row.APDUs) != 2 || !isCaptureMode(row.Mode) {
		c.that("mode or generate_ac_apdus", false)
		return
	}
	challenge := ""
	if row.Mode == "m1" && len(row.Data) > 0 {
		challenge = row.Data[0]
	}
	for i, p1 := range []byte{0x80, 0x00} { // first an ARQC, then an AAC
		apdu := row.APDUs[i]
		if len(apdu) < 5 || len(apdu) < 5+int(apdu[4]) || !bytes.Equal(apdu[:4], []byte{0x80, 0xAE, p1, 0}) {
			c.that("generate_ac_apdus", false)
			continue
		}
		data, le := apdu[5:5+int(apdu[4])], apdu[5+int(apdu[4]):]
		c.that("generate_ac_apdus", (len(le) == 0 || bytes.Equal(le, []byte{0})) && onlyReaderData(data, i == 1, challenge))
	}
}

func isCaptureMode(mode string) bool { return mode == "m1" || mode == "m2" }

// onlyReaderData tells whether data hold nothing but what a CAP reader puts into
// them. The second command always has the response code; its list need not ask for
// the rest again.
func onlyReaderData(data []byte, second bool, challenge string) bool {
	if challenge != "" && !crypt.IsDigits(challenge, 1, 8) {
		return false
	}
	must := []string{"8000000000"} // terminal verification results
	if challenge != "" {
		must = append(must, strings.Repeat("0", 8-len(challenge))+challenge)
	}
	// A Visa card's date, then terminal type and cardholder verification results.
	may := []string{"010101", "34", "010002"}
	if second {
		must, may = []string{"5A33"}, slices.Concat(must, may)
	}
	text := crypt.Hex(data).String()
	for _, m := range must {
		if !strings.Contains(text, m) {
			return false
		}
		text = strings.Replace(text, m, "", 1)
	}
	for _, m := range may {
		text = strings.Replace(text, m, "", 1)
	}
	return strings.Trim(text, "0") == ""
}
