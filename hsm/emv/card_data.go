package emv

import (
	"fmt"
	"strconv"

	"sceau/hsm/crypt"
	"sceau/hsm/keyblock"
	"sceau/hsm/pinblock"
)

// CardData is what is particular to one card.
type CardData struct {
	PAN, PSN     string
	Expiry       string    // YYMM; the card is valid to the end of that month
	AC, SMI, SMC crypt.Key // the card's master keys, 16 bytes each
	PINBlock     crypt.Key // reference PIN, ISO 9564-1 format 2
}

// The data groupings of a CAP card. Records are SFI||record.
const (
	dgiKeys   uint16 = 0x8000 // AC, SMI, SMC master keys, enciphered
	dgiPIN    uint16 = 0x8010 // reference PIN block, enciphered
	dgiKCVs   uint16 = 0x9000 // their check values
	dgiTries  uint16 = 0x9010 // PIN try counter and limit
	dgiFCI    uint16 = 0x9102 // FCI proprietary template (A5) of the SELECT answer
	dgiGPO    uint16 = 0x9104 // AIP and AFL of the GET PROCESSING OPTIONS answer
	kcvLength        = 3
	keyLength        = 16
)

// BuildDGIs makes the data groupings of one card. Keys and PIN are enciphered
// under the transport key, TDES-ECB (EMV CPS v1.1 §4.4); the same input gives
// the same bytes.
func BuildDGIs(p CAPProfile, c CardData, transport *crypt.TDES) ([]DGI, error) {
	return BuildDGIsUnder(p, c, transport.EncryptECB)
}

// BuildDGIsUnder makes them with keys and PIN enciphered another way: by the data
// encryption key of a secure channel.
func BuildDGIsUnder(p CAPProfile, c CardData, encipher func([]byte) ([]byte, error)) ([]DGI, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	record, err := p.record(c)
	if err != nil {
		return nil, err
	}
	keys, kcvs, err := encipherKeys(c, encipher)
	if err != nil {
		return nil, err
	}
	if _, err := pinblock.DecodeISO2(c.PINBlock); err != nil {
		return nil, err
	}
	pin, err := encipher(c.PINBlock)
	if err != nil {
		return nil, fmt.Errorf("encipher the PIN block: %w", err)
	}
	fci := AppendTLV(nil, 0xA5, AppendTLV(nil, 0x50, []byte(p.Label)))
	gpo := AppendTLV(AppendTLV(nil, 0x82, p.AIP), 0x94, p.AFL)
	return []DGI{
		{ID: uint16(p.AFL[0]>>3)<<8 | 1, Value: record},
		{ID: dgiFCI, Value: fci},
		{ID: dgiGPO, Value: gpo},
		{ID: dgiKeys, Value: keys},
		{ID: dgiKCVs, Value: kcvs},
		{ID: dgiPIN, Value: pin},
		{ID: dgiTries, Value: []byte{byte(p.PTL), byte(p.PTL)}}, //nolint:gosec // 1 to 15
	}, nil
}

// record is the one record of the card, template 70.
func (p CAPProfile) record(c CardData) ([]byte, error) {
	if err := CheckCard(c.PAN, c.PSN); err != nil {
		return nil, err
	}
	expiry, err := expiryDate(c.Expiry)
	if err != nil {
		return nil, err
	}
	pan := c.PAN
	if len(pan)%2 == 1 {
		pan += "F" // compressed numeric: padded on the right (EMV Book 3 §4.3)
	}
	packed, err := crypt.ParseHex(pan)
	if err != nil {
		return nil, err
	}
	var r []byte
	r = AppendTLV(r, 0x5A, packed)
	r = AppendTLV(r, 0x5F34, crypt.PackBCD(c.PSN, 1))
	r = AppendTLV(r, 0x5F24, crypt.PackBCD(expiry, 3))
	r = AppendTLV(r, 0x8C, p.CDOL1)
	r = AppendTLV(r, 0x8D, p.CDOL2)
	r = AppendTLV(r, 0x9F55, p.IAF)
	r = AppendTLV(r, 0x9F56, p.IPB)
	return AppendTLV(nil, 0x70, r), nil
}

// expiryDate turns YYMM into YYMMDD, the last day of the month.
func expiryDate(yymm string) (string, error) {
	if !crypt.IsDigits(yymm, 4, 4) || yymm[2:] < "01" || yymm[2:] > "12" {
		return "", fmt.Errorf("%w: an expiry is YYMM", crypt.ErrMalformed)
	}
	year, err := strconv.Atoi(yymm[:2])
	if err != nil {
		return "", fmt.Errorf("%w: an expiry is YYMM", crypt.ErrMalformed)
	}
	day := "31"
	switch yymm[2:] {
	case "04", "06", "09", "11":
		day = "30"
	case "02":
		if day = "28"; year%4 == 0 { // 2000 to 2099
			day = "29"
		}
	}
	return yymm + day, nil
}

func encipherKeys(c CardData, encipher func([]byte) ([]byte, error)) (keys, kcvs []byte, err error) {
	plain := make([]byte, 0, 3*keyLength)
	for _, k := range []crypt.Key{c.AC, c.SMI, c.SMC} {
		if len(k) != keyLength {
			return nil, nil, fmt.Errorf("%w: a card master key has 16 bytes, not %d", crypt.ErrMalformed, len(k))
		}
		plain = append(plain, k...)
		kcvs = append(kcvs, kcvBytes(k)...)
	}
	keys, err = encipher(plain)
	clear(plain)
	if err != nil {
		return nil, nil, fmt.Errorf("encipher the card keys: %w", err)
	}
	return keys, kcvs, nil
}

// kcvBytes is the check value of a 16-byte key.
func kcvBytes(k crypt.Key) []byte {
	value := keyblock.CheckBytes(crypt.DoubleKey((*[16]byte)(k)))
	return value[:]
}

// CardImage is what a personalised card holds.
type CardImage struct {
	PAN, PSN     string
	Expiry       string    // YYMMDD
	SFI          byte      // short file identifier of the one record
	Record       crypt.Hex // template 70
	FCI          crypt.Hex // FCI proprietary template, A5
	AIP, AFL     crypt.Hex
	IAF          byte
	IPB          crypt.Hex
	CDOL1, CDOL2 crypt.Hex
	AC, SMI, SMC crypt.Key
	PINBlock     crypt.Key
	TryCounter   byte
	TryLimit     byte
}

// OpenDGIs is the chip's side of personalisation: it reads the data groupings
// of one card, deciphers keys and PIN under the transport key and proves the
// keys by their check values ([crypt.ErrMismatch] when the transport key is another).
func OpenDGIs(data []byte, transport *crypt.TDES) (CardImage, error) {
	return OpenDGIsUnder(data, transport.DecryptECB)
}

// OpenDGIsUnder reads what [BuildDGIsUnder] makes.
func OpenDGIsUnder(data []byte, decipher func([]byte) ([]byte, error)) (CardImage, error) {
	dgis, err := ParseDGIs(data)
	if err != nil {
		return CardImage{}, err
	}
	var img CardImage
	values := make(map[uint16][]byte, len(dgis))
	for _, d := range dgis {
		if _, twice := values[d.ID]; twice {
			return CardImage{}, fmt.Errorf("%w: data grouping %04X comes twice", crypt.ErrMalformed, d.ID)
		}
		values[d.ID] = d.Value
	}
	img.FCI = values[dgiFCI]
	img.AIP, img.AFL = FindTLV(values[dgiGPO], 0x82), FindTLV(values[dgiGPO], 0x94)
	if len(img.FCI) == 0 || len(img.AIP) != 2 || len(img.AFL) != 4 || len(values[dgiTries]) != 2 {
		return CardImage{}, fmt.Errorf("%w: data grouping 9102, 9104 or 9010 is missing or cut", crypt.ErrMalformed)
	}
	img.SFI = img.AFL[0] >> 3
	img.TryCounter, img.TryLimit = values[dgiTries][0], values[dgiTries][1]
	if err := img.readRecord(values[uint16(img.SFI)<<8|1]); err != nil {
		return CardImage{}, err
	}
	if err := img.readSecrets(values, decipher); err != nil {
		return CardImage{}, err
	}
	return img, nil
}

func (img *CardImage) readRecord(record []byte) error {
	objects, err := ParseTLV(FindTLV(record, 0x70))
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	pan := crypt.Hex(valueOf(objects, 0x5A)).String()
	if n := len(pan); n > 0 && pan[n-1] == 'F' {
		pan = pan[:n-1]
	}
	img.PAN, img.PSN = pan, crypt.Hex(valueOf(objects, 0x5F34)).String()
	img.Expiry = crypt.Hex(valueOf(objects, 0x5F24)).String()
	img.CDOL1, img.CDOL2 = valueOf(objects, 0x8C), valueOf(objects, 0x8D)
	img.IPB = valueOf(objects, 0x9F56)
	iaf := valueOf(objects, 0x9F55)
	if err := CheckCard(img.PAN, img.PSN); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if !crypt.IsDigits(img.Expiry, 6, 6) || len(iaf) != 1 || len(img.IPB) == 0 || len(img.CDOL1) == 0 || len(img.CDOL2) == 0 {
		return fmt.Errorf("%w: the record lacks 5F24, 8C, 8D, 9F55 or 9F56", crypt.ErrMalformed)
	}
	img.IAF, img.Record = iaf[0], record
	return nil
}

func (img *CardImage) readSecrets(values map[uint16][]byte, decipher func([]byte) ([]byte, error)) error {
	keys, err := decipher(values[dgiKeys])
	if err != nil {
		return fmt.Errorf("decipher the card keys: %w", err)
	}
	pin, err := decipher(values[dgiPIN])
	if err != nil {
		return fmt.Errorf("decipher the PIN block: %w", err)
	}
	if len(keys) != 3*keyLength || len(values[dgiKCVs]) != 3*kcvLength || len(pin) != 8 {
		return fmt.Errorf("%w: data grouping 8000, 9000 or 8010 is missing or cut", crypt.ErrMalformed)
	}
	img.AC, img.SMI, img.SMC = keys[:16:16], keys[16:32:32], keys[32:]
	for i, k := range []crypt.Key{img.AC, img.SMI, img.SMC} {
		if !crypt.Equal(kcvBytes(k), values[dgiKCVs][i*kcvLength:(i+1)*kcvLength]) {
			return fmt.Errorf("%w: key %d of data grouping 8000, by its check value; the transport key may be another", crypt.ErrMismatch, i+1)
		}
	}
	if _, err := pinblock.DecodeISO2(pin); err != nil {
		return err
	}
	img.PINBlock = pin
	return nil
}
